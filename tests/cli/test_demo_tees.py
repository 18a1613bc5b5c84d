"""What the demonstration's TEEs say of themselves, against what their enclaves really return."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.attestation.support import BINDING
from xmtp_tee.attestation import Attestation
from xmtp_tee.attestation.judgement import Expectations
from xmtp_tee.attestation.nitro.evidence import nitro_evidence
from xmtp_tee.attestation.offline import judge_offline
from xmtp_tee.attestation.sevsnp.evidence import known_key_evidence
from xmtp_tee.attestation.simulator.sevsnp import development_anchors
from xmtp_tee.attestation.simulator.trust import development_trust
from xmtp_tee.demo.tees import TEES, Tee, tee_named
from xmtp_tee.errors import UsageError

ENCODERS = {
    "tdx": lambda quote: quote,
    "nitro": lambda quote: nitro_evidence(quote, 0),
    "sevsnp": lambda quote: known_key_evidence(quote, development_anchors()),
}


def attested(tee: Tee, folder: Path, salt: bytes = b"") -> Attestation:
    """An attestation by a simulated platform of this TEE."""
    return Attestation(
        tee=tee.kind,
        quote=tee.driver(folder, salt).quote(BINDING.report_data()),
        authority=BINDING.authority,
        transport_key=BINDING.transport_key,
        chain_id=BINDING.chain_id,
        enclave_registry=BINDING.enclave_registry,
        block_number=BINDING.block_number,
        block_hash=BINDING.block_hash,
    )


@pytest.mark.parametrize("name", TEES)
def test_workload_from_source_is_the_one_that_the_enclave_attests(
    name: str, tmp_path: Path
) -> None:
    tee, now = tee_named(name), int(time.time())
    expected = Expectations([tee.workload()], BINDING.chain_id, BINDING.enclave_registry)
    verdict = judge_offline(
        attested(tee, tmp_path), development_trust(tee.kind, now), now, expected
    )
    assert verdict.failed == ()
    other = attested(tee, tmp_path, b"a back door")
    verdict = judge_offline(other, development_trust(tee.kind, now), now, expected)
    assert [check.name for check in verdict.failed] == ["workload"]


@pytest.mark.parametrize("name", TEES)
def test_flipped_evidence_differs_in_one_bit(name: str, tmp_path: Path) -> None:
    tee = tee_named(name)
    quote = attested(tee, tmp_path).quote
    genuine, flipped = ENCODERS[name](quote), tee.flipped(quote, ENCODERS[name])
    different = [(a, b) for a, b in zip(genuine, flipped, strict=True) if a != b]
    assert len(different) == 1
    assert different[0][0] ^ different[0][1] == 1


def test_another_tee_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no such TEE"):
        tee_named("sgx")
