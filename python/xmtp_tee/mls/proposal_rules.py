"""Which proposals, from whom, beside which others? (RFC 9420, sections 12.1 and 12.2)"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from xmtp_tee.mls.config import Config
from xmtp_tee.mls.errors import (
    AppDataError,
    ClientTwiceError,
    CommitterRemovedError,
    ExternalInitError,
    GroupContextExtensionsTwiceError,
    KeyRepeatedError,
    LeafTwiceError,
    ProposalMisplacedError,
    ProposalSenderError,
    PskNonceError,
    PskUsageError,
    ReInitNotAloneError,
    ReInitVersionError,
    UpdateByCommitterError,
)
from xmtp_tee.mls.extensions import external_senders
from xmtp_tee.mls.framing import Sender, SenderType
from xmtp_tee.mls.leaf_node import LeafSource
from xmtp_tee.mls.leaf_rules import (
    Place,
    check_capabilities,
    check_key_package,
    check_leaf_itself,
    check_lifetime,
    check_proposal_supported,
)
from xmtp_tee.mls.proposals import (
    Add,
    AppDataUpdate,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ProposalType,
    ReInit,
    Remove,
    Update,
)
from xmtp_tee.mls.psk import PskId, PskUsage, ResumptionPskId, require_distinct_psks
from xmtp_tee.mls.ratchet_tree import RatchetTree
from xmtp_tee.mls.suites import HASH_SIZE, MLS10

_EXTERNAL_MAY: Final = frozenset(
    {
        ProposalType.ADD,
        ProposalType.REMOVE,
        ProposalType.PSK,
        ProposalType.REINIT,
        ProposalType.GROUP_CONTEXT_EXTENSIONS,
    }
)
"""What an external sender may propose (section 17.4)."""

_EXTERNAL_COMMIT_MAY: Final = frozenset(
    {ProposalType.EXTERNAL_INIT, ProposalType.REMOVE, ProposalType.PSK}
)


@dataclass(frozen=True)
class Queued:
    """A proposal with its sender; ``reference`` is None when it stands in the commit itself."""

    proposal: Proposal
    sender: Sender
    reference: bytes | None = None


def check_sender(proposal: Proposal, sender: Sender) -> None:
    """Refuse a proposal from somebody who may not make it.

    :raises ProposalSenderError: naming both
    """
    kind = proposal.type
    match sender.type:
        case SenderType.MEMBER:
            allowed = kind is not ProposalType.EXTERNAL_INIT
        case SenderType.EXTERNAL:
            allowed = kind in _EXTERNAL_MAY
        case SenderType.NEW_MEMBER_PROPOSAL:
            allowed = kind is ProposalType.ADD
        case SenderType.NEW_MEMBER_COMMIT:
            allowed = kind in _EXTERNAL_COMMIT_MAY
    if not allowed:
        raise ProposalSenderError(f"{sender.type.name} may not propose this", got=kind.name)


def check_proposal(queued: Queued, tree: RatchetTree, place: Place, config: Config) -> None:
    """Refuse a proposal that is invalid whatever stands beside it (section 12.1). Whether it fits
    the group is judged with the commit, which may change what the group needs.

    :raises ProposalInvalidError, LeafNodeInvalidError, MlsCryptoError, LeafIndexError: saying why
    """
    proposal, sender = queued.proposal, queued.sender
    check_sender(proposal, sender)
    check_proposal_supported(tree, proposal.type)
    match proposal:
        case Add():
            check_key_package(proposal.package, place, config)
        case Update():
            check_leaf_itself(proposal.leaf, sender.index, LeafSource.UPDATE, place, config)
            old = tree.leaf(sender.index)
            if proposal.leaf.encryption_key == old.encryption_key:
                raise KeyRepeatedError("An update keeps the encryption key", got=sender.index)
            config.identities.check_successor(old, proposal.leaf)
        case Remove():
            tree.leaf(proposal.removed)
        case PreSharedKey():
            _check_psk(proposal.psk)
        case ReInit():
            if proposal.version < MLS10:
                raise ReInitVersionError(
                    "A reinitialisation goes to an older version",
                    got=proposal.version,
                    expected=f">= {MLS10}",
                )
        case GroupContextExtensions():
            Place.of(place.suite, place.group_id, proposal.extensions)
            for external in external_senders(proposal.extensions):
                config.identities.check_external_sender(external)
        case ExternalInit() | AppDataUpdate():
            pass


def check_fit(queue: Sequence[Queued], place: Place, now: int) -> None:
    """Refuse leaves that do not fit the group as it is after the commit (section 7.3).

    :raises LeafNodeInvalidError: a capability is missing, or a lifetime is over
    """
    for each in queue:
        match each.proposal:
            case Add(package):
                check_capabilities(package.leaf, place)
                check_lifetime(package.leaf, now)
            case Update(leaf):
                check_capabilities(leaf, place)


def _check_psk(psk: PskId) -> None:
    if len(psk.nonce) != HASH_SIZE:
        raise PskNonceError("A pre-shared key's nonce", got=len(psk.nonce), expected=HASH_SIZE)
    if isinstance(psk, ResumptionPskId) and psk.usage is not PskUsage.APPLICATION:
        raise PskUsageError("A proposal's resumption key", got=psk.usage.name)


def check_group_extensions(tree: RatchetTree, place: Place) -> None:
    """Refuse group context extensions that some member does not support (section 12.1.7).

    :raises LeafNodeInvalidError: a member lacks a capability
    """
    for _, leaf in tree.members():
        check_capabilities(leaf, place)


def check_list(queue: Sequence[Queued], committer: int, tree: RatchetTree, config: Config) -> None:
    """Refuse a member's list of proposals that do not go together (section 12.2).

    :raises ProposalInvalidError: saying why
    """
    kinds = Counter(each.proposal.type for each in queue)
    if kinds[ProposalType.EXTERNAL_INIT]:
        raise ExternalInitError("A member's commit has an external init")
    if kinds[ProposalType.REINIT] and len(queue) > 1:
        raise ReInitNotAloneError("A reinitialisation stands beside others", got=len(queue))
    if kinds[ProposalType.GROUP_CONTEXT_EXTENSIONS] > 1:
        raise GroupContextExtensionsTwiceError(
            "The extensions are replaced more than once",
            got=kinds[ProposalType.GROUP_CONTEXT_EXTENSIONS],
        )
    touched: set[int] = set()
    for each in queue:
        match each.proposal:
            case Update():
                if each.sender.index == committer:
                    raise UpdateByCommitterError("The committer updates itself by a proposal")
                _touch(touched, each.sender.index)
            case Remove(removed):
                if removed == committer:
                    raise CommitterRemovedError("The committer removes itself", got=removed)
                _touch(touched, removed)
    require_distinct_psks([q.proposal.psk for q in queue if isinstance(q.proposal, PreSharedKey)])
    _check_clients(queue, tree, config)
    _check_app_data(queue)


def _touch(touched: set[int], leaf: int) -> None:
    if leaf in touched:
        raise LeafTwiceError("Two proposals update or remove the same leaf", got=leaf)
    touched.add(leaf)


def _check_clients(queue: Sequence[Queued], tree: RatchetTree, config: Config) -> None:
    added = [each.proposal.package.leaf for each in queue if isinstance(each.proposal, Add)]
    if not added:
        return
    removed = {each.proposal.removed for each in queue if isinstance(each.proposal, Remove)}
    client = config.identities.client
    known = {client(leaf) for index, leaf in tree.members() if index not in removed}
    for leaf in added:
        if client(leaf) in known:
            raise ClientTwiceError(
                "An added client is a member or is added twice", got=leaf.signature_key.hex()
            )
        known.add(client(leaf))


def _check_app_data(queue: Sequence[Queued]) -> None:
    """Refuse contradictory updates of application data (draft-ietf-mls-extensions-08, 4.7)."""
    updates: dict[int, list[bool]] = {}
    for each in queue:
        if isinstance(each.proposal, AppDataUpdate):
            removes = each.proposal.update is None
            updates.setdefault(each.proposal.component, []).append(removes)
        elif isinstance(each.proposal, GroupContextExtensions) and updates:
            raise AppDataError("Application data is updated before the extensions are replaced")
    for component, removals in updates.items():
        if any(removals) and len(removals) > 1:
            raise AppDataError(
                "A component is removed and changed, or removed twice", got=component
            )


def check_external_list(queue: Sequence[Queued]) -> None:
    """Refuse the proposals of an external commit (section 12.2).

    :raises ProposalMisplacedError: by reference, of another type, or two removes
    :raises ExternalInitError: not exactly one external init
    """
    kinds = Counter(each.proposal.type for each in queue)
    for each in queue:
        if each.reference is not None:
            raise ProposalMisplacedError("An external commit refers to a proposal")
        if each.proposal.type not in _EXTERNAL_COMMIT_MAY:
            raise ProposalMisplacedError(
                "A proposal may not be in an external commit", got=each.proposal.type.name
            )
    if kinds[ProposalType.EXTERNAL_INIT] != 1:
        raise ExternalInitError(
            "An external commit has one external init", got=kinds[ProposalType.EXTERNAL_INIT]
        )
    if kinds[ProposalType.REMOVE] > 1:
        raise ProposalMisplacedError(
            "An external commit removes more than one", got=kinds[ProposalType.REMOVE]
        )
    require_distinct_psks([q.proposal.psk for q in queue if isinstance(q.proposal, PreSharedKey)])
