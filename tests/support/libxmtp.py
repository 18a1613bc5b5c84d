"""The genuine libxmtp (PyPI ``xmtp-bindings``) as a peer in tests: a thin, async handle on one client.

``peer_libraries()`` skips a test where the bindings or grpcio are not installed.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from coincurve import PrivateKey

from xmtp_tee.attestation.address import address_of_public_key
from xmtp_tee.xmtp.signatures import personal_digest

os.environ.setdefault("RUST_LOG", "off")

Signer = Callable[[str], bytes | Awaitable[bytes]]


def bindings() -> Any:
    """The module of the bindings, or a skip."""
    module = pytest.importorskip("xmtp_bindings.xmtpv3", reason="xmtp-bindings is not installed")
    pytest.importorskip("grpc", reason="grpcio is not installed")
    return module


class Wallet:
    """A wallet in the test's own hands."""

    def __init__(self) -> None:
        self._key = PrivateKey(secrets.token_bytes(32))
        raw = address_of_public_key(self._key.public_key.format(compressed=False))
        self.address = "0x" + raw.hex()

    def __call__(self, text: str) -> bytes:
        signature = self._key.sign_recoverable(personal_digest(text), hasher=None)
        return signature[:64] + bytes([signature[64] + 27])


class Peer:
    """One installation of the genuine client."""

    def __init__(self, client: Any, address: str) -> None:
        self.client = client
        self.address = address

    @property
    def inbox_id(self) -> str:
        return self.client.inbox_id()

    @property
    def installation_id(self) -> bytes:
        return self.client.installation_id()

    @classmethod
    async def connect(
        cls,
        url: str,
        address: str,
        signer: Signer,
        database: Path,
        *,
        register: bool = True,
        nonce: int = 1,
    ) -> Peer:
        """Open the database, and register the installation if it is new."""
        x = bindings()
        x.uniffi_set_event_loop(asyncio.get_running_loop())
        api = await x.connect_to_backend(url, None, False, None, None, None, None)
        identifier = x.FfiIdentifier(
            identifier=address, identifier_kind=x.FfiIdentifierKind.ETHEREUM
        )
        inbox = await x.get_inbox_id_for_identifier(api, identifier)
        inbox = inbox or x.generate_inbox_id(identifier, nonce)
        options = x.DbOptions(
            db=str(database), encryption_key=b"\x11" * 32, max_db_pool_size=4, min_db_pool_size=1
        )
        client = await x.create_client(
            api,
            api,
            options,
            inbox,
            identifier,
            nonce,
            None,
            x.FfiDeviceSyncMode.DISABLED,
            False,
            None,
        )
        request = client.signature_request()
        if register and request is not None:
            await sign(request, signer)
            await client.register_identity(request)
        return cls(client, address)

    # --- conversations ----------------------------------------------------------------------------

    async def dm(self, inbox_id: str) -> Any:
        x = bindings()
        options = x.FfiCreateDmOptions(message_disappearing_settings=None)
        return await self.client.conversations().find_or_create_dm(inbox_id, options)

    async def group(self, inbox_ids: list[str], name: str | None = None) -> Any:
        x = bindings()
        options = x.FfiCreateGroupOptions(
            permissions=None,
            group_name=name,
            group_image_url_square=None,
            group_description=None,
            custom_permission_policy_set=None,
            message_disappearing_settings=None,
            app_data=None,
        )
        return await self.client.conversations().create_group(inbox_ids, options)

    async def sync(self) -> None:
        """Fetch welcomes, and every conversation's messages."""
        await self.client.conversations().sync_all_conversations(None)

    def conversations(self) -> list[Any]:
        x = bindings()
        options = x.FfiListConversationsOptions(
            created_after_ns=None,
            created_before_ns=None,
            last_activity_before_ns=None,
            last_activity_after_ns=None,
            order_by=None,
            limit=None,
            consent_states=None,
            include_duplicate_dms=False,
        )
        return [item.conversation() for item in self.client.conversations().list(options)]

    async def installations(self) -> list[bytes]:
        state = await self.client.inbox_state(True)
        return [installation.id for installation in state.installations]


async def sign(request: Any, signer: Signer) -> None:
    """Have a wallet sign what the client asks for."""
    signature = signer(await request.signature_text())
    await request.add_ecdsa_signature(
        signature if isinstance(signature, bytes) else await signature
    )


async def texts(conversation: Any) -> list[str]:
    """The texts of a conversation, oldest first."""
    x = bindings()
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
    return [x.decode_text(found.content) for found in await conversation.find_messages(options)]


def collector() -> Any:
    """A message callback that fills ``received``, an asyncio queue, with texts."""
    x = bindings()
    loop = asyncio.get_running_loop()

    class Collector(x.FfiMessageCallback):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            self.received: asyncio.Queue[str] = asyncio.Queue()
            self.errors: list[str] = []

        def on_message(self, message: Any) -> None:
            if message.kind == x.FfiConversationMessageKind.APPLICATION:
                text = x.decode_text(message.content)
                loop.call_soon_threadsafe(self.received.put_nowait, text)

        def on_error(self, error: Any) -> None:
            self.errors.append(str(error))

        def on_close(self) -> None:
            pass

    return Collector()
