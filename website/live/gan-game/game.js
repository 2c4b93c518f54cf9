// A GAN on a line in double precision, as in scratchgen/studies/experiments/gan_on_a_line.py: G is 1-16-16-1 and
// D is 1-32-32-1, with tanh between the layers. Equation numbers are those of docs/gan.md.
"use strict";

(() => {
  const G_SIZES = [1, 16, 16, 1], D_SIZES = [1, 32, 32, 1];
  const BETAS = [0.5, 0.999], EPS = 1e-8, CLIP = 0.1;

  const sigmoid = scratchgen.tensor.scalar.sigmoid, softplus = scratchgen.tensor.scalar.softplus;

  // ---- networks: parameters in one array, in the order weight, bias, weight, bias, ...

  function network(sizes) {
    const layers = [];
    let size = 0;
    for (let i = 0; i + 1 < sizes.length; i++) {
      layers.push({ fanIn: sizes[i], fanOut: sizes[i + 1], start: size });
      size += (sizes[i] + 1) * sizes[i + 1];
    }
    const array = () => new Float64Array(size);
    return { layers, values: array(), grads: array(), m: array(), v: array(), steps: 0 };
  }

  function initialise(net, rng) {             // Glorot & Bengio 2010: uniform weights, biases 0
    for (const { fanIn, fanOut, start } of net.layers) {
      const bound = Math.sqrt(6 / (fanIn + fanOut)), count = fanIn * fanOut;
      for (let i = 0; i < count; i++) net.values[start + i] = bound * (2 * rng.uniform() - 1);
      net.values.fill(0, start + count, start + count + fanOut);
    }
    for (const state of [net.grads, net.m, net.v]) state.fill(0);
    net.steps = 0;
  }

  // x (n, 1) -> [x, h1, h2, out], of which h1 and h2 are after tanh.
  function forward(net, x) {
    const n = x.length, results = [x];
    net.layers.forEach(({ fanIn, fanOut, start }, index) => {
      const input = results[index], out = new Float64Array(n * fanOut), bias = start + fanIn * fanOut;
      const last = index === net.layers.length - 1, values = net.values;
      for (let i = 0; i < n; i++) {
        const to = i * fanOut;
        for (let j = 0; j < fanOut; j++) out[to + j] = values[bias + j];
        for (let k = 0; k < fanIn; k++) {
          const value = input[i * fanIn + k], row = start + k * fanOut;
          for (let j = 0; j < fanOut; j++) out[to + j] += value * values[row + j];      // (LIN.1)
        }
      }
      if (!last) for (let i = 0; i < out.length; i++) out[i] = Math.tanh(out[i]);        // (TANH.1)
      results.push(out);
    });
    return results;
  }

  // Adds the gradients of the parameters unless `frozen`; returns dx (n, 1) if `wanted`.
  function backward(net, results, dout, { frozen = false, wanted = false } = {}) {
    const n = results[0].length;
    for (let index = net.layers.length - 1; index >= 0; index--) {
      const { fanIn, fanOut, start } = net.layers[index], input = results[index], bias = start + fanIn * fanOut;
      const { values, grads } = net, needed = index > 0 || wanted, dx = needed ? new Float64Array(n * fanIn) : null;
      for (let i = 0; i < n; i++) {
        const from = i * fanOut;
        if (!frozen) for (let j = 0; j < fanOut; j++) grads[bias + j] += dout[from + j];          // (LIN.3)
        for (let k = 0; k < fanIn; k++) {
          const value = input[i * fanIn + k], row = start + k * fanOut;
          if (!frozen) for (let j = 0; j < fanOut; j++) grads[row + j] += value * dout[from + j];  // (LIN.2)
          if (!needed) continue;
          let sum = 0;
          for (let j = 0; j < fanOut; j++) sum += dout[from + j] * values[row + j];               // (LIN.4)
          dx[i * fanIn + k] = index > 0 ? sum * (1 - value * value) : sum;                        // (TANH.2)
        }
      }
      dout = dx;
    }
    return dout;
  }

  // One update of Adam, or of plain gradient descent; returns the norm of the gradient, and sets the gradients to zero.
  function update(net, lr, optimizer = "adam") {
    const { values, grads, m, v } = net, [b1, b2] = BETAS, t = ++net.steps;
    let norm = 0;
    for (let i = 0; i < values.length; i++) {
      const g = grads[i];
      norm += g * g;
      grads[i] = 0;
      if (optimizer === "sgd") {
        values[i] -= lr * g;                                                                       // (SGD.1)
        continue;
      }
      m[i] = b1 * m[i] + (1 - b1) * g;                                                             // (ADAM.1)
      v[i] = b2 * v[i] + (1 - b2) * g * g;                                                         // (ADAM.2)
      values[i] -= lr * (m[i] / (1 - b1 ** t)) / (Math.sqrt(v[i] / (1 - b2 ** t)) + EPS);          // (ADAM.3)
    }
    return Math.sqrt(norm);
  }

  // ---- objectives: for one output l of D, [loss, dloss/dl], before the mean over the examples

  const real = (l) => [softplus(-l), sigmoid(l) - 1], fake = (l) => [softplus(l), sigmoid(l)];     // (GAN.2, GAN.3)
  const OBJECTIVES = {
    "non-saturating": { real, fake, generator: (l) => [softplus(-l), sigmoid(l) - 1] },            // (GAN.5)
    minimax: { real, fake, generator: (l) => [-softplus(l), -sigmoid(l)] },                        // (GAN.4)
    "least-squares": {
      real: (l) => [(l - 1) ** 2 / 2, l - 1],                                                      // (LSGAN.1)
      fake: (l) => [l * l / 2, l],                                                                 // (LSGAN.2)
      generator: (l) => [(l - 1) ** 2 / 2, l - 1],                                                 // (LSGAN.3)
    },
    wasserstein: { real: (l) => [-l, -1], fake: (l) => [l, 1], generator: (l) => [-l, -1] },       // (WGAN.2, WGAN.3)
  };

  // The mean loss of outputs l, and its gradient.
  function lossOf(rule, l) {
    const dl = new Float64Array(l.length);
    let loss = 0;
    for (let i = 0; i < l.length; i++) {
      const [value, slope] = rule(l[i]);
      loss += value / l.length;
      dl[i] = slope / l.length;
    }
    return [loss, dl];
  }

  const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

  // ---- the game

  // settings : {objective, k, lr, discriminatorLr, optimizer, data, batch}; data is [[weight, mean, std], ...], and
  //            the optimizer of G is "adam" or "sgd"
  function create(settings, seed) {
    const game = {
      settings: { batch: 128, ...settings }, generator: network(G_SIZES), discriminator: network(D_SIZES),
    };
    game.reset = (newSeed) => {
      game.rng = scratchgen.random(newSeed);
      initialise(game.generator, game.rng);
      initialise(game.discriminator, game.rng);
      game.round = 0;
      game.last = { loss: NaN, dReal: NaN, dFake: NaN, generatorLoss: NaN, generatorGrad: NaN };
    };

    game.noise = () => Float64Array.from({ length: game.settings.batch }, game.rng.normal);
    game.examples = () => Float64Array.from({ length: game.settings.batch }, () => {
      let u = game.rng.uniform(), i = 0;
      const { data } = game.settings;
      while (i + 1 < data.length && u >= data[i][0]) u -= data[i++][0];
      return data[i][1] + data[i][2] * game.rng.normal();
    });

    game.output = (l) => game.isProbability() ? mean(l.map(sigmoid)) : mean(l);
    game.isProbability = () => ["non-saturating", "minimax"].includes(game.settings.objective);

    game.discriminatorStep = (x, z) => {
      const { discriminator } = game, rule = OBJECTIVES[game.settings.objective];
      const generated = forward(game.generator, z).at(-1);
      const onReal = forward(discriminator, x), onFake = forward(discriminator, generated);
      const [lossReal, dReal] = lossOf(rule.real, onReal.at(-1)), [lossFake, dFake] = lossOf(rule.fake, onFake.at(-1));
      backward(discriminator, onFake, dFake);
      backward(discriminator, onReal, dReal);
      const grad = update(discriminator, game.settings.discriminatorLr);
      if (game.settings.objective === "wasserstein") {                                             // (WGAN.4)
        const { values } = discriminator;
        for (let i = 0; i < values.length; i++) values[i] = Math.min(Math.max(values[i], -CLIP), CLIP);
      }
      return {
        loss: lossReal + lossFake, discriminatorGrad: grad,
        dReal: game.output(onReal.at(-1)), dFake: game.output(onFake.at(-1)),
      };
    };

    game.generatorStep = (z) => {
      const { generator, discriminator } = game, rule = OBJECTIVES[game.settings.objective];
      const made = forward(generator, z), onFake = forward(discriminator, made.at(-1));
      const [loss, dl] = lossOf(rule.generator, onFake.at(-1));
      const dx = backward(discriminator, onFake, dl, { frozen: true, wanted: true });              // (GAN.6)
      backward(generator, made, dx);
      return { generatorLoss: loss, generatorGrad: update(generator, game.settings.lr, game.settings.optimizer) };
    };

    // k steps of D and one of G, each on new examples; or steps of one of the two.
    game.play = (who = "both") => {
      const found = {};
      if (who !== "generator") {
        for (let i = 0; i < (who === "both" ? game.settings.k : 1); i++) {
          Object.assign(found, game.discriminatorStep(game.examples(), game.noise()));
        }
      }
      if (who !== "discriminator") Object.assign(found, game.generatorStep(game.noise()));
      game.round += 1;
      Object.assign(game.last, found);
    };

    // By how much a step against the gradient of G's loss moves each generated number x.                 (GAN.6)
    game.forces = (x) => {
      const onFake = forward(game.discriminator, x), dl = new Float64Array(x.length);
      const rule = OBJECTIVES[game.settings.objective].generator;
      onFake.at(-1).forEach((l, i) => { dl[i] = rule(l)[1]; });
      return backward(game.discriminator, onFake, dl, { frozen: true, wanted: true }).map((v) => -v);
    };

    game.scores = (x) => forward(game.discriminator, x).at(-1);
    game.images = (z) => forward(game.generator, z).at(-1);
    game.reset(seed);
    return game;
  }

  // ---- densities on a grid of bins

  const normalCdf = (z) => {                  // Abramowitz & Stegun 7.1.26, errors below 1e-7
    const t = 1 / (1 + 0.3275911 * Math.abs(z) / Math.SQRT2);
    const poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
    const half = 0.5 * poly * Math.exp(-z * z / 2);
    return z < 0 ? half : 1 - half;
  };

  // low ... high in `bins` bins, and z from -5 to 5 in `slices` slices with the probability of each.
  function grid(low, high, bins, slices) {
    const width = (high - low) / bins;
    const z = Float64Array.from({ length: slices + 1 }, (_, i) => -5 + 10 * i / slices);
    const mass = Float64Array.from({ length: slices }, (_, i) => normalCdf(z[i + 1]) - normalCdf(z[i]));
    const x = Float64Array.from({ length: bins }, (_, i) => low + (i + 0.5) * width);
    return { low, high, bins, width, x, z, mass };
  }

  const density = (at, data) => at.x.map((x) => data.reduce(
    (sum, [weight, m, s]) => sum + weight * Math.exp(-0.5 * ((x - m) / s) ** 2) / (s * Math.sqrt(2 * Math.PI)), 0));

  // The density of G(z) in each bin: every slice of z spreads its probability evenly between the images of its ends.
  function generatedDensity(at, ends) {
    const q = new Float64Array(at.bins);
    for (let i = 0; i < at.mass.length; i++) {
      const a = Math.min(ends[i], ends[i + 1]), length = Math.max(Math.abs(ends[i + 1] - ends[i]), 1e-9);
      const first = Math.max(Math.floor((a - at.low) / at.width), 0);
      const last = Math.min(Math.floor((a + length - at.low) / at.width), at.bins - 1);
      for (let bin = first; bin <= last; bin++) {
        const left = at.low + bin * at.width;
        const covered = Math.min(a + length, left + at.width) - Math.max(a, left);
        if (covered > 0) q[bin] += at.mass[i] * covered / length / at.width;
      }
    }
    return q;
  }

  const plogp = (d, total) => d > 0 ? d * Math.log(d / total) : 0;
  function jensenShannon(at, p, q) {
    let sum = 0;
    for (let i = 0; i < p.length; i++) {
      const middle = (p[i] + q[i]) / 2;
      sum += plogp(p[i], middle) + plogp(q[i], middle);
    }
    return sum * at.width / 2;
  }

  scratchgen.ganGame = { create, grid, density, generatedDensity, jensenShannon, sigmoid, mean, OBJECTIVES, CLIP };

  // ---- for tests: values of both networks as flat lists, batches, and one step of each player

  scratchgen.check("gan.steps", ({ generator, discriminator, x, z, zGenerator, settings }) => {
    const game = create({ ...settings, data: [[1, 0, 1]] }, 0);
    game.generator.values.set(generator.data);
    game.discriminator.values.set(discriminator.data);
    const ofD = game.discriminatorStep(x.data, z.data), ofG = game.generatorStep(zGenerator.data);
    return { ...ofD, ...ofG, generator: game.generator.values, discriminator: game.discriminator.values };
  });
  scratchgen.check("gan.density", ({ ends, low, high, bins, slices, data }) => {
    const at = grid(low, high, bins, slices), p = density(at, scratchgen.tensor.nested(data));
    const q = generatedDensity(at, ends.data);
    return { p, q, jsd: jensenShannon(at, p, q), mass: at.mass };
  });
})();
