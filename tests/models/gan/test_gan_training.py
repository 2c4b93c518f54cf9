"""Training of GAN and WGAN: the order of steps, recorded values, seeds, and learned distributions."""

import math
from functools import partial

import numpy as np
import pytest

from scratchgen import kernels
from scratchgen.layers import Dropout, Linear, ReLU, Sequential, Sigmoid, Tanh
from scratchgen.models import GAN, WGAN
from scratchgen.models.gan.networks import dense_critic
from scratchgen.models.networks import dense
from scratchgen.training import checkpoint
from scratchgen.training.loop import Callback, TrainingDiverged
from scratchgen.training.optimisers import SGD, Adam, RMSProp

GAMES = [(GAN, {"k": 2}), (WGAN, {"k": 2}), (WGAN, {"k": 2, "penalty": 10.0})]


def values(net):
    return np.concatenate([p.value.ravel() for p in net.parameters().values()])


def optimizers(model, lr=1e-3, discriminator_lr=1e-3):
    return {
        "discriminator": Adam(model.discriminator.parameters(), discriminator_lr),
        "generator": Adam(model.generator.parameters(), lr),
    }


@pytest.mark.parametrize(("kind", "settings"), GAMES)
def test_game_follows_algorithm_1(kind, settings, rng, monkeypatch):
    """Two rounds: k steps of D, each on new examples and noise, then one step of G on new noise."""
    model = kind.dense(3, (6, 6), 7, rng=rng, **settings | {"k": 3})
    X, turns = rng.uniform(size=(12, 7)).astype(np.float32), []
    loss_of_d, draw = model.discriminator_loss, model.generator_loss

    def watched(x, z, *u):
        turns.append((x, z))
        return loss_of_d(x, z, *u)

    monkeypatch.setattr(model, "discriminator_loss", watched)
    monkeypatch.setattr(model, "generator_loss", lambda z: turns.append((None, z)) or draw(z))
    both = optimizers(model)
    for _ in range(2):
        model.train_step((X,), both, rng)
    assert [x is None for x, _ in turns] == [False, False, False, True] * 2
    for first in (0, 4):
        np.testing.assert_array_equal(np.concatenate([x for x, _ in turns[first : first + 3]]), X)
    assert [z.shape for _, z in turns] == [(4, 3)] * 8
    assert len({z.tobytes() for _, z in turns}) == 8
    assert (both["discriminator"].steps, both["generator"].steps) == (6, 2)


@pytest.mark.parametrize(("kind", "settings"), GAMES)
def test_game_changes_only_the_player_whose_turn_it_is(kind, settings, rng):
    """In a player's step, its weights change, and the other's weights, gradients and moments do not."""
    model, X = kind.dense(3, (6, 6), 7, rng=rng, **settings), rng.uniform(size=(8, 7)).astype(np.float32)
    both = optimizers(model)
    model.train_step((X,), both, rng)
    z, between = model.prior_sample(8, rng=rng), ()
    if "penalty" in settings:
        between = (rng.random((8, 1), np.float32),)

    def turn_of_discriminator():
        model.discriminator_backward(model.discriminator_loss(X, z, *between)[1])
        both["discriminator"].step()

    def turn_of_generator():
        model.generator_backward(model.generator_loss(z)[1])
        both["generator"].step()

    turns = {"discriminator": turn_of_discriminator, "generator": turn_of_generator}
    for player, other in (("discriminator", "generator"), ("generator", "discriminator")):
        held = [a.copy() for a in (both[other].value, both[other].grad, *both[other].state().values())]
        moved = both[player].value.copy()
        turns[player]()
        now = (both[other].value, both[other].grad, *both[other].state().values())
        assert all(np.array_equal(a, b) for a, b in zip(held, now, strict=True))
        assert not np.array_equal(moved, both[player].value)


