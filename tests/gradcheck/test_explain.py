"""The gradient checker says where a gradient is wrong and what kind of mistake it looks like."""

import re
from pathlib import Path

import numpy as np
import pytest
from helpers.mistakes import Written, every_mistake, table
from helpers.planted import (
    SHAPE,
    Affine,
    ChangesDout,
    KeepsItsInput,
    MissingFactor,
    NeverFrozen,
    NotANumberTheSecondTime,
    Overwrites,
    Regression,
)

from scratchgen.gradcheck import (
    assert_gradients,
    check_contract,
    check_jvp,
    check_layer,
    check_loss,
    check_model,
)
from scratchgen.layers import Layer, Parameter

MISTAKES = every_mistake()


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda m: f"{m.family}: {m.name}")
def test_cause_of_a_planted_mistake_is_named_or_none_is(mistake):
    """Another cause than the planted one would be misleading. For "", no cause can be singled out."""
    explanation = mistake.explanation()
    assert explanation.cause == mistake.cause
    assert mistake.says in explanation.text
    place = "" if explanation.cause in ("None", "shape", "x changed") else "backward gives "
    assert place in explanation.text


def test_most_planted_mistakes_are_named():
    """The test above shows that each cause is the right one; here are at least 30, and 85 % of them named."""
    assert len(MISTAKES) >= 30
    assert sum(bool(m.cause) for m in MISTAKES) >= 0.85 * len(MISTAKES)
    assert len({(m.family, m.name) for m in MISTAKES}) == len(MISTAKES)


def test_chapter_has_the_share_of_named_mistakes():
    """test_cause_of_a_planted_mistake_is_named_or_none_is measures it: it fails for a misleading cause."""
    chapter = (Path(__file__).parents[2] / "docs" / "gradcheck.md").read_text(encoding="utf-8")
    (found,) = re.findall(r"<!-- planted: .* -->\n(.*?)\n<!-- end of planted -->", chapter, re.DOTALL)
    assert found == table(), f"write this into docs/gradcheck.md:\n{table()}"


@pytest.mark.slow
def test_no_cause_is_misleading_for_other_random_numbers():
    for mistake in MISTAKES[::3]:
        assert mistake.explanation(seed=5).cause in ("", mistake.cause), mistake.name


class Square(Layer):
    """The example of the README, with a factor that can be wrong."""

    def __init__(self, factor):
        self.times = lambda x: factor * x

    def forward(self, x, training=False):
        return x**2, x

    def backward(self, dout, x, input_grad=True):
        return self.times(x) * dout if input_grad else None


@pytest.mark.parametrize("shape", [(3, 4), (1, 2), (2, 3, 4)])
@pytest.mark.parametrize("factor, says", [(3, "is 1.5 = 3/2 times what it should be."), (-2, "The sign is")])
def test_example_of_the_readme_with_a_wrong_factor_is_diagnosed(shape, factor, says):
    """The shape must not be blamed: 3/2 is half of a batch of 3."""
    (result,) = check_layer(Square(factor), np.random.default_rng(0).normal(size=shape), rng=0)
    entries = np.prod(shape)
    if entries > 2:
        assert says in str(result)
        assert f"All {entries} entries are wrong. The worst is input[" in str(result)
        assert "batch" not in str(result)
    else:
        assert result.explanation.cause == "slope"      # two entries are too few to speak of a constant


