"""Small faults put into a function's source, one at a time: what a slip of the pen would do.

The set was fixed before any check was tried on it. It holds every operator of `mutmut` (signs and
operators exchanged, numbers one larger, arguments dropped, names of truth exchanged ...), and
those of this page, for what learners do with formulas and tensors.
"""

import itertools
from collections.abc import Callable, Iterator

import libcst as cst
import libcst.matchers as m
from mutmut.mutation.mutators import mutation_operators

MODULES = ("math", "torch", "np", "functional")
NOT_COMMUTATIVE = m.Subtract() | m.Divide() | m.MatrixMultiply() | m.Power()


def in_brackets(node: cst.BaseExpression) -> cst.BaseExpression:
    """The expression with round brackets about it, so that nothing around it binds closer."""
    return node.with_changes(
        lpar=[cst.LeftParen(), *node.lpar], rpar=[*node.rpar, cst.RightParen()]
    )


def sign(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """-x becomes x; what is returned becomes its negative."""
    if m.matches(node, m.UnaryOperation(operator=m.Minus())):
        yield node.expression
    if isinstance(node, cst.Return) and node.value:
        yield node.with_changes(value=cst.UnaryOperation(cst.Minus(), in_brackets(node.value)))


def missing_root(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """sqrt(x), x.sqrt(), x**0.5 and x**2 become x."""
    if m.matches(node, m.Call(func=m.Attribute(attr=m.Name("sqrt")))):
        inside = node.args[0].value if node.args else node.func.value
        yield in_brackets(inside)
    if m.matches(node, m.BinaryOperation(operator=m.Power(), right=m.Float() | m.Integer())):
        yield node.left


def off_by_one(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """A whole number one smaller; an index, an end of a slice or of a range one more or less."""
    if isinstance(node, cst.Integer):
        yield number(node.evaluated_value - 1)
    if isinstance(node, cst.Index) and not m.matches(node.value, m.Name("None")):
        yield from (node.with_changes(value=value) for value in one_more_or_less(node.value))
    if isinstance(node, cst.Slice):
        for end in ("lower", "upper"):
            if getattr(node, end):
                for value in one_more_or_less(getattr(node, end)):
                    yield node.with_changes(**{end: value})
    if m.matches(node, m.Call(func=m.Name("range") | m.Attribute(attr=m.Name("arange")))):
        for place, arg in enumerate(node.args):
            for value in one_more_or_less(arg.value):
                yield with_values(node, "args", {place: value})


def swapped_arguments(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """f(a, b) becomes f(b, a); a - b, a / b, a @ b and a ** b too; neighbours in lists change
    places; two parameters of the function change places in its body."""
    if isinstance(node, cst.Call):
        plain = [i for i, arg in enumerate(node.args) if not arg.keyword and not arg.star]
        yield from neighbours_swapped(node, "args", plain)
    if m.matches(node, m.BinaryOperation(operator=NOT_COMMUTATIVE)):
        left, right = in_brackets(node.left), in_brackets(node.right)
        yield node.with_changes(left=right, right=left)
    if isinstance(node, cst.Tuple | cst.List):
        yield from neighbours_swapped(node, "elements", range(len(node.elements)))
    if isinstance(node, cst.Subscript):
        yield from neighbours_swapped(node, "slice", range(len(node.slice)))
    if isinstance(node, cst.FunctionDef):
        names = [param.name.value for param in node.params.params]
        for one, other in itertools.combinations(names, 2):
            yield node.with_changes(body=node.body.visit(Exchange(one, other)))


def wrong_dim(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """dim=1 becomes another dim."""
    if m.matches(node, m.Arg(keyword=m.Name("dim"))):
        for dim in (-1, 0, 1, 2):
            yield node.with_changes(value=number(dim))


def wrong_constant(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """A number becomes 0, 1, twice and half of it, and a tenth larger."""
    if isinstance(node, cst.Integer | cst.Float):
        c = node.evaluated_value
        for value in (0, 1, 2 * c, c // 2 if isinstance(node, cst.Integer) else c / 2):
            yield number(value)
        if isinstance(node, cst.Float):
            yield number(1.1 * c)


def missing_operand(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """a + b becomes a, and becomes b; so with every operator of two sides."""
    if isinstance(node, cst.BinaryOperation):
        yield in_brackets(node.left)
        yield in_brackets(node.right)


OPERATORS: dict[str, Callable[[cst.CSTNode], Iterator[cst.CSTNode]]] = {
    "sign": sign,
    "missing root": missing_root,
    "off by one": off_by_one,
    "swapped arguments": swapped_arguments,
    "wrong dim": wrong_dim,
    "wrong constant": wrong_constant,
    "missing operand": missing_operand,
}
"""The operators of this page by name. Those of mutmut are counted under "mutmut"."""


class Exchange(cst.CSTTransformer):
    """Puts each of two names where the other was."""

    def __init__(self, one: str, other: str):
        super().__init__()
        self.names = {one: other, other: one}

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.Name:
        value = self.names.get(updated_node.value, updated_node.value)
        return updated_node.with_changes(value=value)


def number(value: float) -> cst.BaseExpression:
    """A number as an expression, in brackets where it is negative."""
    node = cst.parse_expression(repr(value))
    return in_brackets(node) if value < 0 else node


def one_more_or_less(value: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    """x becomes x + 1 and x - 1."""
    for operator in (cst.Add(), cst.Subtract()):
        yield cst.BinaryOperation(in_brackets(value), operator, cst.Integer("1"))


def with_values(node: cst.CSTNode, field: str, values: dict[int, cst.CSTNode]) -> cst.CSTNode:
    """The call, tuple, list or subscript with other values at some places of `field`."""
    inner = "slice" if field == "slice" else "value"
    parts = list(getattr(node, field))
    for place, value in values.items():
        parts[place] = parts[place].with_changes(**{inner: value})
    return node.with_changes(**{field: parts})


def neighbours_swapped(node: cst.CSTNode, field: str, places) -> Iterator[cst.CSTNode]:
    """`node` with two neighbours among some places of `field` exchanged."""
    parts = [part.slice if field == "slice" else part.value for part in getattr(node, field)]
    for i, j in itertools.pairwise(places):
        yield with_values(node, field, {i: parts[j], j: parts[i]})


def changes(node: cst.CSTNode) -> Iterator[tuple[str, cst.CSTNode]]:
    """Every operator's versions of one node, with the operator's name."""
    for name, operator in OPERATORS.items():
        yield from ((name, new) for new in operator(node))
    for kind, operator in mutation_operators:
        if isinstance(node, kind):
            yield from (("mutmut", new) for new in operator(node))


class Nodes(cst.CSTVisitor):
    """Collects the nodes of a function: the function itself and all in its body, but not what its
    head says, and no operators, which belong to the expressions around them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[cst.CSTNode] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        self.found.append(node)
        return not isinstance(node, cst.Parameters | cst.Annotation | cst.Decorator)


def mutants(source: str) -> dict[str, str]:
    """The source of every function that differs from `source` by one fault, each once, with the
    name of the first operator that makes it. `source`: one or more function definitions."""
    tree, nodes = cst.parse_module(source), Nodes()
    tree.visit(nodes)
    found: dict[str, str] = {}
    for node in nodes.found:
        for name, new in changes(node):
            code = tree.deep_replace(node, new).code
            if code != source:
                found.setdefault(code, name)
    return found
