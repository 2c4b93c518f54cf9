// Controls of both parts of the page, and the animation of the time.
"use strict";

(() => {
  const { slider, checkbox, choice, select, button, element } = scratchgen.controls;
  const T = scratchgen.tensor, S = scratchgen.sampler, $ = (id) => document.getElementById(id);
  const moonsModel = scratchgen.data("moons"), codesModel = scratchgen.data("codes");
  const decoder = scratchgen.data("decoder"), points = scratchgen.data("points");
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;

  // A slider of the time with a button that plays it. length() : the last position;  seconds for all of it
  function player({ box, buttons, label, length, step, seconds, move, show }) {
    let playing = false, before = 0, position = 0, full = length(), request = 0;
    const time = slider(box, { label, min: 0, max: full, step, value: 0, show, onInput(v) { stop(); go(v); } });
    const play = button(buttons, { label: "Play", main: true, onClick: () => (playing ? stop() : start()) });

    function go(p) { position = p; time.set(step === 1 ? Math.round(p) : p); move(position); }
    function stop() { playing = false; cancelAnimationFrame(request); play.textContent = "Play"; }
    function start() {
      if (position >= length()) go(0);
      playing = true;
      play.textContent = "Pause";
      before = performance.now();
      cancelAnimationFrame(request);
      request = requestAnimationFrame(frame);
    }
    function frame(now) {
      const next = position + Math.min(now - before, 100) / 1000 * length() / seconds;
      before = now;
      go(Math.min(next, length(), api.limit()));
      if (position >= length()) stop(); else request = requestAnimationFrame(frame);
    }
    const api = {
      start, stop, go, limit: () => Infinity,
      get position() { return position; },
      resize() {                        // at the same share of the new length
        const share = position / full;
        full = time.input.max = length();
        go(share * full);
      },
      refresh() { time.set(position); },
    };
    return api;
  }

  // Two moons

  const WORDS = {
    forward: "Noise is added to the data.",
    deterministic: "Noise is removed without randomness.",
    ancestral: "Noise is removed, with fresh noise in each step.",
  };
  const plane = scratchgen.plane($("moons"), { model: moonsModel, points, onProgress: () => describeMoons() });
  const moonsTime = player({
    box: $("moons-time"), buttons: $("moons-play"), label: "Time", step: "any", seconds: 4,
    length: () => plane.settings.steps,
    move: (p) => { plane.move(p); describeMoons(); },
    show: (p) => `step ${Number(p).toFixed(1)} of ${plane.settings.steps}`,
  });
  moonsTime.limit = () => Math.max(plane.known, 0);

  function describeMoons() {
    const t = plane.time, i = Math.round(t), known = plane.known, all = plane.settings.steps;
    const noise = S.s(moonsModel, Math.min(Math.max(i, 0), moonsModel.steps));
    const progress = known < all ? ` ${known} of ${all} steps are computed.` : "";
    const state = `t = ${t.toFixed(1)} of ${moonsModel.steps}: the points are `
      + `${Math.sqrt(1 - noise * noise).toFixed(2)} · data + ${noise.toFixed(2)} · noise.`;
    const shown = known < Math.floor(plane.position) ? "This step is not computed yet." : state;
    const text = `${WORDS[plane.settings.mode]} ${shown}${progress}`;
    $("moons-text").textContent = text;
    if (known >= all && Number.isInteger(plane.position)) scratchgen.say(text);
  }

  function changeMoons(changes) {
    moonsTime.stop();
    plane.change(changes);
    moonsTime.resize();
    describeMoons();
  }

  choice($("moons-mode"), {
    label: "Direction", value: plane.settings.mode,
    options: [["deterministic", "Sample, deterministic"], ["ancestral", "Sample, ancestral"], ["forward", "Add noise"]],
    onInput: (mode) => { changeMoons({ mode }); moonsTime.go(0); if (!still) moonsTime.start(); },
  });
  const moonsSettings = element("div", { class: "settings-row" });
  $("moons-settings").append(moonsSettings);
  slider(moonsSettings, { label: "Steps", min: 2, max: 200, step: 1, value: plane.settings.steps,
                          onInput: (steps) => changeMoons({ steps }) });
  checkbox(moonsSettings, { label: "Score arrows", value: true, onInput: (arrows) => plane.show({ arrows }) });
  checkbox(moonsSettings, { label: "Paths", value: true, onInput: (paths) => plane.show({ paths }) });
  button($("moons-play"), { label: "New noise", onClick: () => changeMoons({ seed: plane.settings.seed + 1 }) });

  // Digits

  const digits = scratchgen.digits($("digits"), { model: codesModel, decoder, onProgress: () => describeDigits() });
  const digitsTime = player({
    box: $("digits-time"), buttons: $("digits-play"), label: "Time", step: 1, seconds: 3,
    length: () => digits.settings.steps,
    move: (p) => { digits.move(Math.round(p)); describeDigits(); },
    show: (i) => `t = ${digits.timeOf(Number(i)).toFixed(2)}`,
  });
  digitsTime.limit = () => Math.max(digits.known, 0);

  function describeDigits() {
    const { label, guidance, steps } = digits.settings, i = Math.min(digits.position, digits.known);
    if (i < 0) return;
    const wanted = label === null ? "any digit" : `the digit ${label}, guidance ${guidance.toFixed(1)}`;
    const stage = i === 0 ? "The code is noise." : i === steps ? "The code is finished." : "The code is on its way.";
    const progress = digits.known < steps ? ` ${digits.known} of ${steps} steps are computed.` : "";
    let text = `Four codes, on the way to ${wanted}. Step ${i} of ${steps}. ${stage}${progress}`;
    const shown = digits.picturesAt(i), finished = digits.picturesAt(steps);
    if (!shown) text += " The pictures are still being computed.";
    if (shown && finished) {
      const far = (x) => T.mean(T.zip(x, finished.now, (p, q) => Math.abs(p - q))).toFixed(3);
      const { now, end: guess } = shown;
      text += ` Difference from the finished pictures, per pixel: ${far(now)} now, ${far(guess)} expected end.`;
      scratchgen.say(text);
    }
    $("digits-text").textContent = text;
  }

  function changeDigits(changes) {
    digitsTime.stop();
    digits.change(changes);
    digitsTime.resize();
  }

  $("digits-class").className = "classes";
  const classes = [...Array(codesModel.classes).keys()].map((k) => [k, String(k)]);
  choice($("digits-class"), { label: "Digit", options: [...classes, [null, "any"]], value: digits.settings.label,
                              onInput: (label) => changeDigits({ label }) });
  const digitsSettings = element("div", { class: "settings-row" });
  $("digits-settings").append(digitsSettings);
  slider(digitsSettings, { label: "Guidance w", min: -1, max: 6, step: 0.5, value: digits.settings.guidance,
                           show: (w) => w.toFixed(1), onInput: (guidance) => changeDigits({ guidance }) });
  slider(digitsSettings, { label: "Steps", min: 1, max: 50, step: 1, value: digits.settings.steps,
                           onInput: (steps) => changeDigits({ steps }) });
  select(digitsSettings, { label: "Solver", options: [["heun", "Heun"], ["euler", "Euler"]], value: "heun",
                           onInput: (method) => changeDigits({ method }) });
  button($("digits-play"), { label: "New noise", onClick: () => changeDigits({ seed: digits.settings.seed + 1 }) });

  // For tests: the samplers with given noise, and what is drawn.
  scratchgen.check("moons", ({ z, noise, steps, eta }) => {
    let x = z;
    const times = S.visited(moonsModel, steps), all = noise || { data: new Float32Array(0) }, n = z.data.length;
    for (let i = 0; i < steps; i++) {
      const fresh = T.tensor(z.shape, all.data.length ? all.data.subarray(i * n, (i + 1) * n) : new Float32Array(n));
      x = S.ddim(moonsModel, x, times[i], times[i + 1], eta, fresh);
    }
    return S.unscaled(moonsModel, x);
  });
  scratchgen.check("noised", ({ x0, eps, t }) => S.noised(moonsModel, x0, eps, t));
  scratchgen.check("score", ({ x, t }) => S.score(moonsModel, x, t));
  scratchgen.check("codes", ({ z, steps, label, guidance, method }) => {
    let x = z;
    for (let i = 0; i < steps; i++) x = S.flowStep(codesModel, x, i / steps, 1 / steps, { label, guidance, method });
    return S.unscaled(codesModel, x);
  });
  scratchgen.check("decode", ({ z }) => scratchgen.network.forward(decoder, z));
  scratchgen.check("plane", () => {
    plane.finish();
    return { path: plane.path, position: plane.position, time: plane.time, shown: plane.pointsAt(plane.position) };
  });
  scratchgen.check("digits", () => {
    digits.finish();
    return { codes: digits.codes, position: digits.position, pictures: digits.picturesAt(digits.position) };
  });

  changeMoons({});
  digits.change({});
  digitsTime.go(digits.settings.steps);
  if (still) moonsTime.go(plane.settings.steps); else moonsTime.start();
})();
