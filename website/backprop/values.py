"""Evaluate the expressions of the library's source, for arrays that know their expression (`Quantity`)."""

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
from scratchgen.module import Module, Parameter
from scratchgen.trace.statements import statements
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


class Frame(NamedTuple):
    """A function that is being walked through: its variables, its module, and the object of a method."""

    variables: dict[str, Any]
    globals: dict[str, Any]
    file: str
    function: str
    where: str
    owner: Any


class Expressions:
    """Evaluates expressions. Calls of the library's functions are run by a subclass.

    parameters : the page's name of each trainable parameter
    attributes : the page's name of numbers that are attributes, such as "beta" of a VAE
    """

    def __init__(self, parameters: dict[Parameter, str], attributes: dict[tuple[Module, str], str]):
        self.parameters = {id(p): name for p, name in parameters.items()}
        self.attributes = {(id(owner), name): page for (owner, name), page in attributes.items()}

    def run(self, function: Any, *arguments: Any, **keywords: Any) -> Any:
        """What a function of the library returns."""
        raise NotImplementedError

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
        arguments: list[Any] = []
        for argument in node.args:
            if isinstance(argument, ast.Starred):
                arguments += self._of(argument.value, frame)
            else:
                arguments.append(self._of(argument, frame))
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
        if _is_walked(function, [*arguments, *keywords.values()]):
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


def _is_walked(function: Any, arguments: list[Any]) -> bool:
    """Whether it is a function of the library that computes with arrays, and not one of its tools."""
    if not isinstance(function, FunctionType | MethodType):
        return False
    if not function.__module__.startswith("scratchgen."):
        return False
    of_module = isinstance(getattr(function, "__self__", None), Module)
    return of_module or any(isinstance(a, Quantity | tuple | list) for a in arguments)


def _plain(value: Any) -> Any:
    """The values of the quantities in a shape. Other objects are returned as they are."""
    if type(value) is tuple:
        return tuple(v.value if isinstance(v, Quantity) else v for v in value)
    return value
