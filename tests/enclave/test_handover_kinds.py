"""The hand-over of a store between platforms of every kind, and SEV-SNP's floors, of which AMD signs none."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.enclave.handover_support import ROOT, Platform, predecessor, receive
from tests.enclave.support import NOW, OWNER
from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.drivers.base import Driver
from xmtp_tee.attestation.drivers.measurement import measure_code
from xmtp_tee.attestation.drivers.nitro import NitroDriver
from xmtp_tee.attestation.drivers.sealing import SimulatedFuses
from xmtp_tee.attestation.drivers.sevsnp import SevSnpDriver
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.attestation.offline import workload_of_attestation
from xmtp_tee.attestation.sevsnp.product import ProductLine, Tcb
from xmtp_tee.attestation.simulator.nitro import EmulatedNsm
from xmtp_tee.attestation.simulator.nitro.pki import development_nitro_root
from xmtp_tee.attestation.simulator.sevsnp import (
    EmulatedSevGuest,
    EmulatedTsm,
    EndorsementRecipe,
    SnpReportRecipe,
    development_snp_pki,
)
from xmtp_tee.attestation.simulator.sevsnp.pki import DEVELOPMENT_TCB
from xmtp_tee.enclave.errors import ConfigurationError, PredecessorRefusedError
from xmtp_tee.enclave.handover import handed, handed_data, require_predecessor
from xmtp_tee.enclave.handover_ground import Ground, own_floors
from xmtp_tee.enclave.service import Enclave
from xmtp_tee.enclave.storage.sqlite import SqliteRows
from xmtp_tee.enclave.store import SealedStore
from xmtp_tee.policy.document import TcbFloor
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.store_faults import SuccessorRefusedError

Maker = Callable[[Path, bytes], Driver]
LOWER = replace(DEVELOPMENT_TCB, snp=DEVELOPMENT_TCB.snp - 1)
HIGHER = replace(DEVELOPMENT_TCB, snp=DEVELOPMENT_TCB.snp + 1)


def snp_guest(tcb: Tcb = DEVELOPMENT_TCB, line: ProductLine = ProductLine.MILAN) -> Maker:
    """A SEV-SNP guest on a chip of this product line and TCB."""

    def make(state: Path, salt: bytes) -> Driver:
        measurement = measure_code(salt=salt)
        recipe = SnpReportRecipe(endorsed=EndorsementRecipe(tcb=tcb))
        secret = state.name.encode().ljust(32, b"\0")
        return SevSnpDriver(
            EmulatedTsm(measurement, recipe=recipe, pki=development_snp_pki(line)),
            EmulatedSevGuest(lambda: secret, measurement),
        )

    return make


def nitro(state: Path, salt: bytes) -> Driver:
    device = EmulatedNsm(measure_code(salt=salt), lambda: NOW, os.urandom)
    return NitroDriver(device, SimulatedFuses(state, b"test"))


def ark(line: ProductLine = ProductLine.MILAN) -> bytes:
    return development_snp_pki(line).ark().der


def floor(tcb: Tcb, product: ProductLine = ProductLine.MILAN) -> TcbFloor:
    return TcbFloor(
        product=product.label,  # type: ignore[arg-type]
        boot_loader=tcb.boot_loader,
        tee=tcb.tee,
        snp=tcb.snp,
        microcode=tcb.microcode,
        fmc=tcb.fmc,
    )


def move(
    folder: Path, old: Maker | None, new: Maker | None, root: bytes, *floors: TcbFloor
) -> None:
    """Hand a store over; the old enclave's policy approves the successor's workload and ``root``."""
    before, after = Platform(folder, "old", make=old), Platform(folder, "new", make=new)
    with predecessor(folder, before, after, roots=(root or ark(),), floors=floors) as path:
        receive(path, after, root)
    assert before.ways_in == 2
    store = SealedStore.open(SqliteRows.open(before.path), after.driver)
    enclave = Enclave(store, after.driver)
    made = enclave.handle(wire.GenerateIdentityKey(owner=OWNER), NOW)
    enclave.close()
    assert isinstance(made, wire.Key)


@pytest.mark.parametrize(
    ("make", "root"),
    [(nitro, development_nitro_root()), (snp_guest(), ark()), (snp_guest(), b"")],
    ids=["nitro", "sevsnp", "sevsnp, the root from its own evidence"],
)
def test_store_moves_between_platforms_of_one_kind(folder: Path, make: Maker, root: bytes) -> None:
    move(folder, make, make, root)


def test_root_has_no_default_but_sevsnps(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="--root"):
        move(folder, nitro, nitro, b"")


# --- the successor's TCB --------------------------------------------------------------------------


def test_sevsnp_successor_reaches_its_predecessors_tcb(folder: Path) -> None:
    with pytest.raises(SuccessorRefusedError, match="TCB"):
        move(folder, snp_guest(), snp_guest(LOWER), ark())


def test_policys_floor_comes_before_the_platforms_own(folder: Path) -> None:
    with pytest.raises(SuccessorRefusedError, match="TCB"):
        move(folder, snp_guest(), snp_guest(), ark(), floor(HIGHER))


def test_successor_below_what_the_policy_asks_of_its_own_line_alone_is_refused(
    folder: Path,
) -> None:
    genoa = ProductLine.GENOA
    with pytest.raises(SuccessorRefusedError, match="TCB"):
        move(
            folder,
            snp_guest(),
            snp_guest(LOWER, genoa),
            ark(genoa),
            floor(LOWER),
            floor(DEVELOPMENT_TCB, genoa),
        )


def test_successor_of_another_product_line_needs_a_floor_of_the_policy(folder: Path) -> None:
    genoa = ProductLine.GENOA
    with pytest.raises(SuccessorRefusedError, match="floor"):
        move(folder, snp_guest(), snp_guest(line=genoa), ark(genoa))


def test_successor_of_another_kind_needs_a_floor_of_the_policy(folder: Path) -> None:
    with pytest.raises(SuccessorRefusedError, match="floor"):
        move(folder, None, snp_guest(), ark())


# --- the predecessor's ----------------------------------------------------------------------------


def judged(evidence_of: Driver, ground: Ground) -> None:
    """Judge a predecessor's evidence, whose workload is trusted."""
    sealed = (bytes(32), bytes(16), bytes(32), bytes(48))
    evidence = handed(TeeKind.SEV_SNP, evidence_of.quote(handed_data(*sealed)), *sealed)
    require_predecessor(evidence, workload_of_attestation(evidence), ground)


