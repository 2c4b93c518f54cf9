"""MADE: dependencies, probabilities that sum to 1, gradients, methods, and errors."""

import math

import numpy as np
import pytest
from helpers.small_made import EVERY, made

from scratchgen.data import Jitter, binarise
from scratchgen.models import MADE
from scratchgen.training import checkpoint

FORMS = {
    "one ordering": {},
    "random order": {"order": "random"},
    "several orderings": {"orderings": 3},
    "two layers": {"hidden": (34, 29)},
    "three layers, several orderings": {"hidden": (60, 70, 60), "orderings": 2, "order": "random"},
    "fewer units than pixels": {"hidden": (4,)},
}


def dependencies(model, ordering, rng):
    """Whether logit d has a nonzero gradient in pixel e at any of a few hundred inputs, (D, D)."""
    D, found = model.features, np.zeros((model.features, model.features), bool)
    for x in rng.standard_normal((300, D)):
        logits, cache = model.logits(np.tile(x, (D, 1)), ordering=ordering)
        found |= model.net.backward(np.eye(D), cache) != 0
    return found


@pytest.mark.parametrize("form", FORMS)
def test_made_logit_depends_on_all_earlier_pixels_and_no_others(form, rng):
    """(MADE.2), (MADE.3): gradients show the dependencies of every ordering."""
    model = made(rng, **FORMS[form])
    for ordering, places in enumerate(model.orders):
        assert sorted(places) == list(range(1, 11))
        before = places[None] < places[:, None]                 # [d, e]: e comes before d
        found = dependencies(model, ordering, rng)
        assert not (found & ~before).any()
        if form != "fewer units than pixels":
            np.testing.assert_array_equal(found, before)


def test_made_orders_are_natural_if_requested_and_otherwise_differ(rng):
    assert (made(rng, orderings=3).orders[0] == np.arange(1, 11)).all()
    orders = made(rng, orderings=3, order="random").orders
    assert len({tuple(p) for p in [np.arange(1, 11), *orders]}) == 4
    degrees = made(rng, orderings=2).degrees
    assert (degrees[0] != degrees[1]).any() and (np.sort(degrees[0]) == np.sort(degrees[1])).all()
    assert degrees.min() == 1 and degrees.max() == 9


@pytest.mark.parametrize("form", FORMS)
def test_made_probabilities_of_all_vectors_sum_to_one(form, rng):
    """(MADE.1), (MADE.7)"""
    model = made(rng, **FORMS[form])
    log_p = model.score_samples(EVERY)
    assert np.exp(log_p).sum() == pytest.approx(1, abs=1e-12)
    assert np.ptp(log_p) > 3


def test_made_conditional_probabilities_sum_to_one_for_each_label(rng):
    model = made(rng, orderings=2, classes=3)
    log_p = np.array([model.score_samples(EVERY, np.full(1024, y)) for y in range(3)])
    np.testing.assert_allclose(np.exp(log_p).sum(axis=1), 1, atol=1e-12)
    assert np.abs(log_p[0] - log_p[1]).max() > 0.5


def test_made_averages_probabilities_of_orderings_and_not_logits(rng):
    """(MADE.7) by hand. Averaged logits are not a density: their sum over all vectors is not 1."""
    model = made(rng, orderings=3)
    each = []
    for ordering in range(3):
        p = 1 / (1 + np.exp(-model.logits(EVERY, ordering=ordering)[0]))
        each.append(np.where(EVERY == 1, p, 1 - p).prod(axis=1))
    np.testing.assert_allclose(np.exp(model.score_samples(EVERY)), np.mean(each, axis=0), rtol=1e-10)
    averaged = np.mean([model.logits(EVERY, ordering=o)[0] for o in range(3)], axis=0)
    p = 1 / (1 + np.exp(-averaged))
    assert abs(np.where(EVERY == 1, p, 1 - p).prod(axis=1).sum() - 1) > 0.01


def test_made_loss_is_its_formula(rng, backend):
    """(MADE.4), (MADE.5): two hidden layers and a label, by hand."""
    model = made(rng, hidden=(7, 6), classes=3, order="random")
    x, y = binarise(rng.random((5, 10)), rng=rng), np.array([2, 0, 1, 1, 2])
    v = {name: p.value for name, p in model.net.parameters().items()}
    h = x
    for i, mask in enumerate(model.masks(0)):
        a = h @ (mask * v[f"layers.{i}.weight"]) + v[f"layers.{i}.bias"] + v[f"labels.{i}.weight"][y]
        h = np.maximum(a, 0)
    p = 1 / (1 + np.exp(-a))
    nll = -np.log(np.where(x == 1, p, 1 - p)).sum(axis=1)
    assert model.loss(x, y)[0] == pytest.approx(nll.mean(), rel=1e-12)
    np.testing.assert_allclose(model.score_samples(x, y), -nll, rtol=1e-12)


