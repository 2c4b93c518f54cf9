"""Losses compared with explicit sums, compiled and reference, and refused arguments."""

import math

import numpy as np
import pytest

from scratchgen.losses import (
    absolute_error,
    bce_with_logits,
    smoothed_cross_entropy,
    softmax_cross_entropy,
    squared_error,
)

ROWWISE = [squared_error, absolute_error, bce_with_logits]


def sigma(x):
    return 1 / (1 + math.exp(-x))


@pytest.fixture
def pair(rng):
    return 2 * rng.standard_normal((4, 3)), rng.uniform(size=(4, 3))


def cells(pred, target):
    return list(zip(pred.flat, target.flat, strict=True))


# (SE.1, SE.2)
def test_squared_error_is_the_explicit_sum(pair, backend):
    pred, target = pair
    loss, dpred = squared_error(pred, target)
    assert loss == pytest.approx(sum((p - t) ** 2 for p, t in cells(*pair)) / 4, rel=1e-13)
    np.testing.assert_allclose(dpred.flat, [2 * (p - t) / 4 for p, t in cells(*pair)], rtol=1e-13)


# (AE1.1, AE1.2)
def test_absolute_error_is_the_explicit_sum(pair, backend):
    pred, target = pair
    pred[1, 1] = target[1, 1]
    loss, dpred = absolute_error(pred, target)
    assert loss == pytest.approx(sum(abs(p - t) for p, t in cells(*pair)) / 4, rel=1e-13)
    expected = [0 if p == t else math.copysign(0.25, p - t) for p, t in cells(*pair)]
    np.testing.assert_allclose(dpred.flat, expected, rtol=1e-13)


# (BCE.1, BCE.2)
def test_bce_is_the_log_likelihood_of_a_bernoulli(pair, backend):
    logits, target = pair
    loss, dlogits = bce_with_logits(logits, target)
    nll = sum(-t * math.log(sigma(x)) - (1 - t) * math.log(1 - sigma(x)) for x, t in cells(*pair))
    assert loss == pytest.approx(nll / 4, rel=1e-12)
    np.testing.assert_allclose(dlogits.flat, [(sigma(x) - t) / 4 for x, t in cells(*pair)], rtol=1e-11)


# (CE.1, CE.2)
def test_cross_entropy_is_the_log_likelihood_of_a_softmax(rng, backend):
    logits, labels = 2 * rng.standard_normal((4, 3)), np.array([2, 0, 0, 1])
    loss, dlogits = softmax_cross_entropy(logits, labels)
    p = [[math.exp(x) / sum(map(math.exp, row)) for x in row] for row in logits]
    assert loss == pytest.approx(-sum(math.log(p[n][labels[n]]) for n in range(4)) / 4, rel=1e-12)
    expected = [[(p[n][k] - (labels[n] == k)) / 4 for k in range(3)] for n in range(4)]
    np.testing.assert_allclose(dlogits, expected, rtol=1e-11, atol=1e-15)
    np.testing.assert_allclose(dlogits.sum(axis=1), 0, atol=1e-15)


@pytest.mark.parametrize("f", ROWWISE)
def test_loss_is_summed_over_features_and_averaged_over_the_batch(f, pair, backend):
    pred, target = pair
    loss, dpred = f(pred, target)
    twice, dtwice = f(np.concatenate([pred, pred]), np.concatenate([target, target]))
    wide, dwide = f(np.concatenate([pred, pred], 1), np.concatenate([target, target], 1))
    assert twice == pytest.approx(loss, rel=1e-13)
    assert wide == pytest.approx(2 * loss, rel=1e-13)
    np.testing.assert_allclose(dtwice[:4], dpred / 2, rtol=1e-13)
    np.testing.assert_allclose(dwide[:, :3], dpred, rtol=1e-13)


