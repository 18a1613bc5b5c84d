"""Who may do what in a group: policies, read from the group context and asked about an actor.

The network has three kinds of policy. They share a shape (a base policy, or all or any of several) and
differ in what the number of a base policy means. An unknown number, an empty condition and a missing policy
are errors: a group whose rules cannot be read is not joined.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Final

from xmtp_tee.xmtp.errors import GroupStateInvalidError, ProtobufMalformedError
from xmtp_tee.xmtp.proto import groups

SUPER_ADMIN_PREFIX: Final = "_"
"""A metadata field without a policy of its own is for super admins if its name starts so, else for admins."""

_MAX_DEPTH: Final = 8


class Base(Enum):
    """A base policy."""

    ALLOW = "allow"
    DENY = "deny"
    ADMIN = "admin"
    SUPER_ADMIN = "super-admin"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, as far as policies care."""

    is_admin: bool
    is_super_admin: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """A policy: its base, or a combination."""

    base: Base | None = None
    every: tuple[Rule, ...] = ()
    some: tuple[Rule, ...] = ()

    def allows(self, actor: Actor) -> bool:
        """Whether the actor may."""
        match self.base:
            case Base.ALLOW:
                return True
            case Base.DENY:
                return False
            case Base.ADMIN:
                return actor.is_admin or actor.is_super_admin
            case Base.SUPER_ADMIN:
                return actor.is_super_admin
            case None:
                if self.every:
                    return all(rule.allows(actor) for rule in self.every)
                return any(rule.allows(actor) for rule in self.some)


ALLOW: Final = Rule(Base.ALLOW)
DENY: Final = Rule(Base.DENY)
ADMIN: Final = Rule(Base.ADMIN)
SUPER_ADMIN: Final = Rule(Base.SUPER_ADMIN)

# Policies of members and of metadata number the four alike; a permissions policy cannot be ALLOW.
_FOUR: Final = {1: Base.ALLOW, 2: Base.DENY, 3: Base.ADMIN, 4: Base.SUPER_ADMIN}
_THREE: Final = {1: Base.DENY, 2: Base.ADMIN, 3: Base.SUPER_ADMIN}


@dataclass(frozen=True, slots=True)
class Permissions:
    """A group's whole set of rules."""

    add_member: Rule
    remove_member: Rule
    add_admin: Rule
    remove_admin: Rule
    update_permissions: Rule
    metadata: Mapping[str, Rule] = field(default_factory=dict)

    def metadata_rule(self, name: str) -> Rule:
        """Return the rule of a metadata field, the default if it has none of its own."""
        if name in self.metadata:
            return self.metadata[name]
        return SUPER_ADMIN if name.startswith(SUPER_ADMIN_PREFIX) else ADMIN

    @classmethod
    def decode(cls, encoded: bytes) -> Permissions:
        """Read the group context's extension.

        :raises GroupStateInvalidError: it cannot be read, or a policy is missing or unknown
        """
        try:
            policies = groups.GroupMutablePermissionsV1.decode(encoded).policies
        except ProtobufMalformedError as error:
            raise GroupStateInvalidError("The group's permissions cannot be read") from error
        if policies is None:
            raise GroupStateInvalidError("The group has no permissions")
        return cls(
            add_member=_rule(policies.add_member_policy, _FOUR),
            remove_member=_rule(policies.remove_member_policy, _FOUR),
            add_admin=_rule(policies.add_admin_policy, _THREE),
            remove_admin=_rule(policies.remove_admin_policy, _THREE),
            update_permissions=_rule(policies.update_permissions_policy, _THREE),
            metadata=MappingProxyType(
                {entry.key: _rule(entry.value, _FOUR) for entry in policies.update_metadata_policy}
            ),
        )

    def encode(self) -> bytes:
        """Return the group context's extension.

        :raises GroupStateInvalidError: a permissions policy is ALLOW, which has no number
        """
        return groups.GroupMutablePermissionsV1(
            policies=groups.PolicySet(
                add_member_policy=_policy(self.add_member, _FOUR),
                remove_member_policy=_policy(self.remove_member, _FOUR),
                update_metadata_policy=tuple(
                    groups.MetadataPolicyEntry(key=name, value=_policy(rule, _FOUR))
                    for name, rule in sorted(self.metadata.items())
                ),
                add_admin_policy=_policy(self.add_admin, _THREE),
                remove_admin_policy=_policy(self.remove_admin, _THREE),
                update_permissions_policy=_policy(self.update_permissions, _THREE),
            )
        ).encode()


