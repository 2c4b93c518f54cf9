// Digits by flow matching: a few codes are carried from noise to data, and shown as the decoder draws them.
"use strict";

scratchgen.digits = (canvas, { model, decoder, onProgress }) => {
  const T = scratchgen.tensor, S = scratchgen.sampler, COUNT = 4, WIDTH = model.shift.shape[0];
  const queue = scratchgen.slices(8);
  const settings = { label: 3, guidance: 1, steps: 20, method: "heun", seed: 1 };
  let codes = [], pictures = new Map(), position = 0;

  const decode = (x) => scratchgen.network.forward(decoder, S.unscaled(model, x));
  const timeOf = (i) => i / settings.steps;

  function* work() {
    const rng = scratchgen.random(settings.seed);
    codes[0] = T.tensor([COUNT, WIDTH], rng.normals(COUNT * WIDTH));
    for (let i = 0; i < settings.steps; i++) {
      codes[i + 1] = S.flowStep(model, codes[i], timeOf(i), 1 / settings.steps, settings);
      onProgress();
      if (i + 1 === position) view.redraw();
      yield;
    }
  }

  function restart() {
    codes = [];
    pictures = new Map();
    queue.start(work);
  }

  // The decoded codes at a step, and the decoded end that the network expects.
  function picturesAt(i) {
    if (!pictures.has(i)) {
      const t = timeOf(i), x = codes[i];
      const end = t < 1 ? S.expected(model, x, t, settings) : x;
      pictures.set(i, { now: decode(x), end: decode(end) });
    }
    return pictures.get(i);
  }

  function draw(ctx, width, height, colours) {
    const gap = 8, label = 22, size = (width - gap * (COUNT - 1)) / COUNT;
    const i = Math.min(position, codes.length - 1);
    ctx.font = "14px system-ui, sans-serif";
    ctx.textBaseline = "top";
    ctx.fillStyle = colours.text;
    ctx.fillText("Now, decoded", 0, 2);
    ctx.fillText("Expected end, from here", 0, label + size + 10);
    if (i < 0) return;
    const { now, end } = picturesAt(i);
    for (let n = 0; n < COUNT; n++) {
      const left = n * (size + gap);
      for (const [x, top] of [[now, label], [end, 2 * label + size + 10]]) {
        scratchgen.canvas.picture(ctx, x.data.subarray(784 * n, 784 * (n + 1)), 28, left, top, size, colours, true);
      }
    }
  }

  const ratio = (width) => (2 * ((width - 24) / COUNT) + 56) / width;
  const view = scratchgen.canvas.surface(canvas, { ratio, draw });

  return {
    settings, view, picturesAt,
    change(changes) { Object.assign(settings, changes); restart(); view.redraw(); },
    move(i) { position = i; view.redraw(); },
    finish() { queue.finish(); view.drawNow(); },
    get position() { return position; },
    get known() { return codes.length - 1; },
    get codes() { return codes; },
    timeOf,
  };
};
