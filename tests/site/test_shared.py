"""The shared scripts of the live pages agree with the library, and their controls can be used."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scratchgen import layers as L
from website import live, networks

from .browser import NARROW, open_page, plain

SEED = 0


def sample_layers() -> list[tuple[str, Any, tuple[int, ...]]]:
    """Layers that network.js can run, each with the shape of an input."""
    net = {"rng": np.random.default_rng(SEED)}
    norm = L.BatchNorm(5)
    norm.running_mean += np.linspace(-1, 1, 5, dtype=np.float32)
    norm.running_var *= np.linspace(0.5, 2, 5, dtype=np.float32)
    simple = (L.ReLU(), L.LeakyReLU(0.2), L.ELU(0.7), L.Sigmoid(), L.Tanh(), L.SiLU(), L.GELU(), L.Softplus())
    return [
        *((type(layer).__name__, layer, (3, 4)) for layer in simple),
        ("Linear", L.Linear(4, 3, **net), (2, 4)),
        ("Linear without bias", L.Linear(4, 3, bias=False, **net), (2, 4)),
        ("Conv2d", L.Conv2d(2, 3, (3, 2), stride=(2, 1), padding=(1, 0), **net), (2, 6, 5, 2)),
        ("ConvTranspose2d", L.ConvTranspose2d(2, 3, 4, stride=2, padding=1, **net), (2, 4, 3, 2)),
        ("output_padding", L.ConvTranspose2d(2, 1, (3, 2), stride=2, output_padding=1, **net), (1, 3, 3, 2)),
        ("MaxPool2d", L.MaxPool2d(2, stride=1), (2, 5, 4, 3)),
        ("MaxPool2d of odd size", L.MaxPool2d(2), (2, 5, 7, 1)),
        ("Upsample", L.Upsample(2), (2, 3, 2, 2)),
        ("BatchNorm", norm, (4, 5)),
        ("BatchNorm of images", norm, (2, 3, 2, 5)),
        ("LayerNorm", L.LayerNorm(6), (3, 6)),
        ("GroupNorm", L.GroupNorm(2, 6), (2, 3, 4, 6)),
        ("Sequential", L.Sequential(L.Flatten(), L.Linear(8, 6, **net), L.Reshape(2, 3)), (2, 2, 2, 2)),
    ]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, browser: Any) -> Any:
    """An empty page with the shared scripts, and the layers above as its data."""
    folder = tmp_path_factory.mktemp("shared")
    content = "<h1>Shared scripts</h1><div id='controls'></div><canvas id='canvas'></canvas>"
    data = {name: networks.describe(layer) for name, layer, _ in sample_layers()}
    data["half"] = np.array([0, -0.0, 1, -2.5, 65504, 6e-8, 1e-5, np.inf], np.float16)
    path = folder / "shared.html"
    path.write_text(live.assemble(content, data, []), encoding="utf-8")
    with open_page(browser, path) as page:
        yield page
        assert not page.errors


@pytest.mark.parametrize("case", sample_layers(), ids=lambda case: case[0])
def test_forward_of_layers(shared, case):
    name, layer, shape = case
    rng = np.random.default_rng(SEED)
    x = rng.normal(size=shape).astype(np.float32)
    script = """([name, nested]) => {
        const out = scratchgen.network.forward(scratchgen.data(name), scratchgen.tensor.of(nested));
        return {shape: out.shape, data: Array.from(out.data)};
    }"""
    found = shared.page.evaluate(script, [name, plain(x)])
    wanted = layer.forward(x)[0]
    assert tuple(found["shape"]) == wanted.shape
    np.testing.assert_allclose(np.reshape(found["data"], wanted.shape), wanted, atol=2e-6)


def test_residual_net(shared):
    rng = np.random.default_rng(SEED)
    net = L.ResidualNet(3, 16, 2, classes=4, embedding=8, rng=rng)
    for p in net.parameters().values():
        p.value[...] = rng.normal(size=p.value.shape) * 0.3
    x, t = rng.normal(size=(5, 3)).astype(np.float32), rng.random(5, dtype=np.float32)
    script = """([description, x, t, y]) => {
        const network = (function decode(v) {
            if (Array.isArray(v)) return v.map(decode);
            if (v === null || typeof v !== "object") return v;
            if ("nested" in v) return scratchgen.tensor.of(v.nested);
            return Object.fromEntries(Object.entries(v).map(([key, entry]) => [key, decode(entry)]));
        })(description), T = scratchgen.tensor;
        return Array.from(scratchgen.network.residualNet(network, T.of(x), T.of(t), y).data);
    }"""
    description = with_nested(networks.describe_residual_net(net))
    for labels in (np.array([0, 3, 4, 1, 2]), None):
        found = shared.page.evaluate(script, [description, plain(x), plain(t), plain(labels)])
        wanted = net.forward(x, t, labels)[0]
        np.testing.assert_allclose(np.reshape(found, wanted.shape), wanted, atol=2e-5)


def with_nested(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return {"nested": value.tolist()}
    if isinstance(value, dict):
        return {key: with_nested(entry) for key, entry in value.items()}
    return [with_nested(entry) for entry in value] if isinstance(value, list) else value


def test_half_precision(shared):
    # -0.0 and infinity have no JSON, so they are compared as text
    script = "() => Array.from(scratchgen.data('half').data, v => Object.is(v, -0) ? '-0.0' : `${v}`)"
    found = shared.page.evaluate(script)
    values = [float(text.replace("Infinity", "inf")) for text in found]
    np.testing.assert_array_equal(values, np.array([0, -0.0, 1, -2.5, 65504, 6e-8, 1e-5, np.inf], np.float16))
    assert found[1] == "-0.0"


def test_random_numbers(shared):
    script = """seed => {
        const rng = scratchgen.random(seed), first = Array.from(rng.normals(20000)), state = rng.state();
        const next = rng.normal();
        rng.restore(state);
        return {first, same: rng.normal() === next, uniform: Array.from({length: 20000}, rng.uniform)};
    }"""
    found, again, other = (shared.page.evaluate(script, seed) for seed in (3, 3, 4))
    assert found == again and found["same"] and found["first"] != other["first"]
    normal, uniform = np.array(found["first"]), np.array(found["uniform"])
    assert abs(normal.mean()) < 4 / 20000**0.5 and abs(normal.var() - 1) < 4 * (2 / 20000) ** 0.5
    assert abs((normal**3).mean()) < 4 * (15 / 20000) ** 0.5
    assert uniform.min() >= 0 and uniform.max() < 1
    counts = np.histogram(uniform, 20, (0, 1))[0]
    assert ((counts - 1000) ** 2 / 1000).sum() < 43.8       # chi-squared with 19 degrees of freedom, 0.001
    assert abs(np.corrcoef(normal[:-1], normal[1:])[0, 1]) < 4 / 20000**0.5


def test_controls(shared):
    shared.page.evaluate("""() => {
        const C = scratchgen.controls, parent = document.getElementById("controls"), seen = window.seen = {};
        C.slider(parent, {label: "rate", min: 0, max: 1, step: 0.1, value: 0.5,
                          show: v => v.toFixed(1) + " s", onInput: v => seen.rate = v});
        C.number(parent, {label: "count", min: 1, max: 9, value: 3, onChange: v => seen.count = v});
        C.choice(parent, {label: "mode", options: [["a", "first"], ["b", "second"]], value: "a",
                          onInput: v => seen.mode = v});
        C.checkbox(parent, {label: "arrows", onInput: v => seen.arrows = v});
    }""")
    page = shared.page
    slider = page.get_by_label("rate")
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("seen.rate") == 0.6
    assert slider.get_attribute("aria-valuetext") == "0.6 s"
    count = page.get_by_label("count")
    count.fill("12")
    assert count.get_attribute("aria-invalid") == "true" and page.evaluate("seen.count") is None
    count.fill("7")
    assert count.get_attribute("aria-invalid") == "false" and page.evaluate("seen.count") is None
    count.press("Tab")              # the entry is finished
    assert page.evaluate("seen.count") == 7
    page.get_by_role("button", name="second").press("Enter")
    assert page.evaluate("seen.mode") == "b"
    assert page.get_by_role("button", name="first").get_attribute("aria-pressed") == "false"
    page.get_by_label("arrows").press("Space")
    assert page.evaluate("seen.arrows") is True


def test_pointer(shared):
    shared.page.evaluate("""() => {
        window.moves = [];
        scratchgen.canvas.pointer(document.getElementById("canvas"), {
            onMove: (x, y, phase) => moves.push([Math.round(x), Math.round(y), phase]),
            onKey: (dx, dy) => moves.push([dx, dy, "key"]),
        });
    }""")
    box = shared.page.locator("#canvas").bounding_box()
    mouse, x, y = shared.page.mouse, box["x"], box["y"]
    mouse.move(x + 5, y + 6)
    mouse.down()
    mouse.move(x + 25, y + 16)
    mouse.up()
    mouse.move(x + 1, y + 1)
    shared.page.keyboard.press("Tab")
    shared.page.locator("#canvas").press("ArrowUp")
    assert shared.page.evaluate("moves") == [
        [5, 6, "start"], [25, 16, "move"], [25, 16, "end"], [0, 1, "key"],
    ]  # fmt: skip


def test_toggle_of_colours(browser, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(live.assemble("<h1>Colours</h1>", {}, []), encoding="utf-8")
    background = "() => getComputedStyle(document.body).backgroundColor"
    with open_page(browser, path, NARROW, dark=True) as page:
        assert page.page.evaluate(background) == "rgb(20, 23, 26)"
        page.page.get_by_role("button", name="Light colours").click()
        assert page.page.evaluate(background) == "rgb(255, 255, 255)"
        assert page.overflow() == 0
        for _ in range(20):         # the choice is kept; the browser may store it a little later
            page.open(path)
            if page.page.evaluate(background) == "rgb(255, 255, 255)":
                break
        assert page.page.evaluate(background) == "rgb(255, 255, 255)"


def themes() -> list[dict[str, str]]:
    """The colours of each block of theme.css that sets them: light, dark by choice, dark by default."""
    text = (live.SHARED / "theme.css").read_text(encoding="utf-8")
    blocks = re.findall(r"\{([^{}]*--page:[^{}]*)\}", text)
    return [dict(re.findall(r"--([\w-]+): (#\w{6})", block)) for block in blocks]


def contrast(one: str, other: str) -> float:
    """The contrast of two colours as WCAG 2.2 defines it."""
    def luminance(colour: str) -> float:
        parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ (0.2126, 0.7152, 0.0722))

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_of_the_themes():
    light, dark, dark_by_default = themes()
    assert dark == dark_by_default and light.keys() == dark.keys()
    for theme in (light, dark):
        for background in ("page", "panel"):
            for text in ("text", "muted", "accent", "blue", "orange", "green", "purple", "red"):
                assert contrast(theme[text], theme[background]) >= 4.5, (text, background)
            assert contrast(theme["border"], theme[background]) >= 3
        assert contrast(theme["on-accent"], theme["accent"]) >= 4.5
        assert contrast(theme["stroke"], theme["paper"]) >= 15


def test_describe_refuses_other_layers():
    with pytest.raises(TypeError, match="describe expected layers that network.js can run, got a GRU"):
        networks.describe(L.GRU(2, 3, rng=0))


def test_compact_keeps_every_number():
    short, long = np.array([0.5, -3], np.float32), np.array([0.1, 1e6], np.float32)
    found = networks.compact({"a": [short, long], "b": "text", "c": np.arange(3)})
    assert [a.dtype for a in found["a"]] == [np.float16, np.float32]
    np.testing.assert_array_equal(found["a"][0], short)
    assert found["a"][1] is long and found["b"] == "text" and found["c"].dtype == np.int64


def test_title_and_description():
    content = '<h1>Two <i>parts</i></h1>\n<p class="a">p<sub>g</sub> is\n "new".</p><p>Last</p>'
    page = live.assemble(content, {}, [])
    assert "<title>Two parts</title>" in page
    assert '<meta name="description" content="pg is &quot;new&quot;.">' in page
    with pytest.raises(ValueError, match="assemble expected a content with an <h1>"):
        live.assemble("<p>text</p>", {}, [])


def test_unknown_page(tmp_path: Path, capsys):
    assert live.main([str(tmp_path), "nonsense"]) == 2
    assert "live expected the name of a page" in capsys.readouterr().err
