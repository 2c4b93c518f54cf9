"""Attention compared with explicit loops, its causality, and the transformer block."""

import math

import numpy as np
import pytest

from scratchgen.layers import CausalSelfAttention, TransformerBlock

N, T, C, H = 2, 5, 6, 3
D = C // H


@pytest.fixture
def layer(rng):
    layer = CausalSelfAttention(C, H, rng=rng, dtype=np.float64)
    for p in layer.parameters().values():
        p.value[...] = rng.standard_normal(p.shape)
    return layer


def heads(layer, x):
    """q, k and v of each head as nested lists: [part][n][h] is (T, D)."""
    rows = x @ layer.qkv.weight.value + layer.qkv.bias.value                    # (ATT.1)
    return [
        [[rows[n][:, part * C + h * D : part * C + (h + 1) * D] for h in range(H)] for n in range(len(x))]
        for part in range(3)
    ]


def weights(q, k):
    """The attention of one head, entry by entry: (ATT.2), (ATT.3), (ATT.4), (ATT.5)."""
    p = np.zeros((len(q), len(q)))
    for t in range(len(q)):
        e = [math.exp(sum(q[t, i] * k[s, i] for i in range(D)) / math.sqrt(D)) for s in range(t + 1)]
        p[t, : t + 1] = [value / sum(e) for value in e]
    return p


def test_attention_forward_equals_loops(layer, rng, backend):
    """(ATT.1) to (ATT.7): (ATT.2), (ATT.3), (ATT.4), (ATT.5) in `weights`, (ATT.6) and (ATT.7) here."""
    x = rng.standard_normal((N, T, C))
    q, k, v = heads(layer, x)
    expected = np.empty((N, T, C))
    for n in range(N):
        y = []
        for h in range(H):
            p = weights(q[n][h], k[n][h])
            y.append([sum(p[t, s] * v[n][h][s] for s in range(T)) for t in range(T)])       # (ATT.6)
        expected[n] = np.concatenate(y, axis=1) @ layer.proj.weight.value + layer.proj.bias.value  # (ATT.7)
    np.testing.assert_allclose(layer.forward(x)[0], expected, rtol=1e-12)


def test_attention_gradients_of_q_k_and_v_equal_sums(layer, rng, backend):
    """(ATT.8) dv, (ATT.9) dp, (ATT.10) dmasked, (ATT.11) dscores, (ATT.12) dq, (ATT.13) dk, as sums."""
    x, dout = rng.standard_normal((2, N, T, C))
    q, k, v = heads(layer, x)
    dy = dout @ layer.proj.weight.value.T
    dqkv = np.zeros((N, T, 3 * C))
    for n in range(N):
        for h in range(H):
            p, columns = weights(q[n][h], k[n][h]), slice(h * D, (h + 1) * D)
            for t in range(T):
                dp = [sum(dy[n, t, columns] * v[n][h][s]) for s in range(T)]                # (ATT.9)
                pull = sum(p[t, s] * dp[s] for s in range(T))
                for s in range(t + 1):
                    dmasked = p[t, s] * (dp[s] - pull)                                      # (ATT.10)
                    dscore = dmasked / math.sqrt(D)                                         # (ATT.11)
                    dqkv[n, t, :C][columns] += dscore * k[n][h][s]                          # (ATT.12)
                    dqkv[n, s, C : 2 * C][columns] += dscore * q[n][h][t]                   # (ATT.13)
                    dqkv[n, s, 2 * C :][columns] += p[t, s] * dy[n, t, columns]             # (ATT.8)
    layer.zero_grad()
    dx = layer.backward(dout, layer.forward(x)[1])
    np.testing.assert_allclose(layer.qkv.bias.grad, dqkv.sum(axis=(0, 1)), atol=1e-11)
    np.testing.assert_allclose(layer.qkv.weight.grad, np.einsum("ntc,ntd->cd", x, dqkv), atol=1e-11)
    np.testing.assert_allclose(dx, dqkv @ layer.qkv.weight.value.T, atol=1e-11)


def test_attention_weights_of_a_row_sum_to_one_over_the_past(layer, rng, backend):
    p = layer.forward(20 * rng.standard_normal((N, T, C)))[1].p                  # (N, H, T, T)
    np.testing.assert_allclose(p.sum(axis=3), 1, rtol=1e-13)
    assert (p >= 0).all()
    assert not np.triu(p, k=1).any()


def test_attention_is_causal_by_perturbation(layer, rng, backend):
    x = rng.standard_normal((N, T, C))
    out = layer.forward(x)[0]
    for s in range(T):
        other = x.copy()
        other[:, s] += rng.standard_normal(C)
        moved = np.abs(layer.forward(other)[0] - out).max(axis=(0, 2)) > 0
        assert moved.tolist() == [t >= s for t in range(T)]


