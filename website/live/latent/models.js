// The models of the latent explorer: what scratchgen.load(...) computes in Python, in the browser.
"use strict";

(() => {
  const T = scratchgen.tensor, { forward } = scratchgen.network, data = scratchgen.data;
  const CLASSES = 10;

  const rows = (values) => T.tensor([1, values.length], Float32Array.from(values));

  // [z, onehot(y)] for all rows of z.                                                    (CVAE.1), (CGAN.1)
  function withLabel(z, labels) {
    const onehot = T.zeros([z.shape[0], CLASSES]);
    labels.forEach((y, n) => { onehot.data[n * CLASSES + y] = 1; });
    return T.concatenate(z, onehot);
  }

  // ---- the VAE with codes of two numbers

  function posterior(x) {                                       // (N, 784) -> mu and std, (N, 2) each
    const heads = forward(data("plane").encoder, x), width = heads.shape[1] / 2;
    const logvar = T.columns(heads, width, 2 * width);
    return { mu: T.columns(heads, 0, width), std: T.map(logvar, (v) => Math.exp(v / 2)) };
  }
  const decodePlane = (z) => T.sigmoid(forward(data("plane").decoder, z));

  // ---- the autoencoder, and the flow of its codes

  const encode = (x) => forward(data("coder").encoder, x);
  const decode = (code) => forward(data("coder").decoder, code);

  function parts(h, keeps) {                                    // the half that a coupling keeps, and the other
    const width = h.shape[1], half = width - Math.floor(width / 2);
    const first = T.columns(h, 0, half), second = T.columns(h, half, width);
    return keeps === "first" ? [first, second] : [second, first];
  }
  const joined = (kept, moved, keeps) => keeps === "first" ? T.concatenate(kept, moved) : T.concatenate(moved, kept);

  function shiftAndLogScale({ net, bound }, kept, width) {
    const h = forward(net, kept);
    return [T.columns(h, 0, width), T.map(T.columns(h, width, 2 * width), (r) => bound * Math.tanh(r / bound))];
  }

  function flowForward(code) {                                  // (SCALE.1), then (RNVP.1), (RNVP.2)
    const [{ scale }, ...couplings] = data("flow");
    let h = T.like(code);
    for (let i = 0; i < h.data.length; i++) h.data[i] = code.data[i] * scale.data[i % scale.data.length];
    for (const layer of couplings) {
      const [kept, moved] = parts(h, layer.keeps), [shift, logScale] = shiftAndLogScale(layer, kept, moved.shape[1]);
      h = joined(kept, T.add(T.multiply(moved, T.map(logScale, Math.exp)), shift), layer.keeps);
    }
    return h;
  }

  function flowInverse(z) {                                     // (RNVP.3), then (SCALE.2)
    const [{ scale }, ...couplings] = data("flow");
    let h = z;
    for (const layer of [...couplings].reverse()) {
      const [kept, moved] = parts(h, layer.keeps), [shift, logScale] = shiftAndLogScale(layer, kept, moved.shape[1]);
      h = joined(kept, T.multiply(T.subtract(moved, shift), T.map(logScale, (s) => Math.exp(-s))), layer.keeps);
    }
    const code = T.like(h);
    for (let i = 0; i < h.data.length; i++) code.data[i] = h.data[i] / scale.data[i % scale.data.length];
    return code;
  }

  // ---- the generators behind the sliders: z (N, K) and labels -> pictures (N, 784)

  const GENERATORS = {
    vae: { title: "VAE", labelled: false, decode: (z) => T.sigmoid(forward(data("vae"), z)) },
    cvae: {
      title: "Conditional VAE", labelled: true,
      decode: (z, y) => T.sigmoid(forward(data("cvae"), withLabel(z, y))),
    },
    gan: { title: "Conditional GAN", labelled: true, decode: (z, y) => forward(data("gan"), withLabel(z, y)) },
    flow: { title: "Flow", labelled: false, decode: (z) => decode(flowInverse(z)) },
  };

  // The probability of each digit, (N, 10).
  const classify = (x) => T.softmax(forward(data("classifier"), x));

  // ---- a drawing as a digit of MNIST: scaled to 20 × 20, then the centre of mass to the middle of 28 × 28

  // values : intensities of a drawing, row by row. Returns 784 intensities, or null for an empty drawing.
  function centred(values, width, height) {
    let left = width, right = -1, top = height, bottom = -1;
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
      if (values[y * width + x] <= 0) continue;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
    }
    if (right < 0) return null;
    const w = right - left + 1, h = bottom - top + 1, scale = 20 / Math.max(w, h);
    const columns = Math.max(Math.round(w * scale), 1), lines = Math.max(Math.round(h * scale), 1);
    const small = averaged(values, width, { left, top, w, h }, columns, lines);
    let mass = 0, cx = 0, cy = 0;
    small.forEach((v, i) => { mass += v; cx += v * (i % columns); cy += v * Math.floor(i / columns); });
    const dx = Math.round(14 - cx / mass), dy = Math.round(14 - cy / mass), out = new Float32Array(784);
    small.forEach((v, i) => {
      const x = (i % columns) + dx, y = Math.floor(i / columns) + dy;
      if (x >= 0 && x < 28 && y >= 0 && y < 28) out[28 * y + x] = Math.min(v, 1);
    });
    return out;
  }

  // The means of a rectangle over columns × lines cells, in which border pixels count by their share.
  function averaged(values, width, { left, top, w, h }, columns, lines) {
    const shares = (start, stop) => {
      const found = [];
      for (let i = Math.floor(start); i < stop; i++) found.push([i, Math.min(i + 1, stop) - Math.max(i, start)]);
      return found;
    };
    const xs = Array.from({ length: columns }, (_, i) => shares(i * w / columns, (i + 1) * w / columns));
    const ys = Array.from({ length: lines }, (_, j) => shares(j * h / lines, (j + 1) * h / lines));
    const area = w / columns * h / lines, out = new Float32Array(columns * lines);
    ys.forEach((inY, j) => xs.forEach((inX, i) => {
      let sum = 0;
      for (const [y, sy] of inY) for (const [x, sx] of inX) {
        if (left + x < width && y < h) sum += sy * sx * (values[(top + y) * width + left + x] ?? 0);
      }
      out[j * columns + i] = sum / area;
    }));
    return out;
  }

  scratchgen.latent = {
    rows, posterior, decodePlane, encode, decode, flowForward, flowInverse, classify, centred, GENERATORS, CLASSES,
  };

  // ---- for tests
  scratchgen.check("latent.posterior", ({ x }) => posterior(x));
  scratchgen.check("latent.plane", ({ z }) => decodePlane(z));
  scratchgen.check("latent.encode", ({ x }) => encode(x));
  scratchgen.check("latent.decode", ({ z }) => decode(z));
  scratchgen.check("latent.flow", ({ x }) => ({ z: flowForward(x), back: flowInverse(flowForward(x)) }));
  scratchgen.check("latent.generate", ({ name, z, labels }) =>
    GENERATORS[name].decode(z, labels ? [...labels.data] : null));
  scratchgen.check("latent.classify", ({ x }) => classify(x));
  scratchgen.check("latent.centred", ({ picture }) => centred(picture.data, picture.shape[1], picture.shape[0]));
})();
