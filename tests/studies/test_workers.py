"""Tasks on several workers: the same results, and what happens if a worker dies."""

import json
import sys
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import tasks

from scratchgen import cli
from scratchgen.data import load_digits
from scratchgen.models import ConvClassifier, MLPClassifier
from scratchgen.studies import source, workers
from scratchgen.studies.compare import study
from scratchgen.studies.ood.cells import Plan
from scratchgen.studies.ood.study import detect
from scratchgen.studies.own_digits import digits_of
from scratchgen.studies.parts import Cell, Parts
from scratchgen.studies.workers import BuiltOnce, TaskFailed, Workers, WorkersDied

COMPARED = ("MADE 784-500-784", "VAE 784-400-20, Bernoulli", "DCGAN, code of 32")
VARYING = ("seconds per epoch", "milliseconds per sample", "tables", "machine")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the tests kill workers by a signal")


@pytest.fixture(scope="module")
def cluster():
    """A dask cluster with two workers."""
    from distributed import LocalCluster

    quiet = {"dashboard_address": "127.0.0.1:0", "silence_logs": 50}
    with LocalCluster(n_workers=2, threads_per_worker=1, **quiet) as found:
        yield found


@pytest.fixture(params=["loky", "dask"])
def pool(request):
    """Two workers of joblib, and two of dask."""
    if request.param == "loky":
        return Workers(jobs=2)
    return Workers(backend="dask", address=request.getfixturevalue("cluster").scheduler_address)


def test_results_are_those_of_one_process(pool):
    jobs = {str(x): partial(tasks.square, x) for x in range(9)}
    assert dict(pool.run(jobs)) == dict(Workers().run(jobs)) == {str(x): x * x for x in range(9)}


def test_each_task_computes_with_one_thread_and_its_progress_is_not_shown(pool, capfd):
    for found in (pool, Workers(jobs=2), Workers()):
        assert set(dict(found.run({"a": tasks.threads}))["a"]) <= {1}
        assert ("not shown" in capfd.readouterr().out) == found.in_this_process


def test_worker_that_dies_is_reported_and_its_task_is_repeated(pool, tmp_path, caplog):
    jobs = {"quick": partial(tasks.square, 3), "dies": partial(tasks.die, tmp_path, 1)}
    jobs |= {f"slow {x}": partial(tasks.slow, x, 0.1) for x in range(4)}
    found = dict(pool.run(jobs))
    assert found == {"quick": 9, "dies": 1} | {f"slow {x}": x for x in range(4)}
    (message,) = {record.getMessage() for record in caplog.records if "died" in record.getMessage()}
    assert "dies" in message.split("repeated: ")[1]


def test_task_that_always_ends_its_worker_is_given_up(pool, tmp_path):
    jobs = {"good": partial(tasks.square, 3), "bad": partial(tasks.die, tmp_path, 99)}
    found = {}
    with pytest.raises(WorkersDied, match="^bad: a worker died in each of 3 attempts"):
        for name, value in pool.run(jobs):
            found[name] = value
    assert found in ({}, {"good": 9}) and len(list(tmp_path.iterdir())) >= 3


def test_exception_of_a_task_has_its_name(pool):
    with pytest.raises(TaskFailed, match="^a cell: ArithmeticError: a score is not finite$"):
        dict(pool.run({"a cell": tasks.fail}))


def test_warnings_of_a_task_are_passed_on(pool, caplog):
    assert dict(pool.run({"a cell": tasks.warn})) == {"a cell": 1}
    messages = [record.getMessage() for record in caplog.records if record.name == "scratchgen"]
    assert messages == ["a cell: logged", "a cell: warned"]


def test_dask_workers_with_several_threads_are_refused():
    """Two tasks in one process would count each other's processor time."""
    client = SimpleNamespace(ncores=lambda: {"tcp://one": 1, "tcp://two": 2})
    with pytest.raises(ValueError, match="one thread each, but tcp://two has 2; start them with"):
        workers._expect_one_thread_each(client)


@pytest.mark.parametrize(("arguments", "message"), [
    ({"jobs": 0}, "jobs >= 1, or -1"),
    ({"jobs": 2, "backend": "threading"}, "cannot use the backend threading: its workers share one process"),
    ({"backend": "dask"}, "backend dask together with the address"),
    ({"address": "127.0.0.1:8786"}, "backend dask together with the address"),
])  # fmt: skip
def test_impossible_workers_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Workers(**arguments)


@pytest.mark.parametrize(("package", "arguments"), [
    ("joblib", {"jobs": 2}), ("distributed", {"backend": "dask", "address": "127.0.0.1:8786"}),
])  # fmt: skip
def test_missing_package_is_named_with_the_way_to_install_it(monkeypatch, package, arguments):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"needs {package}: pip install \"scratchgen\[cluster\]\""):
        Workers(**arguments)
    assert Workers().in_this_process        # which needs no package


# Cells

