"""The examples of the live page "backprop": small models, their numbers, and the lines of one step."""

from __future__ import annotations

import ast
from typing import Any, NamedTuple

import numpy as np

from scratchgen import losses
from scratchgen.layers import BatchNorm, Linear, ReLU, Sequential, SiLU, Tanh
from scratchgen.models.vae import VAE
from scratchgen.trace.equations import applicable, equation
from website.backprop.expressions import tree
from website.backprop.walk import Line, Walk

ACTIVATIONS = {"ReLU": ReLU, "tanh": Tanh, "SiLU": SiLU}
LOSSES = {"squared error": losses.squared_error, "cross-entropy": losses.bce_with_logits}
RENAMED = {
    ("batch_norm", "out"): "n1",
    ("batch_norm_backward", "dx"): "dh1",
    ("bce_with_logits", "nll"): "nll_terms",
}
# Two gradients are computed in other units: what the gradient of the loss is divided by.
UNITS = {"dvar": "inv ** 2", "dxc": "inv"}
# Gradients of something other than the loss: gradient -> (what it is the gradient of, of which variable).
OF_OTHERS = {"dkl_dlogvar": ("kl * len(x)", "logvar")}
STARTS = "The loss function returns this gradient together with the loss. The backward pass starts here."
NOTES = {
    "mean": "The source adds the rounding error back in a second statement, which is left out here.",
    "small": "At most 1, so nothing overflows.",
    "dvar": "The code computes dvar and dxc in units of 1/inv, so that inv³ does not underflow. So the "
    "finite differences are divided by inv².",
    "dxc": "As dvar, in units of 1/inv. The finite differences are divided by inv.",
    "dpred": STARTS,
    "dlogits": STARTS,
    "z": "All randomness is in eps: with eps fixed, z is an ordinary function of mu and std.",
    "dz": "The gradient of the decoder's input.",
    "dmu": "mu is used twice, in z and in the KL: two terms.",
    "dlogvar": "logvar is used twice, in z (through std) and in the KL: two terms.",
    "dkl_dlogvar": "The gradient of the KL alone, summed over the examples. It is compared with differences "
    "of kl·N.",
    "dx": "Nothing is trained here, but a layer before this one would need it.",
}


class Program(NamedTuple):
    """One step of a small model.

    inputs : the arrays and numbers that are given: name -> value
    parameters : the names of those that are trained
    lines : in the order of the code
    values : what each line computes, by name, for these inputs
    """

    inputs: dict[str, Any]
    parameters: tuple[str, ...]
    lines: list[Line]
    values: dict[str, Any]
    model: Any


