// Digits by flow matching: a few codes are carried from noise to data, and shown as the decoder draws them.
"use strict";

scratchgen.digits = (canvas, { model, decoder, onProgress }) => {
  const T = scratchgen.tensor, S = scratchgen.sampler, COUNT = 4, WIDTH = model.shift.shape[0];
  const queue = scratchgen.slices();
  const settings = { label: 3, guidance: 1, steps: 20, method: "heun", seed: 1 };
  let codes = [], pictures = new Map(), position = 0, drawn = null;

  const decode = (x) => scratchgen.network.forward(decoder, S.unscaled(model, x));
  const timeOf = (i) => i / settings.steps;

  function* work() {
    const rng = scratchgen.random(settings.seed);
    codes[0] = T.tensor([COUNT, WIDTH], rng.normals(COUNT * WIDTH));
    for (let i = 0; i < settings.steps; i++) {
      codes[i + 1] = yield* inPairs(codes[i], (x) => S.flowStep(model, x, timeOf(i), 1 / settings.steps, settings));
      onProgress();
    }
    for (let i = next(); i !== undefined; i = next()) {
      const end = i < settings.steps ? yield* inPairs(codes[i], (x) => expected(i, x)) : codes[i];
      pictures.set(i, { now: yield* inPairs(codes[i], decode), end: yield* inPairs(end, decode) });
      if (i === position) view.redraw();
      if (i === position || i === settings.steps) onProgress();
    }
  }

  // The step whose pictures are decoded next: the one that is looked at, the last one, then the others in order.
  const next = () => [position, settings.steps, ...codes.keys()].find((i) => !pictures.has(i));

  // f of two rows at a time, with a pause after each pair.
  function* inPairs(x, f) {
    const parts = [];
    for (let n = 0; n < x.shape[0]; n += 2) {
      parts.push(f(T.rows(x, n, n + 2)));
      yield;
    }
    const width = parts[0].shape[1], out = T.like(x, [x.shape[0], width]);
    parts.forEach((part, i) => out.data.set(part.data, 2 * i * width));
    return out;
  }

  function restart() {
    codes = [];
    pictures = new Map();
    queue.start(work);
  }

  const expected = (i, x) => S.expected(model, x, timeOf(i), settings);

  // The decoded codes at a step, and the decoded end that the network expects; undefined until they are computed.
  const picturesAt = (i) => pictures.get(i);

  function draw(ctx, width, height, colours) {
    const gap = 8, label = 22, size = (width - gap * (COUNT - 1)) / COUNT;
    const i = Math.min(position, codes.length - 1);
    ctx.font = "14px system-ui, sans-serif";
    ctx.textBaseline = "top";
    ctx.fillStyle = colours.text;
    ctx.fillText("Now, decoded", 0, 2);
    ctx.fillText("Expected end, from here", 0, label + size + 10);
    const found = picturesAt(i);
    drawn = found || drawn;                         // the last ones stay, pale, until the next are computed
    if (!drawn) return;
    ctx.globalAlpha = found ? 1 : 0.4;
    const { now, end } = drawn;
    for (let n = 0; n < COUNT; n++) {
      const left = n * (size + gap);
      for (const [x, top] of [[now, label], [end, 2 * label + size + 10]]) {
        scratchgen.canvas.picture(ctx, x.data.subarray(784 * n, 784 * (n + 1)), 28, left, top, size, colours, true);
      }
    }
    ctx.globalAlpha = 1;
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