def test_made_gradient_of_the_logits_is_the_slope_of_the_loss(rng):
    """(MADE.6) against central differences of (MADE.5), in the logits instead of the weights."""
    model, x = made(rng), binarise(rng.random((4, 10)), rng=rng)
    _, cache = model.loss(x)
    dlogits = model.backward(cache)["dlogits"]
    logits = model.logits(x)[0]
    for n, d in np.ndindex(logits.shape):
        step = np.zeros_like(logits)
        step[n, d] = 1e-5
        ends = logits + step, logits - step
        up, down = (np.logaddexp(0, np.where(x == 1, -at, at)).sum() / 4 for at in ends)
        assert dlogits[n, d] == pytest.approx((up - down) / 2e-5, abs=1e-9)


def test_made_backward_adds_up_and_respects_frozen(rng):
    model, x = made(rng, classes=2), rng.random((4, 10))
    _, cache = model.loss(x, np.array([0, 1, 1, 0]))
    model.backward(cache)
    once = {name: p.grad.copy() for name, p in model.parameters().items()}
    model.backward(cache)
    with model.frozen():
        model.backward(cache)
    for name, p in model.parameters().items():
        assert (once[name] != 0).any()
        np.testing.assert_allclose(p.grad, 2 * once[name], rtol=1e-12)


def test_made_learns_a_simple_density(rng):
    """The second half of each vector repeats the first: 5 bits, so the lowest loss is 5·log 2 nats."""
    half = (rng.random((4000, 5)) < 0.5).astype(np.float32)
    X = np.concatenate([half, half], axis=1)
    model = MADE(10, (40,), rng=rng)
    model.fit(X, epochs=20, batch_size=100, lr=1e-2, rng=rng)
    assert -model.score_samples(X).mean() == pytest.approx(5 * math.log(2), abs=0.05)
    sampled = model.sample(500, rng=rng)
    assert (sampled[:, :5] == sampled[:, 5:]).all(axis=1).mean() > 0.97


def test_made_trains_one_ordering_a_step_drawn_from_the_generator(rng):
    model, x = made(rng, orderings=4), binarise(rng.random((3, 10)), rng=rng)
    each = [model.loss(x, ordering=o)[0] for o in range(4)]
    sampled = [model.loss(x, rng=rng)[0] for _ in range(60)]
    assert set(sampled) == set(each)


def test_made_dynamic_binarisation_draws_pixels_anew(rng):
    model = MADE(784, (5,), rng=rng, binarisation="dynamic")
    seen = []
    model.loss = lambda x, **_: (seen.append(x), MADE.loss(model, x))[1]
    X = np.full((4, 784), 0.5, np.float32)
    model.fit(X, epochs=2, batch_size=4, rng=rng, augment=Jitter())
    assert all(set(np.unique(x)) == {0, 1} for x in seen) and (seen[0] != seen[1]).any()
    assert "binarised anew" in model.data_note and "as they are" in MADE(10, rng=rng).data_note


def test_made_checkpoint_keeps_the_orderings(rng, tmp_path):
    """The weights of a file belong to its masks, so a model with other orders loads the orders, too."""
    model, other = (made(np.random.default_rng(seed), orderings=2, order="random") for seed in (1, 2))
    checkpoint.save_model(tmp_path / "made.safetensors", model)
    assert (model.orders != other.orders).any()
    checkpoint.load_model(tmp_path / "made.safetensors", other)
    np.testing.assert_array_equal(model.score_samples(EVERY), other.score_samples(EVERY))


def test_made_of_float32_stays_float32(rng):
    model = MADE(10, (8,), classes=2, rng=rng)
    x, y = binarise(rng.random((4, 10)).astype(np.float32), rng=rng), np.array([0, 1, 0, 1])
    loss, cache = model.loss(x, y)
    assert type(loss) is float and model.backward(cache)["dlogits"].dtype == np.float32
    assert model.sample(4, rng=rng, y=y).dtype == np.float32
    assert model.score_samples(x, y).dtype == np.float64 and model.likelihood == "exact"


