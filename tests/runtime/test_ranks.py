"""Data-parallel training: the weights of several ranks are those of one process.

The ranks are threads here. tests/training/test_mpi.py runs the same on MPI.
"""

from functools import partial

import numpy as np
import pytest
from helpers.train_each import KINDS, data, weights

from scratchgen.layers import BatchNorm, CausalSelfAttention
from scratchgen.models import GAN, VAE
from scratchgen.models.base import Model
from scratchgen.runtime import ranks
from scratchgen.runtime.ranks import ONE, PartOfGenerator, Ranks, data_parallel, in_threads, run_ranks
from scratchgen.training import Callback, Checkpointer, TimeLimit, checkpoint

RNG = np.random.default_rng(0)
X = RNG.random((40, 12))
TRAINED = sorted(
    name for name, example in KINDS.items()
    if example.fit and "epochs" in example.fit and isinstance(example.build(np.random.default_rng(0)), Model)
)  # fmt: skip


def vae(**settings):
    model = VAE.dense((12, 6, 2), rng=1, dtype=np.float64)
    return model.fit(X, **{"epochs": 2, "batch_size": 9, "rng": 3, **settings})


def gan(k=2):
    """A GAN with batch norm and dropout, and with k discriminator steps for each generator step."""
    model = GAN.dense(3, (8, 8), 12, k=k, rng=1, dtype=np.float64)
    return model.fit(X, epochs=2, batch_size=7, rng=3, lr=0.01)


def far(a, b):
    """The largest difference of two models' parameters and buffers; masks are numbers, too."""
    pairs = zip(weights(a), weights(b), strict=True)
    return max(float(abs(x.astype(np.float64) - y.astype(np.float64)).max()) for x, y in pairs)


def forget_key_biases(model):
    """Set the biases of keys to zero.

    Their exact gradient is zero, because softmax does not change if a number is added to all scores of a row.
    The computed gradient is only rounding error, and Adam divides it by its own magnitude.
    """
    for layer in model.modules():
        if isinstance(layer, CausalSelfAttention):
            features = len(layer.qkv.bias.value) // 3
            layer.qkv.bias.value[features : 2 * features] = 0


# All models

@pytest.mark.parametrize("name", TRAINED)
def test_every_model_has_the_weights_of_one_process(name):
    """In float32, after an epoch of its example; with as many ranks as make parts of different sizes."""
    example, (inputs, y) = KINDS[name], data(name)

    def train():
        return example.build(np.random.default_rng(0)).fit(inputs, y, **example.fit, rng=3)

    before, alone, both = example.build(np.random.default_rng(0)), train(), in_threads(2, train)
    assert far(both[0], both[1]) == 0
    for model in (before, alone, *both):
        forget_key_biases(model)
    moved = far(before, alone)
    assert far(both[0], alone) < 0.03 * moved and moved > 0


@pytest.mark.parametrize("train", [vae, gan, partial(gan, 1)], ids=["VAE", "GAN, k = 2", "GAN, k = 1"])
@pytest.mark.parametrize("size", [2, 3])
def test_weights_equal_those_of_one_process_to_rounding(train, size):
    """(DP.1) in float64. The batches of 9 and of 4 examples are divided into parts of different sizes."""
    alone = train()
    for model in in_threads(size, train):
        assert far(model, alone) < 1e-11


def test_same_partition_gives_the_same_bits():
    first, second = in_threads(3, vae), in_threads(3, vae)
    for model in (*first, *second):
        assert far(model, first[0]) == 0
    assert first[0].history_.epochs["loss"] == second[2].history_.epochs["loss"]


# Each part of it can be wrong

@pytest.mark.parametrize("mistake", ["no sum", "no shares", "whole batches of noise", "no shared statistics"])
def test_mistake_is_found_by_the_comparison_of_the_first_step(monkeypatch, mistake):
    if mistake == "no sum":
        monkeypatch.setattr(Ranks, "all_reduce", lambda self, grad: None)
    if mistake == "no shares":
        monkeypatch.setattr(Ranks, "all_reduce", lambda self, grad: self.sum(grad))
    if mistake == "whole batches of noise":
        monkeypatch.setattr(PartOfGenerator, "_part", lambda self, size, draw: draw(size))
    if mistake == "no shared statistics":
        monkeypatch.setattr("scratchgen.layers.normalisation.step_ranks", lambda: ONE)
    with pytest.raises(ValueError, match="GAN cannot be trained on 2 ranks: .* is not that of one process"):
        in_threads(2, gan)


