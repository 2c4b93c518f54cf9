"""The live page "backprop": its lines are those of the library, its arrays the library's, its keys work."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scratchgen import kernels, losses
from scratchgen.exercises.source import mentioned, read
from scratchgen.models.vae import VAE
from website import live
from website.backprop import programs as P
from website.backprop.expressions import tree
from website.backprop.walk import Walk

from .browser import NARROW, WIDE, open_page

DOCS = Path(__file__).resolve().parents[2] / "docs"
PROGRAMS = P.programs()
KEYS = list(PROGRAMS)
EDITS = {"two layers": ("W2", (1, 0), 0.7), "batch norm": ("x", (2, 1), -1.3), "VAE": ("eps", (0, 1), 1.9)}


def edited(key: tuple[str, str, str]) -> P.Program:
    """The program of an example after the edit of its model in EDITS."""
    name, index, value = EDITS[key[0]]
    array = PROGRAMS[key].inputs[name].copy()
    array[index] = value
    return rebuilt(key, **{name: array})


def rebuilt(key: tuple[str, str, str], **given: Any) -> P.Program:
    model, activation, loss = key
    if model == "VAE":
        return P.vae(activation, **given)
    return P.two_layers(activation, loss, model == "batch norm", **given)


def of_the_library(program: P.Program) -> dict[str, Any]:
    """What forward and backward of the model return: the loss, its output, and all gradients."""
    model, given = program.model, program.inputs
    for p in model.parameters().values():
        p.grad[...] = 0
    if isinstance(model, VAE):
        loss, cache = model.loss(given["x"], eps=given["eps"], training=True)
        found = model.backward(cache)
        found = {name: found[name] for name in ("dz", "dmu", "dlogvar")} | {
            "dlogits": found["dout"], "std": cache.std, "nll": cache.nll, "kl": cache.kl,
        }  # fmt: skip
    else:
        out, cache = model.forward(given["x"], True)
        output = "logits" if "logits" in program.values else "pred"
        function = losses.bce_with_logits if output == "logits" else losses.squared_error
        loss, dout = function(out, given["target"])
        found = {output: out, f"d{output}": dout, "dx": model.backward(dout, cache)}
    gradients = {
        f"d{name}": p.grad.copy()
        for name, p in zip(program.parameters, model.parameters().values(), strict=True)
    }
    return {"loss": loss, **found, **gradients}


# The lines


@pytest.mark.parametrize("backend", kernels.BACKENDS)
@pytest.mark.parametrize("key", KEYS, ids="-".join)
def test_lines_compute_what_the_library_computes(key, backend):
    """Also the parameters' order: (LIN.2), (LIN.3) and (BN.7) of each layer reach the right name."""
    for program in (PROGRAMS[key], edited(key)):
        with kernels.use(backend):
            wanted = of_the_library(program)
        for name, value in wanted.items():
            np.testing.assert_allclose(program.values[name], value, rtol=1e-9, atol=1e-11, err_msg=name)


def test_numbers_of_equations_are_in_the_chapters():
    equations = P.data()["equations"]
    assert {"LIN.2", "RELU.2", "SE.2", "BCE.2", "BN.9", "VAE.8", "NORM.6"} <= equations.keys()
    for number, found in equations.items():
        text = (DOCS / f"{found['chapter']}.md").read_text(encoding="utf-8")
        assert rf"\tag{{{number}}}" in text, number
        assert found["formula"], number


@pytest.mark.parametrize(
    ("model", "module", "parts", "others"),
    [
        ("two layers", "layers.linear", ("affine", "Linear.backward"), set()),
        ("batch norm", "layers.normalisation", ("batch_norm", "batch_norm_backward"), set()),
        ("VAE", "models.vae.model", ("VAE.loss", "VAE.backward"), {"CVAE.2"}),
    ],
)
def test_no_equation_of_these_functions_is_left_out(model, module, parts, others):
    source = read(f"scratchgen.{module}")
    wanted = set().union(*(mentioned(source, part) for part in parts)) - others
    program = P.described(PROGRAMS[next(key for key in KEYS if key[0] == model)])
    assert wanted <= {n for line in program["lines"] for n in line["equations"]}


