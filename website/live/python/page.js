// The page: an editor with gradcheck, and a flow that is trained on points in the plane.
"use strict";

(() => {
  const C = scratchgen.controls, K = scratchgen.canvas;
  const $ = (id) => document.getElementById(id);
  const FILES = new URL("pyodide/", location.href).href;
  const EXAMPLES = scratchgen.data("examples"), BYTES = scratchgen.data("bytes");
  let python = null, ready = false, busy = false, training = false;
  let picture = null, losses = [];

  // Starting and stopping Python.

  function say(text) { $("state").textContent = text; }

  function refresh() {
    $("start").disabled = python !== null;
    $("check").disabled = !ready || busy;
    $("stop").disabled = !busy;
    $("train").disabled = !ready || busy;
    $("reset").disabled = !ready || busy;
    $("train").textContent = training ? "Pause" : "Train";
  }

  function start() {
    if (python) return;
    say("Loading …");
    python = scratchgen.python({ files: FILES, session: scratchgen.data("session"), onMessage: receive });
    refresh();
  }

  function end(text) {
    if (python) python.end();
    python = null;
    ready = busy = training = false;
    say(text);
    refresh();
  }

  const RECEIVE = {
    loading: ({ text }) => say(text),
    ready({ text }) {
      ready = true;
      say(text);
      begin();
    },
    broken: ({ text }) => end(`Python could not be loaded: ${text}`),
    checked({ ok, text }) {
      busy = false;
      report(text);
      $("verdict").textContent = ok ? "All checks passed." : "The check failed.";
    },
    failed({ text }) {
      busy = training = false;
      say(text);
    },
    picture(found) {
      picture = found;
      losses.push(...found.losses);
      plane.redraw();
      curve.redraw();
      describe();
    },
  };
  function receive(message) { RECEIVE[message.kind](message); refresh(); }

  // The editor.

  function report(text) {
    const lines = text.replace(/\n$/, "").split("\n").map((line) => {
      const kind = /\bFAIL$|^checks: .*failed: [1-9]/.test(line) ? "bad" : /\bok$/.test(line) ? "good" : "";
      return C.element("span", { class: kind || null }, `${line}\n`);
    });
    $("report").replaceChildren(...lines);
    $("report").scrollLeft = 0;
  }

  // How many characters fit into a line of the report.
  function columns() {
    const ruler = C.element("span", {}, "0".repeat(100));
    $("report").append(ruler);
    const each = ruler.getBoundingClientRect().width / 100;
    ruler.remove();
    const style = getComputedStyle($("report"));
    const inside = $("report").clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    return Math.max(50, Math.min(100, Math.floor(inside / each)));
  }

  function check() {
    if (!ready || busy) return;
    if (training) toggle();
    busy = true;
    $("verdict").textContent = "Checking …";
    python.post({ kind: "check", code: $("code").value, width: columns() });
    refresh();
  }

  $("code").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    if (event.ctrlKey || event.metaKey) { check(); return; }
    const { value, selectionStart } = event.target;     // the new line begins as the line before
    const line = value.slice(value.lastIndexOf("\n", selectionStart - 1) + 1, selectionStart);
    const indent = /^ */.exec(line)[0] + (/:\s*$/.test(line) ? "    " : "");
    document.execCommand("insertText", false, `\n${indent}`);
  });
  const example = C.select($("examples"), {
    label: "Example", options: EXAMPLES.map(({ title }, i) => [String(i), title]), value: "0",
    onInput: (i) => show(Number(i)),
  });
  function show(i) { $("code").value = EXAMPLES[i].code; }

  // The flow.

  const density = C.select($("settings"), {
    label: "Data", value: "moons", onInput: () => begin(),
    options: [["moons", "two moons"], ["spirals", "two spirals"], ["gaussians", "eight Gaussians"],
              ["pinwheel", "pinwheel"], ["checkerboard", "checkerboard"]],
  });
  const couplings = C.select($("settings"), {
    label: "Coupling layers", value: "4", onInput: () => begin(),
    options: ["2", "4", "6", "8"].map((n) => [n, n]),
  });
  const rate = C.slider($("settings"), {
    label: "Learning rate", min: -4, max: -1.5, step: 0.1, value: -2.3, show: (v) => (10 ** v).toPrecision(2),
    onInput: (v) => { if (ready) python.post({ kind: "rate", lr: 10 ** v }); },
  });

  function begin() {
    if (!ready || busy) return;
    training = false;
    losses = [];
    python.post({ kind: "start", density: density.value, couplings: Number(couplings.value), width: 32, seed: 0 });
    refresh();
  }

  function toggle() {
    training = !training;
    python.post(training ? { kind: "train", lr: 10 ** rate.value } : { kind: "pause" });
    refresh();
  }

  const recent = () => losses.slice(-50).reduce((sum, loss) => sum + loss, 0) / Math.min(50, losses.length);

  function describe() {
    const { steps, best } = picture;
    const now = losses.length ? `loss ${recent().toFixed(3)} nats` : "not trained yet";
    $("progress").textContent = `${steps} steps, ${now}; best possible ${best.toFixed(3)}`;
  }

  function points(ctx, size, places, colour, radius) {
    ctx.fillStyle = colour;
    for (let i = 0; i < places.length; i += 2) {
      const x = places[i] * size, y = (1 - places[i + 1]) * size;
      ctx.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);
    }
  }

  const plane = K.surface($("plane"), {
    ratio: 1,
    draw(ctx, size, height, colours) {
      ctx.fillStyle = colours.paper;
      ctx.fillRect(0, 0, size, size);
      if (!picture) {
        ctx.fillStyle = colours.muted;
        ctx.textAlign = "center";
        ctx.font = "15px system-ui, sans-serif";
        ctx.fillText("Start Python to see the data", size / 2, size / 2);
        return;
      }
      const shade = picture.density.map((v) => 0.45 * Math.sqrt(v));
      K.picture(ctx, shade, picture.grid, 0, 0, size, colours, true);
      points(ctx, size, picture.data, colours.blue, 1.5);
      points(ctx, size, picture.samples, colours.orange, 1.5);
    },
  });

  const curve = K.surface($("losses"), {
    ratio: 0.55,
    draw(ctx, width, height, colours) {
      const left = 44, bottom = 36;
      const top = losses.length ? Math.max(...losses.slice(0, 20), picture.best + 1) : 3;
      const low = picture ? picture.best - 0.3 : 0, last = Math.max(100, losses.length);
      const axes = K.axes({ x: [0, last], y: [low, top], left, top: 8, width: width - left - 20,
                            height: height - bottom - 8 });
      const yTicks = [0, 1, 2, 3, 4, 5].filter((tick) => tick >= low && tick <= top);
      K.frame(ctx, axes, colours, { xTicks: [0, last / 2, last].map(Math.round), yTicks, xLabel: "steps" });
      if (!picture) return;
      K.line(ctx, axes, [0, last], [picture.best, picture.best], { colour: colours.text, dash: [6, 5] });
      const every = Math.max(1, Math.ceil(losses.length / 200)), xs = [], ys = [];
      for (let i = 0; i < losses.length; i += every) {
        const part = losses.slice(i, i + every);
        xs.push(i);
        ys.push(part.reduce((sum, loss) => sum + loss, 0) / part.length);
      }
      K.line(ctx, axes, xs, ys, { colour: colours.blue });
    },
  });

  $("start").addEventListener("click", start);
  $("check").addEventListener("click", check);
  $("stop").addEventListener("click", () => {
    end("Python was stopped.");
    $("verdict").textContent = "Stopped.";
  });
  $("train").addEventListener("click", toggle);
  $("reset").addEventListener("click", begin);
  show(Number(example.value));
  if (BYTES) $("size").textContent = `${(BYTES / 1e6).toFixed(1)} MB`;
  if (!location.protocol.startsWith("http")) {
    $("start").disabled = true;
    $("needs").textContent = "Browsers load WebAssembly from a server only. In the folder of the site, run " +
      "“python -m http.server” and open http://localhost:8000/live/python.html.";
  } else if (!BYTES) {
    $("start").disabled = true;
    $("needs").textContent = "This copy of the site was built without Pyodide.";
  }
  scratchgen.check("state", () => ({ ready, busy, training, best: picture ? picture.best : null,
                                     first: losses[0], recent: losses.length ? recent() : null }));
})();
