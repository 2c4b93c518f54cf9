"""Twins of layers/masked.py: products that skip the part of a mask in which there are no connections."""

from __future__ import annotations

import numpy as np

from scratchgen.kernels.blocks import Blocks
from scratchgen.kernels.compile import kernel
from scratchgen.kernels.parts import share
from scratchgen.kernels.products import Factors, multiply_all
from scratchgen.kernels.shapes import expects


@expects(weight="d m", mask="d m bool")
def masked_weight(weight: np.ndarray, mask: np.ndarray) -> np.ndarray:
    out = np.empty(weight.shape, weight.dtype)
    share(_mask, (out, np.ascontiguousarray(weight), _bytes(mask)), each=mask.shape[1])
    return out


@expects(x="... d", masked="d m", bias="m ?")
def masked_affine(x: np.ndarray, masked: np.ndarray, bias: np.ndarray | None, blocks: Blocks) -> np.ndarray:
    _expect_own(blocks, masked)
    out = np.empty((*x.shape[:-1], masked.shape[1]), x.dtype)
    rows, out_rows = x.reshape(-1, x.shape[-1]), out.reshape(-1, out.shape[-1])
    products: list[Factors] = [
        (
            rows[:, inputs],
            masked[inputs, columns],
            out_rows[:, columns],
            None if bias is None else bias[columns],
        )
        for inputs, columns in blocks.parts
    ]
    multiply_all(products)
    return out


@expects(dout="... m", x="... d", mask="d m bool")
def masked_weight_grad(dout: np.ndarray, x: np.ndarray, mask: np.ndarray, blocks: Blocks) -> np.ndarray:
    _expect_own(blocks, mask)
    x, dout = x.reshape(-1, x.shape[-1]), dout.reshape(-1, dout.shape[-1])
    dweight = np.empty(mask.shape, x.dtype)
    products: list[Factors] = [
        (x[:, inputs].T, dout[:, columns], dweight[inputs, columns], None)
        for inputs, columns in blocks.parts
    ]
    multiply_all(products)
    share(_keep, (dweight, _bytes(mask)), each=mask.shape[1])
    return dweight


@expects(dout="... m", masked="d m")
def masked_input_grad(dout: np.ndarray, masked: np.ndarray, blocks: Blocks) -> np.ndarray:
    _expect_own(blocks, masked)
    dx = np.empty((*dout.shape[:-1], masked.shape[0]), dout.dtype)
    rows, dx_rows = dout.reshape(-1, dout.shape[-1]), dx.reshape(-1, dx.shape[-1])
    products: list[Factors] = [
        (rows[:, columns], masked[inputs, columns].T, dx_rows[:, inputs], None)
        for inputs, columns in blocks.by_input
    ]
    multiply_all(products)
    return dx


def _bytes(mask: np.ndarray) -> np.ndarray:
    """The same mask, in rows of the bytes 0 and 1."""
    return np.ascontiguousarray(mask).view(np.uint8)


def _expect_own(blocks: Blocks, mask: np.ndarray) -> None:
    """Raise ValueError for the blocks of a mask of another shape."""
    if blocks.shape != mask.shape:
        raise ValueError(f"expected the blocks of a mask of shape {mask.shape}, got those of {blocks.shape}")


@kernel("contract")
def _mask(out, a, mask):
    """out = a·mask."""
    for i in range(a.shape[0]):
        row, target, factors = a[i], out[i], mask[i]
        for j in range(row.size):
            target[j] = row[j] * factors[j]


@kernel("contract")
def _keep(a, mask):
    """a = a where the mask is 1, and 0 elsewhere, where a may contain any bits."""
    zero = a.dtype.type(0)
    for i in range(a.shape[0]):
        row, factors = a[i], mask[i]
        for j in range(row.size):
            row[j] = row[j] if factors[j] else zero
