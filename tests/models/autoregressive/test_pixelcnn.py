"""PixelCNN: no blind spot, probabilities that sum to 1, gradients, fast sampling, and errors."""

import numpy as np
import pytest

from scratchgen.data import binarise
from scratchgen.layers import MaskedConv2d, Sequential
from scratchgen.layers.masked import raster_mask
from scratchgen.models import PixelCNN
from scratchgen.models.autoregressive.pixelcnn_sampling import fill, fill_naively


def pixelcnn(rng, shape=(4, 3), **settings):
    """A small PixelCNN with large weights and biases, so that each has a clear effect."""
    form = {"channels": 5, "layers": 2, "first": 3} | settings
    model = PixelCNN(shape, rng=rng, dtype=np.float64, **form)
    for p in model.parameters().values():
        p.value += 0.3 * rng.standard_normal(p.shape)
    return model


def dependencies(net, shape, rng, draws=60):
    """Whether the output at pixel d has a nonzero gradient in pixel e, (D, D)."""
    D = shape[0] * shape[1]
    found = np.zeros((D, D), bool)
    for x in rng.standard_normal((draws, *shape, 1)):
        _, cache = net.forward(np.tile(x, (D, 1, 1, 1)))
        found |= net.backward(np.eye(D).reshape(D, *shape, 1), cache).reshape(D, D) != 0
    return found


def test_pixelcnn_depends_on_all_earlier_pixels_and_no_others(rng):
    """With enough layers, there is no blind spot."""
    model = pixelcnn(rng, (5, 6), layers=5)
    np.testing.assert_array_equal(dependencies(model.net, (5, 6), rng), np.tri(30, k=-1) > 0)


@pytest.mark.parametrize("settings", [{}, {"layers": 0, "first": 5}, {"layers": 1, "kernel": 5}])
def test_pixelcnn_of_few_layers_depends_on_no_later_pixel(settings, rng):
    model = pixelcnn(rng, (5, 6), **settings)
    found = dependencies(model.net, (5, 6), rng)
    assert found.any() and not (found & ~(np.tri(30, k=-1) > 0)).any()


def test_single_stack_of_masked_convolutions_has_a_blind_spot(rng):
    """This holds for any depth: a step up moves at most one column to the right."""
    def layer(c_in, c_out, centre):
        return MaskedConv2d(
            c_in, c_out, raster_mask((3, 3), centre), padding=1, rng=rng, dtype=np.float64
        )

    net = Sequential(layer(1, 3, False), *(layer(3, 3, True) for _ in range(8)), layer(3, 1, True))
    found = dependencies(net, (5, 6), rng, draws=3)
    before = np.tri(30, k=-1) > 0
    row, column = np.divmod(np.arange(30), 6)
    reach = column[None] - column[:, None] <= row[:, None] - row[None]   # a step up gains one column
    np.testing.assert_array_equal(found, before & reach)
    assert (before & ~reach).sum() == 65


@pytest.mark.parametrize("settings", [{}, {"layers": 0}, {"layers": 1, "kernel": 5}])
def test_pixelcnn_probabilities_of_all_images_sum_to_one(settings, rng):
    """(PIX.1)"""
    every = ((np.arange(1024)[:, None] >> np.arange(10)) & 1).astype(np.float64)
    log_p = pixelcnn(rng, (2, 5), **settings).score_samples(every)
    assert np.exp(log_p).sum() == pytest.approx(1, abs=1e-12) and np.ptp(log_p) > 2


def convolved(x, layer):
    """A masked convolution of one example (H, W, C), written out."""
    (kh, kw), out = layer.mask.shape, np.tile(layer.bias.value, (*x.shape[:2], 1))
    for i, j, u, v in np.ndindex(*x.shape[:2], kh, kw):
        y, z = i + u - kh // 2, j + v - kw // 2
        if layer.mask[u, v] and 0 <= y < x.shape[0] and 0 <= z < x.shape[1]:
            out[i, j] += x[y, z] @ layer.weight.value[u, v]
    return out


def test_pixelcnn_logits_are_its_formulas(rng, backend):
    """(PIX.2), (PIX.3), (PIX.4), written out."""
    model, x = pixelcnn(rng), binarise(rng.random((2, 12)), rng=rng)
    net, found = model.net, model.logits(x)[0]
    for n in range(2):
        image = x[n].reshape(4, 3, 1)
        v = convolved(image, net.vertical[0])
        h = convolved(image, net.horizontal[0]) + convolved(np.maximum(v, 0), net.link[0])
        for i in (1, 2):
            v = v + convolved(np.maximum(v, 0), net.vertical[i])
            left = convolved(np.maximum(h, 0), net.horizontal[i])
            h = h + left + convolved(np.maximum(v, 0), net.link[i])
        logits = convolved(np.maximum(h, 0), net.out)
        np.testing.assert_allclose(found[n], logits.reshape(-1), rtol=1e-12)


def test_pixelcnn_gradients_are_slopes(rng, backend):
    """(PIX.5), (PIX.6), (PIX.7), (PIX.8): of ⟨logits, u⟩, for the input and one entry of each parameter."""
    net, x = pixelcnn(rng).net, rng.standard_normal((2, 4, 3, 1))
    out, cache = net.forward(x)
    u = rng.standard_normal(out.shape)
    dx = net.backward(u, cache)
    places = [(x, i, dx[i]) for i in np.ndindex(x.shape)]
    for p in net.parameters().values():
        largest = np.unravel_index(np.abs(p.grad).argmax(), p.shape)
        places.append((p.value, largest, p.grad[largest]))
    for array, i, found in places:
        middle, ends = array[i], []
        for step in (1e-5, -1e-5):
            array[i] = middle + step
            ends.append((net.forward(x)[0] * u).sum())
        array[i] = middle
        assert found == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6, abs=1e-8)
    assert net.backward(u, cache, input_grad=False) is None


