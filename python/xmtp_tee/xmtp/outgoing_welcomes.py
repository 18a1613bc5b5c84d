"""The welcomes that a commit owes, and what goes to the node of them: sealed to each, or behind one pointer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from xmtp_tee.hpke import Entropy, HpkeError
from xmtp_tee.xmtp.conversation_events import Welcoming
from xmtp_tee.xmtp.errors import WelcomesTooLargeError
from xmtp_tee.xmtp.key_packages import PeerKeyPackage
from xmtp_tee.xmtp.proto.mls_api import (
    WelcomeMessageInput,
    WelcomeMessageInputV1,
    WelcomePointerInput,
    WelcomeWrapperAlgorithm,
)
from xmtp_tee.xmtp.welcome import wrap, wrap_behind_pointer, wrap_pointer

POINTER_THRESHOLD: Final = 2
"""With more installations than this that read pointers, one welcome serves them all (XIP-74)."""

MAX_WELCOMES: Final = 1 << 20
"""Bytes of all welcomes that one commit may owe."""

_ENVELOPE: Final = 2 << 10
"""More bytes than a wrapping adds to a welcome, and than a pointer to one has."""

_XWING: Final = WelcomeWrapperAlgorithm.XWING_MLKEM_768_DRAFT_6


def owed_to(packages: Sequence[PeerKeyPackage], welcome: bytes) -> tuple[Welcoming, ...]:
    """Return the welcomes that a commit owes to those whom it adds by these key packages.

    :raises WelcomesTooLargeError: they have more bytes than ``MAX_WELCOMES``, so they could not leave at once
    """
    owed = tuple(
        Welcoming(
            package.participant.installation,
            package.wrapper_key,
            int(package.wrapper_algorithm),
            package.reads_pointers,
            welcome,
        )
        for package in packages
    )
    single, pointed = _split(owed)
    welcomes = [*single, *pointed[:1]]
    size = sum(len(each.welcome) for each in welcomes) + _ENVELOPE * (len(owed) + 1)
    if size > MAX_WELCOMES:
        raise WelcomesTooLargeError(
            "A commit's welcomes are too large", got=f"{size} bytes", expected=MAX_WELCOMES
        )
    return owed


def seal_welcomes(
    owed: Sequence[Welcoming], message_cursor: int, *, entropy: Entropy
) -> list[WelcomeMessageInput]:
    """Return what is sent to the node. ``message_cursor``: the node's id of the commit that won.

    A welcome behind a pointer comes before its pointers, so that none leads nowhere. An installation whose
    wrapper key cannot be used gets none: the commit has won, and the others must not wait for it.
    """
    single, pointed = _split(owed)
    return [
        *(
            sealed
            for each in single
            if (sealed := _sealed(each, message_cursor, entropy=entropy)) is not None
        ),
        *_behind_pointer(pointed, message_cursor, entropy=entropy),
    ]


def _split(owed: Sequence[Welcoming]) -> tuple[list[Welcoming], list[Welcoming]]:
    """Return (those who get a welcome each, those for whom one lies behind pointers)."""
    single: list[Welcoming] = []
    pointed: list[Welcoming] = []
    for each in owed:
        reads = each.reads_pointers and each.wrapper_algorithm == _XWING
        (pointed if reads else single).append(each)
    return (single, pointed) if len(pointed) > POINTER_THRESHOLD else (list(owed), [])


def _sealed(
    each: Welcoming, message_cursor: int, *, entropy: Entropy
) -> WelcomeMessageInput | None:
    algorithm = WelcomeWrapperAlgorithm(each.wrapper_algorithm)
    try:
        wrapped = wrap(each.welcome, message_cursor, each.wrapper_key, algorithm, entropy=entropy)
    except HpkeError:
        return None
    return WelcomeMessageInput(
        v1=WelcomeMessageInputV1(
            installation_key=each.installation,
            data=wrapped.data,
            hpke_public_key=each.wrapper_key,
            wrapper_algorithm=algorithm,
            welcome_metadata=wrapped.metadata,
        )
    )


def _behind_pointer(
    owed: Sequence[Welcoming], message_cursor: int, *, entropy: Entropy
) -> list[WelcomeMessageInput]:
    if not owed:
        return []
    lying = wrap_behind_pointer(owed[0].welcome, message_cursor, entropy=entropy)
    welcome = WelcomeMessageInput(
        v1=WelcomeMessageInputV1(
            installation_key=lying.destination,
            data=lying.wrapped.data,
            wrapper_algorithm=WelcomeWrapperAlgorithm.SYMMETRIC_KEY,
            welcome_metadata=lying.wrapped.metadata,
        )
    )
    pointers = [_pointer(lying.pointer, each, entropy=entropy) for each in owed]
    return [welcome, *(pointer for pointer in pointers if pointer is not None)]


def _pointer(pointer: bytes, each: Welcoming, *, entropy: Entropy) -> WelcomeMessageInput | None:
    try:
        sealed = wrap_pointer(pointer, each.wrapper_key, _XWING, entropy=entropy)
    except HpkeError:
        return None
    return WelcomeMessageInput(
        welcome_pointer=WelcomePointerInput(
            installation_key=each.installation,
            welcome_pointer=sealed,
            hpke_public_key=each.wrapper_key,
            wrapper_algorithm=_XWING,
        )
    )
