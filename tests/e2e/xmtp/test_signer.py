"""The wallet in the enclave, the unmodified client outside: libxmtp and the Node SDK."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("grpc", reason="grpcio is not installed")
pytest.importorskip("xmtp_bindings", reason="xmtp-bindings is not installed")

from tests.e2e.xmtp.support import World
from tests.support.libxmtp import Peer, sign, texts
from tests.support.node_sdk import NodePeer, require_node_sdk
from xmtp_tee.client.errors import WalletKeyNotFoundError
from xmtp_tee.client.signer import Signer
from xmtp_tee.policy.document import Policy
from xmtp_tee.wire.refusals import SigningRefusedError


def allow_foreign_installations(world: World, *installations: bytes, revoke: bool = False) -> None:
    """Have the policy let the wallet grant access to installations that the enclave does not hold."""
    import msgspec

    policy = world.keys.get_policy()
    actions = (*policy.wallet.identity_actions, *(("revoke-installation",) if revoke else ()))
    wallet = msgspec.structs.replace(
        policy.wallet,
        installations=tuple({*policy.wallet.installations, *(i.hex() for i in installations)}),
        identity_actions=tuple(dict.fromkeys(actions)),
    )
    changed: Policy = msgspec.structs.replace(policy, version=policy.version + 1, wallet=wallet)
    world.keys.apply_policy(changed)


async def unregistered(world: World, signer: Signer, name: str) -> Peer:
    """A genuine client before its registration: its installation key is made, and nobody has signed."""
    return await Peer.connect(
        world.node.url,
        signer.get_address().lower(),
        signer.sign_message,
        world.folder / name,
        register=False,
    )


async def registered(world: World, signer: Signer, name: str) -> Peer:
    client = await unregistered(world, signer, name)
    allow_foreign_installations(world, client.installation_id)
    request = client.client.signature_request()
    assert request is not None
    await sign(request, signer.sign_message)
    await client.client.register_identity(request)
    return client


def test_libxmtp_registers_talks_comes_back_and_revokes_with_the_wallet_in_the_enclave(
    world: World,
) -> None:
    async def story() -> None:
        wallet = world.keys.generate_key("wallet")
        assert wallet.owner is not None
        signer = Signer(world.keys, wallet.owner)
        first = await registered(world, signer, "first")
        peer = await world.peer("peer")
        dm = await first.dm(peer.inbox_id)
        await dm.send_text("hello")
        await peer.sync()
        assert await texts(peer.conversations()[0]) == ["hello"]
        # The database is lost: the same wallet comes back with another installation.
        second = await registered(world, signer, "second")
        assert second.inbox_id == first.inbox_id
        assert set(await second.installations()) == {first.installation_id, second.installation_id}
        request = await second.client.revoke_installations([first.installation_id])
        with pytest.raises(SigningRefusedError):
            await sign(request, signer.sign_message)
        allow_foreign_installations(world, revoke=True)
        request = await second.client.revoke_installations([first.installation_id])
        await sign(request, signer.sign_message)
        await second.client.apply_signature_request(request)
        assert await second.installations() == [second.installation_id]

    asyncio.run(story())


def test_an_installation_that_the_policy_does_not_list_is_not_granted_access(
    world: World,
) -> None:
    async def story() -> None:
        wallet = world.keys.generate_key("wallet")
        assert wallet.owner is not None
        signer = Signer(world.keys, wallet.owner)
        client = await unregistered(world, signer, "attacker")
        request = client.client.signature_request()
        with pytest.raises(SigningRefusedError):
            await sign(request, signer.sign_message)
        assert world.node.network.inbox_id_of(wallet.owner, 1) is None

    asyncio.run(story())


def test_a_text_that_lies_in_any_field_is_refused(world: World) -> None:
    async def story() -> None:
        wallet = world.keys.generate_key("wallet")
        assert wallet.owner is not None
        signer = Signer(world.keys, wallet.owner)
        client = await unregistered(world, signer, "client")
        allow_foreign_installations(world, client.installation_id)
        request = client.client.signature_request()
        assert request is not None
        honest = await request.signature_text()
        installation = client.installation_id.hex()
        lies = {
            "another inbox": honest.replace(client.inbox_id, "ab" * 32),
            "another owner": honest.replace(wallet.owner.lower(), "0x" + "12" * 20),
            "another installation": honest.replace(installation, "cd" * 32),
            "another time": honest.replace("Current time: 20", "Current time: 19"),
            "one more action": honest.replace(
                "\n\nFor more",
                "\n- Change inbox recovery address\n  (Address: 0x" + "12" * 20 + ")\n\nFor more",
            ),
            "another footer": honest.replace("xmtp.org", "xmtp.com"),
            "another text": "I agree to pay",
        }
        for name, lie in lies.items():
            assert lie != honest, name
            with pytest.raises(Exception, match=r"refused|not an XMTP|inbox|time|owner") as refused:
                signer.sign_message(lie)
            assert refused.value.__class__.__name__ != "EnclaveInternalError", name
        assert len(signer.sign_message(honest)) == 65

    asyncio.run(story())


def test_the_node_sdk_registers_with_the_wallet_in_the_enclave(world: World) -> None:
    require_node_sdk()
    wallet = world.keys.generate_key("wallet")
    assert wallet.owner is not None
    signer = Signer(world.keys, wallet.owner)

    def grant_and_sign(text: str) -> bytes:
        # The operator lists the installation that the client shows, and the enclave judges the rest.
        from xmtp_tee.xmtp.identity_text import ActionKind, parse

        [added] = [a for a in parse(text).actions if a.kind is ActionKind.ADD_MEMBER]
        allow_foreign_installations(world, bytes.fromhex(added.member.value))
        return signer.sign_message(text)

    peer_inbox = asyncio.run(_inbox_of_peer(world))
    with NodePeer(
        world.node.url, wallet.owner.lower(), grant_and_sign, world.folder / "node"
    ) as node:
        conversation = node.do("dm", inboxId=peer_inbox, text="hello")
        assert node.do("texts", conversation=conversation) == ["hello"]
        assert node.do("installations") == [node.installation_id.hex()]


async def _inbox_of_peer(world: World) -> str:
    return (await world.peer("peer")).inbox_id


def test_the_bundle_is_signed_by_the_identity_key_and_rotates(world: World) -> None:
    from xmtp_tee.attestation.pre_key import verify_pre_key_signature

    wallet = world.keys.generate_key("wallet")
    assert wallet.owner is not None
    signer = Signer(world.keys, wallet.owner)
    first = signer.create_signed_public_key_bundle()
    assert signer.create_signed_public_key_bundle() == first
    second = signer.rotate_pre_key()
    assert second.epoch == first.epoch + 1
    assert second.identity_key == first.identity_key
    for bundle in (first, second):
        verify_pre_key_signature(
            owner=bytes.fromhex(wallet.owner[2:]),
            identity_key=bundle.identity_key,
            pre_key=bundle.pre_key,
            epoch=bundle.epoch,
            expires_at=bundle.expires_at,
            signature=bundle.pre_key_signature,
        )


def test_an_address_without_a_wallet_key_is_an_error(world: World) -> None:
    with pytest.raises(WalletKeyNotFoundError):
        Signer(world.keys, "0x" + "12" * 20)
