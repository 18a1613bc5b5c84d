"""Forged welcomes, group infos and external commits: each is refused by its own error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.mls.malice import (
    commit_now,
    epoch_of,
    five,
    forge_external_commit,
    forge_welcome,
)
from tests.mls.support import NOW, Client, assert_group_goes_on, capabilities
from xmtp_tee import mls
from xmtp_tee.mls import errors
from xmtp_tee.mls.codec import opaque
from xmtp_tee.mls.extensions import ExtensionType
from xmtp_tee.mls.message import decode_message, encode_message
from xmtp_tee.mls.proposals import ExternalInit
from xmtp_tee.mls.ratchet_tree import ParentNode, RatchetTree
from xmtp_tee.mls.welcome import GroupInfo, Welcome


class Scene:
    """A group of five with a filled tree, and a newcomer with a key package."""

    def __init__(self) -> None:
        self.clients = five()()
        self.mallory = self.clients[1]
        self.newcomer = Client("newcomer")
        self.keys = self.newcomer.package()

    def forge(self, **forgery: Any) -> bytes:
        return forge_welcome(self.mallory, self.keys.package, **forgery)

    def refuses(self, error: type[mls.MlsError], match: str | None = None, **forgery: Any) -> None:
        with pytest.raises(error, match=match) as caught:
            self.newcomer.join(self.forge(**forgery), self.keys)
        assert type(caught.value) is error
        # The key package is still good for a genuine welcome.
        made = self.clients[0].commit(mls.CommitIntent(add=(self.keys.package,)))
        for client in self.clients:
            client.process(made.commit)
        assert made.welcome is not None
        self.newcomer.join(made.welcome, self.keys)
        assert_group_goes_on([*self.clients, self.newcomer])


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_honest_forgery_is_accepted(scene: Scene) -> None:
    scene.newcomer.join(scene.forge(), scene.keys)
    assert scene.newcomer.mine.epoch == epoch_of(scene.mallory).context.epoch + 1


def set_node(node: int, change: Callable[[Any], Any]) -> Callable[[RatchetTree], None]:
    """An edit of one node of a tree."""

    def edit(tree: RatchetTree) -> None:
        tree.put(node, change(tree.nodes[node]))

    return edit


# --- secrets --------------------------------------------------------------------------------------


def test_path_secret_of_another_path(scene: Scene) -> None:
    scene.refuses(errors.PathSecretError, path_secret=lambda _, __: bytes(32))


def test_path_secret_of_another_length(scene: Scene) -> None:
    scene.refuses(errors.PathSecretError, "wrong length", path_secret=lambda _, __: bytes(31))


def test_path_secret_for_a_blank_parent(scene: Scene) -> None:
    def blank(tree: RatchetTree) -> None:
        for node in range(1, len(tree.nodes), 2):
            tree.put(node, None)

    scene.refuses(errors.PathSecretError, "blank", edit_tree=blank)


def test_welcome_for_another_key_package(scene: Scene) -> None:
    other = Client("other")
    with pytest.raises(errors.WelcomeNotForUsError):
        other.join(scene.forge(), other.package())


def test_welcome_of_another_suite(scene: Scene) -> None:
    message = decode_message(scene.forge(), 1 << 20)
    assert isinstance(message, Welcome)
    with pytest.raises(errors.WelcomeInvalidError):
        scene.newcomer.join(encode_message(replace(message, suite=mls.SUITE_1)), scene.keys)


def test_group_info_of_another_suite_than_its_welcome(scene: Scene) -> None:
    scene.refuses(
        errors.WelcomeInvalidError, context=lambda context: replace(context, suite=mls.SUITE_1)
    )


def test_welcome_that_names_the_key_package_twice(scene: Scene) -> None:
    message = decode_message(scene.forge(), 1 << 20)
    assert isinstance(message, Welcome)
    with pytest.raises(errors.WelcomeInvalidError):
        scene.newcomer.join(
            encode_message(replace(message, secrets=message.secrets * 2)), scene.keys
        )


def test_altered_welcome(scene: Scene) -> None:
    message = decode_message(scene.forge(), 1 << 20)
    assert isinstance(message, Welcome)
    info = bytearray(message.encrypted_group_info)
    info[0] ^= 1
    # The secrets are bound to the encrypted group info, so they are the first that do not open.
    with pytest.raises(errors.DecryptionError):
        scene.newcomer.join(
            encode_message(replace(message, encrypted_group_info=bytes(info))), scene.keys
        )


def test_welcome_with_a_psk_that_is_unknown(scene: Scene) -> None:
    identifier = mls.ExternalPskId(b"shared", bytes(32))
    store = mls.PskStore({b"shared": b"s" * 32})
    scene.refuses(errors.PskUnknownError, psk_ids=(identifier,), psks=store)


def test_welcome_that_names_a_psk_twice(scene: Scene) -> None:
    identifier = mls.ExternalPskId(b"shared", bytes(32))
    store = mls.PskStore({b"shared": b"s" * 32})
    scene.refuses(errors.PskTwiceError, psk_ids=(identifier, identifier), psks=store)


@pytest.mark.parametrize("usage", [mls.PskUsage.REINIT, mls.PskUsage.BRANCH])
def test_welcome_into_a_successor_nobody_asked_for(scene: Scene, usage: mls.PskUsage) -> None:
    identifier = mls.ResumptionPskId(usage, b"old", 3, bytes(32))
    store = mls.PskStore(resumption={(b"old", 3): bytes(32)})
    scene.refuses(errors.PskUsageError, psk_ids=(identifier,), psks=store)


def test_welcome_with_two_predecessors(scene: Scene) -> None:
    identifiers = tuple(
        mls.ResumptionPskId(mls.PskUsage.BRANCH, b"old", 3, bytes([i]) * 32) for i in range(2)
    )
    store = mls.PskStore(resumption={(b"old", 3): bytes(32)})
    scene.refuses(errors.PskUsageError, "more than one", psk_ids=identifiers, psks=store)


def test_welcome_into_a_successor_that_is_not_new(scene: Scene) -> None:
    identifier = mls.ResumptionPskId(mls.PskUsage.BRANCH, b"old", 3, bytes(32))
    store = mls.PskStore(resumption={(b"old", 3): bytes(32)})
    predecessor = mls.Predecessor(b"old", 3, mls.PskUsage.BRANCH, None, 3, None)
    with pytest.raises(errors.WelcomeInvalidError, match="epoch 1"):
        scene.newcomer.join(
            scene.forge(psk_ids=(identifier,), psks=store),
            scene.keys,
            psks=store,
            predecessor=predecessor,
        )


# --- the group info -------------------------------------------------------------------------------


def test_group_info_signed_by_somebody_else(scene: Scene) -> None:
    scene.refuses(errors.SignatureInvalidError, "group info", key=scene.clients[2].key)


def test_group_info_altered_after_it_was_signed(scene: Scene) -> None:
    scene.refuses(
        errors.SignatureInvalidError, signed_info=lambda info: replace(info, signature=bytes(64))
    )


def test_group_info_of_a_signer_that_is_no_member(scene: Scene) -> None:
    for signer in (6, 7, 8, 1 << 31):
        with pytest.raises(errors.LeafIndexError):
            scene.newcomer.join(
                scene.forge(info=lambda info, s=signer: replace(info, signer=s)), scene.keys
            )


def test_group_info_signed_by_its_newcomer(scene: Scene) -> None:
    scene.refuses(
        errors.WelcomeInvalidError,
        info=lambda info: replace(info, signer=5),
        key=scene.newcomer.key,
    )


def test_group_info_with_a_wrong_confirmation_tag(scene: Scene) -> None:
    scene.refuses(
        errors.ConfirmationTagError, info=lambda info: replace(info, confirmation_tag=bytes(32))
    )


def test_group_info_of_another_tree(scene: Scene) -> None:
    scene.refuses(
        errors.TreeHashError, context=lambda context: replace(context, tree_hash=bytes(32))
    )


def test_welcome_without_tree(scene: Scene) -> None:
    scene.refuses(errors.TreeMissingError, with_tree=False)


def test_group_with_an_extension_that_a_member_does_not_support(scene: Scene) -> None:
    scene.refuses(errors.ExtensionUnsupportedError, extensions=(mls.Extension(0xABCD, b""),))


def test_group_with_required_capabilities_that_the_joiner_lacks(scene: Scene) -> None:
    required = mls.RequiredCapabilities(extensions=(0xF000,)).extension()
    poor = Client("poor", caps=capabilities(extensions=()))
    keys = poor.package()
    with pytest.raises(errors.CapabilityMissingError):
        poor.join(forge_welcome(scene.mallory, keys.package, extensions=(required,)), keys)


def test_group_with_an_external_sender_that_is_refused(scene: Scene) -> None:
    from xmtp_tee.mls.extensions import external_senders_extension

    sender = mls.ExternalSender(bytes(32), mls.X509Credential(()))
    scene.refuses(errors.CredentialRefusedError, extensions=(external_senders_extension([sender]),))


# --- the tree (sections 7.3, 7.9 and 12.4.3.1) ----------------------------------------------------


def test_tree_without_the_newcomer(scene: Scene) -> None:
    # The newcomer's leaf is there, as its key package's twin and not as its key package's own.
    other = scene.newcomer.package().package.leaf
    scene.refuses(errors.OwnLeafMissingError, before_path=set_node(10, lambda _: other))


def test_tree_with_a_leaf_whose_signature_is_invalid(scene: Scene) -> None:
    def edit(tree: RatchetTree) -> None:
        # The other parents would have seen that a leaf beside their paths has changed.
        for node in range(1, len(tree.nodes), 2):
            tree.put(node, None)
        tree.put(0, replace(tree.leaf(0), signature=bytes(64)))

    scene.refuses(errors.SignatureInvalidError, "leaf node 0", before_path=edit)


def test_tree_in_which_a_leaf_has_another_place(scene: Scene) -> None:
    def move(tree: RatchetTree) -> None:
        """Leaf 3 was signed for its place by its own commit; it is put into place 6."""
        leaf = tree.leaf(3)
        tree.put(6, None)
        tree.put(12, leaf)
        for node in (3, 5, 7, 11, 13):
            if node < len(tree.nodes):
                tree.put(node, None)

    scene.refuses(errors.SignatureInvalidError, edit_tree=move, path_secret=lambda _, __: None)


def test_tree_with_the_same_encryption_key_twice(scene: Scene) -> None:
    def twice(tree: RatchetTree) -> None:
        parent = tree.parent(7)
        assert parent is not None
        tree.put(7, replace(parent, encryption_key=tree.leaf(0).encryption_key))

    scene.refuses(errors.KeyRepeatedError, "encryption key", edit_tree=twice)


def test_tree_with_the_same_signature_key_twice(scene: Scene) -> None:
    third = scene.clients[2]
    twin = replace(
        Client("third").package().package.leaf,
        encryption_key=Client("fresh").package().package.leaf.encryption_key,
    ).signed(third.key)
    scene.refuses(errors.KeyRepeatedError, "signature key", edit_tree=lambda tree: add(tree, twin))


def add(tree: RatchetTree, leaf: Any) -> None:
    tree.add(leaf)


def test_tree_with_a_parent_nobody_put_there(scene: Scene) -> None:
    def plant(tree: RatchetTree) -> None:
        """An attacker's key at a blank parent would read what is encrypted to that subtree."""
        blank = next(i for i in range(1, len(tree.nodes), 2) if tree.nodes[i] is None)
        tree.put(blank, ParentNode(Client("attacker").key.public, b"", ()))

    scene.refuses(errors.ParentHashError, edit_tree=plant)


