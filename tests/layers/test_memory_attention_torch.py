"""CrossAttention and AdditiveAttention against PyTorch, if it is installed: values and all gradients."""

import numpy as np
import pytest

from scratchgen.layers import AdditiveAttention, CrossAttention

torch = pytest.importorskip("torch")

N, T, S, C, M, H = 3, 4, 5, 6, 5, 2
LENGTHS = np.array([5, 1, 3])


def tensor(a):
    return torch.from_numpy(a.copy()).requires_grad_()


def randomised(layer, rng):
    for p in layer.parameters().values():
        p.value[...] = rng.standard_normal(p.shape)
    return layer, *(rng.standard_normal(shape) for shape in ((N, T, C), (N, S, M)))


def padding(lengths):
    return None if lengths is None else torch.from_numpy(np.arange(S) >= lengths[:, None])


def compare(layer, x, memory, lengths, rng, forward, own):
    """Run both sides. forward : (x, memory) -> out of PyTorch; own : () -> pairs of gradients to compare."""
    out, cache = layer.forward(x, memory, lengths=lengths)
    dout = rng.standard_normal(out.shape)
    dx, dmemory = layer.backward(dout, cache)
    their_x, their_memory = tensor(x), tensor(memory)
    theirs = forward(their_x, their_memory)
    (theirs * torch.from_numpy(dout)).sum().backward()
    pairs = [(out, theirs.detach()), (dx, their_x.grad), (dmemory, their_memory.grad), *own()]
    for a, b in pairs:
        np.testing.assert_allclose(a, np.asarray(b), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_cross_attention_is_that_of_pytorch(lengths, rng):
    """torch.nn.MultiheadAttention with its own width for keys and values, and a padding mask for the keys."""
    layer, x, memory = randomised(
        CrossAttention(C, H, memory_features=M, rng=0, dtype=np.float64), rng
    )
    net = torch.nn.MultiheadAttention(C, H, kdim=M, vdim=M, batch_first=True).double()
    wk, wv = np.split(layer.key_value.weight.value, 2, axis=1)
    pairs = [
        (net.q_proj_weight, layer.query.weight.value.T), (net.k_proj_weight, wk.T),
        (net.v_proj_weight, wv.T), (net.out_proj.weight, layer.proj.weight.value.T),
        (net.in_proj_bias, np.concatenate([layer.query.bias.value, layer.key_value.bias.value])),
        (net.out_proj.bias, layer.proj.bias.value),
    ]  # fmt: skip
    with torch.no_grad():
        for p, a in pairs:
            p.copy_(torch.from_numpy(np.ascontiguousarray(a)))

    def own():
        grads = {"query": net.q_proj_weight, "proj": net.out_proj.weight}
        yield from ((getattr(layer, name).weight.grad, p.grad.T) for name, p in grads.items())
        both = torch.cat([net.k_proj_weight.grad, net.v_proj_weight.grad])
        yield layer.key_value.weight.grad, both.T
        yield layer.query.bias.grad, net.in_proj_bias.grad[:C]
        yield layer.key_value.bias.grad, net.in_proj_bias.grad[C:]

    compare(layer, x, memory, lengths, rng, lambda q, m: net(q, m, m, padding(lengths))[0], own)


@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_additive_attention_is_that_of_autograd(lengths, rng):
    """PyTorch has no such layer, so the formula is written there in a few lines."""
    layer, x, memory = randomised(AdditiveAttention(C, M, 7, rng=0, dtype=np.float64), rng)
    arrays = layer.query.weight, layer.key.weight, layer.key.bias, layer.weight
    w_query, w_key, b, w = (tensor(p.value) for p in arrays)

    def forward(q, m):
        scores = torch.tanh((q @ w_query)[:, :, None] + (m @ w_key + b)[:, None]) @ w
        if lengths is not None:
            scores = scores.masked_fill(padding(lengths)[:, None], -torch.inf)
        return torch.softmax(scores, dim=-1) @ m

    def own():
        return [(p.grad, t.grad) for p, t in zip(arrays, (w_query, w_key, b, w), strict=True)]

    compare(layer, x, memory, lengths, rng, forward, own)
