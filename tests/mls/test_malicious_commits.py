"""A malicious member's commits: each breaks one rule of RFC 9420, sections 7 and 12; each is
refused by that rule's error, and the group goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.mls.malice import (
    alter_path,
    commit_now,
    epoch_of,
    five,
    forge_commit,
    forge_proposal,
    forge_update,
)
from tests.mls.support import (
    LIFETIME,
    NOW,
    Client,
    assert_group_goes_on,
    capabilities,
)
from xmtp_tee import mls
from xmtp_tee.mls import errors
from xmtp_tee.mls.commits import UpdatePathNode
from xmtp_tee.mls.crypto import HpkeCiphertext
from xmtp_tee.mls.framing import WireFormat
from xmtp_tee.mls.leaf_node import LeafSource
from xmtp_tee.mls.proposals import ExternalInit

MALLORY = 1
"""The malicious member's leaf."""


class Scene:
    """A group of five, in which the second member is malicious, and a stranger outside."""

    def __init__(self) -> None:
        self.clients = five()()
        self.mallory = self.clients[MALLORY]
        self.honest = [client for client in self.clients if client is not self.mallory]
        self.stranger = Client("stranger")

    def refuses(self, message: bytes, error: type[mls.MlsError], match: str | None = None) -> None:
        """Every honest member refuses the message for this reason and is as it was before."""
        for client in self.honest:
            before = client.mine.save()
            with pytest.raises(error, match=match) as caught:
                client.process(message)
            assert type(caught.value) is error
            assert_only_ratchets_differ(before, client)

    def hear(self, message: bytes) -> None:
        for client in self.honest:
            client.process(message)


def assert_only_ratchets_differ(before: bytes, client: Client) -> None:
    """A refused message may have made a sender's ratchets ready, and changes nothing else."""
    old = mls.Group.restore(before, client.key, least_counter=0, config=client.config)
    for each in (old, client.mine):
        each._member.epoch.secret_tree.nodes.clear()
        each._member.epoch.secret_tree.ratchets.clear()
    kept = mls.Group.restore(before, client.key, least_counter=0, config=client.config)
    assert old.save() == client.mine.save()
    client.group = kept


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    # Mallory's own state is untouched by what it forged: it plays on as if nothing had happened,
    # but for the handshake generations that it used up.
    assert_group_goes_on(scene.clients)


def test_honest_forgery_is_accepted() -> None:
    """The forger makes valid commits when it forges nothing, so refusals mean what they say."""
    scene = Scene()
    package = scene.stranger.package().package
    for proposals in ([], [mls.Remove(4)], [mls.Add(package)]):
        forged = forge_commit(scene.mallory, proposals)
        for client in scene.honest:
            if client.mine.own_leaf == 4 and mls.Remove(4) in proposals:
                continue
            copy = Client(client.name)
            copy.group = mls.Group.restore(client.mine.save(), client.key, least_counter=0)
            event = copy.process(forged.message)
            assert isinstance(event, mls.CommitApplied)
            assert copy.mine.epoch_authenticator == forged.epoch.secrets.authenticator


# --- the cases that other implementations let through --------------------------------------------


def test_add_whose_key_package_signature_is_invalid(scene: Scene) -> None:
    package = scene.stranger.package().package
    forged = replace(package, signature=bytes(64))
    scene.refuses(
        forge_commit(scene.mallory, [mls.Add(forged)]).message, errors.SignatureInvalidError
    )


def test_add_whose_leaf_signature_is_invalid(scene: Scene) -> None:
    keys = scene.stranger.package().package
    package = resigned(scene.stranger, replace(keys, leaf=replace(keys.leaf, signature=bytes(64))))
    scene.refuses(
        forge_commit(scene.mallory, [mls.Add(package)]).message, errors.SignatureInvalidError
    )


def test_add_whose_init_key_is_its_encryption_key(scene: Scene) -> None:
    keys = scene.stranger.package().package
    package = resigned(scene.stranger, replace(keys, init_key=keys.leaf.encryption_key))
    scene.refuses(
        forge_commit(scene.mallory, [mls.Add(package)]).message, errors.InitKeyReusedError
    )


