"""Log-densities summed over features; the formulas stand in kernels/reference/densities.py."""

from scratchgen.kernels.jit.compile import kernel
from scratchgen.kernels.jit.mathematics import exp, log1p


@kernel
def bernoulli_log_prob(x, logits, out):
    zero = logits.dtype.type(0)
    for b in range(logits.shape[0]):
        for k in range(logits.shape[1]):
            total = zero
            for d in range(logits.shape[2]):
                value = logits[b, k, d]
                total += value * x[b, d] - max(value, zero) - log1p(exp(-abs(value)))
            out[b, k] = total
