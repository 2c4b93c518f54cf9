"""The training loop: its history, how it ends, numbers that are not finite, and Ctrl-C."""

import copy
import math
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import numpy as np
import pytest
from helpers.tiny_run import Net, action_in_step, ctrl_c_in_step, data, tiny_trainer

from scratchgen import kernels
from scratchgen.data import Batches
from scratchgen.layers import Layer, Linear, Parameter
from scratchgen.models import Autoencoder, HiddenMarkovModel
from scratchgen.training.earlier import ContinuedTraining
from scratchgen.training.loop import (
    Callback,
    History,
    Trainer,
    TrainingDiverged,
)
from scratchgen.training.optimisers import SGD, Adam
from scratchgen.training.step import expect_finite, player_step


@pytest.fixture(autouse=True)
def plain_kernels():
    with kernels.use("reference"):
        yield


class Recorder(Callback):
    def __init__(self):
        self.calls = []

    def on_start(self, trainer):
        self.calls.append("start")

    def on_step(self, trainer, values):
        self.calls.append(trainer.step)

    def on_epoch(self, trainer, values):
        self.calls.append(f"epoch {trainer.epoch}")

    def on_stop(self, trainer):
        self.calls.append("stop")

    def on_end(self, trainer):
        self.calls.append("end")


def test_trainer_makes_the_same_updates_as_an_explicit_loop():
    trainer = tiny_trainer(epochs=2)
    trainer.run()
    twin = tiny_trainer(epochs=2)
    for _ in range(2):
        for x, y in twin.batches:
            twin.optimizer.zero_grad()
            _, cache = twin.model.loss(x, y, rng=twin.rng, training=True)
            twin.model.backward(cache)
            twin.optimizer.step()
    np.testing.assert_array_equal(trainer.optimizer.value, twin.optimizer.value)


def test_trainer_lowers_the_loss():
    net = Net()
    history = tiny_trainer(epochs=30, net=net, optimizer=Adam(net.parameters(), 0.05)).run()
    assert history.epochs["loss"][-1] < 0.3 * history.epochs["loss"][0]


def test_history_has_a_row_per_step_and_a_row_per_epoch():
    history = tiny_trainer(epochs=3, validate=lambda: 1.5).run()
    assert len(history.steps["loss"]) == 15
    assert list(history.epochs) == ["loss", "validation", "lr", "step", "seconds"]
    assert history.epochs["step"] == [5, 10, 15]
    assert history.epochs["validation"] == [1.5] * 3
    assert history.epochs["loss"][1] == pytest.approx(np.mean(history.steps["loss"][5:10]))
    assert history.epochs["seconds"] == sorted(history.epochs["seconds"])
    assert history.ended == "finished after step 15, 3 of 3 epochs done"


@pytest.mark.parametrize("value", [None, "high", np.ones(3)])
def test_value_of_validate_that_is_no_number_is_refused(value):
    kind = type(value).__name__
    with pytest.raises(TypeError, match=rf"Net\.fit expected validate\(\) to be a number, got {kind}$"):
        tiny_trainer(validate=lambda: value).run()


def test_history_refuses_a_row_with_other_names():
    history = History()
    history.add(history.steps, {"loss": 1.0})
    with pytest.raises(ValueError, match="History expected the values loss, got loss, kl"):
        history.add(history.steps, {"loss": 1.0, "kl": 0.5})


def test_callbacks_are_called_in_order():
    recorder = Recorder()
    tiny_trainer(epochs=2, callbacks=[recorder]).run()
    steps = [1, 2, 3, 4, 5, "epoch 1", 6, 7, 8, 9, 10, "epoch 2"]
    assert recorder.calls == ["start", *steps, "stop", "end"]


