"""A character language model: a transformer or a recurrent net that predicts the next character."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from scratchgen.checks import as_generator, expect_no_labels
from scratchgen.data.bpe import BytePairTokenizer
from scratchgen.data.text import Alphabet, RandomCrop, windows
from scratchgen.distributions import Categorical
from scratchgen.layers import Dropout, Embedding, LayerNorm, Linear
from scratchgen.losses import softmax_cross_entropy
from scratchgen.models.arguments import as_dtype, choice, count, finite, flag
from scratchgen.models.base import Model, Optimise
from scratchgen.models.text.base import NextCharacter, TextModel
from scratchgen.models.text.bodies import BODIES, RecurrentBody, build_body
from scratchgen.models.text.truncation import expect_truncation
from scratchgen.models.text.writing import FullWriter, StateWriter, Writer, continued
from scratchgen.training.loop import Callback
from scratchgen.training.optimisers import Adam
from scratchgen.training.schedules import Rate


class CharacterCache(NamedTuple):
    """The values that backward needs."""

    characters: Any
    positions: Any          # None without learnt positions
    drop: Any
    blocks: list[Any]       # the cache of each block
    norm: Any
    head: Any
    dlogits: np.ndarray | None = None   # (N, T, V); None before the loss


class CharacterModel(TextModel, Model):
    """A model of characters: a decoder-only transformer (Vaswani et al. 2017; Radford et al. 2019) or an RNN.

    A window x is T consecutive characters. The input is shifted by one, so that position t sees the
    characters before t and predicts character t; position 0 sees only a start token.

    (CHR.1)  inputs  = [start, x₀ … x_{T−2}]                (N, T)
    (CHR.2)  h₀      = W_characters[inputs] + W_positions   (N, T, C)
    (CHR.3)  logits  = norm(blocks(h₀))·W_head + b          (N, T, V)
    (CHR.4)  loss    = −1/(N·T) · Σ log softmax(logits)_x   nats per character, averaged over all of them
    (CHR.5)  dlogits = 1/(N·T) · (softmax(logits) − onehot(x))
    (CHR.6)  dW_positions = Σₙ dh₀                          every example uses each position once

    The head has its own weights, not the embedding's transpose. Windows start anywhere in the text, so
    p(x₀ | start) is the frequency of a character. A text that is longer than the window is read in windows
    that overlap by T // 2 characters. So, both in scoring and in sampling, each character is predicted from
    at least T // 2 characters before it, or from all if there are fewer. Derived in docs/attention.md.

    A recurrent body has no W_positions in (CHR.2), because it reads in order, and its blocks are recurrent
    layers. T is then the length of the training windows only. In scoring and in sampling the state is carried
    on from character to character, so each one is predicted from all before it (docs/recurrent.md).

    alphabet : an Alphabet of V characters, or a BytePairTokenizer of V tokens. "Character" then means a token
        everywhere but in (TXT.2) to (TXT.4), which stay per character of the text
    window, features, heads, depth : T, C, the number of attention heads, and the number of blocks
    body : "transformer", or the recurrent layers "lstm", "gru" or "rnn", which have no heads
    rotary : whether attention rotates queries and keys by their position, in place of W_positions
    dropout : probability with which training drops entries of the blocks' branches, or of the outputs of
        recurrent layers
    input_dropout : the same for entries of h₀
    weight_dropout : the same for entries of a recurrent body's U
    shared_dropout : whether a recurrent body drops the same features at all steps of a window, also of h₀

    Raises ValueError for a window below 2 or a depth below 1, and for sizes that the layers do not accept.
    """

    def __init__(
        self,
        alphabet: Alphabet | BytePairTokenizer,
        *,
        window: int = 64,
        features: int = 64,
        heads: int = 4,
        depth: int = 2,
        body: str = "transformer",
        rotary: bool = False,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        weight_dropout: float = 0.0,
        shared_dropout: bool = False,
        rng: np.random.Generator | int,
        dtype: Any = np.float32,
    ):
        who = "CharacterModel"
        if not isinstance(alphabet, Alphabet | BytePairTokenizer):
            raise TypeError(
                f"{who} expected alphabet to be an Alphabet or a BytePairTokenizer, got {alphabet!r}"
            )
        self.alphabet, self.window = alphabet, count(who, "window", window, least=2)
        self.features, self.heads = count(who, "features", features), count(who, "heads", heads)
        self.body = choice(who, "body", body, BODIES)
        if body == "transformer" and features % heads:
            raise ValueError(f"{who} expected features divisible by the {heads} heads, got {features}")
        self.depth = count(who, "depth", depth)
        self.rotary = flag(who, "rotary", rotary)
        self.shared_dropout = flag(who, "shared_dropout", shared_dropout)
        if rotary and (body != "transformer" or features // heads % 2):
            raise ValueError(
                f"{who} expected rotary only for a transformer with an even number of features per head, "
                f"got body={body!r} with {features} features and {heads} heads"
            )
        self.weight_dropout = finite(who, "weight_dropout", weight_dropout, least=0, below=1)
        if (shared_dropout or weight_dropout) and body == "transformer":
            name = "shared_dropout" if shared_dropout else "weight_dropout"
            raise ValueError(f"{who} expected {name} only for a recurrent body, got body={body!r}")
        self.dropout = finite(who, "dropout", dropout, least=0, below=1)
        self.input_dropout = finite(who, "input_dropout", input_dropout, least=0, below=1)
        net_args: dict[str, Any] = {"rng": as_generator(who, rng), "dtype": as_dtype(who, dtype)}
        # The last row is the start token. Recurrent layers do not normalise their input, so it starts at 1.
        std = 0.02 if body == "transformer" else 1.0
        self.characters = Embedding(len(alphabet) + 1, features, std=std, **net_args)
        learnt = body == "transformer" and not rotary
        self.positions = Embedding(window, features, **net_args) if learnt else None
        self.blocks = build_body(
            body, features, heads, depth, rotary=rotary, dropout=dropout, weight_dropout=weight_dropout,
            shared_dropout=shared_dropout, **net_args,
        )  # fmt: skip
        axis = 1 if shared_dropout else None
        self.drop = Dropout(input_dropout, shared_axis=axis, rng=net_args["rng"].spawn(1)[0])
        self.norm = LayerNorm(features, dtype=dtype)
        self.head = Linear(features, len(alphabet), **net_args)

    def forward(self, x: np.ndarray, training: bool = False) -> tuple[np.ndarray, CharacterCache]:
        """Return (logits, cache) for windows x (N, T): the logits of each character, (N, T, V)."""
        self._expect_windows("forward", x)
        start = np.full((len(x), 1), len(self.alphabet))
        inputs = np.concatenate([start, x[:, :-1]], axis=1)                     # (CHR.1)
        h, characters = self.characters.forward(inputs)
        positions = None
        if self.positions is not None:
            places, positions = self.positions.forward(np.arange(x.shape[1]))
            h += places                                                         # (CHR.2)
        h, drop = self.drop.forward(h, training)
        h, blocks = self.blocks.forward(h, training)
        h, norm = self.norm.forward(h)
        logits, head = self.head.forward(h)                                     # (CHR.3)
        return logits, CharacterCache(characters, positions, drop, blocks, norm, head)

    def loss(
        self, x: np.ndarray, *, rng: np.random.Generator | int | None = None, training: bool = False
    ) -> tuple[float, CharacterCache]:
        """Return (loss, cache) for windows x (N, T) of integers: nats per character."""
        logits, cache = self.forward(x, training)
        rows = logits.reshape(-1, len(self.alphabet))
        loss, drows = softmax_cross_entropy(rows, x.reshape(-1))                # (CHR.4, CHR.5)
        return loss, cache._replace(dlogits=drows.reshape(logits.shape))

    def backward(self, cache: CharacterCache) -> dict[str, np.ndarray]:
        """Add the parameters' gradients; return dlogits (N, T, V), and dout and dh (N, T, C).

        dout is the gradient of the blocks' output, dh that of their input.
        """
        assert cache.dlogits is not None
        dnorm: Any = self.head.backward(cache.dlogits, cache.head)
        dout: Any = self.norm.backward(dnorm, cache.norm)
        dh: Any = self.drop.backward(self.blocks.backward(dout, cache.blocks), cache.drop)
        if self.positions is not None:
            self.positions.backward(dh.sum(axis=0), cache.positions)            # (CHR.6)
        self.characters.backward(dh, cache.characters)
        return {"dlogits": cache.dlogits, "dout": dout, "dh": dh}

    def check_data(self, X: Any, y: Any = None) -> tuple[np.ndarray, None]:
        """Cut a text into overlapping rows of about two windows each, from which `prepare` cuts windows."""
        expect_no_labels(self._who("fit"), y)
        ids = self._ids("fit", X)
        if len(ids) < self.window:
            raise ValueError(
                f"CharacterModel.fit expected a text of at least one window, "
                f"{self.window} {self.alphabet.unit}, got {len(ids)}"
            )
        return windows(ids, min(2 * self.window - 1, len(ids)), self.window), None

    def prepare(self, batch: tuple, rng: np.random.Generator) -> tuple:
        """Cut a window at a random place out of each row."""
        (x,) = batch
        return (x if x.shape[1] <= self.window else RandomCrop(self.window)(x, rng=rng),)

    def fit(  # type: ignore[override]  # X is a string here
        self,
        X: str,
        y: None = None,
        *,
        epochs: int,
        rng: np.random.Generator | int,
        batch_size: int = 128,
        lr: float | Rate = 1e-3,
        optimizer: Optimise = Adam,
        drop_last: bool = False,
        clip: float | None = None,
        clip_value: float | None = None,
        callbacks: Sequence[Callback] = (),
        validate: Callable[[], float] | None = None,
        validation_data: str | None = None,
        warm_start: bool = False,
    ) -> Self:
        """Train with Adam on windows of a text; return the model. The arguments are those of Model.fit.

        X : a string of at least T characters. An epoch cuts as many windows as cover the text, each at a
        random place; the last T or so characters of the text are used less often than the others.
        """
        self.trainer(
            X, y, epochs=epochs, rng=rng, batch_size=batch_size, lr=lr, optimizer=optimizer,  # type: ignore
            drop_last=drop_last, clip=clip, clip_value=clip_value, callbacks=callbacks, validate=validate,
            validation_data=validation_data, warm_start=warm_start,
        ).run()
        return self

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """log p(x) in nats of each window of X (N, T) of integers, (N,).

        T is at most the window of a transformer; a recurrent body reads any number of characters.
        """
        self._expect_windows("score_samples", X)
        return self._window_log_probabilities(X).sum(axis=1)

    def _log_probabilities(self, method: str, text: str) -> np.ndarray:
        ids, size, kept = self._ids(method, text), self.window, self.kept
        if self.recurrent:
            return StateWriter(self).log_probabilities(ids)
        if len(ids) <= size:
            return self._window_log_probabilities(ids[None])[0]
        stride = size - kept
        missing = -(len(ids) - size) % stride   # pad the last window; earlier characters do not depend on it
        padded = np.concatenate([ids, np.zeros(missing, ids.dtype)])
        found = self._window_log_probabilities(windows(padded, size, stride))
        return np.concatenate([found[0], found[1:, kept:].reshape(-1)])[: len(ids)]

    @property
    def recurrent(self) -> bool:
        """Whether the body is recurrent, so that a state is carried from character to character."""
        return isinstance(self.blocks, RecurrentBody)

    @property
    def kept(self) -> int:
        """The number of characters that a window shares with the previous one."""
        return self.window // 2

    def sample(
        self,
        n: int,
        *,
        rng: np.random.Generator | int,
        length: int | None = None,
        prompt: str = "",
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        cached: bool = True,
    ) -> np.ndarray:
        """Sample n texts as integers, (n, length), that continue `prompt`, which is not included.

        length : by default the window
        temperature : divides the logits; values below 1 make likely characters more likely
        top_k : sample only from the k likeliest characters
        top_p : sample only from the likeliest characters that together have this probability (nucleus)
        cached : whether to cache keys and values, or to carry the state. Without it, the result is the same,
            but each character costs a full forward pass.

        ``alphabet.decode(row)`` turns a row into a string. Raises ValueError for a prompt with characters
        outside the alphabet.
        """
        self._expect_count(n)
        flag("CharacterModel.sample", "cached", cached)
        length = self.window if length is None else length
        return self._sample("sample", n, rng, length, prompt, (temperature, top_k, top_p), cached)

    def _sample(
        self,
        method: str,
        n: int,
        rng: np.random.Generator | int,
        length: int,
        prompt: str,
        settings: tuple[float, int | None, float | None],
        cached: bool = True,
    ) -> np.ndarray:
        who = self._who(method)
        count(who, "length", length)
        expect_truncation(who, *settings)
        before = self._ids(method, prompt, least=0)
        rng = as_generator(who, rng)
        return continued(self._writer(n, cached).next_logits, before, n, length, rng, settings)

    def next_character(self, n: int) -> NextCharacter:
        """As that of TextModel: with cached keys and values, or a carried state."""
        self._expect_count(n, "next_character")
        writer = self._writer(n, cached=True)
        return lambda text: Categorical.log_probabilities(writer.next_logits(text).astype(np.float64))

    def _writer(self, n: int, cached: bool) -> Writer | StateWriter | FullWriter:
        if not cached:
            return FullWriter(self)
        return StateWriter(self) if self.recurrent else Writer(self, n)

    def write(
        self,
        length: int,
        *,
        rng: np.random.Generator | int,
        prompt: str = "",
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
    ) -> str:
        """Sample one text: the prompt and `length` characters more. The settings are those of `sample`."""
        ids = self._sample("write", 1, rng, length, prompt, (temperature, top_k, top_p))
        return prompt + self.alphabet.decode(ids[0])

    def _window_log_probabilities(self, X: np.ndarray) -> np.ndarray:
        """log p of each character of windows (N, T), in parts so that memory does not grow with N."""
        found = []
        for start in range(0, len(X), 64):
            x = X[start : start + 64]
            logits = self.forward(x)[0].astype(np.float64)                      # (B, T, V)
            found.append(Categorical.log_prob(x, logits))
        return np.concatenate(found)

    def _expect_windows(self, method: str, x: Any) -> None:
        who = f"CharacterModel.{method}"
        if not isinstance(x, np.ndarray) or x.dtype.kind not in "iu":
            got = f"dtype {x.dtype}" if isinstance(x, np.ndarray) else type(x).__name__
            raise TypeError(f"{who} expected integers, as alphabet.encode gives them, got {got}")
        if x.ndim != 2 or not x.size or (x.shape[1] > self.window and not self.recurrent):
            most = "or more" if self.recurrent else f"to {self.window}"
            raise ValueError(f"{who} expected windows (N, T) with T of 1 {most}, got {x.shape}")
        if x.min() < 0 or x.max() >= len(self.alphabet):
            last = len(self.alphabet) - 1
            raise ValueError(f"{who} expected integers within 0..{last}, got {x.min()} to {x.max()}")
