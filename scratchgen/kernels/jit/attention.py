"""The masked softmax of causal attention, row by row; formulas in kernels/reference/attention.py.

A row reads and computes only what its mask lets through, which is half of all on average.
"""

from scratchgen.kernels.jit.compile import kernel
from scratchgen.kernels.jit.mathematics import exp


@kernel
def causal_softmax_forward(scores, scale, p):
    heads, length, _ = scores.shape
    zero, one = scores.dtype.type(0), scores.dtype.type(1)
    for m in range(heads):
        for t in range(length):
            highest = scores[m, t, 0]
            for s in range(1, t + 1):
                highest = max(highest, scores[m, t, s])
            norm = zero
            for s in range(t + 1):
                e = exp(scale * (scores[m, t, s] - highest))
                p[m, t, s] = e
                norm += e
            share = one / norm
            for s in range(t + 1):
                p[m, t, s] *= share
            for s in range(t + 1, length):
                p[m, t, s] = zero


@kernel
def causal_softmax_backward(dp, p, scale, dscores):
    heads, length, _ = dp.shape
    zero = dp.dtype.type(0)
    for m in range(heads):
        for t in range(length):
            pull = zero
            for s in range(t + 1):
                pull += dp[m, t, s] * p[m, t, s]
            for s in range(t + 1):
                dscores[m, t, s] = scale * p[m, t, s] * (dp[m, t, s] - pull)
            for s in range(t + 1, length):
                dscores[m, t, s] = zero
