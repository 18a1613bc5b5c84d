"""The watch: an alarm for every change, none missed, none twice, through restarts and reorganisations."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import Any

import pytest

from tests.client.registry_support import LyingChain, RandomHistory, certificate_for
from tests.support.maker import Maker
from tests.support.world import OWNER, SECOND_OWNER, World
from xmtp_tee.client.history.cursor import KEPT, Checkpoint, Cursor
from xmtp_tee.client.history.errors import CursorInvalid, HistoryBroken
from xmtp_tee.client.history.watch import AlarmKind, Watch
from xmtp_tee.client.registry_reader import RegistryReader

CONFIRMATIONS = 2


def watching(world: World, cursor: Cursor | None = None, **more: Any) -> Watch:
    """A watch of the owner that has looked once."""
    more = {"confirmations": CONFIRMATIONS} | more
    watch = Watch(world.reader, world.senders[OWNER].address, cursor=cursor, **more)
    assert watch.cursor
    return watch


def change(world: World, maker: Maker, label: str = "a", epoch: int = 1) -> int:
    """Register (epoch 1) or rotate a bundle of the owner; return the block."""
    certificate = certificate_for(world, maker, world.address(OWNER), label, epoch=epoch)
    act = world.register if epoch == 1 else world.rotate
    return act(certificate, maker.authority, OWNER).block_number


def test_change_is_told_once_and_only_when_it_is_confirmed(world: World, maker: Maker) -> None:
    world.mine(3)
    watch = watching(world)
    assert watch.poll() == []
    block = change(world, maker)
    assert watch.poll() == []
    world.mine(1)
    assert watch.poll() == []
    world.mine(1)
    [alarm] = watch.poll()
    assert (alarm.kind, alarm.block_number) == (AlarmKind.REGISTERED, block)
    assert alarm.event is not None
    assert alarm.event.identity_key == maker.identity("a").public_key
    assert alarm.as_dict()["alarm"] == "registered"
    assert watch.poll() == []
    world.mine(5)
    assert watch.poll() == []


def test_every_change_of_a_long_absence_is_told_in_order(world: World, maker: Maker) -> None:
    watch = watching(world)
    blocks = [change(world, maker)] + [change(world, maker, epoch=n) for n in (2, 3)]
    world.mine(50)
    key = maker.identity("a").public_key
    function = world.contract("KeyRegistry").functions.revokeKeyBundle(key)
    blocks.append(world.chain.transact(function, world.senders[OWNER]).block_number)
    world.mine(CONFIRMATIONS)
    alarms = watch.poll()
    assert [alarm.kind.value for alarm in alarms] == ["registered", "rotated", "rotated", "revoked"]
    assert [alarm.block_number for alarm in alarms] == blocks


def test_others_changes_are_not_told(world: World, maker: Maker) -> None:
    watch = watching(world)
    certificate = certificate_for(world, maker, world.address(SECOND_OWNER), "a")
    world.register(certificate, maker.authority, SECOND_OWNER)
    world.mine(5)
    assert watch.poll() == []


def test_cursor_resumes_behind_what_was_told(world: World, maker: Maker) -> None:
    watch = watching(world)
    change(world, maker)
    world.mine(CONFIRMATIONS)
    [alarm] = watch.poll()
    kept = Cursor.from_json(alarm.cursor.to_json())
    assert kept == watch.cursor
    change(world, maker, epoch=2)
    world.mine(CONFIRMATIONS)
    [later] = watching(world, kept).poll()
    assert later.kind is AlarmKind.ROTATED


def test_cursor_of_an_alarm_that_is_not_the_last_repeats_and_loses_none(
    world: World, maker: Maker
) -> None:
    watch = watching(world)
    change(world, maker)
    change(world, maker, epoch=2)
    world.mine(CONFIRMATIONS)
    first, second = watch.poll()
    assert [a.kind for a in watching(world, first.cursor).poll()] == [first.kind, second.kind]
    assert watching(world, second.cursor).poll() == []


def test_lost_standing_is_told_without_an_event(world: World, maker: Maker) -> None:
    change(world, maker)
    world.mine(CONFIRMATIONS)
    watch = watching(world)
    world.warp(8 * 24 * 3600)
    world.mine(CONFIRMATIONS)
    [alarm] = watch.poll()
    assert alarm.kind is AlarmKind.STANDING
    assert "trusted" in alarm.text
    assert "AttestationExpired" in alarm.text
    assert watch.poll() == []


def test_shallow_reorganisation_takes_back_what_was_not_told_yet(
    world: World, maker: Maker
) -> None:
    world.mine(3)
    watch = watching(world)
    change(world, maker)
    assert watch.poll() == []
    world.chain.request("anvil_rollback", 1)
    world.mine(4)
    assert watch.poll() == []


def test_deep_reorganisation_is_told_and_read_again(world: World, maker: Maker) -> None:
    world.mine(3)
    watch = watching(world)
    for _ in range(4):
        world.mine(1)
        watch.poll()
    change(world, maker)
    world.mine(CONFIRMATIONS)
    assert [alarm.kind for alarm in watch.poll()] == [AlarmKind.REGISTERED]
    world.chain.request("anvil_rollback", 4)
    change(world, maker, "b")
    world.mine(6)
    alarms = watch.poll()
    assert [alarm.kind for alarm in alarms] == [AlarmKind.REORGANISED, AlarmKind.REGISTERED]
    assert alarms[1].event is not None
    assert alarms[1].event.identity_key == maker.identity("b").public_key
    assert watch.poll() == []


def test_chain_shorter_than_the_cursor_is_told_at_once(world: World, maker: Maker) -> None:
    world.mine(10)
    watch = watching(world)
    world.mine(1)
    watch.poll()
    world.chain.request("anvil_rollback", 4)
    [alarm] = watch.poll()
    assert alarm.kind is AlarmKind.REORGANISED
    change(world, maker)
    world.mine(8)
    assert [alarm.kind for alarm in watch.poll()] == [AlarmKind.REGISTERED]


def test_cursor_of_a_chain_that_is_gone_starts_from_the_deployment(
    world: World, maker: Maker
) -> None:
    change(world, maker)
    world.mine(CONFIRMATIONS)
    where = world.deployment
    lost = Cursor(
        where.chain_id,
        where.address("KeyRegistry"),
        world.senders[OWNER].address,
        (Checkpoint(where.deployed_at_block + 1, b"\x11" * 32, 0),),
    )
    kinds = [alarm.kind for alarm in watching(world, lost).poll()]
    assert kinds == [AlarmKind.REORGANISED, AlarmKind.REGISTERED]


@pytest.mark.parametrize("lie", ["hides the newest", "hides the older"])
def test_node_that_hides_a_change_is_noticed_and_the_cursor_waits(
    world: World, maker: Maker, lie: str
) -> None:
    honest = watching(world)
    blocks = [change(world, maker), change(world, maker, epoch=2)]
    world.mine(CONFIRMATIONS)
    hidden = blocks[-1] if lie == "hides the newest" else blocks[0]

    def bend(method: str, params: tuple[Any, ...], answer: Any) -> Any:
        if method == "eth_getLogs":
            return [log for log in answer if int(log["blockNumber"], 16) != hidden]
        return answer

    reader = RegistryReader(LyingChain(world.url, bend), world.deployment)
    deceived = Watch(reader, honest.owner, cursor=honest.cursor)
    before = deceived.cursor
    with pytest.raises(HistoryBroken):
        deceived.poll()
    assert deceived.cursor == before
    assert len(watching(world, deceived.cursor).poll()) == 2


def test_random_history_is_told_event_by_event(world: World, maker: Maker) -> None:
    owner = world.senders[4].address
    watch = Watch(world.reader, owner, confirmations=1)
    assert watch.cursor
    history = RandomHistory(world, maker, seed=9)
    told = []
    for _ in range(6):
        history.run(3)
        told += [alarm.event for alarm in watch.poll()]
        # The next process knows the file alone.
        watch = Watch(
            world.reader, owner, cursor=Cursor.from_json(watch.cursor.to_json()), confirmations=1
        )
    world.mine(1)
    told += [alarm.event for alarm in watch.poll()]
    assert told == world.reader.history(owner)


def test_iterators_yield_alarms(world: World, maker: Maker) -> None:
    watch = watching(world, confirmations=0)
    change(world, maker)
    slept: list[float] = []
    [alarm] = islice(watch.run(interval=7, sleep=slept.append), 1)
    assert alarm.kind is AlarmKind.REGISTERED
    change(world, maker, epoch=2)

    async def first() -> AlarmKind:
        async for told in watch.run_async(interval=0.01):
            return told.kind
        raise AssertionError

    assert asyncio.run(first()) is AlarmKind.ROTATED


def test_iterator_sleeps_between_looks(world: World) -> None:
    watch = watching(world)

    class Enough(Exception):
        pass

    def sleep(seconds: float) -> None:
        assert seconds == 7
        raise Enough

    with pytest.raises(Enough):
        next(watch.run(interval=7, sleep=sleep))


def test_watch_is_an_iterator_itself(world: World, maker: Maker) -> None:
    watch = watching(world, confirmations=0)
    change(world, maker)
    assert next(iter(watch)).kind is AlarmKind.REGISTERED
    change(world, maker, epoch=2)

    async def first() -> AlarmKind:
        async for told in watch:
            return told.kind
        raise AssertionError

    assert asyncio.run(first()) is AlarmKind.ROTATED


# --- cursors --------------------------------------------------------------------------------------

CURSOR = Cursor(
    1, "0x" + "01" * 20, "0x" + "02" * 20, (Checkpoint(5, b"\x03" * 32, 4),), {"0x05": "trusted"}
)


def test_cursor_reads_back_and_keeps_a_bounded_past() -> None:
    cursor = CURSOR
    for number in range(6, 60):
        cursor = cursor.moved(Checkpoint(number, bytes(32), 4), {})
    assert Cursor.from_json(cursor.to_json()) == cursor
    assert len(cursor.checkpoints) == KEPT
    assert cursor.block_number == 59


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        CURSOR.to_json().replace('"format": 1', '"format": 2'),
        CURSOR.to_json().replace('"number": 5', '"number": -5'),
        CURSOR.to_json().replace('"number": 5', '"number": true'),
        CURSOR.to_json().replace("03" * 32, "03" * 31),
        CURSOR.to_json().replace('"chainId": 1', '"chainId": "1"'),
        CURSOR.to_json().replace('"trusted"', "7"),
        Cursor(1, "0x", "0x", ()).to_json(),
        Cursor(1, "0x", "0x", CURSOR.checkpoints * 2).to_json(),
    ],
)
def test_malformed_cursor_is_refused(text: str) -> None:
    with pytest.raises(CursorInvalid):
        Cursor.from_json(text)


def test_cursor_of_another_owner_is_refused(world: World) -> None:
    cursor = watching(world).cursor
    with pytest.raises(CursorInvalid, match="another watch"):
        Watch(world.reader, world.senders[SECOND_OWNER].address, cursor=cursor)