@pytest.mark.parametrize("kind", [CausalSelfAttention, TransformerBlock])
def test_attention_is_causal_by_gradient(kind, rng, backend):
    layer = kind(C, H, rng=rng, dtype=np.float64)
    cache = layer.forward(rng.standard_normal((N, T, C)))[1]
    for t in range(T):
        dout = np.zeros((N, T, C))
        dout[:, t] = rng.standard_normal((N, C))
        reached = np.abs(layer.backward(dout, cache)).max(axis=(0, 2)) > 0
        assert reached.tolist() == [s <= t for s in range(T)]


def test_last_position_does_not_depend_on_the_order_of_the_past(layer, rng):
    """Attention ignores the order of positions, so a model adds an embedding of the position."""
    x = rng.standard_normal((N, T, C))
    order = [2, 0, 3, 1, 4]
    out, shuffled = layer.forward(x)[0], layer.forward(x[:, order])[0]
    np.testing.assert_allclose(shuffled[:, -1], out[:, -1], rtol=1e-12)
    assert np.abs(shuffled[:, -2] - out[:, -2]).max() > 0.01


def test_attention_does_not_mix_examples(layer, rng):
    x = rng.standard_normal((N, T, C))
    both = layer.forward(x)[0]
    np.testing.assert_allclose(both[1:], layer.forward(x[1:])[0], rtol=1e-12)


def test_large_differences_of_scores_give_no_nan(rng, backend):
    layer = CausalSelfAttention(C, H, rng=rng)
    out, cache = layer.forward(np.float32(1e4) * rng.standard_normal((N, T, C), np.float32))
    assert np.isfinite(out).all()
    assert np.isfinite(layer.backward(np.ones_like(out), cache)).all()


def test_steps_equal_forward_row_by_row(rng):
    for kind in (CausalSelfAttention, TransformerBlock):
        layer, x = kind(C, H, rng=rng, dtype=np.float64), rng.standard_normal((N, T, C))
        out = layer.forward(x)[0]
        keys, values = np.full((2, N, H, T, D), np.nan)     # later positions are NaN
        for t in range(T):
            row = layer.step(x[:, t], keys, values, t)
            np.testing.assert_allclose(row, out[:, t], rtol=1e-12, atol=1e-14)


def test_block_adds_both_branches_to_its_input(rng):
    """(TFB.1) h = x + attention(norm1(x)), (TFB.2) out = h + mlp(norm2(h))."""
    block = TransformerBlock(C, H, rng=rng, dtype=np.float64)
    x = rng.standard_normal((N, T, C))
    h = x + block.attention.forward(block.norm1.forward(x)[0])[0]
    expected = h + block.mlp.forward(block.norm2.forward(h)[0])[0]
    np.testing.assert_allclose(block.forward(x)[0], expected, rtol=1e-13)


def test_block_with_zero_branches_passes_the_gradient_through(rng):
    """(TFB.3), (TFB.4): of the two terms of each gradient, that of the skip connection is dout itself."""
    block = TransformerBlock(C, H, rng=rng, dtype=np.float64)
    block.attention.proj.weight.value[...] = 0
    block.mlp[2].weight.value[...] = 0
    x, dout = rng.standard_normal((2, N, T, C))
    out, cache = block.forward(x)
    assert (out == x).all()
    assert (block.backward(dout, cache) == dout).all()


def test_block_applies_dropout_in_training_only(rng):
    block = TransformerBlock(C, H, dropout=0.5, rng=rng, dtype=np.float64)
    x = rng.standard_normal((N, T, C))
    assert (block.forward(x)[0] == block.forward(x)[0]).all()
    assert (block.forward(x, training=True)[0] != block.forward(x, training=True)[0]).any()
    assert set(block.generators()) == {"drop1.rng", "drop2.rng"}


def test_attention_in_float32_is_near_float64(layer, rng, backend):
    x = rng.standard_normal((N, T, C))
    single = CausalSelfAttention(C, H, rng=rng)
    for p, q in zip(single.parameters().values(), layer.parameters().values(), strict=True):
        p.value[...] = q.value
    np.testing.assert_allclose(single.forward(x.astype(np.float32))[0], layer.forward(x)[0], atol=1e-4)


@pytest.mark.parametrize(
    ("features", "heads", "error", "message"),
    [
        (6, 4, ValueError, "features to be a multiple of heads, got 6 and 4"),
        (6, 0, ValueError, "expected heads of at least 1, got 0"),
        (6.0, 2, TypeError, "expected features to be an int, got 6.0"),
    ],
)
def test_attention_refuses_settings(features, heads, error, message, rng):
    with pytest.raises(error, match=message):
        CausalSelfAttention(features, heads, rng=rng)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.ones((2, C), np.float32), ValueError, r"expected an array with 3 axes, got shape \(2, 6\)"),
        (np.ones((2, 3, 4), np.float32), ValueError, r"expected input of shape \(N, 6\), got \(2, 3, 4\)"),
        (np.ones((2, 0, C), np.float32), ValueError, "expected at least one position"),
        (np.ones((2, 3, C)), TypeError, "expected dtype float32, got float64"),
    ],
)
def test_attention_refuses_input(x, error, message, rng):
    with pytest.raises(error, match=f"CausalSelfAttention {message}"):
        CausalSelfAttention(C, H, rng=rng).forward(x)
