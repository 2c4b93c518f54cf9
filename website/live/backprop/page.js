// The backprop stepper: which line is shown, the numbers, and what follows from an edit.
"use strict";

(() => {
  const { element, select, button, choice } = scratchgen.controls;
  const { run, rounding, differences, reads, of } = scratchgen.lines;
  const { view, format, plain, entryName } = scratchgen.arrays;
  const programs = scratchgen.data("programs"), equations = scratchgen.data("equations");
  const $ = (id) => document.getElementById(id);
  const chapters = Object.fromEntries(
    [...document.querySelectorAll("[data-chapter]")].map((a) => [a.dataset.chapter, a.getAttribute("href")]));
  const chosen = { model: "two layers", activation: "ReLU", loss: "squared error" };
  const TOLERANCE = 1e-6;
  const CLOSE = 1e-3;                   // of gradients that agree as well as rounding allows
  let state = null;

  // The numbers

  function open(program) {
    const inputs = Object.fromEntries(Object.entries(program.inputs).map(([name, value]) => [name, of(value)]));
    state = { program, lines: program.lines, inputs, index: 0, base: null, checks: new Map() };
    state.values = run(program.lines, inputs);
    state.made = new Map();                                     // variable -> the number of its line
    program.lines.forEach((line, i) => { for (const [name] of line.assigns) state.made.set(name, i); });
    state.gradients = Object.assign({}, ...program.lines.map((line) => line.gradients));
    buildLines();
    buildVariables();
    $("edited").textContent = $("rejected").textContent = "";
    goTo(0);
  }

  const isKnown = (name) => !state.made.has(name) || state.made.get(name) <= state.index;

  function edit(name, i, value) {
    if (value === state.before.inputs[name].data[i]) return reject(null);
    const array = { shape: state.inputs[name].shape, data: state.inputs[name].data.slice() };
    array.data[i] = value;
    state.base = state.before.values;
    setInputs({ ...state.inputs, [name]: array });
    $("rejected").textContent = "";
    describeEdit(name, i, value);
  }

  function setInputs(inputs) {
    state.inputs = inputs;
    state.values = run(state.lines, inputs);
    state.checks.clear();
    refresh();
  }

  // A field has the focus: its edits are compared with the numbers of this moment.
  function begin() {
    state.before = { inputs: state.inputs, values: state.values, base: state.base, text: $("edited").textContent };
  }

  // Back to the numbers of that moment: the text of the field is not accepted, or it is the same number.
  function reject(message) {
    state.base = state.before.base;
    setInputs(state.before.inputs);
    $("edited").textContent = state.before.text;
    $("rejected").textContent = message || "";
  }

  function describeEdit(name, i, value) {
    const before = state.before.values, old = before[name].data[i], moved = value - old;
    const first = before.loss.data[0], last = state.values.loss.data[0], gradient = before[`d${name}`];
    const [from, to] = [old, value].map((v) => plain(v).replaceAll("-", "−"));
    let text = `${entryName(name, state.inputs[name].shape, i)}: from ${from} to ${to}. `;
    if (!Number.isFinite(last)) text += overflow();
    else if (!Number.isFinite(first)) text += `Loss: ${compact(last, 4)}. Before, it was not a finite number.`;
    else {
      text += `Loss: from ${compact(first, 4)} to ${compact(last, 4)}, a change of ${signed(last - first)}.`;
      if (gradient && Number.isFinite(gradient.data[i])) {
        text += ` The gradient predicted ${signed(gradient.data[i] * moved)}`
          + ` = ${format(gradient.data[i])} · ${format(moved)}.`;
      }
    }
    $("edited").textContent = text;
  }

  const amount = (value) => (Number.isNaN(value) ? "not a number" : "infinite");

  // What the first line that overflows computes.
  function overflow() {
    const results = state.lines.flatMap((line) => line.assigns.map(([name]) => name));
    const values = (name) => Array.from(state.values[name].data).filter((v) => !Number.isFinite(v));
    const name = results.find((result) => values(result).length), last = state.values.loss.data[0];
    const cause = name === "loss" ? "" : `${name} is ${amount(values(name)[0])}: `;
    return `${cause}the loss is ${amount(last)}. Choose a number closer to 0.`.replace(/^t/, "T");
  }

  // With this many decimals; a number that is very large, or too small for them, with an exponent.
  function compact(value, decimals) {
    const size = Math.abs(value), isPlain = size === 0 || (size < 1e5 && Number(size.toFixed(decimals)) !== 0);
    return (isPlain ? value.toFixed(decimals) : value.toExponential(3)).replaceAll("-", "−");
  }

  const signed = (value) => (value < 0 ? "" : "+") + compact(value, 5);

  // The finite differences of a gradient, in the unit of the code, and whether they agree with it.
  // error, scale : the largest difference, and the largest entry, at least 1
  // kinks, wrong, unsure : how many entries are at a kink, differ, or cannot be compared
  // finite : whether the loss is; without it nothing is compared
  function check(name) {
    if (!state.checks.has(name)) {
      const { of, wrt, unit } = state.gradients[name], claimed = state.values[name];
      const found = differences(state.lines, state.values, of, wrt, roundingOf(of));
      const units = scratchgen.lines.evaluate(unit, state.values).data, per = (v, i) => v / units[i % units.length];
      const numeric = { shape: found.numeric.shape, data: found.numeric.data.map(per) };
      const finite = Number.isFinite(scratchgen.lines.evaluate(of, state.values).data[0]);
      const scale = Math.max(1, ...numeric.data.map(Math.abs).filter(Number.isFinite));
      const bound = TOLERANCE * scale;
      let error = 0, kinks = 0, wrong = 0, unsure = 0;
      if (finite) claimed.data.forEach((v, i) => {
        const gap = Math.abs(v - numeric.data[i]), doubt = Math.abs(per(found.doubt.data[i], i));
        const isVague = !Number.isFinite(gap + doubt) || doubt > Math.max(bound, Math.abs(numeric.data[i]));
        if (found.kink[i] && !(gap <= bound)) kinks++;
        else if (gap <= bound || (gap <= doubt && gap <= CLOSE * scale)) error = Math.max(error, gap);
        else if (isVague || gap <= bound + doubt) unsure++;
        else { wrong++; error = Math.max(error, gap); }
      });
      state.checks.set(name, { numeric, error, scale, finite, kinks, wrong, unsure });
    }
    return state.checks.get(name);
  }

  // By how much rounding can change a number, the loss in most cases.
  function roundingOf(tree) {
    const key = `rounding ${JSON.stringify(tree)}`;
    if (!state.checks.has(key)) state.checks.set(key, rounding(state.lines, state.inputs, state.values, tree));
    return state.checks.get(key);
  }

  function verdict(name) {
    const { error, scale, kinks, wrong, unsure, finite } = check(name);
    const note = (kind, text) => element("span", { class: `check ${kind}` }, text);
    const short = (size) => size.toExponential(1).replace("-", "−");
    if (!finite) return note("muted", "Not compared: the loss is not a finite number");
    if (unsure && !wrong) {
      return note("muted", Math.abs(state.values.loss.data[0]) > 1000 ? "The loss is too large for finite differences"
        : "Finite differences are too inexact at these numbers");
    }
    const size = scale > 100 ? `relative error ${short(error / scale)}` : `error ${short(error)}`;
    const kink = kinks ? `; ${kinks} at a kink, where the slopes on both sides differ` : "";
    return wrong ? note("differs", `✗ differs by up to ${short(error)}${kink}`)
      : note("agrees", `✓ agrees, ${size}${kink}`);
  }

  // The list of lines

  function buildLines() {
    const box = $("lines");
    box.replaceChildren();
    state.buttons = [];
    for (const [title, backward] of [["Forward", false], ["Backward", true]]) {
      const list = element("ol", {});
      state.lines.forEach((line, i) => {
        if (line.backward !== backward) return;
        const b = element("button", { type: "button" }, element("code", {}, line.code),
                          element("span", { class: "number" }, line.equations[0] ? `(${line.equations[0]})` : ""));
        b.addEventListener("click", () => goTo(i));
        state.buttons[i] = b;
        list.append(element("li", {}, b));
      });
      box.append(element("h3", {}, title), list);
    }
  }

  // The table of all variables: value, gradient, finite differences

  function order() {
    const names = [];
    const add = (name) => { if (!names.includes(name)) names.push(name); };
    for (const line of state.lines.filter((l) => !l.backward)) {
      for (const [, tree] of line.assigns) reads(tree).forEach(add);
      for (const [name] of line.assigns) add(name);
    }
    return names;
  }

  function buildVariables() {
    const box = $("variables"), { limits } = state.program;
    box.replaceChildren(element("div", { class: "variable heads" }, element("h3", {}, "Value, filled downwards"),
                                element("h3", {}, "Gradient, filled upwards"), element("h3", {}, "Finite differences")));
    state.views = [];
    const place = (row, name, array, options = {}) => {
      const v = view({ name, shape: array.shape, ...options });
      row.append(v.box);
      state.views.push({ name, ...v, ...options });
    };
    for (const name of order()) {
      const row = element("div", { class: "variable" }), given = name in state.inputs;
      box.append(row);
      place(row, name, state.values[name], given ? {
        range: limits[name],
        onFocus: begin,
        onEdit: (i, value) => edit(name, i, value),
        onReject: reject,
      } : {});
      const own = Object.keys(state.gradients).filter((gradient) => state.gradients[gradient].wrt === name);
      for (const gradient of own.sort((a, b) => a.length - b.length)) {         // dlogvar before dkl_dlogvar
        if (gradient !== `d${name}`) row.append(element("div", {}));
        place(row, gradient, state.values[gradient]);
        const differencesOf = gradient === `d${name}` ? `∂loss/∂${name}` : `∂(kl·N)/∂${name}`;
        const cell = element("div", {});
        const numeric = view({ name: differencesOf, shape: state.values[name].shape, label: `finite differences for ${gradient}` });
        const note = element("div", {});
        cell.append(numeric.box, note);
        row.append(cell);
        state.views.push({ name: gradient, show: numeric.show, box: numeric.box, note });
      }
    }
  }

  // One line

  function goTo(i) {
    state.index = Math.min(Math.max(i, 0), state.lines.length - 1);
    refresh();
    const current = state.buttons[state.index], list = current.closest(".lines");
    const top = current.offsetTop - list.offsetTop;
    if (top < list.scrollTop + 40 || top > list.scrollTop + list.clientHeight - 60) {
      list.scrollTop = top - list.clientHeight / 2;
    }
    const line = state.lines[state.index];
    const numbers = line.assigns.map(([name]) => `${name} = ${Array.from(state.values[name].data, format).join(", ")}`);
    scratchgen.say(`Line ${state.index + 1} of ${state.lines.length}: ${line.code}. ${numbers.join("; ")}.`);
  }

  function refresh() {
    const line = state.lines[state.index];
    const computed = new Set(line.assigns.map(([name]) => name));
    const read = new Set(line.assigns.flatMap(([, tree]) => reads(tree)));
    state.buttons.forEach((b, i) => {
      b.classList.toggle("done", i <= state.index);
      if (i === state.index) b.setAttribute("aria-current", "step"); else b.removeAttribute("aria-current");
    });
    for (const v of state.views) {
      const known = isKnown(v.name), as = computed.has(v.name) ? "computed" : read.has(v.name) ? "read" : "";
      if (v.note) {                                             // the finite differences of a gradient
        v.show(known ? check(v.name).numeric : null, {});
        v.note.replaceChildren(...(known ? [verdict(v.name)] : []));
      } else {
        v.show(known ? state.values[v.name] : null, { as, changed: state.base && state.base[v.name] });
      }
    }
    showLine(line, computed, read);
    $("first").disabled = $("back").disabled = state.index === 0;
    $("last").disabled = $("next").disabled = state.index === state.lines.length - 1;
    $("position").textContent = `Line ${state.index + 1} of ${state.lines.length}, ${line.backward ? "backward" : "forward"}`;
  }

  function showLine(line, computed, read) {
    const list = element("dl", {}), add = (term, ...content) =>
      list.append(element("dt", {}, term), element("dd", {}, ...content));
    add("line", element("code", { class: "code" }, line.code));
    for (const number of line.equations) {
      const { formula, remark, chapter } = equations[number];
      const link = element("a", { href: `${chapters[chapter]}#eq-${number}` }, `(${number})`);
      add("equation", link, " ", element("span", { class: "formula" }, formula),
          ...(remark ? [element("span", { class: "muted" }, `   ${remark}`)] : []));
    }
    add("source", element("code", {}, line.place), ` in ${line.where}`, element("pre", {}, element("code", {}, line.source)));
    if (line.note) add("note", line.note);
    const results = element("div", { class: "arrays" }), used = element("div", { class: "arrays" });
    for (const name of computed) {
      results.append(copy(name, "computed"));
      if (!(name in state.gradients)) continue;
      const found = view({ name: "finite differences", shape: check(name).numeric.shape });
      found.show(check(name).numeric);
      results.append(element("div", {}, found.box, verdict(name)));
    }
    for (const name of read) used.append(copy(name, "read"));
    $("now").replaceChildren(list, results, used);
  }

  function copy(name, as) {
    const v = view({ name, shape: state.values[name].shape });
    v.show(state.values[name], { as, changed: state.base && state.base[name] });
    return v.box;
  }

  // Controls

  function find({ model, activation, loss }) {
    return programs.find((p) => p.model === model && p.activation === activation && (p.loss === loss || !p.loss));
  }

  function reopen() {
    lossSelect.box.hidden = chosen.model === "VAE";
    open(find(chosen));
  }

  const values = (key) => [...new Set(programs.map((p) => p[key]).filter(Boolean))].map((v) => [v, v]);
  const hash = decodeURIComponent(location.hash.slice(1)).replace("-", " ").toLowerCase();
  for (const [model] of values("model")) if (model.toLowerCase() === hash) chosen.model = model;
  const settings = $("settings");
  choice(settings, { label: "Model", options: values("model"), value: chosen.model,
                     onInput: (v) => { chosen.model = v; reopen(); } });
  select(settings, { label: "Activation", options: values("activation"), value: chosen.activation,
                     onInput: (v) => { chosen.activation = v; reopen(); } });
  const lossSelect = select(settings, { label: "Loss", options: values("loss"), value: chosen.loss,
                                        onInput: (v) => { chosen.loss = v; reopen(); } });
  button(settings, { label: "Reset the numbers", onClick: reopen });

  const moves = $("moves");
  for (const [id, label, words, to] of [
    ["first", "First", "First line", () => 0],
    ["back", "← Back", "Back one line", () => state.index - 1],
    ["next", "Next →", "Next line", () => state.index + 1],
    ["last", "Last", "Last line", () => state.lines.length - 1],
  ]) {
    const b = button(moves, { label, main: id === "next", onClick: () => goTo(to()) });
    b.id = id;
    b.setAttribute("aria-label", words);
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("input, select, textarea")) return;
    const to = { ArrowRight: state.index + 1, ArrowLeft: state.index - 1, Home: 0, End: state.lines.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    goTo(to);
  });

  // The state, and the numbers of a program for given inputs.
  scratchgen.check("state", () => ({
    line: state.index, code: state.lines[state.index].code, values: state.values,
    numeric: Object.fromEntries(Object.keys(state.gradients).map((name) => [name, check(name)])),
  }));
  scratchgen.check("values", ({ model, activation, loss, inputs }) => {
    const given = Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, of(value)]));
    return run(find({ model, activation, loss }).lines, given);
  });
  reopen();
})();