@pytest.mark.parametrize("f", ROWWISE)
def test_loss_of_images_is_that_of_their_rows(f, rng, backend):
    pred, target = rng.standard_normal((3, 2, 4, 1)), rng.uniform(size=(3, 2, 4, 1))
    loss, dpred = f(pred, target)
    rows, drows = f(pred.reshape(3, 8), target.reshape(3, 8))
    assert loss == rows
    assert (dpred == drows.reshape(pred.shape)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_loss_is_a_python_float_and_the_gradient_keeps_shape_and_dtype(dtype, pair, backend):
    pred, target = (a.astype(dtype) for a in pair)
    found = [f(pred, target) for f in ROWWISE] + [softmax_cross_entropy(pred, np.array([0, 2, 1, 1]))]
    for loss, dpred in found:
        assert type(loss) is float
        assert (dpred.shape, dpred.dtype) == ((4, 3), dtype)


@pytest.mark.parametrize("f", ROWWISE)
def test_loss_does_not_change_its_arguments(f, pair, backend):
    before = [a.copy() for a in pair]
    f(*pair)
    assert all((a == b).all() for a, b in zip(pair, before, strict=True))


@pytest.mark.parametrize("f", ROWWISE)
def test_loss_accepts_non_contiguous_arrays(f, pair, backend):
    pred, target = pair
    loss, dpred = f(np.asfortranarray(pred)[:, ::2], target[:, ::2])
    expected, dexpected = f(pred[:, ::2].copy(), target[:, ::2].copy())
    assert loss == pytest.approx(expected, rel=1e-13)
    np.testing.assert_allclose(dpred, dexpected, rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_losses_of_extreme_logits_are_exact(dtype, backend):
    """σ(1e4) rounds to 1, but log(1 − σ(1e4)) must still be -1e4."""
    logits = np.array([[1e4, -1e4]], dtype)
    with np.errstate(all="raise", under="ignore"):
        loss, dlogits = bce_with_logits(logits, np.array([[0, 0]], dtype))
        ce, dce = softmax_cross_entropy(logits, np.array([1]))
    assert loss == pytest.approx(1e4)
    np.testing.assert_allclose(dlogits, [[1, 0]], atol=1e-30)
    assert ce == pytest.approx(2e4)
    np.testing.assert_allclose(dce, [[1, -1]], atol=1e-30)


@pytest.mark.parametrize("f", ROWWISE)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_loss_keeps_nan(f, dtype, backend):
    pred, target = np.ones((2, 3), dtype), np.zeros((2, 3), dtype)
    pred[1, 2] = np.nan
    loss, dpred = f(pred, target)
    assert math.isnan(loss)
    assert np.isnan(dpred).tolist() == [[False] * 3, [False, False, True]]


def test_cross_entropy_keeps_nan(backend):
    for where in range(3):
        logits = np.zeros((2, 3))
        logits[1, where] = np.nan
        loss, dlogits = softmax_cross_entropy(logits, np.array([0, 1]))
        assert math.isnan(loss)
        assert np.isnan(dlogits[1]).all() and not np.isnan(dlogits[0]).any()


@pytest.mark.parametrize("f", ROWWISE)
def test_rowwise_loss_refuses_arrays_that_do_not_match(f):
    x = np.zeros((2, 3))
    with pytest.raises(ValueError, match=rf"{f.__name__} expected .* the same shape, got \(2, 3\)"):
        f(x, np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"expected a batch of at least one example, got shape \(0, 3\)"):
        f(x[:0], x[:0])
    with pytest.raises(TypeError, match="expected a target of dtype float64, .*, got dtype float32"):
        f(x, x.astype(np.float32))
    with pytest.raises(TypeError, match="expected a target of dtype float64, .*, got list"):
        f(x, [[0.0] * 3] * 2)
    with pytest.raises(TypeError, match="expected an array of float32 or float64, got dtype int64"):
        f(x.astype(int), x.astype(int))
    with pytest.raises(TypeError, match="expected an array of float32 or float64, got list"):
        f([1.0], [1.0])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 3], r"expected labels in 0\.\.2, got 0\.\.3"),
        ([-1, 0], r"expected labels in 0\.\.2, got -1\.\.0"),
        ([0, 1, 2], r"expected 2 integer labels, one per example, got shape \(3,\)"),
        ([[0], [1]], r"expected 2 integer labels, one per example, got shape \(2, 1\); pass y.ravel\(\)$"),
        ([[0, 1, 0], [1, 0, 0]], r"expected 2 integer labels, .* \(2, 3\); pass y.argmax\(axis=1\)$"),
        ([[0, 1, 1], [1, 0, 0]], r"expected 2 integer labels, one per example, got shape \(2, 3\)$"),
    ],
)
def test_cross_entropy_refuses_wrong_labels(labels, message):
    with pytest.raises(ValueError, match=f"softmax_cross_entropy {message}"):
        softmax_cross_entropy(np.zeros((2, 3)), np.array(labels))