def test_each_gradient_has_a_check():
    for key, program in PROGRAMS.items():
        found = {name for line in P.described(program)["lines"] for name in line["gradients"]}
        assert {f"d{name}" for name in program.parameters} <= found, key
        for line in program.lines:
            backward = P.is_backward(line, program)
            assert backward == all(n[0] == "d" and n != "diff" for n in line.names), line.names


def test_expressions_that_the_page_cannot_evaluate_are_refused():
    import ast

    for code in ("np.cumsum(x)", "x[0]", "f(x)", "x // 2"):
        with pytest.raises((ValueError, KeyError)):
            tree(ast.parse(code, mode="eval").body)


def test_walk_refuses_an_example_that_the_library_refuses():
    """A branch that raises ends the walk, as it ends the program."""
    model = VAE.dense((4, 3, 2), rng=0, dtype=np.float64)
    walk = Walk(parameters={}, outputs={}, attributes={}, renamed={})
    h = walk.define("h", np.zeros((3, 5)))
    with pytest.raises(ValueError, match="the example is not accepted"):
        walk.run(model._heads, h)


# The page


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("backprop") / "backprop.html"
    path.write_text(live.build("backprop"), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser: Any, path: Path) -> Any:
    with open_page(browser, path) as page:
        yield page
        assert not page.errors


def plain_inputs(program: P.Program) -> dict[str, Any]:
    return {name: np.asarray(value).tolist() for name, value in program.inputs.items()}


def test_arrays_of_the_page_before_and_after_an_edit(opened):
    for key in KEYS:
        model, activation, loss = key
        for program in (PROGRAMS[key], edited(key)):
            settings = {"model": model, "activation": activation, "loss": loss}
            found = opened.check("values", **settings, inputs=plain_inputs(program))
            assert found.keys() == program.values.keys()
            for name, value in program.values.items():
                np.testing.assert_allclose(found[name], value, rtol=1e-9, atol=1e-11, err_msg=f"{key} {name}")


@pytest.mark.parametrize("model", EDITS)
def test_edit_in_the_page(opened, model):
    """The arrays, the finite differences and the sentence about the loss, after a number was typed."""
    page = opened.page
    page.get_by_role("button", name=model, exact=True).click()
    key = next(key for key in KEYS if key[0] == model)
    name, (row, column), value = EDITS[model]
    program = edited(key)
    page.keyboard.press("End")
    page.get_by_label(f"{name}, row {row + 1}, column {column + 1}").fill(str(value))
    state = opened.check("state")
    wanted = of_the_library(program)
    for array, expected in {**program.values, **wanted}.items():
        np.testing.assert_allclose(state["values"][array], expected, rtol=1e-9, atol=1e-11, err_msg=array)
    for gradient, found in state["numeric"].items():
        assert not found["wrong"] and found["error"] < 1e-7, gradient
        np.testing.assert_allclose(found["numeric"], program.values[gradient], atol=1e-7)
    text = page.locator("#edited").inner_text()
    before, after = PROGRAMS[key].values["loss"], program.values["loss"]
    assert f"Loss: from {before:.4f} to {after:.4f}" in text
    if f"d{name}" in program.values:
        old = PROGRAMS[key].inputs[name][row, column]
        predicted = PROGRAMS[key].values[f"d{name}"][row, column] * (value - old)
        assert f"predicted {'−' if predicted < 0 else '+'}{abs(predicted):.5f}" in text
    page.get_by_role("button", name="Reset the numbers").click()
    np.testing.assert_allclose(opened.check("state")["values"]["loss"], before)


