"""Expressions of NumPy code: with their value, as text, and in the form that the page evaluates."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np

Tree = list[Any]

OPERATORS = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**", ast.MatMult: "@",
    ast.Gt: ">", ast.Lt: "<", ast.GtE: ">=", ast.LtE: "<=",
}  # fmt: skip
FUNCTIONS = {
    "abs", "concatenate", "exp", "expm1", "log1p", "maximum", "minimum", "sqrt", "square", "tanh",
    "where",
}  # fmt: skip
METHODS = {"sum", "mean"}
NEUTRAL = {ast.Add: 0, ast.Sub: 0, ast.Mult: 1, ast.Div: 1}     # x + 0, x − 0, x·1, x/1


class Quantity:
    """An expression of the page's arrays, and its value for the numbers that the page starts with.

    node : the syntax tree of the expression
    value : an array or a number
    numbers : the equations in the comments of the functions that were inserted into it
    origin : the (file, first line, last line) of the innermost of these functions' statements
    """

    def __init__(self, node: ast.expr, value: Any, numbers: tuple[str, ...] = (), origin: Any = None):
        self.node, self.value, self.numbers, self.origin = node, value, numbers, origin

    @classmethod
    def named(cls, name: str, value: Any) -> Quantity:
        """The quantity that is the variable `name` of the page."""
        return cls(ast.Name(name, ast.Load()), value)

    @property
    def name(self) -> str | None:
        """The name, if the expression is one variable."""
        return self.node.id if isinstance(self.node, ast.Name) else None

    @property
    def is_constant(self) -> bool:
        """Whether it is a number, or the number of examples."""
        of_length = isinstance(self.node, ast.Call) and ast.unparse(self.node.func) == "len"
        return isinstance(self.node, ast.Constant) or of_length

    def __str__(self) -> str:
        return ast.unparse(self.node)

    def __repr__(self) -> str:
        return f"Quantity({self})"


def as_quantity(value: Any) -> Quantity:
    """A number as a quantity; a quantity is returned as it is."""
    if isinstance(value, Quantity):
        return value
    if isinstance(value, int | float):
        return Quantity(ast.Constant(value), value)
    if isinstance(value, np.ndarray) and not value.any():
        return Quantity(ast.Constant(0), 0)
    raise TypeError(f"expected a number or a quantity, got {type(value).__name__}: {value!r}")


def joined(node: ast.expr, value: Any, *parts: Quantity) -> Quantity:
    """An expression that was built from other ones, with the equations of all of them."""
    numbers = tuple(dict.fromkeys(n for part in parts for n in part.numbers))
    origins = [part.origin for part in parts if part.origin is not None]
    return Quantity(node, value, numbers, origins[0] if origins else None)


def binary(op: ast.operator, left: Any, right: Any) -> Any:
    """left op right. A term of 0 or a factor of 1 is left out."""
    left, right = as_quantity(left), as_quantity(right)
    neutral = NEUTRAL.get(type(op))
    if neutral is not None and right.is_constant and right.value == neutral:
        return left
    node = ast.BinOp(left.node, op, right.node)
    return joined(node, evaluate(ast.BinOp(_literal("a"), op, _literal("b")), a=left.value, b=right.value),
                  left, right)  # fmt: skip


def call(function: ast.expr, value: Any, arguments: list[Quantity], keywords: dict[str, Any]) -> Quantity:
    """function(*arguments, **keywords), where the keywords are plain values such as axis=0."""
    named = [ast.keyword(name, ast.Constant(v)) for name, v in keywords.items()]
    return joined(ast.Call(function, [a.node for a in arguments], named), value, *arguments)


def evaluate(node: ast.expr, **variables: Any) -> Any:
    expression = ast.fix_missing_locations(ast.Expression(node))
    return eval(compile(expression, "<expression>", "eval"), {"np": np}, variables)


def _literal(name: str) -> ast.expr:
    return ast.Name(name, ast.Load())


def tree(node: ast.expr) -> Any:
    """The expression as nested lists: a variable is a string, a number is a number, and the rest is
    [operator, argument, …].

    Raises ValueError for anything that the page cannot evaluate.
    """
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name):
            return name
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return ["neg", tree(operand)]
        case ast.BinOp(left=left, op=op, right=right):
            return [OPERATORS[type(op)], tree(left), tree(right)]
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return [OPERATORS[type(op)], tree(left), tree(right)]
        case ast.Attribute(value=value, attr="T"):
            return ["T", tree(value)]
        case ast.Subscript(value=ast.Call() as split, slice=ast.Constant(value=int() as part)):
            return ["half", tree(split.args[0]), part]      # of np.split(…, 2, axis=1)
        case ast.Call():
            return _call_tree(node)
    raise ValueError(f"the page cannot evaluate {ast.unparse(node)}")


def _call_tree(node: ast.Call) -> Tree:
    keywords = {k.arg: ast.literal_eval(k.value) for k in node.keywords}
    match node.func:
        case ast.Name(id="len"):
            return ["len", tree(node.args[0])]
        case ast.Attribute(value=ast.Name(id="np"), attr=name) if name in FUNCTIONS:
            if name == "concatenate" and isinstance(node.args[0], ast.List):
                return ["concatenate", *(tree(a) for a in node.args[0].elts)]
            return [name, *map(tree, node.args)]
        case ast.Attribute(value=value, attr=name) if name in METHODS:
            return [name, tree(value), keywords.get("axis", "all")]
    raise ValueError(f"the page cannot evaluate {ast.unparse(node)}")
