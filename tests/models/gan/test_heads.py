"""LabelMaps, Projection and Branches against plain formulas, and planted mistakes that the check finds."""

import numpy as np
import pytest

from scratchgen.gradcheck import check_layer
from scratchgen.layers import Linear, Sequential, Tanh
from scratchgen.models.gan.heads import Branches, LabelMaps, Projection


def linear(rng, d, m, bias=True):
    return Linear(d, m, bias, rng=rng, dtype=np.float64)


def projection(rng, cls=Projection):
    body = Sequential(linear(rng, 4, 5), Tanh())
    return cls(body, linear(rng, 5, 1), linear(rng, 3, 5, bias=False), features=4, classes=3)


def branches(rng, cls=Branches):
    return cls(linear(rng, 5, 1), Sequential(linear(rng, 5, 4), Tanh(), linear(rng, 4, 2)))


def test_label_maps_repeat_the_label_at_every_pixel(rng):
    """(LABEL.1), and (LABEL.2) as its transpose."""
    layer, x = LabelMaps((2, 3, 2), 4), rng.standard_normal((5, 16))
    out, cache = layer.forward(x)
    assert out.shape == (5, 2, 3, 6)
    np.testing.assert_array_equal(out[..., :2].reshape(5, 12), x[:, :12])
    for place in np.ndindex(2, 3):
        np.testing.assert_array_equal(out[:, *place, 2:], x[:, 12:])
    dout = rng.standard_normal(out.shape)
    dx = layer.backward(dout, cache)
    np.testing.assert_allclose(dx[:, 12:], dout[..., 2:].sum(axis=(1, 2)), rtol=1e-12)
    assert (dx * x).sum() == pytest.approx((dout * out).sum(), rel=1e-12)
    assert all(result.ok for result in check_layer(layer, x, rng=0))


def test_projection_adds_the_product_with_the_row_of_the_label(rng):
    """(PROJ.1): for a one-hot label, e is a row of the embedding."""
    layer, x, y = projection(rng), rng.standard_normal((6, 4)), np.arange(6) % 3
    h = layer.body.forward(x)[0]
    expected = layer.head.forward(h)[0][:, 0] + (layer.embedding.weight.value[y] * h).sum(axis=1)
    found = layer.forward(np.hstack([x, np.eye(3)[y]]))[0]
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-12)


def test_projection_gradients_are_those_of_its_two_terms(rng):
    """(PROJ.2, PROJ.3): dh through the body, and de summed over the examples of each label."""
    layer, x, y = projection(rng), rng.standard_normal((6, 4)), np.arange(6) % 3
    dout = rng.standard_normal((6, 1))
    _, cache = layer.forward(np.hstack([x, np.eye(3)[y]]))
    dx = layer.backward(dout, cache)
    h, table = layer.body.forward(x)[0], layer.embedding.weight.value
    rows = np.array([(dout * h)[y == k].sum(axis=0) for k in range(3)])
    np.testing.assert_allclose(layer.embedding.weight.grad, rows, rtol=1e-12)
    dh = dout * (layer.head.weight.value[:, 0] + table[y])
    np.testing.assert_allclose(dx[:, :4], dh * (1 - h**2) @ layer.body[0].weight.value.T, rtol=1e-12)


def test_branches_add_their_gradients(rng):
    """(BRANCH.1, BRANCH.2)."""
    layer, x, dout = branches(rng), rng.standard_normal((6, 5)), rng.standard_normal((6, 3))
    out, cache = layer.forward(x)
    dx = layer.backward(dout, cache)
    expected = 0
    for branch, part in zip(layer.branches, (slice(0, 1), slice(1, 3)), strict=True):
        alone, own = branch.forward(x)
        np.testing.assert_array_equal(out[:, part], alone)
        expected = expected + branch.backward(np.ascontiguousarray(dout[:, part]), own)
    np.testing.assert_allclose(dx, expected, rtol=1e-12)


class ForgetsTheLabel(Projection):
    """Its backward leaves out the second term of (PROJ.2)."""

    def backward(self, dout, cache, input_grad=True):
        return super().backward(dout, cache._replace(e=0 * cache.e), input_grad)


class UsesOneBranch(Branches):
    """Its backward returns the input gradient of the first branch only."""

    def backward(self, dout, cache, input_grad=True):
        super().backward(dout, cache, input_grad)
        return self.branches[0].backward(np.ascontiguousarray(dout[:, :1]), cache.branches[0])


@pytest.mark.parametrize(
    ("right", "wrong", "build", "width"),
    [(Projection, ForgetsTheLabel, projection, 7), (Branches, UsesOneBranch, branches, 5)],
)
def test_gradient_check_finds_planted_mistakes(right, wrong, build, width, rng):
    x = rng.standard_normal((6, width))
    assert all(result.ok for result in check_layer(build(rng, right), x, rng=0))
    assert not all(result.ok for result in check_layer(build(rng, wrong), x, rng=0))
