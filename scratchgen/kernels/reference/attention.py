"""The masked softmax of causal attention in plain NumPy.

scores and p are (M, T, T): for each of M = N·H heads, row t holds what position t makes of all positions.
What lies after t gets the weight 0. The last argument is written, and may be the first (done in place).
"""

import numpy as np


def causal_softmax_forward(scores, scale, p):
    later = np.triu(np.ones(scores.shape[1:], bool), k=1)
    masked = np.where(later, -np.inf, scale * scores)           # (ATT.4)
    e = np.exp(masked - masked.max(axis=2, keepdims=True))
    p[:] = e / e.sum(axis=2, keepdims=True)                     # (ATT.5)


def causal_softmax_backward(dp, p, scale, dscores):
    pull = (dp * p).sum(axis=2, keepdims=True)                  # what all of a row's weights get in common
    dscores[:] = scale * p * (dp - pull)                        # (ATT.10, ATT.11)
