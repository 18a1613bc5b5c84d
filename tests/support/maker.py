"""An enclave without a process: makes keys, certificates and quotes, every part of them to be bent.

The real enclave refuses to certify or quote what is wrong. An attacker has no such scruples, so what the
chain must refuse is made here. Everything follows from a seed: the same calls make the same bytes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

from coincurve import PrivateKey
from Crypto.Hash import SHA512
from Crypto.PublicKey import ECC
from Crypto.Signature import eddsa

from xmtp_tee.attestation.address import address_of_public_key
from xmtp_tee.attestation.certificate import KeyBundleCertificate, ethereum_signature
from xmtp_tee.attestation.evidence import Attestation
from xmtp_tee.attestation.kinds import Provenance, TeeKind
from xmtp_tee.attestation.pre_key import PRE_KEY_CONTEXT, pre_key_message
from xmtp_tee.attestation.simulator import QuoteRecipe, TdRecipe
from xmtp_tee.attestation.workload import tdx_workload_id

MAKER_WORKLOAD = tdx_workload_id(TdRecipe().build())
"""The workload of the recipe's default measurement."""


@dataclass(frozen=True)
class Identity:
    """An Ed25519 identity key, made from a seed."""

    key: ECC.EccKey
    public_key: bytes


class Maker:
    """The authority of a made-up enclave; ``seed`` decides every key."""

    def __init__(self, seed: str = "maker") -> None:
        self._seed = seed
        self.key = PrivateKey(self._derive("authority"))
        self.authority = address_of_public_key(self.key.public_key.format(compressed=False))
        self.transport_key = self._derive("transport")

    def _derive(self, label: str) -> bytes:
        return hashlib.sha256(f"{self._seed}/{label}".encode()).digest()

    def identity(self, label: str = "identity") -> Identity:
        key = eddsa.import_private_key(self._derive(label))
        return Identity(key, key.public_key().export_key(format="raw"))

    def pre_key(self, epoch: int, label: str = "pre-key") -> bytes:
        return self._derive(f"{label}/{epoch}")

    def certificate(
        self,
        *,
        chain_id: int,
        key_registry: bytes,
        owner: bytes,
        expires_at: int,
        epoch: int = 1,
        identity: Identity | None = None,
        provenance: Provenance = Provenance.GENERATED,
        **changes: Any,
    ) -> KeyBundleCertificate:
        """A certificate with valid signatures; ``changes`` are made before the authority signs."""
        identity = identity or self.identity()
        pre_key = self.pre_key(epoch)
        message = pre_key_message(owner, identity.public_key, pre_key, epoch, expires_at)
        signer = eddsa.new(identity.key, "rfc8032", context=PRE_KEY_CONTEXT)
        certificate = KeyBundleCertificate(
            chain_id=chain_id,
            key_registry=key_registry,
            owner=owner,
            identity_key=identity.public_key,
            pre_key=pre_key,
            pre_key_signature=signer.sign(SHA512.new(message)),
            epoch=epoch,
            expires_at=expires_at,
            provenance=provenance,
        )
        return self.sign(replace(certificate, **changes))

    def sign(self, certificate: KeyBundleCertificate) -> KeyBundleCertificate:
        recoverable = self.key.sign_recoverable(certificate.digest(), hasher=None)
        return certificate.signed(ethereum_signature(recoverable))

    def attestation(
        self,
        *,
        chain_id: int,
        enclave_registry: bytes,
        block_number: int,
        block_hash: bytes,
        recipe: QuoteRecipe | None = None,
    ) -> Attestation:
        """An attestation that binds exactly this; ``recipe`` bends the quote around the binding."""
        claims = Attestation(
            tee=TeeKind.TDX,
            quote=b"",
            authority=self.authority,
            transport_key=self.transport_key,
            chain_id=chain_id,
            enclave_registry=enclave_registry,
            block_number=block_number,
            block_hash=block_hash,
        )
        recipe = recipe or QuoteRecipe()
        td = replace(recipe.td, report_data=claims.binding.report_data())
        return replace(claims, quote=replace(recipe, td=td).build())


def malleated(signature: bytes) -> bytes:
    """The other valid signature over the same digest: s replaced by n - s, v flipped."""
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    s = order - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])
