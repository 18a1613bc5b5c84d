"""Intel's collateral among the fixtures as one object, and a verifier that has it."""

from __future__ import annotations

import ssl

from web3.contract import Contract

from tests.support.chain import Chain
from tests.support.fixtures import attestation_fixture
from xmtp_tee.attestation.collateral import Collateral
from xmtp_tee.attestation.dcap.submissions import plan_submissions

ROOT = "intel-collateral/roots/Intel_SGX_Root_CA.der"
PLATFORM_CA = "intel-collateral/roots/Intel_SGX_PCK_Platform_CA.der"
TCB_SIGNER = "intel-collateral/roots/Intel_SGX_TCB_Signing.der"


def intel_root() -> bytes:
    return attestation_fixture(ROOT).read_bytes()


def phala_collateral(name: str = "tdx_quote_collateral.json") -> Collateral:
    """Collateral as a PCCS client keeps it: all in one file."""
    return Collateral.from_json(attestation_fixture(f"intel-collateral/phala/{name}").read_text())


def collateral_from_pieces(tcb_info: str, qe_identity: str, platform_crl: str) -> Collateral:
    """Collateral from the separate answers of Intel's service, below ``intel-collateral/``."""

    def pem(name: str) -> str:
        return ssl.DER_cert_to_PEM_cert(attestation_fixture(name).read_bytes())

    def read(name: str) -> str:
        return attestation_fixture(f"intel-collateral/{name}").read_text()

    return Collateral.from_pieces(
        tcb_info=read(tcb_info),
        qe_identity=read(qe_identity),
        root_ca_crl=attestation_fixture("intel-collateral/2025-06/root_crl.der").read_bytes(),
        pck_crl=attestation_fixture(f"intel-collateral/{platform_crl}").read_bytes(),
        pck_crl_issuer_chain=pem(PLATFORM_CA) + pem(ROOT),
        tcb_signing_chain=pem(TCB_SIGNER) + pem(ROOT),
    )


def submit_all(
    chain: Chain, verifier: Contract, collateral: Collateral, leaf: bytes | None = None
) -> dict[str, int]:
    """Submit everything in the planned order; return the gas of each kind of submission."""
    gas: dict[str, int] = {}
    for submission in plan_submissions(collateral, leaf):
        function = verifier.get_function_by_name(submission.function)
        receipt = chain.send(function(*submission.arguments))
        gas[submission.what] = receipt["gasUsed"]
    return gas
