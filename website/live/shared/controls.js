// Labelled controls, usable with a mouse, a finger and the keyboard. Each function adds one to `parent` and returns
// an object with its value:
//
//   const rate = scratchgen.controls.slider(parent, {label: "learning rate", min: -4, max: -1, step: 0.1, value: -3,
//                                                    show: (v) => (10 ** v).toPrecision(2), onInput: (v) => ...});
//   rate.value;  rate.set(-2);          set() does not call onInput
"use strict";

(() => {
  const C = scratchgen.controls = {};
  let made = 0;

  function element(name, attributes = {}, ...children) {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (value === true) node.setAttribute(key, "");
      else if (value !== false && value !== null && value !== undefined) node.setAttribute(key, value);
    }
    node.append(...children);
    return node;
  }
  C.element = element;

  function labelled(parent, kind, label, input, ...more) {
    input.id = `control-${++made}`;
    const text = element("span", {}, label);
    const box = element("div", { class: `control ${kind}` });
    const tag = element("label", { for: input.id }, ...(kind === "check" ? [input, text] : [text, ...more]));
    box.append(tag);
    if (kind !== "check") box.append(input);
    parent.append(box);
    return { box, text };
  }

  C.slider = (parent, { label, min, max, step, value, show = String, onInput = () => {} }) => {
    const input = element("input", { type: "range", min, max, step, value });
    const output = element("output", {});
    const { box, text } = labelled(parent, "slider", label, input, output);
    output.htmlFor = input.id;
    const refresh = () => {
      output.textContent = show(Number(input.value));
      input.setAttribute("aria-valuetext", output.textContent);
    };
    input.addEventListener("input", () => { refresh(); onInput(Number(input.value)); });
    refresh();
    return {
      box, input,
      get value() { return Number(input.value); },
      set(next) { input.value = next; refresh(); },
      label(next) { text.textContent = next; },
    };
  };

  // onChange is called when the entry is finished, for numbers in [min, max] that are multiples of step above min.
  // Another entry is marked as invalid. hint : a small text below
  C.number = (parent, { label, hint, min = -Infinity, max = Infinity, step = "any", value, onChange = () => {} }) => {
    const input = element("input", {
      type: "number", step, value, inputmode: "decimal",
      min: Number.isFinite(min) ? min : null, max: Number.isFinite(max) ? max : null,
    });
    const { box } = labelled(parent, "number", label, input);
    if (hint) {
      box.append(element("small", { id: `${input.id}-hint`, class: "muted" }, hint));
      input.setAttribute("aria-describedby", `${input.id}-hint`);
    }
    const valid = () => input.value !== "" && input.checkValidity();
    let last = Number(value);
    input.addEventListener("input", () => input.setAttribute("aria-invalid", String(!valid())));
    input.addEventListener("change", () => {
      if (!valid()) return;
      last = Number(input.value);
      onChange(last);
    });
    return {
      box, input,
      get value() { return last; },
      set(next) { last = Number(next); input.value = next; input.removeAttribute("aria-invalid"); },
    };
  };

  // options : [[value, text], ...]
  C.select = (parent, { label, options, value, onInput = () => {} }) => {
    const input = element("select", {}, ...options.map(([key, text]) => element("option", { value: key }, text)));
    input.value = value;
    const { box } = labelled(parent, "select", label, input);
    input.addEventListener("change", () => onInput(input.value));
    return { box, input, get value() { return input.value; }, set(next) { input.value = next; } };
  };

  C.checkbox = (parent, { label, value = false, onInput = () => {} }) => {
    const input = element("input", { type: "checkbox" });
    input.checked = value;
    const { box } = labelled(parent, "check", label, input);
    input.addEventListener("change", () => onInput(input.checked));
    return { box, input, get value() { return input.checked; }, set(next) { input.checked = next; } };
  };

  C.button = (parent, { label, main = false, onClick }) => {
    const button = element("button", { type: "button", class: main ? "main" : null }, label);
    button.addEventListener("click", onClick);
    parent.append(button);
    return button;
  };

  // One of several buttons is pressed. options : [[value, text], ...]
  C.choice = (parent, { label, options, value, onInput = () => {} }) => {
    const box = element("div", { class: "row", role: "group", "aria-label": label });
    let current = value;
    const buttons = new Map();
    const refresh = () => {
      for (const [key, button] of buttons) button.setAttribute("aria-pressed", String(key === current));
    };
    for (const [key, text] of options) {
      buttons.set(key, C.button(box, { label: text, onClick() { current = key; refresh(); onInput(key); } }));
    }
    refresh();
    parent.append(box);
    return { box, get value() { return current; }, set(next) { current = next; refresh(); } };
  };

  // A titled group of controls.
  C.group = (parent, title) => {
    const box = element("fieldset", { class: "controls" }, element("legend", {}, title));
    parent.append(box);
    return box;
  };
})();
