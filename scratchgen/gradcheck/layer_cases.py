"""The gradient cases of layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.gradcheck.cases import LayerCase
from scratchgen.gradcheck.memory_cases import MEMORY
from scratchgen.gradcheck.recurrent_cases import RECURRENT
from scratchgen.layers import (
    ELU,
    GELU,
    AvgPool2d,
    BatchNorm,
    CausalSelfAttention,
    Conv2d,
    ConvTranspose2d,
    Dropout,
    Flatten,
    GroupNorm,
    LayerNorm,
    LeakyReLU,
    Linear,
    MaxPool2d,
    ReLU,
    Reshape,
    SelfAttention,
    Sequential,
    Sigmoid,
    SiLU,
    Softplus,
    SpectralNorm,
    Tanh,
    TransformerBlock,
    Upsample,
)


def _mlp(rng: np.random.Generator, dtype: Any) -> Sequential:
    return Sequential(
        Linear(5, 4, rng=rng, dtype=dtype), Tanh(), Linear(4, 6, rng=rng, dtype=dtype), SiLU()
    )


def _conv_net(rng: np.random.Generator, dtype: Any) -> Sequential:
    return Sequential(
        Conv2d(2, 3, (3, 2), stride=2, rng=rng, dtype=dtype),
        BatchNorm(3, dtype=dtype),
        SiLU(),
        Flatten(),
        Linear(3 * 3 * 2, 2, rng=rng, dtype=dtype),
    )


LAYERS = (
    LayerCase("Linear", lambda rng, dtype: Linear(5, 3, rng=rng, dtype=dtype), (7, 5)),
    LayerCase("Linear without bias", lambda rng, dtype: Linear(5, 3, False, rng=rng, dtype=dtype), (7, 5)),
    LayerCase("Linear on sequences", lambda rng, dtype: Linear(4, 3, rng=rng, dtype=dtype), (2, 3, 4)),
    LayerCase("Linear one row", lambda rng, dtype: Linear(5, 3, rng=rng, dtype=dtype), (1, 5)),
    LayerCase("Sequential dense", _mlp, (7, 5)),
    LayerCase("Sequential convolutional", _conv_net, (3, 7, 4, 2), training=True),
    LayerCase("ReLU", lambda rng, dtype: ReLU(), (7, 5), smooth=False),
    LayerCase("LeakyReLU", lambda rng, dtype: LeakyReLU(0.1), (7, 5), smooth=False),
    LayerCase("ELU", lambda rng, dtype: ELU(0.7), (7, 5), smooth=False),
    LayerCase("Sigmoid", lambda rng, dtype: Sigmoid(), (7, 5)),
    LayerCase("Tanh", lambda rng, dtype: Tanh(), (7, 5)),
    LayerCase("SiLU", lambda rng, dtype: SiLU(), (7, 5)),
    LayerCase("GELU", lambda rng, dtype: GELU(), (7, 5)),
    LayerCase("Softplus", lambda rng, dtype: Softplus(), (7, 5)),
    LayerCase("Conv2d", lambda rng, dtype: Conv2d(2, 3, 3, rng=rng, dtype=dtype), (2, 5, 4, 2)),
    LayerCase(
        "Conv2d kernel (3, 2) stride (2, 1), padded",
        lambda rng, dtype: Conv2d(2, 3, (3, 2), stride=(2, 1), padding=(1, 2), rng=rng, dtype=dtype),
        (2, 6, 3, 2),
    ),
    LayerCase(
        "Conv2d kernel 2 stride 3, no bias",
        lambda rng, dtype: Conv2d(1, 2, 2, stride=3, bias=False, rng=rng, dtype=dtype),
        (2, 7, 6, 1),
    ),
    LayerCase(
        "ConvTranspose2d", lambda rng, dtype: ConvTranspose2d(3, 2, 3, rng=rng, dtype=dtype), (2, 3, 4, 3)
    ),
    LayerCase(
        "ConvTranspose2d stride (2, 3), all paddings",
        lambda rng, dtype: ConvTranspose2d(
            3, 2, (3, 2), stride=(2, 3), padding=(1, 0), output_padding=(1, 2), rng=rng, dtype=dtype
        ),
        (2, 3, 2, 3),
    ),
    LayerCase("MaxPool2d", lambda rng, dtype: MaxPool2d(2), (2, 5, 4, 3), smooth=False),
    LayerCase(
        "MaxPool2d (3, 2) overlapping, padded",
        lambda rng, dtype: MaxPool2d((3, 2), stride=(1, 2), padding=(1, 0)),
        (2, 5, 4, 2),
        smooth=False,
    ),
    LayerCase("AvgPool2d", lambda rng, dtype: AvgPool2d(2), (2, 5, 4, 3)),
    LayerCase(
        "AvgPool2d (3, 2) overlapping, padded",
        lambda rng, dtype: AvgPool2d((3, 2), stride=(1, 2), padding=(1, 0)),
        (2, 5, 4, 2),
    ),
    LayerCase("BatchNorm training", lambda rng, dtype: BatchNorm(5, dtype=dtype), (7, 5), training=True),
    LayerCase("BatchNorm evaluation", lambda rng, dtype: BatchNorm(5, dtype=dtype), (7, 5)),
    LayerCase(
        "BatchNorm images", lambda rng, dtype: BatchNorm(3, dtype=dtype), (2, 3, 4, 3), training=True
    ),
    LayerCase(
        "SpectralNorm", lambda rng, dtype: SpectralNorm(Linear(5, 3, rng=rng, dtype=dtype)), (7, 5)
    ),
    LayerCase(
        "SpectralNorm training",
        lambda rng, dtype: SpectralNorm(Linear(5, 3, False, rng=rng, dtype=dtype), iterations=200),
        (7, 5),
        training=True,
    ),
    LayerCase(
        "SpectralNorm of a convolution",
        lambda rng, dtype: SpectralNorm(Conv2d(2, 3, 2, stride=2, rng=rng, dtype=dtype), iterations=200),
        (2, 4, 4, 2),
        training=True,
    ),
    LayerCase("LayerNorm", lambda rng, dtype: LayerNorm(5, dtype=dtype), (7, 5)),
    LayerCase("LayerNorm on sequences", lambda rng, dtype: LayerNorm(4, dtype=dtype), (2, 3, 4)),
    LayerCase("GroupNorm", lambda rng, dtype: GroupNorm(2, 4, dtype=dtype), (3, 2, 3, 4)),
    LayerCase("GroupNorm one pixel", lambda rng, dtype: GroupNorm(2, 6, dtype=dtype), (3, 6)),
    LayerCase("GroupNorm one group", lambda rng, dtype: GroupNorm(1, 3, dtype=dtype), (2, 2, 2, 3)),
    LayerCase("Upsample", lambda rng, dtype: Upsample(2), (2, 3, 2, 4)),
    LayerCase("Upsample by 3", lambda rng, dtype: Upsample(3), (2, 1, 2, 2)),
    LayerCase(
        "SelfAttention two heads", lambda rng, dtype: SelfAttention(6, 2, rng=rng, dtype=dtype), (2, 5, 6)
    ),
    LayerCase(
        "CausalSelfAttention two heads",
        lambda rng, dtype: CausalSelfAttention(6, 2, rng=rng, dtype=dtype),
        (2, 5, 6),
    ),
    LayerCase(
        "CausalSelfAttention one head",
        lambda rng, dtype: CausalSelfAttention(3, 1, rng=rng, dtype=dtype),
        (3, 4, 3),
    ),
    LayerCase(
        "CausalSelfAttention one position",
        lambda rng, dtype: CausalSelfAttention(4, 2, rng=rng, dtype=dtype),
        (3, 1, 4),
    ),
    LayerCase(
        "CausalSelfAttention rotary",
        lambda rng, dtype: CausalSelfAttention(8, 2, rotary=True, rng=rng, dtype=dtype),
        (2, 5, 8),
    ),
    LayerCase(
        "TransformerBlock", lambda rng, dtype: TransformerBlock(4, 2, rng=rng, dtype=dtype), (2, 3, 4)
    ),
    LayerCase(
        "TransformerBlock training with dropout",
        lambda rng, dtype: TransformerBlock(4, 2, dropout=0.3, rng=rng, dtype=dtype),
        (2, 3, 4),
        training=True,
    ),
    *RECURRENT,
    *MEMORY,
    LayerCase("Dropout training", lambda rng, dtype: Dropout(0.4, rng=rng), (7, 5), training=True),
    LayerCase("Dropout evaluation", lambda rng, dtype: Dropout(0.4, rng=rng), (7, 5)),
    LayerCase(
        "Dropout shared by the steps",
        lambda rng, dtype: Dropout(0.4, shared_axis=1, rng=rng),
        (3, 4, 5),
        training=True,
    ),
    LayerCase("Reshape", lambda rng, dtype: Reshape(3, 2), (4, 6)),
    LayerCase("Flatten", lambda rng, dtype: Flatten(), (2, 3, 4, 2)),
)