def test_tree_with_another_parent_hash(scene: Scene) -> None:
    def break_hash(tree: RatchetTree) -> None:
        node = next(
            i
            for i in range(1, len(tree.nodes), 2)
            if (found := tree.parent(i)) is not None and found.parent_hash
        )
        parent = tree.parent(node)
        assert parent is not None
        tree.put(node, replace(parent, parent_hash=bytes(32)))

    scene.refuses(errors.ParentHashError, edit_tree=break_hash)


def test_tree_with_a_parent_of_low_order(scene: Scene) -> None:
    def low(tree: RatchetTree) -> None:
        parent = tree.parent(7)
        assert parent is not None
        tree.put(7, replace(parent, encryption_key=bytes(32)))

    scene.refuses(errors.KeyUnusableError, edit_tree=low)


@pytest.mark.parametrize(
    "unmerged",
    [(5, 5), (5, 4), (6,), (20,)],
    ids=["twice", "unsorted", "blank", "outside"],
)
def test_tree_with_wrong_unmerged_leaves(scene: Scene, unmerged: tuple[int, ...]) -> None:
    def edit(tree: RatchetTree) -> None:
        parent = tree.parent(7)
        assert parent is not None
        tree.put(7, replace(parent, unmerged_leaves=unmerged))

    scene.refuses(errors.UnmergedLeavesError, edit_tree=edit)


