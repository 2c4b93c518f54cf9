"""The bodies of a translation model: a transformer, or recurrent nets with additive attention.

A body reads the embedded source, and then the embedded target with the source as its memory. Both bodies have
the same methods:

    memory, cache = body.encode(x, lengths, training)       x (N, S, C), memory (N, S, M)
    h, cache = body.decode(x, memory, lengths, training)    x (N, T, C), h (N, T, C)
    dx, dmemory = body.decode_backward(dh, cache)
    dx = body.encode_backward(dmemory, cache)
    body.attention(cache)                                   (N, H, T, S), the weights of the last attention
    state = body.start(memory, lengths, longest)            to write step by step
    h = body.step(x, state, t)                              x, h (N, C); changes the state

A state is a dict of arrays, and of lists of states, whose first axis is that of the sentences.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.checks import Array
from scratchgen.layers import GRU, LSTM, AdditiveAttention, Dropout, LayerNorm, Linear, Tanh
from scratchgen.layers.lengths import within_lengths
from scratchgen.layers.recurrent import Recurrent
from scratchgen.models.text.translation_blocks import DecoderBlock, EncoderBlock
from scratchgen.module import Module

CELLS: dict[str, type[Recurrent]] = {"gru": GRU, "lstm": LSTM}
BODIES = ("transformer", *CELLS)


def seen(lengths: Array, positions: int) -> Array:
    """(N, S) of bool: whether each position is within its sentence."""
    within = within_lengths("Translator", lengths, len(lengths), positions)
    assert within is not None
    return within


class TransformerTranslation(Module):
    """Encoder blocks, and decoder blocks that all see the last encoder block's output (Vaswani et al. 2017).

    (TRB.1)  dmemory = Σ over the decoder blocks of their dmemory      each of them sees the same memory
    """

    def __init__(self, features: int, heads: int, depth: int, *, dropout: float, **net_args: Any):
        blocks = range(depth)
        self.encoder = [EncoderBlock(features, heads, dropout=dropout, **net_args) for _ in blocks]
        self.decoder = [DecoderBlock(features, heads, dropout=dropout, **net_args) for _ in blocks]
        self.norm = LayerNorm(features, dtype=net_args["dtype"])    # of the encoder's output

    def encode(self, x: Array, lengths: Array, training: bool) -> tuple[Array, Any]:
        caches = []
        for block in self.encoder:
            x, cache = block.forward(x, lengths, training)
            caches.append(cache)
        memory, norm = self.norm.forward(x)
        return memory, (caches, norm)

    def encode_backward(self, dmemory: Array, cache: Any) -> Array:
        caches, norm = cache
        dmemory = self.norm.backward(dmemory, norm)
        for block, cache in zip(self.encoder[::-1], caches[::-1], strict=True):
            dmemory = block.backward(dmemory, cache)
        return dmemory

    def decode(self, x: Array, memory: Array, lengths: Array, training: bool) -> tuple[Array, list[Any]]:
        caches = []
        for block in self.decoder:
            x, cache = block.forward(x, memory, lengths, training)
            caches.append(cache)
        return x, caches

    def decode_backward(self, dh: Array, caches: list[Any]) -> tuple[Array, Array]:
        dmemory = np.zeros_like(caches[-1].cross.memory)
        for block, cache in zip(self.decoder[::-1], caches[::-1], strict=True):
            dh, dseen = block.backward(dh, cache)
            dmemory += dseen                                            # (TRB.1)
        return dh, dmemory

    def attention(self, caches: list[Any]) -> Array:
        return caches[-1].cross.p

    def start(self, memory: Array, lengths: Array, longest: int) -> dict[str, Any]:
        n = len(memory)
        blocks = []
        for block in self.decoder:
            own, cross = block.attention, block.cross
            shape = (n, own.heads, longest, own.features // own.heads)
            keys, values = cross.keys_values(memory)
            blocks.append({
                "keys": np.zeros(shape, memory.dtype), "values": np.zeros(shape, memory.dtype),
                "memory_keys": keys, "memory_values": values,
            })  # fmt: skip
        return {"blocks": blocks, "within": seen(lengths, memory.shape[1])}

    def step(self, x: Array, state: dict[str, Any], t: int) -> Array:
        for block, known in zip(self.decoder, state["blocks"], strict=True):
            x = block.step(x, known, state["within"], t)
        return x


def reversed_within(x: Array, lengths: Array) -> Array:
    """Reverse each sequence of x (N, S, C) within its length; its own inverse. Padding stays in place."""
    places = np.arange(x.shape[1])
    turned = np.where(places < lengths[:, None], lengths[:, None] - 1 - places, places)     # (N, S)
    return np.take_along_axis(x, turned[:, :, None], axis=1)


class BothWays(Module):
    """Two recurrent layers: one reads each sequence forwards, and the other one backwards.

    (BIR.1)  out = [forwards(x), reverse(backwards(reverse(x)))]         (N, S, 2H)
    (BIR.2)  dx  = dx of forwards + reverse(dx of backwards)             x is used twice

    So the output at each position depends on the whole sequence (Schuster & Paliwal 1997).
    """

    def __init__(self, cell: type[Recurrent], features: int, hidden: int, **net_args: Any):
        self.forwards, self.backwards = (cell(features, hidden, **net_args) for _ in range(2))

    def forward(self, x: Array, lengths: Array) -> tuple[Array, tuple[Any, Any, Array]]:
        there, cache1 = self.forwards.forward(x, lengths=lengths)
        back, cache2 = self.backwards.forward(reversed_within(x, lengths), lengths=lengths)
        out = np.concatenate([there, reversed_within(back, lengths)], axis=2)   # (BIR.1)
        return out, (cache1, cache2, lengths)

    def backward(self, dout: Array, cache: tuple[Any, Any, Array]) -> Array:
        cache1, cache2, lengths = cache
        there, back = np.split(dout, 2, axis=2)
        dx = self.forwards.backward(np.ascontiguousarray(there), cache1)
        turned = self.backwards.backward(reversed_within(back, lengths), cache2)
        return dx + reversed_within(turned, lengths)                            # (BIR.2)


class RecurrentTranslation(Module):
    """Recurrent nets with additive attention between them (Bahdanau, Cho & Bengio 2015).

    (RCB.1)  memory = layers that read both ways                    (N, S, 2C)
    (RCB.2)  s   = recurrent layers over the target                 (N, T, C)
    (RCB.3)  c   = additive attention of s to the memory            (N, T, 2C)
    (RCB.4)  h   = tanh([s, c]·W + b)                               (N, T, C)
    (RCB.5)  ds  = the part of [ds, dc] + ds as the query           s is used twice

    The attention has the scores of Bahdanau et al., but it comes after the recurrent layers, as in Luong et
    al. 2015. So the target is read in one forward pass, and one call computes all of its attention.
    """

    def __init__(
        self, cell: type[Recurrent], features: int, depth: int, *, dropout: float, rng: Any, dtype: Any
    ):
        net_args: dict[str, Any] = {"rng": rng, "dtype": dtype}
        self.encoder: list[BothWays] = []
        self.decoder: list[Recurrent] = []
        for i in range(depth):
            width = 2 * features if i else features
            self.encoder.append(BothWays(cell, width, features, **net_args))
            self.decoder.append(cell(features, features, **net_args))
        self.drops = [Dropout(dropout, rng=r) for r in rng.spawn(2 * depth)]
        self.score = AdditiveAttention(features, 2 * features, features, **net_args)
        self.join = Linear(3 * features, features, **net_args)
        self.squash = Tanh()

    def encode(self, x: Array, lengths: Array, training: bool) -> tuple[Array, list[Any]]:
        caches = []
        for layer, drop in zip(self.encoder, self.drops[: len(self.encoder)], strict=True):
            x, cache = layer.forward(x, lengths)                        # (RCB.1)
            x, dropped = drop.forward(x, training)
            caches.append((cache, dropped))
        return x, caches

    def encode_backward(self, dmemory: Array, caches: list[Any]) -> Array:
        drops = self.drops[: len(self.encoder)]
        for layer, drop, cache in zip(self.encoder[::-1], drops[::-1], caches[::-1], strict=True):
            dmemory = layer.backward(drop.backward(dmemory, cache[1]), cache[0])
        return dmemory

    def decode(self, x: Array, memory: Array, lengths: Array, training: bool) -> tuple[Array, Any]:
        caches = []
        for layer, drop in zip(self.decoder, self.drops[len(self.encoder) :], strict=True):
            x, cache = layer.forward(x)                                 # (RCB.2)
            x, dropped = drop.forward(x, training)
            caches.append((cache, dropped))
        context, score = self.score.forward(x, memory, lengths=lengths)  # (RCB.3)
        h, join = self.join.forward(np.concatenate([x, context], axis=2))
        h, squash = self.squash.forward(h)                              # (RCB.4)
        return h, (caches, score, join, squash)

    def decode_backward(self, dh: Array, cache: Any) -> tuple[Array, Array]:
        caches, score, join, squash = cache
        djoined = self.join.backward(self.squash.backward(dh, squash), join)
        ds, dcontext = np.split(djoined, [dh.shape[2]], axis=2)
        dquery, dmemory = self.score.backward(np.ascontiguousarray(dcontext), score)
        ds = ds + dquery                                                # (RCB.5)
        drops = self.drops[len(self.encoder) :]
        for layer, drop, kept in zip(self.decoder[::-1], drops[::-1], caches[::-1], strict=True):
            ds = layer.backward(drop.backward(ds, kept[1]), kept[0])
        assert dmemory is not None
        return ds, dmemory

    def attention(self, cache: Any) -> Array:
        return cache[1].p[:, None]

    def start(self, memory: Array, lengths: Array, longest: int) -> dict[str, Any]:
        zeros = np.zeros((len(memory), self.join.out_features), memory.dtype)
        return {
            "states": [tuple(zeros for _ in layer.state_names) for layer in self.decoder],
            "memory": memory,
            "u": self.score.key.forward(memory)[0],
            "within": seen(lengths, memory.shape[1]),
        }

    def step(self, x: Array, state: dict[str, Any], t: int) -> Array:
        for i, layer in enumerate(self.decoder):
            before = state["states"][i]
            x, after = layer.step(x, before if len(before) > 1 else before[0])
            state["states"][i] = after if isinstance(after, tuple) else (after,)
        _, p = self.score.weights(x[:, None], state["u"], state["within"])
        context = (p @ state["memory"])[:, 0]
        return self.squash.forward(self.join.forward(np.concatenate([x, context], axis=1))[0])[0]


def build_translation(body: str, features: int, heads: int, depth: int, **settings: Any) -> Any:
    """The body of this name. settings : dropout, rng and dtype."""
    if body == "transformer":
        return TransformerTranslation(features, heads, depth, **settings)
    return RecurrentTranslation(CELLS[body], features, depth, **settings)
