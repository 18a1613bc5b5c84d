"""Ethereum addresses: 20 bytes inside, EIP-55 text outside."""

from __future__ import annotations

import re

from xmtp_tee.attestation.errors import FieldError
from xmtp_tee.attestation.fields import require_length
from xmtp_tee.hashing import keccak256

_HEX_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


def checksum_address(address: bytes) -> str:
    """Return the EIP-55 text of a 20-byte address.

    :raises FieldError: not 20 bytes
    """
    require_length("address", address, 20)
    text = address.hex()
    digest = keccak256(text.encode()).hex()
    return "0x" + "".join(
        character.upper() if int(nibble, 16) >= 8 else character
        for character, nibble in zip(text, digest, strict=False)
    )


def parse_address(text: object) -> bytes:
    """Return the 20 bytes of an address in text.

    All-lower and all-upper case carry no checksum and are accepted; mixed case must satisfy EIP-55.

    :raises FieldError: not ``0x`` and 40 hexadecimal digits, or a wrong checksum
    """
    if not isinstance(text, str) or not _HEX_ADDRESS.fullmatch(text):
        raise FieldError("Not an address.", got=repr(text)[:80], expected="0x and 40 hex digits")
    digits = text[2:]
    address = bytes.fromhex(digits)
    if digits not in (digits.lower(), digits.upper()) and text != checksum_address(address):
        raise FieldError(
            "The address has a wrong EIP-55 checksum.", got=text, expected=checksum_address(address)
        )
    return address


def address_of_public_key(public_key: bytes) -> bytes:
    """Return the 20-byte address of a secp256k1 public key.

    ``public_key`` is x || y (64 bytes) or the uncompressed SEC1 form 0x04 || x || y (65 bytes).

    :raises FieldError: another length or prefix
    """
    if len(public_key) == 65 and public_key[0] == 4:
        public_key = public_key[1:]
    require_length("public key (x || y)", public_key, 64)
    return keccak256(public_key)[12:]
