"""A key to be backed up, and cheap parameters at the floor."""

from __future__ import annotations

import os
from hashlib import sha256

from xmtp_tee.backup import sealing
from xmtp_tee.backup.container import KeyFacts
from xmtp_tee.backup.passwords import FLOOR, Argon2Parameters, require_bounds
from xmtp_tee.backup.ways import ForPassword, Recipient

SECRET = bytes(range(100, 132))
PASSWORD = b"correct horse battery staple"
NOW = 1_800_000_000
STORE = b"S" * 16
FACTS = KeyFacts(
    id="ab" * 16,
    key_type="ed25519",
    purpose="xmtp-identity",
    owner=b"\x11" * 20,
    public_key=b"\x22" * 32,
    provenance="generated",
    created_at=NOW - 5,
    version=1,
    minimum_version=1,
    pre_key_epoch=7,
    label="main",
)


def cheap(password: bytes | bytearray, salt: bytes, parameters: Argon2Parameters) -> bytearray:
    """In Argon2id's place where what is tested stands around it; its bounds are kept."""
    require_bounds(parameters)
    return bytearray(sha256(bytes(password) + salt).digest())


def for_password(password: bytes = PASSWORD) -> ForPassword:
    return ForPassword(bytearray(password), FLOOR)


def sealed(*recipients: Recipient, secret: bytes = SECRET) -> tuple[bytes, list[list[str]]]:
    return sealing.seal(
        FACTS, bytearray(secret), recipients or (for_password(),),
        store_id=STORE, now=NOW, entropy=os.urandom,
    )  # fmt: skip
