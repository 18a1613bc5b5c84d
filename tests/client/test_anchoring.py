"""The keeper of anchors: one call for changes that come together, bounded, patient, and loud where it must be."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.enclave.loopback import LoopbackKeys
from tests.enclave.support import NOW, open_enclave
from tests.support.world import STRANGER, World
from xmtp_tee.client.anchor_schedule import Pace
from xmtp_tee.client.anchoring import AnchorKeeper, Look
from xmtp_tee.client.anchors import GAS_LIMIT, FreshnessAnchors, calldata
from xmtp_tee.client.chain_errors import (
    CallRefused,
    ChainUnavailable,
    ContractRefused,
    DeploymentInvalid,
    FeeTooHigh,
    LogMalformed,
    TransactionNotMined,
)
from xmtp_tee.client.deployment import Deployment
from xmtp_tee.client.keys.state import SignedAnchor
from xmtp_tee.client.log_search import find_logs
from xmtp_tee.enclave.service import Enclave
from xmtp_tee.policy import encode_policy
from xmtp_tee.policy.document import Caller, Grant, Policy
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.store_faults import StoreForkedError, StoreRolledBackError

GWEI = 10**9


class Keys(LoopbackKeys):
    def close(self) -> None:
        """There is no connection."""


@dataclass
class Stage:
    """An enclave in this process, and a contract on a real chain."""

    world: World
    path: Path
    enclave: Enclave = field(init=False)
    number: int = 0

    def __post_init__(self) -> None:
        self.enclave = open_enclave(self.path)
        self.anchors = FreshnessAnchors(self.world.chain, self.world.deployment)

    def connect(self) -> Keys:
        return Keys(self.enclave)

    def keeper(self, pace: Pace | None = None, **more: Any) -> AnchorKeeper:
        return AnchorKeeper(
            self.connect,
            more.pop("anchors", self.anchors),
            self.world.chain,
            self.world.senders[STRANGER],
            pace or Pace(10.0, 100.0, 5),
            **more,
        )

    def mutate(self, times: int = 1) -> str:
        key_id = ""
        for _ in range(times):
            self.number += 1
            owner = self.number.to_bytes(20, "big")
            made = self.enclave.handle(wire.GenerateIdentityKey(owner=owner), NOW)
            assert isinstance(made, wire.Key)
            key_id = made.id
        return key_id

    def sent(self) -> int:
        """How many anchors there are."""
        known = self.anchors.all(self.enclave.describe().authority)
        return 0 if known is None else len(known.states)

    def put_back(self, copy: Path) -> None:
        self.enclave.close()
        shutil.copy(copy, self.path)
        self.enclave = open_enclave(self.path)


@pytest.fixture
def stage(world: World, tmp_path: Path) -> Iterator[Stage]:
    made = Stage(world, tmp_path / "keys.sqlite")
    yield made
    made.enclave.close()


def test_first_look_anchors_what_is_there_once_it_has_waited(stage: Stage) -> None:
    keeper = stage.keeper()
    look = keeper.look(0.0)
    assert (look.anchored, look.settled, look.sent) == (0, False, None)
    done = keeper.look(10.0)
    assert done.sent is not None
    assert done.sent.gas_used < GAS_LIMIT
    assert (done.anchored, stage.sent()) == (look.epoch, 1)
    assert keeper.look(1000.0) == Look(done.authority, done.epoch, done.epoch)
    assert stage.sent() == 1


def test_changes_that_come_together_cost_one_call(stage: Stage) -> None:
    keeper = stage.keeper()
    keeper.look(0.0)
    keeper.look(10.0)
    for second in range(20, 30):
        stage.mutate()
        assert keeper.look(float(second)).sent is None
    done = keeper.look(30.0)
    assert done.sent is not None
    assert (stage.sent(), done.anchored) == (2, stage.enclave._parts.store.epoch)


def test_traffic_waits_longer_and_what_matters_hurries_it(stage: Stage) -> None:
    keeper = stage.keeper()
    key = stage.connect().generate_key("mac", owner=b"\x01" * 20)
    stage.enclave.handle(wire.UpdateKey(key_id=key.id, limits=wire.Limits(max_uses=1_000_000)), NOW)
    keeper.look(0.0)
    keeper.look(10.0)
    # The first use reserves a block of uses on disk: a change, and no more than traffic.
    before = stage.enclave._parts.store.epoch
    stage.enclave.handle(wire.ComputeMac(key_id=key.id, message=b"m"), NOW)
    assert stage.enclave._parts.store.epoch == before + 1
    keeper.look(20.0)
    assert keeper.look(60.0).sent is None
    stage.enclave.handle(wire.DeleteKey(key_id=key.id), NOW)
    assert keeper.look(70.0).sent is None
    assert keeper.look(80.0).sent is not None


def test_without_read_audit_every_change_matters(stage: Stage) -> None:
    present = stage.enclave._parts.policy.policy
    grants = (Grant(operations=("*", "apply-policy"), owners=("*",)),)
    callers = tuple(Caller(name=c.name, uid=c.uid, grants=grants) for c in present.callers)
    policy = Policy(version=present.version + 1, callers=callers)
    stage.enclave.handle(wire.ApplyPolicy(document=encode_policy(policy)), NOW)
    keeper = stage.keeper()
    keeper.look(0.0)
    assert keeper.look(10.0).sent is not None
    stage.mutate()
    keeper.look(20.0)
    assert keeper.look(30.0).sent is not None


def test_calls_of_a_day_are_bounded(stage: Stage) -> None:
    keeper = stage.keeper(Pace(0.0, 0.0, per_day=2))
    for second in range(6):
        stage.mutate()
        keeper.look(float(second))
    assert stage.sent() == 2
    keeper.look(86_500.0)
    assert stage.sent() == 3


class Away(FreshnessAnchors):
    """A contract behind a node that fails when it is told to."""

    failing = ""

    def latest(self, authority: bytes, *, block: int | None = None) -> Any:
        if self.failing == "read":
            raise ChainUnavailable("the node cannot be reached")
        return super().latest(authority, block=block)

    def submit(self, anchor: SignedAnchor, *arguments: Any, **more: Any) -> Any:
        if self.failing == "send":
            raise ChainUnavailable("the node cannot be reached")
        if self.failing == "answer":
            super().submit(anchor, *arguments, **more)
            raise TransactionNotMined("the transaction was sent and is not mined yet")
        return super().submit(anchor, *arguments, **more)


@pytest.mark.parametrize("failing", ["read", "send", "answer"])
def test_node_that_fails_is_asked_again_and_loses_no_anchor(stage: Stage, failing: str) -> None:
    anchors = Away(stage.world.chain, stage.world.deployment)
    keeper = stage.keeper(Pace(0.0, 0.0, 50), anchors=anchors)
    keeper.look(0.0)
    stage.mutate(2)
    anchors.failing = failing
    now = 1.0
    for _ in range(2):
        with pytest.raises((ChainUnavailable, TransactionNotMined)):
            keeper.look(now)
        now += keeper.schedule.failed(now, 0.0) + 1
        if failing == "answer":
            # It was mined after all: nothing is sent twice.
            break
        # Meanwhile the enclave serves on.
        stage.mutate()
    anchors.failing = ""
    keeper.look(now)
    keeper.schedule.succeeded()
    assert stage.sent() == 2
    newest = anchors.latest(stage.enclave.describe().authority)
    assert newest.epoch == stage.enclave._parts.store.epoch


def test_pause_after_a_failure_is_kept(stage: Stage) -> None:
    keeper = stage.keeper(Pace(0.0, 0.0, 50))
    pause = keeper.schedule.failed(0.0, 0.0)
    assert keeper.look(pause / 2).sent is None
    assert keeper.look(pause).sent is not None


def test_nothing_is_sent_while_a_transaction_waits(stage: Stage) -> None:
    chain, sender = stage.world.chain, stage.world.senders[STRANGER]
    chain.request("evm_setAutomine", False)
    try:
        chain.request(
            "eth_sendTransaction", {"from": sender.address, "to": sender.address, "value": "0x0"}
        )
        with pytest.raises(TransactionNotMined):
            stage.keeper(Pace(0.0, 0.0, 5)).look(0.0)
        assert chain.unmined(sender.address) == 1
    finally:
        chain.request("evm_setAutomine", True)
        stage.world.mine(1)
    assert chain.unmined(sender.address) == 0
    assert stage.sent() == 0


def test_nothing_is_sent_while_gas_is_too_dear(stage: Stage) -> None:
    keeper = stage.keeper(Pace(0.0, 0.0, 5), max_fee=1)
    with pytest.raises(FeeTooHigh):
        keeper.look(0.0)
    assert stage.sent() == 0


def test_fee_is_never_above_what_may_be_paid(stage: Stage) -> None:
    done = stage.keeper(Pace(0.0, 0.0, 5), max_fee=50 * GWEI).look(0.0)
    assert done.sent is not None
    sent = stage.world.chain.request("eth_getTransactionByHash", done.sent.transaction)
    assert int(sent["maxFeePerGas"], 16) == 50 * GWEI
    assert int(sent["gas"], 16) == GAS_LIMIT


def test_anchor_that_somebody_else_brought_is_no_failure(stage: Stage) -> None:
    class Race(FreshnessAnchors):
        def submit(self, anchor: SignedAnchor, *arguments: Any, **more: Any) -> Any:
            super().submit(anchor, stage.world.senders[4])
            return super().submit(anchor, *arguments, **more)

    anchors = Race(stage.world.chain, stage.world.deployment)
    done = stage.keeper(Pace(0.0, 0.0, 5), anchors=anchors).look(0.0)
    assert (done.sent, done.settled, stage.sent()) == (None, True, 1)


def test_other_refusals_of_the_contract_are_raised(stage: Stage) -> None:
    signed = stage.connect().sign_anchor(chain_id=1, contract=stage.anchors.address)
    with pytest.raises(ContractRefused) as caught:
        stage.anchors.submit(signed, stage.world.senders[STRANGER])
    assert caught.value.error_name == "AnchorSignatureInvalid"


def test_anchor_of_an_earlier_state_is_refused_without_gas(stage: Stage) -> None:
    sender = stage.world.senders[STRANGER]
    signed = stage.connect().sign_anchor(
        chain_id=stage.world.deployment.chain_id, contract=stage.anchors.address
    )
    stage.anchors.submit(signed, sender)
    before = stage.world.chain.block().number
    with pytest.raises(CallRefused) as caught:
        stage.anchors.submit(signed, sender)
    assert caught.value.error_name == "AnchorNotNewer"
    assert stage.world.chain.block().number == before


def test_calldata_is_what_the_contract_takes(stage: Stage) -> None:
    signed = stage.connect().sign_anchor(
        chain_id=stage.world.deployment.chain_id, contract=stage.anchors.address
    )
    stage.world.chain.request(
        "eth_sendTransaction",
        {
            "from": stage.world.senders[4].address,
            "to": stage.anchors.address,
            "data": "0x" + calldata(signed).hex(),
            "gas": hex(GAS_LIMIT),
        },
    )
    newest = stage.anchors.latest(signed.authority)
    assert newest is not None
    assert (newest.epoch, newest.chain) == (signed.epoch, signed.chain)


@pytest.mark.parametrize("anchored", [True, False])
@pytest.mark.parametrize("fork", [True, False])
def test_store_put_back_between_two_looks_ends_the_keeper(
    stage: Stage, anchored: bool, fork: bool
) -> None:
    """Anchored or not: the keeper remembers what it has seen."""
    keeper = stage.keeper(Pace(0.0, 0.0, 50) if anchored else Pace(1e6, 1e6, 50))
    copy = Path(shutil.copy(stage.path, stage.path.with_suffix(".copy")))
    stage.mutate(2)
    keeper.look(0.0)
    stage.put_back(copy)
    if fork:
        stage.mutate(5)
    with pytest.raises(StoreForkedError if fork else StoreRolledBackError):
        keeper.look(1.0)
    assert stage.sent() == int(anchored)


def test_other_enclave_on_the_socket_ends_the_keeper(stage: Stage, tmp_path: Path) -> None:
    keeper = stage.keeper()
    keeper.look(0.0)
    stage.enclave.close()
    stage.enclave = open_enclave(tmp_path / "other.sqlite")
    with pytest.raises(StoreForkedError):
        keeper.look(1.0)


def test_node_that_leaves_an_anchor_out_is_noticed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.keeper(Pace(0.0, 0.0, 50)).look(0.0)
    stage.mutate()
    stage.keeper(Pace(0.0, 0.0, 50)).look(1.0)

    def shortened(*arguments: Any) -> Any:
        return list(find_logs(*arguments))[:-1]

    monkeypatch.setattr("xmtp_tee.client.anchors.find_logs", shortened)
    with pytest.raises(LogMalformed):
        stage.sent()


def test_deployment_without_the_contract_is_refused(stage: Stage) -> None:
    contracts = {
        name: address
        for name, address in stage.world.deployment.contracts.items()
        if name != "FreshnessAnchor"
    }
    without = Deployment("n", stage.world.deployment.chain_id, True, 0, contracts)
    with pytest.raises(DeploymentInvalid):
        FreshnessAnchors(stage.world.chain, without)
