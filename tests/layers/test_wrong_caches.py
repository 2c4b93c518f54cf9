"""backward and jvp that get something else than the cache of forward: the message names the class."""

import numpy as np
import pytest

from scratchgen import VAE, Layer, Linear, Parameter, Sequential, Tanh, kernels
from scratchgen.gradcheck.cases import LayerCase, ModelCase, has_jvp
from scratchgen.models.cases import CASES

LAYERS = [case for case in CASES if isinstance(case, LayerCase)]
MODELS = [case for case in CASES if isinstance(case, ModelCase)]


def names(module):
    return {type(part).__name__ for part in module.modules()}


def is_explained(error, module):
    who, _, rest = str(error).partition(" ")
    return who.partition(".")[0] in names(module) and rest.startswith("expected ") and ", got " in rest


@pytest.mark.parametrize("version", ["reference", "jit"])
@pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.name)
def test_every_layer_explains_a_wrong_cache(case, version):
    layer, x, rng = case.make()
    out, cache = layer.forward(x, training=case.training)
    dout = rng.standard_normal(out.shape)
    wrong = [(x,), "text", 3, (out, cache)] + [None] * (cache is not None)
    with kernels.use(version):
        for value in wrong:
            for method, tangent in [("backward", dout)] + [("jvp", x)] * has_jvp(layer):
                with pytest.raises((TypeError, ValueError)) as found:
                    getattr(layer, method)(tangent, value)
                assert is_explained(found.value, layer), found.value


@pytest.mark.parametrize("case", MODELS, ids=lambda case: case.name)
def test_every_model_explains_a_wrong_cache(case):
    model = case.make()[0]
    for value in (None, "text", 3):
        with pytest.raises(TypeError) as found:
            model.backward(value)
        assert is_explained(found.value, model), found.value


def test_the_message():
    layer, x = Linear(4, 3, rng=0), np.ones((2, 4), np.float32)
    out, _ = layer.forward(x)
    wanted = r"^Linear\.backward expected the cache that forward returned, got "
    with pytest.raises(TypeError, match=wanted + "None$"):
        layer.backward(out, None)
    with pytest.raises(TypeError, match=wanted + "none$"):
        layer.backward(out)
    with pytest.raises(TypeError, match=wanted + "a tuple of 1$") as found:
        layer.backward(out, (x,), input_grad=False)
    assert isinstance(found.value.__cause__, AttributeError)        # where it happened is not lost
    with pytest.raises(TypeError, match=r"^VAE\.backward .* got a list of 0$"):
        VAE.dense(features=4, hidden=3, code=2, rng=0).backward([])


def test_other_mistakes_keep_their_message():
    layer, x = Linear(4, 3, rng=0), np.ones((2, 4), np.float32)
    out, cache = layer.forward(x)
    with pytest.raises(TypeError, match="unexpected keyword argument 'input_gradient'"):
        layer.backward(out, cache, input_gradient=False)
    with pytest.raises(ValueError, match=r"^Linear expected a gradient .* of another batch"):
        layer.backward(out[:1], cache)


class Dense(Layer):
    """A layer of a user, with the habit of (N, D)."""

    def __init__(self):
        self.weight = Parameter(np.ones((4, 3)))

    def forward(self, x, training=False):
        return x @ self.weight.value, x

    def backward(self, dout, x, input_grad=True):
        self.weight.grad += x.T @ dout
        return dout @ self.weight.value.T


@pytest.mark.parametrize("net", [Dense(), Sequential(Tanh(), Dense())], ids=["alone", "in a Sequential"])
def test_an_error_in_the_code_of_a_user_keeps_its_message_and_gets_a_note(net):
    x = np.ones((2, 5, 4))
    out, cache = net.forward(x)
    with pytest.raises(ValueError, match="^matmul") as found:
        net.backward(np.ones_like(out), cache)
    assert found.value.__notes__ == [
        "Dense.backward was given an array of shape (2, 5, 3) and an array of shape (2, 5, 4); "
        ".T reverses all axes of an array, so for sequences and images, join all axes but the last: "
        "x.reshape(-1, x.shape[-1]).T @ dout.reshape(-1, dout.shape[-1])"
    ]
    assert net.backward(np.ones((2, 3)), net.forward(np.ones((2, 4)))[1]).shape == (2, 4)
