"""An OWNER as the commands take it, and the one word that answers for a bundle."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

from xmtp_tee.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from xmtp_tee.client.on_chain_key import OnChainKey
    from xmtp_tee.client.published import PublishedKey
    from xmtp_tee.client.registry_reader import RegistryReader

F = TypeVar("F", bound=Callable[..., object])

OWNER_HELP = "OWNER is an address, or agent:ID for an ERC-8004 agent."
_AGENT = re.compile(r"agent:([0-9]{1,78})")

# In order of merit: the best bundle speaks for its owner.
ANSWERS: dict[str, tuple[ExitCode, str]] = {
    "trusted": (ExitCode.VERIFIED, "may be relied on now"),
    "simulated": (
        ExitCode.REFUSED_BY_POLICY,
        "stands under a development root, which anyone can forge",
    ),
    "expired": (ExitCode.REFUSED_BY_POLICY, "its pre-key has expired"),
    "enclave-not-trusted": (ExitCode.REFUSED_BY_POLICY, "its enclave is not trusted now"),
    "agent-transferred": (
        ExitCode.REFUSED_BY_POLICY,
        "its agent has another holder since it was registered",
    ),
    "revoked": (ExitCode.REFUSED_BY_POLICY, "revoked by its owner, for ever"),
    "no-record": (ExitCode.INVALID_EVIDENCE, "the registry holds no such bundle"),
}


def accept_simulated_option(function: F) -> F:
    """``--unsafe-accept-simulated``."""
    return click.option(
        "--unsafe-accept-simulated",
        is_flag=True,
        help="Let a development root count as trusted. For development only.",
    )(function)


def agent_option(function: F) -> F:
    """``--agent``: publish for an agent."""
    return click.option(
        "--agent",
        "agent_id",
        type=click.IntRange(min=0),
        metavar="ID",
        help="For an ERC-8004 agent that the sender controls; its key was made for the agent's handle.",
    )(function)


def is_agent(text: str) -> bool:
    """Return whether this names an agent."""
    return _AGENT.fullmatch(text) is not None


def require_owner(text: str) -> None:
    """Refuse what is no OWNER, before any node is asked.

    :raises UsageError: neither an agent nor an address, or its checksum is wrong
    """
    if is_agent(text):
        return
    if text.startswith("agent:"):
        raise UsageError("this is no agent", got=text[:60], expected="agent: and a decimal number")
    _checked(text)


def resolve_owner(reader: RegistryReader, text: str) -> str:
    """Return the checksummed address under which an OWNER's bundles stand.

    :raises UsageError: as :func:`require_owner`
    """
    require_owner(text)
    match = _AGENT.fullmatch(text)
    if match is not None:
        return reader.agent_owner(int(match.group(1)))
    return _checked(text)


def _checked(text: str) -> str:
    """Return an address, with or without 0x, with its checksum."""
    from xmtp_tee.attestation.address import checksum_address, parse_address

    return checksum_address(parse_address("0x" + text.removeprefix("0x")))


def answer(key: OnChainKey | PublishedKey, *, accept_simulated: bool) -> str:
    """Return the one word for a bundle's standing, one of ``ANSWERS``."""
    from xmtp_tee.assurance import AssuranceLevel
    from xmtp_tee.client.published import Standing

    words = {
        Standing.REVOKED: "revoked",
        Standing.AGENT_TRANSFERRED: "agent-transferred",
        Standing.ENCLAVE_NOT_TRUSTED: "enclave-not-trusted",
        Standing.PRE_KEY_EXPIRED: "expired",
    }
    if key.standing in words:
        return words[key.standing]
    if key.standing is not Standing.TRUSTED:
        return "no-record"
    if key.assurance <= AssuranceLevel.SIMULATED and not accept_simulated:
        return "simulated"
    return "trusted"


def best(answers: list[str]) -> str:
    """Return the best of an owner's answers; ``no-record`` when there are none."""
    return next((name for name in ANSWERS if name in answers), "no-record")
