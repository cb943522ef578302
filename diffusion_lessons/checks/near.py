"""Find near misses: every solution that differs by one small change, with what to say about it.

They come after the slips that an exercise names itself, so that a plain "a minus for a plus" needs
no slip of its own in every exercise. Where an exercise says why a fragment of its solution is as it
is, that reason follows the sentence on whatever is changed there.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from itertools import accumulate, combinations, pairwise

Change = tuple[ast.expr, str, str]  # the part it is about, a sentence, the new expression

HALF = "Python reads x**1/2 as (x**1)/2. Write x ** 0.5 or x ** (1/2)."
ROOT = "Multiplying by c multiplies the variance by c squared."
CHANCE = "Noise has no side, so a picture would look the same, but with a known noise it differs."
OPERATORS = {  # its sign, another, what to say of the other, and of a missing right side
    ast.Add: ("+", "-", "`{}` is subtracted; it should be added.", "The term `{}` is missing."),
    ast.Sub: ("-", "+", "`{}` is added; it should be subtracted.", "The term `- {}` is missing."),
    ast.Mult: ("*", "/", "Multiply by `{}`; yours divides.", "The factor `{}` is missing."),
    ast.Div: ("/", "*", "Divide by `{}`; yours multiplies.", "The division by `{}` is missing."),
    ast.Pow: ("**", "*", "Yours multiplies by `{}`; a power is written **.", ""),
}
SIBLINGS = dict(sin="cos", cos="sin", argmin="argmax", mean="sum", expm1="exp", cosine="linear")
FORMS = ("{} ** 0.5", "{} ** 2", "{} / 2", "2 * {}", "{} - 1", "{} + 1")  # of a variable
ENDINGS = {
    "** 0.5": "It is the root of what is asked for.",
    "** 2": "It is the square of what is asked for.",
    ".log()": "It is the logarithm of what is asked for.",
    ".clamp(-1, 1)": "The result is cut to [-1, 1]; what is asked for goes beyond that.",
}


def inputs_exchanged(source: str) -> Iterator[tuple[str, str]]:
    """Yield, for each two inputs of the function in `source`, a sentence and the source of a
    function that uses them in each other's place."""
    head, body = source.split(":\n", 1)
    for pair in combinations(re.findall(r"\w+", head.partition("(")[2]), 2):
        other = dict(zip(pair, reversed(pair), strict=True))
        new = re.sub(r"\w+", lambda found: other.get(found[0], found[0]), body)  # noqa: B023
        words = "`{}` and `{}` are exchanged: each is used where the other belongs."
        yield words.format(*pair), f"{head}:\n{new}"


