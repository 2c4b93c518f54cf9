"""Run the tasks of a study one after another, on several cores, or on several machines.

    Workers()                                       in this process, one task after another
    Workers(jobs=4)                                 four processes of this machine, through joblib
    Workers(backend="dask", address="host:8786")    the workers of a dask cluster
    Workers(jobs=8, backend=NAME)                   another backend that is registered with joblib

Every task computes with one thread, however many workers there are, so that the results do not depend on
their number. A worker that dies is reported, and the tasks that it may have been running are repeated.
"""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
import logging
import uuid
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scratchgen import __version__

Tasks = Mapping[str, Callable[[], Any]]

REPEATS = 2         # how often a task is repeated because a worker died
LOCAL = "loky"
# Tasks measure processor time per process, and limit the threads of their process.
REFUSED = {
    "threading": "its workers share one process",
    "multiprocessing": "it waits forever for a worker that has died",
}
INSTALL = 'pip install "scratchgen[cluster]"'

log = logging.getLogger("scratchgen")


class WorkersDied(RuntimeError):
    """Raised if a task was repeated REPEATS times, and a worker died each time."""

    def __init__(self, names: Sequence[str]):
        super().__init__(
            f"{' and '.join(names)}: a worker died in each of {REPEATS + 1} attempts; the finished cells are "
            "kept. Look for a lack of memory on the worker's machine, then start the study again"
        )


@dataclass(frozen=True)
class Workers:
    """Where the tasks of a study run.

    jobs    : number of processes; -1 for one per core, -2 for one less, and so on. A dask cluster has its
        own number of workers, which may change during the study
    backend : "dask", or a name that is registered with joblib; "" for processes of this machine
    address : HOST:PORT of the scheduler of a dask cluster

    Raises ValueError for an impossible combination, and ImportError if a package is missing.
    """

    jobs: int = 1
    backend: str = ""
    address: str = ""

    def __post_init__(self) -> None:
        if self.jobs == 0:
            raise ValueError("Workers expected jobs >= 1, or -1 for one per core, got 0")
        if self.backend in REFUSED:
            reason = REFUSED[self.backend]
            raise ValueError(f"Workers cannot use the backend {self.backend}: {reason}; use {LOCAL}")
        if (self.backend == "dask") != bool(self.address):
            raise ValueError(
                f"Workers expected backend dask together with the address of its scheduler, such as "
                f"127.0.0.1:8786, got backend {self.backend!r} and address {self.address!r}"
            )
        if not self.in_this_process:
            _expect_package("distributed" if self.backend == "dask" else "joblib")

    @property
    def in_this_process(self) -> bool:
        """Whether the tasks run one after another in this process."""
        return self.jobs == 1 and not self.backend

    def run(self, tasks: Tasks) -> Iterator[tuple[str, Any]]:
        """Yield (name, result) of each task as soon as it is finished.

        tasks : functions without arguments, by name. Workers receive them by pickle

        Raises the exception of the first task that fails; the results of tasks that other workers are running
        are lost. An exception on a worker becomes a TaskFailed. Raises WorkersDied if workers die repeatedly.
        """
        if self.in_this_process:
            for name, task in tasks.items():
                with one_thread():
                    yield name, task()
        elif self.backend == "dask":
            yield from _on_dask(self.address, tasks)
        else:
            yield from _on_joblib(self.backend or LOCAL, self.jobs, tasks)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """A context manager: inside the block, this process computes with one thread."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield


class BuiltOnce:
    """A large value that each worker builds for itself, once, instead of receiving it with every task.

    value : in this process
    build, args : a worker calls build(*args); both are sent to it by pickle, and args can be hashed
    """

    def __init__(self, value: Any, build: Callable[..., Any], *args: Any):
        self.value, self.build, self.args = value, build, args

    def __reduce__(self) -> Any:
        return _in_worker, (self.build, self.args, __version__)


def _in_worker(build: Callable[..., Any], args: tuple, version: str) -> BuiltOnce:
    if version != __version__:
        raise ValueError(f"a worker expected scratchgen {version}, as in the study, but has {__version__}")
    return BuiltOnce(_built(build, args), build, *args)


@functools.lru_cache(maxsize=2)
def _built(build: Callable[..., Any], args: tuple) -> Any:
    return build(*args)


class TaskFailed(RuntimeError):
    """Raised for an exception of a task on a worker, with the name of the task."""


class _Messages(logging.Handler):
    """Collects the messages that a task logs."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def _work(name: str, task: Callable[[], Any]) -> tuple[str, Any, list[str]]:
    """Run a task in a worker; return its name, its result and its warnings.

    Its progress is not shown, because it would be mixed with that of other workers.
    """
    messages, nowhere = _Messages(), io.StringIO()
    log.addHandler(messages)
    try:
        with (
            one_thread(),
            contextlib.redirect_stdout(nowhere),
            contextlib.redirect_stderr(nowhere),
            warnings.catch_warnings(record=True) as caught,
        ):
            result = task()
    except Exception as error:
        raise TaskFailed(f"{name}: {type(error).__name__}: {error}") from error
    finally:
        log.removeHandler(messages)
    return name, result, messages.texts + [str(warning.message) for warning in caught]


