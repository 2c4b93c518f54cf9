"""The curve of a run: its points, its state in a checkpoint, and the rounding of its file."""

import numpy as np
from helpers.tiny_run import tiny_trainer

from scratchgen.studies.curve import Curve
from scratchgen.training import checkpoint


def test_curve_has_every_nth_epoch_and_the_last():
    run = tiny_trainer(epochs=5)
    curve = Curve(lambda: {"figure": float(run.step)}, every=2)
    run.callbacks.append(curve)
    run.run()
    assert [(row["epoch"], row["figure"]) for row in curve.rows] == [(2, 10), (4, 20), (5, 25)]
    assert [row["seconds"] for row in curve.rows] == [run.history.epochs["seconds"][i] for i in (1, 3, 4)]


def test_curve_is_saved_with_the_run_and_continued(tmp_path):
    def with_curve(epochs):
        run = tiny_trainer(epochs=epochs)
        curve = Curve(lambda: {"figure": float(run.step), "train": -1.0}, every=1)
        run.callbacks.append(curve)
        return run, curve

    run, curve = with_curve(2)
    run.run()
    checkpoint.save(tmp_path / "a.safetensors", run)
    resumed, again = with_curve(3)
    checkpoint.load(tmp_path / "a.safetensors", resumed)
    assert again.rows == curve.rows
    resumed.run()
    assert [row["figure"] for row in again.rows] == [5, 10, 15] and again.rows[2]["train"] == -1


def test_curve_without_points_has_no_state():
    curve = Curve(lambda: {}, every=1)
    assert curve.state() == {} and curve.points() == []
    curve.load_state({})
    assert curve.rows == []


def test_points_are_rounded_for_a_file():
    curve = Curve(lambda: {}, every=1)
    curve.load_state({"epoch": np.array([3.0]), "seconds": np.array([1.26]), "figure": np.array([0.123456])})
    assert curve.points() == [{"epoch": 3, "seconds": 1.3, "figure": 0.1235}]
    assert isinstance(curve.points()[0]["epoch"], int)
