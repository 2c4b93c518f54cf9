// Digits by flow matching: a few codes are carried from noise to data, and shown as the decoder draws them.
"use strict";

scratchgen.digits = (canvas, { model, decoder, onProgress }) => {
  const T = scratchgen.tensor, S = scratchgen.sampler, COUNT = 4, WIDTH = model.shift.shape[0];
  const queue = scratchgen.slices();
  const settings = { label: 3, guidance: 1, steps: 20, method: "heun", seed: 1 };
  let codes = [], pictures = new Map(), position = 0;

  const decode = (x) => scratchgen.network.forward(decoder, S.unscaled(model, x));
  const timeOf = (i) => i / settings.steps;

  function* work() {
    const rng = scratchgen.random(settings.seed);
    codes[0] = T.tensor([COUNT, WIDTH], rng.normals(COUNT * WIDTH));
    for (let i = 0; i < settings.steps; i++) {
      codes[i + 1] = yield* byRow(codes[i], (x) => S.flowStep(model, x, timeOf(i), 1 / settings.steps, settings));
      onProgress();
      if (i + 1 === position) view.redraw();
    }
    for (let i = 0; i <= settings.steps; i++) {         // decode the pictures before they are asked for
      if (pictures.has(i)) continue;
      const end = i < settings.steps ? yield* byRow(codes[i], (x) => expected(i, x)) : codes[i];
      const found = { now: yield* byRow(codes[i], decode), end: yield* byRow(end, decode) };
      if (!pictures.has(i)) pictures.set(i, found);
    }
  }

  // f of one row at a time, with a pause after each.
  function* byRow(x, f) {
    const parts = [];
    for (let n = 0; n < x.shape[0]; n++) {
      parts.push(f(T.rows(x, n, n + 1)));
      yield;
    }
    const width = parts[0].shape[1], out = T.like(x, [parts.length, width]);
    parts.forEach((part, n) => out.data.set(part.data, n * width));
    return out;
  }

  function restart() {
    codes = [];
    pictures = new Map();
    queue.start(work);
  }

  const expected = (i, x) => S.expected(model, x, timeOf(i), settings);

  // The decoded codes at a step, and the decoded end that the network expects.
  function picturesAt(i) {
    if (!pictures.has(i)) {
      const x = codes[i], end = i < settings.steps ? expected(i, x) : x;
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
