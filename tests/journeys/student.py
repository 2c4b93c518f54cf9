"""A student writes a layer with a mistake, has it explained, and does an exercise.

    python tests/journeys/student.py
"""

import numpy as np
from shell import Shell, run

import scratchgen

MY_LAYER = """
import numpy as np
from scratchgen import Layer, Parameter


class MyDense(Layer):
    def __init__(self, inputs: int, outputs: int, *, rng):
        self.weight = Parameter(rng.normal(size=(inputs, outputs)))
        self.bias = Parameter(np.zeros(outputs))

    def forward(self, x, training=False):
        return x @ self.weight.value + self.bias.value, x

    def backward(self, dout, x, input_grad=True):
        if self.trainable:
            self.weight.grad += x.T @ dout
            self.bias.grad += dout.mean(axis=0)
        return dout @ self.weight.value.T if input_grad else None
"""


def journey(shell: Shell) -> None:
    explain_a_wrong_gradient(shell)
    get_to_know_the_contract(shell)
    do_an_exercise(shell)


def explain_a_wrong_gradient(shell: Shell) -> None:
    """The gradient of the bias is a mean instead of a sum. The check says where and what."""
    shell.write("my_layer.py", MY_LAYER)
    wrong = shell("gradcheck my_layer.py:MyDense", code=1)
    assert "bias 3 " in wrong.words and "FAIL" in wrong.words
    assert "The worst is bias[0]: backward gives" in wrong.words and "differences give" in wrong.words
    assert "every entry is 1/7 of what it should be: divided by the batch size N (7)" in wrong.words

    shell.write("my_layer.py", MY_LAYER.replace("dout.mean(axis=0)", "dout.sum(axis=0)"))
    assert shell("gradcheck my_layer.py:MyDense").out.splitlines()[-1] == "checks: 8, failed: 0"

    # On sequences, x.T has all axes reversed. NumPy's message has two sizes; the shapes and a way out follow.
    sequences = shell("gradcheck my_layer.py:MyDense --input 2,4,5", code=1)
    assert "given an array of shape (2, 4, 3) and an array of shape (2, 4, 5)" in sequences.err
    assert "x.reshape(-1, x.shape[-1]).T @ dout.reshape(-1, dout.shape[-1])" in sequences.err


def get_to_know_the_contract(shell: Shell) -> None:
    """The cache is passed by hand, and may be forgotten."""
    layer = scratchgen.Linear(4, 3, rng=0)
    x = np.ones((2, 4), np.float32)
    out, cache = layer.forward(x)
    assert layer.backward(np.ones_like(out), cache).shape == x.shape
    for forgotten, message in (
        (lambda: layer.backward(out, None), "Linear.backward expected the cache that forward returned"),
        (lambda: layer(x), "Linear cannot be called; use out, cache = layer.forward(x)"),
    ):
        try:
            forgotten()
        except TypeError as error:
            assert message in str(error), error
        else:
            raise AssertionError("expected a TypeError")


def do_an_exercise(shell: Shell) -> None:
    """Three blanks: a hint, a wrong answer, the right answers."""
    shell("exercise linear")
    text = shell.path("linear.py").read_text(encoding="utf-8")
    assert "as a sum" in shell("exercise --hint linear").words

    answers = {"LIN.2": "rows(x).T @ rows(dout)", "LIN.3": "rows(dout).sum(axis=0)", "LIN.4": "dout @ weight"}
    for number, answer in answers.items():
        text = text.replace(f'blank("{number}")', answer)
    shell.write("linear.py", text)
    checked = shell("exercise --check linear.py", code=1)
    assert "(LIN.2): right (LIN.3): right (LIN.4): wrong" in checked.words
    assert "a hint: scratchgen exercise --hint LIN.4" in checked.words

    shell.write("linear.py", text.replace("dout @ weight\n", "dout @ weight.T\n"))
    assert "linear: all 3 equations are right solved: 1 of" in shell("exercise --check linear.py").words
    assert shell("exercise --list --json").json["exercises"]["linear"]["solved"]


if __name__ == "__main__":
    run(journey)