def test_path_that_keeps_the_old_leaf_key(scene: Scene) -> None:
    old = epoch_of(scene.mallory).tree.leaf(MALLORY).encryption_key
    forged = forge_commit(scene.mallory, leaf=lambda leaf: replace(leaf, encryption_key=old))
    scene.refuses(forged.message, errors.KeyRepeatedError, "keeps its encryption key")


def test_path_secret_that_does_not_match_the_tree(scene: Scene) -> None:
    other = forge_commit(scene.mallory)

    def swapped(path: Any) -> Any:
        """The secrets are those of the true keys; the topmost public key is another one."""
        nodes = list(path.nodes)
        top = other.epoch.tree.parent(7)
        assert top is not None
        nodes[-1] = replace(nodes[-1], encryption_key=top.encryption_key)
        return replace(path, nodes=tuple(nodes))

    # The leaf commits to the true path, so its parent hash is wrong as well; a member that does
    # not check the parent hash must still see that the secret leads elsewhere.
    scene.refuses(forge_commit(scene.mallory, update_path=swapped).message, errors.ParentHashError)
    scene.refuses(consistent_wrong_secret(scene), errors.PathSecretError)


def consistent_wrong_secret(scene: Scene) -> bytes:
    """A commit whose tree, hashes and tag fit each other, and whose secrets are another path's."""
    from xmtp_tee.mls import tree_kem

    genuine = tree_kem.NewPath.encrypt

    def encrypt(self: Any, *arguments: Any) -> Any:
        wrong = tuple(bytes(b ^ 1 for b in secret) for secret in self.path_secrets)
        return genuine(replace(self, path_secrets=wrong), *arguments)

    tree_kem.NewPath.encrypt = encrypt  # type: ignore[method-assign]
    try:
        return forge_commit(scene.mallory).message
    finally:
        tree_kem.NewPath.encrypt = genuine  # type: ignore[method-assign]


def test_group_context_extension_that_members_do_not_support(scene: Scene) -> None:
    proposal = mls.GroupContextExtensions((mls.Extension(0xABCD, b""),))
    scene.refuses(forge_commit(scene.mallory, [proposal]).message, errors.ExtensionUnsupportedError)


def test_required_capabilities_that_members_lack(scene: Scene) -> None:
    for required in (
        mls.RequiredCapabilities(extensions=(0xABCD,)),
        mls.RequiredCapabilities(proposals=(0xABCD,)),
        mls.RequiredCapabilities(credentials=(2,)),
    ):
        proposal = mls.GroupContextExtensions((required.extension(),))
        scene.refuses(
            forge_commit(scene.mallory, [proposal]).message, errors.CapabilityMissingError
        )


# --- the path (sections 7.5 and 12.4.2) ----------------------------------------------------------


@pytest.mark.parametrize(
    "proposals",
    [
        [],
        [mls.Remove(4)],
        [mls.GroupContextExtensions(())],
    ],
    ids=["empty", "remove", "extensions"],
)
def test_commit_without_the_path_that_is_demanded(scene: Scene, proposals: Any) -> None:
    message = forge_commit(scene.mallory, proposals, path=False).message
    scene.refuses(message, errors.PathMissingError)


def test_commit_of_an_update_without_path(scene: Scene) -> None:
    third = scene.clients[2]
    update = third.mine.propose_update(entropy=third.entropy, now=NOW)
    for client in scene.clients:
        if client is not third:
            client.process(update)
    reference, queued = next(iter(scene.mallory.mine._member.proposals.items()))
    message = forge_commit(
        scene.mallory, references=[(reference, queued.proposal, 2)], path=False
    ).message
    scene.refuses(message, errors.PathMissingError)
    clear(scene)


