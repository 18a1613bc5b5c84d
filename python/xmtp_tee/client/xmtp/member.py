"""The enclave's XMTP member as coroutines: asks, brings what the enclave needs, asks again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol, TypeVar

from xmtp_tee.client.xmtp.errors import (
    LogTooShortError,
    MemberRefusedError,
    NetworkUnavailableError,
)
from xmtp_tee.client.xmtp.node_api import NodeApi
from xmtp_tee.client.xmtp.paging import pages
from xmtp_tee.wire import messages as wire
from xmtp_tee.wire.errors import MessageUnexpectedError
from xmtp_tee.wire.limits import MAX_LOG_ENTRIES
from xmtp_tee.xmtp.proto.identity_api import IdentityUpdateLog

_ATTEMPTS: Final = 260
"""One operation on a group of 250 inboxes may need as many logs."""

_LAGGING: Final = (0.0, 0.5, 1.0, 2.0)
"""Seconds to wait for a log that reaches as far as a welcome or a commit says, before it counts as a lie."""

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
        :raises LogTooShortError: a log does not reach as far as a member says
        :raises NetworkUnavailableError: the node does not answer
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
        """Bring the newest entries of several logs; return what they say now.

        :raises MemberRefusedError: an entry cannot be verified; the message names the inbox
        :raises NetworkUnavailableError: the node does not answer
        """
        known = [(inbox, self._newest(inbox)) for inbox in dict.fromkeys(inbox_ids)]
        if not known:
            return {}
        logs = await self.node.identity_updates(known)
        for inbox, after in known:
            entries = logs.get(inbox, ())
            if entries or inbox not in self._learned:
                await self._bring(inbox, after, entries)
        return {inbox: self._learned[inbox] for inbox, _ in known}

    async def _bring(
        self, inbox: str, after: int, entries: Sequence[IdentityUpdateLog]
    ) -> wire.XmtpLearned:
        """Have the enclave verify the entries of a log that come after a sequence id."""
        for page in log_pages(entries):
            answer = await self._learn(inbox, after, page)
            if isinstance(answer, wire.XmtpNeedsLog):
                # The enclave has restarted, or has forgotten what it had verified.
                if answer.known >= after:
                    raise MessageUnexpectedError("The enclave asks for what it has")
                logs = await self.node.identity_updates([(inbox, answer.known)])
                return await self._bring(inbox, answer.known, logs.get(inbox, ()))
            self._learned[inbox] = answer
            after = page[-1].sequence_id if page else after
        return self._learned[inbox]

    async def _learn(
        self, inbox: str, after: int, entries: tuple[wire.XmtpLogEntry, ...]
    ) -> wire.XmtpLearned | wire.XmtpNeedsLog:
        operation = wire.XmtpLearn(
            identity_key_id=self.key_id, inbox_id=inbox, entries=entries, after=after
        )
        answer = await self._call(operation)
        match answer:
            case wire.XmtpRefused():
                raise MemberRefusedError(
                    f"The log of inbox {inbox} is refused: {answer.message}", got=answer.code
                )
            case wire.XmtpLearned() | wire.XmtpNeedsLog():
                return answer
            case _:
                raise MessageUnexpectedError(
                    "The enclave answered another question", got=type(answer).__name__
                )

    async def _fetch_log(self, needed: wire.XmtpNeedsLog) -> None:
        """Bring a log as far as it is needed; a node may be a little behind what a member says."""
        inbox, known = needed.inbox_id, needed.known
        for patience in _LAGGING:
            await asyncio.sleep(patience)
            logs = await self.node.identity_updates([(inbox, known)])
            known = (await self._bring(inbox, known, logs.get(inbox, ()))).newest
            if known >= needed.needed:
                return
        raise LogTooShortError(
            "The node does not have an inbox's log as far as a member says it goes",
            got=f"{inbox} up to {known}",
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


def log_pages(entries: Sequence[IdentityUpdateLog]) -> Iterator[tuple[wire.XmtpLogEntry, ...]]:
    """Yield a log's entries, oldest first, as many at a time as one request carries; at least one page."""
    ordered = [
        wire.XmtpLogEntry(sequence_id=each.sequence_id, update=each.update or b"")
        for each in sorted(entries, key=lambda each: each.sequence_id)
    ]
    if not ordered:
        yield ()
    yield from pages(ordered, lambda each: len(each.update), most=MAX_LOG_ENTRIES)
