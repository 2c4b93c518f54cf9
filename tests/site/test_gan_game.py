"""The GAN game computes what the library computes, and its experiments show what the page says."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from scratchgen.data import GaussianMixture1D
from scratchgen.layers import Tanh
from scratchgen.models import GAN, WGAN
from scratchgen.models.networks import dense
from scratchgen.optim import SGD
from scratchgen.studies.experiments.gan_on_a_line import Grid, adam
from website import live

from .browser import COUNT_FRAMES, NARROW, open_page

OBJECTIVES = {"non-saturating": GAN, "minimax": GAN, "least-squares": GAN, "wasserstein": WGAN}
CLIP = 0.1          # of the page's Wasserstein critic
LR, DISCRIMINATOR_LR = 1e-3, 5e-3


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Any:
    assert live.main([str(tmp_path_factory.mktemp("live")), "gan-game"]) == 0
    return next(tmp_path_factory.getbasetemp().glob("live*/gan-game.html"))


@pytest.fixture(scope="module")
def game(browser: Any, path: Any) -> Any:
    with open_page(browser, path) as page:
        yield page
        assert not page.errors


def new_model(objective: str) -> GAN:
    rng = np.random.default_rng(0)
    sizes = (1, 16, 16, 1), (1, 32, 32, 1)
    nets = [dense(widths, rng=rng, activation=Tanh, dtype=np.float64) for widths in sizes]
    for net in nets:
        for p in net.parameters().values():
            p.value += 0.1 * rng.normal(size=p.shape)       # also the biases, which start at 0
    settings = {"clip": CLIP} if objective == "wasserstein" else {"objective": objective}
    return OBJECTIVES[objective](*nets, code=1, output_range=None, **settings)


def flat(net: Any) -> np.ndarray:
    return np.concatenate([p.value.ravel() for p in net.parameters().values()])


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_steps_agree_with_the_library(game, objective):
    rng, model = np.random.default_rng(1), new_model(objective)
    x, z, z_generator = (rng.normal(size=(64, 1)) for _ in range(3))
    settings = {"objective": objective, "k": 1, "lr": LR, "discriminatorLr": DISCRIMINATOR_LR}
    found = game.check(
        "gan.steps", float64=True, settings=settings, generator=flat(model.generator),
        discriminator=flat(model.discriminator), x=x[:, 0], z=z[:, 0], zGenerator=z_generator[:, 0],
    )  # fmt: skip
    optimizers = adam(model, LR, DISCRIMINATOR_LR)
    wanted = model.discriminator_step(x, z, optimizer=optimizers["discriminator"])
    wanted |= model.generator_step(z_generator, optimizer=optimizers["generator"])
    names = {
        "loss": "loss", "dReal": "d_real", "dFake": "d_fake", "discriminatorGrad": "discriminator_grad",
        "generatorLoss": "generator_loss", "generatorGrad": "generator_grad",
    }  # fmt: skip
    for in_page, in_library in names.items():
        assert found[in_page] == pytest.approx(wanted[in_library], rel=1e-9, abs=1e-12), in_page
    # The first step of Adam is lr·sign(gradient), so it would hide a wrong size; the norms above would not.
    np.testing.assert_allclose(found["discriminator"], flat(model.discriminator), atol=1e-9)
    np.testing.assert_allclose(found["generator"], flat(model.generator), atol=1e-9)


def test_density_and_divergence_agree_with_the_library(game):
    data = GaussianMixture1D((0.5, 0.5), (0.0, 3.5), (0.25, 0.25))
    grid = Grid(data, -2, 6, 240, 400)
    model: Any = SimpleNamespace(inverse_transform=lambda z: np.sin(z) * z + 1)     # not monotonic
    ends = grid.images(model)
    found = game.check(
        "gan.density", float64=True, ends=ends, low=-2, high=6, bins=240, slices=400,
        data=[[0.5, 0.0, 0.25], [0.5, 3.5, 0.25]],
    )  # fmt: skip
    np.testing.assert_allclose(found["p"], grid.p, rtol=1e-12)
    np.testing.assert_allclose(found["mass"], np.abs(grid.mass), atol=2e-7)
    np.testing.assert_allclose(found["q"], grid.density(model), atol=1e-4)
    assert found["jsd"] == pytest.approx(grid.jensen_shannon(grid.density(model)), abs=1e-5)


def set_up(game: Any, name: str) -> None:
    game.page.get_by_role("button", name=f"Set up: {name}").click()


def test_generator_learns(game):
    set_up(game, "it works")
    first = game.check("gan.state")
    game.check("gan.frame", count=300)
    last = game.check("gan.state")
    assert first["round"] == 0 and last["round"] == 300
    assert last["jsd"] < 0.15 < 0.4 < first["jsd"]


def test_plain_gradient_descent_of_the_generator(game):
    rng, model = np.random.default_rng(1), new_model("minimax")
    x, z, z_generator = (rng.normal(size=(64, 1)) for _ in range(3))
    settings = {"objective": "minimax", "optimizer": "sgd", "lr": LR, "discriminatorLr": DISCRIMINATOR_LR}
    found = game.check(
        "gan.steps", float64=True, settings=settings, generator=flat(model.generator),
        discriminator=flat(model.discriminator), x=x[:, 0], z=z[:, 0], zGenerator=z_generator[:, 0],
    )  # fmt: skip
    optimizer = adam(model, LR, DISCRIMINATOR_LR)["discriminator"]
    model.discriminator_step(x, z, optimizer=optimizer)
    model.generator_step(z_generator, optimizer=SGD(model.generator.parameters(), lr=LR))
    np.testing.assert_allclose(found["generator"], flat(model.generator), rtol=0, atol=1e-12)


def test_minimax_saturates(game):
    """For 1,000 rounds; then 200 with the non-saturating loss are enough."""
    set_up(game, "saturation")
    for rounds in (0, 1, 499, 500):
        game.check("gan.frame", count=rounds)
        state = game.check("gan.state")
        assert state["settings"]["objective"] == "minimax" and state["last"]["dFake"] < 0.01
        assert np.abs(state["forces"]).max() < 0.05 and state["jsd"] > 0.65
        assert "saturation" in state["status"]
    game.page.get_by_label("Loss").select_option("non-saturating")
    assert np.abs(game.check("gan.state")["forces"]).max() > 0.2
    game.check("gan.frame", count=200)
    assert game.check("gan.state")["jsd"] < 0.3


@pytest.mark.parametrize("seed", ["1", "2"])
def test_wasserstein_reaches_the_data(game, seed):
    set_up(game, "Wasserstein")
    if seed != "1":
        game.page.get_by_label("Seed").fill(seed)
        game.page.get_by_label("Seed").press("Enter")
    assert game.check("gan.state")["jsd"] > 0.6
    game.check("gan.frame", count=500)
    for _ in range(4):
        game.check("gan.frame", count=50)
        assert game.check("gan.state")["jsd"] < 0.3


def test_vanished_slope_and_no_saturation_with_a_large_gradient(game):
    """The verdict on saturation follows the size of the gradient."""
    set_up(game, "Wasserstein")
    found = [game.check("gan.verdict", **case) for case in (
        {"objective": "wasserstein", "dFake": 0, "grad": 1e-3, "force": 1e-3},
        {"objective": "wasserstein", "dFake": 0, "grad": 1e-3, "force": 1},
        {"objective": "minimax", "dFake": 0.001, "grad": 1e-3, "force": 1e-3},
        {"objective": "minimax", "dFake": 0.001, "grad": 3.5, "force": 1e-3},
        {"objective": "minimax", "dFake": 0.001, "grad": 1e-3, "force": 1},
    )]  # fmt: skip
    assert ["hardly any gradient" in text for text in found] == [True, False, True, False, False]
    assert "slope has vanished" in found[0] and "saturation" in found[2]


def test_generator_collapses(game):
    set_up(game, "collapse")
    game.check("gan.frame", count=500)
    state = game.check("gan.state")
    assert state["share"][1] < 0.05 and "collapse" in state["status"]


def test_seed_and_reset(game):
    set_up(game, "it works")
    values = []
    for seed in ("1", "2", "1"):
        game.page.get_by_label("Seed").fill(seed)
        game.page.get_by_label("Seed").press("Enter")
        game.check("gan.frame", count=5)
        values.append(game.check("gan.state")["jsd"])
    assert values[0] == values[2] != values[1]


def test_seed_field(game):
    set_up(game, "it works")
    page, seed = game.page, game.page.get_by_label("Seed")
    game.check("gan.frame", count=5)
    seed.fill("")
    seed.press_sequentially("12")
    assert game.check("gan.state")["round"] == 5        # the entry is not finished
    seed.press("Enter")
    assert game.check("gan.state")["round"] == 0
    game.check("gan.frame", count=5)
    for wrong in ("-5", "99999999", "1.5", ""):
        seed.fill(wrong)
        seed.press("Enter")
        assert seed.get_attribute("aria-invalid") == "true" and game.check("gan.state")["round"] == 5
    hint = page.locator(f"#{seed.get_attribute('aria-describedby')}")
    assert hint.inner_text() == "A whole number from 0 to 999,999"


def test_one_loop_and_set_up_pauses(game):
    set_up(game, "it works")
    page = game.page
    page.evaluate(COUNT_FRAMES)
    clicks = """() => {
      for (let i = 0; i < 5; i++) document.querySelector('#run button').click();
      return waiting.size;
    }"""
    assert page.evaluate(clicks) == 1
    page.get_by_label("Rounds per frame").fill("8")
    set_up(game, "collapse")
    assert page.evaluate("waiting.size") == 0
    assert page.get_by_role("button", name="Play").count() == 1
    assert page.get_by_label("Rounds per frame").input_value() == "2"
    assert game.check("gan.state")["round"] == 0


def test_a_slow_frame_has_few_rounds(game):
    """With a clock on which each look takes 6 ms, a frame ends after two rounds."""
    set_up(game, "it works")
    page = game.page
    page.get_by_label("Rounds per frame").fill("8")
    rounds = page.evaluate("""async () => {
      const ask = window.requestAnimationFrame, now = performance.now;
      let time = 0, frame = null;
      performance.now = () => time += 6;
      window.requestAnimationFrame = (f) => { frame = f; return 0; };
      document.querySelector("#run button").click();
      frame();
      window.requestAnimationFrame = ask;
      performance.now = now;
      document.querySelector("#run button").click();
      return (await scratchgenCheck("gan.state")).round;
    }""")
    assert rounds == 2


def test_buttons_and_pause(game):
    set_up(game, "it works")
    page = game.page
    page.get_by_role("button", name="One round").press("Enter")
    page.get_by_role("button", name="20 × G only").press("Space")
    assert game.check("gan.state")["round"] == 21
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("async () => (await scratchgenCheck('gan.state')).round > 25")
    page.get_by_role("button", name="Pause").click()
    stopped = game.check("gan.state")["round"]
    page.wait_for_timeout(100)
    assert game.check("gan.state")["round"] == stopped
    page.wait_for_function("() => document.getElementById('live-description').textContent.includes('Round')")


def test_narrow_page(browser, path):
    with open_page(browser, path, NARROW, dark=True) as page:
        assert page.overflow() == 0 and not page.errors
