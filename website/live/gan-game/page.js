// The page of the GAN game: settings, the loop of the animation, and what is said about the state.
"use strict";

(() => {
  const { create, grid, density, generatedDensity, jensenShannon, sigmoid, stage, course, ARROWS } = scratchgen.ganGame;
  const { controls, canvas } = scratchgen, byId = (id) => document.getElementById(id);

  const DATA = {
    near: ["two overlapping modes", [[0.6, 1.5, 0.5], [0.4, 2.9, 0.45]]],
    apart: ["two modes far apart", [[0.5, 0, 0.25], [0.5, 3.5, 0.25]]],
    distant: ["one mode, far from the start of G", [[1, 4, 0.5]]],
  };
  const LOSSES = [
    ["non-saturating", "non-saturating (GAN.5)"], ["minimax", "minimax (GAN.4)"],
    ["least-squares", "least squares (LSGAN.1)"], ["wasserstein", "Wasserstein, clipped (WGAN.2)"],
  ];
  const OPTIMIZERS = [["adam", "Adam (ADAM.3)"], ["sgd", "gradient descent (SGD.1)"]];
  const DEFAULTS = { optimizer: "adam", seed: 1, speed: 2 };
  // Each experiment: title, text, settings other than DEFAULTS, and rounds of D before it starts.
  const EXPERIMENTS = [
    ["It works", "The orange density approaches the blue one, and D approaches 1/2. D follows D*, but not at once.",
     { data: "near", objective: "non-saturating", k: 1, lr: -3.3, dlr: -2.3 }, 0],
    ["Saturation", "D has learnt for 300 rounds and is sure. With the minimax loss, the arrows vanish, and gradient descent "
     + "hardly moves G. Change the loss to non-saturating while it runs. Or choose Adam, which rescales small gradients.",
     { data: "distant", objective: "minimax", optimizer: "sgd", k: 1, lr: -2, dlr: -2.3 }, 300],
    ["Collapse", "G finds one of two modes and stays there. Raise its learning rate, or k, and reset.",
     { data: "apart", objective: "non-saturating", k: 1, lr: -3, dlr: -2.3 }, 0],
    ["Wasserstein", "The critic's slope pushes G to the data from any distance, and there is no D*. Compare with saturation.",
     { data: "distant", objective: "wasserstein", k: 5, lr: -3.3, dlr: -1.7 }, 100],
  ];
  const LIMIT = 400;          // points of the course; then every second one is dropped
  const DIFFERENT = 0.2;      // JSD, in nats, above which the critic should have a slope
  const COVERED = 0.05;       // a mode with less of the generated numbers counts as missed
  const EARLY = 100;          // rounds before which a missed mode is not called a collapse
  const LEAST = 1e-4;         // D* is not drawn where p + p_g is smaller
  const WEAK = 0.05;          // a smaller gradient hardly moves G
  const BUDGET = 10;          // milliseconds of each frame after which no further round begins

  const at = grid(-2, 6, 240, 400);
  let game, p, modes, history, playing = false, request = 0, frames = 0;

  // ---- settings

  const box = byId("settings"), set = {};
  set.data = controls.select(box, {
    label: "Data", value: "near", options: Object.entries(DATA).map(([key, [text]]) => [key, text]), onInput: reset,
  });
  set.objective = controls.select(box, {
    label: "Loss", value: "non-saturating", options: LOSSES, onInput() { apply(); refresh(); },
  });
  set.k = controls.slider(box, {
    label: "k, steps of D per step of G", min: 1, max: 10, step: 1, value: 1, onInput: apply,
  });
  set.optimizer = controls.select(box, {
    label: "Optimiser of G", value: DEFAULTS.optimizer, options: OPTIMIZERS, onInput: apply,
  });
  const rate = (v) => Number((10 ** v).toPrecision(2)).toString();
  set.lr = controls.slider(box, {
    label: "Learning rate of G", min: -4, max: -1.5, step: 0.1, value: -3.3, show: rate, onInput: apply,
  });
  set.dlr = controls.slider(box, {
    label: "Learning rate of D", min: -4, max: -1.5, step: 0.1, value: -2.3, show: rate, onInput: apply,
  });
  set.speed = controls.slider(box, {
    label: "Rounds per frame", min: 1, max: 8, step: 1, value: DEFAULTS.speed,
  });
  set.seed = controls.number(box, {
    label: "Seed", hint: "A whole number from 0 to 999,999", min: 0, max: 999999, step: 1, value: DEFAULTS.seed,
    onChange: reset,
  });

  const run = byId("run");
  const play = controls.button(run, { label: "Play", main: true, onClick() { setPlaying(!playing); } });
  controls.button(run, { label: "One round", onClick() { setPlaying(false); advance(1); } });
  controls.button(run, { label: "100 × D only", onClick() { setPlaying(false); advance(100, "discriminator"); } });
  controls.button(run, { label: "20 × G only", onClick() { setPlaying(false); advance(20, "generator"); } });
  controls.button(run, { label: "Reset", onClick() { setPlaying(false); reset(); } });

  for (const [title, text, settings, ahead] of EXPERIMENTS) {
    const panel = controls.element("div", { class: "panel" }, controls.element("h3", {}, title),
                                   controls.element("p", {}, text));
    byId("try").append(panel);
    controls.button(panel, {
      label: `Set up: ${title}`,
      onClick() { start(settings, ahead); byId("run").scrollIntoView({ block: "start" }); },
    });
  }

  function apply() {
    Object.assign(game.settings, {
      objective: set.objective.value, optimizer: set.optimizer.value, k: set.k.value, lr: 10 ** set.lr.value,
      discriminatorLr: 10 ** set.dlr.value,
    });
  }

  function reset() {
    const data = DATA[set.data.value][1];
    game = create({ data, batch: 64 }, set.seed.value);
    apply();
    p = density(at, data);
    const middles = data.slice(1).map(([, m], i) => (m + data[i][1]) / 2);
    modes = data.map(([, m], i) => ({ mean: m, low: middles[i - 1] ?? -Infinity, high: middles[i] ?? Infinity }));
    history = { rounds: [], jsd: [], fake: [], every: 1 };
    refresh(true);
  }

  function start(settings, ahead) {
    setPlaying(false);
    for (const [name, value] of Object.entries({ ...DEFAULTS, ...settings })) set[name].set(value);
    reset();
    for (let i = 0; i < ahead; i++) game.play("discriminator");
    refresh(true);
  }

  // ---- the state on the axis

  function measure() {
    const q = generatedDensity(at, game.images(at.z)), scores = game.scores(at.x), tips = game.images(ARROWS);
    const { objective } = game.settings;
    let d = scores;
    if (game.isProbability()) d = scores.map(sigmoid);
    if (objective === "wasserstein") {          // the critic has no scale of its own
      const low = Math.min(...scores), high = Math.max(...scores);
      d = scores.map((v) => (v - low) / (high - low || 1));
    }
    const best = objective === "wasserstein" ? null
      : p.map((v, i) => v + q[i] > LEAST ? v / (v + q[i]) : NaN);
    const share = modes.map(({ low, high }) =>
      q.reduce((sum, v, i) => at.x[i] >= low && at.x[i] < high ? sum + v * at.width : sum, 0));
    const outside = 1 - q.reduce((sum, v) => sum + v * at.width, 0);        // of the grid, where p is 0
    const jsd = jensenShannon(at, p, q) + Math.max(outside, 0) * Math.LN2 / 2;
    return { at, p, q, d, best, tips, forces: game.forces(tips), share, jsd };
  }

  function remember(view) {
    if (game.round % history.every) return;
    history.rounds.push(game.round);
    history.jsd.push(view.jsd);
    history.fake.push(game.last.dFake);
    if (history.rounds.length < LIMIT) return;
    for (const name of ["rounds", "jsd", "fake"]) history[name] = history[name].filter((_, i) => i % 2 === 0);
    history.every *= 2;
  }

  function describe(view) {
    const probability = game.isProbability(), { last } = game, number = (v, digits = 2) =>
      Number.isFinite(v) ? v.toFixed(digits) : "–";
    const near = modes.map(({ mean }, i) => `near ${mean}: ${(100 * view.share[i]).toFixed(0)} %`).join(", ");
    const lines = [
      `JSD ${number(view.jsd, 3)} nats (0: equal, 0.693: no overlap)`,
      `mean of ${probability ? "D" : "the score"}: ${number(last.dReal)} on data, ${number(last.dFake)} on generated`,
      `loss of D ${number(last.loss)}, of G ${number(last.generatorLoss)}`,
      `gradient of G ${Number.isFinite(last.generatorGrad) ? last.generatorGrad.toExponential(1) : "–"}`,
      ...(modes.length > 1 ? [`generated numbers ${near}`] : []),
    ];
    return { lines, text: `Round ${game.round.toLocaleString("en")}: ${verdict(view)}` };
  }

  function verdict({ jsd, share, forces }) {
    const missed = modes.filter((_, i) => share[i] < COVERED).map(({ mean }) => mean);
    const { settings: { objective }, last: { dFake, generatorGrad } } = game;
    if (Math.max(...forces.map(Math.abs)) < WEAK && !(generatorGrad >= WEAK)) {     // NaN before the first step of G
      if (objective === "minimax" && dFake < 0.01) return "saturation: D is sure, and G gets hardly any gradient";
      if (objective === "wasserstein" && jsd > DIFFERENT) {
        return "the critic's slope has vanished, and G gets hardly any gradient";
      }
    }
    if (missed.length && missed.length < modes.length && game.round >= EARLY) {
      return `collapse: hardly any generated number near ${missed.join(", ")}`;
    }
    if (jsd > 0.6) return "data and generated numbers hardly overlap";
    return jsd < 0.02 ? "the generated density is close to that of the data" : "the two densities differ";
  }

  // ---- drawing

  let view = null;
  const stageView = canvas.surface(byId("stage"), {
    ratio: (w) => w < 500 ? 0.95 : 0.42,
    draw(ctx, width, height, colours) { if (view) stage(ctx, width, height, colours, view); },
  });
  const courseView = canvas.surface(byId("course"), {
    ratio: (w) => w < 400 ? 0.7 : 0.5,
    draw(ctx, width, height, colours) {
      course(ctx, width, height, colours, { ...history, fake: game.isProbability() ? history.fake : null });
    },
  });

  function refresh(aloud = false) {
    view = measure();
    remember(view);
    const { lines, text } = describe(view), wasserstein = game.settings.objective === "wasserstein";
    byId("status").textContent = text;
    byId("summary").textContent = lines.join("\n");
    byId("d-name").textContent = game.isProbability() ? "D(x)" : wasserstein ? "critic f(x), scaled" : "score l(x)";
    byId("best-key").hidden = wasserstein;
    byId("fake-key").hidden = !game.isProbability();
    stageView.drawNow();
    courseView.drawNow();
    if (aloud) scratchgen.say(`${text}. ${lines.join(". ")}.`);
  }

  function advance(rounds, who) {
    for (let i = 0; i < rounds; i++) game.play(who);
    refresh(true);
  }

  function frame() {
    const end = performance.now() + BUDGET;
    let rounds = 0;
    do game.play(); while (++rounds < set.speed.value && performance.now() < end);
    refresh(++frames % 240 === 0);
    request = requestAnimationFrame(frame);
  }

  function setPlaying(value) {
    playing = value;
    play.textContent = playing ? "Pause" : "Play";
    cancelAnimationFrame(request);
    if (playing) request = requestAnimationFrame(frame);
    else if (view) refresh(true);
  }

  reset();

  // Milliseconds of one frame with its rounds and its drawing.
  scratchgen.check("gan.frame", ({ count }) => {
    const begin = performance.now();
    for (let i = 0; i < count; i++) { game.play(); refresh(); }
    return (performance.now() - begin) / count;
  });
  scratchgen.check("gan.state", () => ({
    round: game.round, jsd: view.jsd, share: view.share, status: byId("status").textContent, last: game.last,
    settings: game.settings, forces: view.forces,
  }));
  scratchgen.check("gan.verdict", ({ objective, dFake, grad, force }) => {
    Object.assign(game.settings, { objective });
    Object.assign(game.last, { dFake, generatorGrad: grad });
    return verdict({ ...view, forces: [force] });
  });
})();
