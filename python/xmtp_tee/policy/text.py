"""A policy as text: TOML or JSON for people, MessagePack for the store."""

from __future__ import annotations

import hashlib
import json
import tomllib
from typing import Final

import msgspec

from xmtp_tee.policy.document import Policy
from xmtp_tee.wire.refusals import PolicyInvalidError

MAX_POLICY: Final = 64 << 10
"""Bytes of a policy as text or encoded."""

_encoder: Final = msgspec.msgpack.Encoder(order="deterministic")
_decoder: Final = msgspec.msgpack.Decoder(Policy)


def parse_policy(text: str) -> Policy:
    """Read TOML, or JSON if it begins with ``{``. Its meaning is not checked here.

    :raises PolicyInvalidError: naming the line or the field that is wrong
    """
    if len(text) > MAX_POLICY:
        raise PolicyInvalidError(
            "The policy is too long", got=f"{len(text)} characters", expected=f"<= {MAX_POLICY}"
        )
    try:
        plain = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
        return msgspec.convert(plain, Policy)
    except (ValueError, RecursionError) as error:
        raise PolicyInvalidError("The policy cannot be read", got=str(error)[:300]) from None


def render_policy(policy: Policy) -> str:
    """Return the policy as JSON, with every default written out; :func:`parse_policy` reads it."""
    return json.dumps(_without_none(msgspec.to_builtins(policy)), indent=2) + "\n"


def encode_policy(policy: Policy) -> bytes:
    """Return the policy as it is stored and signed: one encoding for each."""
    return _encoder.encode(policy)


def decode_policy(data: bytes | bytearray) -> Policy:
    """Return what :func:`encode_policy` wrote.

    :raises PolicyInvalidError: if it is anything else
    """
    if len(data) > MAX_POLICY:
        raise PolicyInvalidError(
            "The policy is too long", got=f"{len(data)} bytes", expected=f"at most {MAX_POLICY}"
        )
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, OverflowError) as error:
        raise PolicyInvalidError("The policy cannot be read", got=str(error)[:300]) from None


def policy_digest(policy: Policy) -> bytes:
    """Return the 32-byte SHA-256 digest of a policy's encoding."""
    return hashlib.sha256(encode_policy(policy)).digest()


def _without_none(value: object) -> object:
    if isinstance(value, dict):
        return {name: _without_none(each) for name, each in value.items() if each is not None}
    if isinstance(value, list | tuple):
        return [_without_none(each) for each in value]
    return value
