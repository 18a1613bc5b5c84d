"""The hand-over of a store: to an attested key of an approved measurement, and to nobody else."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from tests.enclave.handover_support import (
    ROOT,
    Platform,
    approve,
    collateral,
    predecessor,
    receive,
)
from tests.enclave.loopback import ADMINISTRATIVE, allow_backups
from tests.enclave.support import NOW, OWNER, EnclaveProcess
from xmtp_tee import hpke
from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.drivers.emulated import emulated_tdx
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.quote import parse_quote
from xmtp_tee.attestation.simulator import CollateralRecipe
from xmtp_tee.attestation.workload import workload_id
from xmtp_tee.audit import BEGUN, OK, decode_entry
from xmtp_tee.client.key_manager import KeyManager
from xmtp_tee.enclave.errors import PredecessorRefusedError
from xmtp_tee.enclave.handover import (
    LIFETIME,
    handed,
    handed_data,
    report_data,
    require_predecessor,
)
from xmtp_tee.enclave.handover_ground import Ground
from xmtp_tee.enclave.service import Enclave
from xmtp_tee.enclave.storage.sqlite import SqliteRows
from xmtp_tee.enclave.store import SealedStore
from xmtp_tee.errors import XmtpTeeError
from xmtp_tee.policy import decode_policy, encode_policy
from xmtp_tee.policy.document import Caller, Grant, StoreRules
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.store_faults import HandOverNonceError, SuccessorRefusedError


@pytest.fixture
def old(folder: Path) -> Platform:
    return Platform(folder, "old")


@pytest.fixture
def new(folder: Path) -> Platform:
    return Platform(folder, "new", salt=b"new code")


SUITE = hpke.X25519_CHACHA20_POLY1305


def asked(enclave: Enclave, successor: Platform, **changes: object) -> wire.HandOver:
    """What a genuine successor sends, with one thing changed."""
    issued = enclave.handle(wire.HandOverChallenge(), NOW)
    assert isinstance(issued, wire.HandOverNonce)
    _, public = hpke.derive_key_pair(SUITE, bytes(32))
    quote = successor.driver.quote(report_data(public, issued.nonce, issued.store_id))
    genuine = wire.HandOver(issued.nonce, public, "tdx", quote, collateral(), ROOT)
    return msgspec.structs.replace(genuine, **changes)


@pytest.fixture
def enclave(old: Platform, new: Platform) -> Enclave:
    opened = old.open()
    allow_backups(opened)
    approve(opened, new.workload)
    return opened


def test_approved_successor_gets_the_store_key_sealed_to_its_attested_key(
    enclave: Enclave, new: Platform
) -> None:
    operation, epoch = asked(enclave, new), enclave._parts.store.epoch
    handed = enclave.handle(operation, NOW)
    assert enclave._parts.store.epoch == epoch + 1
    entries = enclave._parts.audit._pending[-2:]
    assert [decode_entry(each).outcome for each in entries] == [BEGUN, OK]
    assert isinstance(handed, wire.HandedOver)
    private, public = hpke.derive_key_pair(SUITE, bytes(32))
    aad = report_data(public, operation.nonce, handed.store_id)
    key = hpke.open_(SUITE, handed.enc, private, b"xmtp-tee/hand-over/v1", aad, handed.ciphertext)
    assert len(key) == 32
    other, _ = hpke.derive_key_pair(SUITE, b"\x01" * 32)
    with pytest.raises(hpke.HpkeOpenError):
        hpke.open_(SUITE, handed.enc, other, b"xmtp-tee/hand-over/v1", aad, handed.ciphertext)
    enclave.close()


def refused(enclave: Enclave, operation: wire.HandOver, now: int = NOW) -> str:
    with pytest.raises(SuccessorRefusedError) as caught:
        enclave.handle(operation, now)
    enclave.close()
    return str(caught.value)


def test_without_an_approved_measurement_nothing_is_handed_over(
    old: Platform, new: Platform
) -> None:
    enclave = old.open()
    allow_backups(enclave)
    assert "approves no successor" in refused(enclave, asked(enclave, new))


def test_other_measurement_is_refused(enclave: Enclave, folder: Path) -> None:
    stranger = Platform(folder, "stranger", salt=b"other code")
    assert "workload" in refused(enclave, asked(enclave, stranger))


def test_root_that_the_policy_does_not_pin_is_refused(enclave: Enclave, new: Platform) -> None:
    """Attack: evidence under a root of the attacker's own, sent along."""
    other = ROOT[:-1] + bytes([ROOT[-1] ^ 1])
    assert "pin" in refused(enclave, asked(enclave, new, root=other))


