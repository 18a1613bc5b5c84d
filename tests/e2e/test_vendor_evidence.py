"""The client's evidence of Nitro and SEV-SNP against the real verifiers: short once they know the platform."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.attestation.nitro.support import attestation as nitro_attestation
from tests.attestation.sevsnp.support import attestation as sevsnp_attestation
from tests.contracts.nitro import nitro_support
from tests.contracts.sevsnp import snp_support
from tests.support.chain import Anvil
from tests.support.chain import Chain as LocalChain
from xmtp_tee.attestation.kinds import TcbStatus, TeeKind
from xmtp_tee.attestation.offline import workload_of_attestation
from xmtp_tee.attestation.sevsnp.product import ProductLine
from xmtp_tee.attestation.sevsnp.report import SigningKey
from xmtp_tee.attestation.simulator.nitro import development_nitro_root
from xmtp_tee.attestation.simulator.sevsnp import development_snp_pki
from xmtp_tee.attestation.simulator.sevsnp.pki import DEVELOPMENT_TCB
from xmtp_tee.client.chain import Chain
from xmtp_tee.client.chain_errors import ContractRefused
from xmtp_tee.client.deployment import CONTRACTS, Deployment
from xmtp_tee.client.evidence_encoding import (
    NITRO_VERIFIER,
    SNP_VERIFIER,
    encode_evidence,
    missing_signer,
)
from xmtp_tee.demo.tees import tee_named

NOW = 1_800_000_000
MILAN = development_snp_pki()


@dataclass
class Street:
    """A chain with both verifiers, and the client's view of it."""

    tests: LocalChain
    chain: Chain
    deployment: Deployment
    verifiers: dict[TeeKind, Any]

    def verify(self, evidence: bytes) -> Any:
        """Send evidence to its verifier; return the report."""
        verifier = self.verifiers[TeeKind(evidence[0])]
        report = self.tests.call(verifier.functions.verify(evidence[1:]))
        self.tests.send(verifier.functions.verify(evidence[1:]))
        return report


@pytest.fixture(scope="module")
def street() -> Iterator[Street]:
    certificates = snp_support.Chain3(
        MILAN.ark().der,
        MILAN.intermediate(SigningKey.VCEK).der,
        MILAN.intermediate(SigningKey.VLEK).der,
    )
    floor = int.from_bytes(DEVELOPMENT_TCB.encode(ProductLine.MILAN), "little")
    with Anvil(timestamp=NOW) as anvil:
        tests = LocalChain(anvil)
        nitro = nitro_support.deploy(tests, development_nitro_root())
        snp = snp_support.deploy(tests, [snp_support.root(ProductLine.MILAN, floor, certificates)])
        addresses = dict.fromkeys(CONTRACTS, "0x" + "1" * 40)
        addresses |= {NITRO_VERIFIER: nitro.address, SNP_VERIFIER: snp.address}
        chain = Chain(anvil.url)
        deployment = Deployment("ethereum:local", chain.chain_id, True, 0, addresses)
        yield Street(tests, chain, deployment, {TeeKind.NITRO: nitro, TeeKind.SEV_SNP: snp})


def test_a_document_is_brought_with_its_chain_once(street: Street) -> None:
    attestation = nitro_attestation()
    whole = encode_evidence(street.chain, street.deployment, attestation)
    report = street.verify(whole)
    assert len(whole) > 75_000
    assert bytes(report[1]) == workload_of_attestation(attestation)
    short = encode_evidence(street.chain, street.deployment, attestation)
    assert len(short) < 21_000
    assert street.verify(short) == report


def test_a_report_is_brought_with_its_certificate_once_and_its_signer_before(
    street: Street,
) -> None:
    attestation = sevsnp_attestation()
    signer = missing_signer(street.chain, street.deployment, attestation.quote)
    assert signer is not None
    verifier = street.verifiers[TeeKind.SEV_SNP]
    street.tests.send(
        verifier.functions.submitSigner(int(signer.product), signer.ark, signer.signer)
    )
    assert missing_signer(street.chain, street.deployment, attestation.quote) is None
    new = encode_evidence(street.chain, street.deployment, attestation)
    report = street.verify(new)
    assert bytes(report[1]) == workload_of_attestation(attestation)
    assert report[5][0] == TcbStatus.UP_TO_DATE
    known = encode_evidence(street.chain, street.deployment, attestation)
    assert len(new) - len(known) > 1_000
    assert street.verify(known) == report


@pytest.mark.parametrize("name", ["nitro", "sevsnp"])
def test_one_flipped_bit_is_refused_as_the_demonstration_expects(
    street: Street, name: str, tmp_path: Path
) -> None:
    tee = tee_named(name)
    attestation = {"nitro": nitro_attestation(), "sevsnp": sevsnp_attestation()}[name]
    verifier = street.verifiers[tee.kind]

    def encode(quote: bytes) -> bytes:
        return encode_evidence(street.chain, street.deployment, attestation)

    flipped = tee.flipped(attestation.quote, encode)
    contract = street.chain.contract(
        {"nitro": NITRO_VERIFIER, "sevsnp": SNP_VERIFIER}[name], verifier.address
    )
    with pytest.raises(ContractRefused) as refused:
        street.chain.read(contract.functions.verify(flipped[1:]))
    assert refused.value.error_name == tee.flip_refusal
