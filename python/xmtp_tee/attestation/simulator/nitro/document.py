"""Attestation documents in AWS's format under a development PKI. Every field is a parameter, so attacks can be made.

A recipe is an immutable value: start from the defaults, which a verifier accepts, and change what the test is about
with :func:`dataclasses.replace`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec

from xmtp_tee.attestation.nitro.cbor import Cbor, encode
from xmtp_tee.attestation.nitro.document import DIGEST, PCR_COUNT, PCR_SIZE, PROTECTED_HEADER
from xmtp_tee.attestation.simulator.certificate import sign_p384
from xmtp_tee.attestation.simulator.nitro.pki import (
    MODULE_ID,
    CertificateShape,
    DevelopmentNitroPki,
    NitroLevel,
    development_nitro_pki,
)

FieldChange = Callable[[dict[int | str, Cbor]], dict[int | str, Cbor]]


def development_pcrs(
    application: bytes = hashlib.sha384(b"xmtp-tee development workload").digest(),
) -> dict[int, bytes]:
    """Return the 16 registers of a simulated enclave: image, kernel, ``application`` (48 bytes), role and instance."""
    bank = {index: bytes(PCR_SIZE) for index in range(PCR_COUNT)}
    bank[1] = hashlib.sha384(b"xmtp-tee development kernel").digest()
    bank[2] = application
    bank[0] = hashlib.sha384(bank[1] + bank[2]).digest()
    bank[4] = hashlib.sha384(bytes(PCR_SIZE) + MODULE_ID.partition("-enc")[0].encode()).digest()
    return bank


@dataclass(frozen=True, slots=True)
class DocumentRecipe:
    """A document. ``timestamp_ms`` defaults to ``now`` in milliseconds.

    ``shapes`` bends certificates by their level. ``certificate`` and ``bundle`` replace what the document carries;
    ``signer`` signs in the enclave's key's place. ``change`` gets the payload's fields before they are encoded, in
    AWS's order. ``indefinite`` writes the payload's outermost map with indefinite length, as AWS does since 2026.
    ``payload`` and ``signature`` replace the encoded payload and the 96 bytes.
    """

    user_data: bytes | None = bytes(64)
    nonce: bytes | None = None
    public_key: bytes | None = None
    pcrs: Mapping[int, bytes] = field(default_factory=development_pcrs)
    module_id: str = MODULE_ID
    timestamp_ms: int | None = None
    digest: str = DIGEST
    protected: bytes = PROTECTED_HEADER
    unprotected: Mapping[int | str, Cbor] = field(default_factory=dict)
    indefinite: bool = True
    shapes: Mapping[NitroLevel, CertificateShape] = field(default_factory=dict)
    certificate: bytes | None = None
    bundle: tuple[bytes, ...] | None = None
    signer: ec.EllipticCurvePrivateKey | None = field(default=None, repr=False)
    change: FieldChange | None = None
    payload: bytes | None = None
    signature: bytes | None = None

    def build(self, now: int, pki: DevelopmentNitroPki | None = None) -> bytes:
        """Return the document made at ``now`` (unix seconds) under ``pki`` (the development PKI unless given)."""
        pki = pki or development_nitro_pki()
        *authorities, leaf = pki.chain(now, self.module_id, self.shapes)
        bundle = self.bundle or tuple(authority.der for authority in authorities)
        pcrs: dict[int | str, Cbor] = {index: self.pcrs[index] for index in self.pcrs}
        fields: dict[int | str, Cbor] = {
            "module_id": self.module_id,
            "digest": self.digest,
            "timestamp": now * 1000 if self.timestamp_ms is None else self.timestamp_ms,
            "pcrs": pcrs,
            "certificate": self.certificate or leaf.der,
            "cabundle": list(bundle),
            "public_key": self.public_key,
            "user_data": self.user_data,
            "nonce": self.nonce,
        }
        payload = self.payload
        if payload is None:
            payload = self._encode(self.change(fields) if self.change else fields)
        signed = encode(["Signature1", self.protected, b"", payload])
        signature = self.signature or sign_p384(self.signer or leaf.key, signed)
        return encode([self.protected, dict(self.unprotected), payload, signature])

    def _encode(self, fields: dict[int | str, Cbor]) -> bytes:
        if not self.indefinite:
            return encode(fields)
        pairs = b"".join(encode(key) + encode(value) for key, value in fields.items())
        return b"\xbf" + pairs + b"\xff"