def test_key_that_was_not_attested_is_refused(enclave: Enclave, new: Platform) -> None:
    """Attack: attested on one connection, the key fetched on another (dstack, issues 1237, 1306)."""
    _, attackers = hpke.derive_key_pair(SUITE, b"\x0a" * 32)
    assert "report data" in refused(enclave, asked(enclave, new, successor_key=attackers)).lower()


def test_evidence_of_an_earlier_hand_over_is_refused(enclave: Enclave, new: Platform) -> None:
    """Attack: a recorded quote with a fresh nonce, and with its own, used one."""
    first = asked(enclave, new)
    enclave.handle(first, NOW)
    with pytest.raises(HandOverNonceError):
        enclave.handle(first, NOW)
    second = asked(enclave, new)
    refused(enclave, msgspec.structs.replace(second, quote=first.quote))


def test_nonce_is_good_for_a_minute_and_for_one_attempt(enclave: Enclave, new: Platform) -> None:
    late = asked(enclave, new)
    with pytest.raises(HandOverNonceError):
        enclave.handle(late, NOW + LIFETIME + 1)
    wrong = asked(enclave, new, tee="nonsense")
    with pytest.raises(SuccessorRefusedError):
        enclave.handle(wrong, NOW + LIFETIME + 1)
    with pytest.raises(HandOverNonceError):
        enclave.handle(msgspec.structs.replace(wrong, tee="tdx"), NOW + LIFETIME + 1)
    with pytest.raises(HandOverNonceError):
        enclave.handle(asked(enclave, new, nonce=bytes(32)), NOW + LIFETIME + 1)
    enclave.close()


@pytest.mark.parametrize(
    "change",
    [{"collateral": b""}, {"collateral": b"{}"}, {"collateral": b"\xff"}, {"quote": b""},
     {"quote": bytes(1000)}, {"tee": "sgx"}, {"tee": "nitro"}],
    ids=str,
)  # fmt: skip
def test_evidence_that_proves_nothing_is_refused(
    enclave: Enclave, new: Platform, change: dict[str, object]
) -> None:
    with pytest.raises(XmtpTeeError) as caught:
        enclave.handle(asked(enclave, new, **change), NOW)
    assert int(caught.value.exit_code) in (2, 3, 4)
    enclave.close()


def test_attestation_for_a_registry_does_not_serve_a_hand_over(
    enclave: Enclave, new: Platform
) -> None:
    """Attack: the successor's public attestation is taken for its consent."""
    operation = asked(enclave, new)
    other = Platform(new.state, "x", salt=b"new code").open()
    quote = other.handle(
        wire.GetAttestation(chain_id=1, enclave_registry=b"\x01" * 20, block_number=1,
                            block_hash=operation.nonce), NOW,
    )  # fmt: skip
    assert isinstance(quote, wire.Quote)
    other.close()
    refused(enclave, msgspec.structs.replace(operation, quote=quote.quote))


# --- what the successor takes ---------------------------------------------------------------------


def test_successor_takes_a_store_from_an_enclave_of_its_own_code(folder: Path) -> None:
    old, new = Platform(folder, "old"), Platform(folder, "new")
    with predecessor(folder, old, new) as path:
        store_id = receive(path, new)
    store = SealedStore.open(SqliteRows.open(old.path), new.driver)
    assert store.store_id.hex() == store_id
    store.close()


def test_successor_takes_no_store_from_other_code(folder: Path) -> None:
    """Attack: the host makes a store outside of any TEE, hands it to a genuine enclave, and knows
    every key that this one vouches for."""
    old, new = Platform(folder, "old", salt=b"the host's own"), Platform(folder, "new")
    with (
        predecessor(folder, old, new) as path,
        pytest.raises(PredecessorRefusedError, match="workload"),
    ):
        receive(path, new)
    assert old.ways_in == 1


