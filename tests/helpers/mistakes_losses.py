"""Mistakes in losses and in the terms of a variational autoencoder."""

import numpy as np
from helpers.mistakes import Mistake, Written, sigmoid, softmax

from scratchgen.losses import bce_with_logits, softmax_cross_entropy, squared_error

SHAPE = (7, 5)


def wrong(right, change, targets):
    """A loss with a wrong gradient, change(gradient, pred, target)."""

    def loss(pred, target):
        value, dpred = right(pred, target)
        return value, change(dpred, pred, target)

    return lambda rng: (loss, rng.standard_normal(SHAPE), targets(rng))


def normal(rng):
    return rng.standard_normal(SHAPE)


def uniform(rng):
    return rng.uniform(size=SHAPE)


def labels(rng):
    return rng.integers(5, size=7)


def mean_squared_error(pred, target):
    """The mean over the batch and the features."""
    loss, dpred = squared_error(pred, target)
    return loss / pred.shape[1], dpred / pred.shape[1]


def kl(pred, target):
    """KL(N(mu, exp(logvar)) ‖ N(0, 1)), for pred = (mu, logvar)."""
    mu, logvar = pred[:, :3], pred[:, 3:]
    loss = 0.5 * (np.exp(logvar) + mu**2 - 1 - logvar).sum() / len(pred)
    return loss, np.concatenate([mu, 0.5 * (np.exp(logvar) - 1)], axis=1) / len(pred)


def kl_with(mu_line, logvar_line):
    def loss(pred, target):
        mu, logvar = pred[:, :3], pred[:, 3:]
        gradient = np.concatenate([mu_line(mu), logvar_line(logvar)], axis=1) / len(pred)
        return kl(pred, target)[0], gradient

    return lambda rng: (loss, rng.standard_normal((7, 6)), np.zeros(7))


def half(logvar):
    return 0.5 * (np.exp(logvar) - 1)


def sampling(dlogvar):
    """z = mu + exp(½·logvar)·eps for x = (mu, logvar); `dlogvar` is a line of backward."""

    def forward(self, x, training):
        mu, logvar = x[:, :3], x[:, 3:]
        eps = np.linspace(-2, 2, mu.size).reshape(mu.shape)
        return mu + np.exp(0.5 * logvar) * eps, (logvar, eps)

    def backward(self, dout, cache):
        return np.concatenate([dout, dlogvar(dout, *cache)], axis=1)

    return lambda rng: (Written(forward, backward), rng.standard_normal((7, 6)))


def gaussian_nll(pred, target):
    """−log N(target; mu, exp(logvar)) without its constant, for pred = (mu, logvar); the ½ is forgotten."""
    mu, logvar = pred[:, :3], pred[:, 3:]
    square = (target - mu) ** 2 * np.exp(-logvar)
    loss = 0.5 * (logvar + square).sum() / len(pred)
    return loss, np.concatenate([(mu - target) * np.exp(-logvar), 1 - square], axis=1) / len(pred)


def nll(rng):
    return gaussian_nll, rng.standard_normal((7, 6)), rng.standard_normal((7, 3))


MISTAKES = [
    Mistake("squared error: no 1/N", "loss", wrong(squared_error, lambda d, p, t: d * len(p), normal),
            "pred", "factor", "multiplied by the batch size N (7)"),
    Mistake("squared error: no 2", "loss", wrong(squared_error, lambda d, p, t: d / 2, normal),
            "pred", "factor", "half of what it should be"),
    Mistake("squared error: target − pred", "loss", wrong(squared_error, lambda d, p, t: -d, normal),
            "pred", "sign"),
    Mistake("squared error: pred − target, without 2/N", "loss",
            wrong(squared_error, lambda d, p, t: p - t, normal),
            "pred", "factor", "half of the batch size N (7)"),
    Mistake("mean squared error: summed over the features", "loss",
            wrong(mean_squared_error, lambda d, p, t: d * p.shape[1], normal),
            "pred", "factor", "the number of features (5)"),
    Mistake("cross-entropy: 1/N twice", "loss",
            wrong(softmax_cross_entropy, lambda d, p, t: d / len(p), labels),
            "pred", "factor", "divided by the batch size N (7)"),
    Mistake("cross-entropy: no − onehot", "loss",
            wrong(softmax_cross_entropy, lambda d, p, t: softmax(p) / len(p), labels),
            "pred", "label term", "onehot"),
    Mistake("binary cross-entropy: times the sigmoid's slope", "loss",
            wrong(bce_with_logits, lambda d, p, t: d * sigmoid(p) * (1 - sigmoid(p)), uniform),
            "pred", "array factor", "derivative of the sigmoid"),
    Mistake("binary cross-entropy: no − target", "loss",
            wrong(bce_with_logits, lambda d, p, t: sigmoid(p) / len(p), uniform),
            "pred", "constant term", "times target"),
    Mistake("KL: no − 1 in dlogvar", "VAE", kl_with(lambda mu: mu, lambda lv: 0.5 * np.exp(lv)),
            "pred", "constant term", "pred[:, 3:]"),
    Mistake("KL: no ½ in dlogvar", "VAE", kl_with(lambda mu: mu, lambda lv: np.exp(lv) - 1),
            "pred", "factor", "pred[:, 3:] is twice"),
    Mistake("KL: 2·mu", "VAE", kl_with(lambda mu: 2 * mu, half), "pred", "factor", "pred[:, :3] is twice"),
    Mistake("KL: the sign of dlogvar", "VAE", kl_with(lambda mu: mu, lambda lv: -half(lv)),
            "pred", "sign", "pred[:, 3:]"),
    Mistake("Gaussian likelihood: no ½ in dlogvar", "VAE", nll, "pred", "factor", "pred[:, 3:] is twice"),
    Mistake("sampling: exp(logvar) for std", "VAE",
            sampling(lambda d, lv, eps: 0.5 * d * eps * np.exp(lv)), "input", "array factor", "exp(x/2)"),
    Mistake("sampling: no ½", "VAE", sampling(lambda d, lv, eps: d * eps * np.exp(0.5 * lv)),
            "input", "factor", "input[:, 3:] is twice"),
    Mistake("sampling: no gradient of logvar", "VAE", sampling(lambda d, lv, eps: 0 * d),
            "input", "zero", "input[:, 3:]"),
]  # fmt: skip
