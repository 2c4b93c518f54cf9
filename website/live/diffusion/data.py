"""The data of the page: a diffusion of the moons, flow matching of codes, and the decoder of the codes.

Weights are stored in half precision, as in the files of the pretrained models.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import scratchgen
from website.networks import describe, describe_residual_net

POINTS, SEED = 300, 7


def data() -> dict[str, Any]:
    """The two models, and points of the two moons."""
    moons, codes = scratchgen.load("moons-diffusion"), scratchgen.load("flow-matching-codes")
    points = scratchgen.two_moons().sample(POINTS, rng=SEED).astype(np.float32)
    return {
        "moons": moons_data(moons),
        "points": points,
        "codes": codes_data(codes),
        "decoder": as_half(describe(scratchgen.load("autoencoder").decoder)),
    }


def moons_data(model: Any) -> dict[str, Any]:
    """The network and the settings of a Diffusion that predicts v."""
    if model.predicts != "v" or model.variance != "small" or not model.clip:
        raise ValueError("the page expected a diffusion that predicts v, with small variance and clipping")
    scales = {name: getattr(model, name) for name in ("shift", "scale", "low", "high")}
    net = as_half(describe_residual_net(model.net))
    return {"net": net, "steps": model.steps, "alpha_bar": model.noise.alpha_bar, **scales}


def codes_data(model: Any) -> dict[str, Any]:
    """The network and the scale of a FlowMatching."""
    net = as_half(describe_residual_net(model.net))
    return {"net": net, "shift": model.shift, "scale": model.scale, "classes": model.classes}


def as_half(value: Any) -> Any:
    """The same description, with the arrays in half precision that lose nothing by it."""
    if isinstance(value, np.ndarray):
        half = value.astype(np.float16)
        return half if np.array_equal(half, value) else value
    if isinstance(value, dict):
        return {key: as_half(entry) for key, entry in value.items()}
    return [as_half(entry) for entry in value] if isinstance(value, list) else value
