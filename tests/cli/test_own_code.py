"""`scratchgen gradcheck FILE.py:NAME` checks a layer or loss of the user in a process of its own."""

import json
import re
import subprocess
import sys
import threading

import pytest

from scratchgen import cli
from scratchgen.cli import own_code

SQUARE = """
import numpy as np
from scratchgen import Layer, Parameter

class Square(Layer):
    def forward(self, x, training=False):
        return x**2, x

    def backward(self, dout, x, input_grad=True):
        return FACTOR * x * dout if input_grad else None
"""
OTHERS = """
class Dense(Layer):
    def __init__(self, inputs: int, outputs: int, *, rng):
        self.weight = Parameter(rng.standard_normal((inputs, outputs)).astype(np.float32))
        self.bias = Parameter(np.zeros(outputs))

    def forward(self, x, training=False):
        return x @ self.weight.value + self.bias.value, x

    def backward(self, dout, x, input_grad=True):
        if self.trainable:
            self.weight.grad += x.T @ dout
            self.bias.grad += dout.mean(axis=0)
        return dout @ self.weight.value.T if input_grad else None

class OnImages(Square):
    @staticmethod
    def example():
        return OnImages(), np.ones((2, 3, 3, 1), np.float32)

class Noise(Layer):
    def __init__(self):
        self.rng = np.random.default_rng(0)

    def forward(self, x, training=False):
        noise = self.rng.standard_normal(x.shape) if training else np.ones_like(x)
        return x * noise, noise

    def backward(self, dout, noise, input_grad=True):
        return dout if input_grad else None

class Raises(Square):
    def backward(self, dout, x, input_grad=True):
        return dout / np.zeros(4)

class NeedsText(Square):
    def __init__(self, name: str):
        self.text = name + "a"

class Exits(Square):
    def backward(self, dout, x, input_grad=True):
        raise SystemExit(0)

class NoLayer:
    pass

def loss(pred, target):
    difference = pred - target
    return (difference**2).sum() / len(pred), difference / len(pred)

def cross_entropy(logits, labels):
    n = np.arange(len(labels))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    value = -np.log(p[n, labels]).mean()
    p[n, labels] -= 1
    return value, p / len(labels)

def likelihood(pred, target):
    return -(target * np.log(pred)).sum(), -target / pred

def only_value(pred, target):
    return ((pred - target)**2).sum()

def of_each_example(pred, target):
    return ((pred - target)**2).sum(axis=1), 2 * (pred - target)

def example_likelihood():
    return np.full((3, 2), 0.5), np.ones((3, 2))
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "my_layer.py"
    path.write_text(SQUARE.replace("FACTOR", "2") + OTHERS, encoding="utf-8")
    return path


@pytest.fixture
def check(file, capsys, monkeypatch):
    """A function (name, *options) -> exit code, output, errors, without a new process."""

    def run(name, *options):
        monkeypatch.setattr(own_code, "start_timer", lambda *args: None)
        monkeypatch.setattr("sys.path", [*sys.path])
        code = own_code.main([f"{file}:{name}", "--timeout=60", "--width=80", *options])
        return code, *capsys.readouterr()

    return run


def test_right_layer_passes(check):
    code, out, err = check("Square")
    assert (code, err) == (own_code.PASSED, "")
    lines = out.splitlines()
    assert lines[0] == "Square with an input of shape (7, 5)" and lines[-1] == "checks: 6, failed: 0"


def test_example_of_the_readme_with_a_wrong_factor_is_diagnosed(file, capfd):
    """In a process of its own."""
    file.write_text(SQUARE.replace("FACTOR", "3"), encoding="utf-8")
    assert cli.main(["gradcheck", f"{file}:Square"]) == 1
    out, err = capfd.readouterr()
    assert err == "" and "checks: 6, failed: 1" in out
    assert "A constant factor: every entry is 1.5 = 3/2 times what it should be." in out
    assert max(map(len, out.splitlines())) <= 80


def test_arguments_of_the_constructor_are_filled_in(check):
    """Parameters in float32 are checked in float64."""
    code, out, _ = check("Dense", "--input=6,4")
    assert code == own_code.FAILED
    assert "weight                                 4×3" in out
    assert "divided by the batch size N (6) once too often" in " ".join(out.split())


def test_example_of_the_class_is_used_unless_there_is_an_input(check):
    assert check("OnImages")[1].startswith("OnImages with an input of shape (2, 3, 3, 1)\n")
    assert check("OnImages", "--input=2,3")[1].startswith("OnImages with an input of shape (2, 3)\n")


def test_training_mode_is_checked_if_it_differs(check):
    code, out, _ = check("Noise")
    assert code == own_code.FAILED
    assert "  input  " in out and "  training: input  " in out
    assert "This is the gradient of forward with training=False" in " ".join(out.split())


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("loss", own_code.FAILED, "every entry is half of what it should be"),
        ("cross_entropy", own_code.PASSED, "integer labels"),
        ("likelihood", own_code.PASSED, "its own example"),
    ],
)
def test_loss_is_checked(check, name, code, says):
    found, out, err = check(name)
    assert (found, err) == (code, "") and says in " ".join(out.split())


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("Raises", own_code.FAILED, "Raises: ValueError: operands could not be broadcast"),
        ("Raises", own_code.FAILED, "(my_layer.py, line {dout / np}, in backward)"),
        ("Exits", own_code.FAILED, "it called exit(0) (my_layer.py, line {SystemExit}, in backward)"),
        ("NeedsText", own_code.REFUSED, "its constructor raised TypeError"),
        ("NeedsText", own_code.REFUSED, "write a staticmethod example() that returns (layer, x)"),
        ("only_value", own_code.REFUSED, "error: only_value expected to return (loss, dpred), got float64\n"),
        ("of_each_example", own_code.REFUSED, "expected the loss to be one number, got shape (7,)\n"),
        ("NoLayer", own_code.REFUSED, "NoLayer expected scratchgen.Layer as its base class"),
        ("Sqare", own_code.REFUSED, "did you mean 'Square'?"),
    ],
)
def test_layer_that_cannot_be_checked_is_reported_in_one_line(check, file, name, code, says):
    """The number of a line is that of the line with the words in braces."""
    lines = file.read_text(encoding="utf-8").splitlines()
    says = re.sub(r"\{(.*)\}", lambda m: str(next(i for i, t in enumerate(lines, 1) if m[1] in t)), says)
    found, out, err = check(name)
    assert (found, out) == (code, "") and says in err
    assert err.startswith("scratchgen: error: ") and err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("class Square(:\n", "SyntaxError"),
        ("import nowhere\n", "(my_layer.py, line 1, in <module>)"),
        ("\0", "null bytes"),
    ],
)
def test_file_that_cannot_be_run_is_reported_in_one_line(check, file, text, says):
    file.write_text(text, encoding="utf-8")
    code, out, err = check("Square")
    assert (code, out) == (own_code.FAILED, "") and says in err and err.count("\n") == 1
    assert "None" not in err


def test_directory_is_not_called_missing(file, check):
    file.unlink()
    file.mkdir()
    code, out, err = check("Square")
    assert (code, out) == (own_code.REFUSED, "") and err.endswith("a directory, not a Python file\n")


LOOP = "import time\n        while True: time.sleep(0.01)"


@pytest.mark.parametrize(
    ("body", "limit", "grace", "says"),
    [
        (LOOP, "0.5", 600.0, "did not finish within 0.5 s"),      # the process ends itself
        (LOOP, "600", -599.5, "did not finish within 600 s"),     # it is ended
        ("import os; os._exit(0)", "600", 0.0, "ended its process, with exit code 0, before it was checked"),
    ],
)
def test_endless_loop_and_end_of_the_process_are_reported(
    file, capfd, monkeypatch, body, limit, grace, says
):
    monkeypatch.setattr("scratchgen.cli.apart.GRACE", grace)
    text = SQUARE.replace("return FACTOR * x * dout if input_grad else None", body)
    file.write_text(text, encoding="utf-8")
    assert cli.main(["gradcheck", f"{file}:Square", "--timeout", limit]) == 1
    out, err = capfd.readouterr()
    assert out == "" and err.startswith(f"scratchgen: error: {file}:Square") and says in err
    assert err.count("\n") == 1


def test_line_that_an_endless_loop_is_in_is_named(tmp_path):
    path = tmp_path / "loops.py"
    text = "def backward(started, end):\n    started.set()\n    while not end.wait():\n        pass\n"
    path.write_text(text)
    names: dict = {}
    exec(compile(path.read_text(), str(path), "exec"), names)
    started, end = threading.Event(), threading.Event()
    thread = threading.Thread(target=names["backward"], args=(started, end))
    thread.start()
    started.wait()
    found = own_code.place(thread.ident, path)
    end.set()
    thread.join()
    assert re.fullmatch(r"; it was in loops\.py, line [23], in backward", found)
    assert own_code.place(threading.get_ident(), path) == ""


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere.py:A"], "nowhere.py: no such file"),
        (["my_layer.py"], "expected FILE.py:NAME, with the name of a layer or loss"),
        (["my_layer.py:Square", "Linear"], "either names of the library or FILE.py:NAME, got both"),
        (["my_layer.py:Square", "my_layer.py:Dense", "--plot", "v.png"], "--plot expected one FILE.py:NAME"),
        (["my_layer.py:Square", "--plot", "v.xyz"], "ends in .png, .svg or .pdf"),
        (["Linear", "--input", "3,4"], "--input expected FILE.py:NAME"),
    ],
)
def test_bad_arguments_are_refused_before_any_check(file, monkeypatch, capsys, words, says):
    monkeypatch.chdir(file.parent)
    assert cli.main(["gradcheck", *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and says in err


@pytest.mark.parametrize("text", ["x", "3,", "0,4", "-1,2", "²"])
def test_shape_that_is_none_is_refused(capsys, text):
    with pytest.raises(SystemExit):
        cli.main(["gradcheck", "a.py:A", f"--input={text}"])
    assert "expected a shape such as 7,5" in capsys.readouterr().err


def test_checker_does_not_import_slow_packages(file):
    """A small layer is checked within a second; Numba and Matplotlib alone take longer to load."""
    code = (
        "import sys; from scratchgen.cli import own_code\n"
        f"code = own_code.main([{str(file)!r} + ':Square', '--timeout=60', '--width=80'])\n"
        "assert code == own_code.PASSED\n"
        "print([m for m in ('numba', 'matplotlib', 'sklearn', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.slow
def test_plot_of_your_own_layer_is_saved(check, tmp_path):
    path = tmp_path / "v.png"
    code, out, err = check("Square", "--input=3,2", f"--plot={path}")
    assert (code, err) == (own_code.PASSED, "") and path.read_bytes().startswith(b"\x89PNG")
    assert out.endswith(f"error against step size: {path}\n")
    code, _, err = check("loss", f"--plot={path}")
    assert code == own_code.REFUSED and "--plot expected a layer" in err


def test_checks_as_json(file, capfd):
    """One object for all targets, without what the file prints; a target that cannot be checked is named."""
    file.write_text(SQUARE.replace("FACTOR", "3") + OTHERS + "\nprint('hello')\n", encoding="utf-8")
    words = ["gradcheck", f"{file}:Square", f"{file}:Raises", f"{file}:loss", "--json"]
    assert cli.main(words) == 1
    out, err = capfd.readouterr()
    found = json.loads(out)
    assert found["not_checked"] == [f"{file}:Raises"] and found["cases"] == 2
    wrong = [check for check in found["checks"] if check["verdict"] == "FAIL"]
    assert len(wrong) == found["failed"]
    assert {check["case"] for check in wrong} == {f"{file}:Square", f"{file}:loss"}
    assert "every entry is 1.5 = 3/2 times what it should be" in wrong[0]["explanation"]
    assert wrong[0]["what"] == "input" and wrong[0]["shape"] == [7, 5]
    assert "Raises: ValueError" in err and err.count("hello") == 3


def test_matrix_product_of_sequences_is_explained(file, capfd):
    """The message of NumPy has only sizes; the shapes and what to do follow."""
    assert cli.main(["gradcheck", f"{file}:Dense", "--input", "2,4,5"]) == 1
    out, err = capfd.readouterr()
    assert out == "" and err.count("\n") == 1 and "ValueError: matmul" in err
    assert "Dense.backward was given an array of shape (2, 4, 3) and an array of shape (2, 4, 5)" in err
    assert "x.reshape(-1, x.shape[-1]).T @ dout.reshape(-1, dout.shape[-1])" in err
