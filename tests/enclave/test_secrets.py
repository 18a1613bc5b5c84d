"""Shared secrets, HPKE, sealing and codes: against independent implementations, and refused."""

from __future__ import annotations

import hashlib
import hmac
import os

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from tests.enclave.operating import Desk, hkdf, joined, own_policy
from tests.enclave.support import NOW, OWNER
from xmtp_tee import hpke
from xmtp_tee.enclave.callers import Peer
from xmtp_tee.enclave.handles import LIFETIME, MAX_HANDLES, Content
from xmtp_tee.enclave.symmetric import SymmetricKey
from xmtp_tee.policy.document import Caller, Grant, KeyRules
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.faults import KeyNotFoundError
from xmtp_tee.wire.refusals import (
    CallerNotAllowedError,
    CiphertextInvalidError,
    HandleKindError,
    HandleLimitError,
    HandleNotFoundError,
    KeyDeletedError,
    KeyExpiredError,
    MacInvalidError,
    PublicKeyInvalidError,
    PurposeInvalidError,
    ReleaseRefusedError,
)

PEER = X25519PrivateKey.from_private_bytes(b"p" * 32)
PEER_PUBLIC = PEER.public_key().public_bytes_raw()


def expected_secret(key: wire.Key, use: bytes, label: bytes) -> bytes:
    """What the peer computes on its side."""
    raw = PEER.exchange(X25519PublicKey.from_public_bytes(key.public_key))
    keys = sorted((key.public_key, PEER_PUBLIC))
    return hkdf(raw, b"", joined(b"xmtp-tee/shared-secret/v1", use, label, *keys), 32)


def agree(
    desk: Desk, key: wire.Key, use: str = "aead-aes-256-gcm", label: str = "l"
) -> wire.Handle:
    operation = wire.SharedSecret(key_id=key.id, peer=PEER_PUBLIC, label=label, use=use)
    return desk.ask(operation, wire.Handle)


@pytest.mark.parametrize(
    ("use", "cipher"),
    [("aead-aes-256-gcm", AESGCM), ("aead-chacha20-poly1305", ChaCha20Poly1305)],
)
def test_peer_opens_what_is_sealed_under_the_shared_secret(
    desk: Desk, use: str, cipher: type[AESGCM | ChaCha20Poly1305]
) -> None:
    key = desk.make("key-agreement")
    handle = agree(desk, key, use)
    assert (handle.kind, handle.expires_at) == (use, desk.now + LIFETIME)
    sealed = desk.ask(wire.AeadSeal(key_id=handle.id, plaintext=b"hi", aad=b"a"), wire.Ciphertext)
    theirs = cipher(expected_secret(key, use.encode(), b"l"))
    assert theirs.decrypt(sealed.nonce, sealed.ciphertext, b"a") == b"hi"
    back = theirs.encrypt(bytes(12), b"hello", None)
    operation = wire.AeadOpen(key_id=handle.id, nonce=bytes(12), ciphertext=back)
    assert desk.ask(operation, wire.Plaintext).plaintext == b"hello"


def test_two_enclaves_agree_on_codes(desk: Desk) -> None:
    one, two = desk.make("key-agreement"), desk.make("key-agreement")
    codes = []
    for mine, theirs in ((one, two), (two, one)):
        operation = wire.SharedSecret(key_id=mine.id, peer=theirs.public_key, label="l", use="mac")
        handle = desk.ask(operation, wire.Handle)
        codes.append(desk.ask(wire.ComputeMac(key_id=handle.id, message=b"m"), wire.Mac).mac)
    assert codes[0] == codes[1]


def test_use_and_label_give_unrelated_secrets(desk: Desk) -> None:
    key = desk.make("key-agreement")
    found = {
        expected_secret(key, use, label) for use in (b"mac", b"bytes") for label in (b"a", b"b")
    }
    assert len(found) == 4
    code = desk.ask(
        wire.ComputeMac(key_id=agree(desk, key, "mac", "a").id, message=b"m"), wire.Mac
    ).mac
    assert code == hmac.digest(expected_secret(key, b"mac", b"a"), b"m", hashlib.sha256)


