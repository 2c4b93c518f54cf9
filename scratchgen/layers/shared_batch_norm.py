"""Batch norm of a batch that is divided over the ranks of a data-parallel run.

The statistics are those of the whole batch, so a model with batch norm is trained as in one process. x is
(M_r, C), the part of this rank, and M = Σ_r M_r. Every sum over the examples is also a sum over the ranks.
Derived in docs/data-parallel.md.
"""

from __future__ import annotations

import numpy as np

from scratchgen.checks import Array
from scratchgen.runtime.ranks import Ranks


def shared_batch_norm(
    x: Array, weight: Array, bias: Array, eps: float, ranks: Ranks
) -> tuple[Array, Array, Array, Array, Array]:
    """(out, xhat, inv, mean, var) for x (M_r, C)."""
    M = ranks.total(len(x))
    mean = _sum(x / M, ranks)                                   # (BN.1)   (C,)
    mean += _sum((x - mean) / M, ranks)                         #          adds the rounding error back
    xc = x - mean                                               # (BN.2)   (M_r, C)
    var = _sum(xc**2 / M, ranks)                                # (BN.3)   (C,)
    inv = 1 / np.sqrt(var + eps)                                #          (C,)
    xhat = xc * inv                                             # (BN.4)   (M_r, C)
    return weight * xhat + bias, xhat, inv, mean, var           # (BN.5)


def shared_batch_norm_backward(
    dout: Array, xhat: Array, inv: Array, weight: Array, ranks: Ranks
) -> tuple[Array, Array, Array]:
    """(dx, dweight, dbias) for dout (M_r, C), which is the gradient of the mean loss of this rank's part.

    (DP.2)  dx = inv · (dxhat − (Σ_r share_r·Σ dxhat + xhat · Σ_r share_r·Σ dxhat·xhat) / (M·share))

    share_r·dout is the gradient of the mean loss of the batch, and dx is divided by the share of this rank,
    as dout is.
    """
    M, share = ranks.total(len(dout)), dout.dtype.type(ranks.share)
    dxhat = dout * weight                                       # (BN.6)
    dweight, dbias = (dout * xhat).sum(axis=0), dout.sum(axis=0)            # (BN.7)   of this part
    along, mean = _sum(share * dxhat * xhat, ranks), _sum(share * dxhat, ranks)
    dx = inv * (dxhat - (mean + xhat * along) / (M * share))    # (DP.2)
    return dx, dweight, dbias


def _sum(values: Array, ranks: Ranks) -> Array:
    """The sum over the examples of all ranks, (C,)."""
    total: Array = values.sum(axis=0)
    ranks.sum(total)
    return total