def test_cross_entropy_refuses_labels_that_are_not_integers():
    with pytest.raises(TypeError, match="softmax_cross_entropy expected integer labels, got dtype float64"):
        softmax_cross_entropy(np.zeros((2, 3)), np.array([0.0, 1.0]))


def test_cross_entropy_refuses_logits_of_a_wrong_shape():
    with pytest.raises(ValueError, match=r"expected logits \(N, K\) with N ≥ 1, got \(0, 3\)"):
        softmax_cross_entropy(np.zeros((0, 3)), np.zeros(0, int))
    with pytest.raises(ValueError, match=r"expected logits \(N, K\) with N ≥ 1, got \(3,\)"):
        softmax_cross_entropy(np.zeros(3), np.zeros(3, int))


@pytest.mark.parametrize("f", [*ROWWISE, softmax_cross_entropy])
@pytest.mark.parametrize("dtype", [np.float16, ">f4", np.longdouble])
def test_loss_refuses_dtypes_other_than_native_float32_and_float64(f, dtype):
    pred = np.ones((2, 3), dtype)
    message = f"{f.__name__} expected an array of float32 or float64, got dtype {pred.dtype}"
    with pytest.raises(TypeError, match=message):
        f(pred, pred)


LARGE_LOGITS = [
    [1e8, 1e8, 1e8], [-1e30, -1e30, -1e30], [1e30, 0, -1e30], [88.5, 0, -88.5], [1e-40, 0, -1e-40],
    [400, 399, 398], [-400, -399, -398], [1e4, 1e4 - 1, 0], [16777216, 16777215, 0], [1e17, 1e17, 1e17],
]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("row", LARGE_LOGITS)
def test_cross_entropy_of_large_logits_depends_on_their_differences_only(row, dtype, backend):
    """(CE.1): log Σ exp(l − max) − (l − max) with exact differences."""
    logits = np.array([row], dtype)
    exact = [float(v) - float(logits.max()) for v in logits[0]]
    log_norm = math.log(sum(math.exp(v) for v in exact))
    for label in range(3):
        loss, dlogits = softmax_cross_entropy(logits, np.array([label]))
        assert loss == pytest.approx(log_norm - exact[label], rel=2e-6, abs=2e-6)
        assert abs(dlogits.sum()) < 1e-6


@pytest.mark.parametrize(("logit", "target"), [(20.0, 1.0), (-20.0, 0.0), (15.0, 1.0)])
def test_bce_is_exact_for_nearly_certain_pixels_in_float32(logit, target, backend):
    """(BCE.1): the loss of a pixel is log(1 + e^−|l|), which is far below the rounding of the logit."""
    logits, targets = np.full((2, 784), logit, np.float32), np.full((2, 784), target, np.float32)
    loss, _ = bce_with_logits(logits, targets)
    assert loss == pytest.approx(784 * math.log1p(math.exp(-abs(logit))), rel=1e-5)
    logits[:, ::2] *= -1                                        # half of the pixels have the wrong sign
    loss, _ = bce_with_logits(logits, targets)
    assert loss == pytest.approx(392 * (abs(logit) + 2 * math.log1p(math.exp(-abs(logit)))), rel=1e-6)


