"""The command: its answers, its error lines and its exit codes."""

import subprocess
import sys
import types

import pytest

import scratchgen
from scratchgen import cli
from scratchgen.checks import check_name
from scratchgen.training.loop import TrainingDiverged

DEMO = '''"""{line}

More of the docstring.
"""

from pathlib import Path


def show(out: Path) -> None:
    (out / "{name}.txt").write_text("{name}")


def main(out: Path) -> None:
    show(out)


if __name__ == "__main__":
    raise SystemExit("run as a script")
'''


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A current folder with two demos, and a package that has none beside it."""
    demos = tmp_path / "demos"
    demos.mkdir()
    for number, name in ((2, "latent"), (1, "compress")):
        (demos / f"{number:02}_{name}.py").write_text(DEMO.format(name=name, line=f"The {name} demo."))
    (demos / "shared.py").write_text("raise RuntimeError('not a demo')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "__file__", str(tmp_path / "site" / "scratchgen" / "cli" / "__init__.py"))
    return tmp_path


def provide(monkeypatch, module, **names):
    """Put a stand-in for an implementing module where the command imports it from."""
    stand_in = types.ModuleType(module)
    vars(stand_in).update(names)
    monkeypatch.setitem(sys.modules, module, stand_in)


def error_line(capsys):
    """The one line on stderr; there is nothing else on either stream."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("scratchgen: error: ") and err.endswith("\n") and err.count("\n") == 1
    return err.removeprefix("scratchgen: error: ").rstrip("\n")


def exit_code(argv):
    """What the process would exit with, whether main returns it or argparse raises it."""
    try:
        return cli.main(argv)
    except SystemExit as stop:
        return stop.code


def test_help_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from scratchgen.cli import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit as stop:\n    assert stop.code == 0\n"
        "heavy = {'numpy', 'numba', 'matplotlib', 'tqdm', 'pooch', 'safetensors'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for command in ("demo", "gradcheck", "reproduce", "compare", "download", "data"):
        assert f"  {command}" in done.stdout


def test_module_and_version_answer():
    done = subprocess.run(
        [sys.executable, "-m", "scratchgen", "--version"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"scratchgen {scratchgen.__version__}\n", "")


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([], "the following arguments are required: COMMAND (see scratchgen --help)"),
        (["demoo"], "unknown command 'demoo'; did you mean 'demo'? there are: demo, gradcheck, "),
        (["--debug", "xyzzy"], "unknown command 'xyzzy'; there are: demo, gradcheck, "),
        (["demo"], "one of the arguments NAME --list is required (see scratchgen demo --help)"),
        (["data", "--wrong"], "unrecognized arguments: --wrong"),
        (["reproduce", "a", "--epochs", "0"], "expected a whole number of at least 1, got '0'"),
        (["reproduce", "a", "--epochs", "1.5"], "expected a whole number of at least 1, got '1.5'"),
        (["compare", "--seconds", "0"], "expected seconds above 0, got '0'"),
        (["compare", "--seconds", "nan"], "expected seconds above 0, got 'nan'"),
        (["compare", "--seconds", "long"], "expected seconds above 0, got 'long'"),
        (["train", "autoencoder", "--code", "ten"], "expected a whole number of at least 1, got 'ten'"),
        (["train", "autoencoder", "--seed", "-1"], "expected a whole number of at least 0, got '-1'"),
        (["train", "autoencoder", "--seed", "1.5"], "expected a whole number of at least 0, got '1.5'"),
    ],
)
def test_arguments_that_are_wrong_get_one_line(capsys, argv, expected):
    assert exit_code(argv) == 2
    assert expected in error_line(capsys)


def test_check_name_suggests_the_nearest():
    assert check_name("layer", "Linear", ["Conv2d", "Linear"]) == "Linear"
    with pytest.raises(ValueError, match=r"'Liner'; did you mean 'Linear'\? there are: Conv2d, Linear"):
        check_name("layer", "Liner", ["Conv2d", "Linear"])
    with pytest.raises(ValueError, match="unknown layer 'x'; there are: none"):
        check_name("layer", "x", [])


@pytest.mark.parametrize(
    ("typed", "meant"), [("relu", "ReLU"), ("conv2D", "Conv2d"), ("SILU", "SiLU"), ("vae", "VAE")]
)
def test_check_name_suggests_whatever_the_capitals(typed, meant):
    with pytest.raises(ValueError, match=rf"unknown layer '{typed}'; did you mean '{meant}'\?"):
        check_name("layer", typed, ["ReLU", "Conv2d", "SiLU", "VAE"])


