"""The gradient penalty of a Wasserstein critic, differentiated a second time by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.layers import Layer, Sequential


def gradient_penalty(critic: Layer, x: np.ndarray, weight: float) -> tuple[float, np.ndarray]:
    """Penalise slopes that differ from 1 (Gulrajani et al. 2017); add the penalty's gradient to p.grad.

    g is the slope of the critic at x, so the penalty depends on the weights through a backward pass, and its
    gradient takes a backward pass through that one. For a piecewise linear critic there is a short way.

    (GP.1)  P = λ/N · Σₙ (‖gₙ‖ − 1)²,  gₙ = ∂D(xₙ)/∂xₙ
    (GP.2)  v = ∂P/∂g = 2λ/N · (1 − 1/‖g‖)·g                 one v an example
    (GP.3)  a_L = 1,  a_{l−1} = J_lᵀ·a_l,  g = a_0            the adjoints, from the last layer to the first
    (GP.4)  t_0 = v,  t_l = J_l·t_{l−1}                      v pushed forward as a tangent
    (GP.5)  dW_l = t_{l−1}ᵀ·a_l                              as (LIN.2), with t for x and a for dout

    For ⟨v, g⟩ = ⟨t_{l−1}·W_l, a_l⟩ at every layer l, and neither t_{l−1} nor a_l depends on W_l. Biases get
    nothing: they move the critic's value, not its slope. Between kinks the activations' slopes are constant;
    where they aren't (Sigmoid, BatchNorm), g depends on W_l by another way too, and the layer is refused.

    x (N, D), critic (N, D) -> (N, 1). Returns P and g, (N, D). While the critic is frozen nothing is added.
    Derived in docs/wgan.md.
    Raises ValueError for a weight below zero, TypeError for a layer that is not piecewise linear.
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

    # Where the squares underflow, a floor keeps the tangent's length, |‖g‖ − 1|, from passing 1.
    floor = np.sqrt(np.finfo(g.dtype).tiny)
    norm = np.maximum(np.sqrt((g**2).sum(axis=1, keepdims=True)), floor)  # (N, 1)
    penalty = weight * float(((norm - 1) ** 2).mean())          # (GP.1)
    tangent = g.dtype.type(2 * weight / len(g)) * (1 - 1 / norm) * g  # (GP.2)
    for layer, cache, a in zip(layers, caches, reversed(adjoints), strict=True):
        layer.tangent_backward(a, tangent)                      # (GP.5)
        tangent = layer.jvp(tangent, cache)                     # (GP.4)
    return penalty, g


def expect_piecewise_linear(critic: Layer) -> None:
    """Raise TypeError, naming the layer, unless every layer is piecewise linear, example by example."""
    for layer in leaves(critic):
        if not layer.piecewise_linear:
            raise TypeError(
                "the gradient penalty expected piecewise linear layers (Linear, convolutions, ReLU, "
                f"LeakyReLU, pooling, reshapes, dropout), got {layer!r}: its slope changes with its input or "
                "with the rest of the batch, and the second derivative that this takes is not written"
            )


def leaves(layer: Layer) -> list[Any]:
    """The layers of a chain in order, without the Sequentials around them."""
    if isinstance(layer, Sequential):
        return [leaf for child in layer.layers for leaf in leaves(child)]
    return [layer]
