"""Cross-attention and additive attention: compared with loops, and blind to the padding of the memory."""

import math

import numpy as np
import pytest

from scratchgen.layers import AdditiveAttention, CrossAttention

N, T, S, C, M = 3, 2, 4, 6, 5
LENGTHS = [4, 1, 3]
KINDS = ["cross", "additive"]


def build(kind, rng):
    if kind == "cross":
        layer = CrossAttention(C, 2, memory_features=M, rng=rng, dtype=np.float64)
    else:
        layer = AdditiveAttention(C, M, 3, rng=rng, dtype=np.float64)
    for p in layer.parameters().values():
        p.value[...] = rng.standard_normal(p.shape)
    return layer


def inputs(rng):
    return rng.standard_normal((N, T, C)), rng.standard_normal((N, S, M))


def softmax(scores):
    e = [math.exp(s) for s in scores]
    return [v / sum(e) for v in e]


def softmax_gradient(p, dp):
    pull = sum(a * b for a, b in zip(p, dp, strict=True))
    return [a * (b - pull) for a, b in zip(p, dp, strict=True)]


def cross_loops(layer, x, memory, lengths, dout):
    """(out, dx, dmemory) of CrossAttention, position by position."""
    (wq, bq), (wkv, bkv), (wo, bo) = (
        (part.weight.value, part.bias.value) for part in (layer.query, layer.key_value, layer.proj)
    )
    out, dx, dmemory = np.zeros((N, T, C)), np.zeros_like(x), np.zeros_like(memory)
    d = C // layer.heads
    for n in range(N):
        q, kv, dy = x[n] @ wq + bq, memory[n] @ wkv + bkv, dout[n] @ wo.T       # (XATT.1, XATT.2)
        y, dq, dkv = np.zeros((T, C)), np.zeros((T, C)), np.zeros((S, 2 * C))
        for head in range(layer.heads):
            part = slice(head * d, (head + 1) * d)
            k, v, dk, dv = kv[:, :C][:, part], kv[:, C:][:, part], dkv[:, :C][:, part], dkv[:, C:][:, part]
            for t in range(T):
                seen = range(lengths[n])
                p = softmax([q[t, part] @ k[s] / math.sqrt(d) for s in seen])   # (XATT.3, XATT.4)
                y[t, part] = sum(p[s] * v[s] for s in seen)                     # (XATT.5)
                ds = softmax_gradient(p, [dy[t, part] @ v[s] for s in seen])    # (XATT.7, XATT.8)
                for s in seen:
                    dv[s] += p[s] * dy[t, part]                                 # (XATT.7)
                    dq[t, part] += ds[s] * k[s] / math.sqrt(d)                  # (XATT.9)
                    dk[s] += ds[s] * q[t, part] / math.sqrt(d)
        out[n] = y @ wo + bo                                                    # (XATT.6)
        dx[n], dmemory[n] = dq @ wq.T, dkv @ wkv.T                              # (XATT.10, XATT.11)
    return out, dx, dmemory


def additive_loops(layer, x, memory, lengths, dout):
    """(out, dx, dmemory) of AdditiveAttention, position by position."""
    w_query, w_key, b = layer.query.weight.value, layer.key.weight.value, layer.key.bias.value
    w = layer.weight.value
    out, dx, dmemory = np.zeros((N, T, M)), np.zeros_like(x), np.zeros_like(memory)
    for n in range(N):
        for t in range(T):
            seen = range(lengths[n])
            a, u = x[n, t] @ w_query, [memory[n, s] @ w_key + b for s in seen]  # (ADD.1, ADD.2)
            z = [np.tanh(a + u[s]) for s in seen]                               # (ADD.3)
            p = softmax([z[s] @ w for s in seen])                               # (ADD.4, ADD.5)
            out[n, t] = sum(p[s] * memory[n, s] for s in seen)                  # (ADD.6)
            ds = softmax_gradient(p, [dout[n, t] @ memory[n, s] for s in seen])     # (ADD.7, ADD.8)
            for s in seen:
                dsum = ds[s] * w * (1 - z[s] ** 2)                              # (ADD.9)
                dx[n, t] += dsum @ w_query.T                                    # (ADD.10, ADD.11)
                dmemory[n, s] += p[s] * dout[n, t] + dsum @ w_key.T
    return out, dx, dmemory


