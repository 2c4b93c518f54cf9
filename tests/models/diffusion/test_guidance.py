"""Classifier guidance: exact posteriors give the component of a mixture, and strength 0 changes no bit."""

import numpy as np
import pytest
from models.diffusion.mixture_networks import (
    Mixture,
    NoisyPosterior,
    diffusion,
    flow,
    two_clusters,
)

from scratchgen.layers import ResidualNet
from scratchgen.models import ClassifierGuidance, Diffusion, FlowMatching, MLPClassifier
from scratchgen.models.diffusion.schedule import TARGETS, x0_and_eps, x0_backward

MODELS = pytest.mark.parametrize("build", [diffusion, flow], ids=["Diffusion", "FlowMatching"])


def moved(module, rng):
    for p in module.parameters().values():
        p.value += 0.3 * rng.standard_normal(p.shape).astype(p.value.dtype)
    return module


@pytest.mark.parametrize("kind", TARGETS)
def test_gradient_of_the_predicted_data_is_that_of_differences(kind, rng):
    """(PRED.5, PRED.6): the sum of dx_0·x_0, with f and x_t moved by small steps."""
    f, xt, dx0 = rng.standard_normal((3, 5, 2))
    a, s, h = 0.6, 0.8, 1e-6
    df, dxt = x0_backward(kind, dx0, a, s)
    for d, step in enumerate(h * np.eye(2)):
        along = [((x0_and_eps(kind, f + sign * step, xt, a, s)[0]) * dx0).sum(axis=1) for sign in (1, -1)]
        np.testing.assert_allclose((along[0] - along[1]) / (2 * h), df[:, d], atol=1e-8)
        along = [((x0_and_eps(kind, f, xt + sign * step, a, s)[0]) * dx0).sum(axis=1) for sign in (1, -1)]
        np.testing.assert_allclose((along[0] - along[1]) / (2 * h), dxt[:, d], atol=1e-8)


@pytest.mark.parametrize("kind", TARGETS)
def test_guided_score_is_the_score_of_the_class(kind, rng):
    """(GUIDE.2, GUIDE.3): with the exact posterior and w = 1, eps and x_0 are those of one component."""
    mixture = two_clusters()
    model, factors = diffusion(mixture, kind, steps=40)
    x, y = rng.standard_normal((20, 2)), np.arange(20) % 2
    guide = ClassifierGuidance(NoisyPosterior(mixture, factors), y, sees="noisy")
    parts = [Mixture([1.0], mixture.means[[k]], mixture.covariances[[k]]) for k in (0, 1)]
    for t in (2, 20, 38):
        a, s = factors(t / 40)
        x0, eps = model._denoise(x, t, guide=guide)
        for k in (0, 1):
            np.testing.assert_allclose(eps[y == k], -s * parts[k].score(x[y == k], a, s), atol=1e-8)
            np.testing.assert_allclose(x0[y == k], parts[k].clean_and_noise(x[y == k], a, s)[0], atol=1e-6)


def test_guided_velocity_is_the_velocity_of_the_class(rng):
    """(GUIDE.5): with the exact posterior and w = 1; at t = 0 up to the size of EARLIEST."""
    mixture = two_clusters()
    model, factors = flow(mixture)
    x = rng.standard_normal((20, 2))
    guide = ClassifierGuidance(NoisyPosterior(mixture, factors), np.zeros(20, int), sees="noisy")
    part, _ = flow(Mixture([1.0], mixture.means[:1], mixture.covariances[:1]))
    for t in (0.01, 0.3, 0.9, 1.0):
        found = model._guided_velocity(x, t, None, 0.0, guide)
        np.testing.assert_allclose(found, part.velocity(x, t), atol=1e-6)
    at_start = model._guided_velocity(x, 0.0, None, 0.0, guide)
    np.testing.assert_allclose(at_start, part.velocity(x, 0.0), atol=0.1)


@MODELS
def test_guided_samples_are_those_of_the_class(build):
    """(GUIDE.2): the exact posterior turns samples of the mixture into samples of its component."""
    mixture = two_clusters()
    model, factors = build(mixture)
    y = np.arange(2000) % 2
    x = model.sample(2000, rng=0, guide=ClassifierGuidance(NoisyPosterior(mixture, factors), y, sees="noisy"))
    for k in (0, 1):
        np.testing.assert_allclose(x[y == k].mean(axis=0), mixture.means[k], atol=0.07)
        np.testing.assert_allclose(np.cov(x[y == k].T), mixture.covariances[k], atol=0.08)


@MODELS
def test_guidance_by_the_denoised_estimate_reaches_the_class(build):
    """(GUIDE.4): nearly all samples belong to the class, although p(y | x̂_0) is not p(y | x_t)."""
    mixture = two_clusters()
    model, _ = build(mixture)
    y = np.arange(600) % 2
    free, guided = (
        mixture.shares(model.sample(600, rng=0, guide=guide)).argmax(axis=1) == y
        for guide in (None, ClassifierGuidance(mixture, y))
    )
    assert free.mean() < 0.6 and guided.mean() > 0.98