def test_tree_with_a_leaf_unmerged_above_and_merged_below(scene: Scene) -> None:
    def edit(tree: RatchetTree) -> None:
        top, below = tree.parent(7), tree.parent(3)
        assert top is not None
        assert below is not None
        assert not below.unmerged_leaves
        tree.put(7, replace(top, unmerged_leaves=(2,)))

    scene.refuses(errors.UnmergedLeavesError, edit_tree=edit)


def test_tree_in_which_a_member_does_not_support_the_others_credentials(scene: Scene) -> None:
    odd = Client("odd", caps=capabilities(credentials=(1, 2)))
    leaf = replace(odd.package().package.leaf, credential=mls.X509Credential((b"der",))).signed(
        odd.key
    )

    class Anybody(mls.BasicIdentities):
        def check_leaf(self, leaf: mls.LeafNode) -> None: ...

    scene.newcomer.config = mls.Config(identities=Anybody())
    scene.refuses(errors.CredentialUnsupportedError, edit_tree=lambda tree: add(tree, leaf))


def test_tree_with_an_expired_leaf_where_that_matters(scene: Scene) -> None:
    with pytest.raises(errors.LifetimeError):
        mls.Group.join(
            scene.forge(),
            scene.keys,
            scene.newcomer.key,
            now=NOW + 100 * 86400,
            config=mls.Config(check_tree_lifetimes=True),
        )
    mls.Group.join(scene.forge(), scene.keys, scene.newcomer.key, now=NOW + 100 * 86400)