def test_pixelcnn_backward_adds_up_and_respects_frozen(rng):
    model, x = pixelcnn(rng), rng.random((3, 12))
    _, cache = model.loss(x)
    model.backward(cache)
    once = {name: p.grad.copy() for name, p in model.parameters().items()}
    model.backward(cache)
    with model.frozen():
        model.backward(cache)
    for name, p in model.parameters().items():
        np.testing.assert_allclose(p.grad, 2 * once[name], rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("settings", [{}, {"layers": 0, "first": 5}, {"layers": 1, "kernel": 5}])
def test_pixelcnn_fast_samples_are_the_naive_ones(settings, dtype, rng):
    """(PIX.9), (PIX.10): the same uniform numbers give the same pixels."""
    model = PixelCNN((5, 4), rng=rng, dtype=dtype, **({"channels": 6, "layers": 2} | settings))
    for p in model.parameters().values():
        p.value += 0.3 * rng.standard_normal(p.shape).astype(dtype)
    for known in (0, 7):
        uniform, x = rng.random((30, 20)).astype(dtype), (rng.random((30, 20)) < 0.5).astype(dtype)
        kept, naive = x.copy(), x.copy()
        fill(model, uniform, known, kept)
        fill_naively(model, uniform, known, naive)
        np.testing.assert_array_equal(kept, naive)
        assert (kept[:, :known] == x[:, :known]).all() and (kept[:, known:] != x[:, known:]).any()


def test_pixelcnn_samples_follow_its_probabilities(rng):
    """The frequencies of all images of 2×3 pixels match p(x): chi-square, 63 degrees of freedom."""
    model, n = pixelcnn(rng, (2, 3)), 20_000
    every = ((np.arange(64)[:, None] >> np.arange(6)) & 1).astype(np.float64)
    p = np.exp(model.score_samples(every))
    counts = np.bincount((model.sample(n, rng=rng) @ 2 ** np.arange(6)).astype(int), minlength=64)
    assert ((counts - n * p) ** 2 / (n * p)).sum() < 63 + 5 * np.sqrt(2 * 63)


def test_pixelcnn_learns_stripes_and_completes_them(rng):
    """The columns of the images are constant: 5 bits in the first row, and none in the other rows."""
    X = np.tile((rng.random((600, 5)) < 0.5).astype(np.float32), (1, 4))
    model = PixelCNN((4, 5), channels=8, layers=2, first=3, rng=rng)
    model.fit(X, epochs=8, batch_size=50, lr=1e-2, rng=rng)
    assert -model.score_samples(X).mean() == pytest.approx(5 * np.log(2), abs=0.3)
    observed = np.arange(20) < 5
    completed = model.complete(np.where(observed, X, 0.5).astype(np.float32)[:100], observed, rng=rng)
    assert (completed == X[:100]).mean() > 0.98
    assert completed.dtype == np.float32 and model.likelihood == "exact"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, X, g: m.fit(X / 2, epochs=1, rng=g), "PixelCNN.fit .* exactly 0 or 1, .*'dynamic'"),
        (lambda m, X, g: m.score_samples(X / 2), "PixelCNN.score_samples .* exactly 0 or 1"),
        (lambda m, X, g: m.score_samples(X[:, :4]), r"\(N, 12\), got \(3, 4\)"),
        (lambda m, X, g: m.loss(X[:, :4]), r"PixelCNN expected rows of 4·3 = 12 pixels, got shape \(3, 4\)"),
        (lambda m, X, g: m.sample(0, rng=g), "PixelCNN.sample expected n of at least 1, got 0"),
        (lambda m, X, g: m.complete(X, np.arange(12) > 5, rng=g), "PixelCNN.complete .* come first"),
        (lambda m, X, g: m.complete(X[:, :7], np.arange(12) < 6, rng=g), r"PixelCNN.complete .* \(N, 12\)"),
        (lambda m, X, g: PixelCNN((4, 3)[:1], rng=g), r"shape to be \(H, W, C\), got \(4,\)"),
        (lambda m, X, g: PixelCNN((4, 0), rng=g), r"with shape \(.*\) expected W of at least 1, got 0"),
        (lambda m, X, g: PixelCNN((4, 3), channels=0, rng=g), r"channels of at least 1, got 0"),
        (lambda m, X, g: PixelCNN((4, 3), layers=-1, rng=g), r"layers of at least 0, got -1"),
        (lambda m, X, g: PixelCNN((4, 3), kernel=4, rng=g), "kernel to be odd, the size of a kernel, got 4"),
        (lambda m, X, g: PixelCNN((4, 3), first=1, rng=g), "first of at least 3, got 1"),
        (lambda m, X, g: PixelCNN((4, 3), binarisation="grey", rng=g), "fixed, none, got 'grey'"),
    ],
)
def test_pixelcnn_bad_input_is_named(rng, call, message):
    X = binarise(rng.random((3, 12)), rng=rng)
    with pytest.raises(ValueError, match=message):
        call(pixelcnn(rng), X, rng)