def test_gan_learning_rates_are_one_for_each_player(rng):
    """With a rate of zero, a player does not change."""
    X = rng.uniform(size=(20, 7)).astype(np.float32)
    for lr, discriminator_lr in ((0.0, 1e-2), (1e-2, 0.0)):
        model = GAN.dense(3, (6, 6), 7, rng=rng)
        before = values(model.discriminator), values(model.generator)
        model.fit(X, epochs=2, batch_size=5, lr=lr, discriminator_lr=discriminator_lr, rng=rng)
        assert np.array_equal(before[0], values(model.discriminator)) == (discriminator_lr == 0)
        assert np.array_equal(before[1], values(model.generator)) == (lr == 0)
    run = GAN.dense(3, (6, 6), 7, rng=rng).trainer(X, epochs=1, batch_size=5, lr=0.02, rng=rng)
    assert {optimizer.rate for optimizer in run.optimizer.values()} == {0.02}


@pytest.mark.parametrize(("kind", "settings"), GAMES)
def test_game_trains_the_discriminator_ahead_when_asked(kind, settings, rng):
    """With ahead=5 and k=2, G's bits do not change in three rounds; then both are trained."""
    X = rng.uniform(size=(40, 7)).astype(np.float32)
    model = kind.dense(3, (6, 6), 7, rng=rng, ahead=5, **settings)
    both, before, moves = optimizers(model), values(model.generator), []
    for _ in range(5):
        loss_of_d = values(model.discriminator)
        recorded = model.train_step((X[:8],), both, rng)
        moves.append(not np.array_equal(before, values(model.generator)))
        assert not np.array_equal(loss_of_d, values(model.discriminator))
        assert (recorded["generator_grad"] > 0) == moves[-1] and math.isfinite(recorded["generator_loss"])
    assert moves == [False, False, False, True, True]
    assert (both["discriminator"].steps, both["generator"].steps) == (10, 2)


def test_gan_records_losses_probabilities_and_gradient_norms(rng):
    """If D's last layer is zero, then D = ½, the losses are 2·log 2 and log 2, and G has no gradient."""
    X, model = rng.uniform(size=(8, 7)).astype(np.float32), GAN.dense(3, (6, 6), 7, rng=rng)
    last = model.discriminator[-1]
    last.weight.value[...] = last.bias.value[...] = 0
    steps = model.trainer(X, epochs=2, batch_size=4, lr=0.0, rng=rng).run().steps
    names = ["loss", "d_real", "d_fake", "discriminator_grad", "generator_loss", "generator_grad"]
    assert list(steps) == names and {len(column) for column in steps.values()} == {4}
    assert steps["loss"] == pytest.approx([2 * math.log(2)] * 4)
    assert steps["generator_loss"] == pytest.approx([math.log(2)] * 4)
    assert steps["d_real"] == steps["d_fake"] == [0.5] * 4
    assert min(steps["discriminator_grad"]) > 0 and steps["generator_grad"] == [0] * 4


def test_wgan_records_the_distance_and_the_penalty(rng):
    """loss = penalty − distance; D's gradient norm is recorded after the penalty has been added."""
    X = rng.uniform(size=(8, 7)).astype(np.float32)
    model = WGAN.dense(3, (6, 6), 7, rng=rng, k=1, penalty=10.0)
    run = model.trainer(X, epochs=1, batch_size=8, lr=0.0, rng=rng)
    steps = run.run().steps
    critic = ["loss", "distance", "penalty", "d_real", "d_fake", "discriminator_grad"]
    assert list(steps) == [*critic, "generator_loss", "generator_grad"]
    assert steps["distance"] == pytest.approx([steps["d_real"][0] - steps["d_fake"][0]], rel=1e-5)
    assert steps["loss"] == pytest.approx([steps["penalty"][0] - steps["distance"][0]])
    assert steps["penalty"][0] > 0
    assert steps["discriminator_grad"] == [run.optimizer["discriminator"].grad_norm()]
    assert steps["generator_grad"] == [run.optimizer["generator"].grad_norm()]


