// Evaluates the lines of a program, which website/backprop takes from the library's source, and differentiates
// numerically. An array is {shape, data} with a Float64Array; the shape of a number is [].
//
//   const values = scratchgen.lines.run(lines, inputs);                  name -> array
//   scratchgen.lines.differences(lines, inputs, of, "W1")                central differences of `of` by W1
"use strict";

(() => {
  const T = scratchgen.tensor;
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

  // Central differences of a number by each entry of an array, and the slopes on both sides.
  function differences(lines, inputs, values, of, name) {
    const forward = lines.filter((line) => !line.backward), at = values[name];
    const out = T.zeros(at.shape, Float64Array), left = T.zeros(at.shape, Float64Array);
    const right = T.zeros(at.shape, Float64Array), middle = evaluate(of, values).data[0];
    const moved = (i, h) => {
      const array = T.copy(at);
      array.data[i] += h;
      return evaluate(of, run(forward, inputs, { name, array })).data[0];
    };
    for (let i = 0; i < at.data.length; i++) {
      const h = 1e-6 * Math.max(1, Math.abs(at.data[i])), above = moved(i, h), below = moved(i, -h);
      out.data[i] = (above - below) / (2 * h);
      left.data[i] = (middle - below) / h;
      right.data[i] = (above - middle) / h;
    }
    return { numeric: out, left, right };
  }

  // The variables that an expression reads.
  function reads(tree) {
    if (typeof tree === "string") return [tree];
    return Array.isArray(tree) ? tree.slice(1).flatMap((part) => (part === "all" ? [] : reads(part))) : [];
  }

  const of = (value) => (Array.isArray(value) ? T.of(value, Float64Array) : number(value));
  scratchgen.lines = { run, evaluate, differences, reads, of, size };
})();
