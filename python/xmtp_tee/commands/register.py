"""``xmtp-tee register``, ``rotate`` and ``revoke``: the transactions of a bundle's owner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xmtp_tee.commands.console import Console
from xmtp_tee.commands.options import (
    chain_options,
    hex_bytes,
    json_option,
    open_chain,
    open_keys,
    open_sender,
    sender_options,
    socket_option,
)

if TYPE_CHECKING:
    from xmtp_tee.client.key_manager import KeyManager
    from xmtp_tee.client.registry import Published, RegistrySync


def _publishing(function: Callable[..., Any]) -> Callable[..., Any]:
    for decorator in (json_option, sender_options, chain_options, socket_option):
        function = decorator(function)
    return function


@click.command()
@click.option("--with-quote", is_flag=True, help="Bring the quote even if the enclave is trusted.")
@_publishing
def register(with_quote: bool, console: Console, **where: Any) -> None:
    """Publish the sender's key bundle; the first time, the enclave's quote comes along."""
    with _opened(console, **where) as (keys, registry, sender):
        identity = keys.get_identity_key(sender)
        with console.progress("registering"):
            done = registry.register_on_chain(identity.id, with_quote=True if with_quote else None)
    _report(console, done, "registered")


@click.command()
@click.option("--expires-at", type=int, metavar="SECONDS", help="Unix time; default: 90 days on.")
@_publishing
def rotate(expires_at: int | None, console: Console, **where: Any) -> None:
    """Make a new pre-key in the enclave and publish it for the sender's bundle."""
    with _opened(console, **where) as (keys, registry, sender):
        identity = keys.get_identity_key(sender)
        registry.get_on_chain_key(sender, identity.public_key)
        pre_key = keys.generate_pre_key(identity.id, expires_at=expires_at)
        with console.progress("rotating"):
            done = registry.rotate_pre_key_on_chain(identity.id, pre_key.id)
    _report(console, done, "rotated")


@click.command()
@_publishing
def renew(console: Console, **where: Any) -> None:
    """Renew the enclave's attestation on chain with a fresh quote; no bundle changes.

    Needed before the attestation expires. Anyone may send it, not only an owner.
    """
    with _opened(console, **where) as (keys, registry, sender):
        with console.progress("attesting"):
            receipt = registry.attest_on_chain()
        authority = keys.info().authority
    console.result(
        {
            "action": "renewed",
            "authority": authority,
            "sender": sender,
            "transaction": receipt.transaction,
            "gas": receipt.gas_used,
        },
        [
            f"renewed the attestation of {authority}",
            f"transaction {receipt.transaction}, gas {receipt.gas_used:,}",
        ],
    )


@click.command()
@click.option(
    "--identity-key", metavar="HEX", help="32 bytes; default: the enclave's key for the sender."
)
@click.option("--yes", is_flag=True, help="Do not ask. A revocation is for ever.")
@_publishing
def revoke(identity_key: str | None, yes: bool, console: Console, **where: Any) -> None:
    """Revoke the sender's bundle. It never comes back; another identity key may be registered."""
    with _opened(console, **where) as (keys, registry, sender):
        key = (
            keys.get_identity_key(sender).public_key
            if identity_key is None
            else hex_bytes(identity_key, "--identity-key", 32)
        )
        if not yes:
            click.confirm(f"Revoke 0x{key.hex()} of {sender} for ever?", abort=True, err=True)
        with console.progress("revoking"):
            receipt = registry.revoke_on_chain(key)
    console.result(
        {
            "action": "revoked",
            "owner": sender,
            "identity_key": "0x" + key.hex(),
            "transaction": receipt.transaction,
            "gas": receipt.gas_used,
        },
        [f"revoked 0x{key.hex()}", f"transaction {receipt.transaction}, gas {receipt.gas_used:,}"],
    )


@contextmanager
def _opened(
    console: Console,
    *,
    socket: Path | None,
    rpc_url: str | None,
    deployment: Path | None,
    keystore: str | None,
    password_file: Path | None,
    unsafe_private_key_env: str | None,
    node_account: str | None,
) -> Iterator[tuple[KeyManager, RegistrySync, str]]:
    chain, where = open_chain(rpc_url, deployment, console)
    from xmtp_tee.client.registry import RegistrySync

    sender = open_sender(keystore, password_file, unsafe_private_key_env, node_account)
    if where.development_root:
        console.say("DEVELOPMENT root: what this registry accepts anyone can forge.", colour="red")
    with open_keys(socket) as keys:
        yield keys, RegistrySync(chain, where, keys, sender), sender.address


def _report(console: Console, done: Published, action: str) -> None:
    certificate, receipt = done.certificate, done.receipt
    console.result(
        {
            "action": action,
            "owner": "0x" + certificate.owner.hex(),
            "identity_key": "0x" + certificate.identity_key.hex(),
            "pre_key": "0x" + certificate.pre_key.hex(),
            "epoch": certificate.epoch,
            "expires_at": certificate.expires_at,
            "authority": done.authority,
            "with_quote": done.with_quote,
            "transaction": receipt.transaction,
            "block": receipt.block_number,
            "gas": receipt.gas_used,
        },
        [
            f"{action} 0x{certificate.identity_key.hex()}",
            f"pre-key epoch {certificate.epoch}, "
            + ("quote verified on chain" if done.with_quote else "enclave attested already"),
            f"transaction {receipt.transaction}, gas {receipt.gas_used:,}",
        ],
    )