PATHS: dict[str, tuple[Callable[[Any], Any], type[mls.MlsError]]] = {
    "a node is missing": (alter_path(nodes=lambda p: p.nodes[:-1]), errors.PathShapeError),
    "a node is too much": (
        alter_path(nodes=lambda p: (*p.nodes, UpdatePathNode(b"k" * 32, ()))),
        errors.PathShapeError,
    ),
    "a ciphertext is missing": (
        alter_path(
            nodes=lambda p: (replace(p.nodes[0], encrypted=p.nodes[0].encrypted[:-1]), *p.nodes[1:])
        ),
        errors.PathShapeError,
    ),
    "a ciphertext is too much": (
        alter_path(
            nodes=lambda p: (
                replace(p.nodes[0], encrypted=p.nodes[0].encrypted * 2),
                *p.nodes[1:],
            )
        ),
        errors.PathShapeError,
    ),
    "all ciphertexts are garbage": (
        alter_path(
            nodes=lambda p: tuple(
                replace(
                    n,
                    encrypted=tuple(HpkeCiphertext(e.kem_output, bytes(48)) for e in n.encrypted),
                )
                for n in p.nodes
            )
        ),
        errors.DecryptionError,
    ),
    "all encapsulated keys are of low order": (
        alter_path(
            nodes=lambda p: tuple(
                replace(
                    n,
                    encrypted=tuple(HpkeCiphertext(bytes(32), e.ciphertext) for e in n.encrypted),
                )
                for n in p.nodes
            )
        ),
        errors.DecryptionError,
    ),
    "a public key is too short": (
        alter_path(
            nodes=lambda p: (
                replace(p.nodes[0], encryption_key=p.nodes[0].encryption_key[:-1]),
                *p.nodes[1:],
            )
        ),
        errors.KeyLengthError,
    ),
    "a public key is of low order": (
        alter_path(nodes=lambda p: (replace(p.nodes[0], encryption_key=bytes(32)), *p.nodes[1:])),
        errors.KeyUnusableError,
    ),
    "a public key occurs twice in the path": (
        alter_path(
            nodes=lambda p: (
                p.nodes[0],
                replace(p.nodes[1], encryption_key=p.nodes[0].encryption_key),
                *p.nodes[2:],
            )
        ),
        errors.KeyRepeatedError,
    ),
    "a public key is the path's own leaf's": (
        alter_path(
            nodes=lambda p: (
                replace(p.nodes[0], encryption_key=p.leaf.encryption_key),
                *p.nodes[1:],
            )
        ),
        errors.KeyRepeatedError,
    ),
}


@pytest.mark.parametrize("name", PATHS)
def test_path_in_which(scene: Scene, name: str) -> None:
    edit, error = PATHS[name]
    scene.refuses(forge_commit(scene.mallory, update_path=edit).message, error)


def test_path_with_a_public_key_of_another_member(scene: Scene) -> None:
    taken = epoch_of(scene.mallory).tree.leaf(3).encryption_key
    edit = alter_path(nodes=lambda p: (replace(p.nodes[0], encryption_key=taken), *p.nodes[1:]))
    message = forge_commit(scene.mallory, update_path=edit).message
    scene.refuses(message, errors.KeyRepeatedError)


LEAVES: dict[str, tuple[Callable[[Any], Any], type[mls.MlsError]]] = {
    "comes from an update": (
        lambda leaf: replace(leaf, source=LeafSource.UPDATE, parent_hash=b""),
        errors.LeafSourceError,
    ),
    "comes from a key package": (
        lambda leaf: replace(
            leaf, source=LeafSource.KEY_PACKAGE, lifetime=LIFETIME, parent_hash=b""
        ),
        errors.LeafSourceError,
    ),
    "has another parent hash": (
        lambda leaf: replace(leaf, parent_hash=bytes(32)),
        errors.ParentHashError,
    ),
    "has no parent hash": (lambda leaf: replace(leaf, parent_hash=b""), errors.ParentHashError),
    "has another credential": (
        lambda leaf: replace(leaf, credential=mls.BasicCredential(b"owner")),
        errors.CredentialRefusedError,
    ),
    "has a certificate nobody judges": (
        lambda leaf: replace(leaf, credential=mls.X509Credential((b"der",))),
        errors.CredentialRefusedError,
    ),
    "has an extension it does not list": (
        lambda leaf: replace(leaf, extensions=(mls.Extension(0xABCD, b""),)),
        errors.ExtensionUnsupportedError,
    ),
    "does not support the cipher suite": (
        lambda leaf: replace(leaf, capabilities=capabilities(suites=(1,))),
        errors.CapabilityMissingError,
    ),
    "does not support the version": (
        lambda leaf: replace(leaf, capabilities=replace(capabilities(), versions=(2,))),
        errors.CapabilityMissingError,
    ),
    "does not support the others' credentials": (
        lambda leaf: replace(leaf, capabilities=capabilities(credentials=(2,))),
        errors.CredentialUnsupportedError,
    ),
    "has an encryption key of low order": (
        lambda leaf: replace(leaf, encryption_key=b"\x01" + bytes(31)),
        errors.KeyUnusableError,
    ),
}


