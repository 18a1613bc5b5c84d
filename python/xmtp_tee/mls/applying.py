"""What proposals do to a tree and to the group's extensions (RFC 9420, section 12.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xmtp_tee.mls.config import Config
from xmtp_tee.mls.errors import AppDataError, TooLargeError
from xmtp_tee.mls.extensions import (
    Extensions,
    ExtensionType,
    decode_app_data,
    encode_app_data,
    find,
    replace,
)
from xmtp_tee.mls.key_package import KeyPackage
from xmtp_tee.mls.leaf_rules import Place, check_credentials_supported
from xmtp_tee.mls.proposal_rules import (
    Queued,
    check_external_list,
    check_fit,
    check_group_extensions,
    check_list,
    check_proposal,
)
from xmtp_tee.mls.proposals import (
    PATH_REQUIRED,
    Add,
    AppDataUpdate,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    ProposalType,
    ReInit,
    Remove,
    Update,
)
from xmtp_tee.mls.psk import PskId
from xmtp_tee.mls.ratchet_tree import RatchetTree
from xmtp_tee.mls.tree_rules import check_distinct_keys


@dataclass(frozen=True)
class Applied:
    """A group's tree and extensions after a list of proposals, before the update path."""

    tree: RatchetTree
    extensions: Extensions
    added: tuple[tuple[int, KeyPackage], ...]
    removed: tuple[int, ...]
    updated: tuple[int, ...]
    psks: tuple[PskId, ...]
    reinit: ReInit | None
    external_init: ExternalInit | None
    path_required: bool

    @property
    def new_leaves(self) -> frozenset[int]:
        """The nodes of the leaves that the list adds."""
        return frozenset(2 * index for index, _ in self.added)


def apply_proposals(
    queue: Sequence[Queued],
    committer: int | None,
    tree: RatchetTree,
    place: Place,
    config: Config,
    now: int,
) -> Applied:
    """Return what a list of proposals makes of a group. ``committer`` None: external commit.

    :raises TooLargeError: more than ``config.max_proposals``
    :raises ProposalInvalidError, LeafNodeInvalidError, TreeInvalidError, MlsCryptoError: the list,
        one of its proposals or the tree that comes out is not valid
    """
    if len(queue) > config.max_proposals:
        raise TooLargeError(
            "Too many proposals in a commit", got=len(queue), expected=f"<= {config.max_proposals}"
        )
    if committer is None:
        check_external_list(queue)
    else:
        check_list(queue, committer, tree, config)
    for queued in queue:
        check_proposal(queued, tree, place, config)
    extensions = _new_extensions(queue, place, config)
    new_place = Place.of(place.suite, place.group_id, extensions)
    check_fit(queue, new_place, now)
    after = tree.copy()
    updated = _update(queue, after)
    removed = _remove(queue, after)
    added = tuple(
        (after.add(each.proposal.package.leaf), each.proposal.package)
        for each in queue
        if isinstance(each.proposal, Add)
    )
    if extensions != place.extensions:
        # Those who are removed need not support the new extensions.
        check_group_extensions(after, new_place)
    if added or updated:
        check_distinct_keys(after)
        check_credentials_supported(after)
    proposals = [each.proposal for each in queue]
    kinds = {proposal.type for proposal in proposals}
    return Applied(
        after,
        extensions,
        added,
        removed,
        updated,
        tuple(each.psk for each in proposals if isinstance(each, PreSharedKey)),
        next((each for each in proposals if isinstance(each, ReInit)), None),
        next((each for each in proposals if isinstance(each, ExternalInit)), None),
        not proposals or bool(kinds & PATH_REQUIRED),
    )


def _update(queue: Sequence[Queued], tree: RatchetTree) -> tuple[int, ...]:
    updated = []
    for each in queue:
        if isinstance(each.proposal, Update):
            tree.update(each.sender.index, each.proposal.leaf)
            updated.append(each.sender.index)
    return tuple(updated)


def _remove(queue: Sequence[Queued], tree: RatchetTree) -> tuple[int, ...]:
    removed = [each.proposal.removed for each in queue if isinstance(each.proposal, Remove)]
    # From the right, so that the tree does not shrink below a leaf that is still to go.
    for leaf in sorted(removed, reverse=True):
        tree.remove(leaf)
    return tuple(removed)


def _new_extensions(queue: Sequence[Queued], place: Place, config: Config) -> Extensions:
    extensions = place.extensions
    kind = ExtensionType.APP_DATA_DICTIONARY
    updates = []
    for each in queue:
        if isinstance(each.proposal, GroupContextExtensions):
            extensions = each.proposal.extensions
            by_update_only = ProposalType.APP_DATA_UPDATE in place.required.proposals
            if by_update_only and find(extensions, kind) != find(place.extensions, kind):
                raise AppDataError("Application data may be changed by its own proposal only")
        elif isinstance(each.proposal, AppDataUpdate):
            updates.append(each.proposal)
    if not updates:
        return extensions
    data = find(extensions, kind)
    dictionary = {} if data is None else decode_app_data(data)
    for update in updates:
        _update_component(dictionary, update, config)
    return replace(extensions, kind, encode_app_data(dictionary))


def _update_component(dictionary: dict[int, bytes], update: AppDataUpdate, config: Config) -> None:
    component = update.component
    apply = config.components.get(component)
    if apply is None:
        raise AppDataError("No meaning is known for a component", got=f"{component:#06x}")
    if update.update is None:
        if component not in dictionary:
            raise AppDataError("A component without data is removed", got=f"{component:#06x}")
        del dictionary[component]
    else:
        dictionary[component] = apply(dictionary.get(component), update.update)
