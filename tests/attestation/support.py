"""What the attestation tests share: one simulated platform, the genuine fixtures, and how to break things."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xmtp_tee.attestation import Attestation, Collateral, EnclaveBinding, TeeKind
from xmtp_tee.attestation.simulator import (
    CollateralRecipe,
    QuoteRecipe,
    TdRecipe,
    development_root_certificate,
)

NOW = 1_800_000_000
ISSUED_AT = NOW - 86_400
DAY = 86_400

BINDING = EnclaveBinding(
    chain_id=31_337,
    enclave_registry=bytes.fromhex("11" * 20),
    authority=bytes.fromhex("22" * 20),
    transport_key=bytes.fromhex("33" * 32),
    block_number=1_000,
    block_hash=bytes.fromhex("44" * 32),
)
RECIPE = QuoteRecipe(td=TdRecipe(report_data=BINDING.report_data()))
QUOTE = RECIPE.build()
COLLATERAL = CollateralRecipe().build(ISSUED_AT)
ROOT = development_root_certificate()

HEADER = range(48)
TD_REPORT = range(48, 632)
QUOTE_SIGNATURE = range(636, 700)
ATTESTATION_KEY = range(700, 764)
QE_REPORT = range(770, 1154)
QE_REPORT_SIGNATURE = range(1154, 1218)
AUTH_DATA = range(1220, 1252)
PEM_CHAIN = 1258


def td(**changes: Any) -> QuoteRecipe:
    """The genuine quote with another TD report."""
    return replace(RECIPE, td=replace(RECIPE.td, **changes))


def enclave(**changes: Any) -> QuoteRecipe:
    """The genuine quote from another quoting enclave."""
    return replace(RECIPE, quoting_enclave=replace(RECIPE.quoting_enclave, **changes))


def platform(**changes: Any) -> QuoteRecipe:
    """The genuine quote from another platform."""
    return replace(RECIPE, platform=replace(RECIPE.platform, **changes))


def flipped(data: bytes, bit: int) -> bytes:
    """The data with one bit flipped."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def attestation(quote: bytes = QUOTE, binding: EnclaveBinding = BINDING) -> Attestation:
    """An attestation that claims what the binding says."""
    return Attestation(
        tee=TeeKind.TDX,
        quote=quote,
        authority=binding.authority,
        transport_key=binding.transport_key,
        chain_id=binding.chain_id,
        enclave_registry=binding.enclave_registry,
        block_number=binding.block_number,
        block_hash=binding.block_hash,
    )


def pem(der: bytes) -> str:
    """A certificate in PEM."""
    text = base64.b64encode(der).decode()
    lines = "\n".join(text[i : i + 64] for i in range(0, len(text), 64))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"


@dataclass(frozen=True)
class Genuine:
    """The folder of genuine evidence."""

    folder: Path

    def read(self, path: str) -> bytes:
        return (self.folder / path).read_bytes()

    def text(self, path: str) -> str:
        return self.read(path).decode()

    @property
    def intel_root(self) -> bytes:
        return self.read("intel-collateral/roots/Intel_SGX_Root_CA.der")

    def all_in_one(self, name: str) -> Collateral:
        return Collateral.from_json(self.text(f"intel-collateral/phala/{name}_collateral.json"))

    def pieces(self, month: str, tcb_info: str, identity: str = "qe_td") -> Collateral:
        """Collateral put together from Intel's own responses; the root's CRL is that of 2025-06, good for a year."""
        root = pem(self.intel_root)
        roots = "intel-collateral/roots"
        return Collateral.from_pieces(
            tcb_info=self.text(f"intel-collateral/{month}/{tcb_info}.json"),
            qe_identity=self.text(f"intel-collateral/{month}/{identity}.json"),
            root_ca_crl=self.read("intel-collateral/2025-06/root_crl.der"),
            pck_crl=self.read(f"intel-collateral/{month}/platform_crl.der"),
            pck_crl_issuer_chain=pem(self.read(f"{roots}/Intel_SGX_PCK_Platform_CA.der")) + root,
            tcb_signing_chain=pem(self.read(f"{roots}/Intel_SGX_TCB_Signing.der")) + root,
        )