@pytest.mark.parametrize(
    ("tree", "error"),
    [
        (b"\x00", errors.TreeShapeError),
        (b"\x01\x00", errors.TreeShapeError),
        (b"\x02\x01\x02", errors.TreeShapeError),
        (b"\x02\x01\x03", errors.TreeShapeError),
        (b"\x01\x02", errors.TruncatedError),
        (b"\x02\x01\x01", errors.TruncatedError),
        (b"\x01\x00\x00", errors.TrailingBytesError),
    ],
)
def test_malformed_tree(scene: Scene, tree: bytes, error: type[mls.MlsError]) -> None:
    extension = mls.Extension(ExtensionType.RATCHET_TREE, tree)
    with pytest.raises(error):
        scene.newcomer.join(
            scene.forge(info=lambda info: replace(info, extensions=(extension,))), scene.keys
        )


def test_tree_that_is_too_large() -> None:
    from xmtp_tee.mls.ratchet_tree import MAX_LEAVES

    with pytest.raises(errors.TooLargeError):
        RatchetTree.decode(opaque(bytes(2 * MAX_LEAVES)))


# --- joining from a group info --------------------------------------------------------------------


def edited_info(scene: Scene, edit: Callable[[GroupInfo], GroupInfo]) -> bytes:
    message = decode_message(scene.mallory.mine.group_info(), 1 << 20)
    assert isinstance(message, GroupInfo)
    return encode_message(edit(message).signed(scene.mallory.key))


def join_externally(client: Client, info: bytes, **more: Any) -> bytes:
    client.group, commit = mls.Group.join_externally(
        info,
        client.key,
        client.credential,
        client.caps,
        entropy=client.entropy,
        now=NOW,
        config=client.config,
        **more,
    )
    return commit


def test_group_info_without_external_key(scene: Scene) -> None:
    info = scene.mallory.mine.group_info(with_external_pub=False)
    with pytest.raises(errors.GroupInfoInvalidError):
        join_externally(scene.newcomer, info)


@pytest.mark.parametrize("key", [bytes(32), bytes(31), b""])
def test_group_info_with_an_unusable_external_key(scene: Scene, key: bytes) -> None:
    def edit(info: GroupInfo) -> GroupInfo:
        tree = next(e for e in info.extensions if e.type == ExtensionType.RATCHET_TREE)
        return replace(
            info,
            extensions=(tree, mls.Extension(ExtensionType.EXTERNAL_PUB, opaque(key))),
            signature=b"",
        )

    with pytest.raises(errors.GroupInfoInvalidError):
        join_externally(scene.newcomer, edited_info(scene, edit))


def test_group_info_with_another_confirmation_tag_leads_nowhere(scene: Scene) -> None:
    """The newcomer cannot check the tag; the members refuse what it makes of it."""
    info = edited_info(scene, lambda i: replace(i, confirmation_tag=bytes(32), signature=b""))
    commit = join_externally(scene.newcomer, info)
    for client in scene.clients:
        with pytest.raises(errors.ConfirmationTagError):
            client.process(commit)
    assert_group_goes_on(scene.clients)


def test_group_info_with_a_confirmation_tag_of_another_length(scene: Scene) -> None:
    info = edited_info(scene, lambda i: replace(i, confirmation_tag=b"", signature=b""))
    with pytest.raises(errors.KeyLengthError):
        join_externally(scene.newcomer, info)


def test_welcome_that_keeps_the_path_secret_back(scene: Scene) -> None:
    """Whoever joins so cannot follow the group: it says so, and does nothing wrong."""
    scene.newcomer.join(scene.forge(path_secret=lambda _, __: None), scene.keys)
    assert set(epoch_of(scene.newcomer).keys) == {10}


