"""The mistakes of a demo pass the gradient check, and the tests that the demo names catch them."""

import layers.test_time_layers as of_networks
import models.diffusion.test_diffusion as of_diffusion
import models.diffusion.test_flow_matching as of_flow_matching
import numpy as np
import pytest

from demos.diffusion import planted_mistakes
from demos.diffusion.planted_mistakes import CAUGHT_BY, DataFedIn, NoisyEnd, OneTime, Timeless
from scratchgen.gradcheck.checker import SMOOTH, check_model
from scratchgen.models import FlowMatching

# name in the demo -> module of the test, the name that the mistake replaces there, the arguments of the test
PLACES = {
    "x_1 in place of x_t": (of_flow_matching, "FlowMatching", DataFedIn, {}),
    "one time per batch": (of_flow_matching, "FlowMatching", OneTime, {"times": "uniform", "middle": 0.5}),
    "no time": (of_networks, "ResidualNet", Timeless, {"kind": "ResidualNet"}),
    "noise in last step": (of_diffusion, "Diffusion", NoisyEnd, {}),
}


@pytest.mark.parametrize("mistake", CAUGHT_BY)
def test_mistake_is_caught_by_the_test_that_the_demo_names(mistake, monkeypatch):
    module, name, wrong, arguments = PLACES[mistake]
    test = getattr(module, CAUGHT_BY[mistake])
    if "rng" in test.__code__.co_varnames[: test.__code__.co_argcount]:
        arguments = {**arguments, "rng": np.random.default_rng(20)}
    test(**arguments)
    monkeypatch.setattr(module, name, wrong)
    with pytest.raises(AssertionError):
        test(**arguments)


def moved(model, rng):
    for p in model.parameters().values():
        p.value += 0.3 * rng.standard_normal(p.shape)
    return model


@pytest.mark.parametrize("kind", [DataFedIn, OneTime, Timeless])
def test_gradient_check_does_not_see_the_mistake(kind, rng):
    """The fourth mistake is in the sampler, which has no gradient."""
    if kind is Timeless:
        model = FlowMatching(Timeless(3, 4, 1, embedding=5, rng=0, dtype=np.float64), 3)
    else:
        model = kind.dense(3, 4, 1, embedding=5, rng=0, dtype=np.float64)
    model = moved(model, rng)
    x1, x0, t, _ = model.prepare((rng.standard_normal((5, 3)),), rng)
    results = check_model(model, lambda: model.loss(x1, x0, t), rng=rng, tolerance=SMOOTH)
    assert results and all(result.verdict == "ok" for result in results)


def test_every_mistake_has_a_place_and_a_docstring():
    assert list(PLACES) == list(CAUGHT_BY)
    for _, _, wrong, _ in PLACES.values():
        assert wrong.__doc__ and wrong.__module__ == planted_mistakes.__name__
