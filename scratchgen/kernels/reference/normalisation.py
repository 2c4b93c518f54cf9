"""Batch and layer normalisation in plain NumPy, each backward the mirror of its forward.

x is (M, C): M examples (or pixels of examples) of C channels. Batch norm takes mean and variance down the
columns, layer norm along the rows. The last arguments are written.
"""

import numpy as np


def batch_norm_forward(x, weight, bias, eps, mean, var, inv, xhat, out):
    mean[:] = x.mean(axis=0)                                    # (BN.1)   (C,)
    xc = x - mean                                               # (BN.2)   (M, C)
    var[:] = (xc**2).mean(axis=0)                               # (BN.3)   (C,)
    inv[:] = 1 / np.sqrt(var + eps)
    xhat[:] = xc * inv                                          # (BN.4)   (M, C)
    out[:] = weight * xhat + bias                               # (BN.5)   (M, C)


def batch_norm_backward(dout, xhat, inv, weight, dweight, dbias, dx):
    xc = xhat / inv                                             # as it was in the forward pass
    dxhat = dout * weight                                       # (BN.6)   out = weight·xhat + bias
    affine_backward(dout, xhat, dweight, dbias)                 # (BN.7)
    dvar = (dxhat * xc).sum(axis=0) * -0.5 * inv**3             # (BN.8)   xhat = xc / √(var + eps)
    dxc = dxhat * inv + 2 * xc * dvar / len(dout)               # (BN.9)   xhat = xc·inv, var = mean(xc²)
    dx[:] = dxc - dxc.mean(axis=0)                              # (BN.10)  xc = x − mean(x)


def affine_backward(dout, xhat, dweight, dbias):
    dweight[:] = (dout * xhat).sum(axis=0)                      # (BN.7, LN.7)  out = weight·xhat + bias
    dbias[:] = dout.sum(axis=0)


def layer_norm_forward(x, weight, bias, eps, inv, xhat, out):
    mean = x.mean(axis=1, keepdims=True)                        # (LN.1)   (M, 1)
    xc = x - mean                                               # (LN.2)   (M, C)
    var = (xc**2).mean(axis=1)                                  # (LN.3)   (M,)
    inv[:] = 1 / np.sqrt(var + eps)
    xhat[:] = xc * inv[:, None]                                 # (LN.4)   (M, C)
    out[:] = weight * xhat + bias                               # (LN.5)   (M, C)


def layer_norm_backward(dout, xhat, inv, weight, dx):
    inv = inv[:, None]                                          #          (M, 1)
    xc = xhat / inv                                             # as it was in the forward pass
    dxhat = dout * weight                                       # (LN.6)   out = weight·xhat + bias
    dvar = (dxhat * xc).sum(axis=1, keepdims=True) * -0.5 * inv**3  # (LN.8)   xhat = xc / √(var + eps)
    dxc = dxhat * inv + 2 * xc * dvar / dout.shape[1]           # (LN.9)   xhat = xc·inv, var = mean(xc²)
    dx[:] = dxc - dxc.mean(axis=1, keepdims=True)               # (LN.10)  xc = x − mean(x)