def test_callbacks_are_closed_after_an_error():
    recorder = Recorder()
    trainer = tiny_trainer(callbacks=[recorder], validate=lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        trainer.run()
    assert recorder.calls[-1] == "end" and "stop" not in recorder.calls


def test_callbacks_are_closed_after_an_error_of_another_one():
    class Fails(Callback):
        def on_end(self, trainer):
            raise ZeroDivisionError

    first, last = Recorder(), Recorder()
    with pytest.raises(ZeroDivisionError):
        tiny_trainer(callbacks=[first, Fails(), last]).run()
    assert first.calls[-1] == last.calls[-1] == "end"


def test_finished_run_makes_no_more_steps():
    trainer = tiny_trainer(epochs=2)
    trainer.run()
    weights = trainer.optimizer.value.copy()
    history = trainer.run()
    assert history.ended == "nothing left to do: 2 epochs are done, and epochs=2 is the total"
    assert trainer.step == 10
    np.testing.assert_array_equal(trainer.optimizer.value, weights)


def test_trainer_continues_with_a_larger_number_of_epochs():
    trainer = tiny_trainer(epochs=2)
    trainer.run()
    trainer.epochs = 3
    trainer.run()
    uninterrupted = tiny_trainer(epochs=3)
    uninterrupted.run()
    np.testing.assert_array_equal(trainer.optimizer.value, uninterrupted.optimizer.value)
    assert trainer.history.steps == uninterrupted.history.steps


class TwoOptimisers(Net):
    """The first layer is trained by one optimiser, the last by another."""

    def train_step(self, batch, optimizer, rng):
        for part in optimizer.values():
            part.zero_grad()
        loss, cache = self.loss(*batch, rng=rng, training=True)
        self.backward(cache)
        for part in optimizer.values():
            part.step()
        return {"loss": loss, "norm": float(np.abs(self.body[0].weight.value).sum())}


def test_trainer_passes_a_dict_of_optimisers_to_the_model():
    net = TwoOptimisers()
    optimizers = {"first": SGD(net.body[0].parameters(), 0.01), "last": Adam(net.body[3].parameters(), 0.01)}
    history = tiny_trainer(epochs=2, net=net, optimizer=optimizers).run()
    assert list(history.steps) == ["loss", "norm"]
    assert list(history.epochs) == ["loss", "norm", "first_lr", "last_lr", "step", "seconds"]
    assert optimizers["first"].steps == optimizers["last"].steps == 10


class Fragile(Layer):
    """loss = Σ a·0 + Σ √b over two parameters, where b = 0 has an infinite gradient."""

    def __init__(self):
        self.a, self.b = Parameter(np.ones(2)), Parameter(np.ones(3))
        self.planted = 0.0

    def loss(self, x, *, rng, training=False):
        return float(np.sqrt(self.b.value).sum()) + self.planted, None

    def backward(self, cache):
        self.a.grad += 1.0
        self.b.grad += 0.5 / np.sqrt(self.b.value)
        return {}


def test_expect_finite_names_a_parameter_value_first():
    net = Fragile()
    net.b.value[1] = np.nan
    with pytest.raises(TrainingDiverged, match=r"^loss became nan: first seen in b \(its value\); try a sm"):
        expect_finite(net, float("nan"), lambda: net.backward(None))


def test_expect_finite_names_the_first_gradient_when_values_are_finite():
    net = Fragile()
    net.b.value[2] = 0
    net.a.grad[...] = np.nan        # an old gradient, which must not be reported
    with pytest.raises(TrainingDiverged, match=r"^kl became inf: first seen in b \(its gradient\)"):
        expect_finite(net, float("inf"), lambda: net.backward(None), name="kl")


def test_expect_finite_reports_that_only_the_loss_is_not_finite():
    net = Fragile()
    message = "^loss became inf, although all parameters and gradients are finite; try"
    with pytest.raises(TrainingDiverged, match=message):
        expect_finite(net, float("inf"), lambda: net.backward(None))


def set_value(trainer, name, value=np.nan):
    trainer.model.parameters()[name].value.flat[0] = value


def test_training_stops_at_the_step_and_names_the_parameter():
    trainer = tiny_trainer()
    with action_in_step(trainer.model, 6, lambda: set_value(trainer, "body.3.weight")):
        message = r"^loss became nan at step 7 \(epoch 2\): first seen in body.3.weight \(its value\)"
        with pytest.raises(TrainingDiverged, match=message):
            trainer.run()


@pytest.mark.parametrize(
    ("target", "where"),
    [
        (1e200, ", although all parameters"),       # its square overflows, but its gradient does not
        (np.nan, r": first seen in body.0.weight \(its gradient\)"),
    ],
)
def test_training_stops_before_an_update_with_a_loss_that_is_not_finite(target, where):
    trainer = tiny_trainer()
    trainer.batches.y[:] = target
    before = trainer.optimizer.value.copy()
    message = rf"^loss became (inf|nan) at step 1 \(epoch 1\){where}"
    with np.errstate(all="ignore"), pytest.raises(TrainingDiverged, match=message):
        trainer.run()
    np.testing.assert_array_equal(trainer.optimizer.value, before)
    assert trainer.optimizer.steps == 0


def test_training_reports_a_parameter_that_does_not_affect_the_loss():
    trainer = tiny_trainer(epochs=1)
    trainer.model.unused = Parameter(np.zeros(2))
    with action_in_step(trainer.model, 5, lambda: set_value(trainer, "unused", np.inf)):
        message = r"an update gave a number that is not finite at step 5 \(epoch 1\): first seen in unused"
        with pytest.raises(TrainingDiverged, match=message):
            trainer.run()


def test_training_stops_at_a_validation_value_that_is_nan():
    message = r"validation became nan at step 5 \(epoch 1\)"
    with pytest.raises(TrainingDiverged, match=message):
        tiny_trainer(validate=lambda: float("nan")).run()


def test_ctrl_c_waits_for_the_end_of_the_step():
    recorder = Recorder()
    trainer = tiny_trainer(callbacks=[recorder])
    message = "interrupted after step 7, 1 of 4 epochs done"
    with ctrl_c_in_step(trainer.model, 7), pytest.raises(KeyboardInterrupt, match=message):
        trainer.run()
    assert trainer.optimizer.steps == trainer.step == 7
    assert recorder.calls[-3:] == [7, "stop", "end"]
    assert trainer.history.interrupted


def test_trainer_runs_outside_the_main_thread():
    trainer, uninterrupted = tiny_trainer(), tiny_trainer()
    thread = threading.Thread(target=copy_context().run, args=(trainer.run,))      # with the same kernels
    thread.start()
    thread.join()
    uninterrupted.run()
    np.testing.assert_array_equal(trainer.optimizer.value, uninterrupted.optimizer.value)


@pytest.mark.parametrize("step", [1, 7, 10, 20])
def test_interrupted_run_continues_at_the_same_step(step):
    trainer, uninterrupted = tiny_trainer(), tiny_trainer()
    with ctrl_c_in_step(trainer.model, step), pytest.raises(KeyboardInterrupt):
        trainer.run()
    trainer.run()
    uninterrupted.run()
    np.testing.assert_array_equal(trainer.optimizer.value, uninterrupted.optimizer.value)
    assert trainer.history.steps == uninterrupted.history.steps
    assert trainer.history.epochs["loss"] == uninterrupted.history.epochs["loss"]
    assert not trainer.history.interrupted


def test_second_ctrl_c_ends_the_run_immediately():
    recorder = Recorder()
    trainer = tiny_trainer(callbacks=[recorder])
    with ctrl_c_in_step(trainer.model, 3, times=2), pytest.raises(KeyboardInterrupt):
        trainer.run()
    assert recorder.calls == ["start", 1, 2, "end"]
    assert trainer.optimizer.steps == 2


def trainer_of(batches: list, rng: Any) -> Trainer:
    return Trainer(Net(), batches, None, epochs=1, rng=rng)


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: tiny_trainer(epochs=-1), ValueError, "Trainer expected epochs >= 0, .* got -1"),
        (lambda: trainer_of([], np.random.default_rng()), ValueError, "expected at least one batch"),
        (lambda: trainer_of([(np.ones(3),)], None), TypeError, "Trainer expected rng to be .*, got None"),
        (lambda: tiny_trainer(callbacks=[Recorder]), TypeError, r"class Recorder; pass Recorder\(...\)"),
        (lambda: tiny_trainer(callbacks=["bar"]), TypeError, "to be instances of Callback, got 'bar'"),
    ],
)
def test_trainer_error_messages(build, error, message):
    with pytest.raises(error, match=message):
        build()