def test_killed_study_keeps_its_finished_cells_and_measures_the_others(tmp_path):
    """The first study measures one cell and fails in the other; the second one measures only that one."""
    kept, good = Parts(tmp_path / "parts", effort=1), Cell("good", partial(tasks.slow, 1, 0))
    with pytest.raises(TaskFailed):
        kept.measured([good, Cell("bad", tasks.fail)], Workers(jobs=2))
    seen = []
    cells = [Cell("good", tasks.fail), Cell("bad", partial(tasks.square, 2))]
    (tmp_path / "parts").mkdir(exist_ok=True)
    kept.save(good, 1)
    found = kept.measured(cells, Workers(jobs=2), lambda name, value, known: seen.append((name, [*known])))
    assert found == {"good": 1, "bad": 4} and seen == [("bad", ["good", "bad"])]


def test_value_of_a_worker_is_built_once_and_again_for_other_arguments():
    shared = BuiltOnce(5, tasks.square, 3)
    build, args, version = shared.__reduce__()[1]
    workers._built.cache_clear()
    assert workers._in_worker(build, args, version).value == 9
    assert workers._in_worker(build, args, version).value == 9
    assert workers._built.cache_info().misses == 1
    with pytest.raises(ValueError, match="a worker expected scratchgen 0.0, as in the study, but has"):
        workers._in_worker(build, args, "0.0")


def test_worker_with_other_digits_is_refused():
    shared = source.shared_digits(digits_of("", "embedded"), "", "embedded")
    data, size, expected = shared.args
    with pytest.raises(ValueError, match="a worker expected the digits of the study, but has loaded others"):
        source.same_digits(data, size, expected + 1)
    assert source.same_digits(*shared.args).which == shared.value.which


def test_metrics_of_a_worker_have_the_classifier_of_the_study():
    shared = source.shared_digits(digits_of("", "embedded"), "", "embedded")
    classifier = MLPClassifier((784, 8, 10), rng=0)
    metrics = source.shared_metrics(tasks.labels_of, shared, classifier)
    build, args, _ = metrics.__reduce__()[1]
    np.testing.assert_array_equal(build(*args), metrics.value)
    assert {*map(type, args[1:])} == {tuple, bytes}     # the digits are not sent


def without_times(folder):
    found = json.loads((folder / "ood-part.json").read_text(encoding="utf-8"))
    return {key: value for key, value in found.items() if "seconds" not in key}


@pytest.mark.slow
def test_ood_study_gives_the_same_file_for_every_number_of_workers(tmp_path, cluster, capsys):
    """With two workers of joblib and two of dask, as with one process; one model is trained."""
    plan = Plan(("only",), ("pca", "vae2"), (1,), 1, effort=0.02)
    pools = [Workers(), Workers(jobs=2), Workers(backend="dask", address=cluster.scheduler_address)]
    found = []
    for i, pool in enumerate(pools):
        folder = tmp_path / str(i)
        detect(plan, folder / "runs", folder, folder, pool)
        found.append(without_times(folder))
    assert found[0] == found[1] == found[2]
    assert capsys.readouterr().out.count("[2/2]") == 3


def without_varying(found):
    """JSON without times, the machine, and the tables, which contain times."""
    if isinstance(found, dict):
        return {key: without_varying(value) for key, value in found.items() if key not in VARYING}
    return [without_varying(value) for value in found] if isinstance(found, list) else found


@pytest.mark.slow
def test_comparison_is_the_same_for_every_number_of_workers(tmp_path, monkeypatch):
    """Three models are trained for one epoch, in this process and by two workers."""
    few = [found for found in study.contenders() if found.name in COMPARED]
    monkeypatch.setattr(study, "contenders", lambda: tuple(few))
    digits, path = load_digits("embedded"), tmp_path / "few.npz"
    images = (x.reshape(-1, 28, 28) for x in (digits.x_train[:240], digits.x_test[:60]))
    labels = {"y_train": digits.y_train[:240], "y_test": digits.y_test[:60]}
    np.savez(path, **dict(zip(("x_train", "x_test"), images, strict=True)), **labels)
    classifier = ConvClassifier((2, 3, 3), 6, rng=5)
    monkeypatch.setattr(study, "trained_digit_classifier", lambda digits: classifier)
    found = []
    for pool in (Workers(), Workers(jobs=2)):
        folders = [tmp_path / f"{pool.jobs}" / name for name in ("results", "pictures", "runs")]
        study.compare(1.0, False, *folders, data=str(path), epochs=1, workers=pool)
        (file,) = folders[0].glob("*.json")
        found.append(without_varying(json.loads(file.read_text(encoding="utf-8"))))
    assert len(few) == 3 and found[0] == found[1]


def test_study_with_impossible_workers_does_not_start(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("compare", "ood", "gans", "classifiers"):
        assert cli.main(["study", name, "--backend", "dask"]) == 2
        assert "backend dask together with the address" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []

