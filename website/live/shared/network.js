// Forward passes of networks that website/networks.py describes.
//
//   scratchgen.network.forward(description, x)                     a layer or a Sequential
//   scratchgen.network.residualNet(description, x, t, labels)      a ResidualNet of a time and a class
"use strict";

(() => {
  const T = scratchgen.tensor;

  const LAYERS = {
    Linear: (s, x) => T.affine(x, s.weight, s.bias),
    ReLU: (s, x) => T.relu(x),
    LeakyReLU: (s, x) => T.leakyRelu(x, s.negative_slope),
    ELU: (s, x) => T.elu(x, s.alpha),
    Sigmoid: (s, x) => T.sigmoid(x),
    Tanh: (s, x) => T.tanh(x),
    SiLU: (s, x) => T.silu(x),
    GELU: (s, x) => T.gelu(x),
    Softplus: (s, x) => T.softplus(x),
    Dropout: (s, x) => x,
    Reshape: (s, x) => T.reshape(x, [x.shape[0], ...s.shape]),
    Flatten: (s, x) => T.reshape(x, [x.shape[0], x.data.length / x.shape[0]]),
    Upsample: (s, x) => T.upsample(x, s.scale),
    Conv2d: (s, x) => T.conv2d(x, s.weight, s.bias, s.stride, s.padding),
    ConvTranspose2d: (s, x) =>
      T.convTranspose2d(x, s.weight, s.bias, s.stride, s.padding, s.output_padding),
    MaxPool2d: (s, x) => T.maxPool2d(x, s.kernel, s.stride),
    BatchNorm: (s, x) => T.batchNorm(x, s.weight, s.bias, s.running_mean, s.running_var, s.eps),
    LayerNorm: (s, x) => T.layerNorm(x, s.weight, s.bias, s.eps),
    GroupNorm: (s, x) => T.groupNorm(x, s.weight, s.bias, s.groups, s.eps),
    Sequential: (s, x) => s.layers.reduce((h, layer) => forward(layer, h), x),
  };

  function forward(description, x) {
    const layer = LAYERS[description.layer];
    if (!layer) throw new Error(`network.js has no layer ${description.layer}`);
    return layer(description, x);
  }

  // Sines and cosines of times t (N,) at frequencies from 1,000 to 0.1 radians.           (TIME.1), (TIME.2)
  function timeEmbedding(t, features, frequencies) {
    const k = features / 2, out = T.like(t, [t.data.length, features]);
    for (let n = 0; n < t.data.length; n++) for (let i = 0; i < k; i++) {
      const angle = Math.fround(t.data[n] * frequencies.data[i]);     // rounded as in the library
      out.data[n * features + i] = Math.sin(angle);
      out.data[n * features + k + i] = Math.cos(angle);
    }
    return out;
  }

  // The embedding e of times and classes.                                                         (COND.1)
  function condition(s, t, labels) {
    let r = forward(s.time, timeEmbedding(t, s.frequencies.shape[0] * 2, s.frequencies));
    if (s.label) {
      const width = r.shape[1], rows = T.like(r);
      for (let n = 0; n < t.data.length; n++) {
        const y = labels ? labels[n] : s.label.shape[0] - 1;
        rows.data.set(s.label.data.subarray(y * width, (y + 1) * width), n * width);
      }
      r = T.add(r, rows);
    }
    return T.silu(r);
  }

  // x (N, D), t a tensor (N,), labels an array of integers or null for no class.                (RESNET.1)
  function residualNet(s, x, t, labels = null) {
    const e = condition(s.condition, t, labels);
    let h = forward(s.first, x);
    for (const block of s.blocks) {
      const shifted = T.add(forward(block.first, h), forward(block.shift, e));        // (RES.1), (RES.2)
      h = T.add(h, forward(block.second, shifted));                                   // (RES.3)
    }
    return forward(s.last, h);
  }

  scratchgen.network = { forward, residualNet, timeEmbedding, condition };
})();