@pytest.mark.parametrize("name", LEAVES)
def test_path_whose_leaf(scene: Scene, name: str) -> None:
    edit, error = LEAVES[name]
    scene.refuses(forge_commit(scene.mallory, leaf=edit).message, error)


def test_path_whose_leaf_has_an_extension_twice(scene: Scene) -> None:
    twice = (mls.Extension(0xF000, b"1"), mls.Extension(0xF000, b"2"))
    forged = forge_commit(scene.mallory, leaf=lambda leaf: replace(leaf, extensions=twice))
    scene.refuses(forged.message, errors.ExtensionRepeatedError)


def test_path_whose_leaf_is_not_signed(scene: Scene) -> None:
    forged = forge_commit(scene.mallory, raw_leaf=lambda leaf: replace(leaf, signature=bytes(64)))
    scene.refuses(forged.message, errors.SignatureInvalidError, "leaf node")


def test_path_whose_leaf_was_signed_for_another_place(scene: Scene) -> None:
    forged = forge_commit(
        scene.mallory,
        raw_leaf=lambda leaf: leaf.signed(scene.mallory.key, b"group", 3),
    )
    scene.refuses(forged.message, errors.SignatureInvalidError, "leaf node")


def test_path_whose_leaf_was_signed_for_another_group(scene: Scene) -> None:
    forged = forge_commit(
        scene.mallory,
        raw_leaf=lambda leaf: leaf.signed(scene.mallory.key, b"other", MALLORY),
    )
    scene.refuses(forged.message, errors.SignatureInvalidError, "leaf node")


def test_path_whose_leaf_has_another_members_signature_key(scene: Scene) -> None:
    owner = scene.clients[0]
    forged = forge_commit(
        scene.mallory,
        raw_leaf=lambda leaf: replace(leaf, signature_key=owner.key.public).signed(
            owner.key, b"group", MALLORY
        ),
    )
    scene.refuses(forged.message, errors.KeyRepeatedError, "signature key")


# --- authentication (section 6) ------------------------------------------------------------------


def test_commit_with_a_wrong_confirmation_tag(scene: Scene) -> None:
    for tag in (bytes(32), b"", bytes(31)):
        message = forge_commit(scene.mallory, tag=lambda _, tag=tag: tag).message
        scene.refuses(message, errors.ConfirmationTagError)


def test_commit_with_a_wrong_signature(scene: Scene) -> None:
    for signature in (bytes(64), b"", bytes(63)):
        message = forge_commit(scene.mallory, signature=lambda _, s=signature: s).message
        scene.refuses(message, errors.SignatureInvalidError)


def test_commit_signed_with_another_members_key(scene: Scene) -> None:
    message = forge_commit(scene.mallory, key=scene.clients[2].key).message
    scene.refuses(message, errors.SignatureInvalidError)


def test_commit_in_the_name_of_another_member(scene: Scene) -> None:
    """Mallory knows every ratchet of the epoch, but not the others' signature keys."""
    from xmtp_tee.mls.framing import Sender, SenderType

    as_third = {"sender": Sender(SenderType.MEMBER, 2)}
    message = forge_commit(scene.mallory, framed=as_third).message
    for client in (scene.clients[0], scene.clients[3], scene.clients[4]):
        with pytest.raises(errors.SignatureInvalidError):
            client.process(message)


