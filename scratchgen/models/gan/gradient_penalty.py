"""The gradient penalty of a Wasserstein critic, with its second derivatives by hand.

Derived in docs/wgan.md.
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np

from scratchgen.checks import Array
from scratchgen.layers import (
    AvgPool2d,
    Conv2d,
    ConvTranspose2d,
    Dropout,
    Layer,
    LeakyReLU,
    Linear,
    MaskedConv2d,
    MaskedLinear,
    MaxPool2d,
    ReLU,
    Reshape,
    Sequential,
)
from scratchgen.layers.base import rows
from scratchgen.layers.conv import conv2d_weight_grad, conv_transpose2d_weight_grad
from scratchgen.layers.masked import connections, masked_weight_grad


def gradient_penalty(critic: Layer, x: Array, weight: float) -> tuple[float, Array]:
    """Penalise slopes that differ from 1 (Gulrajani et al. 2017); add the penalty's gradient to p.grad.

    g is the gradient of the critic at x, so the penalty depends on the weights through a backward pass, and
    its own gradient needs a backward pass through that backward pass. For a piecewise linear critic this is
    short:

    (GP.1)  P = λ/N · Σₙ (‖gₙ‖ − 1)²,  gₙ = ∂D(xₙ)/∂xₙ
    (GP.2)  v = ∂P/∂g = 2λ/N · (1 − 1/‖g‖)·g                 one v per example
    (GP.3)  a_L = 1,  a_{l−1} = J_lᵀ·a_l,  g = a_0            the adjoints, from the last layer to the first
    (GP.4)  t_0 = v,  t_l = J_l·t_{l−1}                      v pushed forward as a tangent
    (GP.5)  dW_l = t_{l−1}ᵀ·a_l                              as (LIN.2), with t for x and a for dout

    The reason is ⟨v, g⟩ = ⟨t_{l−1}·W_l, a_l⟩ at every layer l, where neither t_{l−1} nor a_l depends on W_l.
    Biases get no gradient: they change the value of the critic, not its slope. The slopes of the activations
    are constant between kinks. For other layers (Sigmoid, BatchNorm), g depends on W_l in another way too, so
    they raise TypeError.

    x (N, D), critic (N, D) -> (N, 1). Returns P and g, (N, D). If the critic is frozen, nothing is added.
    Derived in docs/wgan.md. Raises ValueError for a weight below zero, TypeError for a layer that is not
    piecewise linear.
    """
    expect_piecewise_linear(critic)
    if not weight >= 0:
        raise ValueError(f"gradient_penalty expected a weight >= 0, got {weight}")
    layers, caches = leaves(critic), []
    out = x
    for layer in layers:
        out, cache = layer.forward(out, training=True)
        caches.append(cache)
    if out.shape != (len(x), 1):
        raise ValueError(f"gradient_penalty expected a critic with one output, got shape {out.shape}")

    adjoint = np.ones_like(out)                                 # (N, 1)
    adjoints = []
    with critic.frozen():
        for layer, cache in zip(reversed(layers), reversed(caches), strict=True):
            adjoints.append(adjoint)                            # a_l, at the layer's output
            adjoint = layer.backward(adjoint, cache)            # (GP.3)
    g = adjoint                                                 # (N, D)

    # In units of its largest entry, the squares of a slope neither overflow nor underflow.
    largest = np.abs(g).max(axis=1, keepdims=True)              # (N, 1)
    direction = g / np.where(largest > 0, largest, 1)           # (N, D)
    length = np.sqrt((direction**2).sum(axis=1, keepdims=True))
    direction /= np.where(length > 0, length, 1)                # zero if the slope is zero
    norm = largest * length                                     # (N, 1)  ‖g‖
    penalty = weight * float(((norm - 1) ** 2).mean())          # (GP.1)
    tangent = g.dtype.type(2 * weight / len(g)) * (norm - 1) * direction        # (GP.2)
    for layer, cache, a in zip(layers, caches, reversed(adjoints), strict=True):
        tangent_backward(layer, a, tangent)                     # (GP.5)
        tangent = layer.jvp(tangent, cache)                     # (GP.4)
    return penalty, g


def expect_piecewise_linear(critic: Layer) -> None:
    """Raise TypeError, naming the layer, unless every layer of the critic is piecewise linear."""
    for layer in leaves(critic):
        if not is_piecewise_linear(layer):
            raise TypeError(
                "the gradient penalty expected piecewise linear layers (Linear, convolutions, ReLU, "
                f"LeakyReLU, pooling, reshapes, dropout), got {layer!r}: its slope changes with its input or "
                "with the rest of the batch, and its second derivative is not implemented"
            )


def leaves(layer: Layer) -> list[Any]:
    """The layers of nested Sequentials, in order."""
    if isinstance(layer, Sequential):
        return [leaf for child in layer.layers for leaf in leaves(child)]
    return [layer]


@singledispatch
def tangent_backward(layer: Layer, dout: Array, dx: Array) -> None:
    """Add the gradient of ⟨jvp(dx), dout⟩ to the parameters of a layer, where dx is a tangent.

    Only layers that are piecewise linear in each example can have this function, because their jvp does not
    depend on x between kinks. For your own layer, register one: ``tangent_backward.register(MyLayer,
    function)``. Raises TypeError for a layer without one.
    """
    raise TypeError(f"{type(layer).__name__} has no tangent_backward")


def is_piecewise_linear(layer: Layer) -> bool:
    """Whether a `tangent_backward` is registered for the layer's class or one of its base classes."""
    return tangent_backward.dispatch(type(layer)) is not tangent_backward.dispatch(object)