def test_trainer_reports_parameters_that_are_in_no_optimiser(caplog):
    """For example, a layer that was added after the optimiser was made."""
    trainer = tiny_trainer()
    trainer.run()
    assert not caplog.records
    trainer.model.added = Linear(2, 2, rng=0)
    trainer.run()
    assert caplog.messages == ["no optimiser trains added.weight, added.bias of the Net"]


def test_trainer_applies_the_current_augmentation():
    """A callback changes the augmentation during the run, from the second epoch on."""

    class Switch(Callback):
        def on_epoch(self, trainer, values):
            trainer.augment = lambda x, rng: 0 * x

    net, seen = Net(), []
    loss = net.loss
    net.loss = lambda x, y, **how: seen.append(bool(x.any())) or loss(x, y, **how)
    tiny_trainer(epochs=2, net=net, callbacks=[Switch()]).run()
    assert seen == [True] * 5 + [False] * 5


class Doubled(Net):
    """A model whose prepare doubles each batch and whose report returns more than the loss."""

    def prepare(self, batch, rng):
        x, y = batch
        return 2 * x, y

    def report(self, loss, cache):
        return {"loss": loss, "size": float(len(cache[0]))}


@pytest.mark.parametrize(
    ("augment", "got"),
    [
        (lambda x, rng: x[:1], r"\(1, 9\)"),
        (lambda x, rng: None, "NoneType"),
        (lambda x, rng: x.sum(), "float32"),
    ],
)
def test_trainer_refuses_an_augmentation_that_loses_examples(augment, got):
    X, model, _ = small_run()
    with pytest.raises(ValueError, match=f"expected augment to return an array of 8 examples, got .*{got}"):
        model.fit(X[:8], epochs=1, rng=0, augment=augment)