def test_public_commit_with_a_wrong_membership_tag(scene: Scene) -> None:
    message = bytearray(forge_commit(scene.mallory, form=WireFormat.PUBLIC_MESSAGE).message)
    message[-1] ^= 1
    scene.refuses(bytes(message), errors.MembershipTagError)


# --- the list of proposals (section 12.2) --------------------------------------------------------


def test_commit_with_the_committers_own_update_by_value(scene: Scene) -> None:
    forged = forge_commit(scene.mallory, [forge_update(scene.mallory)])
    scene.refuses(forged.message, errors.UpdateByCommitterError)


def test_commit_with_the_committers_own_update_by_reference(scene: Scene) -> None:
    update = forge_update(scene.mallory)
    message, reference = forge_proposal(scene.mallory, update)
    scene.hear(message)
    forged = forge_commit(scene.mallory, references=[(reference, update, MALLORY)])
    scene.refuses(forged.message, errors.UpdateByCommitterError)
    clear(scene)


def clear(scene: Scene) -> None:
    """Forget proposals, so that everybody may send again."""
    for client in scene.clients:
        client.mine._member.proposals.clear()


def test_committer_removes_itself(scene: Scene) -> None:
    scene.refuses(
        forge_commit(scene.mallory, [mls.Remove(MALLORY)]).message, errors.CommitterRemovedError
    )


@pytest.mark.parametrize("leaf", [5, 7, 8, 2**32 - 1])
def test_remove_of_nobody(scene: Scene, leaf: int) -> None:
    message = forge_commit(scene.mallory, [mls.Remove(leaf)]).message
    scene.refuses(message, errors.LeafIndexError)


def test_two_removes_of_one_member(scene: Scene) -> None:
    message = forge_commit(scene.mallory, [mls.Remove(3), mls.Remove(3)]).message
    scene.refuses(message, errors.LeafTwiceError)


def test_update_and_remove_of_one_member(scene: Scene) -> None:
    third = scene.clients[2]
    update = third.mine.propose_update(entropy=third.entropy, now=NOW)
    for client in scene.clients:
        if client is not third:
            client.process(update)
    reference, queued = next(iter(scene.mallory.mine._member.proposals.items()))
    forged = forge_commit(
        scene.mallory, [mls.Remove(2)], references=[(reference, queued.proposal, 2)]
    )
    scene.refuses(forged.message, errors.LeafTwiceError)
    clear(scene)


def test_same_client_added_twice(scene: Scene) -> None:
    first, second = scene.stranger.package().package, scene.stranger.package().package
    message = forge_commit(scene.mallory, [mls.Add(first), mls.Add(second)]).message
    scene.refuses(message, errors.ClientTwiceError)


def test_member_added_again(scene: Scene) -> None:
    package = scene.clients[3].package().package
    message = forge_commit(scene.mallory, [mls.Add(package)]).message
    scene.refuses(message, errors.ClientTwiceError)


def test_added_leaf_with_a_members_encryption_key(scene: Scene) -> None:
    keys = scene.stranger.package().package
    taken = epoch_of(scene.mallory).tree.leaf(3).encryption_key
    leaf = replace(keys.leaf, encryption_key=taken).signed(scene.stranger.key)
    package = resigned(scene.stranger, replace(keys, leaf=leaf))
    message = forge_commit(scene.mallory, [mls.Add(package)]).message
    scene.refuses(message, errors.KeyRepeatedError)


def psk(nonce: bytes = bytes(32)) -> mls.PreSharedKey:
    return mls.PreSharedKey(mls.ExternalPskId(b"shared", nonce))


STORE = mls.PskStore({b"shared": b"s" * 32})


def test_same_psk_twice(scene: Scene) -> None:
    message = forge_commit(scene.mallory, [psk(), psk()], psks=STORE).message
    scene.refuses(message, errors.PskTwiceError)


