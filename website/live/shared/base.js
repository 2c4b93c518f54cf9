// The namespace of the live pages, their data, and the choice between light and dark.
//
//   scratchgen.data("name")      an entry of the page's data; arrays are tensors {shape, data}
//   scratchgen.theme.colours()   the current colours of theme.css: {text, muted, blue, ...}
//   scratchgen.theme.onChange(f) calls f after light was changed to dark or back
//   scratchgen.say(text)         writes a description into the page's aria-live region
"use strict";

window.scratchgen = {};

(() => {
  const NAMES = ["page", "panel", "text", "muted", "border", "hairline", "accent", "paper", "stroke",
                 "blue", "orange", "green", "purple", "red"];
  const listeners = [];
  let colours = null;

  function read() {
    const style = getComputedStyle(document.documentElement);
    colours = Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  }

  function isDark() {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  }

  function changed() {
    read();
    const button = document.getElementById("theme-toggle");
    if (button) button.textContent = isDark() ? "Light colours" : "Dark colours";
    for (const listener of listeners) listener();
  }

  function choose(theme) {
    document.documentElement.dataset.theme = theme;
    try { localStorage.setItem("theme", theme); } catch { /* a page without storage keeps no choice */ }
    changed();
  }

  let remembered = null;
  try { remembered = localStorage.getItem("theme"); } catch { /* as above */ }
  if (remembered === "dark" || remembered === "light") document.documentElement.dataset.theme = remembered;
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  document.addEventListener("DOMContentLoaded", () => {
    changed();
    const button = document.getElementById("theme-toggle");
    if (button) button.addEventListener("click", () => choose(isDark() ? "light" : "dark"));
  });

  scratchgen.theme = {
    isDark,
    choose,
    colours() { if (!colours) read(); return colours; },
    onChange(listener) { listeners.push(listener); },
  };

  let said = "", waiting = 0;
  scratchgen.say = (text) => {        // at most four times a second, so that a screen reader can follow
    said = text;
    if (waiting) return;
    waiting = setTimeout(() => {
      waiting = 0;
      const region = document.getElementById("live-description");
      if (region) region.textContent = said;
    }, 250);
  };

  // IEEE half precision, as a table of all 65,536 values.
  let halves = null;
  function half(bits) {
    const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }

  function decode({ dtype, shape, base64 }) {
    const text = atob(base64), bytes = new Uint8Array(text.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
    if (dtype === "float16") {
      if (!halves) halves = Float32Array.from({ length: 65536 }, (_, i) => half(i));
      const bits = new Uint16Array(bytes.buffer), data = new Float32Array(bits.length);
      for (let i = 0; i < bits.length; i++) data[i] = halves[bits[i]];
      return { shape, data };
    }
    const kinds = { float32: Float32Array, float64: Float64Array, int32: Int32Array, uint8: Uint8Array,
                    int8: Int8Array };
    return { shape, data: new kinds[dtype](bytes.buffer) };
  }

  function decodeAll(value) {
    if (Array.isArray(value)) return value.map(decodeAll);
    if (value === null || typeof value !== "object") return value;
    if ("base64" in value) return decode(value);
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, decodeAll(entry)]));
  }

  let raw = null;
  const decoded = new Map();
  scratchgen.data = (name) => {
    if (!raw) raw = JSON.parse(document.getElementById("page-data").textContent);
    if (!(name in raw)) throw new Error(`the page has no data named ${name}, only ${Object.keys(raw)}`);
    if (!decoded.has(name)) decoded.set(name, decodeAll(raw[name]));
    return decoded.get(name);
  };
})();