def test_secret_leaves_only_where_key_and_policy_say_so(desk: Desk) -> None:
    with pytest.raises(ReleaseRefusedError):
        desk.make("key-agreement", releases=True)
    desk.change(keys=KeyRules(release_shared_secrets=True))
    closed, open_ = desk.make("key-agreement"), desk.make("key-agreement", releases=True)
    operation = wire.SharedSecret(key_id=open_.id, peer=PEER_PUBLIC, label="l", use="bytes")
    made = desk.ask(operation, wire.SecretBytes)
    assert made.secret == expected_secret(open_, b"bytes", b"l")
    with pytest.raises(ReleaseRefusedError):
        desk.ask(
            wire.SharedSecret(key_id=closed.id, peer=PEER_PUBLIC, label="l", use="bytes"),
            wire.SecretBytes,
        )
    desk.change(keys=KeyRules())
    with pytest.raises(ReleaseRefusedError):
        desk.ask(operation, wire.SecretBytes)


def test_only_key_agreement_keys_can_be_made_to_release(desk: Desk) -> None:
    desk.change(keys=KeyRules(release_shared_secrets=True))
    for purpose in ("hpke", "aead", "mac", "derivation", "wallet"):
        with pytest.raises(PurposeInvalidError):
            desk.make(purpose, releases=True)


# RFC 7748 section 6.1 and the points of low order that cr.yp.to/ecdh.html lists.
LOW_ORDER = [
    bytes(32),
    (1).to_bytes(32, "little"),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    (2**255 - 19 - 1).to_bytes(32, "little"),
    (2**255 - 19).to_bytes(32, "little"),
    (2**255 - 19 + 1).to_bytes(32, "little"),
]


@pytest.mark.parametrize("peer", LOW_ORDER, ids=lambda p: p.hex()[:8])
@pytest.mark.parametrize("top", [0, 0x80])
def test_peer_of_low_order_is_refused(desk: Desk, peer: bytes, top: int) -> None:
    key = desk.make("key-agreement")
    peer = peer[:31] + bytes([peer[31] | top])
    with pytest.raises(PublicKeyInvalidError):
        desk.ask(wire.SharedSecret(key_id=key.id, peer=peer, label="l"), wire.Handle)


def test_own_public_key_as_peer_is_refused(desk: Desk) -> None:
    """Attack: reflection, so that both directions have one key."""
    key = desk.make("key-agreement")
    with pytest.raises(PublicKeyInvalidError):
        desk.ask(wire.SharedSecret(key_id=key.id, peer=key.public_key, label="l"), wire.Handle)
    other = key.public_key[:31] + bytes([key.public_key[31] ^ 0x80])
    with pytest.raises(PublicKeyInvalidError, match="own"):
        desk.ask(wire.SharedSecret(key_id=key.id, peer=other, label="l"), wire.Handle)


@pytest.mark.parametrize("use", ["raw", "aead", "", "secret", "BYTES"])
def test_shared_secret_has_no_other_use(desk: Desk, use: str) -> None:
    key = desk.make("key-agreement")
    with pytest.raises(PurposeInvalidError):
        desk.ask(
            wire.SharedSecret(key_id=key.id, peer=PEER_PUBLIC, label="l", use=use), wire.Handle
        )


# --- handles --------------------------------------------------------------------------------------


def test_handle_goes_when_closed_expired_or_restarted(desk: Desk) -> None:
    key = desk.make("key-agreement")
    closed = agree(desk, key)
    desk.ask(wire.CloseHandle(handle=closed.id), wire.Closed)
    expired = agree(desk, key)
    desk.now += LIFETIME
    live = agree(desk, key)
    seal = wire.AeadSeal(key_id=live.id, plaintext=b"")
    desk.ask(seal, wire.Ciphertext)
    desk.restart()
    for handle in (closed, expired, live):
        with pytest.raises(HandleNotFoundError):
            desk.ask(wire.AeadSeal(key_id=handle.id, plaintext=b""), wire.Ciphertext)
        with pytest.raises(HandleNotFoundError):
            desk.ask(wire.CloseHandle(handle=handle.id), wire.Closed)


def contents(desk: Desk) -> list[Content]:
    own = desk.enclave._parts.handles._callers.values()
    return [handle.content for handles in own for handle in handles.values()]


def wiped(content: Content) -> bool:
    if isinstance(content, SymmetricKey):
        return not any(content._key)
    return not any(content._exporter_secret) and not hasattr(content, "_cipher")


def three_handles(desk: Desk, key: wire.Key, hpke_key: wire.Key) -> tuple[wire.Handle, ...]:
    encapsulated, _ = hpke.setup_sender(
        hpke.X25519_CHACHA20_POLY1305, hpke_key.public_key, b"", entropy=os.urandom
    )
    setup = wire.HpkeSetupRecipient(key_id=hpke_key.id, encapsulated=encapsulated)
    sender = desk.ask(wire.HpkeSetupSender(recipient=PEER_PUBLIC), wire.HpkeSender)
    return agree(desk, key), desk.ask(setup, wire.Handle), sender.handle


