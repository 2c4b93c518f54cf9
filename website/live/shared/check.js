// Functions of a page that a test can call.
//
//   scratchgen.check("decode", ({z}) => decode(z));              in the page; z is a tensor
//   page.evaluate("x => scratchgenCheck('decode', x)", {"z": [[0.5, 1.0]]})        in the test
//
// Nested lists of numbers become tensors, in double precision if the inputs have "float64": true. Tensors and
// typed arrays in the result become {"shape": [...], "data": [...]}.
"use strict";

(() => {
  const checks = {};

  function isNested(value) {
    while (Array.isArray(value) && value.length) value = value[0];
    return typeof value === "number";
  }

  function encode(value) {
    if (ArrayBuffer.isView(value)) return { shape: [value.length], data: Array.from(value) };
    if (Array.isArray(value)) return value.map(encode);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, entry]) =>
      [key, ArrayBuffer.isView(entry) && key === "data" ? Array.from(entry) : encode(entry)]));
  }

  scratchgen.check = (name, run) => { checks[name] = run; };

  window.scratchgenCheck = async (name, inputs = {}) => {
    if (!(name in checks)) throw new Error(`no check named ${name}, only ${Object.keys(checks)}`);
    const Type = inputs.float64 ? Float64Array : Float32Array;
    const given = Object.fromEntries(Object.entries(inputs).map(([key, value]) =>
      [key, Array.isArray(value) && isNested(value) ? scratchgen.tensor.of(value, Type) : value]));
    return encode(await checks[name](given));
  };
})();