def test_psk_with_a_nonce_of_another_length(scene: Scene) -> None:
    for length in (0, 31, 33):
        message = forge_commit(scene.mallory, [psk(bytes(length))], psks=STORE).message
        scene.refuses(message, errors.PskNonceError)


def test_psk_that_is_unknown(scene: Scene) -> None:
    message = forge_commit(scene.mallory, [psk()], psks=STORE).message
    scene.refuses(message, errors.PskUnknownError)


def test_psk_with_another_value(scene: Scene) -> None:
    message = forge_commit(scene.mallory, [psk()], psks=STORE).message
    for client in scene.honest:
        with pytest.raises(errors.ConfirmationTagError):
            client.process(message, psks=mls.PskStore({b"shared": b"other" * 8}))


@pytest.mark.parametrize("usage", [mls.PskUsage.REINIT, mls.PskUsage.BRANCH])
def test_psk_for_a_successor_group_in_a_proposal(scene: Scene, usage: mls.PskUsage) -> None:
    identifier = mls.ResumptionPskId(usage, b"group", 1, bytes(32))
    store = mls.PskStore(resumption={(b"group", 1): bytes(32)})
    message = forge_commit(scene.mallory, [mls.PreSharedKey(identifier)], psks=store).message
    scene.refuses(message, errors.PskUsageError)


def test_extensions_replaced_twice(scene: Scene) -> None:
    proposals = [mls.GroupContextExtensions(()), mls.GroupContextExtensions(())]
    message = forge_commit(scene.mallory, proposals).message
    scene.refuses(message, errors.GroupContextExtensionsTwiceError)


def test_group_context_extension_twice_in_the_list(scene: Scene) -> None:
    twice = mls.GroupContextExtensions((mls.Extension(0xF000, b"1"), mls.Extension(0xF000, b"2")))
    scene.refuses(forge_commit(scene.mallory, [twice]).message, errors.ExtensionRepeatedError)


def test_malformed_required_capabilities(scene: Scene) -> None:
    for data, error in ((b"", errors.TruncatedError), (b"\0\0\0\0", errors.TrailingBytesError)):
        proposal = mls.GroupContextExtensions((mls.Extension(3, data),))
        scene.refuses(forge_commit(scene.mallory, [proposal]).message, error)


def test_malformed_external_senders(scene: Scene) -> None:
    proposal = mls.GroupContextExtensions((mls.Extension(5, b"\x05abc"),))
    scene.refuses(forge_commit(scene.mallory, [proposal]).message, errors.TruncatedError)


def test_external_sender_that_the_application_refuses(scene: Scene) -> None:
    from xmtp_tee.mls.extensions import external_senders_extension

    sender = mls.ExternalSender(bytes(32), mls.X509Credential(()))
    proposal = mls.GroupContextExtensions((external_senders_extension([sender]),))
    scene.refuses(forge_commit(scene.mallory, [proposal]).message, errors.CredentialRefusedError)


REINIT = mls.ReInit(b"next", 1, 3, ())


def test_reinitialisation_beside_others(scene: Scene) -> None:
    message = forge_commit(scene.mallory, [REINIT, mls.Remove(3)]).message
    scene.refuses(message, errors.ReInitNotAloneError)


def test_reinitialisation_to_an_older_version(scene: Scene) -> None:
    message = forge_commit(scene.mallory, [replace(REINIT, version=0)], path=False).message
    scene.refuses(message, errors.ReInitVersionError)


def test_external_init_in_a_members_commit(scene: Scene) -> None:
    message = forge_commit(scene.mallory, [ExternalInit(bytes(32))]).message
    scene.refuses(message, errors.ExternalInitError)


def test_reference_to_an_unknown_proposal(scene: Scene) -> None:
    message = forge_commit(scene.mallory, references=[(bytes(32), mls.Remove(3), 0)]).message
    scene.refuses(message, errors.ProposalUnknownError)