def test_a_wrong_line_is_reported(browser, tmp_path, monkeypatch):
    """A planted bug: (RELU.2) without its condition, and dW1 with a wrong factor."""
    data = copy.deepcopy(P.data())
    program = data["programs"][0]
    assert (program["model"], program["activation"]) == ("two layers", "ReLU")
    for line in program["lines"]:
        if line["assigns"][0][0] == "dh1":
            line["assigns"] = [["dh1", "da1"]]
    monkeypatch.setattr(live, "page_data", lambda name: data)
    path = tmp_path / "wrong.html"
    path.write_text(live.build("backprop"), encoding="utf-8")
    with open_page(browser, path) as page:
        found = page.check("state")["numeric"]
        wrong = {name for name, check in found.items() if check["wrong"]}
        assert wrong == {"dh1", "dW1", "db1", "dx"}             # and nothing that was computed before it
        page.page.keyboard.press("End")
        assert "differs by up to" in page.page.locator("#now").inner_text()


def test_kink(opened):
    """At h1 = 0 the slopes on both sides of ReLU differ. The page says so, and does not call it a mistake."""
    page = opened.page
    for column in (1, 2):
        page.get_by_label(f"x, row 1, column {column}").fill("0")
    page.get_by_label("b1, entry 1").fill("0")
    found = opened.check("state")["numeric"]
    assert found["dh1"]["kinks"] == 1 and not found["dh1"]["wrong"]
    page.locator("#lines button", has_text="dh1 =").click()
    assert "at a kink" in page.locator("#now").inner_text()


def enter(page: Any, label: str, text: str) -> Any:
    """Type into a field of the page, as a user does, and leave it."""
    field = page.get_by_role("textbox", name=label, exact=True)
    field.focus()
    page.keyboard.press("Control+A")
    page.keyboard.type(text)
    page.keyboard.press("Tab")
    return field


def choose(page: Any, model: str, activation: str) -> None:
    """Open an example at its last line."""
    page.get_by_role("button", name=model, exact=True).click()
    page.get_by_label("Activation").select_option(activation)
    page.locator("#last").click()


LARGE = {
    "VAE": [("be1, entry 2", "20"), ("be1, entry 2", "30"), ("We2, row 3, column 3", "-50"),
            ("We2, row 3, column 3", "50")],
    "two layers": [(label, "1000000") for label in
                   ("target, row 1, column 1", "x, row 1, column 1", "W1, row 1, column 1", "b1, entry 1")],
    "batch norm": [("x, row 1, column 1", "0.00001"), ("eps", "0.00000001"), ("b1, entry 1", "1000000")],
}  # fmt: skip


@pytest.mark.parametrize("activation", P.ACTIVATIONS)
@pytest.mark.parametrize("model", LARGE)
def test_rounding_errors_of_a_large_loss_are_neither_mistakes_nor_kinks(opened, model, activation):
    page = opened.page
    choose(page, model, activation)
    for label, text in LARGE[model]:
        page.get_by_role("button", name="Reset the numbers").click()
        page.get_by_role("textbox", name=label, exact=True).fill(text)
        page.locator("#last").click()
        for gradient, found in opened.check("state")["numeric"].items():
            assert not found["wrong"] and not found["kinks"], (label, text, gradient)
            if not found["unsure"]:
                assert found["error"] <= 1e-3 * found["scale"], (label, text, gradient)
        shown = page.locator("#variables").inner_text()
        assert "✗" not in shown and "kink" not in shown and "✓ agrees" in shown


def test_checks_of_large_gradients(opened):
    """Their error is relative; where rounding hides the gradient, the page says that there is no check."""
    page = opened.page
    page.locator("#last").click()
    enter(page, "target, row 1, column 1", "1000000")
    shown = page.locator("#variables").inner_text()
    assert "The loss is too large for finite differences" in shown
    errors = re.findall(r"agrees, relative error (\S+)", shown)
    assert errors and all(float(error.replace("−", "-")) <= 1e-3 for error in errors)
    assert "agrees, error" not in shown
    text = page.locator("#edited").inner_text()
    assert "to 1000000." in text and re.search(r"a change of \+3\.333e\+11\.", text)


