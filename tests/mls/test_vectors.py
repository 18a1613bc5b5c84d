"""The official vectors of RFC 9420 for suites 1 and 3: every file, every applying vector."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.mls.support import Entropy, load, of_our_suites, unhex
from xmtp_tee import mls
from xmtp_tee.mls import key_schedule as schedule
from xmtp_tee.mls import tree_math as at
from xmtp_tee.mls import tree_rules
from xmtp_tee.mls.codec import Reader, decode_whole, opaque
from xmtp_tee.mls.commits import Commit, UpdatePath
from xmtp_tee.mls.crypto import (
    HpkeCiphertext,
    SignatureKey,
    decrypt_with_label,
    derive_secret,
    derive_tree_secret,
    encrypt_with_label,
    expand_with_label,
    mac,
    ref_hash,
    same,
    verify,
)
from xmtp_tee.mls.errors import CipherSuiteUnsupportedError
from xmtp_tee.mls.framing import (
    AuthenticatedContent,
    Authentication,
    FramedContent,
    PrivateMessage,
    PublicMessage,
    Sender,
    SenderType,
    WireFormat,
)
from xmtp_tee.mls.key_package import KeyPackage
from xmtp_tee.mls.leaf_node import LeafSource
from xmtp_tee.mls.message import decode_message, encode_message
from xmtp_tee.mls.proposals import decode_proposal, encode_proposal
from xmtp_tee.mls.protection import (
    _sender_data_key,
    make_public,
    open_private,
    open_public,
    seal_private,
    sign,
    verify_content,
)
from xmtp_tee.mls.psk import ExternalPskId, PskStore, psk_secret
from xmtp_tee.mls.ratchet_tree import RatchetTree
from xmtp_tee.mls.secret_tree import RatchetType, SecretTree
from xmtp_tee.mls.suites import suite_of
from xmtp_tee.mls.tree_kem import (
    PrivateKeys,
    apply_path,
    decrypt_path,
    make_path,
    node_key_pair,
    reblind,
    require_path_shape,
)
from xmtp_tee.mls.welcome import GroupSecrets, Welcome

LIMIT = 8 << 20
HOLD_A_SUITE = {
    "mls_welcome",
    "mls_group_info",
    "mls_key_package",
    "add_proposal",
    "commit",
    "public_message_proposal",
    "public_message_commit",
}
REFUSED = 500


def copy(data: bytes) -> bytes:
    """A copy that may be wiped."""
    return bytes(bytearray(data))


def vectors_of(folder: Path, name: str, count: int) -> list[dict[str, Any]]:
    """The applying vectors of a file; their count is asserted."""
    found = load(folder, f"test-vectors/{name}")
    if "cipher_suite" in found[0]:
        found = of_our_suites(found)
    assert len(found) == count
    return found


def test_the_folder_holds_16_files_and_each_has_its_test(vectors_dir: Path) -> None:
    files = {path.stem for path in (vectors_dir / "mls" / "test-vectors").glob("*.json")}
    passive = {f"passive-client-{each}" for each in ("welcome", "handling-commit", "random")}
    here = {
        "crypto-basics",
        "deserialization",
        "key-schedule",
        "message-protection",
        "messages",
        "psk_secret",
        "secret-tree",
        "transcript-hashes",
        "tree-math",
        "tree-operations",
        "tree-validation",
        "treekem",
        "welcome",
    }
    assert files == here | passive
    assert len(files) == 16


def test_tree_math(vectors_dir: Path) -> None:
    for vector in vectors_of(vectors_dir, "tree-math", 10):
        leaves, nodes = vector["n_leaves"], vector["n_nodes"]
        assert nodes == 2 * leaves - 1
        assert at.root(leaves) == vector["root"]
        for node in range(nodes):
            parent = node & 1 == 1
            top = node == at.root(leaves)
            assert vector["left"][node] == (at.left(node) if parent else None)
            assert vector["right"][node] == (at.right(node) if parent else None)
            assert vector["parent"][node] == (None if top else at.parent(node))
            assert vector["sibling"][node] == (None if top else at.sibling(node))


def test_deserialization(vectors_dir: Path) -> None:
    for vector in vectors_of(vectors_dir, "deserialization", 14):
        assert Reader(unhex(vector["vlbytes_header"])).length() == vector["length"]


def test_crypto_basics(vectors_dir: Path) -> None:
    for vector in vectors_of(vectors_dir, "crypto-basics", 2):
        suite = suite_of(vector["cipher_suite"])
        v = vector["ref_hash"]
        # The vector's label has no "MLS 1.0 " in front, and RefHash takes labels as they are.
        from xmtp_tee.mls.crypto import hash_of

        assert hash_of(opaque(v["label"].encode()) + opaque(unhex(v["value"]))).hex() == v["out"]
        v = vector["expand_with_label"]
        out = expand_with_label(
            unhex(v["secret"]), v["label"].encode(), unhex(v["context"]), v["length"]
        )
        assert out.hex() == v["out"]
        v = vector["derive_secret"]
        assert derive_secret(unhex(v["secret"]), v["label"].encode()).hex() == v["out"]
        v = vector["derive_tree_secret"]
        out = derive_tree_secret(
            unhex(v["secret"]), v["label"].encode(), v["generation"], v["length"]
        )
        assert out.hex() == v["out"]
        v = vector["sign_with_label"]
        key = SignatureKey(unhex(v["priv"]))
        label, content = v["label"].encode(), unhex(v["content"])
        assert key.public.hex() == v["pub"]
        verify(key.public, label, content, unhex(v["signature"]), "the vector")
        assert key.sign(label, content).hex() == v["signature"]
        v = vector["encrypt_with_label"]
        private, public, label = unhex(v["priv"]), unhex(v["pub"]), v["label"].encode()
        context, plaintext = unhex(v["context"]), unhex(v["plaintext"])
        sealed = HpkeCiphertext(unhex(v["kem_output"]), unhex(v["ciphertext"]))
        assert decrypt_with_label(suite, private, public, label, context, sealed) == plaintext
        ours = encrypt_with_label(suite, public, label, context, plaintext, Entropy("basics"))
        assert decrypt_with_label(suite, private, public, label, context, ours) == plaintext


def test_secret_tree(vectors_dir: Path) -> None:
    for vector in vectors_of(vectors_dir, "secret-tree", 6):
        suite = suite_of(vector["cipher_suite"])
        v = vector["sender_data"]
        key, nonce = _sender_data_key(suite, unhex(v["sender_data_secret"]), unhex(v["ciphertext"]))
        assert (key.hex(), nonce.hex()) == (v["key"], v["nonce"])
        leaves = vector["leaves"]
        tree = SecretTree(suite, len(leaves), unhex(vector["encryption_secret"]), 100, 100)
        for leaf, generations in enumerate(leaves):
            for v in generations:
                for kind, name in (
                    (RatchetType.APPLICATION, "application"),
                    (RatchetType.HANDSHAKE, "handshake"),
                ):
                    found = tree.look_up(leaf, kind, v["generation"])
                    assert found.key[0].hex() == v[f"{name}_key"]
                    assert found.key[1].hex() == v[f"{name}_nonce"]
                    tree.consume(found)


def test_message_protection(vectors_dir: Path) -> None:
    for vector in vectors_of(vectors_dir, "message-protection", 2):
        check_protection(vector)


def check_protection(vector: dict[str, Any]) -> None:
    suite = suite_of(vector["cipher_suite"])
    context = schedule.GroupContext(
        suite,
        unhex(vector["group_id"]),
        vector["epoch"],
        unhex(vector["tree_hash"]),
        unhex(vector["confirmed_transcript_hash"]),
        (),
    ).encoded
    key = SignatureKey(unhex(vector["signature_priv"]))
    membership = unhex(vector["membership_key"])
    sender_data = unhex(vector["sender_data_secret"])

    def secret_tree() -> SecretTree:
        return SecretTree(suite, 2, copy(unhex(vector["encryption_secret"])), 100, 100)

    def opened(data: bytes) -> Any:
        message = decode_message(data, LIMIT)
        if isinstance(message, PrivateMessage):
            content = open_private(suite, message, secret_tree(), sender_data, None).content
        else:
            assert isinstance(message, PublicMessage)
            content = open_public(message, context, membership)
        verify_content(content, context, unhex(vector["signature_pub"]))
        assert content.content.sender == Sender(SenderType.MEMBER, 1)
        return content.content.content

    raw = {
        "proposal": decode_whole(decode_proposal, unhex(vector["proposal"])),
        "commit": decode_whole(Commit.decode, unhex(vector["commit"])),
        "application": unhex(vector["application"]),
    }
    assert opened(unhex(vector["proposal_pub"])) == raw["proposal"]
    assert opened(unhex(vector["proposal_priv"])) == raw["proposal"]
    assert opened(unhex(vector["commit_pub"])) == raw["commit"]
    assert opened(unhex(vector["commit_priv"])) == raw["commit"]
    assert opened(unhex(vector["application_priv"])) == raw["application"]
    for name, content in raw.items():
        framed = FramedContent(
            unhex(vector["group_id"]),
            vector["epoch"],
            Sender(SenderType.MEMBER, 1),
            b"authenticated",
            content,
        )
        tag = mac(b"key", b"") if name == "commit" else None
        for form in (WireFormat.PUBLIC_MESSAGE, WireFormat.PRIVATE_MESSAGE):
            if name == "application" and form is WireFormat.PUBLIC_MESSAGE:
                continue
            signed = sign(form, framed, context, key)
            whole = AuthenticatedContent(
                form, framed, Authentication(signed.authentication.signature, tag)
            )
            message: Any = (
                make_public(whole, context, membership)
                if form is WireFormat.PUBLIC_MESSAGE
                else seal_private(suite, whole, secret_tree(), sender_data, 9, Entropy("x"))
            )
            assert opened(encode_message(message)) == content


def test_key_schedule(vectors_dir: Path) -> None:
    for vector in vectors_of(vectors_dir, "key-schedule", 2):
        suite = suite_of(vector["cipher_suite"])
        init = unhex(vector["initial_init_secret"])
        for number, v in enumerate(vector["epochs"]):
            context = schedule.GroupContext(
                suite,
                unhex(vector["group_id"]),
                number,
                unhex(v["tree_hash"]),
                unhex(v["confirmed_transcript_hash"]),
                (),
            )
            assert context.encoded.hex() == v["group_context"]
            joiner = schedule.joiner_secret(init, unhex(v["commit_secret"]), context)
            assert joiner.hex() == v["joiner_secret"]
            psk = unhex(v["psk_secret"])
            key, _ = schedule.welcome_key(joiner, psk, suite)
            welcome = unhex(v["welcome_secret"])
            assert key == expand_with_label(welcome, b"key", b"", suite.key_size)
            secrets, encryption = schedule.derive_epoch(schedule.epoch_secret(joiner, psk, context))
            assert encryption.hex() == v["encryption_secret"]
            assert secrets.sender_data.hex() == v["sender_data_secret"]
            assert secrets.exporter.hex() == v["exporter_secret"]
            assert secrets.external.hex() == v["external_secret"]
            assert secrets.confirmation.hex() == v["confirmation_key"]
            assert secrets.membership.hex() == v["membership_key"]
            assert secrets.resumption.hex() == v["resumption_psk"]
            assert secrets.authenticator.hex() == v["epoch_authenticator"]
            assert secrets.init.hex() == v["init_secret"]
            assert secrets.external_key_pair(suite)[1].hex() == v["external_pub"]
            exporter = v["exporter"]
            exported = secrets.export(
                exporter["label"].encode(), unhex(exporter["context"]), exporter["length"]
            )
            assert exported.hex() == exporter["secret"]
            init = secrets.init


def test_psk_secret(vectors_dir: Path) -> None:
    for vector in vectors_of(vectors_dir, "psk_secret", 22):
        psks = vector["psks"]
        store = PskStore({unhex(each["psk_id"]): unhex(each["psk"]) for each in psks})
        identifiers = [
            ExternalPskId(unhex(each["psk_id"]), unhex(each["psk_nonce"])) for each in psks
        ]
        assert psk_secret(identifiers, store).hex() == vector["psk_secret"]


def test_transcript_hashes(vectors_dir: Path) -> None:
    for vector in vectors_of(vectors_dir, "transcript-hashes", 2):
        reader = Reader(unhex(vector["authenticated_content"]))
        form, framed = WireFormat(reader.u16()), FramedContent.decode(reader)
        authentication = Authentication.decode(reader, framed.content_type)
        reader.finish()
        content = AuthenticatedContent(form, framed, authentication)
        before = unhex(vector["interim_transcript_hash_before"])
        confirmed = schedule.confirmed_transcript_hash(before, content)
        assert confirmed.hex() == vector["confirmed_transcript_hash_after"]
        tag = content.confirmation_tag()
        assert same(tag, mac(unhex(vector["confirmation_key"]), confirmed))
        interim = schedule.interim_transcript_hash(confirmed, tag)
        assert interim.hex() == vector["interim_transcript_hash_after"]


def test_welcome(vectors_dir: Path) -> None:
    for vector in vectors_of(vectors_dir, "welcome", 2):
        package = decode_message(unhex(vector["key_package"]), LIMIT)
        welcome = decode_message(unhex(vector["welcome"]), LIMIT)
        assert isinstance(package, KeyPackage)
        assert isinstance(welcome, Welcome)
        keys = mls.KeyPackageSecrets(package, unhex(vector["init_priv"]), b"")
        secrets = welcome.open_secrets(keys)
        psk = psk_secret(secrets.psks, PskStore())
        info = welcome.open_group_info(secrets.joiner_secret, psk)
        info.verify(unhex(vector["signer_pub"]))
        epoch = schedule.epoch_secret(secrets.joiner_secret, psk, info.context)
        derived, _ = schedule.derive_epoch(epoch)
        tag = derived.confirmation_tag(info.context.confirmed_transcript_hash)
        assert tag == info.confirmation_tag


def test_tree_operations(vectors_dir: Path) -> None:
    for vector in vectors_of(vectors_dir, "tree-operations", 5):
        tree = RatchetTree.decode(unhex(vector["tree_before"]))
        assert tree.tree_hash().hex() == vector["tree_hash_before"]
        proposal = decode_whole(decode_proposal, unhex(vector["proposal"]))
        match proposal:
            case mls.Add(package):
                tree.add(package.leaf)
            case mls.Update(leaf):
                tree.update(vector["proposal_sender"], leaf)
            case mls.Remove(leaf):
                tree.remove(leaf)
            case _:
                pytest.fail("another proposal")
        assert tree.encode().hex() == vector["tree_after"]
        assert tree.tree_hash().hex() == vector["tree_hash_after"]


def test_tree_validation(vectors_dir: Path) -> None:
    for vector in vectors_of(vectors_dir, "tree-validation", 28):
        tree = RatchetTree.decode(unhex(vector["tree"]))
        for node, expected in enumerate(vector["resolutions"]):
            assert tree.resolution(node) == expected
        for node, expected in enumerate(vector["tree_hashes"]):
            assert tree.hash_at(node).hex() == expected
        tree_rules.check_tree(tree)
        for index, leaf in tree.members():
            leaf.verify_signature(unhex(vector["group_id"]), index)
        assert tree.encode().hex() == vector["tree"]


def test_tree_kem(vectors_dir: Path) -> None:
    paths = 0
    for vector in vectors_of(vectors_dir, "treekem", 22):
        suite, group_id = suite_of(vector["cipher_suite"]), unhex(vector["group_id"])
        tree = RatchetTree.decode(unhex(vector["ratchet_tree"]))
        tree_rules.check_tree(tree)
        members: dict[int, tuple[PrivateKeys, SignatureKey]] = {}
        for v in vector["leaves_private"]:
            leaf = tree.leaf(v["index"])
            keys: PrivateKeys = {2 * v["index"]: (unhex(v["encryption_priv"]), leaf.encryption_key)}
            for each in v["path_secrets"]:
                keys[each["node"]] = node_key_pair(suite, unhex(each["path_secret"]))
                parent = tree.parent(each["node"])
                assert parent is not None
                assert parent.encryption_key == keys[each["node"]][1]
            members[v["index"]] = keys, SignatureKey(unhex(v["signature_priv"]))
        for v in vector["update_paths"]:
            path = decode_whole(UpdatePath.decode, unhex(v["update_path"]))
            check_received_path(vector, tree, members, v, path)
            paths += 1
        for sender, (_, key) in members.items():
            check_own_path(vector, tree, members, sender, key, group_id)
    assert paths > 100


def context_of(vector: dict[str, Any], tree: RatchetTree) -> bytes:
    return schedule.GroupContext(
        suite_of(vector["cipher_suite"]),
        unhex(vector["group_id"]),
        vector["epoch"],
        tree.tree_hash(),
        unhex(vector["confirmed_transcript_hash"]),
        (),
    ).encoded


def check_received_path(
    vector: dict[str, Any], tree: RatchetTree, members: Any, v: dict[str, Any], path: UpdatePath
) -> None:
    after = tree.copy()
    path.leaf.verify_signature(unhex(vector["group_id"]), v["sender"])
    nodes = apply_path(after, v["sender"], path)
    require_path_shape(after, nodes, path, frozenset())
    assert after.tree_hash().hex() == v["tree_hash_after"]
    for own, (keys, _) in members.items():
        if own == v["sender"]:
            continue
        new, commit_secret = decrypt_path(
            suite_of(vector["cipher_suite"]),
            after,
            nodes,
            path,
            own,
            keys,
            context_of(vector, after),
            frozenset(),
        )
        assert commit_secret.hex() == v["commit_secret"]
        secret = unhex(v["path_secrets"][own])
        lowest = next(node for node, _ in nodes if at.is_below(own, node))
        assert node_key_pair(suite_of(vector["cipher_suite"]), secret) == new[lowest]


def check_own_path(
    vector: dict[str, Any],
    tree: RatchetTree,
    members: Any,
    sender: int,
    key: SignatureKey,
    group_id: bytes,
) -> None:
    suite, after = suite_of(vector["cipher_suite"]), tree.copy()
    made = make_path(
        suite,
        after,
        sender,
        lambda public, parent_hash: reblind(
            tree.leaf(sender),
            encryption_key=public,
            source=LeafSource.COMMIT,
            lifetime=None,
            parent_hash=parent_hash,
        ).signed(key, group_id, sender),
        Entropy("tree kem"),
    )
    context = context_of(vector, after)
    path = made.encrypt(suite, after, context, frozenset(), Entropy("paths"))
    path = decode_whole(UpdatePath.decode, path.encode())
    theirs = tree.copy()
    nodes = apply_path(theirs, sender, path)
    assert theirs.tree_hash() == after.tree_hash()
    tree_rules.check_tree(theirs)
    for own, (keys, _) in members.items():
        if own != sender:
            _, secret = decrypt_path(suite, theirs, nodes, path, own, keys, context, frozenset())
            assert secret == made.commit_secret


def test_messages(vectors_dir: Path) -> None:
    whole = (
        "mls_welcome",
        "mls_group_info",
        "mls_key_package",
        "public_message_application",
        "public_message_proposal",
        "public_message_commit",
        "private_message",
    )
    proposals = {
        "add_proposal": 1,
        "update_proposal": 2,
        "remove_proposal": 3,
        "pre_shared_key_proposal": 4,
        "re_init_proposal": 5,
        "external_init_proposal": 6,
        "group_context_extensions_proposal": 7,
    }
    passed = refused = 0
    others = set()
    for vector in vectors_of(vectors_dir, "messages", 300):
        assert set(vector) == {*whole, *proposals, "ratchet_tree", "group_secrets", "commit"}
        structures: dict[str, tuple[Callable[[bytes], Any], Callable[[Any], bytes], bytes]] = {
            "ratchet_tree": (RatchetTree.decode, RatchetTree.encode, b""),
            "group_secrets": (partial(decode_whole, GroupSecrets.decode), GroupSecrets.encode, b""),
            "commit": (partial(decode_whole, Commit.decode), Commit.encode, b""),
        }
        for name in whole:
            structures[name] = (lambda data: decode_message(data, LIMIT)), encode_message, b""
        for name, number in proposals.items():
            decode = partial(decode_whole, decode_proposal)
            structures[name] = decode, encode_proposal, number.to_bytes(2, "big")
        for name, (decode, encode, head) in structures.items():
            data = head + unhex(vector[name])
            try:
                value = decode(data)
            except CipherSuiteUnsupportedError as error:
                assert name in HOLD_A_SUITE, name
                others.add(error.got)
                refused += 1
            else:
                assert encode(value) == data, name
                passed += 1
    assert passed + refused == 300 * 17
    # The parts that belong to other suites, all of which are refused by that name.
    assert refused == REFUSED
    assert others <= {"0x0002", "0x0004", "0x0005", "0x0006", "0x0007"}


def test_references_have_their_labels() -> None:
    assert ref_hash(b"KeyPackage Reference", b"x") != ref_hash(b"Proposal Reference", b"x")