class SumLoss(VAE):
    """A VAE whose loss is a sum over the batch, not a mean."""

    def loss(self, x, *args, **kwargs):
        loss, cache = super().loss(x, *args, **kwargs)
        self.count = len(x)
        return loss * len(x), cache

    def backward(self, cache):
        before = {name: p.grad.copy() for name, p in self.parameters().items()}
        found = super().backward(cache)
        for name, p in self.parameters().items():
            p.grad += (self.count - 1) * (p.grad - before[name])
        return found


def test_loss_that_is_not_a_mean_is_refused():
    def train():
        return SumLoss.dense((12, 6, 2), rng=1, dtype=np.float64).fit(X, epochs=1, batch_size=10, rng=3)

    train()
    with pytest.raises(ValueError, match="SumLoss cannot be trained on 2 ranks: the gradient of the batch"):
        in_threads(2, train)


@pytest.mark.parametrize(("what", "settings"), [
    ("weights", lambda rank: {"seed": rank}),
    ("data", lambda rank: {"X": X / (1 + rank)}),
    ("random generators", lambda rank: {"rng": rank}),
    ("length", lambda rank: {"epochs": 1 + rank}),
])  # fmt: skip
def test_ranks_that_start_with_something_else_are_refused(what, settings):
    def train():
        given = settings(run_ranks().rank)
        model = VAE.dense((12, 6, 2), rng=given.get("seed", 1))
        more = {"epochs": given.get("epochs", 1), "rng": given.get("rng", 3)}
        return model.fit(given.get("X", X).astype(np.float32), batch_size=10, **more)

    with pytest.raises(ValueError, match=f"rank 1 has other .*{what}.* than rank 0"):
        in_threads(2, train)


def test_batch_smaller_than_the_number_of_ranks_is_refused():
    with pytest.raises(ValueError, match="one example or more for each of 3 ranks, got 2 in all"):
        in_threads(3, partial(vae, batch_size=19))      # 40 = 19 + 19 + 2


# Numbers of a run

def test_history_holds_the_means_over_the_batch():
    alone, (first, second) = vae().history_, in_threads(2, lambda: vae().history_)
    for name in ("loss", "reconstruction", "kl"):
        np.testing.assert_allclose(first.steps[name], alone.steps[name], rtol=1e-11)
        assert first.steps[name] == second.steps[name]


class Stop(Callback):
    """Stops rank 1 at step 3."""

    def on_step(self, trainer, values):
        if run_ranks().rank == 1 and trainer.step == 3:
            trainer.stop("step 3", now=True)


def test_all_ranks_stop_if_one_does():
    def train():
        history = vae(callbacks=[Stop()]).history_
        return len(history.steps["loss"]), history.ended

    for steps, ended in in_threads(2, train):
        assert steps == 3 and ended.startswith("stopped after step 3, 0 of 2 epochs done")
    assert len(in_threads(2, lambda: vae(callbacks=[TimeLimit(1e-9)]).history_.steps["loss"])[0]) <= 5


def test_validation_is_that_of_rank_0():
    def train():
        return vae(validate=lambda: float(run_ranks().rank)).history_.epochs["validation"]

    assert in_threads(2, train) == [[0.0, 0.0], [0.0, 0.0]]


def test_only_rank_0_writes_and_one_process_can_continue_the_run(tmp_path):
    """A checkpoint of three ranks after an epoch, continued by one process, and the other way round."""
    def trainer(epochs, *callbacks):
        model = GAN.dense(3, (8, 8), 12, rng=1, dtype=np.float64)
        return model.trainer(X, epochs=epochs, batch_size=8, rng=3, lr=0.01, callbacks=callbacks)

    def run(path, epochs, resume=""):
        made = trainer(epochs, Checkpointer(path))
        if resume:
            checkpoint.load(resume, made)
        made.run()
        return made.model

    whole = run(tmp_path / "whole.st", 2)
    in_threads(3, lambda: run(tmp_path / "three.st", 1))
    run(tmp_path / "one.st", 1)
    continued = run(tmp_path / "a.st", 2, tmp_path / "three.st")
    by_three = in_threads(3, lambda: run(tmp_path / "b.st", 2, tmp_path / "one.st"))
    assert far(continued, whole) < 1e-11 and far(by_three[0], whole) < 1e-11
    assert all(type(g) is np.random.Generator for g in by_three[0].generators().values())


