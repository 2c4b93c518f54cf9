"""InfoGAN: some numbers of the latent code can be read from the generated example."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from scratchgen.checks import as_generator, expect_no_labels, one_hot
from scratchgen.distributions import Bernoulli
from scratchgen.initializers import glorot_uniform
from scratchgen.layers import Layer, LeakyReLU, Linear, Sequential, SpectralNorm
from scratchgen.losses import softmax_cross_entropy, squared_error
from scratchgen.models.arguments import count, finite, widths
from scratchgen.models.examples import as_examples
from scratchgen.models.gan.heads import Branches
from scratchgen.models.gan.model import GAN, DiscriminatorCache, GeneratorCache
from scratchgen.models.gan.networks import Init, conv_players, dense_players
from scratchgen.models.networks import in_batches

LOG_2PI = math.log(2 * math.pi)


class InfoCache(NamedTuple):
    """A cache of GAN, with that of the bound."""

    game: Any           # DiscriminatorCache or GeneratorCache
    dq: np.ndarray      # (m, Q), the gradient of −weight·L at the outputs of Q
    bound: float        # L in nats


class InfoGAN(GAN):
    """A GAN that keeps the information of a part of its code (Chen et al. 2016), without labels.

    The latent code is [z, c]. z is noise; c has one-hot categories and continuous codes c_j ~ U(−1, 1). A
    network Q reads c from the generated example. It shares all layers of D but its last ones.

    (INFO.1)  I(c; x̃) = H(c) − H(c | x̃) >= L = H(c) + E[log Q(c | x̃)]              x̃ = G([z, c])
    (INFO.2)  loss_D = that of GAN − weight·L,  loss_G = that of GAN − weight·L
    (INFO.3)  categories:  log Q = log p[c],  p = softmax(q),  dq = weight/m·(p − onehot(c))
    (INFO.4)  continuous:  log Q = −(c − q)² / (2·std²) − log std − ½·log 2π,  dq = weight/m·(q − c) / std²
    (INFO.5)  H(c) = Σ log(categories) + continuous·log 2
    (INFO.6)  dx̃ = J_Dᵀ·dl + J_Qᵀ·dq                        for G; one backward pass through the shared layers

    Both players maximise L: D with the weights of Q and of the layers that it shares, G with its own. L is
    in nats, and `information` in the history. Derived in docs/conditional-gan.md.

    generator : [z, c] (N, K) -> x̃ (N, D);  discriminator : x (N, D) -> [l, q] (N, 1 + Q), where
        Q = Σ categories + continuous
    code : K, the width of the whole code [z, c]
    categories : the number of values of each categorical code;  continuous : the number of continuous codes
    weight : of the bound;  std : standard deviation of Q for continuous codes
    settings : the other arguments of GAN (noise, objective, k, ahead, output_range)
    """

    def __init__(
        self,
        generator: Layer,
        discriminator: Layer,
        *,
        code: int,
        categories: Sequence[int] = (10,),
        continuous: int = 2,
        weight: float = 1.0,
        std: float = 0.5,
        **settings: Any,
    ):
        super().__init__(generator, discriminator, code=code, **settings)
        who = type(self).__name__
        self.categories, self.continuous = expect_codes(who, code, categories, continuous)
        self.weight, self.std = finite(who, "weight", weight, least=0), finite(who, "std", std, above=0)
        self.outputs = 1 + self.structured

    @classmethod
    def dense(  # type: ignore[override]  # codes
        cls,
        code: int = 74,
        hidden: int | Sequence[int] = (400, 400),
        features: int = 784,
        *,
        categories: Sequence[int] = (10,),
        continuous: int = 2,
        head: int = 128,
        dropout: float = 0.3,
        pixel_init: Init = glorot_uniform,
        output_range: tuple[float, float] | None = (0.0, 1.0),
        spectral_norm: bool = False,
        rng: np.random.Generator | int,
        dtype: Any = np.float32,
        **settings: Any,
    ) -> Self:
        """The networks of GAN.dense; Q shares D's hidden layers and has one of its own.

        head : width of Q's own hidden layer
        The other arguments are those of GAN.dense.
        """
        who = f"{cls.__name__}.dense"
        rng, head = as_generator(who, rng), count(who, "head", head)
        codes = expect_codes(who, code, categories, continuous)
        critic, generator = dense_players(
            who, code, hidden, features, dropout=dropout, pixel_init=pixel_init, output_range=output_range,
            spectral_norm=spectral_norm, rng=rng, dtype=dtype,
        )
        discriminator = with_q(critic, head, sum(codes[0]) + codes[1], rng)
        return cls(
            generator, discriminator, code=code, categories=categories, continuous=continuous,
            output_range=output_range, **settings,
        )

    @classmethod
    def convolutional(
        cls,
        code: int = 74,
        channels: tuple[int, int] = (32, 64),
        *,
        hidden: int | Sequence[int] = (),
        shape: tuple[int, int, int] = (28, 28, 1),
        categories: Sequence[int] = (10,),
        continuous: int = 2,
        head: int = 128,
        output_range: tuple[float, float] | None = (0.0, 1.0),
        spectral_norm: bool = False,
        rng: np.random.Generator | int,
        dtype: Any = np.float32,
        **settings: Any,
    ) -> Self:
        """The networks of DCGAN; Q shares D's layers but the last one, and has a hidden layer of its own.

        head : width of Q's own hidden layer
        The other arguments are those of DCGAN.
        """
        who = f"{cls.__name__}.convolutional"
        rng, head = as_generator(who, rng), count(who, "head", head)
        codes = expect_codes(who, code, categories, continuous)
        generator, critic = conv_players(
            who, code, channels, hidden, shape, batch_norm=True, output_range=output_range,
            spectral_norm=spectral_norm, rng=rng, dtype=dtype,
        )
        discriminator = with_q(critic, head, sum(codes[0]) + codes[1], rng)
        return cls(
            generator, discriminator, code=code, categories=categories, continuous=continuous,
            output_range=output_range, **settings,
        )

    @property
    def structured(self) -> int:
        """The width of c in the latent code, Σ categories + continuous."""
        return sum(self.categories) + self.continuous

    @property
    def entropy(self) -> float:
        """H(c) in nats."""
        return sum(map(math.log, self.categories)) + self.continuous * math.log(2)      # (INFO.5)

    def prior_sample(
        self, n: int, *, rng: np.random.Generator | int, y: np.ndarray | None = None
    ) -> np.ndarray:
        """Draw n latent codes [z, c] from the prior, (n, K)."""
        rng = as_generator(self._who("prior_sample"), rng)
        noise = super().prior_sample(n, rng=rng, y=y)
        return self.with_codes(noise, self.draw_codes(n, rng=rng))

    def draw_codes(self, n: int, *, rng: np.random.Generator | int) -> np.ndarray:
        """Draw the codes c of n examples: one column for each category and continuous code.

        A category is a number from 0 to categories − 1, a continuous code is within (−1, 1).
        """
        self._expect_count(n, "draw_codes")
        rng = as_generator(self._who("draw_codes"), rng)
        columns: list[np.ndarray] = [rng.integers(size, size=n) for size in self.categories]
        columns += [rng.uniform(-1, 1, n) for _ in range(self.continuous)]
        return np.column_stack(columns).astype(self.dtype)

    def with_codes(self, Z: np.ndarray, c: np.ndarray) -> np.ndarray:
        """The latent codes Z (N, K), with c (N, categories + continuous) in place of their own.

        Raises ValueError for a category that does not exist, and for another number of codes.
        """
        Z = as_examples(self._who("with_codes"), Z, self.dtype, features=self.code)
        c, known = self._expect_c(c, len(Z), "with_codes"), len(self.categories)
        parts = [one_hot(c[:, i].astype(int), size, Z.dtype) for i, size in enumerate(self.categories)]
        return np.concatenate(
            [Z[:, : self.code - self.structured], *parts, c[:, known:].astype(Z.dtype)], axis=1
        )

    def _expect_c(self, c: Any, n: int, method: str) -> np.ndarray:
        who, columns = self._who(method), len(self.categories) + self.continuous
        c = np.asarray(c)
        if c.dtype.kind not in "iuf":
            raise TypeError(f"{who} expected c to be an array of numbers, got dtype {c.dtype}")
        if c.shape != (n, columns):
            raise ValueError(
                f"{who} expected c of shape ({n}, {columns}), one column for each code, got {c.shape}"
            )
        if not np.isfinite(c).all():
            raise ValueError(f"{who} expected c to be finite, got nan or infinity")
        for i, size in enumerate(self.categories):
            if not np.isin(c[:, i], np.arange(size)).all():
                raise ValueError(
                    f"{who} expected column {i} of c to be categories 0..{size - 1}, got "
                    f"{c[:, i].min():g}..{c[:, i].max():g}"
                )
        return c

    def discriminator_loss(self, x: np.ndarray, z: np.ndarray) -> tuple[float, InfoCache]:
        """Return D's loss of (INFO.2) and its cache, for m real examples x and latent codes z (m, K)."""
        fake, _ = self.generator.forward(z, training=True)      # (m, D)
        real_out, real_cache = self.discriminator.forward(x, training=True)     # (m, 1 + Q)
        fake_out, fake_cache = self.discriminator.forward(fake, training=True)
        loss, game = self._discriminator_cache(real_out[:, :1], fake_out[:, :1], real_cache, fake_cache)
        bound, dq = self._bound_and_gradient(fake_out[:, 1:], z)
        return loss - self.weight * bound, InfoCache(game, dq, bound)   # (INFO.2)

    def discriminator_backward(self, cache: InfoCache) -> Any:
        """Add the gradients of D and of Q."""
        game: DiscriminatorCache = cache.game
        dfake = np.concatenate([game.dfake, cache.dq], axis=1)
        dreal = np.concatenate([game.dreal, np.zeros_like(cache.dq)], axis=1)   # Q reads generated examples
        self.discriminator.backward(dfake, game.fake, input_grad=False)
        self.discriminator.backward(dreal, game.real, input_grad=False)

    def _report(self, cache: InfoCache) -> dict[str, float]:
        return super()._report(cache.game) | {"information": cache.bound}

    def generator_loss(  # type: ignore[override]  # a cache with the bound
        self, z: np.ndarray, x: np.ndarray | None = None
    ) -> tuple[float, InfoCache]:
        """Return G's loss of (INFO.2) and its cache, for latent codes z (m, K); x as in GAN."""
        fake, gen = self.generator.forward(z, training=True)    # (m, D)
        out, dis = self.discriminator.forward(fake, training=True)  # (m, 1 + Q)
        l_real = self._real_scores(x)
        loss, dlogits = self._rule.generator(None if l_real is None else l_real[:, :1], out[:, :1])
        bound, dq = self._bound_and_gradient(out[:, 1:], z)
        cache = InfoCache(GeneratorCache(gen, dis, dlogits), dq, bound)
        return loss - self.weight * bound, cache                # (INFO.2)

    def generator_backward(  # type: ignore[override]  # a cache with the bound
        self, cache: InfoCache
    ) -> dict[str, Any]:
        """Add G's gradients. D and Q are frozen and only pass the gradient on."""
        game: GeneratorCache = cache.game
        with self.discriminator.frozen():
            dout = np.concatenate([game.dlogits, cache.dq], axis=1)
            dfake = self.discriminator.backward(dout, game.dis)  # (INFO.6)
        self.generator.backward(dfake, game.gen, input_grad=False)
        return {"dlogits": game.dlogits, "dq": cache.dq, "dfake": dfake}

    def _bound_and_gradient(self, q: np.ndarray, z: np.ndarray) -> tuple[float, np.ndarray]:
        """L of (INFO.1) in nats for the outputs q (m, Q) of Q, and the gradient of −weight·L at q."""
        c = z[:, -self.structured :]                            # one-hot categories, continuous codes
        bound, parts, start = self.entropy, [], 0               # (INFO.1)
        for size in self.categories:
            columns = slice(start, start + size)
            labels = c[:, columns].argmax(axis=1)
            loss, dq = softmax_cross_entropy(np.ascontiguousarray(q[:, columns]), labels)   # (INFO.3)
            bound, start = bound - loss, start + size
            parts.append(dq)
        if self.continuous:
            mean, target = (np.ascontiguousarray(a[:, start:]) for a in (q, c))
            squares, dq = squared_error(mean, target)
            constant = self.continuous * (math.log(self.std) + 0.5 * LOG_2PI)
            scale = 1 / (2 * self.std**2)
            loss, dq = squares * scale + constant, dq * q.dtype.type(scale)     # (INFO.4)
            bound -= loss
            parts.append(dq)
        return bound, np.concatenate(parts, axis=1) * q.dtype.type(self.weight)

    def information(self, n: int = 1000, *, rng: np.random.Generator | int) -> float:
        """Estimate the bound L on I(c; x̃) in nats, with n generated examples. It is at most `entropy`."""
        self._expect_count(n, "information")
        z = self.prior_sample(n, rng=as_generator(self._who("information"), rng))
        return self._bound_and_gradient(self._read(self.inverse_transform(z)), z)[0]

    def sample(self, n: int, *, rng: np.random.Generator | int, c: np.ndarray | None = None) -> np.ndarray:
        """Generate n examples, (n, D), with the generator in evaluation mode.

        c : codes (n, categories + continuous) as in `draw_codes`, or None to draw them
        """
        self._expect_count(n)
        z = self.prior_sample(n, rng=as_generator(self._who("sample"), rng))
        if c is not None:
            z = self.with_codes(z, self._expect_c(c, n, "sample"))
        return self.inverse_transform(z)

    def infer_codes(self, X: np.ndarray) -> np.ndarray:
        """The codes that Q reads from each example: (N, D) -> (N, categories + continuous).

        Columns as in `draw_codes`: the most probable category of each categorical code, and the mean of each
        continuous one.
        """
        X = as_examples(self._who("infer_codes"), X, self.dtype, features=self.features)
        q, start, columns = self._read(X), 0, []
        for size in self.categories:
            columns.append(q[:, start : start + size].argmax(axis=1))
            start += size
        return np.column_stack([*columns, q[:, start:]]).astype(q.dtype)

    def _read(self, X: np.ndarray) -> np.ndarray:
        """The outputs of Q in evaluation mode, (N, Q)."""
        return in_batches(lambda x: self.discriminator.forward(x)[0][:, 1:], X)

    def critic_score(self, X: np.ndarray) -> np.ndarray:
        """l(x), the first output of D for each example, (N, D) -> (N,)."""
        X = as_examples(self._who("critic_score"), X, self.dtype, features=self.features)
        return in_batches(lambda x: self.discriminator.forward(x)[0][:, :1], X)[:, 0]

    def predict_real(self, X: np.ndarray) -> np.ndarray:
        """D(x), the probability that each example is real: (N, D) -> (N,) within (0, 1)."""
        self._expect_probabilities()
        X = as_examples(self._who("predict_real"), X, self.dtype, features=self.features)
        return Bernoulli.mean(self.critic_score(X)[:, None])[:, 0]

    def check_data(self, X: Any, y: Any = None) -> tuple[np.ndarray, np.ndarray | None]:
        """Check X (N, D), and that both networks have the right shapes for it."""
        expect_no_labels(self._who("fit"), y, "InfoGAN finds its categories itself; see ConditionalGAN")
        return super().check_data(X)