@tangent_backward.register(ReLU)
@tangent_backward.register(LeakyReLU)
@tangent_backward.register(MaxPool2d)
@tangent_backward.register(AvgPool2d)
@tangent_backward.register(Reshape)
@tangent_backward.register(Dropout)
def _without_parameters(layer: Layer, dout: Array, dx: Array) -> None:
    """Add nothing: the layer has no parameters."""


@tangent_backward.register
def _linear(layer: Linear, dout: Array, dx: Array) -> None:
    layer.expect(dx, features=layer.in_features)
    layer.expect_gradient(dout, (*dx.shape[:-1], layer.out_features), dx.dtype)
    if layer.trainable:                                         # (LIN.2), with the tangent for x
        layer.weight.add_grad(rows(dx).T, rows(dout))


@tangent_backward.register
def _masked_linear(layer: MaskedLinear, dout: Array, dx: Array) -> None:
    layer.expect(dx, features=layer.in_features)
    layer.expect_gradient(dout, (*dx.shape[:-1], layer.out_features), dx.dtype)
    if layer.trainable:                                         # (MASK.2), with the tangent for x
        layer.weight.grad += masked_weight_grad(dout, dx, *connections(layer.mask))


@tangent_backward.register
def _conv2d(layer: Conv2d, dout: Array, dx: Array) -> None:
    layer.expect(dx, channels=layer.in_channels)
    layer.expect_gradient(dout, layer.output_shape(dx), dx.dtype)
    if layer.trainable:                                         # (CONV.3), with the tangent for x
        w = layer.window
        layer.weight.grad += conv2d_weight_grad(dout, dx, w.kernel, w.stride, w.padding)


@tangent_backward.register
def _masked_conv2d(layer: MaskedConv2d, dout: Array, dx: Array) -> None:
    layer.expect(dx, channels=layer.in_channels)
    layer.expect_gradient(dout, layer.output_shape(dx), dx.dtype)
    if layer.trainable:                                         # (MASK.5), with the tangent for x
        w = layer.window
        dweight = conv2d_weight_grad(dout, dx, w.kernel, w.stride, w.padding)
        layer.weight.grad += dweight * layer.mask[:, :, None, None]


@tangent_backward.register
def _conv_transpose2d(layer: ConvTranspose2d, dout: Array, dx: Array) -> None:
    layer.expect(dx, channels=layer.in_channels)
    layer.expect_gradient(dout, layer.output_shape(dx), dx.dtype)
    if layer.trainable:                                         # (CONVT.4), with the tangent for x
        w = layer.window
        layer.weight.grad += conv_transpose2d_weight_grad(dout, dx, w.kernel, w.stride, w.padding)