def test_secrets_of_expired_handles_are_gone_with_the_next_request(desk: Desk) -> None:
    three_handles(desk, desk.make("key-agreement"), desk.make("hpke"))
    held = contents(desk)
    assert len(held) == 3
    desk.now += LIFETIME - 1
    desk.ask(wire.Ping(), wire.Pong)
    assert contents(desk) == held
    desk.now += 1
    desk.ask(wire.Ping(), wire.Pong)
    assert contents(desk) == []
    assert all(map(wiped, held))


def test_handles_end_with_the_key_that_they_came_from(desk: Desk) -> None:
    key, hpke_key = desk.make("key-agreement"), desk.make("hpke")
    agreed, recipient, _ = three_handles(desk, key, hpke_key)
    third, first, second = contents(desk)
    desk.ask(wire.DeleteKey(key_id=key.id))
    assert contents(desk) == [third, second]
    desk.ask(wire.DeleteKey(key_id=hpke_key.id))
    assert contents(desk) == [third]
    assert wiped(first)
    assert wiped(second)
    for operation in (
        wire.AeadSeal(key_id=agreed.id, plaintext=b""),
        wire.HpkeOpenNext(handle=recipient.id, ciphertext=bytes(16)),
    ):
        with pytest.raises(HandleNotFoundError):
            desk.ask(operation, wire.Message)


def test_handle_is_of_no_use_when_its_key_expired_or_another_enclave_deleted_it(
    desk: Desk,
) -> None:
    key = desk.make("key-agreement", limits=wire.Limits(expires_at=desk.now + 5))
    handle = agree(desk, key)
    seal = wire.AeadSeal(key_id=handle.id, plaintext=b"")
    desk.ask(seal, wire.Ciphertext)
    store = desk.enclave._parts.store
    record = store.get(key.id)
    assert record is not None
    with store.mutation() as draft:
        draft.replace(msgspec.structs.replace(record, deleted_at=NOW, destroy_after=NOW))
    (held,) = contents(desk)
    with pytest.raises(KeyDeletedError):
        desk.ask(seal, wire.Ciphertext)
    assert contents(desk) == []
    assert wiped(held)
    desk.ask(wire.RestoreKey(key_id=key.id))
    seal = wire.AeadSeal(key_id=agree(desk, key).id, plaintext=b"")
    desk.now += 5
    with pytest.raises(KeyExpiredError):
        desk.ask(seal, wire.Ciphertext)


def test_handle_is_for_its_use_alone(desk: Desk) -> None:
    key = desk.make("key-agreement")
    aead, mac = agree(desk, key), agree(desk, key, "mac")
    sender = desk.ask(wire.HpkeSetupSender(recipient=PEER_PUBLIC), wire.HpkeSender).handle
    for operation in (
        wire.ComputeMac(key_id=aead.id, message=b""),
        wire.AeadSeal(key_id=mac.id, plaintext=b""),
        wire.AeadSeal(key_id=sender.id, plaintext=b""),
        wire.HpkeSealNext(handle=aead.id, plaintext=b""),
        wire.HpkeOpenNext(handle=sender.id, ciphertext=bytes(16)),
    ):
        with pytest.raises(HandleKindError):
            desk.ask(operation, wire.Message)
    with pytest.raises(KeyNotFoundError):
        desk.ask(wire.Sign(key_id=aead.id, message=b""), wire.Signature)


def test_handles_are_bounded_and_belong_to_their_caller(desk: Desk) -> None:
    other = Caller(name="other", uid=4242, grants=(Grant(operations=("*",), owners=("*",)),))
    desk.apply(own_policy(callers=(*own_policy().callers, other)))
    key = desk.make("key-agreement")
    handles = [agree(desk, key) for _ in range(MAX_HANDLES)]
    with pytest.raises(HandleLimitError):
        agree(desk, key)
    stranger = Peer(uid=4242)
    with pytest.raises(HandleNotFoundError):
        desk.ask(wire.AeadSeal(key_id=handles[0].id, plaintext=b""), wire.Ciphertext, stranger)
    with pytest.raises(HandleNotFoundError):
        desk.ask(wire.CloseHandle(handle=handles[0].id), wire.Closed, stranger)
    desk.ask(wire.SharedSecret(key_id=key.id, peer=PEER_PUBLIC, label="l"), wire.Handle, stranger)


