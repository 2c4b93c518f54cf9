// Pictures of a recorded run, from one PNG: intensities in [0, 1].
//
//   const pictures = await scratchgen.sprites({png, rows, columns, side});   pictures.at(row, column) -> Float32Array
"use strict";

scratchgen.sprites = async ({ png, rows, columns, side }) => {
  const image = new Image();
  image.src = png;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = columns * side;
  canvas.height = rows * side;
  const ctx = canvas.getContext("2d", { willReadFrequently: true, colorSpace: "srgb" });
  ctx.drawImage(image, 0, 0);
  const pixels = ctx.getImageData(0, 0, canvas.width, canvas.height).data;
  return {
    at(row, column) {
      const values = new Float32Array(side * side);
      for (let y = 0; y < side; y++) for (let x = 0; x < side; x++) {
        values[y * side + x] = pixels[4 * ((row * side + y) * canvas.width + column * side + x)] / 255;
      }
      return values;
    },
  };
};
