"""The certificate reader of the chain and that of Python: what the first accepts, both read alike."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from eth_abi.abi import decode
from web3.contract import Contract

from tests.support.chain import Anvil, Chain, Reverted
from tests.support.fixtures import attestation_fixture
from xmtp_tee.attestation.dcap.errors import PckCertificateError
from xmtp_tee.attestation.dcap.evidence import quote_pck_leaf
from xmtp_tee.attestation.dcap.pck import parse_pck_certificate
from xmtp_tee.attestation.simulator import development_pki

CERTIFICATE = (
    "(uint256,bytes32,bytes32,uint40,uint40,uint256,uint256,bytes20,bytes20,uint16,bool,uint256,"
    "uint256,uint256,bytes32,uint256,uint256)"
)
PLATFORM = "(bytes16,bytes16,uint16,bytes2,bytes6)"
QUOTES = (
    "tdx/phala_tdx_quote.bin",
    "sgx/phala_sgx_quote.bin",
    "sgx/automata_sgx_quote_v3.bin",
    "tdx/automata_alibaba_quote_v5.bin",
)


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    with Anvil() as anvil:
        yield Chain(anvil)


@pytest.fixture(scope="module")
def reader(chain: Chain) -> Contract:
    return chain.deploy("CertificateReader")


def leaf_of(quote: str) -> bytes:
    return quote_pck_leaf(attestation_fixture(quote).read_bytes())


def assert_read_alike(raw: bytes, der: bytes) -> None:
    certificate, platform = decode([CERTIFICATE, PLATFORM], raw)
    pck = parse_pck_certificate(der)
    assert certificate[4] == pck.not_after
    assert certificate[5].to_bytes(32, "big") + certificate[6].to_bytes(32, "big") == pck.x + pck.y
    assert certificate[7][0] == pck.ca
    assert platform == (pck.ppid, pck.component_svns, pck.pcesvn, pck.pceid, pck.fmspc)


@pytest.mark.parametrize("quote", QUOTES)
def test_genuine_certificates_are_read_alike(chain: Chain, reader: Contract, quote: str) -> None:
    der = leaf_of(quote)
    (raw,) = chain.outcomes([reader.functions.readPckCertificate(der)])
    assert isinstance(raw, bytes)
    assert_read_alike(raw, der)


@pytest.mark.parametrize("quote", QUOTES[:2])
@pytest.mark.parametrize("bit", [0x01, 0x80])
def test_a_changed_byte_is_refused_or_read_alike(
    chain: Chain, reader: Contract, quote: str, bit: int
) -> None:
    """Signatures are not the reader's business: a changed certificate may be well-formed."""
    der = leaf_of(quote)
    changed = [der[:i] + bytes([der[i] ^ bit]) + der[i + 1 :] for i in range(len(der))]
    calls = (reader.functions.readPckCertificate(each) for each in changed)
    refused = alike = 0
    for position, outcome in enumerate(chain.outcomes(calls)):
        if isinstance(outcome, Reverted):
            assert outcome.name not in ("", "Panic"), position
            refused += 1
            continue
        try:
            assert_read_alike(outcome, changed[position])
            alike += 1
        except PckCertificateError:
            # Python looks into names and into extensions that the chain hashes or passes over, and asks whether
            # the key is on the curve, which is the precompile's to refuse.
            continue
    assert refused > len(der) // 4
    assert alike > len(der) // 8


@pytest.mark.parametrize("size", [0, 1, 2, 4, 100, 600, -1])
def test_a_truncated_certificate_is_refused_with_a_typed_error(
    chain: Chain, reader: Contract, size: int
) -> None:
    der = development_pki().issue_pck().der[:size]
    (outcome,) = chain.outcomes([reader.functions.readPckCertificate(der)])
    assert isinstance(outcome, Reverted)
    assert outcome.name.startswith("Der")
