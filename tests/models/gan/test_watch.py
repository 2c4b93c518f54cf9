"""WatchGame reports nothing if the training goes well, and reports each kind of problem."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from scratchgen.data.toy import eight_gaussians
from scratchgen.layers import Linear, ReLU, Sequential, Tanh
from scratchgen.models import GAN, WGAN, MLPClassifier, WatchGame
from scratchgen.models.gan.networks import dense_critic
from scratchgen.models.gan.watch import Snapshot
from scratchgen.models.networks import dense
from scratchgen.training import checkpoint
from scratchgen.training.loop import TrainingDiverged


def normals(rng, n=500):
    return rng.normal(3, 0.5, (n, 1)).astype(np.float32)


def game(rng, kind=GAN, **settings):
    nets = (dense((1, 16, 1), rng=rng, activation=Tanh), dense((1, 16, 16, 1), rng=rng, activation=Tanh))
    return kind(*nets, code=1, output_range=None, **settings)


def watched(model, X, rng, *, epochs=60, callbacks=(), watch=None, **run):
    """Run `epochs` epochs with a WatchGame, by default with a snapshot every 20 steps, and return it."""
    watch = watch or WatchGame(X, rng=np.random.default_rng(7), every=20)
    settings = {"lr": 5e-4, "discriminator_lr": 5e-3} | run
    trainer = model.trainer(
        X, epochs=epochs, batch_size=100, rng=rng, callbacks=[watch, *callbacks], **settings
    )
    trainer.run()
    return watch


def one_class(x):
    return np.zeros(len(x), int)


def only_finding(watch, text):
    assert len(watch.findings) == 1, watch.findings
    finding = watch.findings[0]
    assert text in finding.what and finding.try_ and finding.step > 0
    return finding


def test_watch_reports_samples_of_a_class_that_the_data_do_not_have(rng):
    X = normals(rng)
    classify = lambda x: np.full(len(x), 3 if len(x) < len(X) else 0)     # noqa: E731
    watch = WatchGame(X, rng=0, every=1, patience=1, size=50, classify=classify)
    watched(game(rng), X, rng, epochs=1, watch=watch)
    assert any("samples are of class 3, but 0% of the data" in finding.what for finding in watch.findings)


@pytest.mark.slow
def test_watch_is_silent_while_a_game_goes_well(rng):
    """For 1-D Normal data and initial samples at 0, temporary problems are not reported."""
    X = normals(rng)
    watch = watched(game(rng), X, rng, epochs=300)
    assert watch.findings == []
    assert [snapshot.step for snapshot in watch.snapshots] == list(range(20, 1501, 20))
    assert watch.snapshots[0].unlike > 1 and watch.snapshots[-1].unlike < 0.05
    assert watch.snapshots[-1].diversity == pytest.approx(1, abs=0.3)


@pytest.mark.slow
def test_watch_is_silent_on_eight_gaussians(rng):
    X = eight_gaussians().sample(2000, rng=rng).astype(np.float32)
    generator = dense((2, 32, 32, 2), rng=rng, activation=ReLU)
    model = GAN(generator, dense_critic(2, (32, 32), rng=rng), code=2, output_range=None)
    watch = WatchGame(X, rng=np.random.default_rng(7), every=100)
    watched(model, X, rng, epochs=30, watch=watch, discriminator_lr=2e-3)
    assert watch.findings == [] and len(watch.snapshots) == 6
    assert watch.snapshots[0].unlike > 0.1 and watch.snapshots[-1].unlike < 0.05


def test_watch_measures_the_energy_distance(rng):
    """(WATCH.1) in closed form: real examples alternate between −1 and 1, and all samples are 2."""
    X = np.array([[-1.0], [1.0]] * 4, np.float32)
    model = game(rng)
    for p in model.generator.parameters().values():
        p.value[...] = 0
    model.generator[-1].bias.value[...] = 2
    watch = WatchGame(X, rng=rng, every=1)
    watched(model, X.repeat(20, axis=0), rng, epochs=1, lr=0.0, watch=watch)
    apart = 2 * 32 / 56         # 32 of 56 ordered pairs of examples have distance 2, the others 0
    assert watch.snapshots[0].diversity == 0
    assert watch.snapshots[0].unlike == pytest.approx((2 * 2 - apart - 0) / apart)


def test_watch_names_a_collapse(rng):
    """The generator ignores its noise, so all samples are equal."""
    X, model = normals(rng), game(rng)
    model.generator[0].weight.value[...] = 0
    model.generator[0].bias.value[...] = 0
    watch = watched(model, X, rng, epochs=20, lr=0.0, discriminator_lr=0.0)
    assert watch.snapshots[-1].diversity == 0
    assert "samples have collapsed: their mean distance is 0.00 time" in [f.what[:56] for f in watch.findings]


def test_watch_names_a_discriminator_that_has_won(rng):
    """The generator hardly changes, and its samples are far from the data."""
    X = normals(rng) + 5
    finding = only_finding(watched(game(rng), X, rng, lr=1e-7), "the discriminator has won: D(x) is")
    assert "smaller discriminator_lr" in finding.try_


def test_watch_names_a_discriminator_that_does_not_learn(rng):
    """The discriminator does not learn, and returns ½ for every input."""
    X, model = normals(rng), game(rng)
    model.discriminator[-1].weight.value[...] = 0
    watch = watched(model, X, rng, epochs=12, lr=1e-7, discriminator_lr=0.0)
    only_finding(watch, "the discriminator cannot tell samples from data: D(x) is 0.5 and D(G(z)) 0.5")
    assert watch.findings[0].step == 60


def test_watch_names_a_class_that_takes_over(rng):
    """The data have two equally frequent classes, and nearly all samples are of one of them."""
    X = np.concatenate([normals(rng), -normals(rng)])
    watch = WatchGame(X, rng=rng, classify=lambda x: (x[:, 0] > 0).astype(int), every=10)
    nets = Sequential(Linear(1, 1, rng=rng)), dense((1, 16, 16, 1), rng=rng, activation=Tanh)
    nets[0][0].weight.value[...], nets[0][0].bias.value[...] = 1.5, 3
    model = GAN(*nets, code=1, output_range=None)
    watched(model, X, rng, epochs=3, lr=0.0, watch=watch)
    share = watch.snapshots[-1].shares[1]
    finding = only_finding(watch, f"one class takes over: {share:.0%} of samples are of class 1")
    assert finding.what.endswith("but 50% of the data") and 0.9 < share < 1


@pytest.mark.parametrize("kind", [GAN, WGAN])
@pytest.mark.slow
def test_watch_names_a_game_that_diverges(kind, rng):
    """Steps are a thousand times too long, so D's loss, or the penalty, rises far above its initial value."""
    X, nets = normals(rng), (dense((1, 16, 1), rng=rng), dense_critic(1, (16, 16), rng=rng))
    model = kind(*nets, code=1, k=1, output_range=None, **({"penalty": 10.0} if kind is WGAN else {}))
    findings = watched(model, X, rng, epochs=30, lr=0.5, discriminator_lr=5.0).findings
    name = "penalty" if kind is WGAN else "discriminator's loss"
    assert any(f"the training diverges: the {name} is" in f.what for f in findings), findings
    assert any("smaller learning rates" in f.try_ for f in findings)


