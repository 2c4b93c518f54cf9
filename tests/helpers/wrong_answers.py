"""Typical wrong answers: for each exercise, equations, the lines of a learner, and what the report says.

The last text of each row is part of the report. It names the cause where the checker can tell it.
"""

ZEROS = "dW = np.zeros((num_embeddings, dout.shape[-1]))\n"
TIMES = "f = frequencies(self.features, dout.dtype)\n"

WRONG: dict[str, list[tuple[str, str, str]]] = {
    "linear": [
        ("LIN.2", "self.weight.grad += rows(x).T @ rows(dout) / len(x)", ""),
        ("LIN.3", "return rows(dout)[0]", ""),
        ("LIN.4", "return -dout @ weight.T", ""),
        ("LIN.2", "self.weight.grad += rows(dout).T @ rows(x)", ""),
        ("LIN.2", "self.weight.grad[...] = rows(x).T @ rows(dout)", ""),
    ],
    "relu": [
        ("RELU.2", "return dout", ""),
        ("RELU.2", "return np.where(out > 0, 0, dout)", ""),
        ("RELU.2", "return dout * out", ""),
    ],
    "sigmoid": [
        ("SIG.2", "return dout * (1 - out)", ""),
        ("SIG.2", "return -dout * out * (1 - out)", ""),
        ("SIG.2", "return out * (1 - out)", ""),
    ],
    "squared-error": [
        ("SE.2", "dpred = 1 / len(pred) * diff", ""),
        ("SE.2", "dpred = 2 * diff", ""),
        ("SE.2", "dpred = 2 / diff.size * diff", ""),
        ("SE.2", "dpred = 2 / len(pred) * (target - pred)", ""),
    ],
    "bernoulli-loss": [
        ("BCE.2", "dlogits = sig - target", ""),
        ("BCE.2", "dlogits = 1 / len(logits) * (target - sig)", ""),
        ("BCE.2", "dlogits = 1 / len(logits) * (sig - target) * sig * (1 - sig)", ""),
    ],
    "softmax-cross-entropy": [
        ("CE.2", "dlogits = np.exp(log_p) / len(logits)", ""),
        ("CE.2", "dlogits = np.exp(log_p)\ndlogits[n, labels] -= 1", ""),
        ("CE.2", "dlogits = np.zeros_like(logits)\ndlogits[n, labels] = -1 / len(logits)", ""),
    ],
    "silu": [
        ("SILU.2", "return dout * sig", ""),
        ("SILU.2", "return dout * (sig + sig * (1 - sig))", ""),
    ],
    "dropout": [
        ("DROP.2", "return dout", ""),
        ("DROP.2", "return dout if mask is None else dout * (mask > 0)", ""),
    ],
    "autoencoder": [
        ("AE.5", "dz = -self.decoder.backward(cache.dout, cache.dec)", ""),
        ("AE.5", "dz = self.decoder.backward(cache.dout, cache.dec) / len(cache.dout)", ""),
        ("AE.5", "dz = self.decoder.backward(cache.dout, cache.enc)", ""),
    ],
    "adam": [
        ("ADAM.1", "m[:] = beta1 * m + grad", ""),
        ("ADAM.2", "v[:] = beta2 * v + (1 - beta2) * grad", ""),
        ("ADAM.3", "value -= lr * m / (np.sqrt(v) + eps)", ""),
        ("ADAM.3", "value += lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)", ""),
    ],
    "batch-norm": [
        ("BN.6", "dxhat = dout", ""),
        ("BN.7", "return (dout * xhat).mean(axis=0), dout.mean(axis=0)", ""),
        ("BN.9", "dxc = dxhat", ""),
        ("BN.10", "dx = inv * dxc", ""),
        ("BN.10", "dx = inv * (dxc + dxc.mean(axis=0))", ""),
    ],
    "layer-norm": [
        ("LN.6", "dxhat = dout", ""),
        ("LN.9", "dxc = dxhat + 2 * xhat * dvar", ""),
        ("LN.10", "return inv * (dxc - dxc.mean(axis=0))", ""),
    ],
    "group-norm": [
        ("GN.7", "dweight = (dout * xhat).sum(axis=0)", ""),
        ("GN.8", "dvar = 0.5 * (dxhat * xhat).sum(axis=2, keepdims=True)", ""),
        ("GN.10", "dx = inv[:, :, None] * dxc", ""),
    ],
    "average-pooling": [
        ("AVGP.2", "padded[:, i, j] += dout", ""),
        ("AVGP.2", "padded[:, i, j] = dout / (kernel[0] * kernel[1])", ""),
    ],
    "max-pooling": [
        ("MAXP.2", "dx[examples, where, np.arange(channels)] += dout", ""),
        ("MAXP.2", "dx[:] = 0", ""),
        ("MAXP.2", "np.add.at(dx, (examples, where, np.arange(channels)), -dout)", ""),
    ],
    "convolution": [
        ("CONV.3", "return np.tensordot(cols, dout, axes=((0, 1, 2), (0, 1, 2))) / len(x)", ""),
        ("CONV.3", "return np.tensordot(cols, dout, axes=((0, 1, 2), (0, 1, 2)))[::-1, ::-1]", ""),
        ("CONV.4", "self.bias.grad += dout[0].sum(axis=(0, 1))", ""),
        ("CONV.6", "padded[:, i, j] = cols[:, :, :, u, v]", ""),
    ],
    "transposed-convolution": [
        ("CONVT.4", "dv = np.tensordot(dcols, x, axes=((0, 1, 2), (0, 1, 2))) / len(x)", ""),
        ("CONVT.6", "return -np.tensordot(dcols, weight, axes=((3, 4, 5), (0, 1, 3)))", ""),
        ("CONVT.6", "w = weight[::-1, ::-1]\nreturn np.tensordot(dcols, w, axes=((3, 4, 5), (0, 1, 3)))", ""),
    ],
    "embedding": [
        ("EMB.2", ZEROS + "dW[ids] += dout\nreturn dW", ""),
        ("EMB.2", ZEROS + "np.add.at(dW, ids, -dout)\nreturn dW", ""),
        ("EMB.2", "return dout", ""),
    ],
    "attention": [
        ("ATT.8", "dv = p @ dy", ""),
        ("ATT.10", "dmasked = p * dp", ""),
        ("ATT.10", "dmasked = p * (dp - (p * dp).sum(axis=2, keepdims=True))", ""),
        ("ATT.11", "dscores = dmasked", ""),
        ("ATT.13", "dk = dscores @ q", ""),
    ],
    "transformer-block": [
        ("TFB.3", "dh = df", ""),
        ("TFB.4", "return da if input_grad else None", ""),
        ("TFB.4", "return dout + da if input_grad else None", ""),
    ],
    "rnn": [
        ("RNN.2", "da = dh", ""),
        ("BPTT.5", "inside = (dh_out, *inside[1:])", ""),
        ("BPTT.7", "ds = (du @ self.recurrent_weight.value, *ds[1:])", ""),
        ("BPTT.8", "self.recurrent_weight.grad += rows(du).T @ rows(h_before)", ""),
        ("BPTT.9", "self.weight.grad += cache.x[-1].T @ da[-1]", ""),
    ],
    "lstm": [
        ("LSTM.5", "dc = tanh_backward(dh * o, tanh_c)", ""),
        ("LSTM.6", "di, df, dg = dc * i, dc * c, dc * g", ""),
        ("LSTM.7", "dc_before = dc", ""),
        ("LSTM.8", "da = [di, df, dg, do]", ""),
    ],
    "gru": [
        ("GRU.4", "dn, dz = dh * (1 - z), dh * h", ""),
        ("GRU.5", "dh_before = dh * (1 - z)", ""),
        ("GRU.6", "da_n = dn", ""),
        ("GRU.7", "da_r, da_z = sigmoid_backward(dr, r), -sigmoid_backward(dz, z)", ""),
    ],
    "kl": [
        ("NORM.6", "return mu - prior_mean, 0.5 * np.exp(logvar)", ""),
        ("NORM.6", "return mu - prior_mean, np.expm1(logvar)", ""),
        ("NORM.6", "return mu, 0.5 * np.expm1(logvar)", ""),
        ("NORM.6", "return prior_mean - mu, 0.5 * np.expm1(logvar)", ""),
    ],
    "vae": [
        ("VAE.7", "dmu = dz", ""),
        ("VAE.7", "dmu = dz + self.beta * dkl_dmu", ""),
        ("VAE.8", "dlogvar = dz * cache.eps * cache.std + self.beta / n * dkl_dlogvar", ""),
        ("VAE.8", "dlogvar = self.beta / n * dkl_dlogvar", ""),
    ],
    "gan": [
        ("GAN.3", "loss_fake, dfake = bce_with_logits(l_fake, np.ones_like(l_fake))", ""),
        ("GAN.4", "loss, dlogits = loss, dlogits", ""),
        ("GAN.4", "loss, dlogits = -loss, dlogits", ""),
        ("GAN.5", "loss, dlogits = bce_with_logits(logits, np.zeros_like(logits))", ""),
        ("GAN.6", "dfake = -self.discriminator.backward(cache.dlogits, cache.dis)", ""),
    ],
    "wgan-gp": [
        ("GP.2", "tangent = 2 * weight * (norm - 1) * direction", ""),
        ("GP.2", "tangent = 2 * weight / len(g) * (norm - 1) * g", ""),
        ("GP.4", "tangent = tangent", ""),
        ("GP.5", "tangent_backward(layer, -a, tangent)", ""),
        ("GP.3", "adjoint = layer.jvp(adjoint, cache)", ""),
    ],
    "masked-linear": [
        ("MASK.2", "return rows(x).T @ rows(dout)", ""),
        ("MASK.3", "return -dout @ masked.T", ""),
        ("MASK.3", "return dout @ masked", ""),
    ],
    "additive-coupling": [
        ("NICE.4", "dkept = dkept", ""),
        ("NICE.4", "dkept = self.conditioner.backward(dmoved, cond)", ""),
        ("NICE.4", "dkept = dkept - self.conditioner.backward(dmoved, cond)", ""),
    ],
    "affine-coupling": [
        ("RNVP.5", "dlog_scale = dmoved * moved", ""),
        ("RNVP.6", "dr = dlog_scale * (1 - log_scale**2)", ""),
        ("RNVP.6", "dr = dlog_scale", ""),
        ("RNVP.7", "dkept = dkept", ""),
    ],
    "time-embedding": [
        ("TIME.3", TIMES + "return (f * (dsin * cos + dcos * sin)).sum(axis=1)", ""),
        ("TIME.3", "return (dsin * cos - dcos * sin).sum(axis=1)", ""),
        ("TIME.3", TIMES + "return (f * (dsin * cos - dcos * sin)).mean(axis=1)", ""),
    ],
    "residual-block": [
        ("RES.5", "de = self.shift.backward(dshift / 4, cache.e)", ""),
        ("RES.6", "return (dfirst if input_grad else None), de", ""),
        ("RES.6", "return (dskip if input_grad else None), de", ""),
    ],
    "diffusion": [
        ("DIFF.1", "xt = a * x0 + eps", ""),
        ("DIFF.1", "xt = s * x0 + a * eps", ""),
        ("DIFF.3", "loss, df = squared_error(f, eps)", ""),
        ("DIFF.3", "loss, df = squared_error(f, target_of(self.predicts, x0, eps, a, s))\ndf = -df", ""),
    ],
    "flow-matching": [
        ("FM.1", "xt = t[:, None] * x0 + (1 - t[:, None]) * x1", ""),
        ("FM.4", "loss, dv = squared_error(v, x0 - x1)", ""),
        ("FM.4", "loss, dv = squared_error(v, x1 - x0)\ndv = dv / 2", ""),
    ],
}
