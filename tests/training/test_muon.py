"""Muon: orthogonal steps against the singular value decomposition and brute force; `fit(optimizer=)`."""

import copy
import functools

import numpy as np
import pytest

from scratchgen import Adam, AdamW, Autoencoder, Muon
from scratchgen.module import Parameter
from scratchgen.training.muon import orthogonalise


@pytest.mark.parametrize("shape", [(8, 8), (6, 20), (20, 6), (1, 5)])
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_singular_values_become_about_one_and_the_directions_stay(shape, scale):
    """(MUON.3): U and V of the result are those of the matrix; singular values are polynomials of the old."""
    matrix = np.random.default_rng(0).standard_normal(shape) * scale
    U, S, Vt = np.linalg.svd(matrix, full_matrices=False)
    s = S / np.sqrt((S**2).sum())
    for _ in range(5):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    found = orthogonalise(matrix)
    np.testing.assert_allclose(found, U @ np.diag(s) @ Vt, rtol=1e-9, atol=1e-11)
    assert s.min() > 0.6 and s.max() < 1.3
    assert found.flags.c_contiguous


def test_zeros_and_infinite_matrices_stay_as_they_are():
    assert not orthogonalise(np.zeros((3, 4))).any()
    assert np.isinf(orthogonalise(np.full((3, 4), np.inf))).all()
    with pytest.raises(ValueError, match=r"^orthogonalise expected a matrix, got shape \(3,\)"):
        orthogonalise(np.zeros(3))


def test_steps_are_those_of_the_equations():
    """(MUON.1), (MUON.2), (MUON.4) for a convolution's weights; Adam for the bias and the narrow matrix."""
    rng = np.random.default_rng(1)
    shapes = {"conv": (3, 3, 4, 16), "bias": (16,), "narrow": (40, 3)}
    ours = {name: Parameter(rng.standard_normal(shape)) for name, shape in shapes.items()}
    others = {name: copy.deepcopy(ours[name]) for name in ("bias", "narrow")}
    muon, adam = Muon(ours, 0.01, momentum=0.9, scale=0.3), Adam(others, 0.01)
    value, m = ours["conv"].value.copy(), np.zeros((36, 16))
    for _ in range(4):
        for name, p in ours.items():
            p.zero_grad()
            p.grad[...] = rng.standard_normal(shapes[name])
            if name in others:
                others[name].grad[...] = p.grad
        grad = ours["conv"].grad.reshape(36, 16)
        m = 0.9 * m + grad
        value -= (0.01 * 0.3 * 6 * orthogonalise(grad + 0.9 * m)).reshape(value.shape)
        muon.step()
        adam.step()
        np.testing.assert_allclose(ours["conv"].value, value, rtol=1e-12)
        for name, p in others.items():
            np.testing.assert_allclose(ours[name].value, p.value, rtol=1e-12)


def test_entries_of_a_step_have_the_stated_size():
    p = {"w": Parameter(np.zeros((64, 200)))}
    p["w"].grad[...] = np.random.default_rng(2).standard_normal((64, 200))
    Muon(p, 0.01, scale=0.2).step()
    assert np.sqrt((p["w"].value ** 2).mean()) == pytest.approx(0.01 * 0.2, rel=0.3)


def test_muon_learns_rare_directions_faster_than_adam():
    """A linear regression whose inputs have very different sizes in rotated directions."""
    rng = np.random.default_rng(3)
    rotation, _ = np.linalg.qr(rng.standard_normal((32, 32)))
    x = (rng.standard_normal((256, 32)) * np.geomspace(1, 0.01, 32)) @ rotation
    wanted = rng.standard_normal((32, 32))

    def error(optimizer):
        w = Parameter(np.zeros((32, 32)))
        step = optimizer({"w": w}, lambda k: 0.2 * (1 - k / 300))
        for _ in range(300):
            w.zero_grad()
            w.grad[...] = x.T @ (x @ (w.value - wanted)) / len(x)
            step.step()
        return float(((w.value - wanted) ** 2).mean())

    assert error(Muon) < 0.5 * error(Adam)


def test_fit_takes_an_optimiser():
    X = np.random.default_rng(4).random((64, 20)).astype(np.float32)

    def trained(**settings):
        model = Autoencoder.dense((20, 16, 4), rng=0)
        return model.fit(X, epochs=2, rng=0, lr=0.01, **settings).encoder.parameters()["0.weight"].value

    assert (trained() == trained(optimizer=Adam)).all()
    strong = functools.partial(AdamW, weight_decay=10.0)
    assert np.abs(trained(optimizer=strong)).mean() < 0.95 * np.abs(trained()).mean()
    assert (trained(optimizer=Muon) != trained()).any()
    with pytest.raises(TypeError, match="^Autoencoder.fit expected optimizer to be a class such as AdamW"):
        trained(optimizer="adam")


@pytest.mark.parametrize("setting", [{"momentum": 1}, {"scale": 0}, {"scale": np.nan}, {"least": 0}])
def test_settings_out_of_range_are_refused(setting):
    with pytest.raises(ValueError, match="^Muon expected"):
        Muon({"w": Parameter(np.zeros((3, 3)))}, 0.1, **setting)
