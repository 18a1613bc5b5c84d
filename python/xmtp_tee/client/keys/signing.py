"""Signatures."""

from __future__ import annotations

from collections.abc import Sequence

from xmtp_tee.attestation.address import checksum_address
from xmtp_tee.attestation.certificate import recover_authority
from xmtp_tee.attestation.kinds import Provenance
from xmtp_tee.attestation.owner_intent import BundleIntent, RevocationIntent
from xmtp_tee.client.answers import address
from xmtp_tee.client.errors import EnclaveMismatchError
from xmtp_tee.client.keys.base import EnclaveClient
from xmtp_tee.errors import XmtpTeeError
from xmtp_tee.typed_data import parse_typed_data
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.faults import SignedMessageTooLargeError
from xmtp_tee.wire.limits import MAX_SIGNED_MESSAGE


class KeySigning(EnclaveClient):
    """What keys sign. Wallet signatures are 65 bytes, r || s || v (v 27 or 28, low s), and are
    recovered here before they are returned.
    """

    def sign(self, key_id: str, message: bytes) -> bytes:
        """Return the 64-byte Ed25519ph signature (RFC 8032) of up to 64 KiB by an identity or
        installation key.

        The context is XMTP's ``PUBLIC SIGNATURE CONTEXT``.

        :raises KeyNotFoundError: if there is no such key
        :raises OperationNotAllowedError: if its purpose does not include signing
        :raises SignedMessageTooLargeError: if the message is longer
        """
        if len(message) > MAX_SIGNED_MESSAGE:
            raise SignedMessageTooLargeError(
                "The message to sign is too long",
                got=f"{len(message)} bytes",
                expected=f"at most {MAX_SIGNED_MESSAGE} bytes",
            )
        return self._call(wire.Sign(key_id=key_id, message=message), wire.Signature).signature

    def sign_batch(self, key_id: str, messages: Sequence[bytes]) -> list[bytes]:
        """Return the signatures of up to 256 messages, made in one request.

        :raises XmtpTeeError: the first error, if one was refused
        """
        signatures = []
        for outcome in self.batch([wire.Sign(key_id=key_id, message=each) for each in messages]):
            if isinstance(outcome, XmtpTeeError):
                raise outcome
            if not isinstance(outcome, wire.Signature):
                raise EnclaveMismatchError("Not a signature", got=type(outcome).__name__)
            signatures.append(outcome.signature)
        return signatures

    def sign_identity_text(self, key_id: str, text: str, nonce: int = 1) -> bytes:
        """Return the signature of an XMTP identity text, which the enclave parses and checks.

        A wallet key signs with EIP-191 (65 bytes), an identity or installation key with Ed25519ph
        under ``IDENTITY UPDATE SIGNATURE`` (64 bytes). ``nonce``: of the inbox.

        :raises SigningRefusedError: if the text is not what the policy lets this key agree to
        """
        operation = wire.SignIdentityText(key_id=key_id, text=text, nonce=nonce)
        answer = self._call(operation, wire.Message)
        if isinstance(answer, wire.Signature):
            return answer.signature
        if not isinstance(answer, wire.WalletSignature):
            raise EnclaveMismatchError("Not a signature", got=type(answer).__name__)
        from xmtp_tee.xmtp.signatures import personal_digest

        return _recovered(answer, personal_digest(text))

    def sign_typed_data(self, key_id: str, document: str | bytes) -> bytes:
        """Return a wallet key's signature of an EIP-712 document (JSON, ``eth_signTypedData_v4``)
        that a rule of the policy allows.

        :raises TypedDataInvalidError: if it is none
        :raises SigningRefusedError: if no rule allows it
        """
        data = document.encode() if isinstance(document, str) else document
        digest = parse_typed_data(data).digest
        made = self._ask(wire.SignTypedData, wire.WalletSignature, key_id=key_id, document=data)
        return _recovered(made, digest)

    def sign_owner_intent(
        self,
        key_id: str,
        action: str,
        identity_key_id: str,
        pre_key_id: str | None = None,
        *,
        chain_id: int,
        key_registry: str | bytes,
        nonce: int,
        deadline: int,
    ) -> tuple[BundleIntent | RevocationIntent, bytes]:
        """Return an owner's intent at a KeyRegistry, and the wallet key's signature of it.

        ``action``: ``register``, ``rotate`` or ``revoke`` (which the policy must allow, and which
        names no pre-key). ``nonce``: the owner's next there. ``deadline``: unix seconds, at most a
        week from now.

        :raises SigningRefusedError: if the policy does not allow it
        """
        made = self._ask(
            wire.SignOwnerIntent,
            wire.OwnerIntent,
            key_id=key_id,
            action=action,
            identity_key_id=identity_key_id,
            pre_key_id=pre_key_id,
            chain_id=chain_id,
            key_registry=address(key_registry),
            nonce=nonce,
            deadline=deadline,
        )
        intent = _intent(made)
        asked = (action, chain_id, address(key_registry), nonce, deadline)
        if asked != (made.action, made.chain_id, made.key_registry, made.nonce, made.deadline):
            raise EnclaveMismatchError("The intent is another than asked for", got=made.action)
        if recover_authority(intent.digest(), made.signature) != made.owner:
            raise EnclaveMismatchError(
                "The intent is not signed by its owner", expected=checksum_address(made.owner)
            )
        return intent, made.signature


def _intent(made: wire.OwnerIntent) -> BundleIntent | RevocationIntent:
    if made.action == "revoke":
        return RevocationIntent(
            chain_id=made.chain_id,
            key_registry=made.key_registry,
            owner=made.owner,
            identity_key=made.identity_key,
            nonce=made.nonce,
            deadline=made.deadline,
        )
    provenances = {kind.label: kind for kind in Provenance}
    return BundleIntent(
        action=made.action,
        chain_id=made.chain_id,
        key_registry=made.key_registry,
        owner=made.owner,
        identity_key=made.identity_key,
        pre_key=made.pre_key,
        epoch=made.epoch,
        expires_at=made.expires_at,
        provenance=provenances.get(made.provenance, Provenance.NONE),
        authority=made.authority,
        nonce=made.nonce,
        deadline=made.deadline,
    )


def _recovered(made: wire.WalletSignature, digest: bytes) -> bytes:
    if recover_authority(digest, made.signature) != made.address:
        raise EnclaveMismatchError(
            "The signature is not the wallet's", expected=checksum_address(made.address)
        )
    return made.signature
