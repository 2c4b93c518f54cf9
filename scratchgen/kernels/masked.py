"""Twins of layers/masked.py: products that skip blocks of the mask without connections.

A mask of MADE in the natural order has the shape of a staircase, and about half of its entries are False. The
columns are divided into blocks, and a product uses only the inputs that are connected to its block. Forward,
dW and dx of 784x500 for 128 rows take 0.89, 1.07 and 0.86 ms in one block, 0.66, 0.85 and 0.68 ms in two
blocks, 0.58, 0.76 and 0.66 ms in four, 0.60, 0.82 and 0.63 ms in eight.
"""

from __future__ import annotations

import numpy as np

BLOCKS, NARROWEST = 4, 32

Blocks = tuple[tuple[slice, slice], ...]


def column_blocks(mask: np.ndarray) -> Blocks:
    """Divide the columns of a mask into blocks; return (inputs, columns) of each, as slices.

    The inputs of a block reach from the first to the last that any of its columns is connected to.
    """
    step, found = max(NARROWEST, -(-mask.shape[1] // BLOCKS)), []
    for start in range(0, mask.shape[1], step):
        columns = slice(start, min(start + step, mask.shape[1]))
        used = np.flatnonzero(mask[:, columns].any(axis=1))
        found.append((slice(used[0], used[-1] + 1) if used.size else slice(0, 0), columns))
    return tuple(found)


def masked_affine(x: np.ndarray, masked: np.ndarray, bias: np.ndarray | None, blocks: Blocks) -> np.ndarray:
    out = np.empty((*x.shape[:-1], masked.shape[1]), x.dtype)
    for inputs, columns in blocks:
        np.matmul(x[..., inputs], masked[inputs, columns], out=out[..., columns])
    if bias is not None:
        out += bias
    return out


def masked_weight_grad(dout: np.ndarray, x: np.ndarray, mask: np.ndarray, blocks: Blocks) -> np.ndarray:
    x, dout = x.reshape(-1, x.shape[-1]), dout.reshape(-1, dout.shape[-1])
    dweight = np.empty(mask.shape, x.dtype)
    for inputs, columns in blocks:
        dweight[: inputs.start, columns] = 0
        dweight[inputs.stop :, columns] = 0
        block = dweight[inputs, columns]
        np.matmul(x[:, inputs].T, dout[:, columns], out=block)
        block *= mask[inputs, columns]
    return dweight


def masked_input_grad(dout: np.ndarray, masked: np.ndarray, blocks: Blocks) -> np.ndarray:
    dx = np.zeros((*dout.shape[:-1], masked.shape[0]), dout.dtype)
    for inputs, columns in blocks:
        dx[..., inputs] += dout[..., columns] @ masked[inputs, columns].T
    return dx
