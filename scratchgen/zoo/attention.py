"""Mistakes in causal attention and in the embedding before it."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.zoo.entry import Entry, Outcome
from scratchgen.zoo.tools import (
    Array,
    adam,
    descend,
    layer_error,
    random_generator,
    softmax,
    squared_error,
    tail,
)

LENGTH, WIDTH = 8, 4


class Attention:
    """One head of causal attention: q, k (T, d) and values v (T, M). Position t sees positions up to t."""

    axis = -1

    @staticmethod
    def allowed(length):
        return np.tri(length, dtype=bool)

    @staticmethod
    def scale(d):
        return 1 / np.sqrt(d)

    @classmethod
    def weights(cls, scores):
        mask = cls.allowed(len(scores))
        p = softmax(np.where(mask, scores, -1e9))
        return p, p, mask, True         # p; softmax; scores and p in use

    @classmethod
    def forward(cls, q, k, v):
        p, *kept = cls.weights(q @ k.T * cls.scale(q.shape[1]))
        return p @ v, (q, k, v, p, *kept)

    @classmethod
    def backward(cls, dout, cache):
        q, k, v, p, full, scores_used, weights_used = cache
        dfull = np.where(weights_used, dout @ v.T, 0)
        dmasked = full * (dfull - (dfull * full).sum(axis=cls.axis, keepdims=True))
        dscores = np.where(scores_used, dmasked, 0) * cls.scale(q.shape[1])
        return dscores @ k, dscores.T @ q, p.T @ dout


class Embedding:
    """Row ids[n] of the table for every token n."""

    @staticmethod
    def forward(table, ids):
        return table[ids], (table.shape, ids)

    @staticmethod
    def backward(dout, cache):
        shape, ids = cache
        dtable = np.zeros(shape)
        np.add.at(dtable, ids, dout)
        return (dtable,)


class AttentionEntry(Entry):
    """An entry that learns q and k of 8 positions: each output should be the mean of the values so far."""

    measure = "training loss at the end"
    where = "scratchgen/layers/attention.py"
    passes_gradient_check = True
    bound = 1e-9
    gradcheck = "CausalSelfAttention"
    exercise = "attention"
    Right = Attention

    def gradient_error(self, code: Any) -> float:
        rng = random_generator()
        return layer_error(code, *(rng.standard_normal((5, n)) for n in (3, 3, 2)))

    def target(self, v: Array) -> Array:
        """What the output should be, (T, M), given the values."""
        return v.cumsum(axis=0) / np.arange(1, LENGTH + 1)[:, None]

    def run(self, code: Any) -> Outcome:
        rng = random_generator()
        v = rng.standard_normal((LENGTH, 200)) + 1          # 200 sequences of one feature
        target = self.target(v)

        def gradient(step, q, k):
            out, cache = code.forward(q, k, v)
            loss, dout = squared_error(out, target)
            dq, dk, _ = code.backward(dout, cache)
            return loss / 200, (dq, dk)

        start = [0.1 * rng.standard_normal((LENGTH, WIDTH)) for _ in range(2)]
        losses, _ = adam(gradient, start, lr=0.05, steps=150)
        return Outcome(tail(losses), losses)

    @staticmethod
    def leak(code: Any) -> float:
        """How far the first outputs move if the later half of the sequence changes."""
        rng = random_generator()
        q, k, v = rng.standard_normal((3, LENGTH, WIDTH))
        before = code.forward(q, k, v)[0]
        for a in (q, k, v):
            a[LENGTH // 2 :] = rng.standard_normal((LENGTH - LENGTH // 2, WIDTH))
        return float(np.abs(code.forward(q, k, v)[0] - before)[: LENGTH // 2].max())


class MaskAfterSoftmax(AttentionEntry):
    title = "the causal mask is multiplied in after the softmax"
    symptom = "Early positions have weights that sum to far less than 1, and the future changes them."
    numbers = (0.0, 0.00372)
    apart = 0.001
    caught_by = "invariance: later tokens do not change earlier outputs"
    fix = "Set the scores of later positions to −∞ before the softmax."
    seen = "masks of ones and zeros that are applied where the weights are used"

    class Wrong(Attention):
        @classmethod
        def weights(cls, scores):
            mask = cls.allowed(len(scores))
            full = softmax(scores)
            return full * mask, full, True, mask

    def check(self, code: Any) -> float:
        return self.leak(code)


class MaskOffByOne(AttentionEntry):
    title = "the causal mask lets each position see the next one"
    symptom = "The training loss is far too good, and generated text is nonsense."
    numbers = (1.14, 6.85e-05)
    direction = "lower"
    apart = 0.3
    caught_by = "invariance: later tokens do not change earlier outputs"
    fix = "Position t predicts token t + 1, so it may see tokens up to t."
    seen = "triangular masks with the wrong diagonal, or targets that were shifted twice"

    class Wrong(Attention):
        @staticmethod
        def allowed(length):
            return np.tri(length, k=1, dtype=bool)

    def check(self, code: Any) -> float:
        return self.leak(code)

    def target(self, v: Array) -> Array:
        """The next value of random sequences, which nothing in the past predicts."""
        return np.roll(v, -1, axis=0)


class MaskReversed(AttentionEntry):
    title = "the mask lets each position see itself and the later ones"
    symptom = "The loss of predicting the next token is far too good, and generation has nothing to look at."
    numbers = (1.14, 0.213)
    direction = "lower"
    apart = 0.3
    caught_by = "invariance: later tokens do not change earlier outputs"
    fix = "Row t is the query and column s the key: s ≤ t is np.tri, with ones below the diagonal."
    seen = "np.triu in place of np.tril, and masks that say what is hidden, used as what is seen"

    class Wrong(Attention):
        @staticmethod
        def allowed(length):
            return np.tri(length, dtype=bool).T

    def check(self, code: Any) -> float:
        return self.leak(code)

    def target(self, v: Array) -> Array:
        """The next value of random sequences, which nothing in the past predicts."""
        return np.roll(v, -1, axis=0)


class MaskedWithZero(AttentionEntry):
    title = "scores of later positions are set to 0 in place of −∞"
    symptom = "The loss is lower than the past allows: each later position has the weight e⁰, and is used."
    numbers = (1.14, 0.527)
    direction = "lower"
    apart = 0.1
    caught_by = "invariance: later tokens do not change earlier outputs"
    fix = "The softmax of a score 0 is not 0. Use −∞, or −1e9, whose exponential is 0."
    seen = "scores * mask before the softmax"

    class Wrong(Attention):
        @classmethod
        def weights(cls, scores):
            mask = cls.allowed(len(scores))
            p = softmax(np.where(mask, scores, 0))
            return p, p, mask, True

    def check(self, code: Any) -> float:
        return self.leak(code)

    def target(self, v: Array) -> Array:
        """The next value of random sequences, which nothing in the past predicts."""
        return np.roll(v, -1, axis=0)


class SoftmaxOverQueries(AttentionEntry):
    title = "attention's softmax runs over the queries in place of the keys"
    symptom = "The weights of a position do not sum to 1, and late positions get most of the signal."
    numbers = (0.0, 0.309)
    apart = 0.01
    caught_by = "sum test: values that are all 1 give outputs that are all 1"
    fix = "Each query distributes a weight of 1 over the keys: the last axis of q·kᵀ."
    seen = "scores stored as (keys, queries), or einsum letters in another order"

    class Wrong(Attention):
        axis = 0

        @classmethod
        def weights(cls, scores):
            mask = cls.allowed(len(scores))
            p = softmax(np.where(mask, scores, -1e9).T).T
            return p, p, mask, True

    def check(self, code: Any) -> float:
        q, k = random_generator().standard_normal((2, LENGTH, WIDTH))
        return float(np.abs(code.forward(q, k, np.ones((LENGTH, 1)))[0] - 1).max())


class ScaleForgotten(AttentionEntry):
    title = "the scores are not divided by the root of the width"
    symptom = "At the start each position looks at about one other, and the gradient of q and k is small."
    numbers = (20.8, 1.7)
    measure = "positions in use at the start, exp(entropy), of 64"
    direction = "lower"
    apart = 5.0
    caught_by = "moment test: the scores of standard normal q and k have variance 1"
    bound = 0.2
    x_label = "position"
    y_label = "positions in use"
    fix = "A product of d numbers has the variance d: divide by √d, forward and backward."
    seen = "attention written from memory; it trains with small widths, and fails with large ones"

    class Wrong(Attention):
        @staticmethod
        def scale(d):
            return 1.0

    def check(self, code: Any) -> float:
        q, k = random_generator().standard_normal((2, 64, 64))
        return abs(float((q @ k.T * code.scale(64)).var()) - 1)

    def run(self, code: Any) -> Outcome:
        q, k = random_generator().standard_normal((2, 64, 64))
        p, *_ = code.weights(q @ k.T * code.scale(64))
        used = np.exp(-(p * np.log(p + 1e-300)).sum(axis=1))
        return Outcome(float(used.mean()), used)


class RepeatedIds(Entry):
    title = "the gradient of an embedding is added with dtable[ids] += dout"
    symptom = "An id that occurs several times gets one gradient only: frequent tokens learn slowly."
    numbers = (0.00075, 0.0194)
    measure = "training loss at the end"
    apart = 0.01
    caught_by = "gradient check with an id that occurs twice"
    bound = 1e-8
    passes_gradient_check = True
    fix = "np.add.at(dtable, ids, dout), or a product with a one-hot matrix. Fancy indexing adds once."
    seen = "NumPy embeddings; a check with ids that are all different passes"
    where = "scratchgen/layers/embedding.py"
    gradcheck = "Embedding"
    exercise = "embedding"
    Right = Embedding

    class Wrong(Embedding):
        @staticmethod
        def backward(dout, cache):
            shape, ids = cache
            dtable = np.zeros(shape)
            dtable[ids] += dout
            return (dtable,)

    @staticmethod
    def error(code: Any, ids: list[int]) -> float:
        class OfTable:
            backward = code.backward

            @staticmethod
            def forward(table):
                return code.forward(table, np.array(ids))

        return layer_error(OfTable, random_generator().standard_normal((4, 3)))

    def gradient_error(self, code: Any) -> float:
        return self.error(code, [2, 0, 3])

    def check(self, code: Any) -> float:
        return self.error(code, [2, 0, 2])

    def run(self, code: Any) -> Outcome:
        """Learn a number for each of 10 tokens, in batches of 64."""
        rng = random_generator()
        known = rng.standard_normal((10, 1))

        def gradient(step, table):
            ids = np.minimum(rng.geometric(0.3, 64) - 1, 9)
            out, cache = code.forward(table, ids)
            loss, dout = squared_error(out, known[ids])
            return loss, code.backward(dout, cache)

        losses, _ = descend(gradient, (np.zeros((10, 1)),), lr=0.5, steps=100)
        return Outcome(tail(losses), losses)
