"""Embedding compared with one-hot rows times the table, and refused arguments."""

import numpy as np
import pytest

from scratchgen.layers import Embedding


@pytest.fixture
def layer(rng):
    return Embedding(5, 3, rng=rng, dtype=np.float64)


def test_embedding_returns_the_rows(layer):
    """(EMB.1) out = W[ids]."""
    out, _ = layer.forward(np.array([[4, 0], [2, 4]]))
    expected = [[layer.weight.value[k] for k in row] for row in ((4, 0), (2, 4))]
    assert (out == np.array(expected)).all()


def test_embedding_gradient_is_summed_over_repeated_ids(layer, rng):
    """(EMB.2) dW_k = Σ dout where ids is k: onehotᵀ·dout."""
    ids, dout = np.array([[3, 1, 3], [0, 3, 1]]), rng.standard_normal((2, 3, 3))
    assert layer.backward(dout, layer.forward(ids)[1]) is None
    expected = np.zeros((5, 3))
    np.add.at(expected, ids.reshape(-1), dout.reshape(-1, 3))
    np.testing.assert_allclose(layer.weight.grad, expected, rtol=1e-13)
    assert not layer.weight.grad[[2, 4]].any()
    layer.backward(dout, ids)
    np.testing.assert_allclose(layer.weight.grad, 2 * expected, rtol=1e-13)


def test_embedding_output_is_not_a_view_of_the_table(layer):
    out, _ = layer.forward(np.array([1, 1]))
    out += 1
    assert (layer.forward(np.array([1]))[0] != out[:1]).all()


def test_frozen_embedding_keeps_its_gradient(layer, rng):
    with layer.frozen():
        layer.backward(rng.standard_normal((2, 3)), layer.forward(np.array([1, 2]))[1])
    assert not layer.weight.grad.any()


def test_embedding_initial_rows_have_the_given_std(rng):
    table = Embedding(400, 30, rng=rng, std=0.5).weight.value
    assert abs(table.std() - 0.5) < 5 * 0.5 / np.sqrt(2 * table.size)


@pytest.mark.parametrize(
    ("ids", "error", "message"),
    [
        (np.array([0, 5]), ValueError, r"expected ids within 0\.\.4, got 0 to 5"),
        (np.array([-1, 2]), ValueError, r"expected ids within 0\.\.4, got -1 to 2"),
        (np.array(3), ValueError, r"expected ids of shape \(N, …\), got \(\)"),
        (np.array([1.0]), TypeError, "expected an array of integers, got dtype float64"),
        ([1, 2], TypeError, "expected an array of integers, got list"),
    ],
)
def test_embedding_refuses_ids(layer, ids, error, message):
    with pytest.raises(error, match=f"Embedding {message}"):
        layer.forward(ids)


def test_embedding_refuses_a_gradient_of_another_batch(layer):
    with pytest.raises(ValueError, match="is this the cache of another batch"):
        layer.backward(np.ones((3, 3)), np.array([0, 1]))
    with pytest.raises(TypeError, match="of dtype float64, got float32"):
        layer.backward(np.ones((2, 3), np.float32), np.array([0, 1]))