def test_readme_shows_what_its_example_prints_with_a_wrong_factor(capsys):
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n((?:(?!```).)*class Square.*?)```", readme, re.DOTALL)
    (shown,) = re.findall(r"```text\n(input .*?)```", readme, re.DOTALL)
    exec(code, {})
    assert "FAIL" not in capsys.readouterr().out
    exec(code.replace("2 * x * dout", "3 * x * dout"), {})
    assert shown in capsys.readouterr().out


def test_explanation_has_the_worst_entry_and_both_numbers(rng):
    class Planted(Affine):
        def backward(self, dout, x, input_grad=True):
            dx = super().backward(dout, x)
            dx[3, 2] += 5
            dx[1, 1] += 1
            return dx

    result = check_layer(Planted(rng), rng.standard_normal(SHAPE), rng=rng)[0]
    found = result.explanation
    assert found.index == (3, 2) and (found.wrong, found.total) == (2, 35)
    assert found.claimed == pytest.approx(found.numeric + 5, rel=1e-6)
    assert result.errors.shape == SHAPE and (result.errors > 1e-6).sum() == 2
    assert f"2 of 35 entries are wrong. The worst is input[3, 2]: backward gives {found.claimed:.6g}" in str(
        found
    ).replace("−", "-")


def test_right_gradient_has_no_explanation_but_errors(rng):
    for result in check_layer(Affine(rng), rng.standard_normal(SHAPE), rng=rng):
        assert result.explanation is None
        assert result.errors.shape == result.shape and result.errors.max() == result.error
        assert "\n" not in str(result) and ": ok, largest error " in str(result)


def test_parameter_without_axes_is_checked(rng):
    """A scalar parameter, out = a·x, has an array without axes."""
    layer = Written(
        lambda s, x, t: (s.a.value * x, x), lambda s, d, x: s.a.add_grad((d * x).sum()) or d * s.a.value,
        a=np.array(1.5),
    )  # fmt: skip
    x = rng.standard_normal(SHAPE)
    assert [r.verdict for r in check_layer(layer, x, rng=rng)] == ["ok", "ok"]
    layer._backward = lambda s, d, x: s.a.add_grad((d * x).sum() / len(x)) or d * s.a.value
    result = check_layer(layer, x, rng=rng)[1]
    assert "The only entry is wrong: backward gives" in str(result) and "batch size N (7)" in str(result)
    layer._backward = lambda s, d, x: s.a.add_grad((d * x).mean()) or d * s.a.value
    assert "the number of entries of the output (35) once too often" in str(check_layer(layer, x, rng=rng)[1])
    layer._backward = lambda s, d, x: s.a.add_grad((d * np.cos(3 * x)).sum()) or d * s.a.value
    result = check_layer(layer, x, rng=rng)[1]
    assert str(result).endswith("\nOne number alone does not show what kind of mistake it is.")


def test_batch_size_is_named_only_if_the_factor_changes_with_it(rng):
    """With 4 examples, 1/4 can be 1/N or a constant."""
    x = rng.standard_normal((4, 5))
    for divisor, named in ((lambda n: n, True), (lambda n: 4, False)):

        class Divided(Affine):
            def backward(self, dout, x, input_grad=True, divisor=divisor):
                return super().backward(dout, x) / divisor(len(x))

        text = str(check_layer(Divided(rng), x, rng=rng)[0])
        assert "1/4 of what it should be" in text
        assert ("batch size" in text) == named


def test_other_sizes_than_the_batch_are_named_with_a_doubt(rng):
    """x³ with a backward of x² has the factor 1/3, and three features are not to blame for it."""
    layer = Written(lambda s, x, t: (x**3, x), lambda s, d, x: d * x**2)
    text = str(check_layer(layer, rng.standard_normal((7, 3)), rng=rng)[0])
    assert "1/3 of what it should be: divided by the number of features" in text
    assert text.endswith("unless it is a plain factor of the formula.")
    text = str(check_layer(layer, rng.standard_normal((7, 4)), rng=rng)[0])
    assert text.endswith("1/3 of what it should be.")


@pytest.mark.parametrize(
    ("broken", "guarantee", "says"),
    [
        (Overwrites, "gradients add up", "weight and bias with the gradient of one: write p.grad += a"),
        (ChangesDout, "dout, x and cache kept", "changed dout in place (dout was multiplied by 0.5)"),
        (KeepsItsInput, "cache is complete", "the second forward replaced self.x."),
        (NeverFrozen, "frozen", "Inside frozen(), the gradient of bias is wrong: add to p.grad only if"),
        (NotANumberTheSecondTime, "gradients add up", "weight became nan."),
    ],
)
def test_broken_guarantee_is_explained(broken, guarantee, says, rng):
    results = check_contract(broken(rng), rng.standard_normal(SHAPE), rng=rng)
    assert says in str(next(r for r in results if r.what == guarantee))


def test_changed_input_is_reported_by_both_checks(rng):
    class InPlace(Layer):
        def forward(self, x, training=False):
            x[x < 0] = 0
            return x.copy(), x.copy()

        def backward(self, dout, x, input_grad=True):
            return dout * (x > 0) if input_grad else None

    x = rng.standard_normal(SHAPE)
    before = x.copy()
    (result,) = check_layer(InPlace(), x, rng=rng)
    assert result.explanation.cause == "x changed" and "x in place" in str(result)
    assert "Forward changed its input x" in str(check_contract(InPlace(), x, rng=rng)[0])
    assert (x == before).all()


def test_jvp_and_backward_are_told_apart(rng):
    class WrongJvp(Affine):
        def jvp(self, dx, x):
            return 2 * super().jvp(dx, x)

    class WrongBackward(Affine):
        def backward(self, dout, x, input_grad=True):
            return 2 * super().backward(dout, x)

    x = rng.standard_normal(SHAPE)
    wrong = str(check_jvp(WrongJvp(rng), x, rng=rng))
    assert "jvp differs from forward" in wrong and "twice what it should be" in wrong
    assert "jvp agrees with forward, so backward is wrong" in str(check_jvp(WrongBackward(rng), x, rng=rng))


def test_gradient_of_a_model_is_explained_by_entry_or_by_line(rng, monkeypatch):
    x, target = rng.standard_normal(SHAPE), rng.standard_normal((7, 2))
    model = Regression(rng, wrong=1e-2)
    results = {r.what: r for r in check_model(model, lambda: model.loss(x, target), rng=rng)}
    assert results["net.0.weight"].explanation.index == (3, 2)
    assert "1 of 30 entries is wrong" in str(results["net.0.weight"])
    assert results["all parameters"].explanation.cause == ""

    right = Regression.backward

    def halved(self, cache, input_grad=False):
        right(self, cache)
        for p in self.parameters().values():
            p.grad *= 0.5

    monkeypatch.setattr(Regression, "backward", halved)
    monkeypatch.setattr("scratchgen.gradcheck.lines.SMALL", 0)
    for result in check_model(model := Regression(rng), lambda: model.loss(x, target), rng=rng):
        assert "directional derivatives" in str(result) and "half of what it should be" in str(result)


def test_loss_that_returns_none_or_nan_is_explained(rng):
    pred, target = rng.standard_normal(SHAPE), rng.standard_normal(SHAPE)
    (result,) = check_loss(lambda p, t: (float((p**2).sum()), None), pred, target)
    assert result.explanation.cause == "None"
    with np.errstate(invalid="ignore"):
        (result,) = check_loss(lambda p, t: (float(np.log(p).sum()), 1 / p), pred, target)
    assert "Differences of forward gave nan" in str(result)


def test_array_that_is_not_learnt_is_explained(rng):
    layer = Affine(rng)
    layer.extra = np.ones(3)
    assert "would not be trained or saved" in str(check_layer(layer, rng.standard_normal(SHAPE), rng=rng)[-1])


def test_assert_gradients_raises_the_explanation(rng):
    x = rng.standard_normal(SHAPE)
    assert assert_gradients(Affine(rng), x) is None
    with pytest.raises(AssertionError, match="MissingFactor in evaluation mode:") as caught:
        assert_gradients(MissingFactor(rng), x)
    assert str(caught.value).count("every entry is half of what it should be") == 3
    with pytest.raises(AssertionError, match="gradients add up"):
        assert_gradients(Overwrites(rng), x, training=True)
    with pytest.raises(TypeError, match="check_layer expected the input in float64"):
        assert_gradients(Affine(rng), x.astype(np.float32))


def test_layer_that_refuses_other_calls_is_still_explained(rng):
    """The causes call forward and backward again; a layer that allows only one mode gets the other causes."""

    class OneMode(Affine):
        def forward(self, x, training=False):
            if training:
                raise ValueError("not implemented")
            return super().forward(x)

        def backward(self, dout, x, input_grad=True):
            return -super().backward(dout, x)

    assert check_layer(OneMode(rng), rng.standard_normal(SHAPE), rng=rng)[0].explanation.cause == "sign"


def test_layer_with_a_fixed_batch_size_is_explained(rng):
    class SevenRows(Affine):
        def forward(self, x, training=False):
            if len(x) != 7:
                raise ValueError("expected 7 rows")
            return super().forward(x)

        def backward(self, dout, x, input_grad=True):
            return super().backward(dout, x) / len(x)

    text = str(check_layer(SevenRows(rng), rng.standard_normal(SHAPE), rng=rng)[0])
    assert "divided by the batch size N (7) once too often" in text and "unless it is" in text


def test_layer_is_as_before_after_an_explanation(rng):
    layer, x = MissingFactor(rng), rng.standard_normal(SHAPE)
    for p in layer.parameters().values():
        p.grad[...] = 7
    values = {name: p.value.copy() for name, p in layer.parameters().items()}
    assert not check_layer(layer, x, rng=rng)[0].ok
    for name, p in layer.parameters().items():
        assert isinstance(p, Parameter) and (p.grad == 7).all() and (p.value == values[name]).all()


