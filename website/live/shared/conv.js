// Convolutions, upsampling and normalisation, as in scratchgen/layers: images (N, H, W, C), weights (KH, KW, C_in,
// C_out), and stride and padding as pairs [height, width].
"use strict";

(() => {
  const T = scratchgen.tensor;

  T.conv2d = (x, weight, bias, stride, padding) => {
    const [n, height, width, cin] = x.shape, [kh, kw, , cout] = weight.shape;
    const [sh, sw] = stride, [ph, pw] = padding;
    const oh = Math.floor((height + 2 * ph - kh) / sh) + 1, ow = Math.floor((width + 2 * pw - kw) / sw) + 1;
    const out = T.like(x, [n, oh, ow, cout]), sums = new Float64Array(cout);
    for (let b = 0, at = 0; b < n; b++) for (let i = 0; i < oh; i++) for (let j = 0; j < ow; j++, at += cout) {
      if (bias) sums.set(bias.data); else sums.fill(0);
      for (let u = 0; u < kh; u++) for (let v = 0; v < kw; v++) {
        const row = i * sh - ph + u, column = j * sw - pw + v;
        if (row < 0 || row >= height || column < 0 || column >= width) continue;
        const from = ((b * height + row) * width + column) * cin;
        for (let c = 0; c < cin; c++) {
          const value = x.data[from + c];
          if (value === 0) continue;
          const w = ((u * kw + v) * cin + c) * cout;
          for (let d = 0; d < cout; d++) sums[d] += value * weight.data[w + d];       // (CONV.2)
        }
      }
      out.data.set(sums, at);
    }
    return out;
  };

  // A weight (KH, KW, C_in, C_out) as a matrix (C_in, KH·KW·C_out). It is made once, as the weights
  // of convolutions do not change.
  const matrices = new WeakMap();
  function byChannel(weight) {
    if (!matrices.has(weight)) {
      const [kh, kw, cin, cout] = weight.shape, width = kh * kw * cout, out = T.like(weight, [cin, width]);
      for (let k = 0, at = 0; k < kh * kw; k++) for (let c = 0; c < cin; c++, at += cout) {
        out.data.set(weight.data.subarray(at, at + cout), c * width + k * cout);
      }
      matrices.set(weight, out);
    }
    return matrices.get(weight);
  }

  T.convTranspose2d = (x, weight, bias, stride, padding, outputPadding = [0, 0]) => {
    const [n, height, width, cin] = x.shape, [kh, kw, , cout] = weight.shape;
    const [sh, sw] = stride, [ph, pw] = padding;
    const oh = (height - 1) * sh - 2 * ph + kh + outputPadding[0];
    const ow = (width - 1) * sw - 2 * pw + kw + outputPadding[1];
    const sums = new Float64Array(n * oh * ow * cout);
    if (bias) for (let i = 0; i < sums.length; i++) sums[i] = bias.data[i % cout];
    const pixels = T.reshape(T.float64(x), [n * height * width, cin]);
    const patches = T.affine(pixels, byChannel(weight)).data;                                   // (CONVT.1)
    for (let b = 0, p = 0; b < n; b++) for (let i = 0; i < height; i++) for (let j = 0; j < width; j++) {
      for (let u = 0; u < kh; u++) for (let v = 0; v < kw; v++, p += cout) {
        const row = i * sh - ph + u, column = j * sw - pw + v;
        if (row < 0 || row >= oh || column < 0 || column >= ow) continue;
        const to = ((b * oh + row) * ow + column) * cout;
        for (let d = 0; d < cout; d++) sums[to + d] += patches[p + d];                   // (CONVT.2)
      }
    }
    const out = T.like(x, [n, oh, ow, cout]);
    out.data.set(sums);
    return out;
  };

  T.maxPool2d = (x, kernel, stride) => {                                                        // (MAXP.1)
    const [n, height, width, c] = x.shape, [kh, kw] = kernel, [sh, sw] = stride;
    const oh = Math.floor((height - kh) / sh) + 1, ow = Math.floor((width - kw) / sw) + 1;
    const out = T.like(x, [n, oh, ow, c]);
    for (let b = 0, at = 0; b < n; b++) for (let i = 0; i < oh; i++) for (let j = 0; j < ow; j++) {
      for (let d = 0; d < c; d++, at++) {
        let largest = -Infinity;
        for (let u = 0; u < kh; u++) for (let v = 0; v < kw; v++) {
          largest = Math.max(largest, x.data[((b * height + i * sh + u) * width + j * sw + v) * c + d]);
        }
        out.data[at] = largest;
      }
    }
    return out;
  };

  T.upsample = (x, scale) => {
    const [n, height, width, c] = x.shape, out = T.like(x, [n, scale * height, scale * width, c]);
    for (let b = 0, at = 0; b < n; b++) for (let i = 0; i < scale * height; i++) {
      for (let j = 0; j < scale * width; j++, at += c) {
        const from = ((b * height + Math.floor(i / scale)) * width + Math.floor(j / scale)) * c;
        for (let d = 0; d < c; d++) out.data[at + d] = x.data[from + d];
      }
    }
    return out;
  };

  // Batch norm with running statistics, for x (N, ..., C).                                         (BN.12)
  T.batchNorm = (x, weight, bias, mean, variance, eps) => {
    const out = T.like(x), c = weight.data.length;
    const inverse = Float64Array.from(variance.data, (v) => 1 / Math.sqrt(v + eps));
    for (let i = 0; i < out.data.length; i++) {
      const j = i % c;
      out.data[i] = weight.data[j] * (x.data[i] - mean.data[j]) * inverse[j] + bias.data[j];
    }
    return out;
  };

  // Group norm of x (N, ..., C): each group of C / groups channels of an example has mean 0 and variance 1.
  T.groupNorm = (x, weight, bias, groups, eps) => {
    const n = x.shape[0], c = weight.data.length, per = c / groups, out = T.like(x);
    const pixels = x.data.length / n / c, count = pixels * per;
    for (let b = 0; b < n; b++) for (let g = 0; g < groups; g++) {
      const start = b * pixels * c + g * per;
      let mean = 0, variance = 0;
      for (let p = 0; p < pixels; p++) for (let k = 0; k < per; k++) mean += x.data[start + p * c + k] / count;
      for (let p = 0; p < pixels; p++) for (let k = 0; k < per; k++) {
        variance += (x.data[start + p * c + k] - mean) ** 2 / count;                   // (GN.3)
      }
      const inverse = 1 / Math.sqrt(variance + eps);
      for (let p = 0; p < pixels; p++) for (let k = 0; k < per; k++) {
        const at = start + p * c + k, channel = g * per + k;
        out.data[at] = weight.data[channel] * (x.data[at] - mean) * inverse + bias.data[channel];  // (GN.5)
      }
    }
    return out;
  };

  // Layer norm of x (..., C) is group norm of rows with one group.                            (LN.1) to (LN.5)
  T.layerNorm = (x, weight, bias, eps) => {
    const c = weight.data.length, flat = T.reshape(x, [x.data.length / c, c]);
    return T.reshape(T.groupNorm(flat, weight, bias, 1, eps), x.shape);
  };
})();