# The parts

def test_generator_gives_each_rank_the_rows_of_its_part():
    draws = {
        "random": lambda g, n: g.random((n, 3)),
        "standard_normal": lambda g, n: g.standard_normal((n, 3), np.float32),
        "uniform": lambda g, n: g.uniform(-1, 1, n),
        "normal": lambda g, n: g.normal(0.0, 2.0, (n, 2)),
        "integers": lambda g, n: g.integers(1, 9, n),
        "of all": lambda g, n: g.random(17),
    }
    parts = [(0, 3), (3, 6), (6, 10)]
    for name, draw in draws.items():
        whole = draw(np.random.default_rng(4), 10)
        for start, stop in parts:
            own = Ranks()
            generator = PartOfGenerator(np.random.default_rng(4).bit_generator)
            with ranks.one_step(own):
                own.rows = (stop - start, 10, start)
                found = draw(generator, stop - start)
            expected = whole if name == "of all" else whole[start:stop]
            np.testing.assert_array_equal(found, expected, err_msg=name)
            assert found.dtype == expected.dtype
            assert generator.bit_generator.state == _after(draw, 10)


def _after(draw, n):
    generator = np.random.default_rng(4)
    draw(generator, n)
    return generator.bit_generator.state


def test_shared_batch_norm_is_that_of_the_whole_batch():
    """(DP.2): outputs, statistics and all gradients of the parts, in float64."""
    x, dout = RNG.standard_normal((10, 2, 2, 3)) + 5, RNG.standard_normal((10, 2, 2, 3))
    weight = RNG.random(3)

    def layer():
        made = BatchNorm(3, dtype=np.float64)
        made.weight.value[...] = weight
        return made

    whole = layer()
    out, cache = whole.forward(x, training=True)
    dx = whole.backward(dout / 10, cache)

    def part():
        own, made = run_ranks(), layer()
        with ranks.one_step(own):
            mine, upstream = own.part((x, dout))
            found, kept = made.forward(mine, training=True)
            back = made.backward(upstream / len(mine), kept)
            for p in made.parameters().values():
                own.all_reduce(p.grad)
        return found, back * own.share, made

    parts = in_threads(3, part)
    np.testing.assert_allclose(np.concatenate([p[0] for p in parts]), out, atol=1e-12)
    np.testing.assert_allclose(np.concatenate([p[1] for p in parts]), dx, atol=1e-12)
    for _, _, made in parts:
        for name, p in whole.parameters().items():
            np.testing.assert_allclose(made.parameters()[name].grad, p.grad, atol=1e-12)
        np.testing.assert_allclose(made.running_var, whole.running_var, atol=1e-12)
        np.testing.assert_allclose(made.running_mean, whole.running_mean, atol=1e-12)


def test_parts_of_a_batch_join_to_the_batch_and_share_out_what_belongs_to_all():
    batch = (np.arange(7), np.arange(14).reshape(7, 2), np.arange(3), None, 2.5)
    parts = in_threads(3, lambda: run_ranks().part(batch))
    np.testing.assert_array_equal(np.concatenate([p[0] for p in parts]), batch[0])
    np.testing.assert_array_equal(np.concatenate([p[1] for p in parts]), batch[1])
    assert all(p[2] is batch[2] and p[3] is None and p[4] == 2.5 for p in parts)
    named = in_threads(2, lambda: run_ranks().part({"x": batch[0], "z": batch[1]}))
    np.testing.assert_array_equal(named[1]["z"], batch[1][3:])


def test_error_of_one_rank_ends_the_others():
    def train():
        if run_ranks().rank == 1:
            raise ArithmeticError("a rank failed")
        return vae()

    with pytest.raises(ArithmeticError, match="a rank failed"):
        in_threads(3, train)


def test_run_outside_the_block_is_not_divided():
    with data_parallel(ONE):
        assert run_ranks() is ONE
    assert ranks.step_ranks() is ONE