def test_successor_takes_a_store_from_older_code_that_its_release_lists(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = Platform(folder, "old", salt=b"older release"), Platform(folder, "new")
    known = frozenset({bytes.fromhex(old.workload)})
    monkeypatch.setattr("xmtp_tee.enclave.handover.WORKLOADS", known)
    with predecessor(folder, old, new) as path:
        receive(path, new)
    assert old.ways_in == 2


def test_successor_takes_no_store_key_that_the_old_enclave_did_not_seal(folder: Path) -> None:
    """Attack: a store key of the host's own, under evidence that a genuine enclave made for another
    hand-over."""
    old, new = Platform(folder, "old"), Platform(folder, "new")
    genuine = old.driver.quote
    recorded = genuine(handed_data(bytes(32), bytes(16), bytes(32), bytes(48)))
    old.driver.quote = lambda _: recorded  # type: ignore[method-assign]
    with (
        predecessor(folder, old, new) as path,
        pytest.raises(PredecessorRefusedError, match=r"(?i)report data"),
    ):
        receive(path, new)
    old.driver.quote = genuine  # type: ignore[method-assign]
    assert old.ways_in == 1


def test_evidence_of_a_hand_over_binds_each_of_its_parts() -> None:
    parts = (bytes(32), bytes(16), bytes(32), bytes(48))
    made = {handed_data(*parts)}
    for place in range(len(parts)):
        changed = list(parts)
        changed[place] = b"\x01" + parts[place][1:]
        made.add(handed_data(*changed))
    assert len(made) == 5
    assert report_data(bytes(32), bytes(32), bytes(16)) not in made


def test_genuine_successor_takes_no_store_from_a_simulated_enclave(folder: Path) -> None:
    old, new = Platform(folder, "old"), Platform(folder, "new")
    sealed = (bytes(32), bytes(16), bytes(32), bytes(48))
    evidence = handed(TeeKind.TDX, old.driver.quote(handed_data(*sealed)), *sealed)
    own = bytes.fromhex(new.workload)
    simulated = Ground(ROOT, collateral(), AssuranceLevel.SIMULATED, NOW)
    require_predecessor(evidence, own, simulated)
    genuine = replace(simulated, own_level=AssuranceLevel.MEMBER)
    with pytest.raises(PredecessorRefusedError, match="simulated"):
        require_predecessor(evidence, own, genuine)


def test_store_opens_on_the_new_platform_after_a_hand_over_between_processes(folder: Path) -> None:
    """The whole way: two processes, two platforms, one store."""
    shared = folder / "store.sqlite"
    (folder / "b").mkdir(mode=0o700)
    (folder / "root.der").write_bytes(ROOT)
    made = CollateralRecipe().build(int(time.time()) - 60)
    (folder / "collateral.json").write_text(made.to_json())
    command = [
        *(sys.executable, "-m", "xmtp_tee.enclave", "--driver", "simulator"),
        "--unsafe-simulate-on-hardware",
        *("--state-dir", str(folder / "b"), "--root", str(folder / "root.der")),
        *("--collateral", str(folder / "collateral.json"), "--receive-store-from"),
    ]
    new = emulated_tdx(folder / "b")
    workload = workload_id(parse_quote(new.quote(bytes(64)))).hex()
    with EnclaveProcess(folder, "--store", str(shared)) as process:
        with KeyManager(process.socket) as keys:
            key = keys.generate_identity_key(OWNER)
            before = keys.sign(key.id, b"message")
            refused = subprocess.run(
                [*command, str(process.socket)],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert refused.returncode == 4
            with_policy(keys, workload)
        done = subprocess.run(
            [*command, str(process.socket)], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        assert '"received"' in done.stdout
        process.end(signal.SIGTERM)
        assert "handed over" in process.log
    second = folder / "second"
    second.mkdir()
    (folder / "b").rename(second / "state")
    options = ("--store", str(shared), "--unsafe-accept-lost-audit")
    with EnclaveProcess(second, *options) as process, KeyManager(process.socket) as keys:
        assert keys.sign(key.id, b"message") == before


def with_policy(keys: KeyManager, workload: str) -> None:
    present = decode_policy(keys._call(wire.GetPolicy(), wire.PolicyInForce).document)
    operations = ("*", "get-policy", "apply-policy", "read-audit", *ADMINISTRATIVE)
    policy = msgspec.structs.replace(
        present,
        version=present.version + 1,
        callers=tuple(
            Caller(name=c.name, uid=c.uid, grants=(Grant(operations=operations, owners=("*",)),))
            for c in present.callers
        ),
        store=StoreRules(successors=(workload,), roots=(hashlib.sha256(ROOT).hexdigest(),)),
    )
    keys._call(wire.ApplyPolicy(document=encode_policy(policy)), wire.PolicyInForce)
