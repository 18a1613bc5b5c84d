"""A commit under XMTP's rules: what is allowed, and each way of cheating by its name."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from xmtp_tee.xmtp.commit_rules import (
    CommitFacts,
    Participant,
    ProposalFact,
    ProposalKind,
    validate_commit,
    validate_initial_membership,
)
from xmtp_tee.xmtp.errors import CommitRefusedError, IdentityUpdateRefusedError
from xmtp_tee.xmtp.group_state import GroupState, Membership
from xmtp_tee.xmtp.identity_log import Inbox
from xmtp_tee.xmtp.identity_log import Membership as Joined
from xmtp_tee.xmtp.members import Member
from xmtp_tee.xmtp.permissions import ADMINS_ONLY, ALL_MEMBERS, DENY, DIRECT_MESSAGE
from xmtp_tee.xmtp.proto.groups import ConversationType

CREATOR_KEY, CREATOR_SECOND, MEMBER_KEY, MEMBER_SECOND, NEW_KEY, STRANGER_KEY = (
    bytes([n]) * 32 for n in range(1, 7)
)
CREATOR = Participant("creator", CREATOR_KEY)
MEMBER = Participant("member", MEMBER_KEY)
NEW = Participant("new", NEW_KEY)

LOGS = {
    ("creator", 1): {CREATOR_KEY},
    ("creator", 5): {CREATOR_KEY, CREATOR_SECOND},
    ("creator", 6): {CREATOR_SECOND},
    ("member", 2): {MEMBER_KEY},
    ("member", 7): {MEMBER_KEY, MEMBER_SECOND},
    ("new", 3): {NEW_KEY},
}


def inbox_at(inbox_id: str, sequence: int) -> Inbox:
    if (inbox_id, sequence) not in LOGS:
        raise IdentityUpdateRefusedError("The log is empty: the inbox does not exist")
    members = {Member.installation(key): Joined() for key in LOGS[inbox_id, sequence]}
    return Inbox(inbox_id, Member.wallet(bytes(20)), members)


def membership(*failed: bytes, **inboxes: int) -> Membership:
    return Membership(MappingProxyType(inboxes), frozenset(failed))


GROUP = GroupState(
    conversation_type=ConversationType.GROUP,
    creator="creator",
    dm_members=None,
    membership=membership(creator=1, member=2),
    permissions=ALL_MEMBERS,
    attributes=MappingProxyType({"group_name": "name"}),
    super_admins=("creator",),
)
PRESENT = frozenset({CREATOR_KEY, MEMBER_KEY})


def add(subject: Participant, by: Participant = CREATOR) -> ProposalFact:
    return ProposalFact(ProposalKind.ADD, by, subject)


def remove(subject: Participant, by: Participant = CREATOR) -> ProposalFact:
    return ProposalFact(ProposalKind.REMOVE, by, subject)


def context(by: Participant = CREATOR) -> ProposalFact:
    return ProposalFact(ProposalKind.GROUP_CONTEXT, by)


def commit(
    *proposals: ProposalFact,
    after: GroupState = GROUP,
    before: GroupState = GROUP,
    actor: Participant = CREATOR,
    installations: frozenset[bytes] = PRESENT,
) -> CommitFacts:
    return CommitFacts(actor, proposals, before, after, installations)


def with_members(group: GroupState = GROUP, *failed: bytes, **inboxes: int) -> GroupState:
    return replace(group, membership=membership(*failed, **inboxes))


ADDED = with_members(creator=1, member=2, new=3)
REMOVED = with_members(creator=1)


# --- what is allowed ------------------------------------------------------------------------------


def test_a_key_update_changes_nothing_that_members_see() -> None:
    assert not validate_commit(commit(actor=MEMBER), inbox_at).says_something


def test_a_member_adds_an_inbox() -> None:
    validated = validate_commit(
        commit(context(MEMBER), add(NEW, MEMBER), after=ADDED, actor=MEMBER), inbox_at
    )
    assert validated.added == ("new",)
    update = validated.group_updated()
    assert update.initiated_by_inbox_id == "member"
    assert [inbox.inbox_id for inbox in update.added_inboxes] == ["new"]


def test_an_admin_removes_an_inbox_and_who_asked_to_leave_left() -> None:
    validated = validate_commit(commit(context(), remove(MEMBER), after=REMOVED), inbox_at)
    assert validated.removed == ("member",)
    assert [i.inbox_id for i in validated.group_updated().removed_inboxes] == ["member"]
    left = validated.group_updated(frozenset({"member"}))
    assert [i.inbox_id for i in left.left_inboxes] == ["member"]
    assert left.removed_inboxes == ()


def test_an_installation_follows_its_inbox_log() -> None:
    after = with_members(creator=1, member=7)
    second = Participant("member", MEMBER_SECOND)
    assert not validate_commit(commit(context(), add(second), after=after), inbox_at).added
    # Missing from the commit, it may still come: another commit brings it in.
    validate_commit(commit(context(), after=after), inbox_at)


def test_an_installation_that_cannot_be_added_is_listed_as_failed() -> None:
    after = with_members(GROUP, MEMBER_SECOND, creator=1, member=7)
    validate_commit(commit(context(), after=after), inbox_at)


def test_a_super_admin_readds_an_installation() -> None:
    validate_commit(commit(remove(MEMBER), add(MEMBER)), inbox_at)
    with pytest.raises(CommitRefusedError, match="are not those that must go"):
        validate_commit(
            commit(remove(CREATOR, MEMBER), add(CREATOR, MEMBER), actor=MEMBER), inbox_at
        )


def test_a_member_renames_the_group() -> None:
    after = GROUP.with_attribute("group_name", "another")
    [change] = validate_commit(commit(context(MEMBER), after=after, actor=MEMBER), inbox_at).fields
    assert (change.field_name, change.old_value, change.new_value) == (
        "group_name",
        "name",
        "another",
    )


def test_a_super_admin_changes_admins_and_permissions() -> None:
    after = replace(
        GROUP, admins=("member",), super_admins=("creator", "member"), permissions=ADMINS_ONLY
    )
    validated = validate_commit(commit(context(), after=after), inbox_at)
    assert validated.admins_added == ("member",)
    assert validated.super_admins_added == ("member",)


def test_the_other_of_a_direct_message_is_added_although_adding_is_denied() -> None:
    before = replace(
        with_members(creator=1),
        conversation_type=ConversationType.DM,
        dm_members=("creator", "member"),
        permissions=DIRECT_MESSAGE,
        super_admins=(),
    )
    after = with_members(before, creator=1, member=2)
    alone = frozenset({CREATOR_KEY})
    validate_commit(
        commit(context(), add(MEMBER), before=before, after=after, installations=alone), inbox_at
    )
    third = with_members(before, creator=1, new=3)
    with pytest.raises(CommitRefusedError, match="add a member"):
        validate_commit(
            commit(context(), add(NEW), before=before, after=third, installations=alone), inbox_at
        )


# --- attacks --------------------------------------------------------------------------------------


def test_attack_an_installation_that_no_log_knows_is_smuggled_in() -> None:
    ghost = Participant("member", STRANGER_KEY)
    with pytest.raises(CommitRefusedError, match="no inbox's log brings in"):
        validate_commit(commit(context(), add(ghost)), inbox_at)


def test_attack_an_inbox_is_added_with_anothers_installation() -> None:
    with pytest.raises(CommitRefusedError, match="no inbox's log brings in"):
        validate_commit(
            commit(context(), add(Participant("new", STRANGER_KEY)), after=ADDED), inbox_at
        )


def test_attack_a_member_is_removed_from_the_tree_alone() -> None:
    with pytest.raises(CommitRefusedError, match="are not those that must go"):
        validate_commit(commit(remove(MEMBER, MEMBER), actor=MEMBER), inbox_at)


def test_attack_a_member_is_removed_from_the_membership_alone() -> None:
    with pytest.raises(CommitRefusedError, match="are not those that must go"):
        validate_commit(commit(context(), after=REMOVED), inbox_at)


def test_attack_the_log_of_an_inbox_is_turned_back() -> None:
    before = with_members(creator=5, member=2)
    both = frozenset({CREATOR_KEY, CREATOR_SECOND, MEMBER_KEY})
    with pytest.raises(CommitRefusedError, match="fell"):
        validate_commit(commit(context(), before=before, installations=both), inbox_at)


def test_attack_a_revoked_installation_commits() -> None:
    before = with_members(creator=5, member=2)
    after = with_members(creator=6, member=2)
    both = frozenset({CREATOR_KEY, CREATOR_SECOND, MEMBER_KEY})
    with pytest.raises(CommitRefusedError, match="no installation of its inbox"):
        validate_commit(
            commit(context(), remove(CREATOR), before=before, after=after, installations=both),
            inbox_at,
        )


def test_attack_a_member_turns_into_another_inbox() -> None:
    pretender = ProposalFact(ProposalKind.UPDATE, MEMBER, Participant("creator", MEMBER_KEY))
    with pytest.raises(CommitRefusedError, match="no installation of its inbox"):
        validate_commit(commit(pretender, actor=MEMBER), inbox_at)
    with pytest.raises(CommitRefusedError, match="no installation of its inbox"):
        validate_commit(commit(actor=Participant("creator", MEMBER_KEY)), inbox_at)
    with pytest.raises(CommitRefusedError, match="does not belong"):
        validate_commit(commit(actor=Participant("stranger", MEMBER_KEY)), inbox_at)


def test_attack_a_proposal_of_a_stranger() -> None:
    with pytest.raises(CommitRefusedError, match="no member"):
        validate_commit(commit(context(Participant("new", NEW_KEY))), inbox_at)


def test_attack_a_kind_of_proposal_that_xmtp_does_not_allow() -> None:
    with pytest.raises(CommitRefusedError, match="does not allow"):
        validate_commit(commit(ProposalFact(ProposalKind.OTHER, CREATOR)), inbox_at)


def test_attack_a_member_removes_another() -> None:
    before = with_members(creator=1, member=2, new=3)
    after = with_members(creator=1, member=2)
    three = PRESENT | {NEW_KEY}
    with pytest.raises(CommitRefusedError, match="remove this member"):
        validate_commit(
            commit(
                context(MEMBER),
                remove(NEW, MEMBER),
                before=before,
                after=after,
                actor=MEMBER,
                installations=three,
            ),
            inbox_at,
        )


def test_attack_a_super_admin_is_removed() -> None:
    two_super = replace(GROUP, super_admins=("creator", "member"))
    after = replace(two_super, membership=REMOVED.membership)
    with pytest.raises(CommitRefusedError, match="remove this member"):
        validate_commit(commit(context(), remove(MEMBER), before=two_super, after=after), inbox_at)


def test_attack_a_member_makes_itself_admin() -> None:
    for change in ({"admins": ("member",)}, {"super_admins": ("creator", "member")}):
        after = replace(GROUP, **change)  # type: ignore[arg-type]
        with pytest.raises(CommitRefusedError, match="name a"):
            validate_commit(commit(context(MEMBER), after=after, actor=MEMBER), inbox_at)


def test_attack_a_member_dismisses_the_super_admin() -> None:
    with pytest.raises(CommitRefusedError, match="dismiss a super admin"):
        validate_commit(
            commit(context(MEMBER), after=replace(GROUP, super_admins=()), actor=MEMBER), inbox_at
        )


def test_the_last_super_admin_stays() -> None:
    with pytest.raises(CommitRefusedError, match="dismiss a super admin"):
        validate_commit(commit(context(), after=replace(GROUP, super_admins=())), inbox_at)


def test_attack_a_member_dismisses_an_admin() -> None:
    before = replace(GROUP, admins=("member",))
    with pytest.raises(CommitRefusedError, match="dismiss an admin"):
        validate_commit(commit(context(MEMBER), before=before, actor=MEMBER), inbox_at)


def test_attack_a_member_rewrites_the_permissions() -> None:
    after = replace(GROUP, permissions=replace(ALL_MEMBERS, remove_member=DENY))
    with pytest.raises(CommitRefusedError, match="change the permissions"):
        validate_commit(commit(context(MEMBER), after=after, actor=MEMBER), inbox_at)


def test_attack_a_member_changes_a_field_that_is_not_theirs() -> None:
    for name in ("_commit_log_signer", "message_disappear_in_ns", "unknown"):
        after = replace(GROUP, attributes=MappingProxyType({"group_name": "name", name: "1"}))
        with pytest.raises(CommitRefusedError, match="change"):
            validate_commit(commit(context(MEMBER), after=after, actor=MEMBER), inbox_at)


@pytest.mark.parametrize(
    "change",
    [
        {"creator": "member"},
        {"conversation_type": ConversationType.DM},
        {"dm_members": ("creator", "member")},
    ],
)
def test_attack_what_is_immutable_changes(change: dict[str, object]) -> None:
    with pytest.raises(CommitRefusedError, match="cannot change"):
        validate_commit(commit(context(), after=replace(GROUP, **change)), inbox_at)  # type: ignore[arg-type]


def test_a_field_beyond_its_limit_is_refused() -> None:
    after = replace(GROUP, attributes=MappingProxyType({"group_name": "n" * 101}))
    with pytest.raises(CommitRefusedError, match="101 bytes"):
        validate_commit(commit(context(), after=after), inbox_at)


@pytest.mark.parametrize("version", ["1.11.0", "2.0.0", "1.10", "x.y.z", "1.10.0.1", ""])
def test_a_group_for_a_newer_client_or_none_is_not_followed(version: str) -> None:
    attributes = {"group_name": "name", "minimum_supported_protocol_version": version}
    after = replace(GROUP, attributes=MappingProxyType(attributes))
    with pytest.raises(CommitRefusedError, match="demands"):
        validate_commit(commit(context(), after=after), inbox_at)


def test_a_group_for_this_client_is_followed() -> None:
    attributes = {"group_name": "name", "minimum_supported_protocol_version": "1.10.0-dev"}
    after = replace(GROUP, attributes=MappingProxyType(attributes))
    validate_commit(commit(context(), after=after), inbox_at)


def test_a_log_that_cannot_be_read_stops_the_commit() -> None:
    after = with_members(creator=1, member=2, new=99)
    with pytest.raises(IdentityUpdateRefusedError):
        validate_commit(commit(context(), add(NEW), after=after), inbox_at)


# --- joining --------------------------------------------------------------------------------------


def test_a_group_whose_leaves_are_its_inboxes_installations_is_joined() -> None:
    validate_initial_membership(membership(creator=1, member=2), (CREATOR, MEMBER), inbox_at)
    failed = membership(CREATOR_SECOND, creator=5, member=2)
    validate_initial_membership(failed, (CREATOR, MEMBER), inbox_at)


@pytest.mark.parametrize(
    ("leaves", "message"),
    [
        ((CREATOR, MEMBER, NEW), "does not belong"),
        ((CREATOR, Participant("member", STRANGER_KEY)), "no installation"),
        ((CREATOR, MEMBER, MEMBER), "stands there twice"),
        ((CREATOR,), "is missing"),
    ],
)
def test_a_group_with_other_leaves_is_not_joined(
    leaves: tuple[Participant, ...], message: str
) -> None:
    with pytest.raises(CommitRefusedError, match=message):
        validate_initial_membership(membership(creator=1, member=2), leaves, inbox_at)
