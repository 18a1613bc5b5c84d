"""What a member can see of its group; nothing here changes it."""

from __future__ import annotations

from xmtp_tee.mls.extensions import Extensions
from xmtp_tee.mls.joining import Predecessor
from xmtp_tee.mls.leaf_node import LeafNode
from xmtp_tee.mls.membership import Membership, Standing
from xmtp_tee.mls.proposal_rules import Queued
from xmtp_tee.mls.proposals import ReInit
from xmtp_tee.mls.psk import PskUsage
from xmtp_tee.mls.suites import CipherSuite
from xmtp_tee.mls.wiping import own_copy


class GroupView:
    """The properties of a group as one member sees it."""

    __slots__ = ("_member",)

    def __init__(self, member: Membership) -> None:
        self._member = member

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"<{name} {self.group_id.hex()} at epoch {self.epoch}, leaf {self.own_leaf}>"

    @property
    def counter(self) -> int:
        """Grows with every change of the state."""
        return self._member.counter

    @property
    def standing(self) -> Standing:
        """Whether the group is in use."""
        return self._member.standing

    @property
    def suite(self) -> CipherSuite:
        """The cipher suite."""
        return self._member.epoch.context.suite

    @property
    def group_id(self) -> bytes:
        """The group's id."""
        return self._member.epoch.context.group_id

    @property
    def epoch(self) -> int:
        """The current epoch's number."""
        return self._member.epoch.context.epoch

    @property
    def extensions(self) -> Extensions:
        """The group context's extensions."""
        return self._member.epoch.context.extensions

    @property
    def own_leaf(self) -> int:
        """Our leaf index."""
        return self._member.epoch.own

    @property
    def members(self) -> dict[int, LeafNode]:
        """All members by leaf index."""
        return dict(self._member.epoch.tree.members())

    @property
    def pending_proposals(self) -> tuple[Queued, ...]:
        """The proposals of this epoch that wait for a commit, in the order of arrival."""
        return tuple(self._member.proposals.values())

    @property
    def pending_commit(self) -> bytes | None:
        """Our own commit that waits for its confirmation."""
        return None if self._member.pending is None else self._member.pending.commit

    @property
    def epoch_authenticator(self) -> bytes:
        """32 bytes that all members of the epoch share, to be compared by other means (8.7)."""
        return self._member.epoch.secrets.authenticator

    @property
    def tree(self) -> bytes:
        """The ratchet tree, in the form of the ratchet_tree extension's data."""
        return self._member.epoch.tree.encode()

    def export(self, label: bytes, context: bytes, length: int) -> bytes:
        """Return a secret for the application (section 8.5).

        WARNING: who holds it holds it: the caller keeps a list of labels that may leave.

        :raises GroupInactiveError: we are no member any more
        :raises HpkeExportLengthError: more than 255 * 32 bytes
        """
        self._member.require_active_for_reading()
        return self._member.epoch.secrets.export(label, context, length)

    def resumption_psk(self, epoch: int) -> bytes | None:
        """Return an epoch's resumption secret, for a PskStore of another group; None if gone."""
        self._member.require_active_for_reading()
        held = self._member.epoch
        secret = (
            held.secrets.resumption
            if epoch == held.context.epoch
            else self._member.resumption.get(epoch)
        )
        return None if secret is None else own_copy(secret)

    def successor(self, usage: PskUsage, reinit: ReInit | None = None) -> Predecessor:
        """Return what a welcome into this group's successor or branch must fulfil."""
        context = self._member.epoch.context
        if reinit is not None:
            return Predecessor(
                context.group_id,
                context.epoch,
                usage,
                reinit.group_id,
                reinit.cipher_suite,
                reinit.extensions,
            )
        return Predecessor(context.group_id, context.epoch, usage, None, context.suite.id, None)