@pytest.mark.parametrize(("kind", "settings"), GAMES)
def test_game_runs_with_one_seed_are_equal_to_the_bit(kind, settings, rng):
    X, runs = rng.uniform(size=(40, 7)).astype(np.float32), []
    for seed in (5, 5, 6):
        seeded = np.random.default_rng(seed)
        model = kind.dense(3, (6, 6), 7, rng=seeded, **settings)
        steps = model.trainer(X, epochs=2, batch_size=5, rng=seeded).run().steps
        runs.append((steps, values(model).tobytes(), model.sample(4, rng=seeded).tobytes()))
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize(("kind", "settings"), GAMES)
def test_game_reference_and_jit_train_alike(kind, settings, rng):
    X, trained = rng.uniform(size=(20, 7)), []
    for name in kernels.BACKENDS:
        seeded = np.random.default_rng(5)
        with kernels.use(name):
            model = kind.dense(3, (6, 6), 7, rng=seeded, dtype=np.float64, **settings)
            trained.append(values(model.fit(X, epochs=2, batch_size=5, lr=1e-3, rng=seeded)))
    np.testing.assert_allclose(trained[0], trained[1], rtol=1e-9)


class SaveAfter(Callback):
    """Saves the run after a given step, without stopping it."""

    def __init__(self, step, path):
        self.step, self.path = step, path

    def on_step(self, trainer, values):
        if trainer.step == self.step:
            checkpoint.save(self.path, trainer)


def dropped_out(kind, rng, settings):
    """A GAN in which D is four rounds ahead, and the generator has Dropout with its own random generator."""
    generator = Sequential(
        Linear(3, 6, rng=rng), ReLU(), Dropout(0.3, rng=rng), Linear(6, 7, rng=rng), Sigmoid()
    )
    return kind(generator, dense_critic(7, (6, 6), rng=rng), code=3, ahead=8, **settings)


@pytest.mark.parametrize(("kind", "settings"), GAMES)
@pytest.mark.parametrize("step", [3, 4, 6])
def test_game_resumed_from_a_file_has_the_bits_of_the_whole_run(kind, settings, step, rng, tmp_path):
    """A resumed run equals a whole run, from the middle of an epoch of 4 steps and from its end.

    The first file is written before G's first step is due, the second just before that step.
    """
    X, path = rng.uniform(size=(40, 7)).astype(np.float32), tmp_path / "game.safetensors"

    def build(seed, callbacks=()):
        seeded = np.random.default_rng(seed)
        model = dropped_out(kind, seeded, settings)
        return model.trainer(X, epochs=3, batch_size=5, lr=1e-3, rng=seeded, callbacks=callbacks)

    whole = build(5, [SaveAfter(step, path)])
    whole.run()
    resumed = build(99)
    checkpoint.load(path, resumed)
    assert resumed.step == step and not np.array_equal(values(resumed.model), values(whole.model))
    resumed.run()
    assert resumed.step == whole.step == 12
    np.testing.assert_array_equal(values(resumed.model), values(whole.model))
    for name, optimizer in whole.optimizer.items():
        assert optimizer.steps == resumed.optimizer[name].steps == {"discriminator": 24, "generator": 8}[name]
        for moment, array in optimizer.state().items():
            np.testing.assert_array_equal(array, resumed.optimizer[name].state()[moment])
    assert resumed.history.steps == whole.history.steps


def test_gan_that_diverges_says_whose_loss_it_was(rng):
    X = rng.uniform(size=(8, 7)).astype(np.float32)
    for net, message in (
        ("discriminator", r"the discriminator's loss became nan at step 1 .*discriminator\.6\.bias"),
        ("generator", r"the discriminator's loss became nan at step 1 .*generator\.6\.bias"),
    ):
        model = GAN.dense(3, (6, 6), 7, rng=rng)
        run = model.trainer(X, epochs=1, batch_size=4, rng=rng)
        getattr(model, net)[6].bias.value[0] = np.nan
        with pytest.raises(TrainingDiverged, match=message):
            run.run()


