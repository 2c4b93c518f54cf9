"""Log-densities summed over the features of an example, in plain NumPy."""

import numpy as np


def bernoulli_log_prob(x, logits, out):
    """out[b, k] = Σ_d log Bernoulli(x[b, d]; logits[b, k, d]). x (B, D), logits (B, K, D), out (B, K)."""
    nll = np.maximum(logits, 0) - logits * x[:, None] + np.log1p(np.exp(-np.abs(logits)))  # (BERN.1)
    np.negative(nll.sum(axis=2), out=out)
