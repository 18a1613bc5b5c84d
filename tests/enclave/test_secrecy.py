"""No private key in any file, log, answer, error or representation: searched for the very bytes."""

from __future__ import annotations

import base64
import shutil
import signal
from pathlib import Path

import pytest

from tests.enclave.support import (
    CHAIN_ID,
    OWNER,
    REGISTRY,
    EnclaveProcess,
    files_under,
    open_enclave,
    seeded_entropy,
)
from xmtp_tee.attestation.drivers.emulated import emulated_tdx
from xmtp_tee.client.key_manager import KeyManager
from xmtp_tee.enclave.private_keys import public_key
from xmtp_tee.enclave.storage.sqlite import SqliteRows
from xmtp_tee.enclave.store import SealedStore
from xmtp_tee.errors import XmtpTeeError
from xmtp_tee.wire import messages as wire


def spellings(secret: bytes) -> list[bytes]:
    """The forms in which a secret could leak; halves too, for a text can be wrapped."""
    forms = [secret, secret[:16], secret[16:], secret[::-1]]
    forms += [secret.hex().encode(), secret[:16].hex().encode(), secret.hex().upper().encode()]
    forms += [base64.b64encode(secret)[:40], base64.urlsafe_b64encode(secret)[:40]]
    forms += [repr(secret).encode(), str(int.from_bytes(secret, "big")).encode()]
    return forms


def unsealed(state: Path) -> list[bytes]:
    """Unseal every private key, as only the enclave can."""
    store = SealedStore.open(SqliteRows.open(state / "keys.sqlite"), emulated_tdx(state))
    records, _ = store.page(None, 0, 1000)
    secrets = []
    for record in records:
        with store.secret(record) as secret:
            assert public_key(record.key_type, secret) == record.public_key
            secrets.append(bytes(secret))
    store.close()
    return secrets


def test_no_private_key_leaves_the_process(folder: Path) -> None:
    seen: list[str] = []
    with EnclaveProcess(folder) as process:
        seen.append(process.line)
        with KeyManager(process.socket) as keys:
            identity = keys.generate_identity_key(OWNER)
            pre_key = keys.generate_pre_key(identity.id)
            signature = keys.sign(identity.id, b"message")
            seen += map(repr, (identity, pre_key, keys.info(), keys.list_keys(), signature))
            for attempt in (
                lambda: keys.generate_identity_key(OWNER),
                lambda: keys.sign(pre_key.id, b""),
                lambda: keys.sign("none", b""),
                lambda: keys.certify_key_bundle(
                    pre_key.id, identity.id, chain_id=CHAIN_ID, key_registry=REGISTRY
                ),
            ):
                with pytest.raises(XmtpTeeError) as caught:
                    attempt()
                seen += [str(caught.value), repr(caught.value), repr(caught.value.as_dict())]
        # Killed, so that the write-ahead log is still there to be searched.
        process.end(signal.SIGKILL)
    seen.append(process.log)
    copy = folder / "copy"
    shutil.copytree(
        process.state_dir, copy, ignore=lambda _, names: [n for n in names if "sock" in n]
    )
    files = files_under(copy)
    assert len(files["keys.sqlite-wal"]) > 0
    secrets = unsealed(process.state_dir)
    assert len(secrets) == 4
    haystack = [*files.values(), *(text.encode() for text in seen)]
    for secret in secrets:
        for spelling in spellings(secret):
            assert not any(spelling in hay for hay in haystack)


def test_search_finds_what_it_is_looking_for(folder: Path) -> None:
    """The search above would find a key that leaked: here one does."""
    leaked = bytes(range(100, 132))
    (folder / "leak").write_bytes(b"..." + leaked + b"...")
    assert any(spelling in files_under(folder)["leak"] for spelling in spellings(leaked))


def test_enclave_with_known_keys_shows_none_of_them(folder: Path) -> None:
    drawn: list[bytes] = []
    source = seeded_entropy(b"known")

    def recording(buffer: bytearray) -> None:
        source(buffer)
        drawn.append(bytes(buffer))

    enclave = open_enclave(folder / "keys.sqlite", entropy=recording)
    made = enclave.handle(wire.GenerateIdentityKey(owner=OWNER), 1)
    assert isinstance(made, wire.Key)
    enclave.handle(wire.GeneratePreKey(identity_key_id=made.id), 1)
    shown = " ".join(
        repr(vars(thing)) if hasattr(thing, "__dict__") else repr(thing)
        for thing in (enclave, enclave._parts.store, made)
    ).encode()
    enclave.close()
    content = (folder / "keys.sqlite").read_bytes()
    assert len(drawn) == 5  # store key, authority, transport, identity, pre-key
    for secret in drawn:
        for spelling in spellings(secret):
            assert spelling not in content
            assert spelling not in shown