def _unpacked(returned: tuple[str, Any, list[str]]) -> tuple[str, Any]:
    """The name and the result of a task, after its warnings were passed on."""
    name, result, messages = returned
    for message in messages:
        log.warning("%s: %s", name, message)
    return name, result


def _on_joblib(backend: str, jobs: int, tasks: Tasks) -> Iterator[tuple[str, Any]]:
    """Run tasks with joblib. If a worker dies, joblib gives up all that were not finished; they are repeated.

    joblib does not say which task the worker was running. So after a death, each task that had been given to
    a worker runs while no other task does.
    """
    left, deaths = dict(tasks), Counter[str]()
    while left:
        suspect = next((name for name in left if deaths[name]), None)
        batch = left if suspect is None else {suspect: left[suspect]}
        started: list[str] = []
        try:
            for returned in _joblib_results(backend, jobs, batch, started):
                name, result = _unpacked(returned)
                del left[name]
                yield name, result
        except Exception as error:
            if not _is_death(error):
                raise
            lost = [name for name in started if name in left]
            deaths.update(lost)
            failed = [name for name in lost if deaths[name] > REPEATS]
            if failed:
                raise WorkersDied(failed) from None
            log.warning("a worker died; repeated: %s", " and ".join(lost))


def _joblib_results(
    backend: str, jobs: int, tasks: Tasks, started: list[str]
) -> Iterator[tuple[str, Any, list[str]]]:
    """What `_work` returns, in the order in which they come. `started` gets the name of each started task."""
    import joblib

    def calls() -> Iterator[Any]:
        for name, task in list(tasks.items()):
            started.append(name)
            yield joblib.delayed(_work)(name, task)

    # With one job, joblib would run the task in this process.
    jobs = max(2, joblib.effective_n_jobs(jobs))
    # One task at a time for each worker: a study continues with all but those that were running.
    how = {"n_jobs": jobs, "batch_size": 1, "pre_dispatch": jobs, "return_as": "generator_unordered"}
    with joblib.parallel_config(backend, n_jobs=jobs):
        yield from joblib.Parallel(**how)(calls())


def _is_death(error: Exception) -> bool:
    from concurrent.futures.process import BrokenProcessPool

    return isinstance(error, BrokenProcessPool)     # joblib's TerminatedWorkerError is one


def _on_dask(address: str, tasks: Tasks) -> Iterator[tuple[str, Any]]:
    """Run tasks on a dask cluster, which gives those of a worker that dies to another worker.

    The tasks are passed to dask's client, not to joblib's dask backend, which waits forever for a task that
    dask has given up.
    """
    from distributed import Client, KilledWorker, as_completed

    with Client(address, set_as_default=False) as client:
        run = uuid.uuid4().hex
        keys = {f"scratchgen-{run}-{i}": name for i, name in enumerate(tasks)}
        client.subscribe_topic("all", functools.partial(_report_lost_worker, keys))
        waiting = iter(keys.items())

        def submit(n: int) -> list[Any]:
            _expect_one_thread_each(client)
            some = itertools.islice(waiting, n)
            return [client.submit(_work, name, tasks[name], key=key, pure=False) for key, name in some]

        running = as_completed(submit(_slots(client)), loop=client.loop)
        try:
            for future in running:
                try:
                    name, result = _unpacked(future.result())
                except KilledWorker:
                    raise WorkersDied([keys[future.key]]) from None
                yield name, result
                for more in submit(_slots(client) - running.count()):   # workers may have joined
                    running.add(more)
        finally:
            client.unsubscribe_topic("all")


def _slots(client: Any) -> int:
    return max(1, sum(client.ncores().values()))


def _expect_one_thread_each(client: Any) -> None:
    for worker, threads in client.ncores().items():
        if threads != 1:
            raise ValueError(
                f"a study expected dask workers with one thread each, but {worker} has {threads}; start them "
                "with `dask worker --nthreads 1 --nworkers N`"
            )


def _report_lost_worker(keys: Mapping[str, str], event: tuple[float, Any]) -> None:
    """Report a worker that the scheduler has lost, with the tasks that it had."""
    message = event[1]
    if isinstance(message, dict) and message.get("action") == "remove-worker":
        lost = [keys[key] for key in message.get("processing-tasks", ()) if key in keys]
        if lost:
            log.warning("worker %s died; repeated: %s", message.get("worker"), " and ".join(lost))


def _expect_package(name: str) -> None:
    try:
        __import__(name)
    except ImportError as error:
        raise ImportError(f"a study on several workers needs {name}: {INSTALL} ({error})") from error


