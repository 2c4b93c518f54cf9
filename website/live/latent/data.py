"""The decoders, encoders and digits of the latent explorer, from the pretrained models."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen import load, load_digits
from scratchgen.distributions import Normal
from scratchgen.layers import AffineCoupling
from website.networks import compact, describe

SHOWN, OFFERED, DRAWS = 600, 30, 64     # codes in the plane; test digits to choose from; codes for an effect


def data() -> dict[str, Any]:
    """Everything that the page reads with scratchgen.data."""
    digits = load_digits("embedded")
    plane, wide, conditional = load("vae-2d"), load("vae-20"), load("cvae")
    gan, coder, flow = load("cgan"), load("autoencoder"), load("realnvp-codes")
    offered = np.concatenate([np.flatnonzero(digits.y_test == k)[: OFFERED // 10] for k in range(10)])
    networks = {
        "plane": {"encoder": describe(plane.encoder), "decoder": describe(plane.decoder)},
        "coder": {"encoder": describe(coder.encoder), "decoder": describe(coder.decoder)},
        "flow": describe_flow(flow),
        "vae": describe(wide.decoder),
        "cvae": describe(conditional.decoder),
        "gan": describe(gan.generator),
        "classifier": describe(load("digit-classifier").net),
    }
    usage = Normal.kl(*wide.posterior(digits.x_test)).mean(axis=0)
    labels = np.arange(DRAWS) % 10
    effects = {
        "vae": usage,
        "cvae": effect(lambda z: conditional.inverse_transform(z, labels), conditional.code),
        "gan": effect(lambda z: gan.inverse_transform(z, labels), gan.code),
        "flow": effect(lambda z: coder.inverse_transform(flow.inverse_transform(z)), flow.features),
    }
    return {
        **{name: compact(network) for name, network in networks.items()},
        "effects": {name: values.astype(np.float32) for name, values in effects.items()},
        "codes": plane.transform(digits.x_train[:SHOWN]).astype(np.float16),
        "labels": digits.y_train[:SHOWN].astype(np.uint8),
        "digits": np.rint(255 * digits.x_test[offered]).astype(np.uint8),
        "digitLabels": digits.y_test[offered].astype(np.uint8),
    }


def describe_flow(flow: Any) -> list[dict[str, Any]]:
    """The layers of a RealNVP of vectors: a scaling, then affine couplings."""
    scaling, *couplings = flow.layers
    found: list[dict[str, Any]] = [{"scale": np.exp(scaling.log_scale.value)}]
    for layer in couplings:
        if not isinstance(layer, AffineCoupling) or layer.mask not in ("first", "second"):
            raise TypeError(f"describe_flow expected affine couplings of halves, got {layer!r}")
        found.append({"net": describe(layer.conditioner), "keeps": layer.mask, "bound": layer.bound})
    return found


def effect(decode: Any, width: int) -> np.ndarray:
    """How much each number of a code changes the picture: the mean squared change from −1 to 1, (width,)."""
    z = np.random.default_rng(0).normal(size=(DRAWS, width)).astype(np.float32)
    found = np.empty(width)
    for i in range(width):
        pictures = []
        for value in (-1, 1):
            z_i = z.copy()
            z_i[:, i] = value
            pictures.append(decode(z_i))
        found[i] = ((pictures[1] - pictures[0]) ** 2).sum(axis=1).mean()
    return found
