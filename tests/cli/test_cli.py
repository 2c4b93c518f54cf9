"""The command `scratchgen`: output, error lines and exit codes."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

import scratchgen
from scratchgen import cli
from scratchgen.checks import check_name
from scratchgen.cli import study
from scratchgen.data import load_digits
from scratchgen.training.loop import TrainingDiverged


def fail_with(monkeypatch, error):
    """Make the command `data` raise an error."""

    def load_digits():
        raise error

    monkeypatch.setattr("scratchgen.data.load_digits", load_digits)


def error_line(capsys):
    """The single line on stderr. Nothing else is on either stream."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("scratchgen: error: ") and err.endswith("\n") and err.count("\n") == 1
    return err.removeprefix("scratchgen: error: ").rstrip("\n")


def exit_code(argv):
    """The exit code of the process, whether main returns it or argparse raises it."""
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
    for command in cli.COMMANDS:
        assert f"\n    {command}" in done.stdout


def test_command_alone_prints_the_help(capsys):
    assert cli.main([]) == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: scratchgen") and "130 interrupted" in out


def test_every_module_with_arguments_is_a_command():
    folder = Path(cli.__file__).parent
    modules = {path.stem for path in folder.glob("*.py") if "def add_arguments" in path.read_text("utf-8")}
    assert modules == set(cli.COMMANDS)
    studies = {path.stem for path in (folder / "studies").glob("*.py")} - {"__init__"}
    assert studies == set(study.STUDIES) and set(cli.ALIASES.values()) <= studies


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_help_of_a_command_names_the_exit_codes(capsys, command):
    assert exit_code([command, "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: scratchgen {command}")
    assert "Exit codes: 0 success; 1 a check failed" in " ".join(out.split())


def test_module_and_version_answer():
    done = subprocess.run(
        [sys.executable, "-m", "scratchgen", "--version"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"scratchgen {scratchgen.__version__}\n", "")


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["demoo"], "unknown command 'demoo'; did you mean 'demo'? Known names: demo, gallery, "),
        (["xyzzy"], "unknown command 'xyzzy'. Known names: demo, gallery, "),
        (["demo"], "demo expected a NAME or --list"),
        (["data", "--wrong"], "unrecognized arguments: --wrong"),
        (["reproduce", "a", "--epochs", "0"], "expected a whole number of at least 1, got '0'"),
        (["reproduce", "a", "--epochs", "1.5"], "expected a whole number of at least 1, got '1.5'"),
        (["compare", "--seconds", "0"], "expected seconds above 0, got '0'"),
        (["compare", "--seconds", "nan"], "expected seconds above 0, got 'nan'"),
        (["study", "compare", "--seconds", "long"], "expected seconds above 0, got 'long'"),
        (["study"], "study expected a NAME or --list"),
        (["study", "reproduce"], "study reproduce expected a NAME, --list or --write-chapter"),
        (["train", "autoencoder", "--code", "ten"], "--code expected a whole number or none, got 'ten'"),
        (["train", "autoencoder", "--epochs", "0"], "expected a whole number of at least 1, got '0'"),
        (["train", "autoencoder", "--size", "9"], "expected HEIGHTxWIDTH such as 28x28, got '9'"),
        (["train", "autoencoder", "--seed", "-1"], "expected a whole number of at least 0, got '-1'"),
        (["train", "autoencoder", "--seed", "1.5"], "expected a whole number of at least 0, got '1.5'"),
    ],
)
def test_arguments_that_are_wrong_get_one_line(capsys, argv, expected):
    assert exit_code(argv) == 2
    assert expected in error_line(capsys)


def test_check_name_suggests_the_nearest():
    assert check_name("layer", "Linear", ["Conv2d", "Linear"]) == "Linear"
    with pytest.raises(ValueError, match=r"'Liner'; did you mean 'Linear'\? Known names: Conv2d, Linear"):
        check_name("layer", "Liner", ["Conv2d", "Linear"])
    with pytest.raises(ValueError, match="unknown layer 'x'. Known names: none"):
        check_name("layer", "x", [])


@pytest.mark.parametrize(
    ("typed", "meant"), [("relu", "ReLU"), ("conv2D", "Conv2d"), ("SILU", "SiLU"), ("vae", "VAE")]
)
def test_check_name_ignores_case(typed, meant):
    with pytest.raises(ValueError, match=rf"unknown layer '{typed}'; did you mean '{meant}'\?"):
        check_name("layer", typed, ["ReLU", "Conv2d", "SiLU", "VAE"])


