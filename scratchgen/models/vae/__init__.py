"""Variational autoencoders, which have a prior for latent codes and a bound on the likelihood."""

from scratchgen.models.vae.codes import LatentUsage, latent_usage
from scratchgen.models.vae.conditional import ClassPriorVAE, ConditionalVAE
from scratchgen.models.vae.model import VAE
from scratchgen.models.vae.observation import BernoulliPixels, NormalPixels

__all__ = [
    "BernoulliPixels",
    "ClassPriorVAE",
    "ConditionalVAE",
    "LatentUsage",
    "NormalPixels",
    "VAE",
    "latent_usage",
]
