"""The latent explorer computes what the library computes, and can be used with pointer and keyboard."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scratchgen import load, load_digits
from website import live

from .browser import NARROW, open_page

AGREE = 1e-4        # of intensities, codes and probabilities


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("live")
    assert live.main([str(folder), "latent"]) == 0
    return folder / "latent.html"


@pytest.fixture(scope="module")
def explorer(browser: Any, path: Any) -> Any:
    with open_page(browser, path) as page:
        yield page
        assert not page.errors


@pytest.fixture(scope="module")
def digits() -> Any:
    return load_digits("embedded")


def test_encoders_and_decoders_agree_with_the_library(explorer, digits):
    plane, coder, x = load("vae-2d"), load("autoencoder"), digits.x_test[:20]
    mu, logvar = plane.posterior(x)
    found = explorer.check("latent.posterior", x=x)
    np.testing.assert_allclose(found["mu"], mu, atol=AGREE)
    np.testing.assert_allclose(found["std"], np.exp(logvar / 2), atol=AGREE)
    z = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    np.testing.assert_allclose(explorer.check("latent.plane", z=z), plane.inverse_transform(z), atol=AGREE)
    codes = coder.transform(x)
    np.testing.assert_allclose(explorer.check("latent.encode", x=x), codes, atol=AGREE)
    np.testing.assert_allclose(explorer.check("latent.decode", z=codes), coder.reconstruct(x), atol=AGREE)


def test_flow_agrees_with_the_library_and_comes_back(explorer, digits):
    flow, codes = load("realnvp-codes"), load("autoencoder").transform(digits.x_test[:20])
    found = explorer.check("latent.flow", x=codes)
    np.testing.assert_allclose(found["z"], flow.transform(codes), atol=AGREE)
    np.testing.assert_allclose(found["back"], codes, atol=AGREE)


@pytest.mark.parametrize(
    ("name", "model"), [("vae", "vae-20"), ("cvae", "cvae"), ("gan", "cgan"), ("flow", "realnvp-codes")]
)
def test_generators_agree_with_the_library(explorer, name, model):
    loaded, rng = load(model), np.random.default_rng(0)
    labels = np.arange(10) if name in ("cvae", "gan") else None
    z = loaded.prior_sample(10, rng=rng, **({} if labels is None else {"y": labels})).astype(np.float32)
    wanted = loaded.inverse_transform(z) if labels is None else loaded.inverse_transform(z, labels)
    if name == "flow":
        wanted = load("autoencoder").inverse_transform(wanted)
    found = explorer.check("latent.generate", name=name, z=z, labels=labels)
    np.testing.assert_allclose(found, wanted, atol=AGREE)
    assert wanted.std(axis=0).max() > 0.1           # the ten pictures differ


def test_classifier_agrees_with_the_library(explorer, digits):
    x = digits.x_test[:20]
    found = explorer.check("latent.classify", x=x)
    np.testing.assert_allclose(found, load("digit-classifier").predict_proba(x), atol=AGREE)


def test_a_drawing_is_centred_like_mnist(explorer, digits):
    """An enlarged and moved test digit gives the test digit again."""
    rng, x = np.random.default_rng(0), digits.x_test[:12]
    enlarged = []
    for digit in x:
        canvas = np.zeros((112, 112), np.float32)
        top, left = rng.integers(0, 112 - 3 * 28, 2)
        canvas[top : top + 84, left : left + 84] = np.kron(digit.reshape(28, 28), np.ones((3, 3)))
        enlarged.append(canvas)
    found = np.array([explorer.check("latent.centred", picture=picture) for picture in enlarged])
    # The box of a digit of MNIST may be 19 or 20 pixels long, and its centre is rounded.
    errors = np.abs(found - x).sum(axis=1) / x.sum(axis=1)
    assert np.median(errors) < 0.15 and errors.max() < 0.75
    classifier = load("digit-classifier")
    assert (classifier.predict(found.astype(np.float32)) == classifier.predict(x)).mean() > 0.9
    rows, columns = np.divmod(np.arange(784), 28)
    for picture in found:
        middle = picture @ rows / picture.sum(), picture @ columns / picture.sum()
        np.testing.assert_allclose(middle, 14, atol=0.51)
    assert explorer.check("latent.centred", picture=np.zeros((9, 9))) is None


def test_drawing_with_the_pointer(explorer, digits):
    page, canvas = explorer.page, explorer.page.locator("#sketch")
    page.get_by_role("button", name="Clear").click()
    page.wait_for_function("async () => (await scratchgenCheck('latent.state')).posterior === null")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    x, y, side = box["x"], box["y"], box["width"]
    page.mouse.move(x + 0.5 * side, y + 0.2 * side)
    page.mouse.down()
    page.mouse.move(x + 0.5 * side, y + 0.8 * side, steps=8)
    page.mouse.up()
    page.wait_for_function("async () => (await scratchgenCheck('latent.state')).posterior !== null")
    state = explorer.check("latent.state")
    picture = state["pictures"][0]
    assert load("digit-classifier").predict(picture[None].astype(np.float32)).item() == 1
    mu, logvar = load("vae-2d").posterior(picture[None].astype(np.float32))
    np.testing.assert_allclose(state["posterior"]["mu"], mu[0], atol=AGREE)
    np.testing.assert_allclose(state["posterior"]["std"], np.exp(logvar[0] / 2), atol=AGREE)
    assert page.locator("#sketch-text").text_content().startswith("The drawing is read as 1")
    assert "always chooses one of the ten digits" in page.locator("#sketch-text").text_content()


def test_plane_by_keyboard_and_pointer(explorer):
    page, canvas = explorer.page, explorer.page.locator("#plane")
    canvas.click()
    before = explorer.check("latent.state")["plane"]
    canvas.press("ArrowRight")
    canvas.press("Shift+ArrowUp")
    state = explorer.check("latent.state")
    np.testing.assert_allclose(np.subtract(state["plane"], before), [0.1, 0.5], atol=1e-6)
    wanted = load("vae-2d").inverse_transform(np.array([state["plane"]], np.float32))[0]
    np.testing.assert_allclose(state["planePicture"], wanted, atol=AGREE)
    box = canvas.bounding_box()
    page.mouse.click(box["x"] + 28 + (box["width"] - 34) / 2, box["y"] + 6 + (box["height"] - 32) / 2)
    np.testing.assert_allclose(explorer.check("latent.state")["plane"], [0, 0], atol=0.03)
    page.wait_for_function("document.getElementById('live-description').textContent.startsWith('Code (')")


def test_sliders(explorer):
    page = explorer.page
    page.get_by_role("button", name="Conditional GAN").click()
    page.get_by_role("group", name="Digit").get_by_role("button", name="7").click()
    page.get_by_role("button", name="Random code").last.click()
    slider = page.locator("#sliders input").first
    slider.focus()
    page.keyboard.press("Home")
    state = explorer.check("latent.state")
    assert state["model"] == "gan" and state["label"] == 7 and state["z"].count(-4) == 1
    wanted = load("cgan").inverse_transform(np.array([state["z"]], np.float32), np.array([7]))[0]
    np.testing.assert_allclose(state["picture"], wanted, atol=AGREE)
    assert page.locator("#generated-text").text_content().startswith("Conditional GAN, asked for 7: read as")


def test_flow_starts_from_the_drawing(explorer):
    page = explorer.page
    page.get_by_role("button", name="A test digit").click()
    page.get_by_role("button", name="Flow", exact=True).click()
    page.get_by_role("button", name="From the drawing").click()
    state = explorer.check("latent.state")
    np.testing.assert_allclose(state["z"], state["bars"], atol=1e-6)
    np.testing.assert_allclose(state["picture"], state["pictures"][3], atol=AGREE)
    assert page.get_by_role("group", name="Digit").count() == 0         # this model has no labels


@pytest.mark.parametrize("dark", [False, True])
def test_narrow_page(browser, path, dark):
    with open_page(browser, path, NARROW, dark=dark, has_touch=True) as page:
        assert page.overflow() == 0 and not page.errors
        page.page.locator("#sketch").tap()
        page.page.wait_for_function(
            "async () => (await scratchgenCheck('latent.state')).pictures[0].data[0] === 0"
        )
        touched = page.page.locator("canvas[style*='touch-action: none']")
        ids = [touched.nth(i).get_attribute("id") for i in range(touched.count())]
        assert ids == ["plane", "sketch"]                   # over the others, a finger scrolls the page
        canvases = page.page.locator("canvas")
        assert canvases.count() == 9
        assert page.page.locator("canvas[aria-label], canvas[aria-describedby]").count() == 9