def test_commit_to_a_member_whose_path_secret_was_kept_back(scene: Scene) -> None:
    owner = scene.clients[0]
    keys = epoch_of(owner).keys
    for node in [each for each in keys if each & 1]:
        del keys[node]
    with pytest.raises(errors.PathSecretError, match="No ciphertext"):
        owner.process(scene.clients[4].commit().commit)


def test_newcomer_that_does_not_fit_its_group(scene: Scene) -> None:
    commit_now(
        scene.clients[0],
        mls.CommitIntent(extensions=(mls.RequiredCapabilities(extensions=(0xF000,)).extension(),)),
        scene.clients[1:],
    )
    scene.newcomer.caps = capabilities(extensions=())
    with pytest.raises(errors.CapabilityMissingError):
        join_externally(scene.newcomer, scene.mallory.mine.group_info())


# --- external commits (section 12.2) --------------------------------------------------------------

EXTERNAL: dict[str, tuple[Callable[[ExternalInit], Any], type[mls.MlsError]]] = {
    "has no external init": (lambda init: [], errors.ExternalInitError),
    "has two external inits": (lambda init: [init, init], errors.ExternalInitError),
    "has an external init for another key": (
        lambda init: [ExternalInit(b"\x09" + bytes(31))],
        errors.ConfirmationTagError,
    ),
    "has an external init of low order": (
        lambda init: [ExternalInit(bytes(32))],
        errors.ExternalInitError,
    ),
    "has an external init of another length": (
        lambda init: [ExternalInit(bytes(5))],
        errors.ExternalInitError,
    ),
    "adds somebody": (
        lambda init: [init, mls.Add(Client("friend").package().package)],
        errors.ProposalMisplacedError,
    ),
    "replaces the extensions": (
        lambda init: [init, mls.GroupContextExtensions(())],
        errors.ProposalMisplacedError,
    ),
    "changes application data": (
        lambda init: [init, mls.AppDataUpdate(1, b"")],
        errors.ProposalMisplacedError,
    ),
    "reinitialises": (
        lambda init: [init, mls.ReInit(b"n", 1, 3, ())],
        errors.ProposalMisplacedError,
    ),
    "removes two": (
        lambda init: [init, mls.Remove(3), mls.Remove(4)],
        errors.ProposalMisplacedError,
    ),
    "removes somebody else": (lambda init: [init, mls.Remove(4)], errors.CredentialRefusedError),
    "removes nobody": (lambda init: [init, mls.Remove(6)], errors.LeafIndexError),
}


@pytest.mark.parametrize("name", EXTERNAL)
def test_external_commit_that(scene: Scene, name: str) -> None:
    proposals, error = EXTERNAL[name]
    removed = 4 if "somebody else" in name else None
    message = forge_external_commit(scene.newcomer, scene.clients[0], proposals, removed=removed)
    for client in scene.clients:
        with pytest.raises(error) as caught:
            client.process(message)
        assert type(caught.value) is error
    assert_group_goes_on(scene.clients)


def test_external_commit_without_path(scene: Scene) -> None:
    message = forge_external_commit(
        scene.newcomer, scene.clients[0], lambda init: [init], with_path=False
    )
    for client in scene.clients:
        with pytest.raises(errors.PathMissingError):
            client.process(message)
    assert_group_goes_on(scene.clients)


def test_external_commit_by_reference(scene: Scene) -> None:
    from xmtp_tee.mls.commits import ProposalRef

    remove = scene.clients[2].propose(mls.Remove(4))
    for client in scene.clients:
        if client is not scene.clients[2]:
            client.process(remove)
    (reference,) = scene.clients[0].mine._member.proposals
    message = forge_external_commit(
        scene.newcomer, scene.clients[0], lambda init: [init, ProposalRef(reference)]
    )
    for client in scene.clients:
        with pytest.raises(errors.ProposalMisplacedError):
            client.process(message)


def test_honest_external_commit_is_accepted(scene: Scene) -> None:
    message = forge_external_commit(scene.newcomer, scene.clients[0], lambda init: [init])
    for client in scene.clients:
        assert isinstance(client.process(message), mls.CommitApplied)


def test_external_commit_by_a_member(scene: Scene) -> None:
    """A member's signature key comes twice, unless it removes its former self."""
    twin = Client("fourth")
    message = forge_external_commit(twin, scene.clients[0], lambda init: [init])
    for client in scene.clients:
        with pytest.raises(errors.KeyRepeatedError):
            client.process(message)
    assert_group_goes_on(scene.clients)
