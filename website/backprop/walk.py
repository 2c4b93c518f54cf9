"""Walk through the source of a step, and collect the lines that compute something.

The walk goes through the functions as Python would: into the layers, past the checks, along the branch that is
taken. Arrays are `Quantity` objects, which know their expression and their value. A function that only returns
an expression is inserted into the line that calls it, so the walk through `Linear.forward` ends with one line,
``h1 = x @ W1 + b1``.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import operator
import sys
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any, NamedTuple

import numpy as np

from scratchgen.exercises.source import find, read
from scratchgen.layers import Layer
from scratchgen.module import Module, Parameter
from scratchgen.trace.equations import equation
from scratchgen.trace.statements import Statement, statements
from website.backprop.expressions import Quantity, as_quantity, binary, call, evaluate, joined

COMPARISONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Is: operator.is_, ast.IsNot: operator.is_not, ast.Eq: operator.eq, ast.NotEq: operator.ne,
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip
SKIPPED = {
    "_update_running_statistics",       # nothing in this step depends on them
    "_labels", "_prior_backward",       # a plain VAE has none
}  # fmt: skip
SAME = {"rows", "float", "asarray"}     # return their first argument, for arrays with two axes
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


class Frame(NamedTuple):
    """A function that is being walked through: its variables, its module, and the object of a method."""

    variables: dict[str, Any]
    globals: dict[str, Any]
    file: str
    function: str
    where: str
    owner: Any


class Walk:
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
        self.parameters = {id(p): name for p, name in parameters.items()}
        self.outputs = {id(layer): name for layer, name in outputs.items()}
        self.inputs: dict[int, Quantity] = {}
        self.attributes = {(id(owner), name): page for (owner, name), page in attributes.items()}
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
        frame = Frame(variables, vars(module), str(module.__file__), plain.__name__, plain.__qualname__, owner)
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
        return self._assign(["d" + str(self.inputs[id(layer)])], [returned.value], returned.statement, frame)[0]

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
        self.lines.append(Line(frame.where, pages, nodes, statements(file)[line], tuple(dict.fromkeys(numbers))))
        for page, part in zip(pages, parts, strict=True):
            self.values[page] = part.value
        renamed = dict(zip(fresh, pages, strict=True))
        return [
            Quantity.named(renamed[n], v.value) if n in renamed else v for n, v in zip(names, values, strict=True)
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

    # Expressions

    def _truth(self, test: ast.expr, frame: Frame) -> bool:
        value = self._of(test, frame)
        return bool(value.value if isinstance(value, Quantity) else value)

    def _of(self, node: ast.expr, frame: Frame) -> Any:
        """The value of an expression: a Quantity for an array, a tuple or list of values, or any object."""
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                if name in frame.variables:
                    return frame.variables[name]
                return frame.globals[name] if name in frame.globals else getattr(builtins, name)
            case ast.Tuple(elts=elts):
                return tuple(self._of(e, frame) for e in elts)
            case ast.Dict(values=values):
                return [self._of(v, frame) for v in values]
            case ast.List(elts=elts):
                return [self._of(e, frame) for e in elts]
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self._of(body if self._truth(test, frame) else orelse, frame)
            case ast.BoolOp(op=op, values=values):
                stop = isinstance(op, ast.Or)
                return next((stop for v in values if self._truth(v, frame) is stop), not stop)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return not self._truth(operand, frame)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                value = self._of(operand, frame)
                if not isinstance(value, Quantity):
                    return -value
                return joined(ast.UnaryOp(ast.USub(), value.node), -value.value, value)
            case ast.BinOp(left=left, op=op, right=right):
                a, b = self._of(left, frame), self._of(right, frame)
                if isinstance(a, Quantity) or isinstance(b, Quantity):
                    return binary(op, a, b)
                return evaluate(ast.BinOp(ast.Name("a", ast.Load()), op, ast.Name("b", ast.Load())), a=a, b=b)
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return self._compared(self._of(left, frame), op, self._of(right, frame))
            case ast.Attribute(value=value, attr=name):
                return self._attribute(self._of(value, frame), name)
            case ast.Subscript(value=value, slice=index):
                return self._item(self._of(value, frame), index, frame)
            case ast.Call():
                return self._call(node, frame)
        raise NotImplementedError(f"{frame.file}:{node.lineno}: {ast.unparse(node)}")

    def _compared(self, a: Any, op: ast.cmpop, b: Any) -> Any:
        if isinstance(a, Quantity) and type(op) not in (ast.Is, ast.IsNot):
            b = as_quantity(b)
            return joined(ast.Compare(a.node, [op], [b.node]), COMPARISONS[type(op)](a.value, b.value), a, b)
        return COMPARISONS[type(op)](_plain(a), _plain(b))

    def _attribute(self, owner: Any, name: str) -> Any:
        if isinstance(owner, Quantity):
            if name == "T":
                return joined(ast.Attribute(owner.node, "T", ast.Load()), owner.value.T, owner)
            if name == "shape":
                return tuple(self._size(owner, i, n) for i, n in enumerate(owner.value.shape))
            return getattr(owner.value, name)               # dtype, ndim, size
        if isinstance(owner, Parameter) and name == "value":
            return Quantity.named(self.parameters[id(owner)], owner.value)
        if (id(owner), name) in self.attributes:
            return Quantity.named(self.attributes[id(owner), name], getattr(owner, name))
        return getattr(owner, name)

    def _size(self, array: Quantity, axis: int, n: int) -> Any:
        """The size of an axis: len(array) for the first one, so that it can be seen in a formula."""
        return n if axis else call(ast.Name("len", ast.Load()), n, [array], {})

    def _item(self, owner: Any, index: ast.expr, frame: Frame) -> Any:
        if not isinstance(owner, Quantity):
            return owner[self._of(index, frame)]
        match index:
            case ast.Tuple(elts=[ast.Slice(None, None, None), ast.Slice(None, ast.expr() as stop, None)]):
                if self._of(stop, frame) == owner.value.shape[1]:       # [:, :width]
                    return owner                                        # all columns
        raise NotImplementedError(f"{owner}[{ast.unparse(index)}]")

    def _call(self, node: ast.Call, frame: Frame) -> Any:
        name = ast.unparse(node.func).rpartition(".")[2]
        if name in SKIPPED or name.startswith(("expect", "_expect")):
            return None
        arguments = [self._of(a, frame) for a in node.args]
        keywords = {str(k.arg): self._of(k.value, frame) for k in node.keywords}
        if name in SAME and isinstance(arguments[0], Quantity):
            return arguments[0]
        if isinstance(node.func, ast.Attribute):
            owner = self._of(node.func.value, frame)
            if isinstance(owner, Quantity):
                return self._method(owner, name, keywords)
        function = self._of(node.func, frame)
        if name == "shape":
            return self._attribute(arguments[0], "shape")
        if name == "in_units":                              # the unit is 1 unless numbers are huge
            return arguments[0], 1
        if isinstance(function, FunctionType | MethodType) and _is_ours(function):
            return self._inserted(function, arguments, keywords)
        takes_arrays = name == "concatenate" or any(isinstance(a, Quantity) for a in arguments)
        if isinstance(function, type) or not takes_arrays:
            return function(*arguments, **keywords)
        return self._array_function(name, function, node.func, arguments, keywords)

    def _inserted(self, function: Any, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        """What a function of the library returns. Its last line is where the expression is defined."""
        return self._with_origin(self.run(function, *arguments, **keywords), inspect.unwrap(function))

    def _with_origin(self, value: Any, function: Any) -> Any:
        """Note at expressions that a function returns where they come from, with the equations there."""
        if isinstance(value, tuple) and type(value) is tuple:
            return tuple(self._with_origin(v, function) for v in value)
        if not isinstance(value, Quantity) or value.name is not None or value.is_constant:
            return value
        source = read(function.__module__)
        body = find(source, function.__qualname__).body
        file = str(sys.modules[function.__module__].__file__)
        last = statements(file).get(body[-1].lineno)
        if value.origin is not None or last is None or last.kind != "return":
            return value
        numbers = tuple(dict.fromkeys([*last.numbers, *value.numbers]))
        return Quantity(value.node, value.value, numbers, (file, last.first))

    def _method(self, owner: Quantity, name: str, keywords: dict[str, Any]) -> Any:
        if name in ("reshape", "astype"):
            return owner
        keywords.pop("dtype", None)
        keywords = {k: v for k, v in keywords.items() if k == "axis"}
        function = ast.Attribute(owner.node, name, ast.Load())
        value = getattr(owner.value, name)(**keywords)
        return joined(ast.Call(function, [], [ast.keyword(k, ast.Constant(v)) for k, v in keywords.items()]),
                      value, owner)  # fmt: skip

    def _array_function(
        self, name: str, function: Any, node: ast.expr, arguments: list[Any], keywords: dict[str, Any]
    ) -> Any:
        keywords.pop("dtype", None)
        if name == "concatenate":
            parts = arguments[0]
            listed = ast.List([p.node for p in parts], ast.Load())
            named = [ast.keyword(k, ast.Constant(v)) for k, v in keywords.items()]
            value = np.concatenate([p.value for p in parts], **keywords)
            return joined(ast.Call(node, [listed], named), value, *parts)
        if name == "append":
            return function(*arguments)
        quantities = [as_quantity(a) for a in arguments]
        value = function(*(q.value for q in quantities), **keywords)
        whole = call(node, None, quantities, keywords)
        if isinstance(value, list):                         # np.split
            return tuple(
                joined(ast.Subscript(whole.node, ast.Constant(i), ast.Load()), v, whole)
                for i, v in enumerate(value)
            )
        return Quantity(whole.node, value, whole.numbers, whole.origin)


def _is_ours(function: Any) -> bool:
    return str(function.__module__).startswith("scratchgen.")


def _plain(value: Any) -> Any:
    """The values of the quantities in a shape. Other objects are returned as they are."""
    if type(value) is tuple:
        return tuple(v.value if isinstance(v, Quantity) else v for v in value)
    return value


def _replaced(value: Any, old: Any, new: Any) -> Any:
    """A cache in which the output of the layer has its name."""
    if value is old:
        return new
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return tuple(_replaced(v, old, new) for v in value)
    if isinstance(value, tuple):
        return value._replace(**{f: _replaced(getattr(value, f), old, new) for f in value._fields})
    return value