def test_reference_to_a_proposal_of_an_earlier_epoch(scene: Scene) -> None:
    message, reference = forge_proposal(scene.mallory, mls.Remove(3))
    scene.hear(message)
    owner = scene.clients[0]
    commit_now(
        owner,
        mls.CommitIntent(with_pending=False),
        [client for client in scene.clients if client is not owner],
    )
    forged = forge_commit(scene.mallory, references=[(reference, mls.Remove(3), MALLORY)])
    scene.refuses(forged.message, errors.ProposalUnknownError)


# --- adds (sections 10.1 and 7.3) ----------------------------------------------------------------


def resigned(client: Client, package: mls.KeyPackage) -> mls.KeyPackage:
    """The key package with its owner's signature over whatever is in it now."""
    unsigned = replace(package, signature=b"")
    return replace(package, signature=client.key.sign(b"KeyPackageTBS", unsigned.unsigned))


def with_leaf(client: Client, **changes: Any) -> mls.KeyPackage:
    package = client.package().package
    leaf = replace(package.leaf, **changes).signed(client.key)
    return resigned(client, replace(package, leaf=leaf))


ADDED: dict[str, tuple[dict[str, Any], type[mls.MlsError]]] = {
    "has expired": ({"lifetime": mls.Lifetime(0, NOW - 1)}, errors.LifetimeError),
    "is not valid yet": ({"lifetime": mls.Lifetime(NOW + 1, NOW + 2)}, errors.LifetimeError),
    "lacks the suite": ({"capabilities": capabilities(suites=(1,))}, errors.CapabilityMissingError),
    "has an extension it does not list": (
        {"extensions": (mls.Extension(0xABCD, b""),)},
        errors.ExtensionUnsupportedError,
    ),
    "does not support its own credential": (
        {"capabilities": capabilities(credentials=())},
        errors.CredentialUnsupportedError,
    ),
    "has a credential that is refused": (
        {
            "credential": mls.X509Credential((b"der",)),
            "capabilities": capabilities(credentials=(1, 2)),
        },
        errors.CredentialRefusedError,
    ),
    "has an encryption key of low order": (
        {"encryption_key": bytes(32)},
        errors.KeyUnusableError,
    ),
    "has a short encryption key": ({"encryption_key": bytes(31)}, errors.KeyLengthError),
}


def test_added_leaf_that_does_not_list_its_own_credential(scene: Scene) -> None:
    package = with_leaf(scene.stranger, capabilities=capabilities(credentials=(2,)))
    message = forge_commit(scene.mallory, [mls.Add(package)]).message
    scene.refuses(message, errors.CredentialUnsupportedError, "does not list its own")


@pytest.mark.parametrize("name", ADDED)
def test_added_leaf_that(scene: Scene, name: str) -> None:
    changes, error = ADDED[name]
    package = with_leaf(scene.stranger, **changes)
    scene.refuses(forge_commit(scene.mallory, [mls.Add(package)]).message, error)


def test_added_leaf_from_an_update(scene: Scene) -> None:
    package = scene.stranger.package().package
    leaf = replace(package.leaf, source=LeafSource.UPDATE, lifetime=None)
    package = resigned(
        scene.stranger, replace(package, leaf=leaf.signed(scene.stranger.key, b"group", 5))
    )
    scene.refuses(forge_commit(scene.mallory, [mls.Add(package)]).message, errors.LeafSourceError)


def test_added_key_package_of_another_suite(scene: Scene) -> None:
    package = Client("other", mls.SUITE_1).package().package
    scene.refuses(
        forge_commit(scene.mallory, [mls.Add(package)]).message,
        errors.CipherSuiteUnsupportedError,
    )


def test_added_key_package_with_an_init_key_of_low_order(scene: Scene) -> None:
    package = scene.stranger.package().package
    package = resigned(scene.stranger, replace(package, init_key=bytes(32)))
    scene.refuses(forge_commit(scene.mallory, [mls.Add(package)]).message, errors.KeyUnusableError)


