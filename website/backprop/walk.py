"""Walk through the source of a step, and collect the lines that compute something.

The walk goes through the functions as Python would: into the layers, past the checks, along the branch that
is taken. Arrays are `Quantity` objects, which know their expression and their value. A function that only
returns an expression is inserted into the line that calls it, so the walk through `Linear.forward` gives one
line, ``h1 = x @ W1 + b1``.
"""

from __future__ import annotations

import ast
import inspect
import sys
from types import MethodType
from typing import Any, NamedTuple

from scratchgen.exercises.source import find, read
from scratchgen.layers import Layer
from scratchgen.module import Module, Parameter
from scratchgen.trace.equations import equation
from scratchgen.trace.statements import Statement, statements
from website.backprop.expressions import Quantity, binary
from website.backprop.values import Expressions, Frame

ROUNDING = {"mean"}                     # a second statement adds the rounding error of the first


class Line(NamedTuple):
    """A line of the step.

    where : the layer or function that it belongs to
    names, expressions : what it computes: variables of the page, and an expression for each
    statement : of the source, with file and line
    numbers : of its equations
    adds : whether it adds to the gradient of a parameter
    """

    where: str
    names: tuple[str, ...]
    expressions: tuple[ast.expr, ...]
    statement: Statement
    numbers: tuple[str, ...]
    adds: bool = False


class Returned(Exception):
    """A function has returned this value."""

    def __init__(self, value: Any, statement: ast.stmt):
        super().__init__()
        self.value, self.statement = value, statement