def test_handle_ends_with_the_grant_for_its_owner(desk: Desk) -> None:
    handle = agree(desk, desk.make("key-agreement"))
    narrow = Grant(operations=("*",), owners=("0x" + "77" * 20,))
    admin = Grant(operations=("apply-policy",))
    desk.change(
        callers=tuple(
            Caller(name=c.name, uid=c.uid, grants=(narrow, admin)) for c in desk.policy.callers
        )
    )
    with pytest.raises(CallerNotAllowedError):
        desk.ask(wire.AeadSeal(key_id=handle.id, plaintext=b""), wire.Ciphertext)


# --- AEAD and codes under keys --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key_type", "cipher"), [("aes-256-gcm", AESGCM), ("chacha20-poly1305", ChaCha20Poly1305)]
)
def test_sealed_message_is_the_ciphers(
    desk: Desk, key_type: str, cipher: type[AESGCM | ChaCha20Poly1305]
) -> None:
    key = desk.make("aead", b"k" * 32, key_type=key_type)
    assert (key.public_key, key.limits) == (b"", wire.Limits(max_uses=2**31))
    nonces = set()
    for _ in range(3):
        made = desk.ask(wire.AeadSeal(key_id=key.id, plaintext=b"t", aad=b"a"), wire.Ciphertext)
        assert cipher(b"k" * 32).decrypt(made.nonce, made.ciphertext, b"a") == b"t"
        nonces.add(made.nonce)
    assert len(nonces) == 3


def test_changed_ciphertext_nonce_aad_or_key_does_not_open(desk: Desk) -> None:
    key, other = desk.make("aead"), desk.make("aead")
    made = desk.ask(wire.AeadSeal(key_id=key.id, plaintext=b"text", aad=b"a"), wire.Ciphertext)
    good = {"key_id": key.id, "nonce": made.nonce, "ciphertext": made.ciphertext, "aad": b"a"}
    desk.ask(wire.AeadOpen(**good), wire.Plaintext)
    flipped = bytes([made.ciphertext[0] ^ 1]) + made.ciphertext[1:]
    for change in (
        {"ciphertext": flipped},
        {"ciphertext": made.ciphertext[:-1]},
        {"ciphertext": b""},
        {"nonce": bytes(12)},
        {"aad": b""},
        {"key_id": other.id},
    ):
        with pytest.raises(CiphertextInvalidError):
            desk.ask(wire.AeadOpen(**(good | change)), wire.Plaintext)


def test_code_is_hmac_sha256_and_a_wrong_one_is_refused(desk: Desk) -> None:
    key = desk.make("mac", b"m" * 32)
    made = desk.ask(wire.ComputeMac(key_id=key.id, message=b"x"), wire.Mac)
    assert made.mac == hmac.digest(b"m" * 32, b"x", hashlib.sha256)
    desk.ask(wire.VerifyMac(key_id=key.id, message=b"x", mac=made.mac), wire.Verified)
    for message, mac in ((b"y", made.mac), (b"x", bytes(32)), (b"x", made.mac[::-1])):
        with pytest.raises(MacInvalidError):
            desk.ask(wire.VerifyMac(key_id=key.id, message=message, mac=mac), wire.Verified)


def test_symmetric_key_shows_nothing_and_is_wiped() -> None:
    from xmtp_tee.enclave.purposes import KeyType

    key = SymmetricKey(KeyType.HMAC_SHA256, bytearray(b"secret-secret-secret-secret-secr"))
    assert "secret" not in repr(key).replace("hmac", "")
    key.close()
    assert bytes(key._key) == bytes(32)


# --- HPKE -----------------------------------------------------------------------------------------

SUITES = [(0x20, 1), (0x20, 2), (0x20, 3), (0x647A, 3), (0x647A, 1), (0x4D, 3)]


def suite_of(kem: int, aead: int) -> hpke.Suite:
    return hpke.Suite(hpke.Kem(kem), hpke.Aead(aead))