HALF = np.arange(10) < 5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, X, g: m.fit(X / 2, epochs=1, rng=g), "MADE.fit .* exactly 0 or 1, .*binarise.*'dynamic'"),
        (lambda m, X, g: m.score_samples(X / 2), "MADE.score_samples .* exactly 0 or 1, .*data.binarise"),
        (lambda m, X, g: m.score_samples(X - 1), r"MADE.score_samples .* within \[0, 1\], got -1 to 0"),
        (lambda m, X, g: m.score_samples(X[:, :4]), r"\(N, 10\), got \(6, 4\)"),
        (lambda m, X, g: m.score_samples(X * np.nan), "finite numbers, got NaN"),
        (lambda m, X, g: m.score_samples(X[:0]), "at least 1 example, got 0"),
        (lambda m, X, g: m.fit(X, np.zeros(6, int), epochs=1, rng=g), "MADE.fit expected no labels y: build"),
        (lambda m, X, g: m.loss(X[:, :4]), r"MaskedLinear expected input of shape \(N, 10\), got \(6, 4\)"),
        (lambda m, X, g: m.loss(X, ordering=1), "an ordering from 0 to 0, got 1"),
        (lambda m, X, g: m.sample(0, rng=g), "MADE.sample expected n of at least 1, got 0"),
        (lambda m, X, g: m.complete(X, ~HALF, rng=g), "MADE.complete .* come first .* row by row"),
        (lambda m, X, g: m.complete(X, HALF[:5], rng=g), r"\(10,\) bools, got shape \(5,\) of bool"),
        (lambda m, X, g: m.complete(X, HALF * 1, rng=g), r"\(10,\) bools, got shape \(10,\) of int64"),
        (lambda m, X, g: m.complete(X / 2, HALF, rng=g), "MADE.complete .* exactly 0 or 1"),
        (lambda m, X, g: m.complete(X.tolist(), HALF, rng=g), r"expected an array of float.*, got list"),
        (lambda m, X, g: m.complete(X[:, :7], HALF, rng=g), r"MADE.complete .* \(N, 10\), got \(\d+, 7\)"),
        (lambda m, X, g: MADE(1, rng=g), "MADE expected features of at least 2, got 1"),
        (lambda m, X, g: MADE(10, (), rng=g), r"one or more hidden layers, got none"),
        (lambda m, X, g: MADE(10, (5, 0), rng=g), r"MADE expected hidden of at least 1, got 0"),
        (lambda m, X, g: MADE(10, orderings=0, rng=g), "orderings of at least 1, got 0"),
        (lambda m, X, g: MADE(10, order="spiral", rng=g), "order to be one of natural, random, got 'spiral'"),
        (lambda m, X, g: MADE(10, classes=-1, rng=g), "classes of at least 0, got -1"),
        (lambda m, X, g: MADE(10, binarisation="grey", rng=g), "one of dynamic, fixed, none, got 'grey'"),
    ],
)
def test_made_bad_input_is_named(rng, call, message):
    X = np.tile(EVERY[37], (6, 1))
    with pytest.raises((ValueError, TypeError), match=message):
        call(made(rng), X, rng)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, X: m.score_samples(X), "expected labels y, one per example, got none"),
        (lambda m, X: m.score_samples(X, np.array([0, 1])), r"6 integer labels, .* got shape \(2,\)"),
        (lambda m, X: m.score_samples(X, np.full(6, 3)), r"labels in 0..2, got 3..3"),
        (lambda m, X: m.loss(X, np.zeros(6, int)), "an ordering from 0 to 1, or an rng to choose it"),
    ],
)
def test_made_bad_labels_and_ordering_are_named(rng, call, message):
    with pytest.raises(ValueError, match=message):
        call(made(rng, classes=3, orderings=2), np.tile(EVERY[37], (6, 1)))


def test_made_refuses_labels_that_are_no_integers(rng):
    with pytest.raises(TypeError, match="MADE.score_samples expected integer labels, got dtype float64"):
        made(rng, classes=3).score_samples(np.tile(EVERY[37], (6, 1)), np.zeros(6))


def test_made_refuses_bools_and_moved_pixels_without_binarisation(rng):
    with pytest.raises(TypeError, match="MADE.score_samples expected an array of float.*, got dtype bool"):
        made(rng).score_samples(EVERY > 0)
    model = made(rng)
    with pytest.raises(ValueError, match="MADE.fit with augment expected binarisation 'dynamic', got 'none'"):
        model.fit(EVERY, epochs=1, rng=rng, augment=Jitter())


def test_made_masks_follow_the_orders_and_degrees_and_are_copies(rng):
    """Cached masks are computed again if a buffer changes. The result of `masks` is a copy."""
    model, other = (MADE(6, (5,), order="random", rng=np.random.default_rng(seed)) for seed in (1, 2))
    x = (rng.random((3, 6)) < 0.5).astype(np.float32)
    before, _ = model.logits(x)
    for mask in model.masks(0):
        mask[...] = False
    np.testing.assert_array_equal(model.logits(x)[0], before)
    model.orders[...], model.degrees[...] = other.orders, other.degrees
    for mask, expected in zip(model.masks(0), other.masks(0), strict=True):
        np.testing.assert_array_equal(mask, expected)
    model.orders = model.orders.astype(np.int64)
    model.logits(x)
