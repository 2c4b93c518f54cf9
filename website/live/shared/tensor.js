// Arrays and dense layers. A tensor is {shape, data} in C order; data is a Float32Array, or a Float64Array where
// a page checks gradients. Sums are computed in double precision. Results have the type of their first argument.
//
//   const {tensor, affine, silu} = scratchgen.tensor;
//   const out = silu(affine(x, weight, bias));         x (N, I), weight (I, O), bias (O,)
"use strict";

(() => {
  const T = scratchgen.tensor = {};

  const size = (shape) => shape.reduce((a, b) => a * b, 1);

  // A tensor of `data`, a plain or typed array, which is converted to float32 unless it is a typed array.
  T.tensor = (shape, data) => {
    const values = ArrayBuffer.isView(data) ? data : Float32Array.from(data);
    if (values.length !== size(shape)) throw new Error(`expected ${size(shape)} values, got ${values.length}`);
    return { shape: [...shape], data: values };
  };
  T.zeros = (shape, Type = Float32Array) => ({ shape: [...shape], data: new Type(size(shape)) });
  T.like = (x, shape = x.shape) => T.zeros(shape, x.data.constructor);
  T.copy = (x) => ({ shape: [...x.shape], data: x.data.slice() });
  T.float64 = (x) => ({ shape: [...x.shape], data: Float64Array.from(x.data) });
  T.reshape = (x, shape) => T.tensor(shape, x.data);

  // Nested lists as a tensor, and back.
  T.of = (nested, Type = Float32Array) => {
    const shape = [];
    for (let inner = nested; Array.isArray(inner); inner = inner[0]) shape.push(inner.length);
    return { shape, data: Type.from(nested.flat(Infinity)) };
  };
  T.nested = (x) => {
    const build = (axis, start) => {
      if (axis === x.shape.length) return x.data[start];
      const step = size(x.shape.slice(axis + 1));
      return Array.from({ length: x.shape[axis] }, (_, i) => build(axis + 1, start + i * step));
    };
    return build(0, 0);
  };

  T.map = (x, f) => {
    const out = T.like(x);
    for (let i = 0; i < out.data.length; i++) out.data[i] = f(x.data[i]);
    return out;
  };
  // Entry by entry, for two tensors of the same shape.
  T.zip = (a, b, f) => {
    if (a.data.length !== b.data.length) throw new Error(`shapes ${a.shape} and ${b.shape} differ`);
    const out = T.like(a);
    for (let i = 0; i < out.data.length; i++) out.data[i] = f(a.data[i], b.data[i]);
    return out;
  };
  T.add = (a, b) => T.zip(a, b, (x, y) => x + y);
  T.subtract = (a, b) => T.zip(a, b, (x, y) => x - y);
  T.multiply = (a, b) => T.zip(a, b, (x, y) => x * y);
  T.scale = (a, factor) => T.map(a, (x) => x * factor);
  T.sum = (x) => { let total = 0; for (const value of x.data) total += value; return total; };
  T.mean = (x) => T.sum(x) / x.data.length;

  // The rows start ... stop - 1, and all columns start ... stop - 1 of a matrix.
  T.rows = (x, start, stop) => {
    const width = size(x.shape.slice(1));
    return { shape: [stop - start, ...x.shape.slice(1)], data: x.data.slice(start * width, stop * width) };
  };
  T.columns = (x, start, stop) => {
    const [n, width] = x.shape, out = T.like(x, [n, stop - start]);
    for (let i = 0; i < n; i++) {
      for (let j = start; j < stop; j++) out.data[i * (stop - start) + j - start] = x.data[i * width + j];
    }
    return out;
  };
  // Matrices with the same number of rows, next to each other.
  T.concatenate = (...parts) => {
    const n = parts[0].shape[0], width = parts.reduce((total, part) => total + part.shape[1], 0);
    const out = T.like(parts[0], [n, width]);
    for (let i = 0, at = 0; i < n; i++) {
      for (const { shape: [, w], data } of parts) {
        for (let j = 0; j < w; j++) out.data[at++] = data[i * w + j];
      }
    }
    return out;
  };
  T.transpose = (x) => {
    const [n, m] = x.shape, out = T.like(x, [m, n]);
    for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) out.data[j * n + i] = x.data[i * m + j];
    return out;
  };

  // a (N, K) times b (K, M), plus a bias (M,) if there is one.                                       (LIN.1)
  // Two rows are computed at a time, so that b is read half as often; a single last row is computed twice.
  T.affine = (a, b, bias = null) => {
    const [n, inner] = a.shape, [rows, m] = b.shape;
    if (inner !== rows) throw new Error(`affine expected ${rows} columns, got ${inner}`);
    const out = T.like(a, [n, m]), x = a.data, w = b.data, whole = inner - inner % 4;
    const first = new Float64Array(m), second = new Float64Array(m);
    for (let i = 0; i < n; i += 2) {
      const next = Math.min(i + 1, n - 1), p = i * inner, q = next * inner;
      if (bias) first.set(bias.data); else first.fill(0);
      second.set(first);
      for (let k = 0; k < whole; k += 4) {          // four rows of b at a time
        const p0 = x[p + k], p1 = x[p + k + 1], p2 = x[p + k + 2], p3 = x[p + k + 3];
        const q0 = x[q + k], q1 = x[q + k + 1], q2 = x[q + k + 2], q3 = x[q + k + 3];
        for (let j = 0, at = k * m; j < m; j++, at++) {
          const w0 = w[at], w1 = w[at + m], w2 = w[at + 2 * m], w3 = w[at + 3 * m];
          first[j] += p0 * w0 + p1 * w1 + p2 * w2 + p3 * w3;
          second[j] += q0 * w0 + q1 * w1 + q2 * w2 + q3 * w3;
        }
      }
      for (let k = whole; k < inner; k++) {
        for (let j = 0, at = k * m; j < m; j++, at++) {
          first[j] += x[p + k] * w[at];
          second[j] += x[q + k] * w[at];
        }
      }
      out.data.set(first, i * m);
      out.data.set(second, next * m);
    }
    return out;
  };
  T.matmul = (a, b) => T.affine(a, b);
  T.sumRows = (x) => {                                     // (N, M) -> (M,)
    const [n, m] = x.shape, sums = new Float64Array(m), out = T.like(x, [m]);
    for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) sums[j] += x.data[i * m + j];
    out.data.set(sums);
    return out;
  };

  // Activations, as in scratchgen/layers/activations.py.
  const sigmoid = (x) => {
    const small = Math.exp(-Math.abs(x));
    return (x < 0 ? small : 1) / (1 + small);
  };
  const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
  T.scalar = {
    sigmoid, softplus,
    relu: (x) => Math.max(x, 0),
    tanh: Math.tanh,
    silu: (x) => x * sigmoid(x),
    gelu: (x) => x * sigmoid(2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)),
  };
  for (const [name, f] of Object.entries(T.scalar)) T[name] = (x) => T.map(x, f);
  T.leakyRelu = (x, slope) => T.map(x, (value) => value < 0 ? slope * value : value);
  T.elu = (x, alpha) => T.map(x, (value) => value < 0 ? alpha * Math.expm1(value) : value);
  T.softmax = (x) => {
    const [n, m] = x.shape, out = T.like(x);
    for (let i = 0; i < n; i++) {
      const row = x.data.subarray(i * m, (i + 1) * m), largest = Math.max(...row);
      let total = 0;
      for (let j = 0; j < m; j++) total += Math.exp(row[j] - largest);
      for (let j = 0; j < m; j++) out.data[i * m + j] = Math.exp(row[j] - largest) / total;
    }
    return out;
  };
})();
