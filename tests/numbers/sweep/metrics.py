"""The metrics. They compute in float64, even for float32 data, and most do not depend on the unit."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from scratchgen import metrics
from scratchgen.metrics.pairwise import squared_distances
from sweep.inputs import numbers, patterns
from sweep.measure import Entry, True_
from sweep.oracle import absolute, context, exact, log_sum_exp, number, sqrt

NEVER = number(10) ** 1000
TINY = number(float(np.finfo(np.float64).tiny))
LARGEST = float(np.finfo(np.float64).max)
SIGMA = 0.2


def points(*rows: int, labels: bool = False, settings: tuple = ()) -> Any:
    """Sets of points (rows, 3) with the same pattern, at different distances from the origin."""

    def cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
        drawn = [patterns(dtype, (n, 3), rng, float(np.finfo(dtype).max) / 4) for n in rows]
        far = [[(1e6 + rng.standard_normal((n, 3))).astype(dtype) for n in rows]]
        far += [[(5 + 1e-3 * rng.standard_normal((n, 3))).astype(dtype) for n in rows]]
        return [(*given, *settings) for given in [*zip(*drawn, strict=True), *far]]

    return cases


def distances(A: Any, B: Any) -> Any:
    a, b = exact(A), exact(B)
    return ((a[:, None] - b[None]) ** 2).sum(axis=2)


def squared_error_per_example(X: Any, Y: Any) -> True_:
    value = ((exact(X) - exact(Y)) ** 2).sum(axis=1)
    return True_(value, value + 3 * TINY)


def all_distances(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    return np.concatenate([squared for _, squared in squared_distances(A, B)])


def all_distances_truth(A: Any, B: Any) -> True_:
    value = distances(A, B)
    overflow = np.where(reach(A, B) ** 2 > LARGEST, NEVER, number(0))
    return True_(value, value + 6 * TINY + overflow)


def reach(A: Any, B: Any) -> Any:
    """An upper limit of the numbers that are squared."""
    return 4 * max(absolute(exact(A)).max(), absolute(exact(B)).max())


def lost(A: Any, B: Any) -> Any:
    """Differences that are this much smaller than the largest number are lost: their squares underflow."""
    return reach(A, B) * number(10) ** -150


def nearest_distance(X: Any, Y: Any) -> True_:
    value = sqrt(distances(X, Y).min(axis=1))
    return True_(value, value + lost(X, Y))


def radii(X: Any, k: int) -> Any:
    """The squared distance of each point to its k-th nearest other point, (N,)."""
    d = distances(X, X)
    return np.array([sorted(np.delete(row, i))[k - 1] for i, row in enumerate(d)], object)


def inside(X: Any, Y: Any, k: int) -> tuple[Any, bool]:
    """Which balls around X contain which Y (N, M), and whether no distance is close to a radius.

    A distance that equals a radius is clear, because it is inside.
    """
    d, r = distances(X, Y), radii(X, k)[:, None]
    gap, rounding = absolute(d - r), np.maximum(d, r) / 10**5 + lost(X, Y) ** 2
    return d <= r, not ((gap > 0) & (gap <= rounding)).any()


def precision_recall(X: Any, samples: Any, k: int) -> tuple:
    (real, clear), (generated, also) = inside(X, samples, k), inside(samples, X, k)
    size = None if clear and also else NEVER
    return tuple(
        True_(number(int(found.any(axis=0).sum())) / found.shape[1], size) for found in (real, generated)
    )


def density_coverage(X: Any, samples: Any, k: int) -> tuple:
    found, clear = inside(X, samples, k)
    size = None if clear else NEVER
    density = number(int(found.sum())) / (k * len(samples))
    return True_(density, size), True_(number(int(found.any(axis=1).sum())) / len(X), size)


def kernel_distance(X: Any, Y: Any, subsets: int) -> tuple:
    def estimate(A: Any, B: Any) -> tuple:
        value = size = number(0)
        for sign, P, Q, same in ((1, A, A, True), (1, B, B, True), (-2, A, B, False)):
            pairs = [(p, q) for i, p in enumerate(P) for j, q in enumerate(Q) if not (same and i == j)]
            value += sign * sum(((p * q).sum() / 3 + 1) ** 3 for p, q in pairs) / len(pairs)
            size += 2 * sum((absolute(p * q).sum() / 3 + 1) ** 3 for p, q in pairs) / len(pairs)
        return value, size

    x, y = exact(X), exact(Y)
    parts = [estimate(x[b::subsets], y[b::subsets]) for b in range(subsets)]
    mean = sum(value for value, _ in parts) / subsets
    variance = sum((value - mean) ** 2 for value, _ in parts) / (subsets - 1)
    return True_(*estimate(x, y)), True_(context.sqrt(variance / subsets), sum(size for _, size in parts))


def frechet_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    given = points(5, 4)(dtype, rng)
    flat = rng.standard_normal((6, 1)) * [[1, 2, 3]]  # one direction only
    thin = rng.standard_normal((6, 3)) * [1, 1e-6, 1e-12]
    given += [(a.astype(dtype), b.astype(dtype)) for a in (flat, thin) for b in (flat, thin, flat + 1)]
    return [*given, (given[0][0], given[0][0].copy())]


def frechet_distance(X: Any, Y: Any) -> True_:
    means, covariances = [], []
    for a in (exact(X), exact(Y)):
        mean = a.sum(axis=0) / len(a)
        means.append(mean)
        covariances.append((a - mean).T @ (a - mean) / (len(a) - 1))
    first, second = covariances
    values, vectors = context.eigsy(context.matrix(first.tolist()))
    q = np.array(vectors.tolist(), object).reshape(3, 3)
    root = (q * np.array([context.sqrt(max(v, 0)) for v in values], object)) @ q.T
    product = context.eigsy(context.matrix((root @ second @ root).tolist()), eigvals_only=True)
    cross = sum((context.sqrt(max(v, 0)) for v in product), number(0))
    offset, spread = ((means[0] - means[1]) ** 2).sum(), np.trace(first) + np.trace(second)
    rounding = ((absolute(means[0]) + absolute(means[1])) ** 2).sum() * number(2) ** -52
    size = (
        offset
        + spread
        + rounding
        + lost(X, Y) ** 2
        + sqrt(offset) * (absolute(means[0]) + absolute(means[1])).sum()
    )
    return True_(offset + spread - 2 * cross, size)


def labelled(*rows: int, classes: int = 2) -> Any:
    def cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
        return [
            tuple(part for X in given for part in (X, np.arange(len(X)) % classes))
            for given in points(*rows)(dtype, rng)
        ]

    return cases


def silhouette_score(Z: Any, y: Any) -> True_:
    d, n = sqrt(distances(Z, Z)), len(Z)
    total = size = number(0)
    rough = lost(Z, Z)
    for i in range(n):
        own = [d[i, j] for j in range(n) if j != i and y[j] == y[i]]
        a = sum(own, number(0)) / len(own)
        b = min(
            sum((d[i, j] for j in range(n) if y[j] == k), number(0)) / int((y == k).sum())
            for k in set(y) - {y[i]}
        )
        top = max(a, b)
        total += (b - a) / top if top > 0 else 0
        size += 2 + (rough / top * 10**20 if top > 0 else 0)
    # Up to 1e-8 of the squared distance is lost where it cancels.
    return True_(total / n, size / n if size < 10**6 else NEVER)


def knn_accuracy(train: Any, y_train: Any, test: Any, y_test: Any, k: int) -> True_:
    right, clear = 0, True
    for i, row in enumerate(distances(test, train)):
        order = sorted(range(len(row)), key=row.__getitem__)
        clear &= row[order[k]] - row[order[k - 1]] > row[order[k]] / 10**6 + lost(test, train) ** 2
        votes = Counter(int(y_train[j]) for j in order[:k])
        right += min(c for c in votes if votes[c] == max(votes.values())) == y_test[i]
    return True_(number(int(right)) / len(test), None if clear else NEVER)


def knn_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    return [(*given, 3) for given in labelled(6, 4)(dtype, rng)]


def kmeans_step(X: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return metrics.kmeans(X, len(centres), rng=0, iterations=1, centres=centres)


def kmeans_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    return [(X, X[:2].copy()) for (X,) in points(6)(dtype, rng)]


def centroids(X: Any, centres: Any) -> True_:
    """The means of the points that are nearest to each centre, unless a point is as near to both."""
    d, e = distances(X, centres), exact(X)
    apart = absolute(d[:, 0] - d[:, 1])
    rounding = number(float(np.finfo(X.dtype).eps)) * 64
    middle = e.sum(axis=0) / len(e)
    size = ((absolute(e - middle).max() + absolute(exact(centres) - middle).max()) * 2) ** 2
    unclear = (apart < rounding * (size + absolute(e).max() * absolute(e - middle).max())).any()
    y = (d[:, 1] < d[:, 0]).astype(int)
    value = np.stack([e[y == k].sum(axis=0) / max(int((y == k).sum()), 1) for k in range(2)])
    sizes = np.stack([absolute(e[y == k]).sum(axis=0) for k in range(2)])
    return True_(value, sizes + NEVER if unclear or len(set(y)) < 2 else sizes)


def log_density(X: Any, samples: Any, sigma: float) -> True_:
    d, s = distances(X, samples), number(sigma)
    value = log_sum_exp(-d / (2 * s**2)) - context.log(len(samples))
    constant = X.shape[1] * (context.log(2 * context.pi) / 2 + context.log(s))
    true = value - constant
    # Squared distances are computed from numbers up to `reach`, and 1e-8 of its square may cancel.
    size = absolute(true) + absolute(constant) + 3 + (reach(X, samples) / s) ** 2 * number(10) ** -8
    return True_(true, size + (NEVER if reach(X, samples) / s > number(10) ** 150 else 0))


def parzen_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    given = [(*given, sigma) for given in points(3, 4)(dtype, rng) for sigma in (SIGMA, 1e-200, 1e150)]
    return given + [
        (rng.random((3, 3)).astype(dtype), rng.random((4, 3)).astype(dtype), s) for s in (0.01, 0.2, 5.0)
    ]


SIGMAS = (0.05, 0.1, 0.4, 2.0)


def chosen_sigma(X: Any, samples: Any, sigmas: Any) -> True_:
    totals = [log_density(X, samples, s).value.sum() for s in sigmas]
    order = sorted(range(len(totals)), key=lambda i: -totals[i])
    clear = totals[order[0]] - totals[order[1]] > absolute(totals[order[0]]) * 1e-6
    return True_(
        number(sigmas[order[0]]), None if clear and absolute(totals[order[0]]) < LARGEST / 10 else NEVER
    )


def sigma_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    return [
        ((rng.random((4, 3)) * w).astype(dtype), (rng.random((6, 3)) * w).astype(dtype), SIGMAS)
        for w in (0.1, 1, 9)
    ]


def bits_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    return [(numbers(dtype), features, levels) for features in (1, 784) for levels in (256, None)]


def bits_per_dim(log_density: Any, features: int, levels: int | None) -> True_:
    offset = number(0) if levels is None else features * context.log(levels)
    below = features * context.log(2)
    return True_((offset - exact(log_density)) / below, (offset + absolute(exact(log_density))) / below)


def auroc_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    y = np.arange(11) % 2
    scores = patterns(dtype, (11,), rng)
    scores += [rng.choice(np.array([-np.inf, 0, -0.0, 1, np.inf], dtype), 11) for _ in range(6)]
    return [(s, y) for s in scores]


def auroc(scores: Any, y: Any) -> Any:
    wins = sum((a > b) + 0.5 * (a == b) for a in scores[y == 1].tolist() for b in scores[y == 0].tolist())
    return number(wins) / int((y == 1).sum() * (y == 0).sum())


def probability_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    found = []
    for p in (0.0, 1.0, 0.5, 0.2, 0.6, 1 / 3, 7 / 15, np.nextafter(0.6, 1), 1e-30):
        rows = np.tile(np.array([[p, 1 - p]]), (5, 1)).astype(dtype)
        found += [(rows, np.arange(5) % 2, bins) for bins in (1, 5, 10, 15)]
    mixed = rng.dirichlet([0.3, 0.3, 0.3], 20).astype(dtype)
    return [*found, (mixed, rng.integers(0, 3, 20), 15)]


def bins_of(probabilities: Any, y: Any, bins: int) -> list[tuple]:
    """(low, high, confidences, right) of each bin with predictions; its edges are k/bins, rounded."""
    found = []
    confidence = probabilities.max(axis=1).astype(np.float64)
    for k in range(bins):
        low, high = k / bins, (k + 1) / bins
        inside = [
            i
            for i, c in enumerate(confidence)
            if (c > low or (k == 0 and c == 0)) and (c <= high or k == bins - 1)
        ]
        if inside:
            right = [int(probabilities[i].argmax() == y[i]) for i in inside]
            found.append((low, high, [number(float(confidence[i])) for i in inside], right))
    return found


def reliability(probabilities: Any, y: Any, bins: int) -> tuple:
    table = bins_of(probabilities, y, bins)
    columns = [
        [number(low) for low, *_ in table],
        [number(high) for _, high, *_ in table],
        [number(len(c)) / len(y) for _, _, c, _ in table],
        [sum(c, number(0)) / len(c) for _, _, c, _ in table],
        [number(sum(r)) / len(r) for *_, r in table],
    ]
    return tuple(True_(np.array(column, object)) for column in columns)


def calibration_error(probabilities: Any, y: Any, bins: int) -> True_:
    gaps = [abs(sum(c, number(0)) - sum(r)) / len(y) for _, _, c, r in bins_of(probabilities, y, bins)]
    return True_(sum(gaps, number(0)), number(1))


def label_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    return [(rng.integers(0, 3, n), rng.integers(0, 3, n)) for n in (1, 2, 7, 30)]


def share_cases(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    return [(rng.integers(0, 3, n), 4) for n in (1, 2, 7, 30)]


def shares(y: Any, classes: int) -> tuple:
    p = np.array([number(int((y == k).sum())) / len(y) for k in range(classes)], object)
    return p, True_(sqrt(p * (1 - p) / len(y)), sqrt(p * (1 - p) / len(y)))


def entry(call: Any, cases: Any, truth: Any, name: str = "") -> Entry:
    return Entry(f"metrics.{name or call.__name__}", call, cases, truth, double=True)


def sentences(dtype: Any, rng: np.random.Generator) -> list[tuple]:
    """Translations and references of up to 12 words, which often match."""
    found = []
    for n in (1, 1, 1, 2, 5, 20):
        sides = [[" ".join(rng.choice(list("ab"), rng.integers(0, 13))) for _ in range(n)] for _ in range(2)]
        found += [tuple(sides), (sides[0], sides[0])]
    return found


def bleu(translations: list[str], references: list[str]) -> True_:
    """The n-grams are counted one by one, and crossed out in the reference."""
    pairs = [(a.split(), b.split()) for a, b in zip(translations, references, strict=True)]
    log_p, misses, any_match = [], 0, False
    for n in range(1, 5):
        matches, total = 0, 0
        for a, b in pairs:
            left = [b[i : i + n] for i in range(len(b) - n + 1)]
            for i in range(len(a) - n + 1):
                total += 1
                if a[i : i + n] in left:
                    left.remove(a[i : i + n])
                    matches += 1
        if total == 0:
            return True_(number(0))
        misses, any_match = misses + (matches == 0), any_match or matches > 0
        log_p.append(context.log(number(matches or number(1) / 2**misses) / total))
    c, r = (sum(len(pair[side]) for pair in pairs) for side in (0, 1))
    if not any_match:
        return True_(number(0))
    log_p.append(4 * min(number(0), 1 - number(r) / c))
    value = 100 * context.exp(sum(log_p) / 4)
    return True_(value, value * (1 + sum(abs(v) for v in log_p)))


ENTRIES = [
    entry(all_distances, points(4, 5), all_distances_truth, "pairwise.squared_distances"),
    entry(metrics.squared_error_per_example, points(4, 4), squared_error_per_example),
    entry(metrics.nearest_distance, points(4, 5), nearest_distance),
    entry(metrics.frechet_distance, frechet_cases, frechet_distance),
    entry(metrics.precision_recall, points(6, 5, settings=(2,)), precision_recall),
    entry(metrics.density_coverage, points(6, 5, settings=(2,)), density_coverage),
    entry(metrics.kernel_distance, points(5, 6, settings=(2,)), kernel_distance),
    entry(metrics.silhouette_score, labelled(6), silhouette_score),
    entry(metrics.knn_accuracy, knn_cases, knn_accuracy),
    Entry("metrics.kmeans", kmeans_step, kmeans_cases, centroids),
    entry(metrics.parzen_log_likelihood, parzen_cases, log_density),
    entry(metrics.choose_sigma, sigma_cases, chosen_sigma),
    entry(metrics.bits_per_dim, bits_cases, bits_per_dim),
    entry(metrics.auroc, auroc_cases, auroc),
    entry(metrics.reliability, probability_cases, reliability),
    entry(metrics.expected_calibration_error, probability_cases, calibration_error),
    entry(metrics.accuracy, label_cases, lambda a, b: number(int((a == b).sum())) / len(b)),
    entry(metrics.digit_shares, share_cases, shares),
    Entry("metrics.bleu", metrics.bleu, sentences, bleu, double=True),
    Entry(
        "metrics.exact_match", metrics.exact_match, sentences,
        lambda a, b: number(sum(x == y for x, y in zip(a, b, strict=True))) / len(b), double=True,
    ),
]