HEALTHY = Snapshot(0, d_real=0.6, d_fake=0.4, loss=1.2, diversity=0.9, unlike=0.05, shares=[0.6, 0.4])
WINNING = {"d_real": 0.99, "d_fake": 0.01, "unlike": 0.5}
UNDECIDED = {"d_real": 0.51, "d_fake": 0.5, "unlike": 0.11}


def found(changes, rng, monkeypatch, kind=GAN, **settings):
    """The names of the problems that a callback finds in these snapshots, one after the other."""
    X = normals(rng)
    watch = WatchGame(X, rng=rng, classify=lambda x: np.arange(len(x)) % 2, every=1)    # half of each class
    script = iter([HEALTHY._replace(**change) for change in changes])
    monkeypatch.setattr(watch, "_snapshot", lambda model, trainer: next(script))
    model = kind.dense(1, (4, 4), 1, rng=rng, **settings)
    for step in range(1, len(changes) + 1):
        played = {"generator": SimpleNamespace(steps=step)}
        watch.on_step(SimpleNamespace(step=step, model=model, optimizer=played), {})
    names = {"collapsed": "collapse", "takes over": "one class", "has won": "won"}
    names |= {"cannot tell": "cannot tell", "diverges": "diverges"}
    return [name for f in watch.findings for text, name in names.items() if text in f.what]


