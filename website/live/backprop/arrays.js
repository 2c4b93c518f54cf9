// Arrays as small tables of numbers, some of which can be edited.
//
//   const view = scratchgen.arrays.view({name: "W1", shape: [2, 3], onEdit, range: [0, 1]});
//   parent.append(view.box);  view.show(array, {state: "read", changed: [...]});       null: not computed yet
"use strict";

(() => {
  const { element } = scratchgen.controls;
  const LARGEST = 1e6;

  function format(value) {
    if (!Number.isFinite(value)) return String(value);
    const size = Math.abs(value);
    if (size !== 0 && (size < 5e-4 || size >= 1e5)) return value.toExponential(1).replace("-", "−").replace("e-", "e−");
    const digits = size >= 1000 ? 1 : size >= 100 ? 2 : 3;
    const text = value.toFixed(digits);
    return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "−");
  }

  function plain(value) {
    const rounded = Number(value.toPrecision(12));
    return rounded !== 0 && Math.abs(rounded) < 1e-3 ? rounded.toExponential() : String(rounded);
  }

  function shapeText(shape) {
    if (shape.length === 0) return "number";
    return shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  }

  // The words of an entry: "W1, row 1, column 2".
  function entryName(name, shape, i) {
    if (shape.length === 0) return name;
    if (shape.length === 1) return `${name}, entry ${i + 1}`;
    return `${name}, row ${Math.floor(i / shape[1]) + 1}, column ${i % shape[1] + 1}`;
  }

  // The number that was typed, null for another text. A comma is a decimal point, and 1,000,000 is a million.
  function parse(text) {
    const typed = text.trim().replaceAll("−", "-"), inGroups = /^[-+]?\d{1,3}(,\d{3}){2,}$/.test(typed);
    const decimal = inGroups ? typed.replaceAll(",", "") : typed.replace(",", ".");
    return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(decimal) ? Number(decimal) : null;
  }

  const isUnfinished = (text) => /^\s*[-+−]?[.,]?$|\de[-+−]?$/i.test(text);

  const inWords = (value) => value.toLocaleString("en", { maximumSignificantDigits: 6 }).replace("-", "−");

  // range : the smallest and the largest number that may be entered
  // onFocus(), onEdit(value), onReject(message) : the message is null while the number is unfinished, such as "-"
  function field({ label, range, onFocus, onEdit, onReject }) {
    const input = element("input", { type: "text", inputmode: "decimal", autocomplete: "off", "aria-label": label });
    const [low, high] = range || [-LARGEST, LARGEST];
    let atFocus = null;
    const entered = () => {
      const value = parse(input.value);
      return value !== null && value >= low && value <= high ? value : null;
    };
    const reason = `Expected a number from ${inWords(low)} to ${inWords(high)}.`;
    const edited = () => {
      const value = entered();
      input.setAttribute("aria-invalid", String(value === null));
      fit(input);
      if (value !== null) onEdit(value);
      else onReject(isUnfinished(input.value) ? null : reason);
    };
    input.addEventListener("focus", () => { atFocus = input.value; input.select(); onFocus(); });
    input.addEventListener("input", edited);
    input.addEventListener("keydown", (event) => {
      const step = { ArrowUp: 0.1, ArrowDown: -0.1 }[event.key], value = entered();
      if (!step || value === null) return;
      event.preventDefault();
      input.value = plain(Math.min(Math.max(value + step, low), high));
      edited();
    });
    input.addEventListener("blur", () => {
      const value = entered();
      if (value === null) onReject(`${reason} ${label} is still ${atFocus}.`);
      put(input, value === null ? atFocus : plain(value));
    });
    return input;
  }

  function put(input, text) {
    input.value = text;
    input.setAttribute("aria-invalid", "false");
    fit(input);
  }

  // Wide enough for the whole number.
  function fit(input) {
    input.style.minWidth = input.value.length > 5 ? `${Math.min(input.value.length, 14) + 2}ch` : "";
  }

  function view({ name, shape, label = name, range, onFocus, onEdit, onReject }) {
    const rows = shape.length === 2 ? shape[0] : 1, columns = shape.length ? shape[shape.length - 1] : 1;
    const title = element("div", { class: "name" }, element("b", {}, name), element("span", {}, shapeText(shape)));
    const state = element("span", {});
    title.append(state);
    const table = element("table", { "aria-label": label }), cells = [];
    for (let r = 0; r < rows; r++) {
      const row = element("tr", {});
      for (let c = 0; c < columns; c++) {
        const i = cells.length, cell = element("td", {});
        if (onEdit) {
          cell.append(field({
            label: entryName(name, shape, i), range, onFocus, onEdit: (value) => onEdit(i, value), onReject,
          }));
        }
        cells.push(cell);
        row.append(cell);
      }
      table.append(row);
    }
    const box = element("div", { class: "array" }, title, table);

    // as : "computed", "read" or ""
    function show(array, { as = "", changed = null } = {}) {
      box.classList.toggle("computed", as === "computed");
      box.classList.toggle("read", as === "read");
      state.textContent = as === "computed" ? "computed now" : as;
      cells.forEach((cell, i) => {
        const value = array ? array.data[i] : null, input = cell.firstElementChild;
        cell.classList.toggle("changed", Boolean(array && changed && changed.data[i] !== value));
        if (!onEdit) {
          cell.textContent = array ? format(value) : "·";
          cell.classList.toggle("empty", !array);
          if (array) cell.title = String(value);
        } else if (array && input !== document.activeElement) {
          put(input, plain(value));
        }
      });
    }
    return { box, show };
  }

  scratchgen.arrays = { view, format, plain, entryName };
})();
