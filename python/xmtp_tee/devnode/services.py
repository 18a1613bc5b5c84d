"""The node's two gRPC services over the network's state.

Every handler runs on one event loop and touches the state without awaiting, so no two requests interleave.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import grpc

from xmtp_tee.devnode.errors import RequestRefusedError
from xmtp_tee.devnode.network import Network
from xmtp_tee.xmtp.errors import XmtpDataError
from xmtp_tee.xmtp.proto import identity_api, mls_api
from xmtp_tee.xmtp.protobuf import Message

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)
M = TypeVar("M")
Context = Any  # grpc.aio.ServicerContext; grpcio has no types


class Subscribers:
    """The open streams by topic. A stream's queue holds what was sent since its history was read."""

    def __init__(self) -> None:
        self._queues: dict[bytes, set[asyncio.Queue[Any]]] = {}

    def publish(self, topic: bytes, item: object) -> None:
        """Hand an item to every stream of the topic."""
        for queue in self._queues.get(topic, ()):
            queue.put_nowait(item)

    def open(self, topics: list[bytes]) -> asyncio.Queue[Any]:
        """Start to collect the topics' items."""
        queue: asyncio.Queue[Any] = asyncio.Queue()
        for topic in topics:
            self._queues.setdefault(topic, set()).add(queue)
        return queue

    def close(self, topics: list[bytes], queue: asyncio.Queue[Any]) -> None:
        """Stop it."""
        for topic in topics:
            self._queues.get(topic, set()).discard(queue)


