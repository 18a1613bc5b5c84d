"""Look-up, history and past states: what the client says is what the registry's views say."""

from __future__ import annotations

from typing import Any

import pytest

from tests.client.registry_support import LyingChain, RandomHistory, certificate_for
from tests.support.identities import give
from tests.support.maker import Maker
from tests.support.world import OWNER, SECOND_OWNER, STRANGER, World
from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.kinds import Provenance
from xmtp_tee.client.chain_errors import (
    AgentTransferred,
    CallRefused,
    KeyExpired,
    KeyRevoked,
    LogMalformed,
    RequestRefused,
    SenderError,
)
from xmtp_tee.client.history.errors import HistoryBroken
from xmtp_tee.client.history.events import Change
from xmtp_tee.client.history.replay import RegistryState
from xmtp_tee.client.proof import encode_proof
from xmtp_tee.client.published import KeyState, Standing
from xmtp_tee.client.registry_reader import RegistryReader


def registered(world: World, maker: Maker, account: int, *labels: str) -> str:
    """Register bundles of an account; return its address."""
    for label in labels:
        certificate = certificate_for(world, maker, world.address(account), label)
        world.register(certificate, maker.authority, account)
    return world.senders[account].address


# --- look-up --------------------------------------------------------------------------------------


def test_lookup_answers_for_many_owners_in_one_call(
    world: World, maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = registered(world, maker, OWNER, "a", "b")
    second = registered(world, maker, SECOND_OWNER, "a")
    stranger = world.senders[STRANGER].address
    reader, calls = world.reader, []
    read = world.chain.read
    monkeypatch.setattr(
        world.chain, "read", lambda *args, **more: calls.append(args) or read(*args, **more)
    )
    found = reader.lookup_keys([owner, second.lower(), stranger, owner])
    assert len(calls) == 1
    assert list(found) == [owner, second, stranger]
    assert [key.identity_key for key in found[owner]] == [
        maker.identity(label).public_key for label in ("a", "b")
    ]
    assert found[stranger] == []
    key = found[second][0]
    assert (key.standing, key.state, key.assurance) == (
        Standing.TRUSTED,
        KeyState.ACTIVE,
        AssuranceLevel.SIMULATED,
    )
    assert key.enclave_reason == ""
    assert key.provenance is Provenance.GENERATED
    assert reader.lookup_keys([]) == {}


def test_lookup_tells_why_an_enclave_is_not_trusted(world: World, maker: Maker) -> None:
    owner = registered(world, maker, OWNER, "a")
    world.warp(8 * 24 * 3600)
    [key] = world.reader.lookup_keys([owner])[owner]
    assert key.standing is Standing.ENCLAVE_NOT_TRUSTED
    assert key.enclave_reason == "AttestationExpired"
    assert "lifetime is over" in key.standing_in_words
    assert key.assurance is AssuranceLevel.NONE


def test_lookup_of_no_address_is_refused(world: World) -> None:
    with pytest.raises(SenderError):
        world.reader.lookup_keys(["0x1234"])


def test_every_standing_has_its_own_error(world: World, maker: Maker) -> None:
    owner = world.senders[OWNER].address
    key = maker.identity("a").public_key
    certificate = certificate_for(world, maker, owner, "a", expires_at=world.now + 100)
    world.register(certificate, maker.authority, OWNER)
    world.reader.get_on_chain_key(owner, key)
    world.warp(200)
    with pytest.raises(KeyExpired):
        world.reader.get_on_chain_key(owner, key)
    function = world.contract("KeyRegistry").functions.revokeKeyBundle(key)
    world.chain.transact(function, world.senders[OWNER])
    with pytest.raises(KeyRevoked):
        world.reader.get_on_chain_key(owner, key)


# --- agents ---------------------------------------------------------------------------------------


def test_transfer_of_an_agent_ends_its_bundles_standing(world: World, maker: Maker) -> None:
    give(world, 7, world.senders[OWNER].address)
    handle = world.reader.agent_owner(7)
    certificate = certificate_for(world, maker, handle, "agent")
    functions = world.contract("KeyRegistry").functions
    arguments = (certificate.identity_key, certificate.pre_key, certificate.pre_key_signature)
    call = functions.registerKeyBundleWithAttestationForAgent(
        7, *arguments, encode_proof(certificate, maker.authority)
    )
    with pytest.raises(CallRefused, match="refused") as refused:
        world.chain.transact(call, world.senders[STRANGER])
    assert refused.value.error_name == "AgentNotControlled"
    world.chain.transact(call, world.senders[OWNER])
    [key] = world.reader.lookup_keys([handle])[handle]
    assert key.standing is Standing.TRUSTED
    give(world, 7, world.senders[STRANGER].address)
    [key] = world.reader.lookup_keys([handle])[handle]
    assert key.standing is Standing.AGENT_TRANSFERRED
    with pytest.raises(AgentTransferred):
        world.reader.get_on_chain_key(handle, certificate.identity_key)
    state = world.reader.state_at(world.chain.block().number)
    holder = world.senders[OWNER].address
    assert state.agent_holder(7, certificate.identity_key) == holder
    assert functions.agentHolder(7, certificate.identity_key).call() == holder


def test_agent_id_out_of_range_is_refused(world: World) -> None:
    for agent_id in (-1, 2**256):
        with pytest.raises(SenderError):
            world.reader.agent_owner(agent_id)


# --- history --------------------------------------------------------------------------------------


def test_history_is_walked_along_its_links(world: World, maker: Maker) -> None:
    owner = registered(world, maker, OWNER, "a")
    world.mine(30)
    world.rotate(certificate_for(world, maker, owner, "a", epoch=2), maker.authority, OWNER)
    world.mine(30)
    key = maker.identity("a").public_key
    world.chain.transact(
        world.contract("KeyRegistry").functions.revokeKeyBundle(key), world.senders[OWNER]
    )
    asked: list[tuple[int, int]] = []

    def note(method: str, params: tuple[Any, ...], answer: Any) -> Any:
        if method == "eth_getLogs":
            asked.append((int(params[0]["fromBlock"], 16), int(params[0]["toBlock"], 16)))
        return answer

    reader = RegistryReader(LyingChain(world.url, note), world.deployment)
    events = reader.history(owner)
    assert [event.change for event in events] == [Change.REGISTERED, Change.ROTATED, Change.REVOKED]
    assert [event.previous_change for event in events] == [
        0,
        *(e.block_number for e in events[:-1]),
    ]
    # One block for each change, and no range.
    assert sorted(asked) == [(event.block_number,) * 2 for event in events]
    assert reader.history(world.senders[STRANGER].address) == []
    assert len(reader.history(owner, block=events[1].block_number)) == 2
    assert len(reader.history(owner, block=events[1].block_number - 1)) == 1


def test_several_changes_in_one_block_keep_their_order(world: World, maker: Maker) -> None:
    owner = world.senders[OWNER].address
    world.chain.request("evm_setAutomine", False)
    try:
        hashes = []
        nonce = world.chain.web3.eth.get_transaction_count(owner)
        for index, label in enumerate("abc"):
            certificate = certificate_for(world, maker, owner, label)
            call = world.contract("KeyRegistry").functions.registerKeyBundleWithAttestation(
                certificate.identity_key,
                certificate.pre_key,
                certificate.pre_key_signature,
                encode_proof(certificate, maker.authority),
            )
            hashes.append(call.transact({"from": owner, "nonce": nonce + index, "gas": 500_000}))
        world.mine(1)
    finally:
        world.chain.request("evm_setAutomine", True)
    events = world.reader.history(owner)
    assert [event.identity_key for event in events] == [
        maker.identity(label).public_key for label in "abc"
    ]
    block = events[0].block_number
    assert [event.previous_change for event in events] == [0, block, block]
    assert len(world.reader.key_history.of_owner(owner)) == 3


def test_identity_key_is_found_whoever_registered_it(world: World, maker: Maker) -> None:
    owner = registered(world, maker, OWNER, "shared")
    second = registered(world, maker, SECOND_OWNER, "shared")
    key = maker.identity("shared").public_key
    assert [found.owner for found in world.reader.find_identity_key(key)] == [owner, second]
    assert world.reader.find_identity_key(b"\x01" * 32) == []


@pytest.mark.parametrize("lie", ["hides a change", "keeps no logs", "another owner's"])
def test_node_that_hides_a_change_is_noticed(world: World, maker: Maker, lie: str) -> None:
    owner = registered(world, maker, OWNER, "a", "b", "c")
    registered(world, maker, SECOND_OWNER, "d")
    hidden = world.reader.history(owner)[1].block_number

    def bend(method: str, params: tuple[Any, ...], answer: Any) -> Any:
        if method != "eth_getLogs":
            return answer
        if lie == "hides a change":
            return [log for log in answer if int(log["blockNumber"], 16) != hidden]
        if lie == "another owner's":
            return world.chain.request("eth_getLogs", {"fromBlock": "0x0", "topics": []})
        return []

    reader = RegistryReader(LyingChain(world.url, bend), world.deployment)
    with pytest.raises((HistoryBroken, LogMalformed)):
        reader.history(owner)


def test_hidden_change_within_a_block_is_noticed_by_the_state(world: World, maker: Maker) -> None:
    owner = world.senders[OWNER].address
    test_several_changes_in_one_block_keep_their_order(world, maker)

    def bend(method: str, params: tuple[Any, ...], answer: Any) -> Any:
        return answer[:-1] if method == "eth_getLogs" else answer

    reader = RegistryReader(LyingChain(world.url, bend), world.deployment)
    with pytest.raises(HistoryBroken, match="state"):
        reader.history(owner)


def test_saturated_link_is_searched_page_by_page(world: World, maker: Maker) -> None:
    """Beyond block 2**32 - 2 the registry cannot name a block; the client searches instead."""
    owner = registered(world, maker, OWNER, "a", "b")
    asked: list[tuple[int, int]] = []

    def bend(method: str, params: tuple[Any, ...], answer: Any) -> Any:
        if method == "eth_getLogs":
            first, last = int(params[0]["fromBlock"], 16), int(params[0]["toBlock"], 16)
            asked.append((first, last))
            if last - first > 8:
                raise RequestRefused("range too wide")
        return answer

    reader = RegistryReader(LyingChain(world.url, bend), world.deployment)
    head = world.chain.block().number
    found = list(reader.key_history.newest_first(owner, 2**32 - 1, head))
    assert found[::-1] == world.reader.history(owner)
    assert len(asked) > 2


# --- invariant 8: the log alone rebuilds what the views show -----------------------------------------


def require_state(world: World, state: RegistryState, history: RandomHistory, block: int) -> None:
    """Compare the replay with every view at a block."""
    functions = world.contract("KeyRegistry").functions

    def at(function: Any) -> Any:
        return function.call(block_identifier=block)

    for owner, key in history.identity_keys:
        bundle = state.bundle(owner, key)
        shown = at(functions.getKeyBundle(owner, key))
        if bundle is None:
            assert shown[6] == KeyState.NONE
            assert at(functions.keyState(owner, key)) == KeyState.NONE
            continue
        expected = KeyState.REVOKED if bundle.revoked else KeyState.ACTIVE
        assert at(functions.keyState(owner, key)) == expected
        terms = bundle.terms
        assert shown == (
            key,
            terms.pre_key,
            terms.authority,
            terms.epoch,
            terms.expires_at,
            terms.provenance,
            expected,
        )
        standing = at(functions.isTrusted(owner, key))[0]
        assert (standing == Standing.REVOKED) is bundle.revoked
    for owner in {owner for owner, _ in history.identity_keys}:
        active = [bundle.identity_key for bundle in state.active(owner)]
        assert [bundle[0] for bundle in at(functions.getKeyBundles(owner))] == active
        assert [key[0][0] for key in at(functions.lookupKeys([owner]))[0]] == active
        first = at(functions.getKeyBundle(owner))
        assert first[0] == (active[0] if active else bytes(32))
        assert at(functions.lastChange(owner)) == state.last_change(owner)
    assert at(functions.paused()) is state.paused


def judge_history(world: World, maker: Maker, *, seed: int, steps: int) -> None:
    history = RandomHistory(world, maker, seed)
    history.run(steps)
    head = world.chain.block().number
    require_state(world, world.reader.state_at(head), history, head)
    for owner in {owner for owner, _ in history.identity_keys}:
        mine = RegistryState.of(world.reader.history(owner))
        assert mine.bundles(owner) == world.reader.state_at(head).bundles(owner)
    for block in sorted(set(history.blocks))[:: max(1, steps // 6)]:
        require_state(world, world.reader.state_at(block), history, block)


def test_replay_of_a_random_history_is_what_every_view_shows(world: World, maker: Maker) -> None:
    judge_history(world, maker, seed=1, steps=30)


@pytest.mark.proof
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(2, 8))
def test_replay_of_many_random_histories_is_what_every_view_shows(
    world: World, maker: Maker, seed: int
) -> None:
    judge_history(world, maker, seed=seed, steps=200)


def test_pause_is_replayed(world: World, maker: Maker) -> None:
    owner = registered(world, maker, OWNER, "a")
    functions = world.contract("KeyRegistry").functions
    world.chain.transact(functions.pause(), world.senders[0])
    paused = world.chain.block().number
    function = functions.revokeKeyBundle(maker.identity("a").public_key)
    world.chain.transact(function, world.senders[OWNER])
    world.chain.transact(functions.unpause(), world.senders[0])
    assert world.reader.state_at(paused).paused
    after = world.reader.state_at(world.chain.block().number)
    assert not after.paused
    assert after.active(owner) == []
