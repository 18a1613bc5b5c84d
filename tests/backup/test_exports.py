"""age and Ethereum's keystore, opened by independent implementations."""

from __future__ import annotations

import json
import os

import pyrage
import pytest
from eth_account import Account

from xmtp_tee.attestation.address import address_of_public_key
from xmtp_tee.backup import age
from xmtp_tee.backup.keystore import keystore
from xmtp_tee.enclave.private_keys import generate_secret, public_key
from xmtp_tee.enclave.purposes import KeyType
from xmtp_tee.wire.backup_faults import BackupRecipientError


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 200_000])
def test_rage_opens_our_age_file(size: int) -> None:
    identities = [pyrage.x25519.Identity.generate() for _ in range(2)]
    text = os.urandom(size)
    recipients = [str(identity.to_public()) for identity in identities]
    sealed = age.encrypt(text, recipients, os.urandom)
    for identity in identities:
        assert pyrage.decrypt(sealed, [identity]) == text
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(sealed, [pyrage.x25519.Identity.generate()])


def test_recipient_is_parsed_as_rage_means_it() -> None:
    identity = pyrage.x25519.Identity.generate()
    text = str(identity.to_public())
    assert len(age.recipient_key(text)) == 32
    swapped = text[:-1] + ("q" if text[-1] != "q" else "p")
    for wrong in (swapped, text.upper(), text[:-1], "", "1", "age1", text[3:], "bge" + text[3:]):
        with pytest.raises(BackupRecipientError):
            age.recipient_key(wrong)
    with pytest.raises(BackupRecipientError):
        age.encrypt(b"", [], os.urandom)


def test_eth_account_opens_our_keystore() -> None:
    secret = generate_secret(KeyType.SECP256K1)
    address = address_of_public_key(public_key(KeyType.SECP256K1, secret))
    document = keystore(secret, address, b"correct horse battery staple", os.urandom)
    assert json.loads(document)["address"] == address.hex()
    assert Account.decrypt(document.decode(), "correct horse battery staple") == bytes(secret)
    with pytest.raises(ValueError, match="MAC"):
        Account.decrypt(document.decode(), "another password")
