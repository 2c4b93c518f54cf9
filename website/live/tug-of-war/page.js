// The recorded runs: which one, which snapshot, which dimensions, which digit.
"use strict";

(async () => {
  const { slider, choice, select, button, element } = scratchgen.controls;
  const D = scratchgen.drawings, $ = (id) => document.getElementById(id);
  const steps = Array.from(scratchgen.data("steps").data), labels = Array.from(scratchgen.data("labels").data);
  const runs = scratchgen.data("runs"), last = steps.length - 1, BETAS = ["0.2", "1", "5"], CODES = ["2", "10"];
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const state = { code: "10", beta: "1", index: last, chosen: 0, across: 0, up: 1, playing: false };
  const key = (beta = state.beta) => `${state.code}-${beta}`;
  const run = () => runs[key()], dims = () => Number(state.code);

  const originals = await scratchgen.sprites(scratchgen.data("shown"));
  const sprites = Object.fromEntries(await Promise.all(
    Object.entries(runs).map(async ([name, r]) => [name, await scratchgen.sprites(r.pictures)])));

  // Numbers of the snapshot

  const row = (array, width) => Array.from(array.data.subarray(state.index * width, (state.index + 1) * width));
  const dimensions = () => row(run().kl_dims, dims());

  function posterior(n) {
    const k = dims(), start = (state.index * labels.length + n) * k;
    const mu = Array.from(run().mu.data.subarray(start, start + k));
    const logvar = Array.from(run().logvar.data.subarray(start, start + k));
    return { mu, logvar, std: logvar.map((l) => Math.exp(0.5 * l)),                                  // (NORM.1)
             kl: mu.map((m, i) => 0.5 * (m * m + Math.max(Math.expm1(logvar[i]) - logvar[i], 0))) }; // (NORM.5)
  }

  const ellipse = (n) => {
    const { mu, std } = posterior(n), { across, up } = state;
    return [mu[across], mu[up], std[across], std[up]];
  };

  const used = () => dimensions().filter((v) => v > 0.1).length;
  const signed = (v) => v.toFixed(2).replace("-", "−");
  const nats = (v) => (v < 10 ? v.toFixed(2) : v.toFixed(1));

  // Drawings

  const surfaces = {
    terms: [0.85, (...at) => D.terms(...at, {
      steps, run: run(), index: state.index, others: BETAS.filter((b) => b !== state.beta).map((b) => runs[key(b)]),
    })],
    pull: [(width) => 76 / width, (...at) => D.pull(...at, { run: run(), index: state.index })],
    bars: [(width) => 170 / width, (...at) => D.bars(...at, { dims: dimensions(), one: posterior(state.chosen).kl })],
    plane: [1, (...at) => D.plane(...at, {
      ellipses: labels.map((_, n) => ellipse(n)), labels, chosen: state.chosen, edge: edge(),
    })],
    pictures: [D.picturesRatio, (...at) => D.pictures(...at, picturesNow())],
  };
  const views = Object.entries(surfaces).map(([id, [ratio, draw]]) => scratchgen.canvas.surface($(id), { ratio, draw }));

  // Half the width of the plane: far enough for all posteriors of this step, in all dimensions.
  function edge() {
    const mu = run().mu.data, block = labels.length * dims(), start = state.index * block;
    let largest = 3;
    for (let i = start; i < start + block; i++) largest = Math.max(largest, Math.abs(mu[i]));
    return 1.08 * largest;
  }

  function picturesNow() {
    const sprite = sprites[key()], columns = [0, 1, 2, 3, 4, 5];
    return [["Test digits", columns.map((c) => originals.at(0, c))],
            ["Reconstructions", columns.map((c) => sprite.at(state.index, c))],
            ["From the prior, the same six codes", columns.map((c) => sprite.at(state.index, 6 + c))]];
  }

  function refresh() {
    for (const view of views) view.redraw();
    const { nll, kl, pulls } = run(), i = state.index, [decoder, toPrior] = [pulls.data[2 * i], pulls.data[2 * i + 1]];
    const beta = Number(state.beta), loss = nll.data[i] + beta * kl.data[i];
    $("text").textContent = `Step ${steps[i].toLocaleString("en")} of ${steps[last].toLocaleString("en")}: reconstruction error `
      + `${nats(nll.data[i])} + beta ${state.beta} · KL ${nats(kl.data[i])} = loss ${nats(loss)} nats. `
      + `${used()} of ${state.code} dimensions have a KL above 0.1.`;
    const side = (v) => `${Math.abs(v).toFixed(2)} for ${v >= 0 ? "less" : "more"} noise`;
    $("pull-text").textContent = `Decoder: ${side(decoder)}. KL: ${side(toPrior)}.`;
    $("bars-text").textContent = `Bars: mean of 1,000 digits, in nats: ${dimensions().map((v, k) => `${k + 1}: ${v.toFixed(2)}`).join(", ")}. `
      + `Lines: the chosen digit.`;
    const p = posterior(state.chosen), sum = p.kl.reduce((a, b) => a + b, 0), at = [state.across, state.up];
    $("plane-text").textContent = `Chosen: a ${labels[state.chosen]}. Mean (${at.map((k) => signed(p.mu[k])).join(", ")}), `
      + `standard deviation (${at.map((k) => p.std[k].toFixed(2)).join(", ")}), KL ${sum.toFixed(2)} nats.`;
    $("pictures-text").textContent = `Reconstructions are decoded from the mean of the posterior. Pictures from the prior are `
      + `decoded from codes that were drawn once from N(0, I).`;
    scratchgen.say($("text").textContent);
  }

  // Controls

  function chooseAxes() {                             // the two dimensions with the largest KL at the end
    const k = dims(), final = Array.from(run().kl_dims.data.subarray(last * k, (last + 1) * k));
    const order = final.map((v, i) => [v, i]).sort((a, b) => b[0] - a[0]).map(([, i]) => i);
    [state.across, state.up] = [Math.min(order[0], order[1]), Math.max(order[0], order[1])];
    const box = $("axes");
    box.replaceChildren();
    if (k === 2) return;
    const options = Array.from({ length: k }, (_, i) => [i, `dimension ${i + 1}`]);
    const axis = (label, mine, other) => select(box, { label, options, value: state[mine], onInput(v) {
      if (Number(v) === state[other]) state[other] = state[mine];         // exchange the two
      state[mine] = Number(v);
      across.set(state.across);
      up.set(state.up);
      refresh();
    } });
    const across = axis("Across", "across", "up"), up = axis("Up", "up", "across");
  }

  function named(title, label, options, value, onInput) {
    const box = element("div", { class: "named" }, element("span", {}, title));
    $("choices").append(box);
    choice(box, { label, options: options.map((v) => [v, v]), value, onInput });
  }
  named("beta", "Weight of the KL", BETAS, state.beta, (beta) => { state.beta = beta; refresh(); });
  named("numbers in a code", "Width of the code", CODES, state.code, (code) => { state.code = code; chooseAxes(); refresh(); });

  const time = slider($("time"), {
    label: "Training step", min: 0, max: last, step: 1, value: state.index,
    show: (i) => steps[i].toLocaleString("en"), onInput: (i) => { stop(); move(i); },
  });
  const play = button($("buttons"), { label: "Play", main: true, onClick: () => (state.playing ? stop() : start()) });
  let request = 0;
  function move(i) { state.index = i; time.set(i); refresh(); }
  function stop() { state.playing = false; play.textContent = "Play"; cancelAnimationFrame(request); }
  function start() {
    state.playing = true;
    play.textContent = "Pause";
    if (state.index === last) move(0);
    let before = performance.now();
    const frame = (now) => {
      if (now - before >= 200) { before = now; move(state.index + 1); }
      if (state.index === last) stop(); else request = requestAnimationFrame(frame);
    };
    cancelAnimationFrame(request);
    request = requestAnimationFrame(frame);
  }

  scratchgen.canvas.pointer($("plane"), {
    onMove(x, y) {
      const axes = D.planeAxes($("plane").clientWidth, $("plane").clientHeight, edge());
      const distance = (n) => { const [ex, ey] = ellipse(n); return Math.hypot(axes.x(ex) - x, axes.y(ey) - y); };
      state.chosen = labels.reduce((best, _, n) => (distance(n) < distance(best) ? n : best), 0);
      refresh();
    },
    onKey(dx, dy) {
      state.chosen = (state.chosen + dx + dy + labels.length) % labels.length;
      refresh();
    },
  });

  scratchgen.check("snapshot", ({ code, beta, index, n }) => {
    stop();
    Object.assign(state, { code: String(code), beta: String(beta) });
    chooseAxes();
    move(index);
    const p = posterior(n), floats = (values) => Float64Array.from(values);
    return { mu: floats(p.mu), std: floats(p.std), kl: floats(p.kl), dims: floats(dimensions()),
             pictures: picturesNow().map(([, pictures]) => pictures) };
  });
  scratchgen.check("chosen", () => ({ chosen: state.chosen, ellipse: Float64Array.from(ellipse(state.chosen)) }));
  chooseAxes();
  move(still ? last : 0);
  if (!still) start();
})();
