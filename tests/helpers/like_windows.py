"""Run everyday work where Python lacks what Windows lacks: python like_windows.py FOLDER

These are removed: os.fork and its relatives, the signals of Unix, CPU affinities, file locks by fcntl, and
flags of os.open. New processes are spawned. The caller sets the encoding of stdout and of files that are
opened without one. Text files that scratchgen opens without an encoding are errors.
"""

import importlib
import multiprocessing
import os
import signal
import sys
import warnings
from pathlib import Path

MISSING = {
    os: (
        "fork", "forkpty", "killpg", "setsid", "getuid", "geteuid", "getpgid", "getloadavg", "mkfifo",
        "uname", "sched_getaffinity", "sched_setaffinity", "sysconf", "statvfs", "O_NONBLOCK", "O_CLOEXEC",
    ),
    signal: (
        "SIGKILL", "SIGSTOP", "SIGCONT", "SIGTERM", "SIGALRM", "SIGHUP", "SIGUSR1", "SIGPIPE", "SIGTSTP",
        "setitimer",
    ),
}  # fmt: skip
ABSENT = ("fcntl", "resource", "pwd", "grp", "termios")


OTHERS = (
    "matplotlib.font_manager", "multiprocessing.resource_tracker", "numba", "numpy", "PIL.Image",
    "safetensors.numpy", "threadpoolctl", "tqdm",
)  # fmt: skip


def like_windows():
    """Remove what Windows does not have.

    Other packages look at sys.platform and then use what Linux has, so they are loaded first.
    """
    for name in OTHERS:
        importlib.import_module(name)
    for module, names in MISSING.items():
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    for name in ABSENT:
        sys.modules[name] = None
    multiprocessing.set_start_method("spawn", force=True)


def write_layer(path):
    """The work of a new process: write the weights of a layer to a file."""
    from scratchgen import Linear

    path.write_bytes(Linear(3, 2, rng=3).weight.value.tobytes())


def work(folder):
    """Train, resume, save, load, read and plot in a folder."""
    import numpy as np
    import PIL.Image

    import scratchgen
    from scratchgen import (
        Autoencoder,
        Checkpointer,
        CSVLogger,
        JSONLinesLogger,
        checkpoint,
        load_digits,
        load_images,
        load_text,
        plots,
        read_csv,
    )

    X = load_digits("embedded").x_train[:100]
    assert load_text()
    model = Autoencoder.dense((784, 5, 2), rng=0)
    callbacks = [Checkpointer(folder / "run.safetensors"), CSVLogger(folder / "log.csv")]
    callbacks.append(JSONLinesLogger(folder / "log.jsonl"))
    model.fit(X, epochs=1, rng=0, callbacks=callbacks)
    again = Autoencoder.dense((784, 5, 2), rng=0).trainer(X, epochs=2, rng=0, callbacks=callbacks)
    checkpoint.load(folder / "run.safetensors", again)
    again.run()
    assert len(read_csv(folder / "log.csv").values) == 2
    scratchgen.save(model, folder / "model.safetensors")
    loaded = scratchgen.load(folder / "model.safetensors")
    np.testing.assert_array_equal(loaded.transform(X), model.transform(X))
    plots.save(plots.curves(model.history_), folder / "curve.svg")
    (folder / "photos" / "a class").mkdir(parents=True)
    PIL.Image.new("L", (4, 4), 200).save(folder / "photos" / "a class" / "a.png")
    assert load_images(folder / "photos").x.shape == (1, 16)
    process = multiprocessing.Process(target=write_layer, args=(folder / "there",))
    process.start()
    process.join()
    write_layer(folder / "here")
    assert (folder / "there").read_bytes() == (folder / "here").read_bytes()


def commands():
    """Commands that print characters which a Western European console does not have."""
    from scratchgen import cli

    for words in (["gradcheck", "Tanh"], ["demo", "--list"], ["study", "--list"]):
        assert cli.main(words) == 0, words


if __name__ == "__main__":
    warnings.filterwarnings("ignore", category=EncodingWarning)
    warnings.filterwarnings("error", category=EncodingWarning, module=r"scratchgen|demos|__main__")
    target = Path(sys.argv[1])
    if sys.argv[2:] == ["planted"]:
        (target / "a.txt").write_text("a")      # without an encoding
    like_windows()
    work(target)
    commands()
    print("done")