@pytest.mark.parametrize(("kem", "aead"), SUITES)
def test_messages_to_a_key_open_inside_one_by_one_and_in_a_context(
    desk: Desk, kem: int, aead: int
) -> None:
    import os

    key = desk.make("hpke", key_type="x25519" if kem == 0x20 else "xwing")
    suite = suite_of(kem, aead)
    fields = {"key_id": key.id, "info": b"info", "kem": kem, "aead": aead}
    enc, sealed = hpke.seal(suite, key.public_key, b"info", b"a", b"one", entropy=os.urandom)
    operation = wire.HpkeOpen(encapsulated=enc, ciphertext=sealed, aad=b"a", **fields)
    assert desk.ask(operation, wire.Plaintext).plaintext == b"one"
    enc, sender = hpke.setup_sender(suite, key.public_key, b"info", entropy=os.urandom)
    handle = desk.ask(wire.HpkeSetupRecipient(encapsulated=enc, **fields), wire.Handle).id
    for text in (b"welcome", b"metadata"):
        message = sender.seal(b"", text)
        with pytest.raises(CiphertextInvalidError):
            desk.ask(wire.HpkeOpenNext(handle=handle, ciphertext=message[::-1]), wire.Plaintext)
        opened = desk.ask(wire.HpkeOpenNext(handle=handle, ciphertext=message), wire.Plaintext)
        assert opened.plaintext == text


@pytest.mark.parametrize(("kem", "aead"), SUITES)
def test_messages_from_the_enclave_open_outside(desk: Desk, kem: int, aead: int) -> None:
    suite = suite_of(kem, aead)
    private, public = hpke.derive_key_pair(suite, b"i" * 32)
    fields = {"recipient": public, "info": b"info", "kem": kem, "aead": aead}
    made = desk.ask(wire.HpkeSeal(plaintext=b"one", aad=b"a", **fields), wire.HpkeSealed)
    opened = hpke.open_(suite, made.encapsulated, private, b"info", b"a", made.ciphertext)
    assert opened == b"one"
    begun = desk.ask(wire.HpkeSetupSender(**fields), wire.HpkeSender)
    recipient = hpke.setup_recipient(suite, begun.encapsulated, private, b"info")
    for text in (b"x", b"y"):
        operation = wire.HpkeSealNext(handle=begun.handle.id, plaintext=text)
        assert recipient.open(b"", desk.ask(operation, wire.Ciphertext).ciphertext) == text


def test_pre_key_opens_what_a_stranger_seals_to_the_owner_of_the_registry(desk: Desk) -> None:
    import os

    identity = desk.identity()
    pre_key = desk.ask(wire.GeneratePreKey(identity_key_id=identity.id), wire.PreKey)
    suite = suite_of(0x20, 3)
    enc, sealed = hpke.seal(suite, pre_key.public_key, b"", b"", b"hi", entropy=os.urandom)
    operation = wire.HpkeOpen(key_id=pre_key.id, encapsulated=enc, ciphertext=sealed)
    assert desk.ask(operation, wire.Plaintext).plaintext == b"hi"


def test_hpke_that_does_not_fit_is_refused(desk: Desk) -> None:
    key, xwing = desk.make("hpke"), desk.make("hpke", key_type="xwing")
    for operation, error in (
        (wire.HpkeSeal(recipient=b"short", plaintext=b""), PublicKeyInvalidError),
        (wire.HpkeSeal(recipient=bytes(32), plaintext=b""), PublicKeyInvalidError),
        (wire.HpkeSeal(recipient=PEER_PUBLIC, plaintext=b"", kem=0x10), PurposeInvalidError),
        (wire.HpkeSeal(recipient=PEER_PUBLIC, plaintext=b"", aead=0xFFFF), PurposeInvalidError),
        (
            wire.HpkeOpen(key_id=xwing.id, encapsulated=bytes(32), ciphertext=b""),
            PurposeInvalidError,
        ),
        (
            wire.HpkeOpen(key_id=key.id, encapsulated=bytes(32), ciphertext=bytes(16)),
            CiphertextInvalidError,
        ),
        (
            wire.HpkeOpen(key_id=key.id, encapsulated=b"", ciphertext=bytes(16)),
            CiphertextInvalidError,
        ),
    ):
        with pytest.raises(error):
            desk.ask(operation, wire.Message)


def test_old_version_of_an_hpke_key_still_opens(desk: Desk) -> None:
    import os

    key = desk.make("hpke", key_type="xwing", owner=OWNER)
    suite = suite_of(0x647A, 3)
    enc, sealed = hpke.seal(suite, key.public_key, b"", b"", b"hi", entropy=os.urandom)
    desk.ask(wire.RotateKey(key_id=key.id))
    fields = {"key_id": key.id, "encapsulated": enc, "ciphertext": sealed, "kem": 0x647A}
    assert desk.ask(wire.HpkeOpen(version=1, **fields), wire.Plaintext).plaintext == b"hi"
    with pytest.raises(CiphertextInvalidError):
        desk.ask(wire.HpkeOpen(**fields), wire.Plaintext)