def test_gan_whose_generator_diverges_alone_says_so(rng, monkeypatch):
    """If G's loss is not finite, the run stops before G's update, and the message names G."""
    X = rng.uniform(size=(8, 7)).astype(np.float32)
    model = GAN.dense(3, (6, 6), 7, rng=rng)
    run = model.trainer(X, epochs=1, batch_size=4, rng=rng)
    loss = model.generator_loss
    monkeypatch.setattr(model, "generator_loss", lambda z: (float("nan"), loss(z)[1]))
    before = {name: p.value.copy() for name, p in model.generator.parameters().items()}
    with pytest.raises(TrainingDiverged, match="the generator's loss became nan at step 1"):
        run.run()
    for name, p in model.generator.parameters().items():
        np.testing.assert_array_equal(p.value, before[name])


@pytest.mark.parametrize(("kind", "settings"), GAMES)
def test_game_refuses_a_batch_smaller_than_k(kind, settings, rng):
    model = kind.dense(3, (6, 6), 7, rng=rng, **settings | {"k": 4})
    before = values(model)
    with pytest.raises(ValueError, match="GAN expected batches of at least k = 4 examples, got 3"):
        model.train_step((np.zeros((3, 7), np.float32),), optimizers(model), rng)
    np.testing.assert_array_equal(values(model), before)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_gan_fits_mean_and_spread_of_a_normal(seed):
    """For 1-D data with mean 3 and deviation 0.5, both are within 0.1 for each of five seeds.

    Twenty seeds gave means within 0.05 and deviations of 0.47 to 0.52. D's rate is ten times that of G; with
    equal rates, the deviations are too small (0.39 to 0.51).
    """
    rng = np.random.default_rng(seed)
    X = rng.normal(3, 0.5, (2000, 1)).astype(np.float32)
    generator = dense((1, 16, 1), rng=rng, activation=Tanh)
    model = GAN(generator, dense((1, 16, 16, 1), rng=rng, activation=Tanh), code=1, output_range=None)
    before = model.sample(4000, rng=rng)
    assert abs(before.mean() - 3) > 1
    model.fit(X, epochs=100, batch_size=100, lr=5e-4, discriminator_lr=5e-3, rng=rng)
    generated = model.sample(4000, rng=rng)
    assert abs(generated.mean() - 3) < 0.1
    assert abs(generated.std() - 0.5) < 0.1
    assert abs(model.predict_real(generated).mean() - 0.5) < 0.1


@pytest.mark.parametrize(("kind", "settings"), GAMES)
def test_game_shows_the_discriminator_what_augment_makes_of_the_data(kind, settings, rng):
    """`augment` is applied to every real example once per round, and to nothing else."""
    X = rng.uniform(size=(8, 7)).astype(np.float32)
    model, shown, moved = kind.dense(3, (6, 6), 7, rng=rng, **settings), [], []
    loss = model.discriminator_loss

    def watched(x, *rest):
        shown.append(x)
        return loss(x, *rest)

    def augment(x, *, rng):
        moved.append(x / 2)
        return moved[-1]

    model.discriminator_loss = watched
    model.fit(X, epochs=1, batch_size=4, rng=rng, augment=augment)
    np.testing.assert_array_equal(np.concatenate(shown), np.concatenate(moved))
    np.testing.assert_allclose(np.sort(np.concatenate(shown), axis=0), np.sort(X / 2, axis=0))


def test_players_steps_can_be_made_one_at_a_time(rng):
    """discriminator_step and generator_step with given codes equal a round of train_step."""
    X, runs = rng.uniform(size=(8, 7)).astype(np.float32), []
    for alone in (False, True):
        seeded = np.random.default_rng(3)
        model = GAN.dense(3, (6, 6), 7, rng=seeded, dropout=0)
        both = optimizers(model)
        if alone:
            z = model.prior_sample(8, rng=seeded)
            values = model.discriminator_step(X, z, optimizer=both["discriminator"])
            z = model.prior_sample(8, rng=seeded)
            values |= model.generator_step(z, optimizer=both["generator"])
        else:
            values = model.train_step((X,), both, seeded)
        runs.append((values, both["discriminator"].value, both["generator"].value))
    assert runs[0][0] == runs[1][0]
    np.testing.assert_array_equal(runs[0][1], runs[1][1])
    np.testing.assert_array_equal(runs[0][2], runs[1][2])


