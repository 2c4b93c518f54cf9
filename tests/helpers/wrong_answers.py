"""Typical wrong answers: for each exercise, equations, the lines of a learner, and what the report says.

The last text of each row is part of the report. It names the cause where the checker can tell it.
"""

ZEROS = "dW = np.zeros((num_embeddings, dout.shape[-1]))\n"
TIMES = "f = frequencies(self.features, dout.dtype)\n"

WRONG: dict[str, list[tuple[str, str, str]]] = {
    "linear": [
        (
            "LIN.2", "self.weight.grad += rows(x).T @ rows(dout) / len(x)",
            "divided by the batch size N (7) once too often",
        ),
        ("LIN.3", "return rows(dout)[0]", "the sum over the 7 examples is missing"),
        ("LIN.4", "return -dout @ weight.T", "The sign is wrong"),
        (
            "LIN.2", "self.weight.grad += rows(dout).T @ rows(x)",
            "could not be broadcast together with shapes (5,3) (3,5)",
        ),
        ("LIN.2", "self.weight.grad += x.T @ dout", "ValueError"),
        ("LIN.3", "return dout.sum(axis=0)", "ValueError: non-broadcastable output"),
        ("LIN.2", "self.weight.grad[...] = rows(x).T @ rows(dout)", "write p.grad += a, not p.grad[...] = a"),
    ],
    "relu": [
        ("RELU.2", "return dout", "A mask or an index differs from that of forward"),
        ("RELU.2", "return np.where(out > 0, 0, dout)", "A mask or an index differs from that of forward"),
        ("RELU.2", "return dout * out", "every entry is what it should be times x"),
    ],
    "sigmoid": [
        ("SIG.2", "return dout * (1 - out)", "every entry is what it should be times 1/out"),
        ("SIG.2", "return -dout * out * (1 - out)", "The sign is wrong"),
        ("SIG.2", "return out * (1 - out)", "Backward is not linear in dout"),
    ],
    "squared-error": [
        ("SE.2", "dpred = 1 / len(pred) * diff", "every entry is half of what it should be"),
        ("SE.2", "dpred = 2 * diff", "multiplied by the batch size N (7)"),
        ("SE.2", "dpred = 2 / diff.size * diff", "divided by the number of features (5)"),
        ("SE.2", "dpred = 2 / len(pred) * (target - pred)", "The sign is wrong"),
    ],
    "bernoulli-loss": [
        ("BCE.2", "dlogits = sig - target", "multiplied by the batch size N (7)"),
        ("BCE.2", "dlogits = 1 / len(logits) * (target - sig)", "The sign is wrong"),
        (
            "BCE.2", "dlogits = 1 / len(logits) * (sig - target) * sig * (1 - sig)",
            "the derivative of the sigmoid",
        ),
    ],
    "softmax-cross-entropy": [
        ("CE.2", "dlogits = np.exp(log_p) / len(logits)", "the term with the label"),
        ("CE.2", "dlogits = np.exp(log_p)\ndlogits[n, labels] -= 1", "multiplied by the batch size N (7)"),
        (
            "CE.2", "dlogits = np.zeros_like(logits)\ndlogits[n, labels] = -1 / len(logits)",
            "No single known mistake gives these numbers",
        ),
    ],
    "silu": [
        ("SILU.2", "return dout * sig", "the formula of the derivative is"),
        ("SILU.2", "return dout * (sig + sig * (1 - sig))", "the formula of the derivative is"),
    ],
    "dropout": [
        ("DROP.2", "return dout", "This is the gradient of forward with training=False"),
        ("DROP.2", "return dout if mask is None else dout * (mask > 0)", "multiplied by 1 − p (0.6)"),
    ],
    "autoencoder": [
        ("AE.5", "dz = -self.decoder.backward(cache.dout, cache.dec)", "The sign is wrong"),
        (
            "AE.5", "dz = self.decoder.backward(cache.dout, cache.dec) / len(cache.dout)",
            "every entry is 1/5 of what it should be",
        ),
        (
            "AE.5", "dz = self.decoder.backward(cache.dout, cache.enc)",
            "TypeError: Sequential.backward expected the cache that forward returned, got a list of 3",
        ),
    ],
    "adam": [
        ("ADAM.1", "m[:] = beta1 * m + grad", "m after step 1 (5,): largest error 9.0e+00"),
        ("ADAM.2", "v[:] = beta2 * v + (1 - beta2) * grad", "v after step 1 (5,)"),
        ("ADAM.3", "value -= lr * m / (np.sqrt(v) + eps)", "every entry is 3.16228 times what it should be"),
        (
            "ADAM.3", "value += lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)",
            "The sign is wrong",
        ),
    ],
    "batch-norm": [
        ("BN.6", "dxhat = dout", "every entry is what it should be times 1/weight"),
        ("BN.7", "return (dout * xhat).mean(axis=0), dout.mean(axis=0)", "divided by the batch size N (5)"),
        ("BN.9", "dxc = dxhat", "comes from a sum or mean over axis 0 (the batch)"),
        ("BN.10", "dx = inv * dxc", "comes from a sum or mean over axis 0 (the batch)"),
        ("BN.10", "dx = inv * (dxc + dxc.mean(axis=0))", "comes from a sum or mean over axis 0 (the batch)"),
    ],
    "layer-norm": [
        ("LN.6", "dxhat = dout", "No single known mistake gives these numbers"),
        ("LN.9", "dxc = dxhat + 2 * xhat * dvar", "comes from a sum or mean over axis 1 (the features)"),
        ("LN.10", "return inv * (dxc - dxc.mean(axis=0))", "a sum is over too many entries"),
    ],
    "group-norm": [
        (
            "GN.7", "dweight = (dout * xhat).sum(axis=0)",
            "with shape (4,) doesn't match the broadcast shape (3,4)",
        ),
        (
            "GN.8", "dvar = 0.5 * (dxhat * xhat).sum(axis=2, keepdims=True)",
            "comes from a sum or mean over the positions",
        ),
        ("GN.10", "dx = inv[:, :, None] * dxc", "comes from a sum or mean over the positions"),
    ],
    "average-pooling": [
        ("AVGP.2", "padded[:, i, j] += dout", "every entry is 4 times what it should be"),
        (
            "AVGP.2", "padded[:, i, j] = dout / (kernel[0] * kernel[1])",
            "assigned where they must be added up",
        ),
    ],
    "max-pooling": [
        ("MAXP.2", "dx[examples, where, np.arange(channels)] += dout", "np.add.at(grad, ids, dout) adds all"),
        ("MAXP.2", "dx[:] = 0", "Backward returns zeros"),
        ("MAXP.2", "np.add.at(dx, (examples, where, np.arange(channels)), -dout)", "The sign is wrong"),
    ],
    "convolution": [
        (
            "CONV.3", "return np.tensordot(cols, dout, axes=((0, 1, 2), (0, 1, 2))) / len(x)",
            "divided by the batch size N (3)",
        ),
        (
            "CONV.3", "return np.tensordot(cols, dout, axes=((0, 1, 2), (0, 1, 2)))[::-1, ::-1]",
            "reversed along axis 0 and 1",
        ),
        ("CONV.4", "self.bias.grad += dout[0].sum(axis=(0, 1))", "the sum over the 3 examples is missing"),
        ("CONV.6", "padded[:, i, j] = cols[:, :, :, u, v]", "assigned where they must be added up"),
    ],
    "transposed-convolution": [
        (
            "CONVT.4", "dv = np.tensordot(dcols, x, axes=((0, 1, 2), (0, 1, 2))) / len(x)",
            "divided by the batch size N (4)",
        ),
        ("CONVT.6", "return -np.tensordot(dcols, weight, axes=((3, 4, 5), (0, 1, 3)))", "The sign is wrong"),
        (
            "CONVT.6", "w = weight[::-1, ::-1]\nreturn np.tensordot(dcols, w, axes=((3, 4, 5), (0, 1, 3)))",
            "The kernel is reversed along axis 1 and 2",
        ),
    ],
    "embedding": [
        ("EMB.2", ZEROS + "dW[ids] += dout\nreturn dW", "np.add.at(grad, ids, dout) adds all"),
        ("EMB.2", ZEROS + "np.add.at(dW, ids, -dout)\nreturn dW", "The sign is wrong"),
        ("EMB.2", "return dout", "could not be broadcast"),
    ],
    "attention-mask": [
        ("ATT.3", "scale = 1 / q.shape[3]", "all positions: weights p (2, 2, 4, 4)"),
        (
            "ATT.4",
            "seen = np.tril(np.ones(scores.shape[2:], bool)) if causal else True\n"
            "masked = np.where(seen, scale * scores, 0)",
            "causal: weights p",
        ),
        (
            "ATT.4",
            "seen = np.triu(np.ones(scores.shape[2:], bool)) if causal else True\n"
            "masked = np.where(seen, scale * scores, -np.inf)",
            "causal: weights p",
        ),
        (
            "ATT.5",
            "e = np.exp(masked - masked.max(axis=3, keepdims=True))\np = e / e.sum(axis=2, keepdims=True)",
            "all positions: weights p",
        ),
        (
            "ATT.5",
            "with np.errstate(all='ignore'):\n    e = np.exp(masked)\n"
            "    p = e / e.sum(axis=3, keepdims=True)",
            "large scores: weights p",
        ),
    ],
    "attention": [
        ("ATT.8", "dv = p @ dy", "the transpose of the matrix that it needs"),
        ("ATT.10", "dmasked = p * dp", "No single known mistake gives these numbers"),
        (
            "ATT.10", "dmasked = p * (dp - (p * dp).sum(axis=2, keepdims=True))",
            "a sum is over too many entries",
        ),
        ("ATT.11", "dscores = dmasked", "multiplied by the square root of head_features"),
        ("ATT.13", "dk = dscores @ q", "A term is missing"),
    ],
    "transformer-block": [
        ("TFB.3", "dh = df", "input (2, 2, 3)"),
        ("TFB.4", "return da if input_grad else None", "input (2, 2, 3)"),
        ("TFB.4", "return dout + da if input_grad else None", "input (2, 2, 3)"),
    ],
    "cross-attention": [
        ("XATT.7", "dv, dp = p @ dy, dy @ v.swapaxes(2, 3)", "mismatch in its core dimension"),
        ("XATT.8", "return p * dp", "No single known mistake gives these numbers"),
        ("XATT.8", "return p * (dp - (p * dp).sum(axis=-2, keepdims=True))", "All 64 entries are wrong"),
        ("XATT.9", "dq, dk = dscores @ k, dscores.swapaxes(2, 3) @ q", "every entry is 1.73205 times"),
        (
            "XATT.9", "dq, dk = scale * (dscores @ k), scale * (dscores.swapaxes(2, 3) @ v)",
            "mismatch in its core dimension",
        ),
    ],
    "rnn": [
        ("RNN.2", "da = dh", "No single known mistake gives these numbers"),
        ("BPTT.5", "inside = (dh_out, *inside[1:])", "through a state that is carried on"),
        (
            "BPTT.7", "ds = (du @ weight, *ds[1:])",
            "a term is missing or wrong in these alone",
        ),
        (
            "BPTT.8", "self.recurrent_weight.grad += rows(du).T @ rows(h_before)",
            "It is the transpose of what it should be",
        ),
        (
            "BPTT.9", "self.weight.grad += cache.x[-1].T @ da[-1]",
            "No single known mistake gives these numbers",
        ),
    ],
    "lstm": [
        ("LSTM.5", "dc = tanh_backward(dh * o, tanh_c)", "input (2, 3, 2)"),
        ("LSTM.6", "di, df, dg = dc * i, dc * c, dc * g", "weight (2, 8)"),
        ("LSTM.7", "dc_before = dc", "input (2, 3, 2)"),
        ("LSTM.8", "da = [di, df, dg, do]", "input (2, 3, 2)"),
    ],
    "gru": [
        ("GRU.4", "dn, dz = dh * (1 - z), dh * h", "input (2, 3, 2)"),
        ("GRU.5", "dh_before = dh * (1 - z)", "input (2, 3, 2)"),
        ("GRU.6", "da_n = dn", "input (2, 3, 2)"),
        ("GRU.7", "da_r, da_z = sigmoid_backward(dr, r), -sigmoid_backward(dz, z)", "weight (2, 6)"),
    ],
    "kl": [
        ("NORM.6", "return mu - prior_mean, 0.5 * np.exp(logvar)", "logvar (4, 3)"),
        ("NORM.6", "return mu - prior_mean, np.expm1(logvar)", "twice what it should be"),
        ("NORM.6", "return mu, 0.5 * np.expm1(logvar)", "mu (4, 3)"),
        ("NORM.6", "return prior_mean - mu, 0.5 * np.expm1(logvar)", "The sign is wrong"),
    ],
    "vae": [
        ("VAE.7", "dmu = dz", "encoder.2.weight[:, :2], and all others are right"),
        ("VAE.7", "dmu = dz + self.beta * dkl_dmu", "encoder.2.weight[:, :2], and all others are right"),
        (
            "VAE.8", "dlogvar = dz * cache.eps * cache.std + self.beta / n * dkl_dlogvar",
            "encoder.2.weight[:, 2:], and all others are right",
        ),
        (
            "VAE.8", "dlogvar = self.beta / n * dkl_dlogvar",
            "encoder.2.weight[:, 2:], and all others are right",
        ),
    ],
    "gan": [
        (
            "GAN.3", "loss_fake, dfake = bce_with_logits(l_fake, np.ones_like(l_fake))",
            "discriminator: loss",
        ),
        ("GAN.4", "loss, dfake = loss, dfake", "minimax: loss"),
        ("GAN.4", "loss, dfake = -loss, dfake", "The sign is wrong"),
        ("GAN.5", "loss, dfake = bce_with_logits(l_fake, np.zeros_like(l_fake))", "non saturating: loss"),
    ],
    "wgan-gp": [
        ("GP.2", "tangent = 2 * weight * (norm - 1) * direction", "every entry is 3 times what it should be"),
        (
            "GP.2", "tangent = 2 * weight / len(g) * (norm - 1) * g",
            "No single known mistake gives these numbers",
        ),
        ("GP.4", "tangent = tangent", "Linear expected input of shape (N, 4), got (3, 3)"),
        ("GP.5", "tangent_backward(layer, -a, tangent)", "The sign is wrong"),
        ("GP.3", "adjoint = layer.jvp(adjoint, cache)", "expected a gradient or tangent of shape (3, 4)"),
    ],
    "info-gan": [
        (
            "INFO.5", "return sum(map(math.log, self.categories)) + self.continuous * math.log(0.5)",
            "both kinds: H(c)",
        ),
        (
            "INFO.3",
            "loss, dq = softmax_cross_entropy(np.ascontiguousarray(q[:, columns]), labels)\n"
            "loss, dq = -loss, -dq",
            "value: categories: L",
        ),
        (
            "INFO.4",
            "squares, dq = squared_error(mean, target)\n"
            "loss = squares / (2 * self.std**2) + self.continuous * (math.log(self.std) + 0.5 * LOG_2PI)",
            "gradient: discriminator.0.weight",
        ),
        (
            "INFO.4",
            "squares, dq = squared_error(mean, target)\nscale = 1 / (2 * self.std**2)\n"
            "loss, dq = squares * scale + math.log(self.std) + 0.5 * LOG_2PI, dq * scale",
            "both kinds: L",
        ),
        (
            "INFO.6",
            "dout = np.concatenate([game.dlogits, 0 * cache.dq], axis=1)\n"
            "dfake = self.discriminator.backward(dout, game.dis)",
            "gradient: generator.0.weight",
        ),
    ],
    "masked-linear": [
        ("MASK.2", "return rows(x).T @ rows(dout)", "Backward gives a gradient to 6 entries that have none"),
        ("MASK.3", "return -dout @ masked.T", "The sign is wrong"),
        ("MASK.3", "return dout @ masked", "mismatch in its core dimension"),
    ],
    "additive-coupling": [
        ("NICE.4", "dkept = dkept", "A term is missing"),
        (
            "NICE.4", "dkept = self.conditioner.backward(dmoved, cond)",
            "one way from the input to the output is missing",
        ),
        (
            "NICE.4", "dkept = dkept - self.conditioner.backward(dmoved, cond)",
            "a term is missing or wrong in these alone",
        ),
    ],
    "affine-coupling": [
        ("RNVP.5", "dlog_scale = dmoved * moved", "a term is missing or wrong in these alone"),
        ("RNVP.6", "dr = dlog_scale * (1 - log_scale**2)", "a term is missing or wrong in these alone"),
        ("RNVP.6", "dr = dlog_scale", "a term is missing or wrong in these alone"),
        ("RNVP.7", "dkept = dkept", "one way from the input to the output is missing"),
    ],
    "time-embedding": [
        (
            "TIME.3", TIMES + "return (f * (dsin * cos + dcos * sin)).sum(axis=1)",
            "No single known mistake gives these numbers",
        ),
        (
            "TIME.3", "return (dsin * cos - dcos * sin).sum(axis=1)",
            "No single known mistake gives these numbers",
        ),
        (
            "TIME.3", TIMES + "return (f * (dsin * cos - dcos * sin)).mean(axis=1)",
            "every entry is half of what it should be",
        ),
    ],
    "residual-block": [
        ("RES.5", "de = self.shift.backward(dshift / 4, cache.e)", "input (2, 11)"),
        ("RES.6", "return (dfirst if input_grad else None), de", "input (2, 11)"),
        ("RES.6", "return (dskip if input_grad else None), de", "input (2, 11)"),
    ],
    "diffusion": [
        ("DIFF.1", "xt = a * x0 + eps", "loss: loss ()"),
        ("DIFF.1", "xt = s * x0 + a * eps", "loss: loss ()"),
        ("DIFF.3", "loss, df = squared_error(f, eps)", "loss: loss ()"),
        (
            "DIFF.3", "loss, df = squared_error(f, target_of(self.predicts, x0, eps, a, s))\ndf = -df",
            "The sign is wrong",
        ),
    ],
    "flow-matching": [
        ("FM.1", "xt = t[:, None] * x0 + (1 - t[:, None]) * x1", "loss: loss ()"),
        ("FM.4", "loss, dv = squared_error(v, x0 - x1)", "loss: loss ()"),
        ("FM.4", "loss, dv = squared_error(v, x1 - x0)\ndv = dv / 2", "half of what it should be"),
    ],
}
