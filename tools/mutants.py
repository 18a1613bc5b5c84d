"""Makes mutants of Solidity sources from solc's syntax tree: one small change each, that some test should notice.

Pure: text and tree in, mutants out. tools/mutate.py compiles and tests them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

Node = dict[str, Any]

BOUNDARY = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
ARITHMETIC = {
    "+": "-",
    "-": "+",
    "*": "/",
    "/": "*",
    "|": "&",
    "&": "|",
    "<<": ">>",
    ">>": "<<",
}
YUL_CALLS = {
    "add": "sub",
    "sub": "add",
    "and": "or",
    "or": "and",
    "shl": "shr",
    "shr": "shl",
    "lt": "gt",
    "gt": "lt",
}


@dataclass(frozen=True)
class Mutant:
    """One change. `place` is `Contract.function`; `nth` counts, from 1, those that read the same in one place."""

    file: str
    place: str
    operator: str
    was: str
    becomes: str
    start: int
    end: int
    nth: int = 1

    @property
    def name(self) -> str:
        """What it is, whatever happens to the lines around it: the key of its answer."""
        nth = f" ({self.nth})" if self.nth > 1 else ""
        becomes = " ".join(self.becomes.split())
        return f"{self.file} {self.place} {self.operator}: `{self.was}` -> `{becomes}`{nth}"

    def apply(self, source: bytes) -> bytes:
        return source[: self.start] + self.becomes.encode() + source[self.end :]


def mutants_of(file: str, source: bytes, tree: Node) -> Iterator[Mutant]:
    """All mutants of one file, in the order of the text.

    :param source: The file's bytes: solc counts in bytes.
    :param tree: solc's `ast` of it.
    """
    found: dict[tuple[int, int, str], Mutant] = {}
    for place, node, parents in _walk(tree, "", ()):
        for operator, target, becomes in _changes(source, node, parents):
            start, end = _span(target)
            if becomes == "{}" and source[end : end + 1] == b";":
                end += 1
            was = " ".join(source[start:end].decode().split())
            if was != becomes:
                mutant = Mutant(file, place, operator, was, becomes, start, end)
                found.setdefault((start, end, becomes), mutant)
    counts: Counter[str] = Counter()
    for _, mutant in sorted(found.items()):
        counts[mutant.name] += 1
        yield replace(mutant, nth=counts[mutant.name])


def _walk(
    node: Any, place: str, parents: tuple[Node, ...]
) -> Iterator[tuple[str, Node, tuple[Node, ...]]]:
    if isinstance(node, list):
        for item in node:
            yield from _walk(item, place, parents)
    elif isinstance(node, dict):
        kind = node.get("nodeType")
        if kind in {"ContractDefinition", "FunctionDefinition", "ModifierDefinition"}:
            name = node["name"] or node.get("kind", "")
            place = f"{place}.{name}" if place else name
        if kind:
            yield place, node, parents
            parents = (*parents, node)
        # Constants are changed where they are defined, and types are no code.
        for key, value in node.items():
            if key not in {"typeName", "documentation", "overrides", "typeDescriptions"}:
                yield from _walk(value, place, parents)


def _changes(
    source: bytes, node: Node, parents: tuple[Node, ...]
) -> Iterator[tuple[str, Node, str]]:
    """Operator, the node that is replaced, and by what."""
    kind = node["nodeType"]
    text = _text(source, node) if "src" in node else ""
    parent = parents[-1] if parents else {}
    if kind == "IfStatement":
        yield "condition", node["condition"], "false"
        if not _only_reverts(node["trueBody"]):
            yield "condition", node["condition"], "true"
    elif kind == "Conditional":
        yield "condition", node["condition"], "false"
        yield "condition", node["condition"], "true"
    elif kind == "BinaryOperation":
        sign = node["operator"]
        left, right = _text(source, node["leftExpression"]), _text(source, node["rightExpression"])
        if sign in BOUNDARY:
            yield "boundary", node, f"{left} {BOUNDARY[sign]} {right}"
        if sign in ARITHMETIC:
            yield "arithmetic", node, f"{left} {ARITHMETIC[sign]} {right}"
        if sign in {"&&", "||"}:
            yield "operand", node, f"({left})"
            yield "operand", node, f"({right})"
    elif kind == "UnaryOperation":
        yield from _unary(source, node, parent)
    elif kind == "Literal" and not _compared_for_equality(parents) and not _shifts(parent):
        yield from _literal(node, text)
    elif kind == "ExpressionStatement":
        yield "statement", node, "{}"
    elif kind == "EmitStatement":
        yield "event", node, "{}"
        yield from _arguments(source, node["eventCall"]["arguments"])
    elif kind == "RevertStatement":
        yield from _arguments(source, node["errorCall"]["arguments"])
    elif kind == "Return" and node.get("expression"):
        expression = node["expression"]
        parts = (
            expression["components"]
            if expression["nodeType"] == "TupleExpression"
            else [expression]
        )
        for part in parts:
            changed = _other_value(source, part)
            if changed:
                yield "return", part, changed
    elif kind == "ModifierInvocation" and node.get("kind") == "modifierInvocation":
        yield "modifier", node, ""
    elif kind == "FunctionCall" and parent.get("nodeType") not in {
        "EmitStatement",
        "RevertStatement",
    }:
        yield from _swaps(source, node)
    elif kind == "MemberAccess" and not _compared_for_equality(parents):
        if _is_enum_member(node):
            base = _text(source, node["expression"])
            yield "member", node, f"type({base}).{'max' if node['memberName'] == 'NONE' else 'min'}"
    elif kind.startswith("Yul"):
        yield from _yul(source, node, parent, text)


def _unary(source: bytes, node: Node, parent: Node) -> Iterator[tuple[str, Node, str]]:
    inner = _text(source, node["subExpression"])
    sign = node["operator"]
    if (sign == "!" and parent["nodeType"] not in {"IfStatement", "Conditional"}) or sign == "~":
        yield "negation", node, inner
    elif sign in {"++", "--"} and parent["nodeType"] != "ForStatement":
        other = "--" if sign == "++" else "++"
        yield "arithmetic", node, f"{other}{inner}" if node["prefix"] else f"{inner}{other}"


def _literal(node: Node, text: str) -> Iterator[tuple[str, Node, str]]:
    if node["kind"] == "number":
        digits, _, unit = text.partition(" ")
        value = int(digits.replace("_", ""), 0)
        more = f"{value + 1:#0{len(digits)}x}" if digits.startswith("0x") else str(value + 1)
        yield "number", node, f"{more} {unit}".strip()
    elif node["kind"] == "string":
        yield "text", node, text[:-1] + '~"'


def _arguments(source: bytes, arguments: list[Node]) -> Iterator[tuple[str, Node, str]]:
    for argument in arguments:
        changed = _other_value(source, argument)
        if changed:
            yield "argument", argument, changed


def _swaps(source: bytes, call: Node) -> Iterator[tuple[str, Node, str]]:
    """Two neighbours of one type change places: the call is as lawful as before."""
    for first, second in zip(call["arguments"], call["arguments"][1:], strict=False):
        if (
            first["typeDescriptions"]["typeIdentifier"]
            != second["typeDescriptions"]["typeIdentifier"]
        ):
            continue
        one, two = _text(source, first), _text(source, second)
        if one != two:
            start, middle, end = _span(first)[0], _span(first)[1], _span(second)[1]
            between = source[middle : _span(second)[0]].decode()
            yield "swap", {"src": f"{start}:{end - start}:0"}, f"{two}{between}{one}"


def _other_value(source: bytes, expression: Node) -> str:
    """An expression of the same type with another value, or nothing for types that have none at hand."""
    text = _text(source, expression)
    kind = expression.get("typeDescriptions", {}).get("typeString", "")
    if kind == "bool":
        return "false" if text == "true" else f"!({text})"
    if kind.startswith("uint"):
        return f"({text}) ^ 1"
    if kind == "address":
        return f"address(uint160({text}) ^ 1)"
    if kind.startswith("bytes") and kind[5:].isdigit():
        bits = int(kind[5:]) * 8
        return f"{kind}(uint{bits}({kind}({text})) ^ 1)"
    if kind == "bytes calldata":
        return f"{text}[:0]"
    return ""


def _yul(source: bytes, node: Node, parent: Node, text: str) -> Iterator[tuple[str, Node, str]]:
    kind = node["nodeType"]
    if kind == "YulIf":
        yield "condition", node["condition"], "0"
        yield "condition", node["condition"], "1"
    elif kind == "YulFunctionCall":
        name = node["functionName"]["name"]
        if name in YUL_CALLS:
            yield "arithmetic", node["functionName"], YUL_CALLS[name]
        if name == "iszero" and parent["nodeType"] != "YulIf":
            yield "negation", node, _text(source, node["arguments"][0])
    elif kind == "YulLiteral" and node["kind"] == "number":
        value = int(node["value"], 0)
        yield "number", node, hex(value + 1) if text.startswith("0x") else str(value + 1)
    elif kind in {"YulAssignment", "YulExpressionStatement"}:
        yield "statement", node, "{}"


def _only_reverts(body: Node) -> bool:
    statements = body["statements"] if body["nodeType"] == "Block" else [body]
    return len(statements) == 1 and statements[0]["nodeType"] == "RevertStatement"


def _compared_for_equality(parents: tuple[Node, ...]) -> bool:
    """Whether the expression is a side of `==` or `!=`, where the operators on conditions say it all."""
    for parent in reversed(parents):
        if parent["nodeType"] == "BinaryOperation":
            return bool(parent["operator"] in {"==", "!="})
        if parent["nodeType"] not in {"FunctionCall", "MemberAccess"} or (
            parent["nodeType"] == "FunctionCall" and parent.get("kind") != "typeConversion"
        ):
            return False
    return False


def _shifts(node: Node) -> bool:
    """Whether a literal is a shift's distance, where the other direction stands for every other distance."""
    return node.get("nodeType") == "BinaryOperation" and node["operator"] in {"<<", ">>"}


def _is_enum_member(node: Node) -> bool:
    """`Enum.MEMBER`, and not `type(Enum).max`."""
    base = node["expression"].get("typeDescriptions", {}).get("typeString", "")
    kind = node["typeDescriptions"]["typeString"]
    return (
        kind.startswith("enum ")
        and base == f"type({kind})"
        and "memberName" in node
        and (node["expression"]["nodeType"] in {"Identifier", "MemberAccess"})
    )


def _span(node: Node) -> tuple[int, int]:
    start, length, _ = (int(part) for part in node["src"].split(":"))
    return start, start + length


def _text(source: bytes, node: Node) -> str:
    start, end = _span(node)
    return source[start:end].decode()