@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("kind", KINDS)
def test_values_and_gradients_equal_loops(kind, lengths, rng):
    """In the loops, each number is at its line.

    (XATT.1, XATT.2, XATT.3, XATT.4, XATT.5, XATT.6) forward, (XATT.7, XATT.8, XATT.9, XATT.10, XATT.11) back,
    (ADD.1, ADD.2, ADD.3, ADD.4, ADD.5, ADD.6) forward, (ADD.7, ADD.8, ADD.9, ADD.10, ADD.11) back.
    """
    layer, (x, memory) = build(kind, rng), inputs(rng)
    out, cache = layer.forward(x, memory, lengths=lengths)
    dout = rng.standard_normal(out.shape)
    loops = {"cross": cross_loops, "additive": additive_loops}[kind]
    expected = loops(layer, x, memory, lengths or [S] * N, dout)
    for ours, theirs in zip((out, *layer.backward(dout, cache)), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_padding_of_the_memory_changes_nothing_and_gets_no_gradient(kind, rng):
    """Neither large numbers in the padding nor more of it change out, dx, dmemory or a weight's gradient."""
    layer, (x, memory) = build(kind, rng), inputs(rng)
    wide = np.concatenate([memory, np.zeros((N, 3, M))], axis=1)
    for n, length in enumerate(LENGTHS):
        wide[n, length:] = 1e6
    found = []
    for m in (memory, wide):
        layer.zero_grad()
        out, cache = layer.forward(x, m, lengths=LENGTHS)
        dx, dmemory = layer.backward(np.ones(out.shape), cache)
        for n, length in enumerate(LENGTHS):
            assert (dmemory[n, length:] == 0).all()
        found.append([out, dx, dmemory[:, :S], *(p.grad.copy() for p in layer.parameters().values())])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_the_memory_does_not_matter(kind, rng):
    layer, (x, memory) = build(kind, rng), inputs(rng)
    order = rng.permutation(S)
    np.testing.assert_allclose(
        layer.forward(x, memory[:, order])[0], layer.forward(x, memory)[0], rtol=1e-12
    )


def test_a_step_of_cross_attention_is_a_row_of_forward(rng):
    layer, (x, memory) = build("cross", rng), inputs(rng)
    keys, values = layer.keys_values(memory)
    within = np.arange(S) < np.array(LENGTHS)[:, None]
    out = layer.forward(x, memory, lengths=LENGTHS)[0]
    for t in range(T):
        np.testing.assert_allclose(layer.step(x[:, t], keys, values, within), out[:, t], rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_memories_and_lengths_are_refused(kind, rng):
    layer, (x, memory) = build(kind, rng), inputs(rng)
    who = type(layer).__name__
    for bad in (memory[:2], memory[:, :0], memory[..., :-1], memory[0]):
        with pytest.raises(ValueError, match=rf"^{who} expected memory of shape \(3, S, 5\)"):
            layer.forward(x, bad)
    with pytest.raises(TypeError, match=rf"^{who} expected memory of dtype float64, as x has, got dtype fl"):
        layer.forward(x, memory.astype(np.float32))
    for lengths in ([1, 2], [0, 1, 2], [5, 1, 2], [[1], [2], [3]]):
        with pytest.raises(ValueError, match=rf"^{who} expected lengths to be 3 integers from 1 to 4"):
            layer.forward(x, memory, lengths=lengths)
    with pytest.raises(TypeError, match=rf"^{who} expected lengths to be 3 integers"):
        layer.forward(x, memory, lengths=[1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=rf"^{who} expected at least one position"):
        layer.forward(x[:, :0], memory)
    out, cache = layer.forward(x, memory)
    with pytest.raises(ValueError, match=rf"^{who} expected a gradient"):
        layer.backward(out[:, :1], cache)
