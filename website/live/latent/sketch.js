// A field to draw in. onChange(values, side) gets side x side intensities after every change, null when it is empty.
"use strict";

(() => {
  const SIDE = 224, PEN = 0.075;             // pixels of the drawing; width of the pen, as a share of the side

  scratchgen.latent.sketch = (element, onChange) => {
    const sketch = {}, paper = document.createElement("canvas");
    paper.width = paper.height = SIDE;
    const ctx = paper.getContext("2d", { willReadFrequently: true });
    let strokes = [], picture = null, waiting = false;

    // Strokes, or a picture of 28 x 28 intensities, as black on transparent.
    function paint(target, side) {
      target.lineCap = target.lineJoin = "round";
      target.lineWidth = PEN * side;
      for (const points of strokes) {
        target.beginPath();
        points.forEach(([x, y]) => target.lineTo(x * side, y * side));
        const [x, y] = points.at(-1);
        target.lineTo(x * side + 0.1, y * side);        // a line without a length would not be drawn
        target.stroke();
      }
    }

    const view = scratchgen.canvas.surface(element, {
      draw(target, width, height, colours) {
        target.fillStyle = colours.paper;
        target.fillRect(0, 0, width, height);
        if (picture) scratchgen.canvas.picture(target, picture, 28, 0, 0, width, colours);
        target.strokeStyle = colours.stroke;
        paint(target, width);
      },
    });

    function changed() {
      view.redraw();
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => { waiting = false; onChange(sketch.values(), SIDE); });
    }

    sketch.values = () => {
      if (!strokes.length) return null;
      ctx.clearRect(0, 0, SIDE, SIDE);
      paint(ctx, SIDE);
      const { data } = ctx.getImageData(0, 0, SIDE, SIDE);
      return Float32Array.from({ length: SIDE * SIDE }, (_, i) => data[4 * i + 3] / 255);
    };
    sketch.clear = () => { strokes = []; picture = null; changed(); };
    sketch.show = (pixels) => { strokes = []; picture = pixels; view.redraw(); };

    scratchgen.canvas.pointer(element, {
      onMove(px, py, phase) {
        const point = [px / view.width, py / view.height];
        if (phase === "start") {
          if (picture) { picture = null; strokes = []; }
          strokes.push([point]);
        } else strokes.at(-1).push(point);
        changed();
      },
    });
    return sketch;
  };
})();
