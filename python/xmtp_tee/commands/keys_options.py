"""What the commands on keys share: limits, input, output."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from xmtp_tee.commands.console import Console
from xmtp_tee.commands.keys import key_dict
from xmtp_tee.dates import show_time
from xmtp_tee.errors import UsageError

if TYPE_CHECKING:
    from xmtp_tee.client.key_manager import KeyInfo, KeyLimits

F = TypeVar("F", bound=Callable[..., Any])


def limits_options(function: F) -> F:
    """``--expires-in``, ``--max-uses`` and ``--rate``."""
    for decorator in (
        click.option("--rate", metavar="COUNT/SECONDS", help="At most so many uses in any time."),
        click.option("--max-uses", type=click.IntRange(1), help="Uses of each version, ever."),
        click.option("--expires-in", type=click.IntRange(1, 36_500), metavar="DAYS"),
    ):
        function = decorator(function)
    return function


def idempotency_option(function: F) -> F:
    """``--idempotency-key``."""
    return click.option(
        "--idempotency-key",
        metavar="TEXT",
        help="The same request under the same text is not carried out twice.",
    )(function)


def input_option(function: F) -> F:
    """``--in``: what is worked on."""
    return click.option(
        "--in",
        "source",
        type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
        default="-",
        show_default="stdin",
        help="The file to read.",
    )(function)


def limits_of(expires_in: int | None, max_uses: int | None, rate: str | None) -> KeyLimits | None:
    """Return the limits that the flags describe; None if there are none."""
    from xmtp_tee.client.key_manager import KeyLimits

    if expires_in is None and max_uses is None and rate is None:
        return None
    count = seconds = None
    if rate is not None:
        match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", rate)
        if match is None:
            raise UsageError("--rate is malformed", got=rate[:80], expected="COUNT/SECONDS")
        count, seconds = int(match[1]), int(match[2])
    expires_at = None
    if expires_in is not None:
        expires_at = int(datetime.now(UTC).timestamp()) + expires_in * 86_400
    return KeyLimits(expires_at, max_uses, count, seconds)


def show_key(console: Console, key: KeyInfo) -> None:
    """Print a key after a change."""
    lines = [
        f"{key.id}  {key.purpose} ({key.type})",
        f"state:    {key.state}"
        + (
            ""
            if key.destroy_after is None
            else f", destroyable from {show_time(key.destroy_after)}"
        ),
        f"version:  {key.version}, at least {key.minimum_version}",
    ]
    if key.public_key:
        lines.append(f"public:   0x{key.public_key.hex()}")
    if key.owner is not None:
        lines.append(f"owner:    {key.owner}")
    console.result({"key": key_dict(key)}, lines)


def text_of(data: bytes) -> str:
    """Return bytes as base64."""
    return base64.b64encode(data).decode()


def bytes_of(text: str, name: str) -> bytes:
    """Read base64, or hex after 0x."""
    try:
        if text.startswith("0x"):
            return bytes.fromhex(text[2:])
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise UsageError(
            f"{name} is malformed", got=text[:80], expected="base64, or 0x and hex"
        ) from None