class Walk(Expressions):
    """Walk through functions and methods, and collect lines.

    parameters : the page's name of each trainable parameter
    outputs : the page's name of the output of each layer
    attributes : the page's name of numbers that are attributes, such as "beta" of a VAE
    renamed : the page's names of local variables, by (function, variable); the others keep their names
    """

    def __init__(
        self,
        *,
        parameters: dict[Parameter, str],
        outputs: dict[Layer, str],
        attributes: dict[tuple[Module, str], str],
        renamed: dict[tuple[str, str], str],
    ):
        super().__init__(parameters, attributes)
        self.outputs = {id(layer): name for layer, name in outputs.items()}
        self.inputs: dict[int, Quantity] = {}
        self.renamed = renamed
        self.values: dict[str, Any] = {}
        self.lines: list[Line] = []

    def define(self, name: str, value: Any) -> Quantity:
        """A variable of the page that is given and not computed."""
        self.values[name] = value
        return Quantity.named(name, value)

    # Functions

    def run(self, function: Any, *arguments: Any, results: tuple[str, ...] = (), **keywords: Any) -> Any:
        """What the function returns; its lines are collected.

        results : the page's names of the values that are returned
        """
        owner = function.__self__ if isinstance(function, MethodType) else None
        plain = inspect.unwrap(function.__func__ if owner is not None else function)
        source = read(plain.__module__)
        node = find(source, plain.__qualname__)
        bound = inspect.signature(function).bind(*arguments, **keywords)
        bound.apply_defaults()
        variables = dict(bound.arguments)
        if owner is not None:
            variables["self"] = owner
        module = sys.modules[plain.__module__]
        file, name, where = str(module.__file__), plain.__name__, plain.__qualname__
        frame = Frame(variables, vars(module), file, name, where, owner)
        is_layer = isinstance(owner, Layer) and id(owner) in self.outputs
        if is_layer and plain.__name__ == "forward":
            self.inputs[id(owner)] = variables["x"]
        try:
            self._block(node.body, frame)
        except Returned as returned:
            if is_layer:
                return self._named_result(owner, plain.__name__, returned, frame)
            if results:
                return self._assign(list(results), list(returned.value), returned.statement, frame)
            return returned.value
        return None

    def _named_result(self, layer: Layer, method: str, returned: Returned, frame: Frame) -> Any:
        """The output of a layer, or the gradient of its input, under the page's name of it."""
        if method == "forward":
            out, cache = returned.value
            name = self.outputs[id(layer)]
            named = self._assign([name], [out], returned.statement, frame)[0]
            return named, _replaced(cache, out, named)
        if returned.value is None:
            return None
        name = f"d{self.inputs[id(layer)]}"
        return self._assign([name], [returned.value], returned.statement, frame)[0]

    # Statements

    def _block(self, body: list[ast.stmt], frame: Frame) -> None:
        for statement in body:
            self._statement(statement, frame)

    def _statement(self, node: ast.stmt, frame: Frame) -> None:
        match node:
            case ast.Expr(value=ast.Constant()):
                pass
            case ast.Raise():
                raise ValueError(f"{frame.file}:{node.lineno}: the example is not accepted")
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=target, attr="add_grad"), args=[a, b])):
                product = binary(ast.MatMult(), self._of(a, frame), self._of(b, frame))
                self._add_to(self._of(target, frame), product, node, frame)
            case ast.Expr(value=value):
                self._of(value, frame)
            case ast.AugAssign(target=ast.Attribute(value=parameter, attr="grad"), op=ast.Add(), value=value):
                self._add_to(self._of(parameter, frame), self._of(value, frame), node, frame)
            case ast.AugAssign(target=ast.Name(id=name), op=ast.Add()) if name in ROUNDING:
                pass
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                page = self._page_name(name, frame)
                frame.variables[name] = self._assign([page], [self._of(value, frame)], node, frame)[0]
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=value):
                names = [t.id for t in targets if isinstance(t, ast.Name)]
                found = list(self._of(value, frame))
                pages = [self._page_name(name, frame) for name in names]
                frame.variables.update(zip(names, self._assign(pages, found, node, frame), strict=True))
            case ast.If(test=test, body=body, orelse=orelse):
                self._block(body if self._truth(test, frame) else orelse, frame)
            case ast.For(target=target, iter=iterable, body=body):
                for value in self._of(iterable, frame):
                    self._bind(target, value, frame)
                    self._block(body, frame)
            case ast.Return(value=value):
                raise Returned(None if value is None else self._of(value, frame), node)
            case _:
                raise NotImplementedError(f"{frame.file}:{node.lineno}: {ast.unparse(node)}")

    def _bind(self, target: ast.expr, value: Any, frame: Frame) -> None:
        assert isinstance(target, ast.Name), ast.unparse(target)
        frame.variables[target.id] = value

    def _page_name(self, local: str, frame: Frame) -> str:
        """The page's name of a local variable; "out" of a layer is the name of its output."""
        if local == "out" and frame.function == "forward" and id(frame.owner) in self.outputs:
            return self.outputs[id(frame.owner)]
        return self.renamed.get((frame.function, local), local)

    def _assign(self, names: list[str], values: list[Any], node: ast.stmt, frame: Frame) -> list[Any]:
        """Give page names to the expressions among the values, in one line. Other values stay as they are."""
        own = statements(frame.file)[node.lineno]
        fresh = {
            name: value
            for name, value in zip(names, values, strict=True)
            if isinstance(value, Quantity) and value.name is None and not value.is_constant
        }
        if not fresh:
            for value in values:
                if isinstance(value, Quantity) and value.name is not None:
                    self._number(value.name, own, frame)
            return values
        parts = list(fresh.values())
        file, line = parts[0].origin or (frame.file, node.lineno)
        computed = {v.name for v in values if isinstance(v, Quantity) and v.name is not None}
        elsewhere = {n for name in computed for n in self._number(name, own, frame)}
        numbers = [n for n in own.numbers if n not in elsewhere]
        numbers += [n for part in parts for n in part.numbers]
        pages = tuple(self._unused(name) for name in fresh)
        nodes = tuple(part.node for part in parts)
        statement = statements(file)[line]
        self.lines.append(Line(frame.where, pages, nodes, statement, tuple(dict.fromkeys(numbers))))
        for page, part in zip(pages, parts, strict=True):
            self.values[page] = part.value
        renamed = dict(zip(fresh, pages, strict=True))
        return [
            Quantity.named(renamed[name], value.value) if name in renamed else value
            for name, value in zip(names, values, strict=True)
        ]

    def _unused(self, name: str) -> str:
        if name not in self.values:
            return name
        return next(f"{name}{i}" for i in range(2, 100) if f"{name}{i}" not in self.values)

    def _number(self, name: str, statement: Statement, frame: Frame) -> list[str]:
        """Add to the line that computes `name` the statement's equations whose left side is this name."""
        left = {n: equation(n, frame.file).formula.partition("=")[0].strip() for n in statement.numbers}
        more = [n for n in statement.numbers if left[n] == name]
        for i, line in enumerate(self.lines):
            if name in line.names:
                self.lines[i] = line._replace(numbers=tuple(dict.fromkeys([*more, *line.numbers])))
        return more

    def _add_to(self, parameter: Parameter, value: Quantity, node: ast.stmt, frame: Frame) -> None:
        name = "d" + self.parameters[id(parameter)]
        (result,) = self._assign([name], [value], node, frame)
        if result.name != name:
            raise ValueError(f"expected {name}, the gradient of a parameter, got {result}")
        self.lines = [line._replace(adds=line.adds or name in line.names) for line in self.lines]


def _replaced(value: Any, old: Any, new: Any) -> Any:
    """A cache in which the output of the layer has its name."""
    if value is old:
        return new
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return tuple(_replaced(v, old, new) for v in value)
    if isinstance(value, tuple):
        return value._replace(**{f: _replaced(getattr(value, f), old, new) for f in value._fields})
    return value
