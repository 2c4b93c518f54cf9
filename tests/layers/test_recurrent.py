"""RNN, LSTM and GRU: values and gradients by hand, states, lengths, truncation, and refused arguments."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchgen import kernels
from scratchgen.initializers import glorot_uniform
from scratchgen.kernels.recurrent import SEQUENCES
from scratchgen.layers import GRU, LSTM, RNN, Linear, Sequential

CELLS = [RNN, LSTM, GRU]


def sigma(z):
    return 1 / (1 + np.exp(-z))


def build(cell, features=2, hidden=3, seed=0, dtype=np.float64, **settings):
    """A layer with random biases."""
    rng = np.random.default_rng(seed)
    layer = cell(features, hidden, rng=rng, dtype=dtype, **settings)
    for p in layer.parameters().values():
        p.value += (0.3 * rng.standard_normal(p.shape)).astype(dtype)
    return layer


def random_state(layer, n, rng):
    parts = tuple(rng.standard_normal((n, layer.hidden)) for _ in layer.state_names)
    return parts if len(parts) > 1 else parts[0]


def arrays(state):
    return state if isinstance(state, tuple) else (state,)


def gradients(layer, x, dout, dfinal=None, **how):
    """Every result of forward and backward: out, final state, dx, the initial state's and the parameters'."""
    layer.zero_grad()
    out, cache = layer.forward(x, **how)
    dx, dstate = layer.backward_with_state(dout, dfinal, cache)
    parameters = [p.grad.copy() for p in layer.parameters().values()]
    return [out, *arrays(cache.state), dx, *arrays(dstate), *parameters]


def assert_close(found, expected, rtol=1e-11):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-12 * max(1, np.abs(b).max(initial=0)))


def blocks(a, gates):
    return np.split(a, gates, axis=-1)


def rnn_step(layer, x, states):
    """(RNN.1)"""
    (h,) = states
    z = x @ layer.weight.value + layer.bias.value + h @ layer.recurrent_weight.value
    return (np.tanh(z),)


def lstm_step(layer, x, states):
    """(LSTM.1) gates, (LSTM.2) memory, (LSTM.3) output."""
    h, c = states
    z = x @ layer.weight.value + layer.bias.value + h @ layer.recurrent_weight.value
    i, f, g, o = blocks(z, 4)
    c = sigma(f) * c + sigma(i) * np.tanh(g)
    return sigma(o) * np.tanh(c), c


def gru_step(layer, x, states):
    """(GRU.1) gates, (GRU.2) candidate, (GRU.3) mixture."""
    (h,) = states
    (w_r, w_z, w_n), (u_r, u_z, u_n) = blocks(layer.weight.value, 3), blocks(layer.recurrent_weight.value, 3)
    b_r, b_z, b_n = blocks(layer.bias.value, 3)
    r = sigma(x @ w_r + h @ u_r + b_r)
    z = sigma(x @ w_z + h @ u_z + b_z)
    n = np.tanh(x @ w_n + b_n + r * (h @ u_n + layer.candidate_bias.value))
    return ((1 - z) * n + z * h,)


STEPS = {RNN: rnn_step, LSTM: lstm_step, GRU: gru_step}


@pytest.mark.parametrize("cell", CELLS)
def test_output_is_the_cell_step_after_step(cell, rng, backend):
    """(BPTT.1, BPTT.2, BPTT.3), and (RNN.1, LSTM.1, LSTM.2, LSTM.3, GRU.1, GRU.2, GRU.3) in the steps."""
    layer, x = build(cell), rng.standard_normal((4, 5, 2))
    state = random_state(layer, 4, rng)
    out, cache = layer.forward(x, state=state)
    states = arrays(state)
    for t in range(5):
        states = STEPS[cell](layer, x[:, t], states)
        np.testing.assert_allclose(out[:, t], states[0], rtol=1e-12)
    assert_close(arrays(cache.state), states)


@pytest.mark.parametrize("cell", CELLS)
def test_steps_one_by_one_equal_the_whole_sequence(cell, rng, backend):
    layer, x = build(cell), rng.standard_normal((3, 6, 2))
    out, cache = layer.forward(x)
    state = None
    for t in range(6):
        h, state = layer.step(x[:, t], state)
        np.testing.assert_allclose(h, out[:, t], rtol=1e-12)
    assert_close(arrays(state), arrays(cache.state))


def test_gradients_of_two_rnn_steps_by_hand():
    """(RNN.2, BPTT.5, BPTT.7, BPTT.8, BPTT.9, BPTT.10): one number in, one number out."""
    layer = build(RNN, 1, 1)
    w, u, b = (float(p.value.squeeze()) for p in layer.parameters().values())
    x1, x2, h0, d1, d2, final = 0.3, -0.8, 0.5, 1.1, -0.4, 0.7
    h1 = np.tanh(w * x1 + u * h0 + b)
    h2 = np.tanh(w * x2 + u * h1 + b)
    da2 = (d2 + final) * (1 - h2**2)
    da1 = (d1 + da2 * u) * (1 - h1**2)      # h1 is the first output, and it is in the second step
    x, dout = np.array([[[x1], [x2]]]), np.array([[[d1], [d2]]])
    found = gradients(layer, x, dout, np.array([[final]]), state=np.array([[h0]]))[2:]
    expected = [[w * da1, w * da2], da1 * u, x1 * da1 + x2 * da2, h0 * da1 + h1 * da2, da1 + da2]
    assert_close([np.ravel(a) for a in found], [np.ravel(e) for e in expected])


def test_gradients_of_one_lstm_step_by_hand():
    """(LSTM.4, LSTM.5, LSTM.6, LSTM.7, LSTM.8) of one number."""
    layer = build(LSTM, 1, 1)
    x, h, c, dh, dc = 0.4, -0.2, 0.9, 1.3, -0.6
    weight, way_on, bias = (p.value.ravel() for p in layer.parameters().values())
    i, f, g, o = weight * x + way_on * h + bias
    i, f, g, o = sigma(i), sigma(f), np.tanh(g), sigma(o)
    memory = f * c + i * g
    t = np.tanh(memory)
    dmemory = dc + dh * o * (1 - t**2)
    da = np.array([
        dmemory * g * i * (1 - i), dmemory * c * f * (1 - f), dmemory * i * (1 - g**2), dh * t * o * (1 - o)
    ])  # fmt: skip
    found = gradients(
        layer, np.array([[[x]]]), np.array([[[dh]]]), (np.array([[0.0]]), np.array([[dc]])),
        state=(np.array([[h]]), np.array([[c]])),
    )[3:]  # fmt: skip
    expected = [da @ weight, da @ way_on, dmemory * f, da * x, da * h, da]
    assert_close([a.ravel() for a in found], [np.ravel(e) for e in expected])


def test_gradients_of_one_gru_step_by_hand():
    """(GRU.4, GRU.5, GRU.6, GRU.7, GRU.8) of one number."""
    layer = build(GRU, 1, 1)
    x, h, dh = 0.4, -0.7, 1.3
    weight, way_on, bias, b = (p.value.ravel() for p in layer.parameters().values())
    a, u = weight * x + bias, way_on * h
    r, z, v = sigma(a[0] + u[0]), sigma(a[1] + u[1]), u[2] + b[0]
    n = np.tanh(a[2] + r * v)
    da_n = dh * (1 - z) * (1 - n**2)
    da = np.array([da_n * v * r * (1 - r), dh * (h - n) * z * (1 - z), da_n])
    du = np.array([da[0], da[1], da_n * r])
    found = gradients(layer, np.array([[[x]]]), np.array([[[dh]]]), state=np.array([[h]]))[2:]
    expected = [da @ weight, du @ way_on + dh * z, da * x, du * h, da, du[2]]
    assert_close([a.ravel() for a in found], [np.ravel(e) for e in expected])


@pytest.mark.parametrize("cell", CELLS)
def test_calls_that_pass_the_state_on_equal_one_call(cell, rng):
    """Forward in two parts, and backward in two parts with the gradient of the state between them."""
    layer, x, dout = build(cell), rng.standard_normal((3, 7, 2)), rng.standard_normal((3, 7, 3))
    start, dfinal = random_state(layer, 3, rng), random_state(layer, 3, rng)
    whole = gradients(layer, x, dout, dfinal, state=start)
    layer.zero_grad()
    out1, first = layer.forward(x[:, :4], state=start)
    out2, second = layer.forward(x[:, 4:], state=first.state)
    dx2, between = layer.backward_with_state(dout[:, 4:], dfinal, second)
    dx1, dstart = layer.backward_with_state(dout[:, :4], between, first)
    parts = [np.concatenate([out1, out2], axis=1), *arrays(second.state)]
    parts += [np.concatenate([dx1, dx2], axis=1), *arrays(dstart)]
    assert_close([*parts, *(p.grad for p in layer.parameters().values())], whole)


@pytest.mark.parametrize("cell", CELLS)
def test_truncation_equals_parts_without_a_gradient_between_them(cell, rng):
    """(BPTT.11): exactly the same numbers as parts of k steps whose initial state is a constant."""
    layer, x, dout = build(cell, truncate=3), rng.standard_normal((2, 8, 2)), rng.standard_normal((2, 8, 3))
    start, dfinal = random_state(layer, 2, rng), random_state(layer, 2, rng)
    truncated = gradients(layer, x, dout, dfinal, state=start)
    layer.zero_grad()
    state, dxs, dstarts = start, [], []
    for part in (slice(0, 3), slice(3, 6), slice(6, 8)):
        _, cache = layer.forward(x[:, part], state=state)
        dx, dstart = layer.backward_with_state(dout[:, part], dfinal if part.stop == 8 else None, cache)
        state = cache.state
        dxs.append(dx)
        dstarts.append(dstart)
    place = 1 + len(arrays(state))
    np.testing.assert_array_equal(truncated[place], np.concatenate(dxs, axis=1))
    for a, b in zip(truncated[place + 1 :], arrays(dstarts[0]), strict=False):
        np.testing.assert_array_equal(a, b)
    parameters = [p.grad for p in layer.parameters().values()]      # sums over the steps, in another order
    assert_close(truncated[-len(parameters) :], parameters, rtol=1e-13)
    layer.truncate = None
    assert not np.allclose(gradients(layer, x, dout, dfinal, state=start)[place], np.concatenate(dxs, axis=1))


@settings(max_examples=15)
@given(st.sampled_from(CELLS), st.integers(1, 6), st.integers(0, 3), st.integers(0, 99))
def test_truncation_after_the_last_step_changes_nothing(cell, steps, more, seed):
    rng = np.random.default_rng(seed)
    x, dout = rng.standard_normal((2, steps, 2)), rng.standard_normal((2, steps, 3))
    whole, truncated = (
        gradients(build(cell, seed=seed, truncate=k), x, dout) for k in (None, steps + more)
    )
    for a, b in zip(whole, truncated, strict=True):
        np.testing.assert_array_equal(a, b)


@settings(max_examples=25)
@given(st.sampled_from(CELLS), st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(0, 99))
def test_lengths_equal_sequences_without_padding(cell, lengths, seed):
    """(BPTT.3, BPTT.4, BPTT.6): each row has the results of its own sequence. The padding holds NaN."""
    rng, steps, n = np.random.default_rng(seed), 5, len(lengths)
    layer = build(cell, seed=seed)
    x, dout = rng.standard_normal((n, steps, 2)), rng.standard_normal((n, steps, 3))
    start, dfinal = random_state(layer, n, rng), random_state(layer, n, rng)
    for row, length in enumerate(lengths):
        x[row, length:] = dout[row, length:] = np.nan
    found = gradients(layer, x, dout, dfinal, state=start, lengths=lengths)
    count = len(layer.parameters())
    sums = [np.zeros(p.shape) for p in layer.parameters().values()]
    for row, length in enumerate(lengths):
        def part(state, row=row):
            picked = tuple(s[row : row + 1] for s in arrays(state))
            return picked if len(picked) > 1 else picked[0]

        alone = gradients(
            layer, x[row : row + 1, :length], dout[row : row + 1, :length], part(dfinal), state=part(start)
        )
        for a, b in zip(found[:-count], alone[:-count], strict=True):
            mine = a[row : row + 1]
            if mine.ndim == 3:
                assert not mine[:, length:].any()
                mine = mine[:, :length]
            np.testing.assert_allclose(mine, b, rtol=1e-11, atol=1e-13)
        sums = [s + g for s, g in zip(sums, alone[-count:], strict=True)]
    assert_close(found[-count:], sums)


@settings(max_examples=15)
@given(st.sampled_from(CELLS), st.integers(1, 5), st.integers(1, 5), st.integers(0, 99))
def test_sequences_of_a_batch_do_not_affect_each_other(cell, n, steps, seed):
    rng, layer = np.random.default_rng(seed), build(cell, seed=seed)
    x, order = rng.standard_normal((n, steps, 2)), rng.permutation(n)
    out, _ = layer.forward(x)
    np.testing.assert_allclose(layer.forward(x[order])[0], out[order], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(layer.forward(x[:1])[0], out[:1], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("cell", CELLS)
def test_saturated_gates_stay_finite(cell, dtype, backend, rng):
    layer = build(cell, dtype=dtype)
    for size in (1e2, 1e5, 1e30):
        x = (size * rng.standard_normal((3, 6, 2))).astype(dtype)
        out, cache = layer.forward(x)
        dx = layer.backward(np.ones_like(out), cache)
        assert np.isfinite(out).all() and np.isfinite(dx).all()
        assert cell is LSTM or (np.abs(out) <= 1).all()


@pytest.mark.parametrize("cell", CELLS)
def test_each_block_of_the_recurrent_weight_is_orthogonal(cell):
    layer = cell(5, 8, rng=0, dtype=np.float64)
    for block in blocks(layer.recurrent_weight.value, layer.gates):
        np.testing.assert_allclose(block.T @ block, np.eye(8), atol=1e-13)
    other = cell(5, 8, rng=0, dtype=np.float64, recurrent_init=glorot_uniform)
    assert not np.allclose(other.recurrent_weight.value, layer.recurrent_weight.value)


def test_forget_gate_starts_open():
    assert LSTM(2, 3, rng=0).bias.value.tolist() == [0] * 3 + [1] * 3 + [0] * 6
    assert not LSTM(2, 3, forget_bias=0, rng=0).bias.value.any()


def test_recurrent_layers_can_be_stacked(rng):
    net = Sequential(LSTM(2, 4, rng=rng), GRU(4, 3, rng=rng), Linear(3, 2, rng=rng))
    x = rng.standard_normal((5, 6, 2)).astype(np.float32)
    out, cache = net.forward(x)
    assert out.shape == (5, 6, 2) and net.backward(out, cache).shape == x.shape


@pytest.mark.parametrize("cell", CELLS)
def test_frozen_layer_passes_gradients_on(cell, rng):
    layer, x, dout = build(cell), rng.standard_normal((2, 3, 2)), rng.standard_normal((2, 3, 3))
    _, cache = layer.forward(x)
    expected = layer.backward(dout, cache)
    layer.zero_grad()
    with layer.frozen():
        np.testing.assert_array_equal(layer.backward(dout, cache), expected)
    assert not any(p.grad.any() for p in layer.parameters().values())


X = np.ones((4, 5, 2))
WRONG = [
    ({"x": np.ones((4, 5, 3))}, ValueError, r"sequences of shape \(N, T, 2\) with T .* got \(4, 5, 3\)"),
    ({"x": np.ones((4, 2))}, ValueError, r"sequences of shape \(N, T, 2\).* got \(4, 2\)"),
    ({"x": np.ones((4, 0, 2))}, ValueError, r"with T of at least 1, got \(4, 0, 2\)"),
    ({"x": np.ones((4, 5, 2), np.float32)}, TypeError, "dtype float64, got float32"),
    ({"lengths": [1, 2, 3, 6]}, ValueError, "lengths to be 4 integers from 1 to 5, .* got 1 to 6"),
    ({"lengths": [0, 2, 3, 5]}, ValueError, "got 0 to 5"),
    ({"lengths": [-1, 2, 3, 5]}, ValueError, "got -1 to 5"),
    ({"lengths": [1, 2, 3]}, ValueError, r"got shape \(3,\)"),
    ({"lengths": np.ones((4, 1), int)}, ValueError, r"got shape \(4, 1\)"),
    ({"lengths": [1.0, 2.0, 3.0, 5.0]}, TypeError, "4 integers from 1 to 5.* got dtype float64"),
    ({"lengths": np.ones((4, 5), bool)}, TypeError, "got dtype bool"),
    ({"lengths": 5}, TypeError, "got int"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "error", "message"), WRONG)
@pytest.mark.parametrize("cell", CELLS)
def test_recurrent_layer_refuses(cell, given, error, message):
    layer = build(cell)
    with pytest.raises(error, match=f"^{cell.__name__} expected .*{message}"):
        layer.forward(**({"x": X} | given))


@pytest.mark.parametrize("cell", CELLS)
def test_recurrent_layer_refuses_wrong_states(cell, rng):
    layer = build(cell)
    cache = layer.forward(X)[1]
    state = arrays(random_state(layer, 4, rng))

    def given(a):
        return (*state[:-1], a) if len(state) > 1 else a

    last = layer.state_names[-1]
    for wrong in (np.ones((4, 2)), np.ones((3, 3)), np.ones((1, 4, 3))):
        message = rf"state {last} of shape \(4, 3\), got \({wrong.shape[0]}"
        with pytest.raises(ValueError, match=f"^{cell.__name__} expected {message}"):
            layer.forward(X, state=given(wrong))
        with pytest.raises(ValueError, match=f"^{cell.__name__} expected d{message}"):
            layer.backward_with_state(np.ones((4, 5, 3)), given(wrong), cache)
    for wrong in (np.ones((4, 3), np.float32), np.ones((4, 3)).tolist(), "h"):
        with pytest.raises(TypeError, match=f"^{cell.__name__} expected state {last} of dtype float64"):
            layer.forward(X, state=given(wrong))
    with pytest.raises(ValueError, match=rf"expected state {last} of shape \(2, 3\)"):
        layer.step(np.ones((2, 2)), given(np.ones((4, 3))) if cell is not LSTM else (np.ones((2, 3)), X[0]))
    with pytest.raises(ValueError, match=r"expected input of shape \(N, 2\), got \(2, 3\)"):
        layer.step(np.ones((2, 3)))


def test_lstm_refuses_a_state_that_is_not_a_pair():
    for wrong in (np.ones((4, 3)), (np.ones((4, 3)),), (np.ones((4, 3)),) * 3):
        with pytest.raises(TypeError, match=r"^LSTM expected state to be a pair \(h, c\) of arrays, got "):
            build(LSTM).forward(X, state=wrong)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"features": 0}, ValueError, "features of at least 1, got 0"),
        ({"hidden": 2.0}, TypeError, "hidden to be an int, got 2.0"),
        ({"truncate": 0}, ValueError, "truncate of at least 1, got 0"),
        ({"truncate": 1.5}, TypeError, "truncate to be an int, got 1.5"),
        ({"recurrent_init": "orthogonal"}, TypeError, "recurrent_init to be a function, got 'orthogonal'"),
    ],
)
def test_recurrent_layer_refuses_settings(cell, settings, error, message):
    with pytest.raises(error, match=f"^{cell.__name__} expected {message}"):
        cell(**({"features": 2, "hidden": 3, "rng": 0} | settings))


def test_lstm_refuses_a_forget_bias_that_is_no_number():
    with pytest.raises(TypeError, match="LSTM expected .*forget_bias.*, got 'open'"):
        LSTM(2, 3, forget_bias="open", rng=0)


@pytest.mark.parametrize("cell", CELLS)
def test_weight_dropout_is_a_layer_with_the_dropped_weights(cell, rng):
    """(BPTT.12) in training: the values and gradients of a layer whose U is U·mask, and dU·mask."""
    dropped, plain = build(cell, weight_dropout=0.5), build(cell)
    x, dout = rng.standard_normal((2, 5, 2)), rng.standard_normal((2, 5, 3))
    np.testing.assert_array_equal(dropped.forward(x)[0], plain.forward(x)[0])       # evaluation
    out, cache = dropped.forward(x, training=True)
    mask = cache.weight / dropped.recurrent_weight.value
    assert set(np.round(np.unique(mask), 12)) == {0.0, 2.0}
    plain.recurrent_weight.value *= mask
    expected, theirs = plain.forward(x)
    np.testing.assert_allclose(out, expected, rtol=1e-13)
    np.testing.assert_allclose(dropped.backward(dout, cache), plain.backward(dout, theirs), rtol=1e-12)
    np.testing.assert_allclose(
        dropped.recurrent_weight.grad, plain.recurrent_weight.grad * mask, rtol=1e-12, atol=1e-15
    )
    np.testing.assert_allclose(dropped.weight.grad, plain.weight.grad, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("truncate", [None, 3])
@pytest.mark.parametrize("cell", [RNN, LSTM, GRU])
def test_compiled_steps_of_several_blocks_are_those_of_the_loop(cell, truncate, dtype):
    """The number of sequences is not a multiple of those in a block; some of them end early."""
    rng, n, steps = np.random.default_rng(4), 2 * SEQUENCES + 5, 7
    layer = cell(3, 5, truncate=truncate, rng=1, dtype=dtype)
    x, dout = (rng.standard_normal((n, steps, size)).astype(dtype) for size in (3, 5))
    state, dstate = (
        layer._as_given(tuple(rng.standard_normal((n, 5)).astype(dtype) for _ in layer.state_names))
        for _ in range(2)
    )
    for lengths in (None, rng.integers(1, steps + 1, n)):
        found = []
        for backend in ("reference", "jit"):
            with kernels.use(backend):
                layer.zero_grad()
                out, cache = layer.forward(x, state=state, lengths=lengths)
                dx, dstart = layer.backward_with_state(dout, dstate, cache)
            grads = [p.grad.copy() for p in layer.parameters().values()]
            found.append([out, dx, np.stack(dstart), np.stack(cache.state), *grads])
        for loop, compiled in zip(*found, strict=True):
            tolerance = 1e-12 if dtype == np.float64 else 2e-5
            np.testing.assert_allclose(compiled, loop, rtol=tolerance, atol=tolerance * np.abs(loop).max())


@pytest.mark.parametrize("shape", [(1, 5, 3), (2, 1, 3)])
@pytest.mark.parametrize("cell", [RNN, LSTM, GRU])
def test_output_can_be_changed_before_backward(cell, shape):
    """It shares no memory with the cache."""
    out, cache = cell(3, 4, rng=0).forward(np.ones(shape, np.float32))
    arrays = [cache.x, *cache.states, *([cache.state] if cell is not LSTM else cache.state)]
    assert not any(np.shares_memory(out, a) for a in arrays)
    assert not any(np.shares_memory(cache.states[0], a) for a in arrays[1 + len(cache.states) :])


def test_cell_of_a_subclass_is_used():
    class Doubled(GRU):
        def cell(self, a, u, states):
            (h,), saved = super().cell(a, u, states)
            return (2 * h,), saved

    x = np.ones((2, 1, 3), np.float32)
    once, twice = (kind(3, 4, rng=0).forward(x)[0] for kind in (GRU, Doubled))
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-6)
    Doubled.compiled_loop = "mine"
    np.testing.assert_allclose(Doubled(3, 4, rng=0).forward(x)[0], twice)
