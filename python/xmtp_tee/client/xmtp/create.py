"""``create_client``: the way in."""

from __future__ import annotations

import asyncio
import os
from typing import Final

from xmtp_tee.attestation.address import parse_address
from xmtp_tee.client.key_manager import KeyManager
from xmtp_tee.client.models import KeyInfo
from xmtp_tee.client.signer import wallet_key
from xmtp_tee.client.xmtp.client import PeerRegistry, XmtpClient
from xmtp_tee.client.xmtp.database import Database
from xmtp_tee.client.xmtp.errors import InboxForeignError
from xmtp_tee.client.xmtp.member import Member
from xmtp_tee.client.xmtp.node_api import NodeApi
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.faults import IdentityKeyNotFoundError
from xmtp_tee.wire.refusals import XmtpNotFoundError
from xmtp_tee.xmtp.members import Member as XmtpMember
from xmtp_tee.xmtp.members import nonce_of

LOCAL_NODE: Final = "http://localhost:5556"
"""Where XMTP's environment ``local`` is."""


async def create_client(
    keys: KeyManager,
    address: str,
    *,
    identity_key_id: str | None = None,
    node_url: str = LOCAL_NODE,
    database: str | os.PathLike[str] | None = None,
    registry: PeerRegistry | None = None,
    nonce: int = 1,
) -> XmtpClient:
    """Return a client of the owner's identity key (or of the installation key that is named), which is
    registered with the network, and made, if it is not yet.

    A restart makes no new installation: the enclave holds it. ``address``: of the owner's wallet key in the
    enclave, which signs the registration. ``nonce``: of the inbox that is created if the wallet has none; of
    one that it has, it is found. ``database``: a file for cursors and sealed messages; without one
    they are kept in memory. ``registry``: who says which peers live in enclaves.

    :raises WalletKeyNotFoundError: the enclave holds no such wallet key: ``generate_key("wallet")`` first
    :raises SigningRefusedError: the wallet's rules do not allow the registration, or the key is an installation
        of another inbox
    :raises InboxForeignError: the wallet was linked to an inbox of another wallet
    :raises NetworkUnavailableError: the node does not answer
    """
    owner = parse_address(address)
    wallet = await asyncio.to_thread(wallet_key, keys, address)
    key = await asyncio.to_thread(_identity_key, keys, address, identity_key_id)
    node = NodeApi(node_url)
    try:
        member = Member(keys, node, key.id)
        inbox_id = await _registered(member, owner, key, wallet.id, nonce)
        store = Database(":memory:" if database is None else database, key.public_key)
    except BaseException:
        await node.close()
        raise
    client = XmtpClient(member, inbox_id, key.public_key, owner, wallet.id, store, registry)
    try:
        await client.conversations.list()
        await client.keep_key_package()
    except BaseException:
        await client.close()
        raise
    return client


def _identity_key(keys: KeyManager, address: str, key_id: str | None) -> KeyInfo:
    if key_id is None:
        try:
            return keys.get_identity_key(address)
        except IdentityKeyNotFoundError:
            return keys.generate_identity_key(address)
    key = keys.get_key(key_id)
    if key.owner is None or parse_address(key.owner) != parse_address(address):
        raise IdentityKeyNotFoundError("The identity key is another owner's", got=key_id)
    return key


async def _registered(
    member: Member, owner: bytes, key: KeyInfo, wallet_key_id: str, nonce: int
) -> str:
    """Return the inbox of which the key is an installation, which it becomes if it is not."""
    [inbox_id] = await member.node.inbox_ids(["0x" + owner.hex()])
    if inbox_id is not None:
        found = nonce_of(XmtpMember.wallet(owner), inbox_id)
        if found is None:
            raise InboxForeignError(
                "The wallet belongs to an inbox that it did not create", got=inbox_id
            )
        nonce = found
        learned = await member.learn([inbox_id])
        if key.public_key in learned[inbox_id].installations and await _is_held(member):
            return inbox_id
    registration = await member.ask(
        wire.XmtpRegister(
            wallet_key_id=wallet_key_id,
            identity_key_id=key.id,
            inbox_exists=inbox_id is not None,
            nonce=nonce,
        ),
        wire.XmtpRegistration,
    )
    # Whoever finds the installation in the log must find its key package: so that comes first.
    await member.node.upload_key_package(registration.key_package)
    await member.node.publish_identity_update(registration.identity_update)
    await member.learn([registration.inbox_id])
    return registration.inbox_id


async def _is_held(member: Member) -> bool:
    """Whether the enclave has the installation's record; after a restore from a backup it has the key alone."""
    try:
        await member.ask(
            wire.XmtpListConversations(identity_key_id=member.key_id), wire.XmtpConversationIds
        )
    except XmtpNotFoundError:
        return False
    return True
