"""The enclave's XMTP member as coroutines: asks, brings what the enclave needs, asks again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, Protocol, TypeVar

from xmtp_tee.client.xmtp.errors import MemberRefusedError, NetworkUnavailableError
from xmtp_tee.client.xmtp.node_api import NodeApi
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.errors import MessageUnexpectedError

_ATTEMPTS: Final = 260
"""One operation on a group of 250 inboxes may need as many logs."""

R = TypeVar("R", bound=wire.Message)


class Enclave(Protocol):
    """A connection to an enclave."""

    def call(self, operation: Any) -> Any:
        """Send one operation and return its result."""
        ...


class Member:
    """One installation in the enclave, and the node that it lives at."""

    def __init__(self, enclave: Enclave, node: NodeApi, identity_key_id: str) -> None:
        self.node: Final = node
        self.key_id: Final = identity_key_id
        self._enclave = enclave
        self._learned: dict[str, wire.XmtpLearned] = {}

    async def ask(self, operation: wire.Message, expected: type[R]) -> R:
        """Carry out an operation; fetch the logs and key packages that it needs on the way.

        :raises MemberRefusedError: what the network brought breaks a rule
        :raises NetworkUnavailableError: the node does not have what is needed
        """
        for _ in range(_ATTEMPTS):
            result = await self._call(operation)
            match result:
                case wire.XmtpNeedsLog():
                    await self._fetch_log(result)
                case wire.XmtpNeedsKeyPackages():
                    operation = await self._with_key_packages(operation, result)
                case wire.XmtpRefused():
                    raise MemberRefusedError(result.message, got=result.code)
                case _ if isinstance(result, expected):
                    return result
                case _:
                    raise MessageUnexpectedError(
                        "The enclave answered another question",
                        got=type(result).__name__,
                        expected=expected.__name__,
                    )
        raise NetworkUnavailableError(
            "The node's logs lead nowhere", expected=f"{_ATTEMPTS} at most"
        )

    async def learn(self, inbox_ids: Sequence[str]) -> dict[str, wire.XmtpLearned]:
        """Bring the newest entries of several logs; return what they say now."""
        known = [(inbox, self._newest(inbox)) for inbox in dict.fromkeys(inbox_ids)]
        if not known:
            return {}
        logs = await self.node.identity_updates(known)
        for inbox, _ in known:
            entries = tuple(
                wire.XmtpLogEntry(sequence_id=entry.sequence_id, update=entry.update or b"")
                for entry in logs.get(inbox, ())
            )
            if entries or inbox not in self._learned:
                await self._learn(inbox, entries)
        return {inbox: self._learned[inbox] for inbox, _ in known}

    async def _learn(self, inbox: str, entries: tuple[wire.XmtpLogEntry, ...]) -> None:
        learned = await self._call(wire.XmtpLearn(inbox_id=inbox, entries=entries))
        if isinstance(learned, wire.XmtpRefused):
            raise MemberRefusedError(learned.message, got=learned.code)
        self._learned[inbox] = learned

    async def _fetch_log(self, needed: wire.XmtpNeedsLog) -> None:
        # The enclave may have restarted and forgotten what it had verified.
        logs = await self.node.identity_updates([(needed.inbox_id, needed.known)])
        entries = tuple(
            wire.XmtpLogEntry(sequence_id=entry.sequence_id, update=entry.update or b"")
            for entry in logs.get(needed.inbox_id, ())
        )
        await self._learn(needed.inbox_id, entries)
        if self._newest(needed.inbox_id) < needed.needed:
            raise NetworkUnavailableError(
                "The node does not have an inbox's log as far as it is needed",
                got=f"{needed.inbox_id} up to {self._newest(needed.inbox_id)}",
                expected=needed.needed,
            )

    async def _with_key_packages(
        self, operation: wire.Message, needed: wire.XmtpNeedsKeyPackages
    ) -> wire.Message:
        if not isinstance(operation, wire.XmtpChangeMembers):
            raise MessageUnexpectedError("The enclave asks for key packages to no end")
        offered = {each.installation for each in operation.key_packages}
        if offered & set(needed.installations):
            raise MessageUnexpectedError("The enclave asks for the same key packages again")
        packages = await self.node.key_packages(needed.installations)
        brought = tuple(
            wire.XmtpNewInstallation(installation=installation, key_package=package)
            for installation, package in zip(needed.installations, packages, strict=True)
        )
        return wire.XmtpChangeMembers(
            identity_key_id=operation.identity_key_id,
            group_id=operation.group_id,
            add=operation.add,
            remove=operation.remove,
            key_packages=(*operation.key_packages, *brought),
        )

    def _newest(self, inbox: str) -> int:
        learned = self._learned.get(inbox)
        return learned.newest if learned is not None else 0

    async def _call(self, operation: wire.Message) -> Any:
        # The connection blocks, and takes one request at a time.
        return await asyncio.to_thread(self._enclave.call, operation)
