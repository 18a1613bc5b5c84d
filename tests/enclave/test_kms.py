"""The process on a simulated Nitro enclave whose store opens by what KMS releases to its measurement."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.enclave.support import OWNER, EnclaveProcess
from tests.support.kms import ARN, SECRET, TOKEN, Kms, Server
from xmtp_tee.attestation.drivers.measurement import measure_code
from xmtp_tee.attestation.simulator.nitro.document import development_pcrs
from xmtp_tee.client.key_manager import KeyManager
from xmtp_tee.enclave.config import EnclaveConfig, kms_config, make_driver
from xmtp_tee.enclave.errors import ConfigurationError
from xmtp_tee.policy.document import Caller, Grant, Policy, StoreRules


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    released_to = {development_pcrs(measure_code())[0]}
    with Server(Kms(released_to), folder) as running:
        yield running


def options(server: Server) -> list[str]:
    return [
        *("--tee", "nitro", "--kms-key", ARN, "--kms-credentials", str(server.credentials)),
        *("--kms-connect", server.address, "--kms-authorities", str(server.authorities)),
    ]


def test_store_survives_a_restart_by_what_kms_releases(folder: Path, server: Server) -> None:
    with (
        EnclaveProcess(folder, *options(server)) as process,
        KeyManager(process.socket) as keys,
    ):
        key = keys.generate_identity_key(OWNER)
        authority = process.ready["authority"]
        # Confined as it is, the process can ask for the root again.
        recipient, before = os.urandom(32), len(server.kms.operations)
        grants = (Grant(operations=("*", "apply-policy", "export-recovery"), owners=("*",)),)
        callers = (Caller(name="own", uid=os.geteuid(), grants=grants),)
        rules = StoreRules(recovery=(recipient.hex(),))
        keys.apply_policy(Policy(version=1, callers=callers, store=rules))
        keys.export_recovery(recipient)
        assert len(server.kms.operations) == before + 1
    # No simulated fuses: what unseals the store is the service's answer alone.
    assert not (folder / "state" / "simulated-fuses").exists()
    with (
        EnclaveProcess(folder, *options(server)) as process,
        KeyManager(process.socket) as keys,
    ):
        assert process.ready["authority"] == authority
        assert keys.get_identity_key(OWNER).public_key == key.public_key
    assert server.kms.operations[0] == "GenerateDataKey"
    assert set(server.kms.operations[1:]) == {"Decrypt"}
    for secret in (SECRET, TOKEN):
        assert secret not in process.log


def refused(folder: Path, *given: str) -> tuple[int, str]:
    process = EnclaveProcess(folder, *given, wait=False)
    code = process.process.wait(timeout=30)
    process.end()
    error = json.loads(process.log.strip().splitlines()[-1])
    return code, error["code"]


def test_other_code_does_not_open_the_store(folder: Path, server: Server) -> None:
    with EnclaveProcess(folder, *options(server)):
        pass
    changed = (*options(server), "--simulator-salt", "a back door")
    assert refused(folder, *changed) == (4, "attestation.key-service-refused")


def test_store_does_not_open_while_kms_is_away(folder: Path, server: Server) -> None:
    with EnclaveProcess(folder, *options(server)):
        pass
    away = ["tcp:127.0.0.1:1" if each == server.address else each for each in options(server)]
    assert refused(folder, *away) == (3, "attestation.key-service-unavailable")


def test_lost_blob_is_not_replaced_under_a_store(folder: Path, server: Server) -> None:
    """A new root would open nothing: the store says so, and is left as it is."""
    with EnclaveProcess(folder, *options(server)):
        pass
    blob = folder / "state" / "kms-root"
    kept = blob.read_bytes()
    blob.unlink()
    assert refused(folder, *options(server)) == (4, "enclave.store-sealed-elsewhere")
    blob.write_bytes(kept)
    with EnclaveProcess(folder, *options(server)):
        pass


@pytest.mark.parametrize(
    "given",
    [
        {"key": ARN},
        {"credentials": Path("c")},
        {"connect": "vsock:3:8000"},
        {"blob": Path("b")},
    ],
)
def test_half_a_configuration_is_refused(folder: Path, given: dict[str, object]) -> None:
    named: dict[str, object] = {"key": None, "credentials": None}
    with pytest.raises(ConfigurationError, match="KMS"):
        kms_config(folder, **named | given)  # type: ignore[arg-type]


@pytest.mark.parametrize("driver", ["tdx", "sevsnp", "simulator"])
def test_other_tees_have_no_use_for_kms(folder: Path, driver: str) -> None:
    kms = kms_config(folder, key=ARN, credentials=folder / "c")
    assert kms is not None
    assert kms.line.address == "vsock:3:8000"
    with pytest.raises(ConfigurationError, match="Nitro"):
        make_driver(EnclaveConfig(state_dir=folder, driver=driver, kms=kms), ())
