"""RNN, LSTM and GRU against those of PyTorch, if it is installed: values and all gradients in float64."""

import numpy as np
import pytest

from scratchgen.layers import GRU, LSTM, RNN

torch = pytest.importorskip("torch")

CELLS = {RNN: "RNN", LSTM: "LSTM", GRU: "GRU"}


def theirs(layer):
    """The layer of PyTorch with the same weights. It has a second bias, which is zero but in a GRU."""
    net = getattr(torch.nn, CELLS[type(layer)])(layer.features, layer.hidden, batch_first=True).double()
    second = np.zeros(layer.bias.shape)
    if isinstance(layer, GRU):
        second[-layer.hidden :] = layer.candidate_bias.value
    arrays = layer.weight.value.T, layer.recurrent_weight.value.T, layer.bias.value, second
    with torch.no_grad():
        for p, a in zip(net.parameters(), arrays, strict=True):
            p.copy_(torch.from_numpy(np.ascontiguousarray(a)))
    return net


def tensor(a):
    return torch.from_numpy(a.copy()).requires_grad_()


@pytest.mark.parametrize("lengths", [None, [7, 1, 4, 6, 7]])
@pytest.mark.parametrize("cell", CELLS)
def test_values_and_gradients_are_those_of_pytorch(cell, lengths, rng, backend):
    layer = cell(3, 4, rng=rng, dtype=np.float64)
    for p in layer.parameters().values():
        p.value += 0.3 * rng.standard_normal(p.shape)
    x, dout = rng.standard_normal((5, 7, 3)), rng.standard_normal((5, 7, 4))
    start, dfinal = (
        tuple(rng.standard_normal((5, 4)) for _ in layer.state_names) for _ in range(2)
    )

    def as_state(parts):
        return parts if len(parts) > 1 else parts[0]

    out, cache = layer.forward(x, state=as_state(start), lengths=lengths)
    dx, dstart = layer.backward_with_state(dout, as_state(dfinal), cache)
    final, dstart = (a if isinstance(a, tuple) else (a,) for a in (cache.state, dstart))

    net, their_x, their_start = theirs(layer), tensor(x), [tensor(a[None]) for a in start]
    given = their_x
    if lengths is not None:
        given = torch.nn.utils.rnn.pack_padded_sequence(given, lengths, True, enforce_sorted=False)
    their_out, their_final = net(given, as_state(tuple(their_start)))
    if lengths is not None:
        their_out, _ = torch.nn.utils.rnn.pad_packed_sequence(their_out, batch_first=True)
    their_final = their_final if isinstance(their_final, tuple) else (their_final,)
    sums = [(their_out * torch.from_numpy(dout)).sum()]
    sums += [(f[0] * torch.from_numpy(d)).sum() for f, d in zip(their_final, dfinal, strict=True)]
    sum(sums).backward()

    weight, way_on, bias, second = (p.grad.numpy() for p in net.parameters())
    pairs = [(out, their_out), *zip(final, (f[0] for f in their_final), strict=True)]
    pairs = [(a, b.detach().numpy()) for a, b in pairs]
    pairs += [(dx, their_x.grad.numpy())]
    pairs += [(a, b.grad[0].numpy()) for a, b in zip(dstart, their_start, strict=True)]
    pairs += [(layer.weight.grad, weight.T), (layer.recurrent_weight.grad, way_on.T), (layer.bias.grad, bias)]
    if cell is GRU:
        pairs.append((layer.candidate_bias.grad, second[-4:]))
    for a, b in pairs:
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)
