"""A rule for typed data, made ready; and whether a document follows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from xmtp_tee.policy.document import Condition, TypedDataRule
from xmtp_tee.typed_data.document import DOMAIN, TypedData
from xmtp_tee.typed_data.types import leaves, parse_type
from xmtp_tee.typed_data.values import Value, read_text, text_of
from xmtp_tee.wire.refusals import TypedDataInvalidError

Test = Callable[[Value], bool]


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule with its texts turned into values. ``tests``: by a leaf's dotted name."""

    name: str
    type: str
    domain: dict[str, Value]
    tests: dict[str, Test]

    def objection(self, document: TypedData) -> str | None:
        """Return why the rule does not allow ``document``, or None if it does."""
        if document.type != self.type:
            return "another type"
        if document.domain != self.domain:
            return "another domain"
        for path, _, value in document.leaves:
            if not self.tests[path](value):
                return f"{path} is {text_of(value)[:80]}"
        return None


def compile_rule(rule: TypedDataRule) -> CompiledRule:
    """Make a rule ready.

    :raises TypedDataInvalidError: a type that EIP-712 does not have, a domain without chain or
        contract, a leaf without a condition, a condition for no leaf, a value that does not fit
    """
    primary, types = parse_type(rule.type)
    for needed in ("chainId", "verifyingContract"):
        if needed not in rule.domain:
            raise TypedDataInvalidError("The domain names no " + needed)
    if unknown := set(rule.domain) - set(DOMAIN):
        raise TypedDataInvalidError("A domain has no such field", got=min(unknown))
    domain = {name: read_text(DOMAIN[name], text) for name, text in rule.domain.items()}
    kinds = leaves(primary, types)
    if kinds.keys() != rule.fields.keys():
        differing = min(kinds.keys() ^ rule.fields.keys())
        raise TypedDataInvalidError(
            "Every leaf needs a condition, and every condition a leaf", got=differing
        )
    tests = {path: _test(kind, rule.fields[path]) for path, kind in kinds.items()}
    return CompiledRule(name=rule.name, type=rule.type, domain=domain, tests=tests)


def _test(kind: str, condition: Condition) -> Test:
    if condition.equals is not None:
        wanted = read_text(kind, condition.equals)
        return lambda value: value == wanted
    if condition.one_of is not None:
        allowed = frozenset(read_text(kind, text) for text in condition.one_of)
        return lambda value: value in allowed
    if condition.at_most is not None:
        highest = read_text(kind, condition.at_most)
        if isinstance(highest, bool) or not isinstance(highest, int):
            raise TypedDataInvalidError("at_most is for numbers", got=kind)
        return lambda value: isinstance(value, int) and 0 <= value <= highest
    if condition.anything:
        return lambda _: True
    raise TypedDataInvalidError("A condition that says nothing", got=kind)