def expect_codes(
    who: str, code: int, categories: Any, continuous: int
) -> tuple[tuple[int, ...], int]:
    """Check the structured part of a code of `code` numbers; return (categories, continuous)."""
    code, continuous = count(who, "code", code), count(who, "continuous", continuous, least=0)
    sizes = widths(who, "categories", categories)
    if any(size < 2 for size in sizes):
        raise ValueError(f"{who} expected categories to have at least 2 values each, got {categories!r}")
    width = sum(sizes) + continuous
    if not width:
        raise ValueError(f"{who} expected categories or continuous codes, got none; use GAN")
    if code < width:
        raise ValueError(
            f"{who} expected a code of at least {width} numbers, {sum(sizes)} for categories and "
            f"{continuous} continuous ones, got {code}"
        )
    return sizes, continuous


def with_q(critic: Sequential, head: int, outputs: int, rng: np.random.Generator) -> Sequential:
    """The same critic with the network Q beside its last Linear, [l, q]."""
    *body, last = critic.layers
    linear: Any = last.layer if isinstance(last, SpectralNorm) else last
    net_args: dict[str, Any] = {"rng": rng, "dtype": linear.dtype}
    hidden, out = Linear(linear.in_features, head, **net_args), Linear(head, outputs, **net_args)
    return Sequential(*body, Branches(last, Sequential(hidden, LeakyReLU(0.2), out)))
