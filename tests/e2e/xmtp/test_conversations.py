"""An agent whose keys live in the enclave, among genuine libxmtp clients."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("grpc", reason="grpcio is not installed")
pytest.importorskip("xmtp_bindings", reason="xmtp-bindings is not installed")

from tests.e2e.xmtp.support import World, stream_of
from tests.support.libxmtp import Wallet, sign, texts
from xmtp_tee.client.xmtp import Consent
from xmtp_tee.client.xmtp.errors import ConversationError, MemberRefusedError
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.limits import MAX_REQUEST_BODY
from xmtp_tee.xmtp.errors import WelcomesTooLargeError
from xmtp_tee.xmtp.proto.mls_api import (
    GroupMessageInputV1,
    WelcomeMessageInput,
    WelcomeMessageInputV1,
)


def test_a_direct_message_is_opened_by_us_and_answered(world: World) -> None:
    async def story() -> None:
        peer = await world.peer("peer")
        async with await world.client(world.new_owner()) as agent:
            dm = await agent.conversations.new_dm(peer.address)
            await dm.send("hello from the enclave")
            await peer.sync()
            [theirs] = peer.conversations()
            assert await texts(theirs) == ["hello from the enclave"]
            await theirs.send_text("good day")
            assert [message.text for message in await dm.sync()] == ["good day"]
            assert [(m.text, m.is_own) for m in await dm.messages()] == [
                ("hello from the enclave", True),
                ("good day", False),
            ]
            assert (await agent.conversations.new_dm(peer.inbox_id)).id == dm.id
            assert dm.consent is Consent.ALLOWED
            assert agent.refusals == []

    asyncio.run(story())


def test_a_direct_message_is_opened_by_the_peer_and_answered(world: World) -> None:
    async def story() -> None:
        peer = await world.peer("peer")
        async with await world.client(world.new_owner()) as agent:
            theirs = await peer.dm(agent.inbox_id)
            await theirs.send_text("hello enclave")
            [message] = await agent.conversations.sync_all()
            assert message.text == "hello enclave"
            assert message.sender.inbox_id == peer.inbox_id
            assert message.sender.installation_id == peer.installation_id
            [dm] = await agent.conversations.list()
            assert dm.info.dm_with == peer.inbox_id
            await dm.send("hello peer")
            await theirs.sync()
            assert await texts(theirs) == ["hello enclave", "hello peer"]

    asyncio.run(story())


def test_a_group_of_ours_grows_is_renamed_and_loses_a_member(world: World) -> None:
    async def story() -> None:
        first, second, third = [await world.peer(name) for name in ("one", "two", "three")]
        async with await world.client(world.new_owner()) as agent:
            group = await agent.conversations.new_group([first.inbox_id], name="ours")
            await group.send("welcome")
            # Two at once, after one: a welcome each, and then one behind pointers.
            await group.add_members([second.address, third.inbox_id])
            await group.rename("renamed")
            await group.remove_members([first.inbox_id])
            await group.send("after")
            for peer in (second, third):
                await peer.sync()
                [joined] = peer.conversations()
                assert joined.group_name() == "renamed"
                assert await texts(joined) == ["after"]
                assert len(await joined.list_members()) == 3
            await first.sync()
            [left] = first.conversations()
            assert await texts(left) == ["welcome"]
            assert not left.is_active()
            assert set(group.info.inboxes) == {agent.inbox_id, second.inbox_id, third.inbox_id}

    asyncio.run(story())


def test_a_group_of_a_peer_with_many_installations_is_joined_by_pointer(world: World) -> None:
    async def story() -> None:
        founder = await world.peer("founder")
        others = [await world.peer(f"other {index}") for index in range(3)]
        async with await world.client(world.new_owner()) as agent:
            group = await founder.group([agent.inbox_id, *(o.inbox_id for o in others)], "theirs")
            await group.send_text("hello all")
            pointers = [
                welcome
                for welcome in world.node.network.welcomes.after(agent.installation_id, 0)
                if welcome.welcome_pointer is not None
            ]
            assert pointers, "the founder sent no pointer: this test tests nothing"
            [message] = await agent.conversations.sync_all()
            assert message.text == "hello all"
            [joined] = await agent.conversations.list()
            assert joined.info.name == "theirs"
            await joined.send("hello founder")
            await group.sync()
            assert await texts(group) == ["hello all", "hello founder"]
            assert agent.refusals == []

    asyncio.run(story())


def test_our_welcome_behind_pointers_is_joined_by_all(world: World) -> None:
    async def story() -> None:
        peers = [await world.peer(f"peer {index}") for index in range(4)]
        async with await world.client(world.new_owner()) as agent:
            group = await agent.conversations.new_group([p.inbox_id for p in peers], name="ours")
            await group.send("hello all")
            for peer in peers:
                stored = world.node.network.welcomes.after(peer.installation_id, 0)
                assert [welcome.welcome_pointer is not None for welcome in stored] == [True]
                await peer.sync()
                [joined] = peer.conversations()
                assert await texts(joined) == ["hello all"]

    asyncio.run(story())


def test_a_new_installation_of_a_peer_is_brought_in_before_we_send(world: World) -> None:
    async def story() -> None:
        wallet = Wallet()
        first = await world.peer("first", wallet)
        async with await world.client(world.new_owner()) as agent:
            dm = await agent.conversations.new_dm(wallet.address)
            await dm.send("to one")
            second = await world.peer("second", wallet)
            dm._refreshed = 0.0
            await dm.send("to both")
            await second.sync()
            [joined] = second.conversations()
            assert await texts(joined) == ["to both"]
            request = await first.client.revoke_installations([second.installation_id])
            await sign(request, wallet)
            await first.client.apply_signature_request(request)
            dm._refreshed = 0.0
            await dm.send("to one again")
            assert {m.installation_id for m in dm.info.members} == {
                first.installation_id,
                agent.installation_id,
            }

    asyncio.run(story())


def test_a_commit_of_ours_that_loses_is_made_again(world: World) -> None:
    async def story() -> None:
        peer = await world.peer("peer")
        async with await world.client(world.new_owner()) as agent:
            group = await agent.conversations.new_group([peer.inbox_id], name="ours")
            await peer.sync()
            [theirs] = peer.conversations()
            publish, overtaken = agent.member.node.send_group_messages, False

            async def overtake(messages: object) -> None:
                nonlocal overtaken
                if not overtaken:
                    overtaken = True
                    await theirs.update_group_name("the peer was first")
                await publish(messages)  # type: ignore[arg-type]

            agent.member.node.send_group_messages = overtake  # type: ignore[assignment, method-assign]
            await group.rename("we were second")
            await theirs.sync()
            assert theirs.group_name() == "we were second"
            assert group.info.name == "we were second"

    asyncio.run(story())


def test_what_the_groups_permissions_forbid_never_leaves_the_enclave(world: World) -> None:
    async def story() -> None:
        peer = await world.peer("peer")
        async with (
            await world.client(world.new_owner()) as founder,
            await world.client(world.new_owner()) as member,
        ):
            group = await founder.conversations.new_group(
                [member.inbox_id], name="ours", admins_only=True
            )
            await member.conversations.sync_all()
            [joined] = await member.conversations.list()
            for deed in (
                joined.rename("mine"),
                joined.add_members([peer.inbox_id]),
                joined.remove_members([founder.inbox_id]),
            ):
                with pytest.raises(MemberRefusedError, match="permissions do not let"):
                    await deed
            await joined.send("I stay")
            assert [m.text for m in await group.sync()] == ["I stay"]
            assert group.info.name == "ours"

    asyncio.run(story())


def test_a_member_that_asks_to_leave_is_removed_by_an_admin(world: World) -> None:
    async def story() -> None:
        peer = await world.peer("peer")
        async with (
            await world.client(world.new_owner()) as founder,
            await world.client(world.new_owner()) as member,
        ):
            group = await founder.conversations.new_group(
                [member.inbox_id, peer.inbox_id], name="ours"
            )
            await member.conversations.sync_all()
            [joined] = await member.conversations.list()
            await joined.leave()
            await group.sync()
            assert set(group.info.inboxes) == {founder.inbox_id, peer.inbox_id}
            await joined.sync()
            assert not joined.info.is_active
            with pytest.raises(ConversationError, match="no member"):
                await joined.send("too late")
            await group.send("the rest goes on")
            await peer.sync()
            [theirs] = peer.conversations()
            assert await texts(theirs) == ["the rest goes on"]

    asyncio.run(story())


def test_the_stream_gives_what_was_missed_and_what_comes_and_new_conversations(
    world: World,
) -> None:
    async def story() -> None:
        peer = await world.peer("peer")
        async with await world.client(world.new_owner()) as agent:
            early = await peer.dm(agent.inbox_id)
            await early.send_text("missed")
            async with stream_of(agent) as queue:
                assert (await asyncio.wait_for(queue.get(), 20)).text == "missed"
                await early.send_text("comes")
                assert (await asyncio.wait_for(queue.get(), 20)).text == "comes"
                group = await peer.group([agent.inbox_id], "later")
                await group.send_text("in a new group")
                assert (await asyncio.wait_for(queue.get(), 20)).text == "in a new group"

    asyncio.run(story())


def test_a_killed_enclave_comes_back_as_the_same_installation(world: World) -> None:
    async def story() -> None:
        peer = await world.peer("peer")
        owner = world.new_owner()
        agent = await world.client(owner)
        dm = await agent.conversations.new_dm(peer.address)
        await dm.send("before")
        await peer.sync()
        [theirs] = peer.conversations()
        await theirs.send_text("while it was down")
        await agent.close()
        world.restart()
        async with await world.client(owner) as again:
            assert again.installation_id == agent.installation_id
            assert await again.installations() == (agent.installation_id,)
            assert [m.text for m in await again.conversations.sync_all()] == ["while it was down"]
            [same] = await again.conversations.list()
            await same.send("after")
            await theirs.sync()
            assert await texts(theirs) == ["before", "while it was down", "after"]
            assert [m.text for m in await same.messages()] == [
                "before",
                "while it was down",
                "after",
            ]

    asyncio.run(story())


def test_a_lost_host_database_costs_the_history_and_nothing_else(world: World) -> None:
    async def story() -> None:
        peer = await world.peer("peer")
        owner = world.new_owner()
        async with await world.client(owner) as agent:
            dm = await agent.conversations.new_dm(peer.address)
            await dm.send("before")
        async with await world.client(owner, database=None) as again:
            assert await again.installations() == (owner.installation_id,)
            [same] = await again.conversations.list()
            assert await same.messages() == []
            await same.send("after")
            await peer.sync()
            [theirs] = peer.conversations()
            assert await texts(theirs) == ["before", "after"]

    asyncio.run(story())


def test_several_clients_live_in_one_enclave(world: World) -> None:
    async def story() -> None:
        async with (
            await world.client(world.new_owner()) as one,
            await world.client(world.new_owner()) as other,
        ):
            dm = await one.conversations.new_dm(other.address)
            await dm.send("neighbour")
            [message] = await other.conversations.sync_all()
            assert message.text == "neighbour"
            [answering] = await other.conversations.list()
            await answering.send("yes?")
            assert [m.text for m in await dm.sync()] == ["yes?"]

    asyncio.run(story())


def test_the_hosts_database_holds_no_plaintext_and_no_key(world: World) -> None:
    async def story() -> None:
        peer = await world.peer("peer")
        owner = world.new_owner()
        async with await world.client(owner) as agent:
            dm = await agent.conversations.new_dm(peer.address)
            await dm.send("a secret of ours")
            await peer.sync()
            [theirs] = peer.conversations()
            await theirs.send_text("a secret of theirs")
            await dm.sync()
        kept = b"".join(path.read_bytes() for path in world.folder.glob(f"{owner.address}.sqlite*"))
        assert kept
        assert b"secret of" not in kept

    asyncio.run(story())


def test_we_are_removed_and_brought_in_again(world: World) -> None:
    async def story() -> None:
        peer = await world.peer("peer")
        async with await world.client(world.new_owner()) as agent:
            theirs = await peer.group([agent.inbox_id], "theirs")
            await theirs.send_text("one")
            assert [m.text for m in await agent.conversations.sync_all()] == ["one"]
            [group] = await agent.conversations.list()
            await theirs.remove_members([agent.inbox_id])
            await theirs.send_text("without you")
            assert await group.sync() == []
            assert not group.info.is_active
            await theirs.add_members([agent.inbox_id])
            await theirs.send_text("two")
            assert [m.text for m in await agent.conversations.sync_all()] == ["two"]
            assert group.info.is_active
            await group.send("back again")
            await theirs.sync()
            assert await texts(theirs) == ["one", "without you", "two", "back again"]

    asyncio.run(story())


def test_newcomers_whose_welcomes_are_too_large_together_come_by_several_commits(
    world: World,
) -> None:
    async def story() -> None:
        peers = [await world.peer(f"peer {index}") for index in range(3)]
        async with await world.client(world.new_owner()) as agent:
            ask = agent.member.ask

            async def one_at_a_time(operation: wire.Message, expected: Any) -> Any:
                if isinstance(operation, wire.XmtpChangeMembers) and len(operation.add) > 1:
                    raise MemberRefusedError("Too large", got=WelcomesTooLargeError.code)
                return await ask(operation, expected)

            agent.member.ask = one_at_a_time  # type: ignore[assignment, method-assign]
            group = await agent.conversations.new_group([p.inbox_id for p in peers], name="ours")
            await group.send("hello all")
            assert group.info.epoch >= 3
            for peer in peers:
                await peer.sync()
                assert await texts(peer.conversations()[0]) == ["hello all"]

    asyncio.run(story())


def test_attack_a_stranger_sends_what_is_too_large_for_the_enclave(world: World) -> None:
    async def story() -> None:
        peer = await world.peer("peer")
        async with await world.client(world.new_owner()) as agent, stream_of(agent) as queue:
            dm = await agent.conversations.new_dm(peer.address)
            await dm.send("hello")
            junk = bytes(MAX_REQUEST_BODY)
            world.node.network.send_welcome(
                WelcomeMessageInput(
                    v1=WelcomeMessageInputV1(installation_key=agent.installation_id, data=junk)
                ),
                0,
            )
            listed = world.node.network.group_messages.after(dm.id, 0)
            assert listed[0].v1 is not None
            await agent.member.node.send_group_messages(
                [GroupMessageInputV1(data=listed[0].v1.data + junk)]
            )
            other = await peer.group([agent.inbox_id], "after the welcome")
            await other.send_text("behind the welcome")
            await peer.sync()
            theirs = await peer.dm(agent.inbox_id)
            await theirs.send_text("behind the message")
            found = {(await asyncio.wait_for(queue.get(), 30)).text for _ in range(2)}
            assert found == {"behind the welcome", "behind the message"}
            assert len(agent.refusals) == 2

    asyncio.run(story())


def test_someone_who_is_not_on_the_network_cannot_be_addressed(world: World) -> None:
    async def story() -> None:
        async with await world.client(world.new_owner()) as agent:
            with pytest.raises(ConversationError, match="not on the XMTP network"):
                await agent.conversations.new_dm("0x" + "12" * 20)
            with pytest.raises(ConversationError, match="needs a peer"):
                await agent.conversations.new_dm(agent.address)

    asyncio.run(story())