@pytest.mark.parametrize(
    ("kind", "settings", "silent", "finding", "name"),
    [
        (GAN, {}, {"diversity": 0.31}, {"diversity": 0.29}, "collapse"),
        (GAN, {}, {"shares": [0.26, 0.74]}, {"shares": [0.24, 0.76]}, "one class"),
        (GAN, {}, WINNING | {"d_real": 0.97}, WINNING, "won"),
        (GAN, {}, WINNING | {"d_fake": 0.03}, WINNING, "won"),
        (GAN, {}, UNDECIDED | {"unlike": 0.09}, UNDECIDED, "cannot tell"),
        (GAN, {}, UNDECIDED | {"d_real": 0.53}, UNDECIDED, "cannot tell"),
        (GAN, {}, {"loss": 3.9}, {"loss": 4.1}, "diverges"),
        (WGAN, {"penalty": 2.0}, {"loss": 19.0}, {"loss": 21.0}, "diverges"),
        (WGAN, {}, {"loss": 1e9}, UNDECIDED | {"d_real": 0.4}, "cannot tell"),
        (WGAN, {}, WINNING, UNDECIDED | {"d_real": 0.4}, "cannot tell"),
    ],
)
def test_watch_keeps_to_its_bounds(kind, settings, silent, finding, name, rng, monkeypatch):
    """Snapshots just within a bound are not reported, and snapshots just beyond it are."""
    assert found([silent] * 4, rng, monkeypatch, kind, **settings) == []
    assert found([finding] * 4, rng, monkeypatch, kind, **settings) == [name]


def test_watch_reports_only_after_three_snapshots_in_a_row(rng, monkeypatch):
    collapse = {"diversity": 0.1}
    assert found([collapse, collapse, {}] * 3, rng, monkeypatch) == []
    assert found([collapse, collapse, {}, collapse, collapse, collapse], rng, monkeypatch) == ["collapse"]


def test_watch_ignores_a_winning_discriminator_while_samples_improve(rng, monkeypatch):
    falling = [WINNING | {"unlike": 0.9**i} for i in range(6)]
    assert found(falling, rng, monkeypatch) == []
    assert found([*falling, *[falling[-1]] * 3], rng, monkeypatch) == ["won"]


def test_watch_names_the_number_that_is_not_finite(rng):
    X, model = normals(rng), game(rng)
    model.generator[2].bias.value[0] = np.nan
    watch = WatchGame(X, rng=rng)
    with pytest.raises(TrainingDiverged):
        watched(model, X, rng, watch=watch)
    assert only_finding(watch, "training diverged: generator.2.bias (its value) is not finite").step == 1


@pytest.mark.slow
def test_watch_names_a_critic_below_zero(rng):
    """With the sign reversed, a critic that does not learn has higher values for generated examples."""
    X = normals(rng)
    model = WGAN.dense(1, (8, 8), 1, rng=rng, output_range=None)
    for sign in (1, -1):
        model.discriminator[-1].weight.value *= sign
        watch = watched(model, X, rng, epochs=60, lr=0.0, discriminator_lr=0.0, warm_start=sign < 0)
        cannot_tell = [f for f in watch.findings if "cannot tell" in f.what]
        assert bool(cannot_tell) == (watch.snapshots[-1].d_real <= watch.snapshots[-1].d_fake)


