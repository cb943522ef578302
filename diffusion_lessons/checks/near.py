"""Find near misses: every solution that differs by one small change, with what to say about it.

They come after the slips that an exercise names itself, so that a plain "a minus for a plus" needs
no slip of its own in every exercise.
"""

import ast
from collections.abc import Iterator
from itertools import accumulate, pairwise

SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
OTHER = {
    ast.Add: ("-", "`{}` is subtracted; it should be added."),
    ast.Sub: ("+", "`{}` is added; it should be subtracted."),
    ast.Mult: ("/", "Yours divides by `{}`; it should multiply."),
    ast.Div: ("*", "Yours multiplies by `{}`; it should divide."),
    ast.Pow: ("*", "Yours multiplies by `{}`; a power is written **."),
}
MISSING = {
    ast.Add: "The term `{}` is missing.",
    ast.Sub: "The term `{}` is missing, which is subtracted.",
    ast.Mult: "The factor `{}` is missing.",
    ast.Div: "The division by `{}` is missing.",
    ast.Pow: "The power is missing: to the `{}`.",
}
COMPARISONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}


def near_misses(source: str) -> Iterator[tuple[str, str]]:
    """Yield, for each small change of the function in `source`, a sentence and the new source."""
    tree = ast.parse(source)
    starts = list(accumulate(map(len, source.splitlines(keepends=True)), initial=0))
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    variables = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    variables |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    for node in ast.walk(tree):
        if isinstance(node, ast.expr) and node.end_lineno and node.end_col_offset:
            start = starts[node.lineno - 1] + node.col_offset
            end = starts[node.end_lineno - 1] + node.end_col_offset
            for words, new in _changes(node, variables):
                yield words, f"{source[:start]}({new}){source[end:]}"


def _changes(node: ast.expr, variables: set[str]) -> Iterator[tuple[str, str]]:
    """Yield a sentence and the new expression for each small change of one expression."""
    if isinstance(node, ast.BinOp) and type(node.op) in SIGNS:
        yield from _of_operator(node)
        yield from _of_brackets(node)
        yield from _of_numbers(node)
    elif isinstance(node, ast.Call):
        yield from _of_call(node, variables)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield f"The minus before `{ast.unparse(node.operand)}` is missing.", _text(node.operand)
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        left, right = ast.unparse(node.left), ast.unparse(node.comparators[0])
        for sign in set(COMPARISONS.values()) - {COMPARISONS[type(node.ops[0])]}:
            new = f"{left} {sign} {right}"
            yield f"Yours compares `{new}`; it should be `{ast.unparse(node)}`.", new
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in variables:
        for other in sorted(variables - {node.id}):
            yield f"`{other}` stands where `{node.id}` belongs.", other


def _text(node: ast.expr) -> str:
    return f"({ast.unparse(node)})"


def _of_operator(node: ast.BinOp) -> Iterator[tuple[str, str]]:
    """Yield another operator, one side alone, and the two sides exchanged."""
    kind, left, right = type(node.op), _text(node.left), _text(node.right)
    first, second = ast.unparse(node.left), ast.unparse(node.right)
    sign, words = OTHER[kind]
    yield words.format(second), f"{left} {sign} {right}"
    yield MISSING[kind].format(second), left
    if kind in (ast.Add, ast.Sub):
        yield MISSING[ast.Add].format(first), right if kind is ast.Add else f"-{right}"
    if kind in (ast.Mult, ast.Div):
        yield MISSING[ast.Mult].format(first), right if kind is ast.Mult else f"1 / {right}"
    if kind in (ast.Sub, ast.Div, ast.Pow):
        yield (
            f"`{first}` and `{second}` are the wrong way round: it is `{ast.unparse(node)}`.",
            f"{right} {SIGNS[kind]} {left}",
        )


def _of_brackets(node: ast.BinOp) -> Iterator[tuple[str, str]]:
    """Yield a op (b op c) read as (a op b) op c, and the other way round."""
    sign, left, right = SIGNS[type(node.op)], node.left, node.right
    words = f"A bracket is missing or elsewhere: it should be `{ast.unparse(node)}`."
    if isinstance(right, ast.BinOp) and type(right.op) in SIGNS:
        a, b, c = map(_text, (left, right.left, right.right))
        yield words, f"({a} {sign} {b}) {SIGNS[type(right.op)]} {c}"
    if isinstance(left, ast.BinOp) and type(left.op) in SIGNS:
        a, b, c = map(_text, (left.left, left.right, right))
        yield words, f"{a} {SIGNS[type(left.op)]} ({b} {sign} {c})"


def _of_numbers(node: ast.BinOp) -> Iterator[tuple[str, str]]:
    """Yield other numbers for a number on either side: one more, one less, twice, half."""
    for side in ("left", "right"):
        number = getattr(node, side)
        if isinstance(number, ast.Constant) and isinstance(number.value, int | float):
            value = number.value
            for other in sorted({value + 1, value - 1, 2 * value, value / 2} - {value}):
                new = {"left": _text(node.left), "right": _text(node.right), side: f"({other})"}
                yield (
                    f"It should be {value} in `{ast.unparse(node)}`; yours has {other:g} there.",
                    f"{new['left']} {SIGNS[type(node.op)]} {new['right']}",
                )


def _of_call(node: ast.Call, variables: set[str]) -> Iterator[tuple[str, str]]:
    """Yield what a function or method was called on alone, and neighbouring arguments exchanged."""
    name, whole = ast.unparse(node.func), ast.unparse(node)
    method = isinstance(node.func, ast.Attribute) and not (
        isinstance(node.func.value, ast.Name) and node.func.value.id not in variables
    )
    if method and isinstance(node.func, ast.Attribute):
        inside = node.func.value
        yield f"`{whole.removeprefix(ast.unparse(inside))}` is missing.", _text(inside)
    elif node.args:
        yield f"`{name}` is missing: it should be `{whole}`.", _text(node.args[0])
    for i, j in pairwise(range(len(node.args))):
        args = list(map(ast.unparse, node.args))
        args[i], args[j] = args[j], args[i]
        new = ", ".join([*args, *map(ast.unparse, node.keywords)])
        yield f"Two arguments are exchanged: it should be `{whole}`.", f"{name}({new})"