def test_data_shows_which_digits_are_used(monkeypatch, capsys):
    monkeypatch.setenv("SCRATCHGEN_DATA", "")
    monkeypatch.setattr("scratchgen.data.mnist.cache_folder", lambda: Path("nowhere"))
    assert cli.main(["data"]) == 0
    *source, numbers = capsys.readouterr().out.splitlines()
    assert " ".join(source) == load_digits().source and "MNIST" in source[0]
    assert numbers.endswith(" test digits")


def test_download_prints_where_the_digits_are(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("scratchgen.data.download_digits", lambda folder: folder or "the cache")
    assert cli.main(["download"]) == 0
    assert cli.main(["download", "here"]) == 0
    assert capsys.readouterr().out == "The full MNIST is in the cache\nThe full MNIST is in here\n"


def test_file_in_place_of_a_folder_is_found_before_the_work(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("")
    assert cli.main(["download", "taken/deeper/folder"]) == 2
    line = error_line(capsys)
    assert "cannot write into taken/deeper/folder" in line and "is a file, expected a folder" in line


def test_folder_without_permission_is_found_before_the_work(tmp_path, monkeypatch, capsys):
    """The permission is faked, because root may write anywhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert cli.main(["download", "folder"]) == 2
    assert "cannot write into folder: no permission to write in " in error_line(capsys)
    assert list(tmp_path.iterdir()) == []


def test_output_is_safe_for_a_console_that_is_not_utf_8(monkeypatch):
    bytes_out = io.BytesIO()
    narrow = io.TextIOWrapper(bytes_out, encoding="ascii")
    monkeypatch.setattr(sys, "stdout", narrow)
    monkeypatch.setattr("scratchgen.data.download_digits", lambda folder: "a → b")
    assert cli.main(["download"]) == 0
    narrow.flush()
    assert bytes_out.getvalue() == b"The full MNIST is in a ? b\n"


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
def test_bad_input_becomes_one_line(monkeypatch, capsys, error, line):
    fail_with(monkeypatch, error)
    assert cli.main(["data"]) == 2
    assert error_line(capsys) == line


@pytest.mark.parametrize("argv", [["--debug", "data"], ["data", "--debug"]])
def test_debug_shows_the_traceback(monkeypatch, capsys, argv):
    fail_with(monkeypatch, ValueError("wrong shape"))
    assert cli.main(argv) == 2
    err = capsys.readouterr().err
    assert "Traceback" in err and err.endswith("scratchgen: error: wrong shape\n")


def test_debug_is_an_option_of_each_study(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["study", "reproduce", "x", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_bug_keeps_its_traceback(monkeypatch):
    fail_with(monkeypatch, KeyError("a bug"))
    with pytest.raises(KeyError):
        cli.main(["data"])


@pytest.mark.parametrize("text", ["", "interrupted at step 7; --resume continues from there"])
def test_interrupt_exits_130(monkeypatch, capsys, text):
    fail_with(monkeypatch, KeyboardInterrupt(text) if text else KeyboardInterrupt())
    assert cli.main(["data"]) == 130
    assert capsys.readouterr().err == f"scratchgen: {text or 'interrupted'}\n"


def test_training_that_diverged_gets_one_line_and_a_bug_in_arithmetic_none(monkeypatch, capsys):
    fail_with(monkeypatch, TrainingDiverged("loss became nan", "encoder.0.weight"))
    assert cli.main(["data"]) == 1
    assert error_line(capsys).startswith("loss became nan")
    fail_with(monkeypatch, ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        cli.main(["data"])


def test_closed_pipe_is_quiet(tmp_path):
    """In `scratchgen study --list | head`, `head` may end before the list is written."""
    code = (
        "import sys; from scratchgen.cli import main\n"
        "sys.stdin.read(); sys.exit(main(['study', '--list']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    assert process.stdout is not None and process.stdin is not None and process.stderr is not None
    with process:
        process.stdout.close()
        process.stdin.close()
        errors = process.stderr.read()
    assert (process.returncode, errors) == (141, "")    # not 1, which would mean that a check failed