def test_watch_changes_nothing_in_a_run_and_waits_while_the_generator_does(rng):
    X, ends = normals(rng), []
    for callbacks in ([], [WatchGame(X, rng=np.random.default_rng(3), every=2)]):
        seeded = np.random.default_rng(5)
        model = game(seeded, ahead=7)
        model.fit(X, epochs=3, batch_size=100, rng=seeded, callbacks=callbacks)
        ends.append([p.value.tobytes() for p in model.parameters().values()])
    assert ends[0] == ends[1]
    assert [snapshot.step for snapshot in callbacks[0].snapshots] == [8, 10, 12, 14]


def test_watch_resumes_from_a_file(rng, tmp_path):
    """Snapshots, streaks and findings are equal in a run of 12 epochs and a run resumed after 6."""
    X, seen, path = normals(rng) + 5, [], tmp_path / "game.safetensors"
    for parts in ((12,), (6, 12)):
        for epochs in parts:
            seeded = np.random.default_rng(5)
            watch = WatchGame(X, rng=np.random.default_rng(3), every=20, classify=one_class)
            how = {"batch_size": 100, "lr": 1e-7, "discriminator_lr": 5e-3, "rng": seeded}
            run = game(seeded).trainer(X, epochs=epochs, callbacks=[watch], **how)
            if epochs != parts[0]:
                checkpoint.load(path, run)
            run.run()
            checkpoint.save(path, run)
        seen.append((watch.snapshots, watch.findings))
    assert seen[0] == seen[1] and len(seen[0][0]) == 3


def test_watch_shares_are_those_of_a_classifier_of_this_library(rng):
    X = rng.uniform(size=(60, 7)).astype(np.float32)
    classifier = MLPClassifier((7, 4), rng=rng)
    watch = WatchGame(X, rng=rng, classify=classifier.predict, every=2, size=50)
    model = GAN.dense(3, (5, 5), 7, rng=rng)
    model.fit(X, epochs=1, batch_size=30, rng=rng, callbacks=[watch])
    labels = classifier.predict(model.inverse_transform(watch.z))
    assert watch.snapshots[0].shares == [(labels == c).mean() for c in range(len(watch.classes))]
    assert sum(watch.snapshots[0].shares) == pytest.approx(1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda X, rng: WatchGame(X, rng=rng, every=0), "WatchGame expected every of at least 1, got 0"),
        (lambda X, rng: WatchGame(X, rng=rng, patience=0), "expected patience of at least 1, got 0"),
        (lambda X, rng: WatchGame(X, rng=rng, size=1), "WatchGame expected size of at least 2, got 1"),
        (lambda X, rng: WatchGame(X[:1], rng=rng), "WatchGame expected at least 2 examples, got 1"),
        (lambda X, rng: WatchGame(0 * X, rng=rng), "real examples that differ, but all are equal"),
        (lambda X, rng: WatchGame(math.nan * X, rng=rng), "WatchGame expected finite numbers, got NaN"),
    ],
)
def test_watch_bad_input_is_named(call, message, rng):
    with pytest.raises(ValueError) as error:
        call(normals(rng), rng)
    assert message in str(error.value)


def test_watch_refuses_other_models(rng):
    X = rng.uniform(size=(20, 4)).astype(np.float32)
    with pytest.raises(TypeError, match="WatchGame expected a GAN, got MLPClassifier"):
        MLPClassifier((4, 2), rng=rng).fit(
            X, np.zeros(20, int), epochs=1, rng=rng, callbacks=[WatchGame(X, rng=rng)]
        )