@pytest.mark.parametrize("value", [None, "low", [1.0, 2.0]])
def test_trainer_refuses_a_validation_value_that_is_no_number(value):
    trainer = tiny_trainer(validate=lambda: value)
    with pytest.raises(TypeError, match=r"fit expected validate\(\) to be a number, got"):
        trainer.run()


def test_training_step_prepares_the_batch_and_records_the_report():
    net, seen = Doubled(), []
    loss = net.loss
    net.loss = lambda x, y, **how: seen.append(x) or loss(x, y, **how)
    trainer = tiny_trainer(epochs=1, net=net, augment=lambda x, rng: x + 1)
    history = trainer.run()
    assert history.steps["size"] == [5, 5, 5, 5, 2]
    x, _ = data()
    shown = np.sort(np.concatenate(seen), axis=0)
    np.testing.assert_allclose(shown, np.sort(2 * (x + 1), axis=0))     # augmented first, then prepared


def values_of(model):
    return np.concatenate([p.value.ravel() for p in model.parameters().values()])


def small_run(epochs=3):
    X = np.random.default_rng(1).uniform(size=(30, 9)).astype(np.float32)
    model = Autoencoder.dense((9, 5, 2), rng=3)
    return X, model, model.trainer(X, epochs=epochs, batch_size=8, rng=4)


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda trainer: pickle.loads(pickle.dumps(trainer))])
def test_copied_trainer_trains_its_own_model_to_the_same_bits(clone):
    _, model, trainer = small_run()
    start = values_of(model)
    copied = clone(trainer)
    trainer.run()
    np.testing.assert_array_equal(values_of(copied.model), start)
    copied.run()
    assert not np.array_equal(values_of(model), start)
    np.testing.assert_array_equal(values_of(copied.model), values_of(model))


def test_trainer_made_before_a_fit_still_trains():
    X, model, trainer = small_run()
    model.fit(X, epochs=1, rng=0)
    before = values_of(model)
    with pytest.warns(ContinuedTraining):
        trainer.run()
    assert not np.array_equal(values_of(model), before)


@pytest.mark.parametrize("part", ["optimizer", "model"])
def test_trainer_refuses_an_optimiser_of_a_copy(part):
    """Copied alone, an optimiser trains its own copies of the parameters and not the model."""
    _, model, trainer = small_run()
    setattr(trainer, part, copy.deepcopy(getattr(trainer, part)))
    start = values_of(model)
    with pytest.raises(ValueError, match=r"of this Autoencoder, but encoder.0.weight belongs to"):
        trainer.run()
    assert trainer.step == 0
    np.testing.assert_array_equal(values_of(model), start)