def test_add_of_somebody_who_lacks_what_the_same_commit_requires(scene: Scene) -> None:
    required = mls.RequiredCapabilities(extensions=(0xF000,))
    package = with_leaf(scene.stranger, capabilities=capabilities(extensions=()))
    proposals = [mls.GroupContextExtensions((required.extension(),)), mls.Add(package)]
    scene.refuses(forge_commit(scene.mallory, proposals).message, errors.CapabilityMissingError)


# --- application data (draft-ietf-mls-extensions) -------------------------------------------------


def test_update_of_a_component_without_meaning(scene: Scene) -> None:
    message = forge_commit(scene.mallory, [mls.AppDataUpdate(0x8000, b"x")]).message
    scene.refuses(message, errors.AppDataError, "meaning")


@pytest.mark.parametrize(
    ("proposals", "match"),
    [
        ([mls.AppDataUpdate(1, b"x"), mls.AppDataUpdate(1, None)], "removed and changed"),
        ([mls.AppDataUpdate(1, None), mls.AppDataUpdate(1, None)], "removed twice"),
        ([mls.AppDataUpdate(1, b"x"), mls.GroupContextExtensions(())], "before the extensions"),
    ],
    ids=["changed and removed", "removed twice", "before the extensions"],
)
def test_contradictory_updates_of_application_data(
    scene: Scene, proposals: Any, match: str
) -> None:
    scene.refuses(forge_commit(scene.mallory, proposals).message, errors.AppDataError, match)


# --- what is sent alone (section 12.1) ------------------------------------------------------------


def test_proposal_of_an_update_that_keeps_the_encryption_key(scene: Scene) -> None:
    key = epoch_of(scene.mallory).tree.leaf(MALLORY).encryption_key
    message, _ = forge_proposal(scene.mallory, forge_update(scene.mallory, encryption_key=key))
    scene.refuses(message, errors.KeyRepeatedError)


def test_proposal_of_an_update_with_another_source(scene: Scene) -> None:
    update = forge_update(scene.mallory, source=LeafSource.COMMIT, parent_hash=b"x")
    scene.refuses(forge_proposal(scene.mallory, update)[0], errors.LeafSourceError)


def test_proposal_of_an_update_of_somebody_elses_leaf(scene: Scene) -> None:
    third = scene.clients[2]
    message, _ = forge_proposal(scene.mallory, forge_update(third))
    scene.refuses(message, errors.SignatureInvalidError)


def test_proposal_of_an_update_with_another_credential(scene: Scene) -> None:
    update = forge_update(scene.mallory, credential=mls.BasicCredential(b"owner"))
    scene.refuses(forge_proposal(scene.mallory, update)[0], errors.CredentialRefusedError)


def test_proposal_of_an_external_init_by_a_member(scene: Scene) -> None:
    message, _ = forge_proposal(scene.mallory, ExternalInit(bytes(32)))
    scene.refuses(message, errors.ProposalSenderError)


def test_proposal_to_remove_nobody(scene: Scene) -> None:
    scene.refuses(forge_proposal(scene.mallory, mls.Remove(6))[0], errors.LeafIndexError)


def test_more_proposals_than_are_kept(scene: Scene) -> None:
    owner = scene.clients[0]
    limit = replace(owner.config, max_kept_proposals=2)
    owner.mine._member.config = limit
    for leaf in (2, 3):
        owner.process(forge_proposal(scene.mallory, mls.Remove(leaf))[0])
    with pytest.raises(errors.TooLargeError):
        owner.process(forge_proposal(scene.mallory, mls.Remove(4))[0])
    clear(scene)


def test_more_bytes_of_proposals_than_are_kept(scene: Scene) -> None:
    owner = scene.clients[0]
    owner.mine._member.config = replace(owner.config, max_kept_bytes=11)
    # A removal has 6 bytes.
    owner.process(forge_proposal(scene.mallory, mls.Remove(2))[0])
    with pytest.raises(errors.TooLargeError, match="12; expected <= 11"):
        owner.process(forge_proposal(scene.mallory, mls.Remove(3))[0])
    clear(scene)
