"""KeyManager's further operations against an honest enclave in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.enclave.support import CHAIN_ID, REGISTRY, EnclaveProcess
from xmtp_tee.attestation.address import parse_address
from xmtp_tee.attestation.errors import CertificateInvalidError, FieldError
from xmtp_tee.client.caller import CallerKey
from xmtp_tee.client.errors import CallerKeyError, EnclaveMismatchError, EnclaveUnavailableError
from xmtp_tee.client.key_manager import KeyLimits, KeyManager
from xmtp_tee.client.receipts import OperationReceipt
from xmtp_tee.policy.document import Caller, Grant
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.errors import WireError
from xmtp_tee.wire.faults import KeyNotFoundError
from xmtp_tee.wire.refusals import (
    CallerNotAllowedError,
    CallerUnknownError,
    CiphertextInvalidError,
    KeyDeletedError,
    KeyLimitError,
    MacInvalidError,
    ReceiptInvalidError,
    SigningRefusedError,
    WaitingTimeError,
)

OWNER = b"\x51" * 20


@pytest.fixture(scope="module")
def process() -> Iterator[EnclaveProcess]:
    folder = Path(tempfile.mkdtemp(prefix="xt-"))
    with EnclaveProcess(folder) as running:
        yield running
    shutil.rmtree(folder)


@pytest.fixture
def keys(process: EnclaveProcess) -> Iterator[KeyManager]:
    with KeyManager(process.socket) as manager:
        yield manager


def test_keys_of_every_purpose_are_made_and_found(keys: KeyManager) -> None:
    for purpose in ("key-agreement", "hpke", "aead", "mac", "derivation"):
        made = keys.generate_key(purpose, OWNER, label=f"test/{purpose}")
        assert keys.get_key(made.id) == made
        assert keys.list_keys(OWNER, label=f"test/{purpose}") == [made]
        assert (made.state, made.provenance, made.limits is None) == (
            "active",
            "generated",
            purpose != "aead",
        )
    once = keys.generate_key("mac", OWNER, idempotency_key="once")
    assert keys.generate_key("mac", OWNER, idempotency_key="once") == once


def test_life_of_a_key(keys: KeyManager) -> None:
    key = keys.generate_key("aead", OWNER, limits=KeyLimits(max_uses=5))
    old = keys.seal(key.id, b"old", b"aad")
    assert keys.rotate_key(key.id).version == 2
    assert keys.open(key.id, old, b"aad") == b"old"
    assert set(keys.get_versions(key.id)) == {1, 2}
    keys.set_minimum_version(key.id, 2)
    assert set(keys.get_versions(key.id)) == {2}
    keys.trim_key(key.id)
    assert keys.update_key(key.id, label="new").label == "new"
    for _ in range(4):
        keys.seal(key.id, b"")
    with pytest.raises(KeyLimitError):
        keys.seal(key.id, b"")
    assert keys.delete_key(key.id).state == "deleted"
    with pytest.raises(KeyDeletedError):
        keys.seal(key.id, b"")
    with pytest.raises(WaitingTimeError):
        keys.destroy_key(key.id)
    assert keys.restore_key(key.id).state == "active"


def test_installation_and_derived_keys(keys: KeyManager) -> None:
    identity = keys.generate_identity_key(b"\x52" * 20)
    phone = keys.derive_installation_key(identity.id, "phone")
    assert keys.derive_installation_key(identity.id, "phone") == phone
    assert len(keys.sign(phone.id, b"m")) == 64
    root = keys.generate_key("derivation", OWNER)
    derived = keys.derive_key(root.id, "mac", "a/b")
    assert derived.derived_from == root.id
    assert len(keys.mac(derived.id, b"m")[1]) == 32


def test_secrets_stay_inside(keys: KeyManager) -> None:
    one, two = (keys.generate_key("key-agreement", OWNER) for _ in range(2))
    mine = keys.shared_secret(one.id, two.public_key, "chat")
    theirs = keys.shared_secret(two.id, one.public_key, "chat")
    sealed = keys.seal(mine, b"hello")
    assert keys.open(theirs, sealed) == b"hello"
    with pytest.raises(CiphertextInvalidError):
        keys.open(theirs, sealed, b"other")
    keys.close_handle(mine)
    code = keys.mac(keys.generate_key("mac", OWNER).id, b"m")
    with pytest.raises(MacInvalidError):
        keys.verify_mac(keys.generate_key("mac", OWNER).id, b"m", code[1])


def test_hpke_single_messages_and_contexts(keys: KeyManager) -> None:
    key = keys.generate_key("hpke", OWNER, key_type="xwing")
    enc, sealed = keys.hpke_seal(key.public_key, b"hi", info=b"i", kem=0x647A)
    assert keys.hpke_open(key.id, enc, sealed, info=b"i", kem=0x647A) == b"hi"
    sender, enc = keys.hpke_sender(key.public_key, kem=0x647A)
    recipient = keys.hpke_recipient(key.id, enc, kem=0x647A)
    for text in (b"one", b"two"):
        assert keys.hpke_open_next(recipient, keys.hpke_seal_next(sender, text)) == text


def test_batch_of_signatures(keys: KeyManager) -> None:
    identity = keys.generate_identity_key(b"\x53" * 20)
    messages = [bytes([n]) for n in range(100)]
    assert keys.sign_batch(identity.id, messages) == [keys.sign(identity.id, m) for m in messages]
    mixed = keys.batch([wire.Ping(), wire.GetKey(key_id="none")])
    assert mixed[0] == wire.Pong()
    assert isinstance(mixed[1], KeyNotFoundError)
    with pytest.raises(KeyNotFoundError):
        keys.sign_batch("none", [b""])
    with pytest.raises(FieldError):
        keys.batch([])


def test_wallet_key_signs_what_was_parsed(keys: KeyManager) -> None:
    wallet = keys.generate_key("wallet")
    assert wallet.owner is not None
    identity = keys.generate_identity_key(wallet.owner)
    pre_key = keys.generate_pre_key(identity.id)
    intent, signature = keys.sign_owner_intent(
        wallet.id,
        "register",
        identity.id,
        pre_key.id,
        chain_id=CHAIN_ID,
        key_registry=REGISTRY,
        nonce=0,
        deadline=int(time.time()) + 60,
    )
    assert (intent.owner, len(signature)) == (parse_address(wallet.owner), 65)
    with pytest.raises(SigningRefusedError):
        keys.sign_identity_text(wallet.id, "please sign this")
    document = {
        "types": {"X": [{"name": "a", "type": "bool"}]},
        "primaryType": "X",
        "domain": {"name": "d"},
        "message": {"a": True},
    }
    with pytest.raises(SigningRefusedError):
        keys.sign_typed_data(wallet.id, json.dumps(document))


def test_receipts_are_verified_and_kept(keys: KeyManager) -> None:
    identity = keys.generate_identity_key(b"\x54" * 20)
    with keys.receipts() as receipts:
        keys.sign(identity.id, b"m")
        with pytest.raises(KeyNotFoundError):
            keys.sign("none", b"m")
    assert [each.entry.outcome for each in receipts] == ["ok", "enclave.key-not-found"]
    authority = parse_address(keys.info().authority)
    text = receipts[0].to_json()
    again = OperationReceipt.from_json(text, authority)
    assert again == receipts[0]
    assert again.entry.key_id == identity.id
    with pytest.raises(CertificateInvalidError):
        OperationReceipt.from_json(text, b"\x01" * 20)
    for bad in ("", "{}", "[]", text.replace("receipt/1", "receipt/2"), text.replace('"0x', '"')):
        with pytest.raises(ReceiptInvalidError):
            OperationReceipt.from_json(bad, authority)


def test_audit_log_verifies_and_tells_what_happened(keys: KeyManager) -> None:
    keys.ping()
    with pytest.raises(KeyNotFoundError):
        keys.get_key("none")
    tail = keys.audit_tail(5)
    assert [(e.operation, e.outcome) for e in tail[-3:-1]] == [
        ("ping", "ok"),
        ("get-key", "enclave.key-not-found"),
    ]
    checkpoint, first = keys.verify_audit_log()
    assert (first, checkpoint.counter > 5) == (1, True)


def test_key_is_attested_by_the_authority(keys: KeyManager) -> None:
    key = keys.generate_key("hpke", OWNER)
    statement, signature = keys.attest_key(key.id, b"\x07" * 32)
    assert (statement.public_key, statement.owner) == (key.public_key, OWNER)
    assert len(signature) == 65
    with pytest.raises(FieldError):
        keys.attest_key(key.id, b"short")


@pytest.fixture
def own(folder: Path) -> Iterator[EnclaveProcess]:
    with EnclaveProcess(folder) as running:
        yield running


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="xt-"))
    yield path
    shutil.rmtree(path)


def test_caller_with_a_key_is_granted_what_the_policy_says(own: EnclaveProcess) -> None:
    app = CallerKey.generate()
    with pytest.raises(CallerUnknownError):
        KeyManager(own.socket, caller=app)
    with KeyManager(own.socket) as operator:
        identity = operator.generate_identity_key(OWNER)
        foreign = operator.generate_identity_key(b"\x66" * 20)
        policy = operator.get_policy()
        grant = Grant(operations=("sign",), owners=("0x" + OWNER.hex(),))
        caller = Caller(name="app", key=app.public_key.hex(), grants=(grant,))
        operator.apply_policy(
            msgspec.structs.replace(policy, version=1, callers=(*policy.callers, caller))
        )
        transport = operator.info().transport_key
        with KeyManager(own.socket, caller=app, transport_key=transport) as keys:
            assert len(keys.sign(identity.id, b"m")) == 64
            assert keys.info().transport_key == transport
            for attempt in (
                lambda: keys.sign(foreign.id, b"m"),
                lambda: keys.generate_identity_key(b"\x67" * 20),
                keys.get_policy,
            ):
                with pytest.raises(CallerNotAllowedError):
                    attempt()
            operator.apply_policy(msgspec.structs.replace(policy, version=2))
            with pytest.raises(CallerUnknownError):
                keys.sign(identity.id, b"m")
        with pytest.raises(EnclaveMismatchError):
            KeyManager(own.socket, transport_key=bytes(32))


def test_callers_key_is_kept_in_a_file_of_its_user_alone(tmp_path: Path) -> None:
    key = CallerKey.generate()
    path = tmp_path / "caller.pem"
    key.save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert CallerKey.load(path).public_key == key.public_key
    assert "PRIVATE" not in repr(key)
    with pytest.raises(CallerKeyError):
        key.save(path)
    path.chmod(0o644)
    with pytest.raises(CallerKeyError, match="Others"):
        CallerKey.load(path)
    for content in (b"", b"rubbish"):
        (tmp_path / "bad").write_bytes(content)
        with pytest.raises(CallerKeyError):
            CallerKey.load(tmp_path / "bad")
    with pytest.raises(CallerKeyError):
        CallerKey.load(tmp_path / "absent")


def test_protected_connection_through_somebody_in_between(
    own: EnclaveProcess, folder: Path
) -> None:
    """Attack: the host relays a protected connection and puts a request of its own into it."""
    import socket
    import threading

    app = CallerKey.generate()
    with KeyManager(own.socket) as operator:
        policy = operator.get_policy()
        grant = Grant(operations=("*",), owners=("*",))
        caller = Caller(name="app", key=app.public_key.hex(), grants=(grant,))
        operator.apply_policy(
            msgspec.structs.replace(policy, version=1, callers=(*policy.callers, caller))
        )
    path = folder / "relay.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(1)
    seen: list[bytes] = []

    def relay() -> None:
        client, _ = listener.accept()
        enclave = socket.socket(socket.AF_UNIX)
        enclave.connect(str(own.socket))
        with client, enclave:
            for turn in range(4):
                data = client.recv(1 << 16)
                if not data:
                    return
                seen.append(data)
                if turn == 3:
                    # In place of the client's request, one in clear.
                    from xmtp_tee.wire.codec import encode_request, request

                    data = encode_request(request(2, wire.ListKeys()))
                enclave.sendall(data)
                answer = enclave.recv(1 << 16)
                seen.append(answer)
                client.sendall(answer)

    thread = threading.Thread(target=relay)
    thread.start()
    with KeyManager(path, caller=app) as keys:
        made = keys.generate_identity_key(OWNER)
        with pytest.raises((WireError, EnclaveUnavailableError)):
            keys.sign(made.id, b"m")
    thread.join(10)
    listener.close()
    assert made.id.encode() not in b"".join(seen[4:])
    assert os.geteuid() >= 0