@pytest.mark.parametrize("dtype", [">i8", ">i4", ">u2", "<i8", np.int8, np.uint64])
def test_cross_entropy_accepts_integer_labels_of_any_size_and_byte_order(dtype, rng, backend):
    logits, labels = rng.standard_normal((4, 3)), np.array([2, 0, 1, 1])
    loss, dlogits = softmax_cross_entropy(logits, labels.astype(dtype))
    expected, dexpected = softmax_cross_entropy(logits, labels)
    assert loss == expected
    np.testing.assert_array_equal(dlogits, dexpected)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_smoothed_cross_entropy_is_the_explicit_sum(smoothing, rng):
    """(LS.1), (LS.2), (LS.3): a share of each label is divided among all classes, its own one included."""
    logits, labels = 2 * rng.standard_normal((4, 3)), np.array([2, 0, 1, 0])
    loss, dlogits = smoothed_cross_entropy(logits, labels, smoothing)
    total = 0.0
    for n, label in enumerate(labels):
        e = [math.exp(v) for v in logits[n]]
        for k in range(3):
            q = (1 - smoothing) * (k == label) + smoothing / 3
            total -= q * math.log(e[k] / sum(e)) / 4
            assert dlogits[n, k] == pytest.approx((e[k] / sum(e) - q) / 4, abs=1e-14)
    assert loss == pytest.approx(total, rel=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_without_smoothing_it_is_the_cross_entropy(dtype, rng):
    logits, labels = (9 * rng.standard_normal((6, 4))).astype(dtype), rng.integers(0, 4, 6)
    logits[1, labels[1] - 1] = -np.inf                              # an impossible class
    ours, theirs = smoothed_cross_entropy(logits, labels, 0), softmax_cross_entropy(logits, labels)
    assert ours[0] == pytest.approx(theirs[0], rel=1e-6) and ours[1].dtype == dtype
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-6, atol=1e-7)


def test_smoothed_cross_entropy_is_least_at_the_smoothed_labels():
    """Its gradient is zero at p = q, where the logits are finite.

    Each of q, log q, the difference to the largest logit, log p and e^x is rounded. An error of eps·|log q|
    in a logarithm changes p by eps·p·|log q|. With errors of at most eps in log and e^x, the sum of all is
    below 2·eps·(q + p·(1 + |log p|)).
    """
    q = np.array([[0.95, 0.025, 0.025]])
    loss, dlogits = smoothed_cross_entropy(np.log(q), np.array([0]), 0.075)
    bound = 2 * np.finfo(float).eps * (q + q * (1 - np.log(q)))
    assert (np.abs(dlogits) <= bound).all()
    assert loss == pytest.approx(-(q * np.log(q)).sum())


def test_smoothed_cross_entropy_is_that_of_pytorch(rng):
    torch = pytest.importorskip("torch")
    logits, labels = rng.standard_normal((6, 4)), rng.integers(0, 4, 6)
    theirs = torch.from_numpy(logits.copy()).requires_grad_()
    loss = torch.nn.functional.cross_entropy(theirs, torch.from_numpy(labels), label_smoothing=0.2)
    loss.backward()
    ours, dlogits = smoothed_cross_entropy(logits, labels, 0.2)
    assert ours == pytest.approx(loss.item(), rel=1e-12)
    np.testing.assert_allclose(dlogits, theirs.grad.numpy(), rtol=1e-10, atol=1e-14)


def test_smoothed_cross_entropy_refuses_what_it_cannot_use(rng):
    logits, labels = rng.standard_normal((2, 3)), np.array([0, 1])
    for smoothing in (-0.1, 1, math.nan):
        with pytest.raises(ValueError, match="^smoothed_cross_entropy expected smoothing to be a number in"):
            smoothed_cross_entropy(logits, labels, smoothing)
    with pytest.raises(ValueError, match="^smoothed_cross_entropy expected labels in 0..2"):
        smoothed_cross_entropy(logits, np.array([0, 3]))
