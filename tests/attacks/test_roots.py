"""Two roots, two worlds: simulated evidence under Intel's root, genuine evidence under the development root."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.chain import Anvil, Reverted
from tests.support.chain import Chain as DeployChain
from tests.support.dcap import intel_root, phala_collateral, submit_all
from tests.support.fixtures import attestation_fixture
from tests.support.maker import Maker
from xmtp_tee.attestation.dcap.evidence import new_platform_evidence
from xmtp_tee.attestation.simulator import CollateralRecipe, development_root_certificate

GENUINE_TIME = 1_750_500_000
"""When the genuine quote's collateral was in force (the fixtures' README)."""


@pytest.fixture(scope="module")
def chain() -> Iterator[DeployChain]:
    intel_root()  # skips without the fixtures, before anything is started
    with Anvil(timestamp=GENUINE_TIME) as anvil:
        yield DeployChain(anvil)


@pytest.fixture(scope="module")
def genuine() -> bytes:
    return new_platform_evidence(attestation_fixture("tdx/phala_tdx_quote.bin").read_bytes())


@pytest.fixture(scope="module")
def simulated() -> bytes:
    maker = Maker()
    attestation = maker.attestation(
        chain_id=31337, enclave_registry=bytes(19) + b"\1", block_number=1, block_hash=bytes(32)
    )
    return new_platform_evidence(attestation.quote)


def deployed(chain: DeployChain, root: bytes, kind: str) -> object:
    verifier = chain.deploy("DcapVerifier", root, 0)
    if kind in ("intel", "both"):
        submit_if_accepted(chain, verifier, phala_collateral())
    if kind in ("development", "both"):
        submit_if_accepted(chain, verifier, CollateralRecipe().build(chain.now - 3600))
    return verifier


def submit_if_accepted(chain: DeployChain, verifier: object, collateral: object) -> bool:
    try:
        submit_all(chain, verifier, collateral)  # type: ignore[arg-type]
    except Reverted:
        return False
    return True


def verify(chain: DeployChain, verifier: object, evidence: bytes) -> object:
    # The router strips the kind's byte.
    return chain.call(verifier.functions.verify(evidence[1:]))  # type: ignore[attr-defined]


def test_genuine_quote_is_accepted_under_intels_root_and_simulated_is_refused(
    chain: DeployChain, genuine: bytes, simulated: bytes
) -> None:
    verifier = deployed(chain, intel_root(), "intel")
    assert not chain.call(verifier.functions.developmentRoot())  # type: ignore[attr-defined]
    report = verify(chain, verifier, genuine)
    assert report[0] == 2  # type: ignore[index]
    assert report[5][0] == 1  # type: ignore[index]
    with pytest.raises(Reverted) as refused:
        verify(chain, verifier, simulated)
    assert refused.value.name == "IssuerUnknown"


def test_simulated_quote_is_accepted_under_the_development_root_and_genuine_is_refused(
    chain: DeployChain, genuine: bytes, simulated: bytes
) -> None:
    verifier = deployed(chain, development_root_certificate(), "development")
    assert chain.call(verifier.functions.developmentRoot())  # type: ignore[attr-defined]
    assert verify(chain, verifier, simulated)[5][0] == 1  # type: ignore[index]
    with pytest.raises(Reverted) as refused:
        verify(chain, verifier, genuine)
    assert refused.value.name == "IssuerUnknown"


@pytest.mark.parametrize(
    "name",
    [
        "tdx_v4_flipped_mrseam_bit.bin",
        "tdx_v4_flipped_reportdata_bit.bin",
        "tdx_v4_flipped_qe_report_bit.bin",
    ],
)
def test_genuine_quote_with_a_flipped_bit_is_refused(chain: DeployChain, name: str) -> None:
    verifier = deployed(chain, intel_root(), "intel")
    quote = attestation_fixture(f"negative/{name}").read_bytes()
    with pytest.raises(Reverted):
        verify(chain, verifier, new_platform_evidence(quote))


def test_no_collateral_of_the_other_root_is_accepted(chain: DeployChain) -> None:
    """Nothing of the one world enters the other, whatever is submitted."""
    intel = chain.deploy("DcapVerifier", intel_root(), 0)
    development = chain.deploy("DcapVerifier", development_root_certificate(), 0)
    assert not submit_if_accepted(chain, intel, CollateralRecipe().build(chain.now - 3600))
    assert not submit_if_accepted(chain, development, phala_collateral())


def test_router_refuses_to_mix_roots(chain: DeployChain) -> None:
    intel = chain.deploy("DcapVerifier", intel_root(), 0)
    development = chain.deploy("DcapVerifier", development_root_certificate(), 0)
    with pytest.raises(Reverted) as refused:
        chain.deploy("AttestationVerifier", [1, 2], [intel.address, development.address])
    assert refused.value.name == "MixedRoots"