_FIELDS: Final = (
    "group_name",
    "description",
    "group_image_url_square",
    "message_disappear_from_ns",
    "message_disappear_in_ns",
    "minimum_supported_protocol_version",
    "app_data",
)


def _fields(rule: Rule, admin_fields: Iterable[str]) -> Mapping[str, Rule]:
    rules = dict.fromkeys(_FIELDS, rule)
    rules.update(dict.fromkeys(admin_fields, ADMIN))
    rules["minimum_supported_protocol_version"] = SUPER_ADMIN
    return MappingProxyType(rules)


ALL_MEMBERS: Final = Permissions(
    add_member=ALLOW,
    remove_member=ADMIN,
    add_admin=SUPER_ADMIN,
    remove_admin=SUPER_ADMIN,
    update_permissions=SUPER_ADMIN,
    metadata=_fields(ALLOW, ("message_disappear_from_ns", "message_disappear_in_ns")),
)
"""A new group's rules: members add and rename, admins remove."""

ADMINS_ONLY: Final = Permissions(
    add_member=ADMIN,
    remove_member=ADMIN,
    add_admin=SUPER_ADMIN,
    remove_admin=SUPER_ADMIN,
    update_permissions=SUPER_ADMIN,
    metadata=_fields(ADMIN, ()),
)
"""Only admins add, remove and rename."""

DIRECT_MESSAGE: Final = Permissions(
    add_member=DENY,
    remove_member=DENY,
    add_admin=DENY,
    remove_admin=DENY,
    update_permissions=DENY,
    metadata=MappingProxyType(dict.fromkeys(_FIELDS, ALLOW)),
)
"""Two members, for ever; both may change the metadata."""


def _rule(policy: groups.Policy | None, numbers: Mapping[int, Base], depth: int = 0) -> Rule:
    if policy is None:
        raise GroupStateInvalidError("A policy is missing")
    if depth > _MAX_DEPTH:
        raise GroupStateInvalidError(f"Policies are nested deeper than {_MAX_DEPTH}")
    if policy.base is not None:
        if policy.base not in numbers:
            raise GroupStateInvalidError("An unknown base policy", got=policy.base)
        return Rule(numbers[policy.base])
    if policy.and_condition is not None:
        return Rule(every=_operands(policy.and_condition, numbers, depth))
    if policy.any_condition is not None:
        return Rule(some=_operands(policy.any_condition, numbers, depth))
    raise GroupStateInvalidError("A policy says nothing")


def _operands(
    condition: groups.PolicyList, numbers: Mapping[int, Base], depth: int
) -> tuple[Rule, ...]:
    if not condition.policies:
        raise GroupStateInvalidError("A condition has no policies")
    try:
        return tuple(
            _rule(groups.Policy.decode(encoded), numbers, depth + 1)
            for encoded in condition.policies
        )
    except ProtobufMalformedError as error:
        raise GroupStateInvalidError("A policy cannot be read") from error


def _policy(rule: Rule, numbers: Mapping[int, Base]) -> groups.Policy:
    if rule.base is not None:
        for number, base in numbers.items():
            if base is rule.base:
                return groups.Policy(base=number)
        raise GroupStateInvalidError("No such base policy here", got=rule.base.value)
    operands = groups.PolicyList(
        policies=tuple(_policy(operand, numbers).encode() for operand in rule.every or rule.some)
    )
    if rule.every:
        return groups.Policy(and_condition=operands)
    return groups.Policy(any_condition=operands)
