"""A node's services as coroutines. It moves bytes: nothing that a node says is believed because of this.

Plain HTTP/2 for ``http://`` URLs (the local network), TLS for ``https://``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import grpc
import grpc.aio

from xmtp_tee.client.urls import http_url
from xmtp_tee.client.xmtp.errors import NetworkRefusedError, NetworkUnavailableError
from xmtp_tee.xmtp.errors import XmtpDataError
from xmtp_tee.xmtp.proto import identity_api, mls_api
from xmtp_tee.xmtp.proto.identity import IdentifierKind
from xmtp_tee.xmtp.protobuf import Message

TIMEOUT: Final = 15.0
"""Seconds until a request is given up."""

MAX_MESSAGE: Final = 25 * 1024 * 1024
_REFUSALS: Final = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)
A = TypeVar("A", bound=Message)


class NodeApi:
    """One connection to a node. An async context manager."""

    def __init__(self, url: str, *, timeout: float = TIMEOUT) -> None:
        """Prepare a connection; nothing is sent yet.

        :raises UsageError: the URL is neither http nor https
        """
        parts = http_url(url, "an XMTP node")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        target = f"{parts.hostname}:{port}"
        options = [
            ("grpc.max_receive_message_length", MAX_MESSAGE),
            ("grpc.max_send_message_length", MAX_MESSAGE),
        ]
        self.url = url
        self._timeout = timeout
        self._channel: Any = (
            grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(), options=options)
            if parts.scheme == "https"
            else grpc.aio.insecure_channel(target, options=options)
        )

    async def close(self) -> None:
        """Cut the connection and its streams."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    # --- identity ---------------------------------------------------------------------------------

    async def inbox_ids(self, addresses: Sequence[str]) -> list[str | None]:
        """Return the inbox of each wallet address (``0x`` and lower-case hex), None where there is none."""
        request = identity_api.GetInboxIdsRequest(
            requests=tuple(
                identity_api.InboxIdRequest(
                    identifier=address, identifier_kind=IdentifierKind.ETHEREUM
                )
                for address in addresses
            )
        )
        answer = await self._call(
            identity_api.SERVICE, "GetInboxIds", request, identity_api.GetInboxIdsResponse
        )
        found = {response.identifier: response.inbox_id for response in answer.responses}
        return [found.get(address) for address in addresses]

    async def identity_updates(
        self, after: Sequence[tuple[str, int]]
    ) -> dict[str, tuple[identity_api.IdentityUpdateLog, ...]]:
        """Return the entries of several inboxes' logs, each after a sequence id."""
        request = identity_api.GetIdentityUpdatesRequest(
            requests=tuple(
                identity_api.IdentityLogRequest(inbox_id=inbox_id, sequence_id=sequence)
                for inbox_id, sequence in after
            )
        )
        answer = await self._call(
            identity_api.SERVICE,
            "GetIdentityUpdates",
            request,
            identity_api.GetIdentityUpdatesResponse,
        )
        return {response.inbox_id: response.updates for response in answer.responses}

    async def publish_identity_update(self, update: bytes) -> None:
        """Append an update to its inbox's log."""
        await self._call(
            identity_api.SERVICE,
            "PublishIdentityUpdate",
            identity_api.PublishIdentityUpdateRequest(identity_update=update),
            identity_api.PublishIdentityUpdateResponse,
        )

    # --- key packages -----------------------------------------------------------------------------

    async def upload_key_package(self, key_package: bytes) -> None:
        """Replace the key package of the installation that signed it."""
        request = mls_api.UploadKeyPackageRequest(
            key_package=mls_api.KeyPackageUpload(key_package_tls_serialized=key_package),
            is_inbox_id_credential=True,
        )
        await self._call(mls_api.SERVICE, "UploadKeyPackage", request, mls_api.Empty)

    async def key_packages(self, installations: Sequence[bytes]) -> list[bytes | None]:
        """Return each installation's key package, None where there is none."""
        answer = await self._call(
            mls_api.SERVICE,
            "FetchKeyPackages",
            mls_api.FetchKeyPackagesRequest(installation_keys=tuple(installations)),
            mls_api.FetchKeyPackagesResponse,
        )
        if len(answer.key_packages) != len(installations):
            raise NetworkUnavailableError(
                "The node answered for another number of installations",
                got=len(answer.key_packages),
                expected=len(installations),
            )
        return [package.key_package_tls_serialized or None for package in answer.key_packages]

    # --- messages ---------------------------------------------------------------------------------

    async def send_group_messages(self, messages: Sequence[mls_api.GroupMessageInputV1]) -> None:
        """Append messages to the groups that they name."""
        request = mls_api.SendGroupMessagesRequest(
            messages=tuple(mls_api.GroupMessageInput(v1=message) for message in messages)
        )
        await self._call(mls_api.SERVICE, "SendGroupMessages", request, mls_api.Empty)

    async def send_welcomes(self, welcomes: Sequence[mls_api.WelcomeMessageInput]) -> None:
        """Append welcomes to the topics that they name."""
        request = mls_api.SendWelcomeMessagesRequest(messages=tuple(welcomes))
        await self._call(mls_api.SERVICE, "SendWelcomeMessages", request, mls_api.Empty)

    async def group_messages(self, group_id: bytes, after: int) -> list[mls_api.GroupMessageV1]:
        """Return a group's messages whose id is greater than ``after``, oldest first."""
        found: list[mls_api.GroupMessageV1] = []
        while True:
            answer = await self._call(
                mls_api.SERVICE,
                "QueryGroupMessages",
                mls_api.QueryGroupMessagesRequest(
                    group_id=group_id, paging_info=_page_after(found[-1].id if found else after)
                ),
                mls_api.QueryGroupMessagesResponse,
            )
            page = [message.v1 for message in answer.messages if message.v1 is not None]
            found += _growing(page, found[-1].id if found else after)
            if answer.paging_info is None or not answer.paging_info.id_cursor or not page:
                return found

    async def welcomes(self, topic: bytes, after: int) -> list[mls_api.WelcomeMessage]:
        """Return a topic's welcomes whose id is greater than ``after``, oldest first."""
        found: list[mls_api.WelcomeMessage] = []
        cursor = after
        while True:
            answer = await self._call(
                mls_api.SERVICE,
                "QueryWelcomeMessages",
                mls_api.QueryWelcomeMessagesRequest(
                    installation_key=topic, paging_info=_page_after(cursor)
                ),
                mls_api.QueryWelcomeMessagesResponse,
            )
            found += answer.messages
            newest = max((welcome_id(message) for message in answer.messages), default=cursor)
            done = answer.paging_info is None or not answer.paging_info.id_cursor
            if done or newest <= cursor:
                return found
            cursor = newest

    # --- streams ----------------------------------------------------------------------------------

    async def stream_group_messages(
        self, cursors: Sequence[tuple[bytes, int]]
    ) -> AsyncIterator[mls_api.GroupMessageV1]:
        """Yield the messages of several groups, each after an id, and then as they come."""
        request = mls_api.SubscribeGroupMessagesRequest(
            filters=tuple(
                mls_api.GroupFilter(group_id=group_id, id_cursor=cursor)
                for group_id, cursor in cursors
            )
        )
        async for message in self._stream("SubscribeGroupMessages", request, mls_api.GroupMessage):
            if message.v1 is not None:
                yield message.v1

    async def stream_welcomes(
        self, installation: bytes, after: int
    ) -> AsyncIterator[mls_api.WelcomeMessage]:
        """Yield an installation's welcomes after an id, and then as they come."""
        request = mls_api.SubscribeWelcomeMessagesRequest(
            filters=(mls_api.WelcomeFilter(installation_key=installation, id_cursor=after),)
        )
        async for message in self._stream(
            "SubscribeWelcomeMessages", request, mls_api.WelcomeMessage
        ):
            yield message

    # --- calls ------------------------------------------------------------------------------------

    async def _call(self, service: str, method: str, request: Message, answer: type[A]) -> A:
        call = self._channel.unary_unary(f"/{service}/{method}")
        try:
            return answer.decode(await call(request.encode(), timeout=self._timeout))
        except grpc.aio.AioRpcError as error:
            raise _typed(error, method, self.url) from error
        except XmtpDataError as error:
            raise NetworkUnavailableError(
                f"The node's answer to {method} cannot be read", cause=str(error)
            ) from error

    async def _stream(self, method: str, request: Message, item: type[A]) -> AsyncIterator[A]:
        call = self._channel.unary_stream(f"/{mls_api.SERVICE}/{method}")(request.encode())
        try:
            async for encoded in call:
                yield item.decode(encoded)
        except grpc.aio.AioRpcError as error:
            raise _typed(error, method, self.url) from error
        except XmtpDataError as error:
            raise NetworkUnavailableError(
                f"The node's {method} cannot be read", cause=str(error)
            ) from error
        finally:
            call.cancel()


def welcome_id(message: mls_api.WelcomeMessage) -> int:
    """Return the node's id of a welcome or of a welcome pointer; 0 of an unknown version."""
    inner = message.v1 or message.welcome_pointer
    return inner.id if inner is not None else 0


def _page_after(cursor: int) -> mls_api.PagingInfo:
    return mls_api.PagingInfo(
        direction=mls_api.SortDirection.ASCENDING, limit=100, id_cursor=cursor
    )


def _growing(page: Sequence[mls_api.GroupMessageV1], after: int) -> list[mls_api.GroupMessageV1]:
    """Refuse a node that would have us read the same page for ever."""
    for message in page:
        if message.id <= after:
            raise NetworkUnavailableError(
                "The node's message ids do not grow", got=message.id, expected=f"more than {after}"
            )
        after = message.id
    return list(page)


def _typed(error: Any, method: str, url: str) -> NetworkRefusedError | NetworkUnavailableError:
    detail = str(error.details() or error.code().name)[:300]
    if error.code() in _REFUSALS:
        return NetworkRefusedError(f"The node refused {method}", cause=detail)
    return NetworkUnavailableError(f"The node did not answer {method}", got=url, cause=detail)