class Services:
    """Both services. ``clock`` gives nanoseconds."""

    def __init__(self, network: Network, clock: Callable[[], int] = time.time_ns) -> None:
        """Serve this state."""
        self._network = network
        self._clock = clock
        self._groups = Subscribers()
        self._welcomes = Subscribers()

    def handlers(self) -> list[Any]:
        """Return what a gRPC server registers."""
        return [
            grpc.method_handlers_generic_handler(
                identity_api.SERVICE,
                {
                    "PublishIdentityUpdate": _unary(
                        identity_api.PublishIdentityUpdateRequest, self._publish_identity_update
                    ),
                    "GetIdentityUpdates": _unary(
                        identity_api.GetIdentityUpdatesRequest, self._get_identity_updates
                    ),
                    "GetInboxIds": _unary(identity_api.GetInboxIdsRequest, self._get_inbox_ids),
                    "VerifySmartContractWalletSignatures": _unary(
                        identity_api.VerifySmartContractWalletSignaturesRequest,
                        self._verify_wallets,
                    ),
                },
            ),
            grpc.method_handlers_generic_handler(
                mls_api.SERVICE,
                {
                    "RegisterInstallation": _unary(
                        mls_api.RegisterInstallationRequest, self._register_installation
                    ),
                    "UploadKeyPackage": _unary(
                        mls_api.UploadKeyPackageRequest, self._upload_key_package
                    ),
                    "FetchKeyPackages": _unary(
                        mls_api.FetchKeyPackagesRequest, self._fetch_key_packages
                    ),
                    "SendGroupMessages": _unary(
                        mls_api.SendGroupMessagesRequest, self._send_group_messages
                    ),
                    "SendWelcomeMessages": _unary(
                        mls_api.SendWelcomeMessagesRequest, self._send_welcome_messages
                    ),
                    "QueryGroupMessages": _unary(
                        mls_api.QueryGroupMessagesRequest, self._query_group_messages
                    ),
                    "QueryWelcomeMessages": _unary(
                        mls_api.QueryWelcomeMessagesRequest, self._query_welcome_messages
                    ),
                    "GetNewestGroupMessage": _unary(
                        mls_api.GetNewestGroupMessageRequest, self._get_newest_group_message
                    ),
                    "SubscribeGroupMessages": _stream(
                        mls_api.SubscribeGroupMessagesRequest, self._subscribe_groups
                    ),
                    "SubscribeWelcomeMessages": _stream(
                        mls_api.SubscribeWelcomeMessagesRequest, self._subscribe_welcomes
                    ),
                    "BatchPublishCommitLog": _unary(
                        mls_api.BatchPublishCommitLogRequest, self._publish_commit_log
                    ),
                    "BatchQueryCommitLog": _unary(
                        mls_api.BatchQueryCommitLogRequest, self._query_commit_log
                    ),
                },
            ),
        ]

    # --- identity ---------------------------------------------------------------------------------

    def _publish_identity_update(
        self, request: identity_api.PublishIdentityUpdateRequest
    ) -> identity_api.PublishIdentityUpdateResponse:
        if request.identity_update is None:
            raise RequestRefusedError("missing identity update")
        self._network.publish_identity_update(request.identity_update, self._clock())
        return identity_api.PublishIdentityUpdateResponse()

    def _get_identity_updates(
        self, request: identity_api.GetIdentityUpdatesRequest
    ) -> identity_api.GetIdentityUpdatesResponse:
        return identity_api.GetIdentityUpdatesResponse(
            responses=tuple(
                identity_api.IdentityLogResponse(
                    inbox_id=asked.inbox_id,
                    updates=tuple(
                        self._network.identity_updates(asked.inbox_id, asked.sequence_id)
                    ),
                )
                for asked in request.requests
            )
        )

    def _get_inbox_ids(
        self, request: identity_api.GetInboxIdsRequest
    ) -> identity_api.GetInboxIdsResponse:
        return identity_api.GetInboxIdsResponse(
            responses=tuple(
                identity_api.InboxIdResponse(
                    identifier=asked.identifier,
                    identifier_kind=asked.identifier_kind,
                    inbox_id=self._network.inbox_id_of(asked.identifier, asked.identifier_kind),
                )
                for asked in request.requests
            )
        )

    def _verify_wallets(
        self, request: identity_api.VerifySmartContractWalletSignaturesRequest
    ) -> identity_api.VerifySmartContractWalletSignaturesResponse:
        refusal = identity_api.WalletSignatureResponse(
            is_valid=False, error="this development node reads no chain"
        )
        return identity_api.VerifySmartContractWalletSignaturesResponse(
            responses=(refusal,) * len(request.signatures)
        )

    # --- key packages -----------------------------------------------------------------------------

    def _register_installation(
        self, request: mls_api.RegisterInstallationRequest
    ) -> mls_api.RegisterInstallationResponse:
        return mls_api.RegisterInstallationResponse(
            installation_key=self._store_key_package(request.key_package)
        )

    def _upload_key_package(self, request: mls_api.UploadKeyPackageRequest) -> mls_api.Empty:
        self._store_key_package(request.key_package)
        return mls_api.Empty()

    def _store_key_package(self, upload: mls_api.KeyPackageUpload | None) -> bytes:
        if upload is None:
            raise RequestRefusedError("missing key package")
        return self._network.upload_key_package(upload.key_package_tls_serialized)

    def _fetch_key_packages(
        self, request: mls_api.FetchKeyPackagesRequest
    ) -> mls_api.FetchKeyPackagesResponse:
        return mls_api.FetchKeyPackagesResponse(
            key_packages=tuple(
                mls_api.KeyPackageUpload(key_package_tls_serialized=self._network.key_package(key))
                for key in request.installation_keys
            )
        )

    # --- messages ---------------------------------------------------------------------------------

    def _send_group_messages(self, request: mls_api.SendGroupMessagesRequest) -> mls_api.Empty:
        for message in request.messages:
            if message.v1 is None:
                raise RequestRefusedError("A group message of an unknown version")
            stored = self._network.send_group_message(message.v1, self._clock())
            if stored.v1 is not None:
                self._groups.publish(stored.v1.group_id, stored)
        return mls_api.Empty()

    def _send_welcome_messages(self, request: mls_api.SendWelcomeMessagesRequest) -> mls_api.Empty:
        for welcome in request.messages:
            topic, stored = self._network.send_welcome(welcome, self._clock())
            self._welcomes.publish(topic, stored)
        return mls_api.Empty()

    def _query_group_messages(
        self, request: mls_api.QueryGroupMessagesRequest
    ) -> mls_api.QueryGroupMessagesResponse:
        page = self._network.group_messages.page(request.group_id, request.paging_info)
        return mls_api.QueryGroupMessagesResponse(messages=page.items, paging_info=page.paging)

    def _query_welcome_messages(
        self, request: mls_api.QueryWelcomeMessagesRequest
    ) -> mls_api.QueryWelcomeMessagesResponse:
        page = self._network.welcomes.page(request.installation_key, request.paging_info)
        return mls_api.QueryWelcomeMessagesResponse(messages=page.items, paging_info=page.paging)

    def _get_newest_group_message(
        self, request: mls_api.GetNewestGroupMessageRequest
    ) -> mls_api.GetNewestGroupMessageResponse:
        return mls_api.GetNewestGroupMessageResponse(
            responses=tuple(
                mls_api.NewestGroupMessage(
                    group_message=self._network.group_messages.newest(group_id)
                )
                for group_id in request.group_ids
            )
        )

    def _publish_commit_log(self, request: mls_api.BatchPublishCommitLogRequest) -> mls_api.Empty:
        for entry in request.requests:
            self._network.publish_commit_log(entry)
        return mls_api.Empty()

    def _query_commit_log(
        self, request: mls_api.BatchQueryCommitLogRequest
    ) -> mls_api.BatchQueryCommitLogResponse:
        answers = []
        for asked in request.requests:
            page = self._network.commit_log.page(asked.group_id, asked.paging_info)
            answers.append(
                mls_api.QueryCommitLogResponse(
                    group_id=asked.group_id, commit_log_entries=page.items, paging_info=page.paging
                )
            )
        return mls_api.BatchQueryCommitLogResponse(responses=tuple(answers))

    # --- streams ----------------------------------------------------------------------------------

    async def _subscribe_groups(
        self, request: mls_api.SubscribeGroupMessagesRequest
    ) -> AsyncIterator[mls_api.GroupMessage]:
        topics = [asked.group_id for asked in request.filters]
        queue = self._groups.open(topics)
        try:
            for asked in request.filters:
                for stored in self._network.group_messages.after(asked.group_id, asked.id_cursor):
                    queue.put_nowait(stored)
            while True:
                yield await queue.get()
        finally:
            self._groups.close(topics, queue)

    async def _subscribe_welcomes(
        self, request: mls_api.SubscribeWelcomeMessagesRequest
    ) -> AsyncIterator[mls_api.WelcomeMessage]:
        topics = [asked.installation_key for asked in request.filters]
        queue = self._welcomes.open(topics)
        try:
            for asked in request.filters:
                for stored in self._network.welcomes.after(asked.installation_key, asked.id_cursor):
                    queue.put_nowait(stored)
            while True:
                yield await queue.get()
        finally:
            self._welcomes.close(topics, queue)


def _unary(kind: type[Q], answer: Callable[[Q], A]) -> Any:
    async def handle(data: bytes, context: Context) -> bytes:
        try:
            return answer(kind.decode(data)).encode()
        except (RequestRefusedError, XmtpDataError) as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            raise

    return grpc.unary_unary_rpc_method_handler(handle)


def _stream(kind: type[Q], answer: Callable[[Q], AsyncIterator[A]]) -> Any:
    async def handle(data: bytes, context: Context) -> AsyncIterator[bytes]:
        try:
            request = kind.decode(data)
        except XmtpDataError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            raise
        # A client waits for the header before it believes that the stream is open.
        await context.send_initial_metadata(())
        async for item in answer(request):
            yield item.encode()

    return grpc.unary_stream_rpc_method_handler(handle)