@pytest.mark.parametrize(
    ("label", "text", "reason"),
    [
        ("be1, entry 2", "1000000", "std is infinite: the loss is not a number."),
        ("We2, row 3, column 3", "1000", "spread is infinite: the loss is infinite."),
    ],
)
def test_overflow_of_the_loss(opened, label, text, reason):
    page = opened.page
    choose(page, "VAE", "ReLU")
    enter(page, label, text)
    message = page.locator("#edited").inner_text()
    assert reason in message and "closer to 0" in message and "NaN" not in message
    notes = page.locator("#variables .check").all_inner_texts()
    assert notes and not any("✗" in note or "✓" in note or "NaN" in note for note in notes)
    enter(page, label, "1")
    assert "NaN" not in page.locator("#edited").inner_text()
    assert "✓ agrees" in page.locator("#variables").inner_text()


def test_several_kinks_at_once(opened):
    """With h1 = 0 in a whole row, a step of x crosses all kinks: neither slope is the gradient."""
    page = opened.page
    page.locator("#last").click()
    for label in ("x, row 1, column 1", "x, row 1, column 2", "b1, entry 1", "b1, entry 2", "b1, entry 3"):
        enter(page, label, "0")
    found = opened.check("state")["numeric"]
    assert found["dx"]["kinks"] and not any(check["wrong"] for check in found.values())


def test_keys_and_the_list_of_lines(opened):
    page = opened.page
    current = page.locator("#lines button[aria-current=step]")
    assert current.inner_text().startswith("h1 = x @ W1 + b1")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert current.inner_text().startswith("a1 = np.maximum(h1, 0)")
    assert page.locator("#now a").get_attribute("href") == "../docs/backprop.html#eq-RELU.1"
    assert "layers/activations.py" in page.locator("#now").inner_text()
    page.keyboard.press("End")
    assert current.inner_text().startswith("dx = dh1 @ W1.T") and page.locator("#next").is_disabled()
    assert "agrees" in page.locator("#now").inner_text()
    page.keyboard.press("Home")
    assert current.count() == 1 and page.locator("#back").is_disabled()
    page.get_by_label("W1, row 1, column 1").press("ArrowUp")       # changes the number, not the line
    assert opened.check("state")["line"] == 0
    expected = PROGRAMS[KEYS[0]].inputs["W1"][0, 0] + 0.1
    np.testing.assert_allclose(opened.check("state")["values"]["W1"][0, 0], expected)
    page.wait_for_timeout(600)
    page.keyboard.press("Tab")
    assert "Line 1 of" in page.locator("#live-description").inner_text()


def test_address_of_a_model(browser, path):
    """backprop.html#vae opens the step of the VAE, so that a chapter can link to it."""
    with open_page(browser, path) as page:
        for model, fragment in (("VAE", "vae"), ("batch norm", "batch-norm")):
            page.page.goto("about:blank")
            page.page.goto(f"{path.resolve().as_uri()}#{fragment}")
            button = page.page.get_by_role("button", name=model, exact=True)
            assert button.get_attribute("aria-pressed") == "true"
            key = next(key for key in KEYS if key[0] == model)
            assert page.check("state")["values"].keys() == PROGRAMS[key].values.keys()


def test_numbers_that_are_not_accepted(opened):
    page = opened.page
    field = page.get_by_label("W1, row 1, column 1")
    field.fill("abc")
    assert field.get_attribute("aria-invalid") == "true"
    np.testing.assert_array_equal(opened.check("state")["values"]["W1"], PROGRAMS[KEYS[0]].inputs["W1"])
    field.press("Tab")
    assert float(field.input_value()) == PROGRAMS[KEYS[0]].inputs["W1"][0, 0]
    page.get_by_label("Loss", exact=True).select_option("cross-entropy")
    field = page.get_by_label("target, row 1, column 1")
    field.fill("2")                                                 # a target of cross-entropy is in [0, 1]
    assert field.get_attribute("aria-invalid") == "true"


