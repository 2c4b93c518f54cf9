"""Generative models from scratch: every gradient written by hand.

The public names of the whole library stand here, and each is imported when it is first used, so that
`import scratchgen` loads neither NumPy nor Numba:

    from scratchgen import Linear, Sequential, SiLU
"""

from importlib import import_module
from typing import Any

from scratchgen import process

__version__ = "0.1.0"       # a plain literal: the build reads it without importing anything

process.prepare()

_NAMES = {
    "checkpoint": ("Checkpointer",),
    "data": (
        "Alphabet", "Batches", "Digits", "Jitter", "as_images", "binarise", "dequantise", "download_digits",
        "load_digits", "load_text",
    ),
    "layers": (
        "ELU", "GELU", "Activation", "AdditiveCoupling", "AffineCoupling", "AvgPool2d", "BatchNorm",
        "Bijection", "CausalSelfAttention", "Conv2d", "ConvTranspose2d", "Dropout", "Embedding", "Flatten",
        "Layer", "LayerNorm", "LeakyReLU", "Linear", "MaskedConv2d", "MaskedLinear", "MaxPool2d",
        "Parameter", "ReLU", "Reshape", "Scaling", "Sequential", "SiLU", "Sigmoid", "Softplus", "Squeeze",
        "Tanh", "TransformerBlock",
    ),
    "losses": ("absolute_error", "bce_with_logits", "softmax_cross_entropy", "squared_error"),
    "models": (
        "DCGAN", "GAN", "MADE", "PCA", "VAE", "WGAN", "Autoencoder", "AveragedGenerator", "BayesClassifier",
        "BernoulliNaiveBayes", "BernoulliPixels", "CharacterModel", "ClassPriorVAE", "ConditionalVAE",
        "ConvClassifier", "DecisionTree", "GaussianDiscriminant", "GaussianNaiveBayes", "HiddenMarkovModel",
        "LinearSVM", "LogisticRegression", "MLPClassifier", "Model", "NGram", "NearestNeighbours",
        "NoLikelihood", "NormalPixels", "PixelCNN", "WatchGame", "latent_usage",
    ),
    "optim": ("Adam", "RMSProp", "SGD"),
    "progress": ("EarlyStopping", "ProgressBar"),
    "schedules": ("Constant", "Cosine", "OneCycle", "StepDecay"),
    "training": ("Callback", "History", "Trainer", "TrainingDiverged"),
}
_MODULES = (
    "checkpoint", "data", "distributions", "gradcheck", "initializers", "kernels", "layers", "losses",
    "metrics", "models", "optim", "plots", "progress", "schedules", "training",
)
_HOME = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [*_HOME, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(f"scratchgen.{_HOME[name]}"), name)
    elif name in _MODULES:
        value = import_module(f"scratchgen.{name}")
    else:
        raise AttributeError(f"module 'scratchgen' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
