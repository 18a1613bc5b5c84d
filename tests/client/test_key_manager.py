"""KeyManager against an honest enclave in a process of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.enclave import reference
from tests.enclave.support import CHAIN_ID, REGISTRY, EnclaveProcess
from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.address import checksum_address
from xmtp_tee.attestation.errors import FieldError, WorkloadNotTrustedError
from xmtp_tee.attestation.quote import parse_quote
from xmtp_tee.attestation.simulator import CollateralRecipe, development_root_certificate
from xmtp_tee.attestation.workload import workload_id
from xmtp_tee.client.errors import EnclaveMismatchError, EnclaveUnavailableError
from xmtp_tee.client.key_manager import KeyManager
from xmtp_tee.verdict import CheckResult
from xmtp_tee.wire.errors import MessageFieldInvalidError
from xmtp_tee.wire.faults import (
    ExpiryInvalidError,
    IdentityKeyExistsError,
    IdentityKeyNotFoundError,
    KeyNotFoundError,
    OperationNotAllowedError,
    OwnerInvalidError,
    PreKeyMismatchError,
    SignedMessageTooLargeError,
)
from xmtp_tee.wire.limits import MAX_SIGNED_MESSAGE

HASH = b"\xab" * 32


@pytest.fixture(scope="module")
def process() -> Iterator[EnclaveProcess]:
    folder = Path(tempfile.mkdtemp(prefix="xt-"))
    with EnclaveProcess(folder) as running:
        yield running
    shutil.rmtree(folder)


@pytest.fixture
def keys(process: EnclaveProcess) -> Iterator[KeyManager]:
    with KeyManager(process.socket) as manager:
        yield manager


_owners = iter(range(1, 10_000))


@pytest.fixture
def owner() -> bytes:
    """An owner whom no other test has used."""
    return b"\x99" * 16 + next(_owners).to_bytes(4, "big")


def test_identity_key_belongs_to_its_owner(keys: KeyManager, owner: bytes) -> None:
    key = keys.generate_identity_key(checksum_address(owner))
    assert key.owner == checksum_address(owner)
    assert (key.type, key.purpose, key.provenance) == ("ed25519", "xmtp-identity", "generated")
    assert keys.get_identity_key(owner) == keys.get_key(key.id) == key
    assert abs(key.created_at - time.time()) < 60
    assert keys.list_keys(owner) == [key]
    assert key in keys.list_keys()
    with pytest.raises(IdentityKeyExistsError) as caught:
        keys.generate_identity_key(owner)
    assert caught.value.code == "enclave.identity-key-exists"
    assert caught.value.exit_code == 1


def test_pre_keys_come_signed_and_in_order(keys: KeyManager, owner: bytes) -> None:
    identity = keys.generate_identity_key(owner)
    expiry = int(time.time()) + 1000
    made = [keys.generate_pre_key(identity.id, expires_at=expiry) for _ in range(2)]
    made.append(keys.generate_pre_key(identity.id))
    assert [each.epoch for each in made] == [1, 2, 3]
    assert made[0].expires_at == expiry
    assert abs(made[2].expires_at - time.time() - 90 * 86400) < 60
    assert keys.get_pre_keys(identity.id) == made
    assert keys.get_key(made[0].id).purpose == "pre-key"
    for each in made:
        message = (
            owner
            + identity.public_key
            + each.public_key
            + each.epoch.to_bytes(8, "big")
            + each.expires_at.to_bytes(8, "big")
        )
        context = b"xmtp-tee/pre-key/v1"
        assert reference.verifies(identity.public_key, message, each.signature, context)


def test_signature_verifies_independently(keys: KeyManager, owner: bytes) -> None:
    identity = keys.generate_identity_key(owner)
    for message in (b"", b"message", bytes(MAX_SIGNED_MESSAGE)):
        signature = keys.sign(identity.id, message)
        context = b"PUBLIC SIGNATURE CONTEXT"
        assert reference.verifies(identity.public_key, message, signature, context)
    with pytest.raises(SignedMessageTooLargeError):
        keys.sign(identity.id, bytes(MAX_SIGNED_MESSAGE + 1))


def test_enclaves_errors_arrive_as_their_own_classes(keys: KeyManager, owner: bytes) -> None:
    with pytest.raises(IdentityKeyNotFoundError):
        keys.get_identity_key(owner)
    identity = keys.generate_identity_key(owner)
    pre_key = keys.generate_pre_key(identity.id)
    with pytest.raises(KeyNotFoundError):
        keys.get_key("none")
    with pytest.raises(OperationNotAllowedError):
        keys.sign(pre_key.id, b"")
    with pytest.raises(OperationNotAllowedError):
        keys.get_pre_keys(keys.info().authority_key_id)
    with pytest.raises(ExpiryInvalidError):
        keys.generate_pre_key(identity.id, expires_at=1)
    with pytest.raises(MessageFieldInvalidError):
        keys.get_key("")
    keys.ping()


@pytest.mark.parametrize(
    "text",
    ["", "0x", "f39fd6e51aad88f6f4ce6ab8827279cfffb92266", "0x" + "1" * 39, "0x" + "1" * 41,
     "0x" + "g" * 40, "0xF39fd6e51aad88F6F4ce6aB8827279cffFb92266", "alice.eth", b"", bytes(19),
     bytes(21), None, 5],
)  # fmt: skip
def test_bad_owner_is_refused(keys: KeyManager, text: str) -> None:
    for call in (keys.generate_identity_key, keys.get_identity_key):
        with pytest.raises(OwnerInvalidError):
            call(text)
    if text is not None:
        with pytest.raises(OwnerInvalidError):
            keys.list_keys(text)


def test_zero_owner_is_refused_by_the_enclave(keys: KeyManager) -> None:
    with pytest.raises(OwnerInvalidError):
        keys.generate_identity_key(bytes(20))


def test_certificate_is_the_authoritys(keys: KeyManager, owner: bytes) -> None:
    identity = keys.generate_identity_key(owner)
    pre_key = keys.generate_pre_key(identity.id)
    certificate = keys.certify_key_bundle(
        identity.id, pre_key.id, chain_id=CHAIN_ID, key_registry=checksum_address(REGISTRY)
    )
    assert checksum_address(certificate.recover_authority()) == keys.info().authority
    assert (certificate.owner, certificate.pre_key) == (owner, pre_key.public_key)
    assert (certificate.chain_id, certificate.key_registry) == (CHAIN_ID, REGISTRY)


def test_certificate_of_mixed_keys_is_refused(keys: KeyManager, owner: bytes) -> None:
    one = keys.generate_identity_key(owner)
    two = keys.generate_identity_key(owner[::-1])
    pre_key = keys.generate_pre_key(two.id)
    with pytest.raises(PreKeyMismatchError):
        keys.certify_key_bundle(one.id, pre_key.id, chain_id=1, key_registry=REGISTRY)


@pytest.mark.parametrize(
    "wrong",
    [
        {"chain_id": 0},
        {"chain_id": -1},
        {"chain_id": 2**63},
        {"chain_id": "1"},
        {"block_number": -1},
        {"block_hash": bytes(31)},
        {"block_hash": "0x" + "00" * 32},
        {"enclave_registry": "0x12"},
    ],
    ids=str,
)
def test_bad_argument_of_an_attestation_is_refused(
    keys: KeyManager, wrong: dict[str, object]
) -> None:
    arguments: dict[str, object] = {
        "chain_id": CHAIN_ID,
        "enclave_registry": REGISTRY,
        "block_number": 5,
        "block_hash": HASH,
    }
    with pytest.raises(FieldError):
        keys.get_attestation(**(arguments | wrong))  # type: ignore[arg-type]


def test_attestation_verifies_under_the_development_root_and_says_simulated(
    keys: KeyManager,
) -> None:
    attestation = keys.get_attestation(
        chain_id=CHAIN_ID, enclave_registry=REGISTRY, block_number=5, block_hash=HASH
    )
    assert attestation.binding.report_data() == parse_quote(attestation.quote).body.report_data
    now = int(time.time())
    collateral, root = CollateralRecipe().build(now - 3600), development_root_certificate()
    workload = workload_id(parse_quote(attestation.quote))
    verdict = keys.verify_attestation(attestation, collateral, root, now, [workload])
    assert verdict.level is AssuranceLevel.SIMULATED
    assert CheckResult.FAIL not in {check.result for check in verdict.checks}
    with pytest.raises(WorkloadNotTrustedError):
        keys.verify_attestation(attestation, collateral, root, now, [bytes(32)])


def test_attestation_of_another_enclave_is_refused(
    keys: KeyManager, process: EnclaveProcess
) -> None:
    """Attack: attested on one connection, keys fetched on another."""
    folder = Path(tempfile.mkdtemp(prefix="xt-"))
    with EnclaveProcess(folder) as other, KeyManager(other.socket) as others:
        foreign = others.get_attestation(
            chain_id=CHAIN_ID, enclave_registry=REGISTRY, block_number=5, block_hash=HASH
        )
    shutil.rmtree(folder)
    now = int(time.time())
    collateral, root = CollateralRecipe().build(now - 3600), development_root_certificate()
    with pytest.raises(EnclaveMismatchError):
        keys.verify_attestation(foreign, collateral, root, now)


def test_threads_share_one_connection(keys: KeyManager, owner: bytes) -> None:
    identity = keys.generate_identity_key(owner)
    expected = {bytes([n]): keys.sign(identity.id, bytes([n])) for n in range(4)}
    failed: list[bytes] = []

    def work(message: bytes) -> None:
        signatures = {keys.sign(identity.id, message) for _ in range(10)}
        if signatures != {expected[message]}:
            failed.append(message)

    threads = [threading.Thread(target=work, args=(message,)) for message in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


def test_closed_manager_is_unavailable(process: EnclaveProcess) -> None:
    manager = KeyManager(str(process.socket))
    manager.close()
    manager.close()
    with pytest.raises(EnclaveUnavailableError, match="closed"):
        manager.ping()


@pytest.mark.parametrize("name", ["absent.sock", "file", ".", "s" * 200])
def test_no_enclave_there_is_unavailable(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EnclaveUnavailableError) as caught:
        KeyManager(tmp_path / name)
    assert caught.value.exit_code == 3
    assert caught.value.next_command == "xmtp-tee enclave run"


def test_import_costs_neither_web3_nor_the_registry() -> None:
    code = (
        "import sys; from xmtp_tee.client import KeyManager, KeyInfo, EnclaveUnavailableError; "
        "heavy = {'web3', 'eth_account', 'ape', 'xmtp_tee.enclave', 'xmtp_tee.client.registry'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_package_offers_its_names_and_no_others() -> None:
    import xmtp_tee.client

    assert xmtp_tee.client.KeyManager is KeyManager
    assert "RegistrySync" in dir(xmtp_tee.client)
    with pytest.raises(AttributeError):
        xmtp_tee.client.nothing  # noqa: B018 -- the access itself is the test
