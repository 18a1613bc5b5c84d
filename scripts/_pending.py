"""What is announced under the policy's lock: from its events, checked against its view."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import click
from ape import networks
from eth_abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils import keccak

from xmtp_tee.client.abi import contract_abi, selector, signature

SCHEDULE_ADDITION = bytes(keccak(text="scheduleAddition(bytes)"))[:4]


@dataclass(frozen=True)
class Addition:
    """One announced addition; times in unix seconds."""

    id: bytes
    call: bytes
    executable_at: int
    lapses_at: int

    def in_words(self, now: int) -> str:
        """Return the call with its arguments, and when it may be sent."""
        at = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(self.executable_at))
        when = f"from {at} on"
        if now >= self.lapses_at:
            when = "LAPSED"
        elif now >= self.executable_at:
            until = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(self.lapses_at))
            when = f"NOW, until {until}"
        return f"0x{self.id.hex()}  {describe(self.call)}  {when}"


def addition_id(call: bytes) -> bytes:
    """Keccak-256 of the calldata: what the policy names an addition by."""
    return bytes(keccak(call))


def pending_additions(policy: Any, first_block: int, now: int) -> list[Addition]:
    """Every addition that is announced and neither made, cancelled nor void; lapsed ones too."""
    latest = networks.provider.get_block("latest").number
    calls = {
        bytes(log.id): bytes(log.call)
        for log in policy.AdditionScheduled.range(first_block, latest + 1)
    }
    found = []
    for identifier, call in calls.items():
        executable_at, lapses_at = policy.scheduledAddition(identifier)
        if executable_at != 0:
            found.append(Addition(identifier, call, executable_at, lapses_at))
    return sorted(found, key=lambda addition: addition.executable_at)


def announced_call(call: bytes) -> bytes:
    """Return what ``scheduleAddition`` would announce; calldata of another function is the addition itself."""
    if call[:4] != SCHEDULE_ADDITION:
        return call
    try:
        (inner,) = decode(["bytes"], call[4:])
    except DecodingError as error:
        raise click.ClickException(f"not a call of scheduleAddition: {error}") from error
    return bytes(inner)


def describe(call: bytes) -> str:
    """A call of the policy in words: its name and its arguments."""
    for entry in contract_abi("EnclavePolicy"):
        if entry["type"] == "function" and selector(entry) == call[:4]:
            types = [parameter["type"] for parameter in entry["inputs"]]
            values = decode(types, call[4:])
            inner = ", ".join(
                f"{parameter['name']} {in_words(value)}"
                for parameter, value in zip(entry["inputs"], values, strict=True)
            )
            return f"{signature(entry).split('(')[0]}({inner})"
    return "0x" + call.hex()


def in_words(value: Any) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
