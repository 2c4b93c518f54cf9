"""The progress bar, early stopping and the time limit."""

import io
import sys

import numpy as np
import pytest
from helpers.tiny_run import ctrl_c_in_step, tiny_trainer

from scratchgen import kernels
from scratchgen.training import callbacks
from scratchgen.training.callbacks import EarlyStopping, ProgressBar, TimeLimit


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


@pytest.mark.parametrize(
    ("columns", "shown"), [(100, ("validation", "loss", "size")), (64, ("validation",))]
)
def test_progress_bar_shows_the_important_value_first_and_drops_what_does_not_fit(
    monkeypatch, columns, shown
):
    monkeypatch.setenv("COLUMNS", str(columns))
    trainer = tiny_trainer(epochs=3)
    trainer.epoch = 1
    values = {"loss": 170.6, "size": 1.5, "validation": 171.25, "step": 3.0, "seconds": 1.0}
    text = callbacks._shown(trainer, values)
    assert [part.split()[0] for part in text.split(", ")[1:]] == list(shown)
    assert text.startswith("epoch 2/3, validation 171.2") and len(text) <= columns - callbacks.REST_OF_BAR


def test_time_limit_ends_the_run_within_an_epoch_and_a_resumed_run_has_the_same_bits():
    """A limit of next to nothing ends the run after one step; each call of run() makes one step."""
    limited, whole = tiny_trainer(epochs=1, callbacks=[TimeLimit(1e-9)]), tiny_trainer(epochs=1)
    steps = []
    while limited.epoch < limited.epochs:
        history = limited.run()
        steps.append(limited.step)
        if limited.epoch < limited.epochs:
            assert "the time limit of 1e-09 s is reached" in history.ended
    whole.run()
    assert steps == [*range(1, whole.step + 1), whole.step]     # the last call only ends the epoch
    np.testing.assert_array_equal(limited.optimizer.value, whole.optimizer.value)
    roomy = tiny_trainer(epochs=1, callbacks=[TimeLimit(1e6)])
    assert roomy.run().ended.startswith("finished")


def test_time_limit_is_a_number_above_0():
    with pytest.raises(ValueError, match="TimeLimit expected .*seconds"):
        TimeLimit(0)
