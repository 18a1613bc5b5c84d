"""Evidence is as short as what the verifier knows allows. The chain is a table of what it knows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.attestation.nitro.support import DOCUMENT
from tests.attestation.nitro.support import attestation as nitro
from tests.attestation.sevsnp.support import ANCHORS, MILAN, REPORT
from tests.attestation.sevsnp.support import attestation as sevsnp
from xmtp_tee.attestation.nitro import evidence as nitro_module
from xmtp_tee.attestation.nitro.evidence import certificate_ids
from xmtp_tee.attestation.sevsnp.anchors import AMD_ANCHORS
from xmtp_tee.attestation.sevsnp.evidence import platform_handle
from xmtp_tee.attestation.sevsnp.product import ProductLine
from xmtp_tee.attestation.sevsnp.report import SigningKey
from xmtp_tee.client import evidence_encoding
from xmtp_tee.client.chain_errors import ContractRefused, DeploymentInvalid
from xmtp_tee.client.evidence_encoding import anchors_of, encode_evidence, missing_signer

IDS = certificate_ids(DOCUMENT)


class Refused(ContractRefused):
    """A contract's refusal by name."""

    def __init__(self, name: str) -> None:
        self.error_name = name


class Table:
    """A chain on which a verifier knows some keys."""

    def __init__(
        self,
        known: set[bytes],
        unknown: str,
        signer: str = "0x" + "0" * 40,
        revoked: bool = False,
    ) -> None:
        self.known, self.unknown, self.signer = known, unknown, (signer, 0, revoked, bytes(32), 1)
        self.asked: list[str] = []

    def contract(self, name: str, address: str) -> Any:
        self.asked.append(name)

        def lookup(key: bytes) -> bytes:
            return key

        functions = {
            "certificate": lookup,
            "platform": lookup,
            "signerOf": lambda product, vlek: None,
        }
        return SimpleNamespace(functions=SimpleNamespace(**functions))

    def read(self, function: Any) -> Any:
        if function is None:
            return self.signer
        if function not in self.known:
            raise Refused(self.unknown)
        return ()


DEPLOYMENT: Any = SimpleNamespace(
    address=lambda name: "0x" + "1" * 40,
    contracts={"NitroVerifier": "", "SevSnpVerifier": ""},
    development_root=True,
)


@pytest.fixture(autouse=True)
def _quick_witnesses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A witness takes 0.2 s, and its bytes are tested elsewhere."""
    monkeypatch.setattr(nitro_module, "witness_of", lambda key, signature, message: b"witness")


@pytest.mark.parametrize("known", range(1, 6))
def test_a_document_brings_witnesses_for_what_the_chain_does_not_know(known: int) -> None:
    chain: Any = Table(set(IDS[:known]), "CertificateUnknown")
    evidence = encode_evidence(chain, DEPLOYMENT, nitro())
    count = evidence[4 + len(DOCUMENT) + 2 + 7]
    assert count == 5 - known
    assert chain.asked == ["NitroVerifier"]


def test_a_verifier_that_knows_nothing_gets_the_whole_chain() -> None:
    chain: Any = Table(set(), "CertificateUnknown")
    assert encode_evidence(chain, DEPLOYMENT, nitro())[4 + len(DOCUMENT) + 2 + 7] == 4


def test_a_report_of_a_known_platform_leaves_its_certificate_out() -> None:
    known: Any = Table({platform_handle(REPORT, ANCHORS)}, "PlatformUnknown")
    new: Any = Table(set(), "PlatformUnknown")
    assert encode_evidence(known, DEPLOYMENT, sevsnp())[:2] == b"\x04\x00"
    assert encode_evidence(new, DEPLOYMENT, sevsnp())[:2] == b"\x04\x01"
    assert known.asked == new.asked == ["SevSnpVerifier"]


@pytest.mark.parametrize("attestation", [nitro(), sevsnp()])
def test_another_refusal_is_not_taken_for_unknown(attestation: Any) -> None:
    chain: Any = Table(set(), "CertificateRevoked")
    with pytest.raises(ContractRefused):
        encode_evidence(chain, DEPLOYMENT, attestation)


def test_the_signer_is_brought_once() -> None:
    lacking: Any = Table(set(), "PlatformUnknown")
    having: Any = Table(set(), "PlatformUnknown", signer="0x" + "5" * 40)
    submission = missing_signer(lacking, DEPLOYMENT, REPORT)
    expected = (ProductLine.MILAN, MILAN.ark().der, MILAN.intermediate(SigningKey.VCEK).der)
    assert submission == expected
    assert missing_signer(having, DEPLOYMENT, REPORT) is None


def test_a_revoked_signer_is_brought_anew() -> None:
    revoked: Any = Table(set(), "PlatformUnknown", signer="0x" + "5" * 40, revoked=True)
    assert missing_signer(revoked, DEPLOYMENT, REPORT) is not None


@pytest.mark.parametrize("attestation", [nitro(), sevsnp()])
def test_a_deployment_without_the_verifier_is_named(attestation: Any) -> None:
    bare: Any = SimpleNamespace(contracts={"DcapVerifier": ""}, development_root=True)
    with pytest.raises(DeploymentInvalid, match="no evidence of this TEE"):
        encode_evidence(Table(set(), ""), bare, attestation)  # type: ignore[arg-type]


def test_anchors_follow_the_deployments_root() -> None:
    assert anchors_of(DEPLOYMENT) == ANCHORS
    assert anchors_of(SimpleNamespace(development_root=False)) is AMD_ANCHORS  # type: ignore[arg-type]
    assert evidence_encoding.NITRO_VERIFIER == "NitroVerifier"