def test_schedules_of_both_players_end_with_the_run(rng):
    """D makes k steps per round, and G one, after `ahead`. Each schedule ends with its player's last step."""
    model = GAN.dense(3, (6, 6), 7, rng=rng, k=2, ahead=3)
    X = rng.uniform(size=(24, 7)).astype(np.float32)
    run = model.trainer(X, epochs=2, batch_size=3, lr=lambda t: 1 - t, rng=0)
    run.run()
    assert run.optimizer["discriminator"].steps == 16 and run.optimizer["generator"].steps == 6
    assert run.optimizer["discriminator"].rate == run.optimizer["generator"].rate == 0


@pytest.mark.parametrize(("kind", "settings"), GAMES)
def test_fit_takes_optimisers(kind, settings, rng):
    """One for both players, or one for each; the learning rates are those of the arguments."""
    X = rng.uniform(size=(16, 7)).astype(np.float32)

    def made(**how):
        model = kind.dense(3, (6, 6), 7, rng=0, **settings)
        return model, model.trainer(X, epochs=2, batch_size=4, rng=0, lr=0.01, discriminator_lr=0.02, **how)

    _, trainer = made(optimizer=partial(SGD, momentum=0.5))
    assert all(type(o) is SGD and o.momentum == 0.5 for o in trainer.optimizer.values())
    model, trainer = made(optimizer={"generator": SGD, "discriminator": RMSProp})
    assert type(trainer.optimizer["generator"]) is SGD
    assert type(trainer.optimizer["discriminator"]) is RMSProp
    before = values(model.generator)
    trainer.run()
    assert trainer.history.epochs["generator_lr"] == [0.01, 0.01]
    assert trainer.history.epochs["discriminator_lr"] == [0.02, 0.02]
    assert np.abs(values(model.generator) - before).max() > 0


def test_fit_with_the_usual_optimiser_is_the_default(rng):
    X = rng.uniform(size=(16, 7)).astype(np.float32)
    plain, given = (GAN.dense(3, (6, 6), 7, rng=0) for _ in range(2))
    plain.fit(X, epochs=2, batch_size=4, rng=0)
    given.fit(X, epochs=2, batch_size=4, rng=0, optimizer=partial(Adam, betas=(0.5, 0.999)))
    np.testing.assert_array_equal(values(given.generator), values(plain.generator))


@pytest.mark.parametrize(
    ("optimizer", "more", "error", "message"),
    [
        ("adam", {}, TypeError, "expected optimizer to be a class such as AdamW, or .* got 'adam'"),
        ({"generator": Adam}, {}, TypeError, 'or a dict of them for "generator" and "discriminator", got'),
        (lambda parameters, lr: 3, {}, TypeError, "but it returned 3"),
        (Adam, {"betas": (0.5, 0.9)}, ValueError, "expected betas or optimizer, got both"),
    ],
)
def test_other_optimisers_are_refused(rng, optimizer, more, error, message):
    X = rng.uniform(size=(16, 7)).astype(np.float32)
    with pytest.raises(error, match=f"^GAN.fit expected .*{message.removeprefix('expected ')}"):
        GAN.dense(3, (6, 6), 7, rng=0).fit(X, epochs=1, batch_size=4, rng=0, optimizer=optimizer, **more)


def test_weight_clipping_refuses_betas_which_it_does_not_use(rng):
    X = rng.uniform(size=(32, 7)).astype(np.float32)
    with pytest.raises(ValueError, match="^WGAN.fit expected no betas with weight clipping"):
        WGAN.dense(3, (6, 6), 7, rng=0).fit(X, epochs=1, batch_size=4, rng=0, betas=(0.5, 0.9))
