"""Signer: a wallet in the enclave for an unmodified XMTP client.

An XMTP client takes a wallet as a function from a text to a signature. This one hands the text to the
enclave, which parses it, judges it by its policy, and signs nothing else.

WARNING: the assurance level of such a client is ``wallet`` at most: its installation key lies in its own
database, in clear. For a client whose installation lives in the enclave see ``xmtp_tee.client.xmtp``.
"""

from __future__ import annotations

from dataclasses import dataclass

from xmtp_tee.attestation.address import checksum_address, parse_address
from xmtp_tee.client.errors import WalletKeyNotFoundError
from xmtp_tee.client.key_manager import KeyManager
from xmtp_tee.client.models import KeyInfo, PreKeyInfo
from xmtp_tee.wire.faults import IdentityKeyNotFoundError


@dataclass(frozen=True, slots=True)
class SignedPublicKeyBundle:
    """What an owner publishes: the identity key and a pre-key that it has signed.

    Keys have 32 bytes, the signature 64 (Ed25519ph, context ``xmtp-tee/pre-key/v1``); ``expires_at`` is unix
    seconds.
    """

    owner: str
    identity_key: bytes
    pre_key: bytes
    pre_key_signature: bytes
    epoch: int
    expires_at: int

    @classmethod
    def of_pre_key(cls, pre_key: PreKeyInfo) -> SignedPublicKeyBundle:
        """The bundle with this pre-key."""
        return cls(
            owner=pre_key.owner,
            identity_key=pre_key.identity_key,
            pre_key=pre_key.public_key,
            pre_key_signature=pre_key.signature,
            epoch=pre_key.epoch,
            expires_at=pre_key.expires_at,
        )


class Signer:
    """A wallet key in the enclave, and the identity key of the same owner."""

    def __init__(self, keys: KeyManager, address: str, *, nonce: int = 1) -> None:
        """``address``: the wallet key's. ``nonce``: of the inbox; the official SDKs use 1.

        :raises WalletKeyNotFoundError: the enclave holds no wallet key with this address
        """
        self._keys = keys
        self._wallet = wallet_key(keys, address)
        self._address = checksum_address(parse_address(address))
        self._nonce = nonce

    @property
    def wallet_key_id(self) -> str:
        """The wallet key's id in the enclave."""
        return self._wallet.id

    def get_address(self) -> str:
        """Return the wallet's address (EIP-55)."""
        return self._address

    def sign_message(self, text: str) -> bytes:
        """Return the EIP-191 signature (r || s || v, 65 bytes) of an XMTP identity text.

        :raises SigningRefusedError: the text is not one that the policy lets this wallet agree to
        """
        return self._keys.sign_identity_text(self._wallet.id, text, self._nonce)

    def sign_installation(self, text: str) -> bytes:
        """Return the identity key's signature of an XMTP identity text: Ed25519ph, context ``IDENTITY UPDATE
        SIGNATURE``, 64 bytes.

        :raises IdentityKeyNotFoundError: the owner has no identity key
        :raises SigningRefusedError: the text is not one that the policy lets this key agree to
        """
        identity = self._keys.get_identity_key(self.get_address())
        return self._keys.sign_identity_text(identity.id, text, self._nonce)

    def create_signed_public_key_bundle(self) -> SignedPublicKeyBundle:
        """Return the identity key with its newest pre-key; both are made if there are none."""
        identity = self._identity()
        pre_keys = self._keys.get_pre_keys(identity.id)
        newest = pre_keys[-1] if pre_keys else self._keys.generate_pre_key(identity.id)
        return SignedPublicKeyBundle.of_pre_key(newest)

    def rotate_pre_key(self, expires_at: int | None = None) -> SignedPublicKeyBundle:
        """Make the next pre-key and return the bundle with it. ``expires_at``: unix seconds."""
        pre_key = self._keys.generate_pre_key(self._identity().id, expires_at)
        return SignedPublicKeyBundle.of_pre_key(pre_key)

    def _identity(self) -> KeyInfo:
        try:
            return self._keys.get_identity_key(self.get_address())
        except IdentityKeyNotFoundError:
            return self._keys.generate_identity_key(self.get_address())


def wallet_key(keys: KeyManager, address: str) -> KeyInfo:
    """Return the wallet key with this address.

    :raises WalletKeyNotFoundError: the enclave holds none that is in use
    """
    found = keys.list_keys(address, purpose="wallet", state="active")
    if not found:
        raise WalletKeyNotFoundError(
            "The enclave holds no wallet key with this address",
            got=address,
            next_command="xmtp-tee keys list",
        )
    return found[0]
