"""Exercises on embeddings, attention and recurrent nets."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchgen.exercises.kinds import all_of, of_layer, of_values
from scratchgen.exercises.spec import Check, Equation, Exercise
from scratchgen.gradcheck.memory_cases import WithMemory
from scratchgen.layers.base import Layer

ATTENTION = "docs/attention.md"
RECURRENT = "docs/recurrent.md"


class Lookup(Layer):
    """An embedding of fixed ids that is added to the input, so that it can be checked like other layers."""

    def __init__(self, embedding: Any, ids: np.ndarray):
        self.embedding, self.ids = embedding, ids

    def forward(self, x: np.ndarray, training: bool = False) -> tuple[np.ndarray, Any]:
        rows, cache = self.embedding.forward(self.ids)
        return x + rows, cache

    def backward(self, dout: np.ndarray, cache: Any, input_grad: bool = True) -> Any:
        self.embedding.backward(dout, cache)
        return dout if input_grad else None


def _lookup(names: Any, rng: Any, dtype: Any) -> Lookup:
    return Lookup(names.Embedding(4, 3, rng=rng, dtype=dtype), np.array([[0, 2, 2], [2, 1, 1]]))


class OneOfThree(Layer):
    """Attention as a function of q, of k or of v alone, with the other two fixed, for a check of each."""

    def __init__(self, names: Any, part: int, rng: np.random.Generator, shape: tuple[int, int, int]):
        self.names, self.part, self.heads = names, part, 2
        self.fixed = rng.standard_normal((*shape[:2], 3 * shape[2]))
        self.head_features = shape[2] // self.heads
        self.columns = slice(part * shape[2], (part + 1) * shape[2])

    def unlearned_arrays(self) -> dict[str, np.ndarray]:
        return {}

    def forward(self, x: np.ndarray, training: bool = False) -> tuple[np.ndarray, Any]:
        qkv = self.fixed.copy()
        qkv[:, :, self.columns] = x
        y, p = self.names.attention(qkv, self.heads, False)
        return y, (qkv, p)

    def backward(self, dout: np.ndarray, cache: Any, input_grad: bool = True) -> Any:
        qkv, p = cache
        dqkv = self.names.attention_backward(dout, qkv, p, False)
        return dqkv[:, :, self.columns] if input_grad else None


def _attention(part: int) -> Check:
    shape = (2, 3, 6)
    return of_layer(lambda names, rng, dtype: OneOfThree(names, part, rng, shape), shape)


def _attended(names: Any) -> dict[str, np.ndarray]:
    """The weights and values of attention with and without a mask, and for large scores."""
    qkv = np.random.default_rng(20).standard_normal((2, 4, 3 * 6))
    kinds = {"all positions": (qkv, False), "causal": (qkv, True), "large scores": (30 * qkv, True)}
    found: dict[str, np.ndarray] = {}
    for kind, (inputs, causal) in kinds.items():
        y, p = names.attention(inputs, 2, causal)
        found |= {f"{kind}: weights p": p, f"{kind}: y": y}
    return found


ASKING = (2, 2 * 6 + 4 * 5)    # two queries of 6 features, and a memory of four positions with 5 features


def _asking(names: Any, heads: int, lengths: list[int] | None, rng: Any, dtype: Any) -> Layer:
    """Cross-attention as a function of its two inputs side by side."""
    return WithMemory(names.CrossAttention(6, heads, memory_features=5, rng=rng, dtype=dtype), 2, 4, lengths)


GATES = (
    "Each gate is a function of its own block of a_t + u_t, so its gradient is multiplied by the slope of "
    "this function, written with the gate itself: sigmoid_backward(d, out) and tanh_backward(d, out) "
    "compute it. "
)

EXERCISES = (
    Exercise(
        "embedding", "rows that are used more than once", "scratchgen.layers.embedding",
        ("embedding_weight_grad", "Embedding.forward", "Embedding.backward"),
        (
            Equation(
                "EMB.2", "embedding_weight_grad",
                "Make an array of zeros of the shape of W, (K, C), and add every row of dout to the row "
                "that its id names. An id can occur several times, and dW[ids] += dout would add only once "
                "for each id. np.add.at adds every time; a product with one-hot rows does too.",
                first="onehot =", left="return ",
            ),
        ),
        of_layer(_lookup, (2, 3, 3)),
        ATTENTION,
        "A row of the table that was copied to three positions gets three gradients. A row that was not "
        "used gets none.",
        ("Embedding",),
    ),
    Exercise(
        "attention-mask", "weights that do not see the future", "scratchgen.layers.attention",
        ("attention",),
        (
            Equation(
                "ATT.3", "attention",
                "A score is a sum of D products, so its variance is D if q and k have variance 1. D is the "
                "last axis of q. Which factor gives the variance 1?",
            ),
            Equation(
                "ATT.4", "attention",
                "Row t of the scores belongs to the position that looks, column s to the one that is seen. "
                "With causal, only s ≤ t is seen. What is hidden needs a score whose exponential is 0, and "
                "not a score of 0. The mask is the same for all N and H.",
                first="seen =",
            ),
            Equation(
                "ATT.5", "attention",
                "A softmax over the positions that are seen, axis 3 with keepdims=True. Subtract the "
                "largest entry of each row first: it changes no weight, and nothing overflows.",
                first="e =",
            ),
        ),
        of_values(_attended, "scratchgen.layers.attention", "attention"),
        ATTENTION,
        "Each position asks with q, and gets a weighted mean of the values v of the positions that it sees. "
        "The weights of a row are positive and add up to 1, and those of hidden positions are exactly 0.",
        ("CausalSelfAttention",),
        note="This is a forward pass, so the check compares its values with the library's, also for scores "
        "of about 1,000. The exercise attention goes back through the same lines.",
    ),
    Exercise(
        "attention", "softmax between two matrix products", "scratchgen.layers.attention",
        ("attention", "attention_backward"),
        (
            Equation(
                "ATT.8", "attention_backward",
                "As (LIN.2): y = p·v is a matrix product, and v is its right factor. a.swapaxes(2, 3) "
                "transposes the last two axes.",
            ),
            Equation("ATT.9", "attention_backward", "As (LIN.4): p is the left factor of y = p·v."),
            Equation(
                "ATT.10", "attention_backward",
                "Row by row, p = softmax(masked). If masked_s grows, p_s grows by p_s, and every p_r "
                "shrinks by p_r·p_s. So dmasked_s has the term p_s·dp_s and a sum over r, over axis 3 with "
                "keepdims=True.",
            ),
            Equation(
                "ATT.11", "attention_backward",
                "masked = scale·scores, and scale is 1/√D; D is q.shape[3].",
            ),
            Equation(
                "ATT.12", "attention_backward",
                "q is the left factor of scores = q·kᵀ, so it is multiplied by k.",
            ),
            Equation("ATT.13", "attention_backward", "scores[t, s] = q[t]·k[s]. Sum over t for each s."),
        ),
        all_of(v=_attention(2), q=_attention(0), k=_attention(1)),
        ATTENTION,
        "Attention is scores = q·kᵀ, a softmax of each row, and a product with v. Go back through these "
        "steps in the opposite order. All arrays have the axes (N, H, T, …) in front, so a product acts on "
        "the last two.",
        ("CausalSelfAttention",),
    ),
    Exercise(
        "transformer-block", "sums of a branch and its input", "scratchgen.layers.attention",
        ("TransformerBlock.forward", "TransformerBlock.backward"),
        (
            Equation(
                "TFB.3", "TransformerBlock.backward",
                "out = h + f, and f comes from h. The three lines above have carried the gradient through f "
                "back to h; it is called df. h has another way to out.",
            ),
            Equation(
                "TFB.4", "TransformerBlock.backward",
                "h = x + a, and da has come back through the attention. The second way from x to h is the "
                "sum itself. Return None if input_grad is False.",
            ),
        ),
        of_layer(lambda names, rng, dtype: names.TransformerBlock(3, 1, rng=rng, dtype=dtype), (2, 2, 3)),
        ATTENTION,
        "A variable that is used twice gets the sum of two gradients. In a residual sum, one of the two "
        "ways has slope 1.",
        ("TransformerBlock",),
    ),
    Exercise(
        "cross-attention", "attention to another sequence", "scratchgen.layers.cross_attention",
        ("cross_attention", "softmax_backward", "cross_attention_backward", "CrossAttention.forward",
         "CrossAttention.backward"),
        (
            Equation(
                "XATT.7", "cross_attention_backward",
                "y = p·v is a matrix product for each example and head, as in (LIN.2) and (LIN.4). "
                "a.swapaxes(2, 3) transposes the last two axes. p is (T, S), v is (S, D).",
            ),
            Equation(
                "XATT.8", "softmax_backward",
                "Row by row, p = softmax(scores). If scores_s grows, p_s grows by p_s, and every p_r "
                "shrinks by p_r·p_s. In the padding p is 0, and the formula gives 0 there by itself. The "
                "sum is over the last axis, with keepdims=True.",
                left="return ",
            ),
            Equation(
                "XATT.9", "cross_attention_backward",
                "scores = q·kᵀ / √D, and scale is 1/√D. q and k are the two factors of a product, and k is "
                "transposed in it.",
            ),
        ),
        all_of(
            whole_memory=of_layer(lambda names, rng, dtype: _asking(names, 2, None, rng, dtype), ASKING),
            padded=of_layer(lambda names, rng, dtype: _asking(names, 1, [3, 1], rng, dtype), ASKING),
        ),
        "docs/translation.md",
        "The queries come from one sequence, the keys and values from another one, which may have another "
        "length. So the matrix of the weights is not square, and both sequences get a gradient.",
        ("CrossAttention",),
        note="The check puts both sequences side by side into one array, and compares the gradients of "
        "both. In its second part, the memory has padding.",
    ),
    Exercise(
        "rnn", "backpropagation through time", "scratchgen.layers.recurrent",
        ("RNN.cell", "RNN.cell_backward", "Recurrent.forward_loop", "Recurrent.backward_loop",
         "Recurrent._add_gradients"),
        (
            Equation(
                "RNN.2", "RNN.cell_backward",
                "h_t = tanh(a_t + u_t). The slope of tanh is 1 − tanh², and saved is h_t. tanh_backward(d, "
                "out) computes it.",
            ),
            Equation(
                "BPTT.5", "Recurrent.backward_loop",
                "h_t is used twice: it is the output of step t, and the state that step t + 1 reads. "
                "inside[0] is the gradient from step t + 1, dh_out that of the output. inside is a tuple of "
                "states: replace its first entry and keep the others, *inside[1:].",
            ),
            Equation(
                "BPTT.7", "Recurrent.backward_loop",
                "u_t = h_{t−1}·U, so du gives h_{t−1} a gradient as in (LIN.4). Add it to ds[0], which has "
                "the gradient through the other ways, and keep the other states, *ds[1:].",
            ),
            Equation(
                "BPTT.8", "Recurrent._add_gradients",
                "U is used in every step, with the state before the step. A sum over steps and examples is "
                "a matrix product of rows, as in (LIN.2).",
                left="self.recurrent_weight.grad += ",
            ),
            Equation(
                "BPTT.9", "Recurrent._add_gradients",
                "a = x·W + b for all steps at once, as in (LIN.2). cache.x is the input with the steps "
                "first.",
                left="self.weight.grad += ",
            ),
        ),
        all_of(
            sequences=of_layer(lambda names, rng, dtype: names.RNN(2, 3, rng=rng, dtype=dtype), (2, 3, 2)),
            one_step=of_layer(lambda names, rng, dtype: names.RNN(2, 3, rng=rng, dtype=dtype), (3, 1, 2)),
        ),
        RECURRENT,
        "Unroll the loop: every step is a small layer that reads x_t and h_{t−1} and gives h_t. Go back "
        "from the last step to the first, and carry the gradient of the state along.",
        ("RNN", "Recurrent"), "RNN",
        note="A state is a tuple, because an LSTM carries two arrays; here it has one entry, (h,). There "
        "are no masks in this exercise.",
    ),
    Exercise(
        "lstm", "a cell with gates", "scratchgen.layers.lstm",
        ("lstm_cell", "lstm_cell_backward", "LSTM.cell", "LSTM.cell_backward"),
        (
            Equation("LSTM.4", "lstm_cell_backward", "h = o·tanh(c): o is multiplied by tanh_c."),
            Equation(
                "LSTM.5", "lstm_cell_backward",
                "c_t is used in h_t and in the next step. dc on the right-hand side is the gradient from "
                "the next step; add the way through tanh in h = o·tanh(c).",
            ),
            Equation(
                "LSTM.6", "lstm_cell_backward",
                "c_t = f·c_{t−1} + i·g. Each factor is multiplied by the other factor of its product; c is "
                "the state before the step.",
            ),
            Equation(
                "LSTM.7", "lstm_cell_backward",
                "c_{t−1} is multiplied by the forget gate, and is used nowhere else.",
            ),
            Equation(
                "LSTM.8", "lstm_cell_backward",
                GATES + "i, f and o are sigmoids, g is a tanh. da is a list of four arrays, in the order i, "
                "f, g, o.",
            ),
        ),
        of_layer(lambda names, rng, dtype: names.LSTM(2, 2, rng=rng, dtype=dtype), (2, 3, 2)),
        RECURRENT,
        "The function goes back through one step, from h_t and c_t to the four gates and to c_{t−1}. The "
        "loop over the steps is the library's.",
        ("LSTM",),
    ),
    Exercise(
        "gru", "two gates, one of them inside a tanh", "scratchgen.layers.gru",
        ("gru_cell", "gru_cell_backward", "GRU.cell", "GRU.cell_backward"),
        (
            Equation(
                "GRU.4", "gru_cell_backward",
                "h_t = (1 − z)·n + z·h_{t−1}; h is the state before the step. z is in both terms.",
            ),
            Equation(
                "GRU.5", "gru_cell_backward",
                "Only the term z·h_{t−1} counts here; the way through u is added in the loop.",
            ),
            Equation(
                "GRU.6", "gru_cell_backward",
                "n = tanh(a_n + r·v). " + GATES + "The next line uses da_n for r and v.",
            ),
            Equation("GRU.7", "gru_cell_backward", GATES + "r and z are sigmoids."),
        ),
        of_layer(lambda names, rng, dtype: names.GRU(2, 2, rng=rng, dtype=dtype), (2, 3, 2)),
        RECURRENT,
        "The new state is a weighted mean of the candidate n and of the old state. The gate z says how much "
        "of each.",
        ("GRU",),
    ),
)