def rounded(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> np.ndarray:
    """Normal numbers with one decimal, so that they can be read and typed."""
    return np.round(scale * rng.standard_normal(shape), 1)


def two_layers(activation: str, loss: str, batch_norm: bool = False, **given: np.ndarray) -> Program:
    """Linear, an activation, Linear and a loss; with batch norm after the first Linear.

    given : values that replace those of the example, by the page's name of the variable
    """
    rng = np.random.default_rng(409)    # ReLU passes some of each unit's numbers, and none is at the kink
    first, second = (Linear(a, b, rng=rng, dtype=np.float64) for a, b in ((2, 3), (3, 2)))
    norm, act = BatchNorm(3, dtype=np.float64), ACTIVATIONS[activation]()
    normed = {norm.weight: "weight", norm.bias: "bias"} if batch_norm else {}
    parameters = {first.weight: "W1", first.bias: "b1", **normed, second.weight: "W2", second.bias: "b2"}
    for parameter in parameters:
        parameter.value[...] = rounded(rng, *parameter.shape)
    x, target = rounded(rng, 3, 2), rounded(rng, 3, 2)
    if loss == "cross-entropy":
        target = (target > 0).astype(np.float64)
    inputs = {"x": x, "target": target, **({"eps": norm.eps} if batch_norm else {})}
    net = Sequential(first, *([norm] if batch_norm else []), act, second)
    outputs = {first: "h1", norm: "n1", act: "a1", second: "logits" if loss == "cross-entropy" else "pred"}
    walk = Walk(parameters=parameters, outputs=outputs, attributes={(norm, "eps"): "eps"}, renamed=RENAMED)
    start = _start(walk, inputs, parameters, given)
    norm.eps = float(inputs.get("eps", norm.eps))
    out, cache = walk.run(net.forward, start["x"], True)
    _, dout = walk.run(LOSSES[loss], out, start["target"], results=("loss", "dout"))
    walk.run(net.backward, dout, cache)
    return Program(inputs, tuple(parameters.values()), walk.lines, walk.values, net)


def vae(activation: str, **given: np.ndarray) -> Program:
    """One step of a VAE with four Bernoulli pixels and two latent dimensions; `given` as for two_layers."""
    rng = np.random.default_rng(550)    # as above
    model = VAE.dense((4, 3, 2), rng=rng, activation=ACTIVATIONS[activation], dtype=np.float64)
    e1, ea, e2 = model.encoder.layers
    d1, da, d2 = model.decoder.layers
    parameters = {}
    for name, layer in (("e1", e1), ("e2", e2), ("d1", d1), ("d2", d2)):
        parameters |= {layer.weight: f"W{name}", layer.bias: f"b{name}"}
    for parameter in parameters:
        parameter.value[...] = rounded(rng, *parameter.shape, scale=0.7)
    x = (rng.random((3, 4)) < 0.5).astype(np.float64)
    inputs = {"x": x, "eps": rounded(rng, 3, 2), "beta": model.beta}
    outputs = {e1: "he", ea: "ae", e2: "h", d1: "hd", da: "ad", d2: "logits"}
    walk = Walk(parameters=parameters, outputs=outputs, attributes={(model, "beta"): "beta"}, renamed=RENAMED)
    start = _start(walk, inputs, parameters, given)
    model.beta = float(inputs["beta"])
    _, cache = walk.run(model.loss, start["x"], eps=start["eps"], training=True)
    walk.run(model.backward, cache)
    return Program(inputs, tuple(parameters.values()), walk.lines, walk.values, model)


def _start(
    walk: Walk, inputs: dict[str, Any], parameters: dict[Any, str], given: dict[str, Any]
) -> dict[str, Any]:
    """Add the parameters to the inputs, replace the values that are given, and define all on the page."""
    for parameter, name in parameters.items():
        parameter.value[...] = given.get(name, parameter.value)
        inputs[name] = parameter.value.copy()
    inputs |= given
    return {name: walk.define(name, value) for name, value in inputs.items()}


def programs() -> dict[tuple[str, str, str], Program]:
    """All examples: (model, activation, loss) -> Program. The loss of the VAE is its own."""
    found = {}
    for activation in ACTIVATIONS:
        for loss in LOSSES:
            found["two layers", activation, loss] = two_layers(activation, loss)
            found["batch norm", activation, loss] = two_layers(activation, loss, batch_norm=True)
        found["VAE", activation, ""] = vae(activation)
    return found


# What the page needs of a program.


def described(program: Program) -> dict[str, Any]:
    """A program as JSON: its inputs, and its lines, forward and then backward."""
    lines = sorted(program.lines, key=lambda line: is_backward(line, program))
    return {
        "inputs": {name: np.asarray(value).tolist() for name, value in program.inputs.items()},
        "parameters": program.parameters,
        "limits": limits(program),
        "lines": [_line(line, program) for line in lines],
    }


def is_backward(line: Line, program: Program) -> bool:
    """Whether a line computes gradients."""
    return all(gradient_of(name, program) is not None for name in line.names)


def gradient_of(name: str, program: Program) -> dict[str, Any] | None:
    """Of which variable `name` is the gradient, and how it is checked; None if it is not a gradient.

    of : the tree of the number whose gradient it is
    wrt : the variable
    unit : the tree of the unit in which the code computes it
    """
    if name in OF_OTHERS:
        of, wrt = OF_OTHERS[name]
        return {"of": _tree(of), "wrt": wrt, "unit": 1}
    if name[:1] == "d" and name[1:] in program.values:
        return {"of": "loss", "wrt": name[1:], "unit": _tree(UNITS.get(name, "1"))}
    return None


def limits(program: Program) -> dict[str, list[float]]:
    """The range of the inputs that may not be any number."""
    found = {"beta": [0, 100]} if "beta" in program.inputs else {"eps": [1e-8, 10]}
    targets = "target" if "target" in program.inputs else "x"
    return found | ({targets: [0, 1]} if "logits" in program.values else {})


def code_of(line: Line) -> str:
    """The line as Python code."""
    values = [ast.unparse(e) for e in line.expressions]
    if all(isinstance(e, ast.Subscript) for e in line.expressions):
        values = [ast.unparse(line.expressions[0].value)]   # type: ignore[attr-defined]  # np.split(…)
    return f"{', '.join(line.names)} {'+=' if line.adds else '='} {', '.join(values)}"


def _line(line: Line, program: Program) -> dict[str, Any]:
    classes = {"Normal", *(type(m).__name__ for m in program.model.modules())}
    numbered = applicable((equation(n, line.statement.file) for n in line.numbers), classes)
    notes = [NOTES[name] for name in line.names if name in NOTES]
    gradients = {name: gradient_of(name, program) for name in line.names}
    return {
        "code": code_of(line),
        "assigns": [[name, tree(e)] for name, e in zip(line.names, line.expressions, strict=True)],
        "equations": [e.number for e in numbered],
        "where": line.where,
        "place": line.statement.place,
        "source": line.statement.code.partition("  #")[0].strip(),
        "note": " ".join(dict.fromkeys(notes)),
        "gradients": {name: found for name, found in gradients.items() if found},
        "backward": is_backward(line, program),
    }


def _tree(code: str) -> Any:
    return tree(ast.parse(code, mode="eval").body)


def data() -> dict[str, Any]:
    """What the page shows: the programs, and the equations that they use."""
    found = programs()
    described_programs = [
        {"model": model, "activation": activation, "loss": loss, **described(program)}
        for (model, activation, loss), program in found.items()
    ]
    numbers = {n for p in described_programs for line in p["lines"] for n in line["equations"]}
    return {"programs": described_programs, "equations": {n: _equation(n) for n in sorted(numbers)}}


def _equation(number: str) -> dict[str, str]:
    found = equation(number, "")
    chapter = found.chapter.removeprefix("docs/").removesuffix(".md")
    return {"formula": found.formula, "remark": found.remark, "chapter": chapter}
