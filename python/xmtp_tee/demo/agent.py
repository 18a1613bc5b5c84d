"""The last act: an agent whose keys live in the enclave answers the genuine libxmtp, which can check it.

The peer is libxmtp 1.10 itself (PyPI ``xmtp-bindings``, a development dependency); where it is not installed
the act says so and plays no other.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from xmtp_tee.attestation.address import checksum_address
from xmtp_tee.client.intents import IntentKind
from xmtp_tee.demo.report import Done
from xmtp_tee.demo.stage import Stage
from xmtp_tee.hashing import keccak256

SKIPPED = "skipped: xmtp-bindings or grpcio is not installed"
_PATIENCE = 60
_QUESTION = "are you in an enclave?"


def start_network(stage: Stage) -> Done:
    """Start a local XMTP network."""
    if not peers_installed():
        return Done(SKIPPED, skipped=True)
    from xmtp_tee.devnode import DevNode

    node = stage.stack.enter_context(DevNode())
    stage.xmtp_url = node.url
    return Done(f"one node at {node.url}, in memory")


def publish_agent(stage: Stage) -> Done:
    """Make the agent's wallet and identity in the enclave; the wallet signs, somebody else pays."""
    keys, deployment = stage.need(stage.keys), stage.need(stage.deployment)
    wallet = keys.generate_key("wallet", label="agent")
    owner = stage.need(wallet.owner)
    identity = keys.generate_identity_key(owner)
    pre_key = keys.generate_pre_key(identity.id)
    stage.agent = owner
    sync = stage.registry("stranger")
    intent = sync.publication_intent(IntentKind.REGISTER, identity.id, pre_key.id)
    _, signature = keys.sign_owner_intent(
        wallet.id,
        "register",
        identity.id,
        pre_key.id,
        chain_id=deployment.chain_id,
        key_registry=deployment.address("KeyRegistry"),
        nonce=intent.nonce,
        deadline=intent.deadline,
    )
    receipt = sync.relayer.submit(intent.signed(signature))
    return Done(
        f"{owner} published by a stranger, signed by a wallet key that nobody holds",
        receipt.gas_used,
    )


def converse(stage: Stage) -> Done:
    """A genuine libxmtp client writes; the agent answers."""
    if not stage.xmtp_url:
        return Done(SKIPPED, skipped=True)
    question, answer = _run(_conversation(stage))
    return Done(f"libxmtp: {question!r}; the agent: {answer!r}")


def check_agent(stage: Stage) -> Done:
    """The peer compares the agent's installations with the chain."""
    if not stage.xmtp_url:
        return Done(SKIPPED, skipped=True)
    from xmtp_tee.client.xmtp.node_api import NodeApi
    from xmtp_tee.client.xmtp.peers import ChainPeers, fetch_inbox, report_on

    async def inbox() -> Any:
        async with NodeApi(stage.xmtp_url) as node:
            return await fetch_inbox(node, stage.agent)

    found = _run(inbox())
    reader = stage.registry("stranger").reader
    peers = ChainPeers(reader, accept_simulated=True)
    wallets = [checksum_address(wallet) for wallet in found.wallets]
    report = report_on(stage.agent, found, peers.standings(wallets))
    if not report.installations or not all(each.attested for each in report.installations):
        raise RuntimeError(f"the chain does not vouch for the agent: {report}")
    return Done(
        f"{len(report.installations)} of {len(report.installations)} installations live in the enclave (SIMULATED)"
    )


def peers_installed() -> bool:
    """Whether the genuine client, and what the local network needs, can be imported."""
    from importlib.util import find_spec

    return find_spec("xmtp_bindings") is not None and find_spec("grpc") is not None


async def _conversation(stage: Stage) -> tuple[str, str]:
    from xmtp_tee.client.xmtp import create_client

    peer = await _genuine_client(stage.xmtp_url, stage.folder / "libxmtp.db3")
    agent = await create_client(
        stage.need(stage.keys),
        stage.agent,
        node_url=stage.xmtp_url,
        database=stage.folder / "agent.sqlite",
    )
    async with agent:
        x = _bindings()
        options = x.FfiCreateDmOptions(message_disappearing_settings=None)
        dm = await peer.conversations().find_or_create_dm(agent.inbox_id, options)
        await dm.send_text(_QUESTION)
        stream = agent.stream()
        question = await asyncio.wait_for(anext(stream), _PATIENCE)
        conversation = await agent.conversations.get(question.conversation_id)
        await conversation.send(f"yes: {agent.installation_id.hex()[:16]}… says so")
        await stream.aclose()  # type: ignore[attr-defined]
        await dm.sync()
        answer = await _last_text(dm)
    return question.text or "", answer


async def _genuine_client(url: str, database: Path) -> Any:
    """A libxmtp client with a wallet of its own, registered."""
    import coincurve

    from xmtp_tee.attestation.address import address_of_public_key
    from xmtp_tee.xmtp.signatures import personal_digest

    x = _bindings()
    x.uniffi_set_event_loop(asyncio.get_running_loop())
    key = coincurve.PrivateKey(keccak256(os.urandom(32)))
    address = "0x" + address_of_public_key(key.public_key.format(compressed=False)).hex()
    identifier = x.FfiIdentifier(identifier=address, identifier_kind=x.FfiIdentifierKind.ETHEREUM)
    api = await x.connect_to_backend(url, None, False, None, None, None, None)
    client = await x.create_client(
        api,
        api,
        x.DbOptions(
            db=str(database), encryption_key=os.urandom(32), max_db_pool_size=4, min_db_pool_size=1
        ),
        x.generate_inbox_id(identifier, 1),
        identifier,
        1,
        None,
        x.FfiDeviceSyncMode.DISABLED,
        False,
        None,
    )
    request = client.signature_request()
    signature = key.sign_recoverable(personal_digest(await request.signature_text()), hasher=None)
    await request.add_ecdsa_signature(signature[:64] + bytes([signature[64] + 27]))
    await client.register_identity(request)
    return client


async def _last_text(conversation: Any) -> str:
    x = _bindings()
    options = x.FfiListMessagesOptions(
        sent_before_ns=None,
        sent_after_ns=None,
        limit=None,
        delivery_status=None,
        direction=x.FfiDirection.ASCENDING,
        content_types=[x.FfiContentType.TEXT],
        exclude_content_types=None,
        exclude_sender_inbox_ids=None,
        sort_by=None,
        inserted_after_ns=None,
        inserted_before_ns=None,
    )
    return str(x.decode_text((await conversation.find_messages(options))[-1].content))


def _bindings() -> Any:
    os.environ.setdefault("RUST_LOG", "off")
    import xmtp_bindings.xmtpv3 as module

    return module


def _run(story: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(story)