def test_train_takes_a_seed_of_zero(checkout, monkeypatch):
    seen = []
    provide(monkeypatch, "scratchgen.cli.train", train=lambda args: seen.append(args.seed) or 0)
    assert cli.main(["train", "autoencoder", "--seed", "0"]) == 0
    assert cli.main(["train", "autoencoder", "--seed", "7"]) == 0
    assert seen == [0, 7]


def test_demo_list_is_in_reading_order(checkout, capsys):
    assert cli.main(["demo", "--list"]) == 0
    assert capsys.readouterr().out == "compress  The compress demo.\nlatent    The latent demo.\n"


def test_demo_runs_main_with_the_folder(checkout):
    assert cli.main(["demo", "latent"]) == 0
    assert (checkout / "gallery" / "latent.txt").read_text() == "latent"
    assert cli.main(["demo", "compress", "--out", "a/b"]) == 0
    assert (checkout / "a" / "b" / "compress.txt").read_text() == "compress"


def test_demo_beside_the_package_comes_before_the_current_folder(checkout, monkeypatch, capsys):
    beside = checkout / "site" / "demos"
    beside.mkdir(parents=True)
    (beside / "01_other.py").write_text('"""Other."""')
    assert cli.main(["demo", "--list"]) == 0
    assert capsys.readouterr().out == "other  Other.\n"


def test_demo_unknown_writes_nothing(checkout, capsys):
    assert cli.main(["demo", "compres"]) == 2
    assert error_line(capsys) == (
        "unknown demo 'compres'; did you mean 'compress'? there are: compress, latent"
    )
    assert not (checkout / "gallery").exists()


def test_demo_without_scripts_says_where_they_are(checkout, monkeypatch, capsys):
    (checkout / "empty").mkdir()
    monkeypatch.chdir(checkout / "empty")
    assert cli.main(["demo", "compress"]) == 2
    assert "an installed wheel has none; run this in a checkout" in error_line(capsys)


def test_demo_with_a_file_in_the_way_does_not_start(checkout, capsys):
    (checkout / "demos" / "01_compress.py").write_text("def main(out):\n    raise RuntimeError('started')\n")
    (checkout / "taken").write_text("")
    assert cli.main(["demo", "compress", "--out", "taken/deeper/gallery"]) == 2
    line = error_line(capsys)
    assert "cannot write into taken/deeper/gallery" in line and "is a file, expected a folder" in line


def test_folder_without_permission_is_found_before_the_work(checkout, monkeypatch, capsys):
    """The permission is faked, for root may write anywhere."""
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert cli.main(["demo", "compress"]) == 2
    assert "cannot write into gallery: no permission to write in " in error_line(capsys)
    assert not (checkout / "gallery").exists()


def test_gradcheck_hands_names_plot_and_exit_code_on(checkout, monkeypatch):
    seen = []

    def run(cases, names, plot):
        assert cases
        seen.append((names, plot))
        return 1

    provide(monkeypatch, "scratchgen.gradcheck.report", run=run)
    assert cli.main(["gradcheck"]) == 1
    assert cli.main(["gradcheck", "Linear", "SiLU", "--plot", "v.png"]) == 1
    assert seen == [([], None), (["Linear", "SiLU"], "v.png")]


@pytest.mark.parametrize("plot", ["demos", "demos/shared.py/v.png"])
def test_gradcheck_plot_that_cannot_be_written_is_refused(checkout, monkeypatch, capsys, plot):
    provide(monkeypatch, "scratchgen.gradcheck.report", run=lambda names, plot: 0)
    assert cli.main(["gradcheck", "--plot", plot]) == 2
    assert "folder" in error_line(capsys)


def test_reproduce_hands_its_options_on(checkout, monkeypatch):
    seen = []

    def run(name, epochs=None, resume=False, out="results"):
        seen.append((name, epochs, resume, out))
        return 0

    provide(monkeypatch, "scratchgen.studies.reproduce", run=run)
    assert cli.main(["reproduce", "autoencoder", "--epochs", "5", "--resume"]) == 0
    assert cli.main(["reproduce", "autoencoder"]) == 0
    assert seen == [("autoencoder", 5, True, "results"), ("autoencoder", None, False, "results")]


def test_compare_hands_its_options_on(checkout, monkeypatch):
    seen = []
    record = {"SECONDS": 7.0, "run": lambda *options: seen.append(options) or 0}
    provide(monkeypatch, "scratchgen.studies.compare", **record)
    assert cli.main(["compare"]) == 0
    assert cli.main(["compare", "--full", "--seconds", "2.5"]) == 0
    assert seen == [(7.0, False), (2.5, True)]


