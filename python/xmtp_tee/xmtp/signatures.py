"""Whose signature is it? The signatures of identity updates, verified and turned into their signers.

- EIP-191 by a wallet: the address is recovered. A high s is lowered first, as libxmtp does, so that the two
  spellings of a signature count as one.
- Ed25519ph (RFC 8032) by an installation, context ``IDENTITY UPDATE SIGNATURE``.
- WebAuthn by a passkey: ECDSA P-256 over authenticator data and the hash of the client data, whose challenge
  is the text.
- A smart contract wallet's signature is judged by the caller's :class:`WalletJudge`, because only its chain
  knows. Without one it is refused, and so is the delegated signature of XMTP's old network.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

import coincurve
from Crypto.Hash import SHA512
from Crypto.Signature import eddsa
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from xmtp_tee.attestation.address import address_of_public_key
from xmtp_tee.hashing import keccak256
from xmtp_tee.xmtp.errors import IdentityUpdateInvalidError
from xmtp_tee.xmtp.members import Member, MemberKind
from xmtp_tee.xmtp.proto.identity import (
    RecoverableEd25519Signature,
    RecoverablePasskeySignature,
    Signature,
    SmartContractWalletSignature,
)

INSTALLATION_CONTEXT: Final = b"IDENTITY UPDATE SIGNATURE"
"""The Ed25519ph context under which an installation signs identity texts."""

_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_ACCOUNT: Final = re.compile(r"eip155:(0|[1-9][0-9]{0,19}):(0x[0-9a-fA-F]{40})")


class SignatureKind(StrEnum):
    """How a member signed."""

    ERC_191 = "erc-191"
    ERC_1271 = "erc-1271"
    INSTALLATION_KEY = "installation-key"
    P256 = "p256"


@dataclass(frozen=True, slots=True)
class VerifiedSignature:
    """A signature that holds. ``raw`` identifies it: a log takes each but once."""

    signer: Member
    kind: SignatureKind
    raw: bytes
    chain_id: int | None = None


class WalletJudge(Protocol):
    """Asks a chain whether a smart contract wallet signed."""

    def __call__(self, chain_id: int, address: bytes, digest: bytes, signature: bytes) -> bool:
        """Return whether the account accepts the signature over the 32-byte digest."""
        ...


def personal_digest(text: str) -> bytes:
    """Return the 32-byte EIP-191 ``personal_sign`` digest of a text."""
    data = text.encode()
    return keccak256(b"\x19Ethereum Signed Message:\n" + str(len(data)).encode() + data)


def verify_signature(
    text: str, signature: Signature | None, judge: WalletJudge | None = None
) -> VerifiedSignature:
    """Return who signed ``text``.

    :raises IdentityUpdateInvalidError: nobody did, or in a way that cannot be judged
    """
    if signature is not None:
        if signature.erc_191 is not None:
            return _verify_wallet(text, signature.erc_191.signature)
        if signature.installation_key is not None:
            return _verify_installation(text, signature.installation_key)
        if signature.passkey is not None:
            return _verify_passkey(text, signature.passkey)
        if signature.erc_6492 is not None:
            return _verify_contract(text, signature.erc_6492, judge)
        if signature.delegated_erc_191 is not None:
            raise IdentityUpdateInvalidError(
                "A signature delegated by a key of XMTP's old network is not supported"
            )
    raise IdentityUpdateInvalidError("A signature is missing")


def _verify_wallet(text: str, raw: bytes) -> VerifiedSignature:
    if len(raw) != 65:
        raise IdentityUpdateInvalidError(
            "A wallet's signature has the wrong length", got=len(raw), expected=65
        )
    r, s, v = raw[:32], int.from_bytes(raw[32:64], "big"), raw[64]
    recovery = v - 27 if v >= 27 else v
    if recovery not in (0, 1):
        raise IdentityUpdateInvalidError(
            "A wallet's signature has an unknown recovery id", got=v, expected="0, 1, 27 or 28"
        )
    lowered = r + min(s, _ORDER - s if s < _ORDER else s).to_bytes(32, "big")
    try:
        key = coincurve.PublicKey.from_signature_and_message(
            lowered + bytes([recovery]), personal_digest(text), hasher=None
        )
    except Exception:  # noqa: BLE001  (coincurve raises bare Exception for r or s out of range)
        raise IdentityUpdateInvalidError("A wallet's signature recovers no key") from None
    address = address_of_public_key(key.format(compressed=False))
    return VerifiedSignature(Member.wallet(address), SignatureKind.ERC_191, lowered + raw[64:])


def _verify_installation(text: str, signature: RecoverableEd25519Signature) -> VerifiedSignature:
    try:
        key = eddsa.import_public_key(signature.public_key)
        if key.pointQ.is_point_at_infinity() or (key.pointQ * 8).is_point_at_infinity():
            raise ValueError
        eddsa.new(key, "rfc8032", context=INSTALLATION_CONTEXT).verify(
            SHA512.new(text.encode()), signature.signature
        )
    except ValueError:
        raise IdentityUpdateInvalidError(
            "An installation's signature does not hold", got=signature.public_key.hex()[:80]
        ) from None
    return VerifiedSignature(
        Member.installation(signature.public_key),
        SignatureKind.INSTALLATION_KEY,
        signature.signature,
    )


def _verify_passkey(text: str, signature: RecoverablePasskeySignature) -> VerifiedSignature:
    refused = IdentityUpdateInvalidError("A passkey's signature does not hold")
    try:
        client_data = json.loads(signature.client_data_json)
        challenge = client_data["challenge"]
        expected = base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
        if not isinstance(client_data["origin"], str) or challenge != expected:
            raise refused
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), signature.public_key)
        key.verify(
            signature.signature,
            signature.authenticator_data + hashlib.sha256(signature.client_data_json).digest(),
            ec.ECDSA(hashes.SHA256()),
        )
    except (ValueError, TypeError, KeyError, RecursionError, binascii.Error, InvalidSignature):
        raise refused from None
    return VerifiedSignature(
        Member(MemberKind.PASSKEY, signature.public_key.hex()),
        SignatureKind.P256,
        signature.signature,
    )


def _verify_contract(
    text: str, signature: SmartContractWalletSignature, judge: WalletJudge | None
) -> VerifiedSignature:
    account = _ACCOUNT.fullmatch(signature.account_id)
    if account is None:
        raise IdentityUpdateInvalidError(
            "Not an account id", got=repr(signature.account_id)[:100], expected="eip155:CHAIN:0x…"
        )
    if judge is None:
        raise IdentityUpdateInvalidError(
            "A smart contract wallet's signature cannot be judged without its chain",
            got=signature.account_id,
        )
    chain_id, address = int(account[1]), bytes.fromhex(account[2][2:])
    if not judge(chain_id, address, personal_digest(text), signature.signature):
        raise IdentityUpdateInvalidError(
            "A smart contract wallet did not sign", got=signature.account_id
        )
    return VerifiedSignature(
        Member.wallet(address), SignatureKind.ERC_1271, signature.signature, chain_id
    )