def near_misses(source: str, why: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield, for each small change of the function in `source`, a sentence and the new source.

    `why` maps fragments of `source` to the reason that follows sentences on them.
    """
    starts = list(accumulate(map(len, source.splitlines(keepends=True)), initial=0))

    def span(node: ast.expr) -> tuple[int, int]:
        last = starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
        return starts[node.lineno - 1] + node.col_offset, last

    nodes = list(ast.walk(ast.parse(source)))
    expressions = [node for node in nodes if isinstance(node, ast.expr)]
    expressions.sort(key=lambda node: _under_root(node) is None)  # roots first
    variables = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    variables |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    places = {
        part: statement.targets[0].id
        for statement in nodes
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
        for part in ast.walk(statement.value)
    }
    reasons = sorted(
        (len(fragment), found.start(), words)
        for fragment, words in why.items()
        for found in re.finditer(re.escape(fragment), source)
    )
    for node in expressions:
        for part, words, new in _changes(node, variables):
            (start, end), (first, last) = span(node), span(part)
            if node in places:
                words = f"In `{places[node]}`: {words[0].lower()}{words[1:]}"
            if ". " not in words:  # with a reason of its own
                about = (why for size, at, why in reasons if at <= first and last <= at + size)
                words = " ".join([words, *about][:2])
            yield words, f"{source[:start]}({new}){source[end:]}"
    roots = [(span(node), inside) for node in expressions if (inside := _under_root(node))]
    for form, words in (("({})", f"The square roots are missing. {ROOT}"), ("({}) / 2", HALF)):
        new = source
        for (start, end), inside in sorted(roots, reverse=True):
            new = new[:start] + form.format(ast.unparse(inside)) + new[end:]
        yield words, new
    for ending, words in ENDINGS.items():
        yield words, re.sub(r"return (.*)", rf"return (\1){ending}", source)


def _text(node: ast.expr) -> str:
    return f"({ast.unparse(node)})"


def _changes(node: ast.expr, variables: set[str]) -> Iterator[Change]:
    """Yield each small change of one expression."""
    whole = ast.unparse(node)
    if inside := _under_root(node):
        yield from _of_root(node, inside)
    match node:
        case ast.BinOp() if type(node.op) in OPERATORS:
            yield from _of_operator(node)
            yield from _of_brackets(node)
            yield from _of_numbers(node)
        case ast.Call():
            yield from _of_call(node, variables)
        case ast.UnaryOp(op=ast.USub(), operand=inside):
            yield node, f"The minus before `{ast.unparse(inside)}` is missing.", _text(inside)
        case ast.Compare(left=left, comparators=[right]):
            for sign in ("<", "<=", ">", ">="):
                new = f"{ast.unparse(left)} {sign} {ast.unparse(right)}"
                yield node, f"Yours compares `{new}`; it should be `{whole}`.", new
        case ast.List(elts=parts) | ast.Tuple(elts=parts) if ":" not in whole:
            for new in _neighbours_exchanged(parts):
                yield node, f"The order is wrong: it should be `{whole}`.", new
        case ast.Name(id=name, ctx=ast.Load()) if name in variables:
            for new in (*sorted(variables - {name}), *(form.format(name) for form in FORMS)):
                yield node, f"`{new}` stands where `{name}` belongs.", new
        case ast.Attribute(value=inside, attr=attr) if attr in SIBLINGS:
            new = SIBLINGS[attr]
            yield node, f"`{new}` stands where `{attr}` belongs.", f"{_text(inside)}.{new}"


def _under_root(node: ast.expr) -> ast.expr | None:
    """Return x of sqrt(x), x.sqrt() and x ** 0.5."""
    match node:
        case ast.Call(func=ast.Attribute(value=value, attr="sqrt"), args=args):
            return [*args, value][0]
        case ast.BinOp(op=ast.Pow(), left=left, right=ast.Constant(value=0.5)):
            return left
    return None


def _of_root(node: ast.expr, inside: ast.expr) -> Iterator[Change]:
    """Yield no root, half instead of a root, and the root of each side of a sum."""
    x = ast.unparse(inside)
    yield node, f"The square root is missing: it should be `{ast.unparse(node)}`. {ROOT}", x
    yield node, HALF, f"({x}) / 2"
    if isinstance(inside, ast.BinOp) and isinstance(inside.op, ast.Add | ast.Sub):
        sign = OPERATORS[type(inside.op)][0]
        new = f"{_text(inside.left)} ** 0.5 {sign} {_text(inside.right)} ** 0.5"
        yield node, f"The root of a sum is no sum of roots; it belongs around `{x}`.", new


def _of_operator(node: ast.BinOp) -> Iterator[Change]:
    """Yield another operator, one side alone, and the two sides exchanged."""
    kind, left, right = type(node.op), _text(node.left), _text(node.right)
    first, second, whole = left[1:-1], right[1:-1], ast.unparse(node)
    sign, other, changed, missing = OPERATORS[kind]
    reason = f" {CHANCE}" if kind is ast.Add and re.search(r"\b(eps|noise)\b", second) else ""
    yield node.right, changed.format(second) + reason, f"{left} {other} {right}"
    if kind is ast.Pow:
        yield node, f"The power is missing: it should be `{whole}`.", left
        yield node, f"Absolute value in place of a power: it should be `{whole}`.", f"abs({left})"
    else:
        yield node.right, missing.format(second), left
        kind_of_left = ast.Add if kind in (ast.Add, ast.Sub) else ast.Mult
        alone = {ast.Sub: f"-{right}", ast.Div: f"1 / {right}"}.get(kind, right)
        yield node.left, OPERATORS[kind_of_left][3].format(first), alone
    words = f"`{first}` and `{second}` are the wrong way round: it is `{whole}`."
    yield node, words, f"{right} {sign} {left}"


def _of_brackets(node: ast.BinOp) -> Iterator[Change]:
    """Yield a op (b op c) read as (a op b) op c, and the other way round."""
    sign, left, right = OPERATORS[type(node.op)][0], node.left, node.right
    words = f"A bracket is missing or elsewhere: it should be `{ast.unparse(node)}`."
    if isinstance(right, ast.BinOp) and type(right.op) in OPERATORS:
        a, b, c = map(_text, (left, right.left, right.right))
        yield node, words, f"({a} {sign} {b}) {OPERATORS[type(right.op)][0]} {c}"
    if isinstance(left, ast.BinOp) and type(left.op) in OPERATORS:
        a, b, c = map(_text, (left.left, left.right, right))
        yield node, words, f"{a} {OPERATORS[type(left.op)][0]} ({b} {sign} {c})"


def _of_numbers(node: ast.BinOp) -> Iterator[Change]:
    """Yield other numbers for a number on either side: one more, one less, twice, half."""
    for side, number in enumerate((node.left, node.right)):
        if isinstance(number, ast.Constant) and isinstance(value := number.value, int | float):
            for other in (value + 1, value - 1, 2 * value, value / 2):
                sides = [_text(node.left), _text(node.right)]
                sides[side] = f"({other})"
                words = f"It should be {value} in `{ast.unparse(node)}`; yours has {other:g} there."
                yield number, words, f" {OPERATORS[type(node.op)][0]} ".join(sides)


def _of_call(node: ast.Call, variables: set[str]) -> Iterator[Change]:
    """Yield what a function or method was called on alone, a power that comes after the method
    instead of before, and neighbouring arguments exchanged."""
    name, whole = ast.unparse(node.func), ast.unparse(node)
    match node.func:
        case ast.Attribute(value=inside, attr=attr) if not (  # a method, and no function of torch
            isinstance(inside, ast.Name) and inside.id not in variables
        ):
            call = whole[whole.rindex(f".{attr}(") :]
            yield node, f"`{call}` is missing.", _text(inside)
            if isinstance(inside, ast.BinOp) and isinstance(inside.op, ast.Pow):
                words = f"The power comes after `{call}`; it belongs before: `{whole}`."
                yield node, words, f"{_text(inside.left)}{call} ** {_text(inside.right)}"
        case _ if node.args:
            yield node, f"`{name}` is missing: it should be `{whole}`.", _text(node.args[0])
    for args in _neighbours_exchanged(node.args):
        new = ", ".join([args, *map(ast.unparse, node.keywords)])
        yield node, f"Two arguments are exchanged: it should be `{whole}`.", f"{name}({new})"


def _neighbours_exchanged(nodes: list[ast.expr]) -> Iterator[str]:
    for i, j in pairwise(range(len(nodes))):
        texts = list(map(ast.unparse, nodes))
        texts[i], texts[j] = texts[j], texts[i]
        yield ", ".join(texts)