@pytest.mark.parametrize("taken", ["results", "gallery"])
def test_compare_with_a_file_in_the_way_does_not_start(checkout, capsys, taken):
    (checkout / taken).write_text("")
    assert cli.main(["compare"]) == 2
    assert f"cannot write into {taken}" in error_line(capsys)


def test_data_says_which_digits(monkeypatch, capsys):
    digits = types.SimpleNamespace(source="embedded part of MNIST", x_train=[0] * 6000, x_test=[0] * 1000)
    provide(monkeypatch, "scratchgen.data", load_digits=lambda: digits)
    assert cli.main(["data"]) == 0
    assert capsys.readouterr().out == (
        "embedded part of MNIST\n6,000 digits to train on, 1,000 to test on\n"
    )


def test_download_says_where_the_digits_lie(checkout, monkeypatch, capsys):
    provide(monkeypatch, "scratchgen.data", download_digits=lambda folder: folder or "the cache")
    assert cli.main(["download"]) == 0
    assert cli.main(["download", "here"]) == 0
    assert capsys.readouterr().out == "full MNIST is in the cache\nfull MNIST is in here\n"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("wrong\n  shape"), "wrong shape"),
        (TypeError("Linear expected dtype float32, got int64"), "Linear expected dtype float32, got int64"),
        (FileNotFoundError(2, "No such file or directory", "a.idx"), "a.idx: No such file or directory"),
        (OSError("the disk is full"), "the disk is full"),
        (ValueError(), "ValueError"),
        (MemoryError("Unable to allocate 9.1 TiB for an array"), "Unable to allocate 9.1 TiB for an array"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_bad_input_becomes_one_line(checkout, monkeypatch, capsys, error, line):
    def run(name, **options):
        raise error

    provide(monkeypatch, "scratchgen.studies.reproduce", run=run)
    assert cli.main(["reproduce", "autoencoder"]) == 2
    assert error_line(capsys) == line


@pytest.mark.parametrize("argv", [["--debug", "reproduce", "x"], ["reproduce", "x", "--debug"]])
def test_debug_shows_the_traceback(checkout, monkeypatch, capsys, argv):
    def run(name, **options):
        raise ValueError("wrong shape")

    provide(monkeypatch, "scratchgen.studies.reproduce", run=run)
    assert cli.main(argv) == 2
    err = capsys.readouterr().err
    assert "Traceback" in err and err.endswith("scratchgen: error: wrong shape\n")


def test_bug_keeps_its_traceback(checkout, monkeypatch):
    def run(name, **options):
        raise KeyError("a bug")

    provide(monkeypatch, "scratchgen.studies.reproduce", run=run)
    with pytest.raises(KeyError):
        cli.main(["reproduce", "autoencoder"])


@pytest.mark.parametrize("text", ["", "interrupted at step 7; --resume continues from there"])
def test_interrupt_exits_130(checkout, monkeypatch, capsys, text):
    def run(name, **options):
        raise KeyboardInterrupt(*[text] * bool(text))

    provide(monkeypatch, "scratchgen.studies.reproduce", run=run)
    assert cli.main(["reproduce", "autoencoder"]) == 130
    assert capsys.readouterr().err == f"scratchgen: {text or 'interrupted'}\n"


def test_training_that_diverged_gets_one_line_and_a_bug_in_arithmetic_none(checkout, monkeypatch, capsys):
    errors = [TrainingDiverged("loss became nan", "encoder.0.weight"), ZeroDivisionError("a bug")]

    def run(name, **options):
        raise errors.pop(0)

    provide(monkeypatch, "scratchgen.studies.reproduce", run=run)
    assert cli.main(["reproduce", "autoencoder"]) == 1
    assert error_line(capsys).startswith("loss became nan: first seen in encoder.0.weight")
    with pytest.raises(ZeroDivisionError):
        cli.main(["reproduce", "autoencoder"])


def test_closed_pipe_is_quiet(tmp_path):
    """As in `scratchgen demo --list | head`: the reader goes before the list is written."""
    (tmp_path / "demos").mkdir()
    (tmp_path / "demos" / "01_a.py").write_text('"""A."""')
    code = "import sys; from scratchgen.cli import main; sys.stdin.read(); sys.exit(main(['demo', '--list']))"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    assert process.stdout is not None and process.stdin is not None and process.stderr is not None
    with process:
        process.stdout.close()
        process.stdin.close()
        errors = process.stderr.read()
    assert (process.returncode, errors) == (1, "")
