"""Joining by a welcome (RFC 9420, section 12.4.3.1), and what makes a group info sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xmtp_tee.mls import tree_math as at
from xmtp_tee.mls.advancing import (
    epoch_from_joiner,
)
from xmtp_tee.mls.config import Config
from xmtp_tee.mls.crypto import same
from xmtp_tee.mls.epoch import Epoch
from xmtp_tee.mls.errors import (
    ConfirmationTagError,
    OwnLeafMissingError,
    PathSecretError,
    PskUsageError,
    TreeHashError,
    TreeMissingError,
    WelcomeInvalidError,
)
from xmtp_tee.mls.extensions import (
    Extensions,
    ExtensionType,
    external_senders,
    find,
)
from xmtp_tee.mls.key_package import KeyPackage, KeyPackageSecrets
from xmtp_tee.mls.key_schedule import (
    GroupContext,
)
from xmtp_tee.mls.leaf_rules import (
    Place,
    check_credentials_supported,
    check_leaf,
    check_lifetime,
)
from xmtp_tee.mls.psk import (
    PskId,
    PskStore,
    PskUsage,
    ResumptionPskId,
    psk_secret,
    require_distinct_psks,
)
from xmtp_tee.mls.ratchet_tree import RatchetTree
from xmtp_tee.mls.tree_kem import PrivateKeys, derive_path
from xmtp_tee.mls.tree_rules import check_tree
from xmtp_tee.mls.welcome import GroupInfo, GroupSecrets, Welcome
from xmtp_tee.mls.wiping import wipe


@dataclass(frozen=True)
class Predecessor:
    """The group that a reinitialised group or a branch comes from, and what it should become."""

    group_id: bytes
    epoch: int
    usage: PskUsage
    new_group_id: bytes | None
    """None: a branch may have any id."""
    cipher_suite: int
    extensions: Extensions | None
    """None: a branch may have any extensions."""


def join(
    welcome: Welcome,
    keys: KeyPackageSecrets,
    tree_data: bytes | None,
    psks: PskStore,
    config: Config,
    now: int,
    predecessor: Predecessor | None,
) -> Epoch:
    """Return the epoch that a welcome leads to.

    ``tree_data``: the tree in the form of the ratchet_tree extension, if it came beside the
    welcome.

    :raises MlsError: the rule that the welcome, its group info or its tree breaks
    """
    secrets = welcome.open_secrets(keys)
    require_distinct_psks(secrets.psks)
    _check_resumption(secrets.psks, predecessor)
    psk = psk_secret(secrets.psks, psks)
    info = welcome.open_group_info(secrets.joiner_secret, psk)
    context = info.context
    if context.suite != keys.package.suite:
        raise WelcomeInvalidError(
            "A group's cipher suite is not its welcome's",
            got=context.suite.id,
            expected=keys.package.suite.id,
        )
    _check_successor(context, secrets.psks, predecessor)
    tree = checked_tree(info, tree_data, config, now)
    own = _own_leaf(tree, keys.package)
    private: PrivateKeys = {
        2 * own: (keys.encryption_private, keys.package.leaf.encryption_key),
        **_path_keys(tree, own, info.signer, secrets, context),
    }
    epoch = epoch_from_joiner(context, tree, own, private, secrets.joiner_secret, psk, config)
    wipe(secrets.joiner_secret, psk)
    if not same(epoch.confirmation_tag, info.confirmation_tag):
        raise ConfirmationTagError("A group info's confirmation tag is wrong")
    return epoch


def checked_tree(info: GroupInfo, tree_data: bytes | None, config: Config, now: int) -> RatchetTree:
    """Return a group info's tree after everything about both has been checked.

    :raises TreeMissingError: neither in the group info nor beside it
    :raises TreeHashError: not the tree of the group's context
    :raises MlsError: the rule that the tree, a leaf or the signature breaks
    """
    data = find(info.extensions, ExtensionType.RATCHET_TREE)
    data = tree_data if data is None else data
    if data is None:
        raise TreeMissingError("No ratchet tree came with a group info")
    tree = RatchetTree.decode(data)
    info.verify(tree.leaf(info.signer).signature_key)
    context = info.context
    if tree.tree_hash() != context.tree_hash:
        raise TreeHashError(
            "A tree is not the group's",
            got=tree.tree_hash().hex(),
            expected=context.tree_hash.hex(),
        )
    check_tree(tree)
    place = Place.of(context.suite, context.group_id, context.extensions)
    for index, leaf in tree.members():
        check_leaf(leaf, index, None, place, config)
        if config.check_tree_lifetimes:
            check_lifetime(leaf, now)
    check_credentials_supported(tree)
    for sender in external_senders(context.extensions):
        config.identities.check_external_sender(sender)
    return tree


def _own_leaf(tree: RatchetTree, package: KeyPackage) -> int:
    for index, leaf in tree.members():
        if leaf.encoded == package.leaf.encoded:
            return index
    raise OwnLeafMissingError("The tree does not hold the key package's leaf")


def _path_keys(
    tree: RatchetTree, own: int, signer: int, secrets: GroupSecrets, context: GroupContext
) -> PrivateKeys:
    """Return the keys of the parents above both us and the signer."""
    if signer == own:
        raise WelcomeInvalidError("A welcome is signed by its own newcomer")
    if secrets.path_secret is None:
        return {}
    shared = [node for node in at.ancestors(2 * own, tree.capacity) if at.is_below(signer, node)]
    nodes = []
    for node in shared:
        parent = tree.parent(node)
        if parent is not None:
            nodes.append((node, parent.encryption_key))
    if not nodes or tree.parent(shared[0]) is None:
        raise PathSecretError("A path secret came for a blank parent", got=shared[0])
    keys, commit_secret = derive_path(context.suite, secrets.path_secret, nodes)
    wipe(commit_secret)
    return keys


def _check_resumption(psks: Sequence[PskId], predecessor: Predecessor | None) -> None:
    """A welcome into a reinitialised group or a branch names its predecessor, once."""
    special = [
        psk
        for psk in psks
        if isinstance(psk, ResumptionPskId) and psk.usage is not PskUsage.APPLICATION
    ]
    if len(special) > 1:
        raise PskUsageError("A welcome names more than one predecessor", got=len(special))
    if bool(special) != (predecessor is not None):
        raise PskUsageError(
            "A welcome names a predecessor just when the group is to have one",
            got=len(special),
            expected=int(predecessor is not None),
        )
    if predecessor is not None:
        named = special[0]
        expected = (predecessor.usage, predecessor.group_id, predecessor.epoch)
        if (named.usage, named.group_id, named.epoch) != expected:
            raise PskUsageError("A welcome names another predecessor", got=named.group_id.hex())


def _check_successor(
    context: GroupContext, psks: Sequence[PskId], predecessor: Predecessor | None
) -> None:
    if predecessor is None:
        return
    if context.epoch != 1:
        raise WelcomeInvalidError("A successor group starts at epoch 1", got=context.epoch)
    wrong = (
        context.suite.id != predecessor.cipher_suite
        or predecessor.new_group_id not in (None, context.group_id)
        or predecessor.extensions not in (None, context.extensions)
    )
    if wrong:
        raise WelcomeInvalidError("A successor group is not what its predecessor announced")
