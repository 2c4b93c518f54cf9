"""The loggers write the history of a run, also that of a resumed one."""

import csv
import json

import pytest
from helpers.tiny_run import tiny_trainer

from scratchgen import CSVLogger, JSONLinesLogger, checkpoint, kernels

READERS = {
    CSVLogger: lambda text: [
        {name: float(value) for name, value in row.items()} for row in csv.DictReader(text.splitlines())
    ],
    JSONLinesLogger: lambda text: [json.loads(line) for line in text.splitlines()],
}


@pytest.fixture(autouse=True)
def plain_kernels():
    with kernels.use("reference"):
        yield


@pytest.mark.parametrize("kind", READERS)
def test_file_has_the_history_of_all_epochs_after_a_resumed_run(kind, tmp_path):
    log, run = tmp_path / "log", tmp_path / "run.safetensors"
    first = tiny_trainer(epochs=2, callbacks=[kind(log)], validate=lambda: 1.5)
    first.run()
    assert len(READERS[kind](log.read_text())) == 2
    log.unlink()                                            # as if the run continues on another machine
    checkpoint.save(run, first)
    second = tiny_trainer(epochs=3, callbacks=[kind(log)], validate=lambda: 1.5)
    checkpoint.load(run, second)
    second.run()
    rows = READERS[kind](log.read_text())
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    for name, column in second.history.epochs.items():
        assert [row[name] for row in rows] == column


@pytest.mark.parametrize("kind", READERS)
def test_new_run_replaces_a_file_only_with_overwrite(kind, tmp_path):
    log = tmp_path / "log"
    log.write_text("mine")
    with pytest.raises(ValueError, match=rf"{kind.__name__} expected a new file, but .* exists: choose"):
        tiny_trainer(epochs=1, callbacks=[kind(log)]).run()
    assert log.read_text() == "mine"
    tiny_trainer(epochs=1, callbacks=[kind(log, overwrite=True)]).run()
    assert len(READERS[kind](log.read_text())) == 1
    with pytest.raises(FileNotFoundError, match=f"{kind.__name__} cannot write a: no folder"):
        tiny_trainer(epochs=1, callbacks=[kind(tmp_path / "none" / "a")]).run()


def test_wrong_arguments_are_refused(tmp_path):
    with pytest.raises(TypeError, match="CSVLogger expected a path, got int"):
        CSVLogger(3)
    with pytest.raises(TypeError, match="JSONLinesLogger expected overwrite to be"):
        JSONLinesLogger(tmp_path / "a", overwrite="x")
    with pytest.raises(IsADirectoryError, match="expected a file to write"):
        tiny_trainer(epochs=1, callbacks=[CSVLogger(tmp_path)]).run()
