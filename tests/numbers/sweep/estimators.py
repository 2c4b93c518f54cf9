"""The closed forms of models: densities, forward passes and estimates of a likelihood, on small data.

Parameters are set, or fitted to data of several sizes. The true values are computed from the parameters with
60 digits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.models import (
    PCA,
    BernoulliNaiveBayes,
    GaussianDiscriminant,
    GaussianNaiveBayes,
    LinearSVM,
    LogisticRegression,
    NearestNeighbours,
)
from sweep.inputs import patterns
from sweep.measure import Entry, True_
from sweep.oracle import absolute, context, exact, exp, log, log_softmax, log_sum_exp, number, sqrt

LOG_2PI = context.log(2 * context.pi)
NEVER = number(10) ** 1000
UNITS = (1e-30, 1e-6, 1.0, 1e6, 1e30)


def matrix(a: Any) -> Any:
    return context.matrix(np.asarray(a, object).tolist())


def array(m: Any) -> Any:
    return np.array(m.tolist(), object).reshape(m.rows, m.cols)


def data(dtype: Any, rng: np.random.Generator, rows: int = 9) -> list[np.ndarray]:
    """Data in several units, near the origin and far from it."""
    mix = np.array([[1, 0.5, 0.1], [0, 1e-2, 0.3], [0, 0, 0.2]])
    base = rng.standard_normal((rows, 3)) @ mix
    return [(unit * (base + offset)).astype(dtype) for unit in UNITS for offset in (0, 3)]


def covariance(X: Any) -> tuple[Any, Any]:
    e = exact(X)
    mean = e.sum(axis=0) / len(e)
    return mean, (e - mean).T @ (e - mean) / len(e)


def gaussian(X: Any, mean: Any, cov: Any) -> True_:
    """log N(x; mean, cov). A relative error of eps in the data is multiplied by the condition number."""
    inverse = array(matrix(cov) ** -1)
    diff = exact(X) - mean
    square = np.array([d @ inverse @ d for d in diff], object)
    log_det = context.log(context.det(matrix(cov)))
    std = sqrt(np.diag(cov))
    correlation = cov / std / std[:, None]
    condition = context.cond(matrix(correlation)) if hasattr(context, "cond") else number(1)
    value = -(len(cov) * LOG_2PI + log_det + square) / 2
    # Rounded means: a shift by eps·|mean|, in standard deviations.
    shift = (absolute(mean) / std).max()
    size = (
        absolute(log_det)
        + len(cov) * 2
        + (1 + square) * condition
        + (1 + sqrt(square)) * shift * sqrt(condition)
    )
    return True_(value, size)


def pca(X: np.ndarray, k: int) -> tuple[np.ndarray, float, np.ndarray]:
    """The variances, σ² and the log-density of the data."""
    model = PCA(k).fit(X)
    return model.explained_variance_, model.noise_variance_, model.score_samples(X)


def pca_truth(X: Any, k: int) -> tuple:
    mean, cov = covariance(X)
    values, vectors = context.eigsy(matrix(cov))
    values, vectors = array(values).ravel()[::-1], array(vectors)[:, ::-1]
    noise = values[k:].sum() / (len(values) - k)
    U = vectors[:, :k]
    modelled = (U * (values[:k] - noise)) @ U.T + noise * exact(np.eye(3))
    density = gaussian(X, mean, modelled)
    far = (absolute(mean) ** 2).max() * number(2) ** -52  # a rounded mean, squared
    condition = values[0] / noise
    size = density.size + condition * (3 + (absolute(mean).max() / sqrt(noise)))
    return True_(values[:k], values[0] + far), True_(noise, values[0] + far), True_(density.value, size)


def discriminant(X: np.ndarray, shared: bool, shrinkage: float) -> np.ndarray:
    return GaussianDiscriminant(shared=shared, shrinkage=shrinkage).fit(X, labels(X)).log_likelihoods(X)


def labels(X: np.ndarray) -> np.ndarray:
    return (np.arange(len(X)) >= len(X) // 2).astype(int)


def discriminant_truth(X: Any, shared: bool, shrinkage: float) -> True_:
    y, groups = labels(X), []
    for k in range(2):
        groups.append(covariance(X[y == k]))
    if shared:
        together = sum(cov * int((y == k).sum()) for k, (_, cov) in enumerate(groups)) / len(y)
        groups = [(mean, together) for mean, _ in groups]
    columns = []
    for mean, cov in groups:
        s = number(shrinkage)
        cov = (1 - s) * cov + s * np.trace(cov) / 3 * exact(np.eye(3))
        columns.append(gaussian(X, mean, cov))
    return True_(np.stack([c.value for c in columns], axis=1), np.stack([c.size for c in columns], axis=1))


def discriminant_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    return [(X, *how) for X in data(dtype, rng, 14) for how in ((True, 0.0), (False, 0.0), (True, 0.3))]


def gaussian_bayes(X: np.ndarray, shared: bool) -> np.ndarray:
    return GaussianNaiveBayes(shared=shared).fit(X, labels(X)).log_likelihoods(X)


def gaussian_bayes_truth(X: Any, shared: bool) -> True_:
    y, e = labels(X), exact(X)
    parts = [e[y == k] for k in range(2)]
    means = [p.sum(axis=0) / len(p) for p in parts]
    variances = [((p - m) ** 2).sum(axis=0) / len(p) for p, m in zip(parts, means, strict=True)]
    if shared:
        variances = [sum(v * len(p) for v, p in zip(variances, parts, strict=True)) / len(e)] * 2
    overall = (((e - e.sum(axis=0) / len(e)) ** 2).sum(axis=0) / len(e)).max()
    columns, sizes = [], []
    for m, v in zip(means, variances, strict=True):
        v = v + number(1e-9) * overall
        scaled, far = (e - m) / sqrt(v), absolute(m) / sqrt(v)
        columns.append((-(LOG_2PI + log(v) + scaled**2) / 2).sum(axis=1))
        sizes.append(
            (2 + absolute(log(v)) * (1 + scaled**2) + scaled**2 + (1 + absolute(scaled)) * far).sum(axis=1)
        )
    return True_(np.stack(columns, axis=1), np.stack(sizes, axis=1))


def bernoulli_bayes(X: np.ndarray, smoothing: float) -> np.ndarray:
    return BernoulliNaiveBayes(smoothing=smoothing).fit(X, labels(X)).log_likelihoods(X)


def bernoulli_bayes_truth(X: Any, smoothing: float) -> True_:
    y, e, columns, sizes = labels(X), exact(X), [], []
    for k in range(2):
        part = e[y == k]
        theta = (part.sum(axis=0) + number(smoothing)) / (len(part) + 2 * number(smoothing))
        columns.append((e * log(theta) + (1 - e) * log(1 - theta)).sum(axis=1))
        sizes.append((absolute(log(theta)) + absolute(log(1 - theta))).sum(axis=0) + len(theta))
    return True_(np.stack(columns, axis=1), np.array(sizes, object))


def binary_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    X = (rng.random((8, 4)) < 0.5).astype(dtype)
    X[:, 0], X[:, 1] = 0, 1  # counts of zero
    return [(X, smoothing) for smoothing in (1.0, 1e-3, 1e-12, 1e6)]


def posterior(X: np.ndarray) -> tuple:
    """P(y | x) and log p(x) of naive Bayes."""
    model = GaussianNaiveBayes().fit(X, labels(X))
    return model.predict_proba(X), model.score_samples(X)


def posterior_truth(X: Any) -> tuple:
    found = gaussian_bayes_truth(X, False)
    counts = exact(np.bincount(labels(X)))
    joint = found.value + log(counts / len(X))
    rough = found.size.max(axis=1) * 2
    p = exp(log_softmax(joint))
    return True_(p, p * rough[:, None] + number(10) ** -300), True_(log_sum_exp(joint), rough + 1)


def logistic_loss(W: np.ndarray, x: np.ndarray) -> tuple[float, np.ndarray]:
    model = LogisticRegression(3, 2, l2=0.5, dtype=x.dtype)
    model.weight.value[...] = W
    return model.loss(x, np.array([0, 1]))[0], model.predict_proba(x)


def logistic_truth(W: Any, x: Any) -> tuple:
    w, e = exact(W), exact(x)
    scores, rough = e @ w, (absolute(e) @ absolute(w)).max()
    log_p = log_softmax(scores)
    penalty = (w**2).sum() / 4
    never = (
        NEVER if (w**2).sum() > float(np.finfo(x.dtype).max) or rough > float(np.finfo(x.dtype).max) else 0
    )
    lost = number(float(np.finfo(x.dtype).tiny)) * 8
    loss = -(log_p[0, 0] + log_p[1, 1]) / 2 + penalty
    p = exp(log_p)
    unclear = rough * number(float(np.finfo(x.dtype).eps)) > 0.01
    return True_(loss, loss + 1 + 2 * rough + never + lost), True_(
        p, NEVER if unclear else p * (1 + 2 * rough) + lost
    )


def weights_and_points(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    top = float(np.finfo(dtype).max) ** 0.5 / 8
    return list(zip(patterns(dtype, (3, 2), rng, top), patterns(dtype, (2, 3), rng, top), strict=True))


def hinge_loss(W: np.ndarray, x: np.ndarray) -> tuple[float, np.ndarray]:
    model = LinearSVM(3, 2, l2=0.5, dtype=x.dtype)
    model.weight.value[...] = W
    loss, cache = model.loss(x, np.array([0, 1]))
    return loss, model.backward(cache)["dscores"]


def hinge_truth(W: Any, x: Any) -> tuple:
    w, e = exact(W), exact(x)
    t = np.array([[1, -1], [-1, 1]], object)
    margins, rough = t * (e @ w), (absolute(e) @ absolute(w)).max()
    loss = sum((max(number(0), 1 - m) for m in margins.ravel()), number(0)) / 2 + (w**2).sum() / 4
    never = (
        NEVER
        if (w**2).sum() > float(np.finfo(x.dtype).max) or rough > float(np.finfo(x.dtype).max) / 8
        else 0
    )
    near = absolute(margins - 1) < (1 + rough) * 16 * number(float(np.finfo(x.dtype).eps))
    size = 4 + 4 * rough + loss + never + number(float(np.finfo(x.dtype).tiny))
    return True_(loss, size), True_(
        np.where(margins < 1, -t / number(2), number(0)), np.where(near, NEVER, number(1))
    )


def votes(X: np.ndarray, k: int) -> np.ndarray:
    return NearestNeighbours(k).fit(X, labels(X)).predict_proba(X)


def votes_truth(X: Any, k: int) -> True_:
    e, y = exact(X), labels(X)
    d = ((e[:, None] - e[None]) ** 2).sum(axis=2)
    value, size = [], []
    for row in d:
        order = sorted(range(len(row)), key=row.__getitem__)
        clear = row[order[k]] - row[order[k - 1]] > row[order[k]] / 10**6
        share = number(int(y[order[:k]].sum())) / k
        value.append([1 - share, share])
        size.append([number(1) if clear else NEVER] * 2)
    return True_(np.array(value, object), np.array(size, object))


def entry(name: str, call: Any, cases: Any, truth: Any, *, twin: bool = False, double: bool = True) -> Entry:
    return Entry(f"models.{name}", call, cases, truth, twin=twin, double=double)


ENTRIES = [
    entry("PCA", pca, lambda dtype, rng: [(X, k) for X in data(dtype, rng) for k in (1, 2)], pca_truth),
    entry("GaussianDiscriminant", discriminant, discriminant_cases, discriminant_truth),
    entry(
        "GaussianNaiveBayes",
        gaussian_bayes,
        lambda dtype, rng: [(X, shared) for X in data(dtype, rng) for shared in (False, True)],
        gaussian_bayes_truth,
    ),
    entry(
        "GaussianNaiveBayes.predict_proba",
        posterior,
        lambda dtype, rng: [(X,) for X in data(dtype, rng)],
        posterior_truth,
    ),
    entry("BernoulliNaiveBayes", bernoulli_bayes, binary_cases, bernoulli_bayes_truth),
    entry("LogisticRegression", logistic_loss, weights_and_points, logistic_truth, twin=True, double=False),
    entry("LinearSVM", hinge_loss, weights_and_points, hinge_truth, double=False),
    entry("NearestNeighbours", votes, lambda dtype, rng: [(X, 3) for X in data(dtype, rng)], votes_truth),
]