def test_sevsnp_predecessor_reaches_its_successors_tcb(folder: Path) -> None:
    """Attack: a chip of old firmware, whose evidence can be forged, hands over a store whose keys are known."""
    own = Platform(folder, "own", make=snp_guest()).driver
    ground = Ground(ark(), b"", AssuranceLevel.SIMULATED, NOW, own_floors(own, NOW))
    judged(Platform(folder, "same", make=snp_guest()).driver, ground)
    judged(Platform(folder, "higher", make=snp_guest(HIGHER)).driver, ground)
    lower = Platform(folder, "lower", make=snp_guest(LOWER)).driver
    with pytest.raises(PredecessorRefusedError, match="TCB"):
        judged(lower, ground)


def test_sevsnp_predecessor_of_another_product_line_is_refused(folder: Path) -> None:
    own = Platform(folder, "own", make=snp_guest()).driver
    genoa = Platform(folder, "genoa", make=snp_guest(line=ProductLine.GENOA)).driver
    floors = own_floors(own, NOW)
    assert floors == {ProductLine.MILAN: DEVELOPMENT_TCB}
    ground = Ground(ark(ProductLine.GENOA), b"", AssuranceLevel.SIMULATED, NOW, floors)
    with pytest.raises(PredecessorRefusedError, match="floor"):
        judged(genoa, ground)


def test_platforms_other_than_sevsnp_have_no_floor(folder: Path) -> None:
    assert own_floors(Platform(folder, "tdx").driver, NOW) == {}


# --- the root -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "root", [ROOT, ark(ProductLine.TURIN), b"", b"no certificate"], ids=["Intel's", "Turin's", "", "no certificate"]
)  # fmt: skip
def test_sevsnp_evidence_under_another_root_is_refused(folder: Path, root: bytes) -> None:
    guest = Platform(folder, "guest", make=snp_guest()).driver
    ground = Ground(root, b"", AssuranceLevel.SIMULATED, NOW, own_floors(guest, NOW))
    with pytest.raises(PredecessorRefusedError):
        judged(guest, ground)


def test_genuine_enclave_knows_amds_keys_alone(folder: Path) -> None:
    """Attack: simulated evidence under the development keys, whose seed is public."""
    guest = Platform(folder, "guest", make=snp_guest()).driver
    floors = own_floors(guest, NOW)
    judged(guest, Ground(ark(), b"", AssuranceLevel.SIMULATED, NOW, floors))
    with pytest.raises(PredecessorRefusedError):
        judged(guest, Ground(ark(), b"", AssuranceLevel.MEMBER, NOW, floors))


# --- between kinds --------------------------------------------------------------------------------


@pytest.fixture
def pair(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Platform, Platform]:
    """A SEV-SNP guest with a store, and a TDX guest whose release lists the other's workload."""
    old, new = Platform(folder, "old", make=snp_guest()), Platform(folder, "new")
    listed = frozenset({bytes.fromhex(old.workload)})
    monkeypatch.setattr("xmtp_tee.enclave.handover.WORKLOADS", listed)
    return old, new


def test_store_moves_to_another_kind_whose_release_lists_workload_and_floor(
    folder: Path, pair: tuple[Platform, Platform], monkeypatch: pytest.MonkeyPatch
) -> None:
    floors = {ProductLine.MILAN: DEVELOPMENT_TCB}
    monkeypatch.setattr("xmtp_tee.enclave.successor.TCB_FLOORS", floors)
    with predecessor(folder, *pair) as path:
        receive(path, pair[1], predecessor_root=ark())
    assert pair[0].ways_in == 2


def test_predecessor_of_a_line_without_a_listed_floor_is_refused(
    folder: Path, pair: tuple[Platform, Platform]
) -> None:
    with (
        predecessor(folder, *pair) as path,
        pytest.raises(PredecessorRefusedError, match="floor"),
    ):
        receive(path, pair[1], predecessor_root=ark())
    assert pair[0].ways_in == 1


def test_predecessor_under_another_root_than_the_one_named_is_refused(
    folder: Path, pair: tuple[Platform, Platform]
) -> None:
    with predecessor(folder, *pair) as path, pytest.raises(PredecessorRefusedError):
        receive(path, pair[1])
    assert pair[0].ways_in == 1
