"""What the Nitro tests share: one simulated document, and how to bend it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.attestation.support import BINDING, Genuine
from xmtp_tee.attestation import Attestation, TeeKind
from xmtp_tee.attestation.nitro.cbor import Cbor
from xmtp_tee.attestation.nitro.verify import VerifiedDocument, verify_document
from xmtp_tee.attestation.simulator.nitro import (
    CertificateShape,
    DocumentRecipe,
    NitroLevel,
    development_nitro_root,
)

NOW = 1_800_000_000
RECIPE = DocumentRecipe(user_data=BINDING.report_data())
DOCUMENT = RECIPE.build(NOW)
ROOT = development_nitro_root()

GENUINE = {
    "nitro/base_attestation_2026-01.cbor": 1_767_472_867,
    "nitro/marlin_sample_attestation_2024-02.cbor": 1_708_930_921,
}
"""The genuine documents of production enclaves, and when they were made."""
GENUINE_DEBUG = ("nitro/evervault_debug_mode_attestation.cbor", 1_665_582_606)


def aws_root(genuine: Genuine) -> bytes:
    """AWS's root certificate in DER."""
    pem = genuine.read("nitro/aws_nitro_root.pem")
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


def recipe(**changes: Any) -> DocumentRecipe:
    """The genuine recipe, changed."""
    return replace(RECIPE, **changes)


def shaped(level: NitroLevel, **changes: Any) -> DocumentRecipe:
    """The genuine recipe with one certificate of another shape."""
    return recipe(shapes={level: CertificateShape(**changes)})


def changed(change: Callable[[dict[int | str, Cbor]], None]) -> DocumentRecipe:
    """The genuine recipe with its payload's fields changed before it is signed."""

    def apply(fields: dict[int | str, Cbor]) -> dict[int | str, Cbor]:
        change(fields)
        return fields

    return recipe(change=apply)


def with_field(name: str, value: Cbor) -> DocumentRecipe:
    """The genuine recipe with one field replaced or added."""
    return changed(lambda fields: fields.update({name: value}))


def without_field(name: str) -> DocumentRecipe:
    """The genuine recipe without one field."""
    return changed(lambda fields: fields.__delitem__(name))


def verify(document: DocumentRecipe | bytes, now: int = NOW) -> VerifiedDocument:
    """Verify under the development root."""
    raw = document.build(NOW) if isinstance(document, DocumentRecipe) else document
    return verify_document(raw, ROOT, now)


def attestation(document: DocumentRecipe | bytes = DOCUMENT) -> Attestation:
    """An attestation that claims what the binding of all tests says."""
    return Attestation(
        tee=TeeKind.NITRO,
        quote=document.build(NOW) if isinstance(document, DocumentRecipe) else document,
        authority=BINDING.authority,
        transport_key=BINDING.transport_key,
        chain_id=BINDING.chain_id,
        enclave_registry=BINDING.enclave_registry,
        block_number=BINDING.block_number,
        block_hash=BINDING.block_hash,
    )