@pytest.mark.filterwarnings("ignore::scratchgen.models.classical.base.NotConverged")
def test_fit_of_a_trained_model_warns_that_it_continues_unless_it_was_asked_to():
    X, model, trainer = small_run(epochs=1)
    hmm = HiddenMarkovModel.gaussian(2, rng=0)
    trainer.run()                                           # warnings are errors
    trainer.epochs = 2
    trainer.run()                                           # the same run, which continues without a warning
    hmm.fit(X, iterations=1)
    Autoencoder.dense((9, 5, 2), rng=3).fit(X, epochs=1, rng=0)
    with pytest.warns(ContinuedTraining, match=r"^Autoencoder\.fit continues from .*warm_start=True") as seen:
        model.fit(X, epochs=1, rng=0)
    assert seen[0].filename == __file__                     # it names the line of the caller
    with pytest.warns(ContinuedTraining, match="^Autoencoder") as seen:
        model.trainer(X, epochs=1, rng=0).run()
    assert seen[0].filename == __file__
    with pytest.warns(ContinuedTraining, match=r"^HiddenMarkovModel\.fit continues") as seen:
        hmm.fit(X, iterations=1)
    assert seen[0].filename == __file__
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        with pytest.warns(ContinuedTraining, match="^Autoencoder"):
            copied.fit(X, epochs=1, rng=0)
    model.fit(X, epochs=1, rng=0, warm_start=True)
    model.trainer(X, epochs=1, rng=0, warm_start=True).run()
    hmm.fit(X, iterations=1, warm_start=True)


def test_player_step_updates_the_parameters_of_one_optimiser_alone():
    X, model, _ = small_run()
    optimizer = Adam(model.decoder.parameters(), 0.1)
    before = values_of(model.encoder), values_of(model.decoder)
    for norm in (False, True):
        step = player_step(model, optimizer, lambda: model.loss(X), model.backward, norm=norm)
        assert step.loss > 0 and step.grads["dout"].shape == X.shape
        assert step.norm == pytest.approx(optimizer.grad_norm()) if norm else math.isnan(step.norm)
    assert optimizer.steps == 2 and not np.array_equal(values_of(model.decoder), before[1])
    np.testing.assert_array_equal(values_of(model.encoder), before[0])
    after = values_of(model)
    with pytest.raises(TrainingDiverged, match="the loss of D became nan"):
        player_step(model, optimizer, lambda: (math.nan, model.loss(X)[1]), model.backward, "the loss of D")
    assert optimizer.steps == 2
    np.testing.assert_array_equal(values_of(model), after)


def test_trainer_refuses_the_class_of_a_callback():
    X, model, _ = small_run()
    batches, optimizer = Batches(X, batch_size=5, rng=0), Adam(model.parameters(), 1e-3)
    with pytest.raises(TypeError, match="callbacks to be instances of Callback, got the class Callback"):
        Trainer(model, batches, optimizer, epochs=1, rng=0, callbacks=[Callback])


def test_model_that_another_run_is_training_is_refused():
    """The first run is in another thread, and the second one does not affect it."""
    net, in_step, refused = Net(0), threading.Event(), threading.Event()

    def wait_for_the_other_run() -> None:
        in_step.set()
        assert refused.wait(10)

    alone = tiny_trainer()
    alone.run()
    with action_in_step(net, 3, wait_for_the_other_run), ThreadPoolExecutor(1) as pool:
        first = pool.submit(copy_context().run, tiny_trainer(net=net).run)      # with the same kernels
        assert in_step.wait(10)
        with pytest.raises(RuntimeError, match=r"^Trainer\.run expected a Net that no other run is training"):
            tiny_trainer(net=net).run()
        refused.set()
        assert first.result(20).steps == alone.history.steps
    tiny_trainer(epochs=1, net=net, warm_start=True).run()      # after the first run has ended


def test_seconds_do_not_decrease_if_the_clock_jumps_back(monkeypatch):
    """The step in which the clock jumps adds nothing, and later steps count as usual."""
    times = iter([100.0, 101.0, 103.0, 3.0, 4.0, *range(5, 50)])
    monkeypatch.setattr("scratchgen.training.loop.time.perf_counter", lambda: next(times))
    history = tiny_trainer(epochs=2).run()
    assert history.epochs["seconds"][0] == 1 + 2 + 0 + 1 + 1 + 1
    assert history.epochs["seconds"] == sorted(history.epochs["seconds"]) and history.seconds > 0
