"""The progress bar, early stopping, the time limit and the reduction of the learning rate."""

import io
import sys

import numpy as np
import pytest
from helpers.tiny_run import Net, ctrl_c_in_step, tiny_trainer

from scratchgen import SGD, checkpoint, kernels
from scratchgen.training import callbacks
from scratchgen.training.callbacks import EarlyStopping, ProgressBar, ReduceOnPlateau, TimeLimit


@pytest.fixture(autouse=True)
def plain_kernels():
    with kernels.use("reference"):
        yield


def test_early_stopping_ends_the_run_and_restores_the_best_epoch():
    values = iter([5.0, 3.0, 4.0, 3.0])         # an equal value is not an improvement
    kept = []

    def validate():
        kept.append((trainer.optimizer.value.copy(), trainer.model.body[2].running_mean.copy()))
        return next(values)

    trainer = tiny_trainer(epochs=9, callbacks=[EarlyStopping(2)], validate=validate)
    history = trainer.run()
    assert trainer.epoch == 4
    assert history.ended.endswith("the validation value was not below 3 for 2 epochs")
    np.testing.assert_array_equal(trainer.optimizer.value, kept[1][0])
    np.testing.assert_array_equal(trainer.model.body[2].running_mean, kept[1][1])


def test_early_stopping_that_is_used_again_starts_anew():
    """Otherwise a run with higher values would end with the weights of the run before."""
    values = iter([1.0, 2.0, 5.0, 6.0])
    stopping = EarlyStopping(5)
    tiny_trainer(epochs=2, callbacks=[stopping], validate=lambda: next(values)).run()
    again = tiny_trainer(epochs=2, seed=1, callbacks=[stopping], validate=lambda: next(values))
    alone = tiny_trainer(epochs=1, seed=1)
    again.run()
    alone.run()
    assert (stopping.best, stopping.waited) == (5.0, 1)
    for name, p in alone.model.parameters().items():
        np.testing.assert_array_equal(again.model.parameters()[name].value, p.value)


def test_early_stopping_keeps_the_last_weights_of_an_interrupted_run():
    values = iter([1.0, 2.0])
    trainer = tiny_trainer(callbacks=[EarlyStopping(3)], validate=lambda: next(values))
    uninterrupted = tiny_trainer(epochs=2)
    with ctrl_c_in_step(trainer.model, 10), pytest.raises(KeyboardInterrupt):
        trainer.run()
    uninterrupted.run()
    np.testing.assert_array_equal(trainer.optimizer.value, uninterrupted.optimizer.value)


def test_progress_bar_writes_a_line_per_epoch_without_a_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    tiny_trainer(epochs=2, callbacks=[ProgressBar()], validate=lambda: 0.25).run()
    first, second, last = sys.stderr.getvalue().splitlines()
    assert first.startswith("epoch 1/2: loss ") and "validation 0.25 (" in first
    assert second.startswith("epoch 2/2: loss ")
    assert last == "finished after step 10, 2 of 2 epochs done"


def test_progress_bar_shows_loss_and_remaining_time_on_a_terminal(monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    tiny_trainer(epochs=2, callbacks=[ProgressBar()]).run()
    text = terminal.getvalue()
    assert "epoch 1/2" in text and "10/10" in text and "loss " in text
    assert "<00:00" in text                     # elapsed<left


def test_early_stopping_error_messages():
    with pytest.raises(ValueError, match="EarlyStopping expected patience of at least 1, got 0"):
        EarlyStopping(0)
    with pytest.raises(ValueError, match="expected a Trainer with a validate function, got none"):
        tiny_trainer(callbacks=[EarlyStopping(1)]).run()


def test_early_stopping_watches_another_column_and_ignores_small_improvements():
    values = iter([5.0, 4.95, 4.9, 4.85])
    stopping = EarlyStopping(2, min_delta=0.3)
    trainer = tiny_trainer(epochs=9, callbacks=[stopping], validate=lambda: next(values))
    assert trainer.run().ended.endswith("the validation value was not below 4.7 for 2 epochs")
    assert trainer.epoch == 3
    trainer = tiny_trainer(epochs=9, callbacks=[EarlyStopping(1, min_delta=1e9, monitor="loss")])
    assert "loss was not below" in trainer.run().ended and trainer.epoch == 2
    with pytest.raises(KeyError, match="EarlyStopping expected monitor to be one of loss, got 'x'"):
        tiny_trainer(callbacks=[EarlyStopping(1, monitor="x")]).run()


def test_time_limit_stops_after_a_step_and_the_run_can_be_continued(monkeypatch):
    clock = iter(range(10_000))
    monkeypatch.setattr("scratchgen.training.loop.time.perf_counter", lambda: float(next(clock)))
    trainer, whole = tiny_trainer(epochs=2, callbacks=[TimeLimit(3)]), tiny_trainer(epochs=2)
    assert trainer.run().ended == "stopped after step 3, 0 of 2 epochs done: the time limit of 3 s is reached"
    for _ in range(9):
        trainer.run()
    whole.run()
    assert trainer.history.ended.startswith("nothing left to do")
    np.testing.assert_array_equal(trainer.optimizer.value, whole.optimizer.value)
    with pytest.raises(ValueError, match="TimeLimit expected"):
        TimeLimit(0)


def test_reduce_on_plateau_scales_the_rate_of_a_number_and_of_a_schedule():
    for lr in (0.1, lambda step: 0.1):
        values = iter([3.0, 3.0, 3.0, 2.0, 2.0])
        net = Net()
        callback = ReduceOnPlateau(0.5, patience=2)
        optimizer = SGD(net.parameters(), lr)
        trainer = tiny_trainer(
            5, net=net, optimizer=optimizer, callbacks=[callback], validate=lambda v=values: next(v)
        )
        assert trainer.run().epochs["lr"] == [0.1, 0.1, 0.1, 0.05, 0.05]
        assert optimizer.lr is lr and callback.scale == 0.5


def test_reduced_rate_survives_a_checkpoint(tmp_path):
    def build(epochs):
        return tiny_trainer(epochs, callbacks=[ReduceOnPlateau(0.5, 1)], validate=lambda: 1.0)

    whole, first, second = build(4), build(2), build(4)
    whole.run()
    first.run()
    checkpoint.save(tmp_path / "run.safetensors", first)
    checkpoint.load(tmp_path / "run.safetensors", second)
    second.run()
    assert second.callbacks[0].scale == whole.callbacks[0].scale == 0.125
    np.testing.assert_array_equal(second.optimizer.value, whole.optimizer.value)
    assert second.history.epochs["lr"] == whole.history.epochs["lr"]


@pytest.mark.parametrize(
    ("columns", "shown"), [(100, ("validation", "loss", "size")), (64, ("validation",))]
)
def test_progress_bar_shows_the_important_value_first_and_drops_what_does_not_fit(
    monkeypatch, columns, shown
):
    monkeypatch.setenv("COLUMNS", str(columns))
    trainer = tiny_trainer(epochs=3)
    trainer.epoch = 1
    values = {"loss": 170.6, "size": 1.5, "validation": 171.25, "step": 3.0, "seconds": 1.0, "lr": 0.1}
    text = callbacks._shown(trainer, values)
    assert [part.split()[0] for part in text.split(", ")[1:]] == list(shown)
    assert text.startswith("epoch 2/3, validation 171.2") and len(text) <= columns - callbacks.REST_OF_BAR
