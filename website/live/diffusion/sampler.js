// The samplers of scratchgen/models/diffusion: a diffusion that predicts v, and flow matching.
//
//   const f = scratchgen.sampler.network(net, x, t, label);                one time and one class for all rows
//   const {x0, eps} = scratchgen.sampler.denoise(model, x, t);             model: the page's data of a diffusion
//   const next = scratchgen.sampler.ddim(model, x, t, u, eta, noise);
//   const next = scratchgen.sampler.flowStep(model, x, t, h, {label, guidance, method});
"use strict";

(() => {
  const T = scratchgen.tensor, { forward, condition } = scratchgen.network;

  // A row (1, C) or (C,) added to each row of x.
  function addRow(x, row) {
    const c = row.data.length, out = T.like(x);
    for (let i = 0; i < out.data.length; i++) out.data[i] = x.data[i] + row.data[i % c];
    return out;
  }

  // What each block adds for a time and a class. It is the same for all rows, and is kept for the next call.
  const kept = new WeakMap(), MANY = 1000;
  function shifts(net, t, label) {
    if (!kept.has(net) || kept.get(net).size > MANY) kept.set(net, new Map());
    const known = kept.get(net), key = `${t} ${label}`;
    if (!known.has(key)) {
      const e = condition(net.condition, T.tensor([1], [t]), label === null ? null : [label]);
      known.set(key, net.blocks.map((block) => forward(block.shift, e)));
    }
    return known.get(key);
  }

  // f(x, t, y), as residualNet of network.js.
  function network(net, x, t, label = null) {                                                       // (RESNET.1)
    const rows = shifts(net, t, label);
    let h = forward(net.first, x);
    net.blocks.forEach((block, i) => {
      h = T.add(h, forward(block.second, addRow(forward(block.first, h), rows[i])));
    });
    return forward(net.last, h);
  }

  // f(x, t) + (1 + w)·(f(x, t, y) − f(x, t))                                                       (GUIDE.1)
  function guided(net, x, t, label, guidance) {
    const f = network(net, x, t, label);
    if (!guidance || label === null) return f;
    return T.zip(network(net, x, t), f, (free, given) => free + (1 + guidance) * (given - free));
  }

  const perColumn = (x, row, f) => {
    const c = row.data.length, out = T.like(x);
    for (let i = 0; i < out.data.length; i++) out.data[i] = f(x.data[i], row.data[i % c]);
    return out;
  };
  const scaled = (model, x) => perColumn(perColumn(x, model.shift, (v, m) => v - m), model.scale, (v, s) => v / s);
  const unscaled = (model, x) => perColumn(perColumn(x, model.scale, (v, s) => v * s), model.shift, (v, m) => v + m);

  const a = (model, t) => Math.sqrt(model.alpha_bar.data[t]);
  const s = (model, t) => Math.sqrt(1 - model.alpha_bar.data[t]);

  // x_t of a step t, from data x0 and noise eps.                                                     (SCHED.2)
  const noised = (model, x0, eps, t) => {
    const at = a(model, t), st = s(model, t);
    return T.zip(x0, eps, (x, e) => at * x + st * e);
  };

  const velocity = (model, x, t) => network(model.net, x, t / model.steps);

  // The data and the noise that the network sees in x at step t, with x0 within the range of the data.
  function denoise(model, x, t) {
    const at = a(model, t), st = s(model, t), v = velocity(model, x, t);
    let x0 = T.zip(x, v, (xi, vi) => at * xi - st * vi);                                              // (PRED.3)
    x0 = perColumn(perColumn(x0, model.low, Math.max), model.high, Math.min);
    return { x0, eps: T.zip(x, x0, (xi, x0i) => (xi - at * x0i) / st) };                              // (PRED.2)
  }

  // The score −x − (a/s)·v.                                                                          (SCORE.3)
  function score(model, x, t) {
    const ratio = a(model, t) / s(model, t);
    return T.zip(x, velocity(model, x, t), (xi, vi) => -xi - ratio * vi);
  }

  // x_u from x_t. eta : the share of fresh noise; noise is not read where none is added.
  function ddim(model, x, t, u, eta, noise) {                                                       // (DIFF.8)
    const { x0, eps } = denoise(model, x, t), bar = model.alpha_bar.data;
    const restT = 1 - bar[t], restU = 1 - bar[u], added = 1 - bar[t] / bar[u];
    const sigma = u > 0 ? eta * Math.sqrt(restU / restT * added) : 0;                                 // (DIFF.9)
    const au = a(model, u), su = Math.sqrt(Math.max(restU - sigma * sigma, 0));
    const next = T.zip(x0, eps, (x0i, e) => au * x0i + su * e);
    return sigma === 0 ? next : T.zip(next, noise, (xi, n) => xi + sigma * n);
  }

  // As round() of Python: halves go to the even number.
  function roundHalfEven(value) {
    const below = Math.floor(value), rest = value - below;
    if (rest !== 0.5) return Math.round(value);
    return below % 2 === 0 ? below : below + 1;
  }

  // The steps that a sampler visits, from T down to 0.
  const visited = (model, steps) =>
    Array.from({ length: steps + 1 }, (_, i) => roundHalfEven(model.steps * (1 - i / steps)));

  // One step of a solver of dx/dt = f(x, t), of length h.
  function flowStep(model, x, t, h, { label = null, guidance = 0, method = "heun" } = {}) {
    const f = (state, time) => guided(model.net, state, time, label, guidance);
    const move = (state, step, slope) => T.zip(state, slope, (xi, k) => xi + step * k);
    const k1 = f(x, t);
    if (method === "euler") return move(x, h, k1);                                                    // (ODE.1)
    const k2 = f(move(x, h, k1), t + h);
    return move(move(x, h / 2, k1), h / 2, k2);                                                       // (ODE.2)
  }

  // Where the straight line from x_t along the velocity ends: the expected data, x_t + (1 − t)·v.
  const expected = (model, x, t, { label = null, guidance = 0 } = {}) =>
    T.zip(x, guided(model.net, x, t, label, guidance), (xi, v) => xi + (1 - t) * v);

  scratchgen.sampler = {
    network, guided, scaled, unscaled, a, s, noised, denoise, score, ddim, visited, flowStep, expected,
  };
})();
