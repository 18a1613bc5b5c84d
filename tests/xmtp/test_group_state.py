"""Permissions and the group's state: read, written, asked."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmtp_tee.mls.codec import opaque
from xmtp_tee.xmtp.errors import GroupStateInvalidError
from xmtp_tee.xmtp.group_state import ExtensionType, GroupState, Membership
from xmtp_tee.xmtp.permissions import (
    ADMIN,
    ADMINS_ONLY,
    ALL_MEMBERS,
    ALLOW,
    DENY,
    DIRECT_MESSAGE,
    SUPER_ADMIN,
    Actor,
    Base,
    Permissions,
    Rule,
)
from xmtp_tee.xmtp.proto import groups
from xmtp_tee.xmtp.proto.groups import ConversationType

MEMBER, AN_ADMIN, A_SUPER_ADMIN = Actor(False, False), Actor(True, False), Actor(False, True)
BASES = st.sampled_from(list(Base)).map(Rule)
RULES = st.recursive(
    BASES,
    lambda rules: st.one_of(
        st.lists(rules, min_size=1, max_size=3).map(lambda r: Rule(every=tuple(r))),
        st.lists(rules, min_size=1, max_size=3).map(lambda r: Rule(some=tuple(r))),
    ),
    max_leaves=6,
)
GROUP = GroupState(
    conversation_type=ConversationType.GROUP,
    creator="creator",
    dm_members=None,
    membership=Membership(MappingProxyType({"c0" * 32: 3, "3e" * 32: 9}), frozenset({b"failed"})),
    permissions=ALL_MEMBERS,
    attributes=MappingProxyType({"group_name": "name", "_commit_log_signer": "00"}),
    admins=("member",),
    super_admins=("creator",),
)


@pytest.mark.parametrize(
    ("rule", "allowed"),
    [
        (ALLOW, {MEMBER, AN_ADMIN, A_SUPER_ADMIN}),
        (DENY, set()),
        (ADMIN, {AN_ADMIN, A_SUPER_ADMIN}),
        (SUPER_ADMIN, {A_SUPER_ADMIN}),
        (Rule(every=(ALLOW, ADMIN)), {AN_ADMIN, A_SUPER_ADMIN}),
        (Rule(some=(DENY, SUPER_ADMIN)), {A_SUPER_ADMIN}),
        (Rule(every=(ALLOW, DENY)), set()),
    ],
)
def test_a_rule_allows_exactly_those(rule: Rule, allowed: set[Actor]) -> None:
    assert {a for a in (MEMBER, AN_ADMIN, A_SUPER_ADMIN) if rule.allows(a)} == allowed


@given(RULES, RULES, st.dictionaries(st.text(max_size=4), RULES, max_size=3))
def test_permissions_survive_the_wire(add: Rule, remove: Rule, fields: dict[str, Rule]) -> None:
    permissions = replace(
        ALL_MEMBERS, add_member=add, remove_member=remove, metadata=MappingProxyType(fields)
    )
    assert Permissions.decode(permissions.encode()) == permissions


@pytest.mark.parametrize("preset", [ALL_MEMBERS, ADMINS_ONLY, DIRECT_MESSAGE])
def test_presets_survive_the_wire(preset: Permissions) -> None:
    assert Permissions.decode(preset.encode()) == preset


def test_a_field_without_a_policy_is_for_admins_or_super_admins_by_its_name() -> None:
    assert ALL_MEMBERS.metadata_rule("a new field") == ADMIN
    assert ALL_MEMBERS.metadata_rule("_commit_log_signer") == SUPER_ADMIN
    assert ALL_MEMBERS.metadata_rule("group_name") == ALLOW


def policy_set(**changes: object) -> bytes:
    policies = groups.GroupMutablePermissionsV1.decode(ALL_MEMBERS.encode()).policies
    assert policies is not None
    return groups.GroupMutablePermissionsV1(policies=replace(policies, **changes)).encode()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("encoded", "message"),
    [
        (b"", "no permissions"),
        (b"\xff", "cannot be read"),
        (policy_set(add_member_policy=None), "missing"),
        (policy_set(add_member_policy=groups.Policy()), "says nothing"),
        (policy_set(add_member_policy=groups.Policy(base=0)), "unknown base policy"),
        (policy_set(add_member_policy=groups.Policy(base=5)), "unknown base policy"),
        (policy_set(add_admin_policy=groups.Policy(base=4)), "unknown base policy"),
        (
            policy_set(add_member_policy=groups.Policy(any_condition=groups.PolicyList())),
            "no policies",
        ),
        (
            policy_set(
                add_member_policy=groups.Policy(
                    and_condition=groups.PolicyList(policies=(b"\xff",))
                )
            ),
            "cannot be read",
        ),
        (
            policy_set(update_metadata_policy=(groups.MetadataPolicyEntry(key="name"),)),
            "missing",
        ),
    ],
)
def test_permissions_that_cannot_be_read_are_refused(encoded: bytes, message: str) -> None:
    with pytest.raises(GroupStateInvalidError, match=message):
        Permissions.decode(encoded)


def test_policies_nested_without_end_are_refused() -> None:
    policy = groups.Policy(base=1)
    for _ in range(12):
        policy = groups.Policy(any_condition=groups.PolicyList(policies=(policy.encode(),)))
    with pytest.raises(GroupStateInvalidError, match="nested deeper"):
        Permissions.decode(policy_set(add_member_policy=policy))


def test_a_permissions_policy_cannot_be_allow() -> None:
    with pytest.raises(GroupStateInvalidError, match="No such base policy"):
        replace(ALL_MEMBERS, add_admin=ALLOW).encode()


# --- the state ------------------------------------------------------------------------------------


def test_the_state_survives_the_wire() -> None:
    assert GroupState.decode(GROUP.encode()) == GROUP
    dm = replace(
        GROUP, conversation_type=ConversationType.DM, dm_members=("creator", "member"), admins=()
    )
    assert GroupState.decode(dm.encode()) == dm


@pytest.mark.parametrize(
    "kind",
    [
        ExtensionType.IMMUTABLE_METADATA,
        ExtensionType.MUTABLE_METADATA,
        ExtensionType.GROUP_MEMBERSHIP,
        ExtensionType.GROUP_PERMISSIONS,
    ],
)
def test_a_group_without_one_of_the_four_extensions_is_refused(kind: ExtensionType) -> None:
    extensions = GROUP.encode()
    with pytest.raises(GroupStateInvalidError):
        GroupState.decode({**extensions, kind: b"\xff"})
    del extensions[kind]
    with pytest.raises(GroupStateInvalidError, match="lacks an extension"):
        GroupState.decode(extensions)


@pytest.mark.parametrize("number", [0, 5])
def test_an_unknown_type_of_conversation_is_refused(number: int) -> None:
    metadata = groups.GroupMetadataV1(conversation_type=number, creator_inbox_id="creator")
    with pytest.raises(GroupStateInvalidError, match="unknown type"):
        GroupState.decode(
            {**GROUP.encode(), ExtensionType.IMMUTABLE_METADATA: opaque(metadata.encode())}
        )


def test_a_direct_message_names_its_two_members() -> None:
    metadata = groups.GroupMetadataV1(conversation_type=2, creator_inbox_id="creator")
    with pytest.raises(GroupStateInvalidError, match="two members"):
        GroupState.decode(
            {**GROUP.encode(), ExtensionType.IMMUTABLE_METADATA: opaque(metadata.encode())}
        )


def test_metadata_without_its_lists_of_admins_is_refused() -> None:
    metadata = groups.GroupMutableMetadataV1(admin_list=groups.Inboxes())
    with pytest.raises(GroupStateInvalidError, match="lists of admins"):
        GroupState.decode({**GROUP.encode(), ExtensionType.MUTABLE_METADATA: metadata.encode()})


def test_a_name_is_changed_within_its_limit() -> None:
    assert GROUP.with_attribute("group_name", "é" * 50).name == "é" * 50
    with pytest.raises(GroupStateInvalidError, match="101 bytes"):
        GROUP.with_attribute("group_name", "n" * 101)


def test_an_inbox_is_what_the_lists_say() -> None:
    assert GROUP.actor("creator") == A_SUPER_ADMIN
    assert GROUP.actor("member") == AN_ADMIN
    assert GROUP.actor("stranger") == MEMBER


@pytest.mark.parametrize(
    "inboxes",
    [{"x": 1}, {"": 1}, {"C0" * 32: 1}, {"c0" * 33: 1}, {"c0" * 32: 1 << 63}],
    ids=["a word", "empty", "upper case", "too long", "a sequence id over 63 bits"],
)
def test_a_membership_that_no_network_has_is_refused(inboxes: dict[str, int]) -> None:
    state = replace(GROUP, membership=Membership(MappingProxyType(inboxes)))
    with pytest.raises(GroupStateInvalidError, match="A member"):
        GroupState.decode(state.encode())


def test_the_greatest_sequence_id_is_read() -> None:
    membership = Membership(MappingProxyType({"c0" * 32: (1 << 63) - 1}))
    state = replace(GROUP, membership=membership)
    assert GroupState.decode(state.encode()).membership == membership
