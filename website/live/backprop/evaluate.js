// Evaluates the lines of a program, which website/backprop takes from the library's source, and differentiates
// numerically. An array is {shape, data} with a Float64Array; the shape of a number is [].
//
//   const values = scratchgen.lines.run(lines, inputs);                  name -> array
//   const error = scratchgen.lines.rounding(lines, inputs, values, of);
//   scratchgen.lines.differences(lines, values, of, "W1", error)          central differences of `of` by W1
"use strict";

(() => {
  const T = scratchgen.tensor;
  const NEAR = 1e-5;                    // to the kink of ReLU
  const number = (value) => ({ shape: [], data: Float64Array.of(value) });
  const size = (shape) => shape.reduce((a, b) => a * b, 1);

  // The index of an entry of the result in an operand that is broadcast: a number, a row (C,), or a matrix (N, C).
  function position(shape, i, columns) {
    if (shape.length === 0) return 0;
    return shape.length === 1 ? i % columns : i;
  }

  function entrywise(f, ...parts) {
    const shape = parts.reduce((a, b) => (b.shape.length > a.length ? b.shape : a), []);
    const columns = shape.length ? shape[shape.length - 1] : 1, out = T.zeros(shape, Float64Array);
    for (const part of parts) {
      if (part.shape.some((n, i) => n !== shape[shape.length - part.shape.length + i])) {
        throw new Error(`shapes ${JSON.stringify(parts.map((p) => p.shape))} do not match`);
      }
    }
    for (let i = 0; i < out.data.length; i++) {
      out.data[i] = f(...parts.map((part) => part.data[position(part.shape, i, columns)]));
    }
    return out;
  }

  function sum(x, axis) {
    if (axis === "all") return number(T.sum(x));
    if (axis !== 0) throw new Error(`no sum over axis ${axis}`);
    return x.shape.length === 2 ? T.sumRows(x) : number(T.sum(x));
  }

  const count = (x, axis) => (axis === "all" ? x.data.length : x.shape[0]);
  const ENTRYWISE = {
    "+": (a, b) => a + b, "-": (a, b) => a - b, "*": (a, b) => a * b, "/": (a, b) => a / b, "**": Math.pow,
    ">": (a, b) => Number(a > b), "<": (a, b) => Number(a < b),
    ">=": (a, b) => Number(a >= b), "<=": (a, b) => Number(a <= b),
    neg: (a) => -a, abs: Math.abs, exp: Math.exp, expm1: Math.expm1, log1p: Math.log1p, sqrt: Math.sqrt,
    tanh: Math.tanh, square: (a) => a * a, maximum: Math.max, minimum: Math.min, where: (c, a, b) => (c ? a : b),
  };
  const WHOLE = {
    "@": T.matmul,
    T: T.transpose,
    concatenate: T.concatenate,
    len: (x) => number(x.shape[0]),
  };

  function evaluate(tree, values) {
    if (typeof tree === "number") return number(tree);
    if (typeof tree === "string") {
      if (!(tree in values)) throw new Error(`${tree} has no value yet`);
      return values[tree];
    }
    const [name, ...rest] = tree;
    if (name === "half") {
      const h = evaluate(rest[0], values), width = h.shape[1] / 2;
      return T.columns(h, rest[1] * width, (rest[1] + 1) * width);
    }
    if (name === "sum") return sum(evaluate(rest[0], values), rest[1]);
    if (name === "mean") {
      const x = evaluate(rest[0], values), n = count(x, rest[1]);
      return entrywise((a) => a / n, sum(x, rest[1]));
    }
    const parts = rest.map((part) => evaluate(part, values));
    return name in WHOLE ? WHOLE[name](...parts) : entrywise(ENTRYWISE[name], ...parts);
  }

  // override : a name and an array that replaces its value as soon as it is known
  function run(lines, inputs, override = null) {
    const values = { ...inputs };
    if (override && override.name in values) values[override.name] = override.array;
    for (const line of lines) {
      for (const [name, tree] of line.assigns) {
        values[name] = override && override.name === name ? override.array : evaluate(tree, values);
      }
    }
    return values;
  }

  // The values after entry i of one of them was replaced.
  function replaced(lines, values, name, i, entry) {
    const array = T.copy(values[name]), own = lines.findIndex((line) => line.assigns.some(([made]) => made === name));
    array.data[i] = entry;
    return run(lines.slice(own + 1), values, { name, array });
  }

  // How much rounding can change a number: each value that it depends on is rounded by up to a part EPSILON of it.
  function rounding(lines, inputs, values, of) {
    const forward = lines.filter((line) => !line.backward), part = 1e-6, middle = evaluate(of, values).data[0];
    const names = [...Object.keys(inputs), ...forward.flatMap((line) => line.assigns.map(([name]) => name))];
    let moved = 0;
    for (const name of names) {
      for (let i = 0; i < values[name].data.length; i++) {
        const found = replaced(forward, values, name, i, values[name].data[i] * (1 + part));
        moved += Math.abs(evaluate(of, found).data[0] - middle);
      }
    }
    return moved * Number.EPSILON / part;
  }

  // Central differences of a number by each entry of an array.
  // error : of the number, by rounding
  // doubt : how far a difference may be from the derivative, by rounding and because the function is curved
  // kink : whether an input of ReLU is 0, or almost, and the slopes on both sides clearly differ
  function differences(lines, values, of, name, error) {
    const forward = lines.filter((line) => !line.backward), at = values[name];
    const folded = forward.flatMap((line) => line.assigns)
      .filter(([, [f, x, y]]) => f === "maximum" && typeof x === "string" && y === 0).map(([, tree]) => tree[1]);
    const inputsOfReLU = (found) => folded.flatMap((x) => Array.from(found[x].data));
    const numeric = T.zeros(at.shape, Float64Array), doubt = T.zeros(at.shape, Float64Array), kink = [];
    const middle = evaluate(of, values).data[0], sides = inputsOfReLU(values);
    const moved = (i, h) => {
      const found = replaced(forward, values, name, i, at.data[i] + h);
      return { value: evaluate(of, found).data[0], sides: inputsOfReLU(found) };
    };
    for (let i = 0; i < at.data.length; i++) {
      const h = 1e-6 * Math.max(1, Math.abs(at.data[i])), noise = 4 * error / h;
      const above = moved(i, h), below = moved(i, -h);
      const closer = (moved(i, h / 10).value - moved(i, -h / 10).value) / (h / 5);
      numeric.data[i] = (above.value - below.value) / (2 * h);
      const crossed = sides.filter((_, j) => above.sides[j] > 0 !== below.sides[j] > 0);
      const slopesDiffer = Math.abs(above.value - 2 * middle + below.value) / h > 2 * noise;
      kink.push(slopesDiffer && crossed.some((v) => Math.abs(v) <= NEAR));
      doubt.data[i] = crossed.length && !kink[i] ? Infinity : noise + 2 * Math.abs(numeric.data[i] - closer);
    }
    return { numeric, doubt, kink };
  }

  // The variables that an expression reads.
  function reads(tree) {
    if (typeof tree === "string") return [tree];
    return Array.isArray(tree) ? tree.slice(1).flatMap((part) => (part === "all" ? [] : reads(part))) : [];
  }

  const of = (value) => (Array.isArray(value) ? T.of(value, Float64Array) : number(value));
  scratchgen.lines = { run, evaluate, rounding, differences, reads, of, size };
})();
