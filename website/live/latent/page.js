// The page of the latent explorer: the plane, the drawing, and the sliders.
"use strict";

(() => {
  const L = scratchgen.latent, T = scratchgen.tensor, { controls, canvas, data } = scratchgen;
  const byId = (id) => document.getElementById(id), rng = scratchgen.random(1);
  const DIGITS = Array.from({ length: L.CLASSES }, (_, k) => [k, String(k)]);

  // A canvas with a picture of 28 x 28 pixels.
  function pictureOn(element) {
    const held = { pixels: null };
    const view = canvas.surface(element, {
      draw(ctx, width, height, colours) {
        ctx.fillStyle = colours.paper;
        ctx.fillRect(0, 0, width, height);
        if (held.pixels) canvas.picture(ctx, held.pixels, 28, 0, 0, width, colours);
      },
    });
    held.show = (pixels) => { held.pixels = pixels; view.redraw(); };
    return held;
  }

  // "read as 7 (98 %), or 1 (1 %)"
  function readAs(pixels) {
    const p = L.classify(L.rows(pixels)).data, order = [...p.keys()].sort((a, b) => p[b] - p[a]);
    const share = (k) => `${k} (${(100 * p[k]).toFixed(0)} %)`;
    return `read as ${share(order[0])}${p[order[1]] >= 0.01 ? `, or ${share(order[1])}` : ""}`;
  }
  const ALWAYS = "The classifier always chooses one of the ten digits, even for other drawings.";
  const signed = (v, digits = 2) => v.toFixed(digits).replace("-", "−");

  // ---- the plane

  const planePicture = pictureOn(byId("plane-picture"));
  const plane = L.plane(byId("plane"), {
    codes: data("codes"), labels: data("labels"), onChange(z) { showCode(z, true); },
  });

  function showCode(z, aloud) {
    const pixels = L.decodePlane(L.rows(z)).data;
    const text = `Code (${z.map((v) => signed(v)).join(", ")}), ${readAs(pixels)}.`;
    planePicture.show(pixels);
    byId("plane-text").textContent = text;
    if (aloud) scratchgen.say(text);
  }

  controls.select(byId("plane-controls"), {
    label: "Emphasise the codes of", value: "all", options: [["all", "all digits"], ...DIGITS],
    onInput(value) { plane.shown = value; plane.redraw(); },
  });
  controls.button(byId("plane-controls"), {
    label: "Random code", onClick() { plane.move([rng.normal(), rng.normal()]); showCode(plane.z, true); },
  });

  // ---- the drawing

  const STAGES = [
    ["as MNIST", "scaled and centred"], ["VAE", "2 numbers"], ["autoencoder", "24 numbers"],
    ["through the flow", "and back"],
  ];
  const pictures = STAGES.map(([name, text]) => {
    const element = controls.element("canvas", { role: "img", "aria-label": `${name}, ${text}: empty` });
    const figure = controls.element("figure", {}, element, controls.element("figcaption", {}, `${name}, ${text}`));
    byId("pictures").append(figure);
    return Object.assign(pictureOn(element), { element, name: `${name}, ${text}` });
  });
  let bars = null;
  const barsView = canvas.surface(byId("bars"), { ratio: (w) => Math.min(0.45, 150 / w), draw: drawBars });
  let current = null;                         // {x, noise} of the drawing

  function drawBars(ctx, width, height, colours) {
    const axes = canvas.axes({
      x: [0, 24], y: [-4, 4], left: 30, top: 6, width: width - 36, height: height - 16,
    });
    for (const v of [-2, 0, 2]) canvas.line(ctx, axes, [0, 24], [v, v], { colour: colours.hairline, width: 1 });
    canvas.frame(ctx, axes, colours, { yTicks: [-2, 0, 2], show: (v) => signed(v, 0) });
    if (!bars) return;
    ctx.fillStyle = colours.blue;
    const step = axes.width / bars.length;
    bars.forEach((v, i) => {
      const end = axes.y(Math.min(Math.max(v, -4), 4));
      ctx.fillRect(axes.left + (i + 0.2) * step, Math.min(end, axes.y(0)), 0.6 * step, Math.abs(end - axes.y(0)));
    });
  }

  function analyse(pixels) {
    if (!pixels) {
      current = bars = plane.posterior = null;
      pictures.forEach((p) => { p.show(null); p.element.setAttribute("aria-label", `${p.name}: empty`); });
      byId("sketch-text").textContent = "";
      byId("bars-text").textContent = "Draw a digit first.";
      byId("ellipse-key").hidden = true;
      fromDrawing.disabled = true;
      plane.redraw();
      barsView.redraw();
      return;
    }
    const x = L.rows(pixels), { mu, std } = L.posterior(x), code = L.encode(x), noise = L.flowForward(code);
    const back = L.flowInverse(noise), found = [x, L.decodePlane(mu), L.decode(code), L.decode(back)];
    const error = Math.max(...T.subtract(back, code).data.map(Math.abs));
    const squared = (picture) => T.subtract(picture, x).data.reduce((sum, v) => sum + v * v, 0).toFixed(1);
    found.forEach(({ data: values }, i) => {
      pictures[i].show(values);
      pictures[i].element.setAttribute("aria-label", `${pictures[i].name}: ${readAs(values)}`);
    });
    plane.posterior = { mu: [...mu.data], std: [...std.data] };
    plane.move([...mu.data]);
    showCode(plane.z, false);
    bars = [...noise.data];
    barsView.redraw();
    current = { noise: bars };
    fromDrawing.disabled = false;
    byId("ellipse-key").hidden = false;
    const text = `The drawing is ${readAs(pixels)}. Its posterior in the plane has the mean `
      + `(${[...mu.data].map((v) => signed(v)).join(", ")}) and the standard deviations `
      + `${[...std.data].map((v) => v.toFixed(2)).join(" and ")}. Squared errors: ${squared(found[1])} with 2 numbers, `
      + `${squared(found[2])} with 24.`;
    byId("sketch-text").textContent = `${text} ${ALWAYS}`;
    byId("bars-text").textContent = `Each bar is one of ${bars.length} numbers. For real digits, they nearly follow N(0, 1). `
      + `The largest has the absolute value ${Math.max(...bars.map(Math.abs)).toFixed(1)}. The flow loses nothing: `
      + `after the way back, the largest error of the code is ${error.toExponential(0)}.`;
    scratchgen.say(text);
  }

  const sketch = L.sketch(byId("sketch"), (values, side) => analyse(values && L.centred(values, side, side)));
  const buttons = byId("sketch-controls");
  controls.button(buttons, { label: "Clear", onClick() { sketch.clear(); } });
  const digits = data("digits");
  let offered = 15;       // the first digit is a 7 that two numbers describe well
  function takeDigit() {
    offered = (offered + 7) % digits.shape[0];
    const pixels = Float32Array.from(digits.data.subarray(784 * offered, 784 * (offered + 1)), (v) => v / 255);
    sketch.show(pixels);
    analyse(pixels);
  }
  controls.button(buttons, { label: "A test digit", onClick: takeDigit });

  // ---- the sliders

  const FIRST = 8;            // sliders that are always visible
  const TEXTS = {
    vae: "vae-20: 20 numbers, in the order in which the encoder uses them. The numbers of nats say how much.",
    cvae: "cvae: the digit is chosen, and 6 numbers are left for the style.",
    gan: "cgan: the digit is chosen, and 16 numbers are left for the style, those with the largest effect first.",
    flow: "realnvp-codes: 24 numbers, those with the largest effect first. The flow turns them into a code of the "
      + "autoencoder.",
  };
  const generated = pictureOn(byId("generated"));
  let model = "cvae", label = 3, z = [], sliders = [];

  controls.choice(byId("model-choice"), {
    label: "Model", value: model, options: Object.entries(L.GENERATORS).map(([key, { title }]) => [key, title]),
    onInput(value) { model = value; build(); },
  });
  const labels = controls.choice(byId("label-choice"), {
    label: "Digit", value: label, options: DIGITS, onInput(value) { label = value; generate(true); },
  });
  const put = byId("slider-buttons");
  controls.button(put, { label: "Random code", onClick() { setCode(z.map(() => rng.normal())); } });
  controls.button(put, { label: "All zero", onClick() { setCode(z.map(() => 0)); } });
  const fromDrawing = controls.button(put, { label: "From the drawing", onClick() { setCode(current.noise); } });
  fromDrawing.disabled = true;

  function build() {
    const effects = [...data("effects")[model].data];
    const order = [...effects.keys()].sort((a, b) => effects[b] - effects[a]);
    z = effects.map(() => 0);
    byId("sliders").replaceChildren();
    byId("more-sliders").replaceChildren();
    sliders = [];
    order.forEach((index, place) => {
      const usage = model === "vae" ? ` (${effects[index].toFixed(1)} nats)` : "";
      sliders[index] = controls.slider(byId(place < FIRST ? "sliders" : "more-sliders"), {
        label: `number ${index + 1}${usage}`, min: -4, max: 4, step: 0.05, value: 0, show: (v) => signed(v),
        onInput(value) { z[index] = value; generate(true); },
      });
    });
    byId("more-sliders").closest("details").hidden = order.length <= FIRST;
    byId("model-text").textContent = TEXTS[model];
    labels.box.hidden = !L.GENERATORS[model].labelled;
    fromDrawing.hidden = model !== "flow";
    generate(false);
  }

  function setCode(values) {
    z = [...values];
    z.forEach((v, i) => sliders[i].set(v));
    generate(true);
  }

  function generate(aloud) {
    const { labelled, title } = L.GENERATORS[model];
    const pixels = L.GENERATORS[model].decode(L.rows(z), labelled ? [label] : null).data;
    const text = `${title}${labelled ? `, asked for ${label}` : ""}: ${readAs(pixels)}.`;
    generated.show(pixels);
    byId("generated-text").textContent = text;
    if (aloud) scratchgen.say(text);
  }

  build();
  showCode([0, 0], false);
  takeDigit();

  // ---- for tests: milliseconds of each model, and the state
  scratchgen.check("latent.times", ({ count }) => {
    const timed = (run) => {
      const begin = performance.now();
      for (let i = 0; i < count; i++) run(i);
      return (performance.now() - begin) / count;
    };
    const x = L.rows(Float32Array.from(digits.data.subarray(0, 784), (v) => v / 255));
    const found = {
      plane: timed(() => L.decodePlane(L.rows([rng.normal(), rng.normal()]))), classify: timed(() => L.classify(x)),
      drawing: timed(() => analyse(x.data)),
    };
    for (const [name, { decode, labelled }] of Object.entries(L.GENERATORS)) {
      const width = data("effects")[name].data.length;
      found[name] = timed(() => decode(L.rows(rng.normals(width)), labelled ? [label] : null));
    }
    return found;
  });
  scratchgen.check("latent.state", () => ({ plane: plane.z, posterior: plane.posterior, bars, model, label, z: [...z],
    picture: generated.pixels, planePicture: planePicture.pixels, pictures: pictures.map((p) => p.pixels) }));
})();
