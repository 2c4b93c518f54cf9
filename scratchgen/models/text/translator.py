"""A translation model: an encoder reads the source, a decoder writes the target and looks at the source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from scratchgen.array_hints import sentences_hint
from scratchgen.checks import as_generator
from scratchgen.data.pairs import Vocabulary, expect_sentences, padded, sentence_lengths
from scratchgen.distributions import Categorical
from scratchgen.layers import Embedding, LayerNorm, Linear
from scratchgen.losses import smoothed_cross_entropy
from scratchgen.models.arguments import as_dtype, choice, count, finite, flag
from scratchgen.models.base import Model
from scratchgen.models.text.search import CachedTokenWriter, FullTokenWriter, beam_search, greedy
from scratchgen.models.text.translation_bodies import BODIES, build_translation
from scratchgen.training.loop import Callback
from scratchgen.training.optimisers import Adam
from scratchgen.training.schedules import Rate

TOGETHER = 64       # sentences that are translated or scored in one batch


class TranslatorCache(NamedTuple):
    """The values that backward needs."""

    encoder: Any            # those of the source's embeddings, and of the network
    target: Any             # those of the target's embeddings
    decoder: Any
    head: Any
    dlogits: np.ndarray | None = None   # (N, T, V); None before the loss


class Translator(Model):
    """A model of p(y | x) for sentences x and y: sequence to sequence, with attention.

    Encoded sentences end with the token END, and shorter ones of a batch are padded with it.

    (TRN.1)  memory  = encoder(W_source[x] + W_positions, lengths)      (N, S, M), blind to the padding of x
    (TRN.2)  inputs  = [start, y₀ … y_{T−2}]                            (N, T): teacher forcing
    (TRN.3)  h       = decoder(W_target[inputs] + W_positions', memory) (N, T, C)
    (TRN.4)  logits  = norm(h)·W_head + b                               (N, T, V)
    (TRN.5)  loss    = smoothed cross-entropy of the real tokens of y, nats per token
    (TRN.6)  dlogits = its gradient, and 0 in the padding
    (TRN.7)  dW_positions = Σₙ of the gradients of the sums in (TRN.1), and in (TRN.3)

    The real tokens are those up to the first END, so that the model also learns where to stop. Recurrent
    bodies have no W_positions, because they read in order. Derived in docs/translation.md.

        model = Translator(Vocabulary.from_sentences(source), Vocabulary.from_sentences(target), rng=0)
        model.fit(source, target, epochs=10, rng=0)
        model.translate(["three hundred and five"], beam=4)

    source, target : a Vocabulary each
    length : the largest number of tokens of a sentence, with the end
    features, heads, depth : C, the number of attention heads, and the number of blocks or recurrent layers of
        encoder and decoder each
    body : "transformer" (Vaswani et al. 2017), or recurrent layers with additive attention, "gru" or "lstm"
        (Bahdanau, Cho & Bengio 2015), which have no heads
    dropout : probability with which training drops entries of the blocks' branches, or of the outputs of
        recurrent layers
    smoothing : ε of label smoothing

    Raises ValueError for sizes that the layers do not accept.
    """

    likelihood = "exact"

    def __init__(
        self,
        source: Vocabulary,
        target: Vocabulary,
        *,
        length: int = 64,
        features: int = 64,
        heads: int = 4,
        depth: int = 2,
        body: str = "transformer",
        dropout: float = 0.0,
        smoothing: float = 0.1,
        rng: np.random.Generator | int,
        dtype: Any = np.float32,
    ):
        who = "Translator"
        self.source, self.target = (
            _vocabulary(who, name, value) for name, value in (("source", source), ("target", target))
        )
        self.length = count(who, "length", length, least=2)
        self.features, self.heads = count(who, "features", features), count(who, "heads", heads)
        self.body = choice(who, "body", body, BODIES)
        if body == "transformer" and features % heads:
            raise ValueError(f"{who} expected features divisible by the {heads} heads, got {features}")
        self.depth = count(who, "depth", depth)
        self.dropout = finite(who, "dropout", dropout, least=0, below=1)
        self.smoothing = finite(who, "smoothing", smoothing, least=0, below=1)
        net_args: dict[str, Any] = {"rng": as_generator(who, rng), "dtype": as_dtype(who, dtype)}
        # Recurrent layers do not normalise their input, so its entries start at about 1.
        std = 0.02 if body == "transformer" else 1.0
        self.source_tokens = Embedding(len(source), features, std=std, **net_args)
        self.target_tokens = Embedding(len(target) + 1, features, std=std, **net_args)  # the last: start
        self.source_positions, self.target_positions = (
            Embedding(length, features, **net_args) if body == "transformer" else None for _ in range(2)
        )
        self.network = build_translation(body, features, heads, depth, dropout=dropout, **net_args)
        self.norm = LayerNorm(features, dtype=dtype)
        self.head = Linear(features, len(target), **net_args)

    def forward(
        self, x: np.ndarray, y: np.ndarray, training: bool = False
    ) -> tuple[np.ndarray, TranslatorCache]:
        """Return (logits, cache): the logits of each token of y, (N, T, V), given those before it and x."""
        self._expect("forward", x, y)
        memory, encoder = self.encode(x, training)                              # (TRN.1)
        start = np.full((len(y), 1), len(self.target))
        inputs = np.concatenate([start, y[:, :-1]], axis=1)                     # (TRN.2)
        h, target = self.embed_target(inputs, 0)
        h, decoder = self.network.decode(h, memory, sentence_lengths(x), training)  # (TRN.3)
        logits, head = self.predict(h)                                          # (TRN.4)
        return logits, TranslatorCache(encoder, target, decoder, head)

    def loss(  # type: ignore[override]  # a batch has two arrays
        self,
        x: np.ndarray,
        y: np.ndarray,
        *,
        rng: np.random.Generator | int | None = None,
        training: bool = False,
    ) -> tuple[float, TranslatorCache]:
        """Return (loss, cache) for encoded sentences x (N, S) and y (N, T): nats per token of y."""
        logits, cache = self.forward(x, y, training)
        real = np.arange(y.shape[1]) < sentence_lengths(y)[:, None]             # (N, T)
        loss, drows = smoothed_cross_entropy(logits[real], y[real], self.smoothing)     # (TRN.5)
        dlogits = np.zeros_like(logits)
        dlogits[real] = drows                                                   # (TRN.6)
        return loss, cache._replace(dlogits=dlogits)

    def backward(self, cache: TranslatorCache) -> dict[str, np.ndarray]:
        """Add the parameters' gradients; return dlogits (N, T, V), and dmemory (N, S, M)."""
        assert cache.dlogits is not None
        norm, head = cache.head
        dh = self.norm.backward(self.head.backward(cache.dlogits, head), norm)
        dh, dmemory = self.network.decode_backward(dh, cache.decoder)
        _embedding_backward(self.target_tokens, self.target_positions, dh, cache.target)
        embeddings, encoder = cache.encoder
        dx = self.network.encode_backward(dmemory, encoder)
        _embedding_backward(self.source_tokens, self.source_positions, dx, embeddings)
        return {"dlogits": cache.dlogits, "dmemory": dmemory}

    def encode(self, x: np.ndarray, training: bool = False) -> tuple[np.ndarray, Any]:
        """The memory (N, S, M) of encoded sentences x, and the caches of the embeddings and the network."""
        h, embeddings = _embed(self.source_tokens, self.source_positions, x, 0)
        memory, cache = self.network.encode(h, sentence_lengths(x), training)
        return memory, (embeddings, cache)

    def embed_target(self, tokens: np.ndarray, first: int) -> tuple[np.ndarray, Any]:
        """The embedded inputs (N, T, C) of the decoder at the positions from `first`."""
        return _embed(self.target_tokens, self.target_positions, tokens, first)

    def predict(self, h: np.ndarray) -> tuple[np.ndarray, Any]:
        """The logits for the decoder's output h (…, C), and the caches of norm and head."""
        h, norm = self.norm.forward(h)
        logits, head = self.head.forward(h)
        return logits, (norm, head)

    def check_data(self, X: Any, y: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Encode pairs of sentences, and pad them."""
        who = self._who("fit")
        if y is None:
            raise ValueError(f"{who} expected labels y, the translations of X, got none")
        X, y = self._encode(who, "X", X), self._encode(who, "y", y)
        if len(X) != len(y):
            raise ValueError(f"{who} expected X and y of the same length, got {len(X)} and {len(y)}")
        return padded(X), padded(y)

    def prepare(self, batch: tuple, rng: np.random.Generator) -> tuple:
        """Cut off the columns that are padding in all rows of the batch."""
        return tuple(ids[:, : sentence_lengths(ids).max()] for ids in batch)

    def fit(  # type: ignore[override]  # X and y are lists of strings here
        self,
        X: Sequence[str],
        y: Sequence[str],
        *,
        epochs: int,
        rng: np.random.Generator | int,
        batch_size: int = 64,
        lr: float | Rate = 1e-3,
        optimizer: Any = Adam,
        drop_last: bool = False,
        clip: float | None = None,
        clip_value: float | None = None,
        callbacks: Sequence[Callback] = (),
        validate: Callable[[], float] | None = None,
        validation_data: tuple[Sequence[str], Sequence[str]] | None = None,
        warm_start: bool = False,
    ) -> Self:
        """Train on sentences X and their translations y; return the model.

        The other arguments are those of Model.fit. Raises ValueError for empty sentences, for sentences of
        more than `length` tokens, and for tokens that are not in the vocabulary.
        """
        self.trainer(
            X, y, epochs=epochs, rng=rng, batch_size=batch_size, lr=lr, optimizer=optimizer,  # type: ignore
            drop_last=drop_last, clip=clip, clip_value=clip_value, callbacks=callbacks, validate=validate,
            validation_data=validation_data, warm_start=warm_start,
        ).run()
        return self

    def score_samples(self, X: Sequence[str], y: Sequence[str]) -> np.ndarray:  # type: ignore[override]
        """log p(y | x) in nats of each pair of sentences, (N,)."""
        found = []
        for x, t in self._batches("score_samples", X, y):
            logits = self.forward(x, t)[0].astype(np.float64)                   # (B, T, V)
            real = np.arange(t.shape[1]) < sentence_lengths(t)[:, None]
            found.append((Categorical.log_prob(t, logits) * real).sum(axis=1))
        return np.concatenate(found)

    def attention(self, X: Sequence[str], y: Sequence[str]) -> list[np.ndarray]:
        """The weights of the last attention to the source, for each pair of sentences: (H, T, S).

        Row t holds the weights with which the model looked at the tokens of x when it predicted token t of y.
        Both include the end.
        """
        maps: list[np.ndarray] = []
        for x, t in self._batches("attention", X, y):
            weights = self.network.attention(self.forward(x, t)[1].decoder)
            sizes = zip(sentence_lengths(t), sentence_lengths(x), strict=True)
            maps += [w[:, :rows, :columns] for w, (rows, columns) in zip(weights, sizes, strict=True)]
        return maps

    def translate(
        self, sentences: Sequence[str], *, beam: int = 1, length_penalty: float = 0.6, cached: bool = True
    ) -> list[str]:
        """Translate sentences.

        beam : how many translations are followed at the same time; 1 takes the likeliest token at each place
        length_penalty : α in (BEAM.3). With 0, the likeliest of the translations wins, which favours short
            ones
        cached : whether to keep the keys, values and states of earlier positions. Without it, the result is
            the same, but each token costs a full forward pass
        """
        who = self._who("translate")
        count(who, "beam", beam)
        finite(who, "length_penalty", length_penalty, least=0)
        flag(who, "cached", cached)
        rows = self._encode(who, "sentences", sentences)
        if beam > 1:
            return [self._search(row, beam, length_penalty, cached)[0][0] for row in rows]
        found: list[str] = []
        for i in range(0, len(rows), TOGETHER):
            x = padded(rows[i : i + TOGETHER])
            ids = greedy(self._writer(x, cached), len(x), len(self.target), self.length)
            found += [self.target.decode(row) for row in ids]
        return found

    def candidates(
        self, sentence: str, *, beam: int = 4, length_penalty: float = 0.6
    ) -> list[tuple[str, float]]:
        """The translations of a sentence that a beam search finds, with their scores, the best one first."""
        who = self._who("candidates")
        count(who, "beam", beam)
        finite(who, "length_penalty", length_penalty, least=0)
        if not isinstance(sentence, str):
            got = type(sentence).__name__
            raise TypeError(f"{who} expected sentence to be one string, got {got}; translate takes several")
        return self._search(self._encode(who, "sentence", [sentence])[0], beam, length_penalty, True)

    def _search(self, row: np.ndarray, beam: int, alpha: float, cached: bool) -> list[tuple[str, float]]:
        writer = self._writer(row[None], cached)
        found = beam_search(writer, len(self.target), beam, self.length, alpha)
        return [(self.target.decode(h.tokens), h.score) for h in found]

    def _writer(self, x: np.ndarray, cached: bool) -> CachedTokenWriter | FullTokenWriter:
        return (CachedTokenWriter if cached else FullTokenWriter)(self, x, sentence_lengths(x))

    def _batches(self, method: str, X: Sequence[str], y: Sequence[str]) -> Any:
        """Encoded and padded parts of pairs of sentences."""
        who = self._who(method)
        rows, translations = self._encode(who, "X", X), self._encode(who, "y", y)
        if len(rows) != len(translations):
            raise ValueError(f"{who} expected X and y of the same length, got {len(rows)} and {len(y)}")
        for i in range(0, len(rows), TOGETHER):
            yield padded(rows[i : i + TOGETHER]), padded(translations[i : i + TOGETHER])

    def _encode(self, who: str, name: str, sentences: Any) -> list[np.ndarray]:
        """The sentences of a list, as integers. X and others are of the source language, y of the target."""
        if not isinstance(sentences, list | tuple):
            got = f"{type(sentences).__name__}{sentences_hint(sentences)}"
            raise TypeError(f"{who} expected {name} to be a list of strings, got {got}")
        if not sentences:
            raise ValueError(f"{who} expected {name} to have at least one sentence, got none")
        vocabulary = self.target if name == "y" else self.source
        rows = [vocabulary.encode_for(f"{who} (its {name})", sentence) for sentence in sentences]
        longest = max(rows, key=len)
        if len(longest) > self.length:
            raise ValueError(
                f"{who} expected {name} of at most {self.length - 1} tokens each, got {len(longest) - 1}: "
                "shorten them, or build the model with a larger length"
            )
        return rows

    def _expect(self, method: str, x: Any, y: Any) -> None:
        who = self._who(method)
        expect_sentences(who, "x", x, len(self.source), self.length)
        expect_sentences(who, "y", y, len(self.target), self.length)
        if len(x) != len(y):
            raise ValueError(f"{who} expected x and y of the same length, got {len(x)} and {len(y)}")

    def _because(self, method: str) -> str:
        return ": it models p(y | x), so use translate" if method == "sample" else ""


def _embed(tokens: Embedding, positions: Any, ids: np.ndarray, first: int) -> tuple[np.ndarray, Any]:
    h, cache = tokens.forward(ids)
    if positions is None:
        return h, (cache, None)
    places, cache2 = positions.forward(np.arange(first, first + ids.shape[1]))
    return h + places, (cache, cache2)


def _embedding_backward(tokens: Embedding, positions: Any, dh: np.ndarray, caches: Any) -> None:
    tokens.backward(dh, caches[0])
    if positions is not None:
        positions.backward(dh.sum(axis=0), caches[1])                           # (TRN.7)


def _vocabulary(who: str, name: str, value: Any) -> Vocabulary:
    if not isinstance(value, Vocabulary):
        raise TypeError(f"{who} expected {name} to be a Vocabulary, got {value!r}")
    return value