@pytest.mark.parametrize("text", ["1e400", "99999999999999", "1e308", "abc", "½", "0x10", "-", "1.5.2"])
def test_rejected_entry(opened, text):
    """The number that was there comes back, with the reason, and what was said about the edit before it."""
    page = opened.page
    enter(page, "W1, row 1, column 1", "1.7")
    said, values = page.locator("#edited").inner_text(), opened.check("state")["values"]
    changed = page.locator("#variables td.changed").count()
    for label, kept in (("W1, row 1, column 1", 1.7), ("W2, row 1, column 1", values["W2"][0, 0])):
        field = enter(page, label, text)
        assert float(field.input_value()) == kept and field.get_attribute("aria-invalid") == "false"
        np.testing.assert_array_equal(opened.check("state")["values"]["loss"], values["loss"])
        assert page.locator("#edited").inner_text() == said
        assert page.locator("#variables td.changed").count() == changed > 0
        reason = page.locator("[role=status]", has_text="Expected a number from −1,000,000 to 1,000,000.")
        assert reason.count() == 1 and reason.is_visible()
        assert f"{label} is still {kept}." in reason.inner_text()
    enter(page, "W1, row 1, column 1", "1.8")
    assert reason.count() == 0


def test_same_number_again(opened):
    """It is no edit: what was said about the edit before it stays."""
    page = opened.page
    enter(page, "W1, row 1, column 1", "1.7")
    said = page.locator("#edited").inner_text()
    enter(page, "W1, row 1, column 1", "1.70")
    assert page.locator("#edited").inner_text() == said != ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [("1,5", "1.5"), ("−2", "-2"), ("1e3", "1000"), ("+.50", "0.5"), ("0.1234567", "0.1234567"),
     ("1,000,000", "1000000"), ("-999999.5", "-999999.5")],
)  # fmt: skip
def test_entry_is_shown_as_the_number_that_is_used(opened, text, shown):
    page = opened.page
    field = enter(page, "W1, row 1, column 1", text)
    assert field.input_value() == shown
    assert opened.check("state")["values"]["W1"][0, 0] == float(shown)
    assert f" to {shown.replace('-', '−')}. " in page.locator("#edited").inner_text()
    field.focus()
    assert field.evaluate("field => field.scrollWidth <= field.clientWidth")     # all of it is visible


def test_reason_names_the_range_of_the_number(opened):
    page = opened.page
    page.get_by_role("button", name="batch norm", exact=True).click()
    field = page.get_by_role("textbox", name="eps", exact=True)
    field.fill("-")                                                 # the user may go on typing
    assert page.locator("#rejected").inner_text() == ""
    field.fill("-1")
    assert page.locator("#rejected").inner_text() == "Expected a number from 0.00000001 to 10."


@pytest.mark.parametrize(("size", "dark"), [(NARROW, True), (WIDE, False)])
def test_no_model_is_wider_than_the_screen(browser, path, size, dark):
    with open_page(browser, path, size, dark=dark, has_touch=True) as page:
        for model in EDITS:
            page.page.get_by_role("button", name=model, exact=True).tap()
            page.page.get_by_role("button", name="Next line").tap()
            assert page.check("state")["line"] == 1
            page.page.keyboard.press("End")
            assert page.overflow() == 0
        assert not page.errors


def test_style_has_no_colours_of_its_own():
    """All colours are those of the theme, whose contrast is tested."""
    style = (live.LIVE / "backprop" / "page.css").read_text(encoding="utf-8")
    assert not re.findall(r"#[0-9a-fA-F]{3,6}\b|rgba?\(", re.sub(r"#\w+ \{", "", style))
