"""The process on each simulated TEE: the production driver attests it, the production verifier believes it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.enclave.support import CHAIN_ID, OWNER, REGISTRY, EnclaveProcess
from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation import Attestation
from xmtp_tee.attestation.errors import QuoteNotGenuineError
from xmtp_tee.attestation.judgement import Expectations
from xmtp_tee.attestation.offline import Trust
from xmtp_tee.attestation.simulator.trust import DEVELOPMENT_FLOORS, development_trust
from xmtp_tee.client.key_manager import KeyManager
from xmtp_tee.demo.tees import TEES, tee_named
from xmtp_tee.errors import ExitCode


def attestation_of(keys: KeyManager) -> Attestation:
    """A fresh attestation of the enclave on this connection."""
    return keys.get_attestation(
        chain_id=CHAIN_ID, enclave_registry=REGISTRY, block_number=7, block_hash=b"\x44" * 32
    )


@pytest.mark.parametrize("name", TEES)
def test_enclave_attests_itself_and_keeps_its_store(folder: Path, name: str) -> None:
    tee, now = tee_named(name), int(time.time())
    expected = Expectations([tee.workload()], CHAIN_ID, REGISTRY)
    with EnclaveProcess(folder, "--tee", name) as process, KeyManager(process.socket) as keys:
        assert process.ready["tee"] == tee.kind.label
        assert process.ready["assurance"] == "simulated"
        identity = keys.generate_identity_key(OWNER)
        verdict = keys.verify_attestation_under(
            attestation_of(keys), development_trust(tee.kind, now), now, expected
        )
        assert verdict.failed == ()
        assert verdict.level is AssuranceLevel.SIMULATED
        authority = keys.info().authority
    with EnclaveProcess(folder, "--tee", name) as again, KeyManager(again.socket) as keys:
        assert keys.info().authority == authority
        assert keys.get_identity_key(OWNER).public_key == identity.public_key


def test_vendors_keys_do_not_stand_behind_a_simulated_enclave(folder: Path) -> None:
    now, amd = int(time.time()), Trust(floors=DEVELOPMENT_FLOORS)
    with EnclaveProcess(folder, "--tee", "sevsnp") as process, KeyManager(process.socket) as keys:
        attestation = attestation_of(keys)
        with pytest.raises(QuoteNotGenuineError, match="not a pinned one"):
            keys.verify_attestation_under(attestation, amd, now)


def test_a_store_of_one_tee_does_not_open_under_another(folder: Path) -> None:
    with EnclaveProcess(folder, "--tee", "nitro"):
        pass
    other = EnclaveProcess(folder, "--tee", "tdx", wait=False)
    assert other.process.wait(timeout=20) != ExitCode.VERIFIED
    other.end()
    assert "enclave.store-sealed-elsewhere" in other.log


def test_new_code_does_not_open_a_store_that_sev_snp_sealed(folder: Path) -> None:
    """The chip's key depends on the measurement, as on hardware: recovery and hand-over are the ways on."""
    with EnclaveProcess(folder, "--tee", "sevsnp"):
        pass
    changed = EnclaveProcess(folder, "--tee", "sevsnp", "--simulator-salt", "new code", wait=False)
    assert changed.process.wait(timeout=20) != ExitCode.VERIFIED
    changed.end()
    assert "enclave.store-sealed-elsewhere" in changed.log
