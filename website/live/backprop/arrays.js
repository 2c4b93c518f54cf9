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
    const rounded = Number(value.toPrecision(6));
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

  // range : the smallest and the largest number that may be entered
  function field({ label, range, onFocus, onEdit }) {
    const input = element("input", { type: "text", inputmode: "decimal", autocomplete: "off", "aria-label": label });
    const [low, high] = range || [-LARGEST, LARGEST];
    const parse = () => {
      const text = input.value.trim().replace("−", "-").replace(",", "."), value = Number(text);
      return text !== "" && Number.isFinite(value) && value >= low && value <= high ? value : null;
    };
    const edited = () => {
      const value = parse();
      input.setAttribute("aria-invalid", String(value === null));
      input.title = value === null ? `a number from ${low} to ${high}` : "";
      if (value !== null) onEdit(value);
    };
    input.addEventListener("focus", () => { input.select(); onFocus(); });
    input.addEventListener("input", edited);
    input.addEventListener("keydown", (event) => {
      const step = { ArrowUp: 0.1, ArrowDown: -0.1 }[event.key], value = parse();
      if (!step || value === null) return;
      event.preventDefault();
      input.value = plain(Math.min(Math.max(value + step, low), high));
      edited();
    });
    input.addEventListener("blur", () => {
      if (parse() === null && input.dataset.kept) { input.value = input.dataset.kept; edited(); }
    });
    return input;
  }

  function view({ name, shape, label = name, range, onFocus, onEdit }) {
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
            label: entryName(name, shape, i), range, onFocus: () => onFocus(), onEdit: (value) => onEdit(i, value),
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
          input.value = plain(value);
          input.dataset.kept = input.value;
          input.setAttribute("aria-invalid", "false");
        } else if (input.getAttribute("aria-invalid") === "false") {
          input.dataset.kept = input.value;
        }
      });
    }
    return { box, show };
  }

  scratchgen.arrays = { view, format, shapeText, entryName };
})();
