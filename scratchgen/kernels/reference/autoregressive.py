"""Drawing from a MADE pixel by pixel, with what is already known kept, in plain NumPy.

Places and units are sorted: column t of x is the pixel at place t + 1, units stand by degree, and ends[l][t]
of those of hidden layer l have a degree of at most t. So the units that are complete are the first ones, and
a mask is the end of a slice.

uniform, x (N, D), of which the first `known` columns of x are given; first (D, H₁); upper: the later weights,
transposed, (H₂, H₁), …, (D, H_L); starts: biases and label terms, (N, H₁), …, (N, H_L), (N, D). The last two
arguments are written: starts[l] becomes the hidden layer, and x the draw.
"""

import numpy as np


def made_draw(uniform, known, first, upper, ends, starts, x):
    depth = len(ends)
    for t in range(x.shape[1]):
        if t > 0:
            old, new = ends[0][t - 1], ends[0][t]
            starts[0][:, old:] += x[:, t - 1 : t] * first[t - 1, old:]              # (MADE.8)
            np.maximum(starts[0][:, old:new], 0, out=starts[0][:, old:new])
        for layer in range(1, depth if t > 0 else 1):
            old, new, below = ends[layer][t - 1], ends[layer][t], ends[layer - 1][t]
            h = starts[layer - 1][:, :below]
            starts[layer][:, old:new] += h @ upper[layer - 1][old:new, :below].T    # (MADE.9)
            np.maximum(starts[layer][:, old:new], 0, out=starts[layer][:, old:new])
        if t >= known:
            below = ends[-1][t]
            logit = starts[depth][:, t] + starts[depth - 1][:, :below] @ upper[-1][t, :below]  # (MADE.10)
            x[:, t] = uniform[:, t] < 1 / (1 + np.exp(-logit))                      # (BERN.3)