@pytest.mark.parametrize("kind", [*TARGETS, "flow"])
@pytest.mark.parametrize("guidance", [0.0, 1.5])
def test_gradient_through_classifier_and_network_is_that_of_differences(kind, guidance, rng):
    """(GUIDE.4), (CE.3): g is the derivative of log p(y | x̂_0(x_t)), also with classifier-free guidance."""
    net = moved(ResidualNet(3, 5, 1, classes=2, embedding=4, rng=0, dtype=np.float64), rng)
    classifier = moved(MLPClassifier((3, 6, 4), rng=0, dtype=np.float64), rng)
    x, labels, y = rng.standard_normal((5, 3)), np.array([0, 1, 0, 1, 1]), np.array([3, 0, 1, 2, 2])
    flows = kind == "flow"
    model = FlowMatching(net, 3) if flows else Diffusion(net, 3, steps=10, predicts=kind, clip=False)
    model.shift[...], model.scale[...] = [0.5, -1, 0], [1, 2, 0.5]
    t, a, s = (0.6, 0.6, 0.4) if flows else (6, model.noise.a[6], model.noise.s[6])

    def log_p(x):
        if flows:
            x0 = x + s * model.velocity(x, t, labels, guidance)
        else:
            x0 = model.denoise(x, t, labels, guidance)[0]
        return np.log(classifier.predict_proba(x0 * model.scale + model.shift)[np.arange(5), y])

    guide = ClassifierGuidance(classifier, y, strength=2.0)
    if flows:
        free = model.velocity(x, t, labels, guidance)
        g = (model._guided_velocity(x, t, labels, guidance, guide) - free) / (2 * s / a)
    else:
        free, bent = model._denoise(x, t, labels, guidance), model._denoise(x, t, labels, guidance, guide)
        g = (free[1] - bent[1]) / (2 * s)
        np.testing.assert_allclose(a * bent[0] + s * bent[1], x, atol=1e-9)     # (GUIDE.3)
    for d, step in enumerate(1e-6 * np.eye(3)):
        np.testing.assert_allclose(g[:, d], (log_p(x + step) - log_p(x - step)) / 2e-6, atol=1e-6)


@pytest.mark.parametrize("kind", [Diffusion, FlowMatching])
def test_strength_0_changes_no_bit_and_parameters_keep_their_gradients(kind, rng):
    model = moved(kind.dense(4, 6, 1, rng=0), rng)
    classifier, y = MLPClassifier((4, 5, 3), rng=0), np.arange(7) % 3
    free = model.sample(7, rng=1, steps=5)
    none, some = (
        model.sample(7, rng=1, steps=5, guide=ClassifierGuidance(classifier, y, strength))
        for strength in (0.0, 3.0)
    )
    np.testing.assert_array_equal(none, free)
    assert not np.allclose(some, free) and some.dtype == np.float32
    assert all(not p.grad.any() for module in (model, classifier) for p in module.parameters().values())


def test_labels_follow_their_samples_in_batches():
    """More samples than one batch: each part of the samples gets its own labels."""
    mixture = two_clusters()
    model, factors = diffusion(mixture, steps=10)
    y = np.repeat([0, 1], [1000, 500])
    x = model.sample(1500, rng=0, guide=ClassifierGuidance(NoisyPosterior(mixture, factors), y, sees="noisy"))
    assert ((x[:, 0] > 0) == y).mean() > 0.97


class Wrong:
    """A classifier whose gradient is a fixed array."""

    def __init__(self, gradient):
        self.gradient = gradient

    def log_prob_gradient(self, X, y):
        return self.gradient


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"classifier": 5}, TypeError, r"a classifier with the method log_prob_gradient, .* got int"),
        ({"classifier": MLPClassifier}, TypeError, r"a classifier with the method .* got type"),
        ({"y": None}, ValueError, r"labels y, one per example, got none"),
        ({"y": np.zeros(3)}, TypeError, r"integer labels, got dtype float64"),
        ({"y": np.full(3, 9)}, ValueError, r"labels in 0\.\.2, got 9\.\.9"),
        ({"y": np.zeros((3, 1), int)}, ValueError, r"3 integer labels, one per example, got shape"),
        ({"strength": np.inf}, ValueError, r"a finite strength, got inf"),
        ({"strength": "much"}, TypeError, r"a finite strength, got 'much'"),
        ({"sees": "x0"}, ValueError, r"sees to be one of clean, noisy, got 'x0'"),
    ],
)
def test_guidance_refuses_wrong_settings(given, error, message):
    valid = {"classifier": MLPClassifier((4, 5, 3), rng=0), "y": np.zeros(3, int)}
    with pytest.raises(error, match=f"^ClassifierGuidance expected {message}"):
        ClassifierGuidance(**valid | given)


@pytest.mark.parametrize("kind", [Diffusion, FlowMatching])
def test_sample_refuses_guidance_that_does_not_fit(kind):
    model, who = kind.dense(4, 6, 1, rng=0), rf"^{kind.__name__}\.sample expected "
    guide = ClassifierGuidance(MLPClassifier((4, 5, 3), rng=0), np.zeros(3, int))
    with pytest.raises(TypeError, match=f"{who}guide to be a ClassifierGuidance, got MLPClassifier"):
        model.sample(3, rng=0, guide=guide.classifier)
    with pytest.raises(ValueError, match=f"{who}guide with 2 labels, one per sample, got 3"):
        model.sample(2, rng=0, guide=guide)
    for gradient, message in (
        (np.zeros((3, 2)), r"to return shape \(3, 4\), got \(3, 2\)"),
        (np.full((3, 4), np.nan), "finite numbers from Wrong"),
    ):
        with pytest.raises(ValueError, match=f"^ClassifierGuidance expected .*{message}"):
            model.sample(3, rng=0, guide=ClassifierGuidance(Wrong(gradient), np.zeros(3, int)))
