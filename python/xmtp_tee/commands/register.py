"""``xmtp-tee register``, ``rotate``, ``renew``, ``revoke`` and ``retire``: what is published, and what ends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xmtp_tee.commands.console import Console
from xmtp_tee.commands.options import (
    ChainChoice,
    SenderChoice,
    chain_options,
    hex_bytes,
    json_option,
    open_keys,
    refuse_unread,
    sender_options,
    socket_option,
)
from xmtp_tee.commands.owners import agent_option
from xmtp_tee.commands.relaying import OwnerChoice, owner_options, submit_batch
from xmtp_tee.errors import UsageError

if TYPE_CHECKING:
    from xmtp_tee.client.accounts import Sender
    from xmtp_tee.client.key_manager import KeyManager
    from xmtp_tee.client.registry import Published, RegistrySync


def _publishing(function: Callable[..., Any]) -> Callable[..., Any]:
    for decorator in (json_option, sender_options, chain_options, socket_option):
        function = decorator(function)
    return function


@click.command(
    epilog="With --batch: exit 0 when every intent is registered, 2 when some were refused; the report says which."
)
@click.option("--with-quote", is_flag=True, help="Bring the quote even if the enclave is trusted.")
@click.option(
    "--batch",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Register what owners signed, in as few transactions as fit; repeat it. No enclave is asked.",
)
@agent_option
@owner_options
@_publishing
def register(
    with_quote: bool,
    files: tuple[Path, ...],
    agent_id: int | None,
    owner: OwnerChoice,
    socket: Path | None,
    where: ChainChoice,
    sender: SenderChoice,
    console: Console,
) -> None:
    """Publish a key bundle; the first time, the enclave's quote comes along.

    It is the sender's own; or with --for somebody else's, who signs here and pays nothing; or with --agent an
    agent's; or with --batch those of many owners, who signed elsewhere (xmtp-tee intent).
    """
    if files:
        if with_quote or agent_id is not None or owner.for_owner is not None:
            raise UsageError("--batch takes no --with-quote, --agent or --for")
        refuse_unread("With --batch no enclave is asked", {"socket": socket})
        submit_batch(console, files, where, sender)
        return
    signer = owner.open()
    with _opened(console, socket, where, sender) as (keys, registry, payer):
        publisher = _publisher(registry, payer, signer, agent_id)
        identity = keys.get_identity_key(publisher)
        with console.progress("registering"):
            done = registry.register_on_chain(
                identity.id,
                with_quote=True if with_quote else None,
                for_owner=signer,
                agent_id=agent_id,
            )
    _report(console, done, "registered")


@click.command()
@click.option("--expires-at", type=int, metavar="SECONDS", help="Unix time; default: 90 days on.")
@agent_option
@owner_options
@_publishing
def rotate(
    expires_at: int | None,
    agent_id: int | None,
    owner: OwnerChoice,
    socket: Path | None,
    where: ChainChoice,
    sender: SenderChoice,
    console: Console,
) -> None:
    """Make a new pre-key in the enclave and publish it: for the sender, --for an owner, or an --agent."""
    signer = owner.open()
    with _opened(console, socket, where, sender) as (keys, registry, payer):
        publisher = _publisher(registry, payer, signer, agent_id)
        identity = keys.get_identity_key(publisher)
        registry.get_on_chain_key(publisher, identity.public_key)
        pre_key = keys.generate_pre_key(identity.id, expires_at=expires_at)
        with console.progress("rotating"):
            done = registry.rotate_pre_key_on_chain(
                identity.id, pre_key.id, for_owner=signer, agent_id=agent_id
            )
    _report(console, done, "rotated")


@click.command()
@_publishing
def renew(socket: Path | None, where: ChainChoice, sender: SenderChoice, console: Console) -> None:
    """Renew the enclave's attestation on chain with a fresh quote, by each kind of TEE; no bundle changes.

    Needed before the attestation expires. Anyone may send it, not only an owner.
    """
    with _opened(console, socket, where, sender) as (keys, registry, payer):
        with console.progress("attesting"):
            receipt = registry.attest_on_chain()
            further = {tee.label: registry.attest_on_chain(tee) for tee in registry.further_tees}
        authority = keys.info().authority
    console.result(
        {
            "action": "renewed",
            "authority": authority,
            "sender": payer,
            "transaction": receipt.transaction,
            "gas": receipt.gas_used,
            "further": {tee: more.transaction for tee, more in further.items()},
        },
        [
            f"renewed the attestation of {authority}",
            f"transaction {receipt.transaction}, gas {receipt.gas_used:,}",
            *(
                f"by {tee} too: transaction {more.transaction}, gas {more.gas_used:,}"
                for tee, more in further.items()
            ),
        ],
    )


@click.command()
@click.option(
    "--identity-key", metavar="HEX", help="32 bytes; default: the enclave's key for the sender."
)
@click.option("--yes", is_flag=True, help="Do not ask. A revocation is for ever.")
@agent_option
@owner_options
@_publishing
def revoke(
    identity_key: str | None,
    yes: bool,
    agent_id: int | None,
    owner: OwnerChoice,
    socket: Path | None,
    where: ChainChoice,
    sender: SenderChoice,
    console: Console,
) -> None:
    """Revoke a bundle: the sender's, or --for an owner, or an --agent's.

    It never comes back; another identity key may be registered.
    """
    named = None if identity_key is None else hex_bytes(identity_key, "--identity-key", 32)
    signer = owner.open()
    with _opened(console, socket, where, sender) as (keys, registry, payer):
        publisher = _publisher(registry, payer, signer, agent_id)
        key = keys.get_identity_key(publisher).public_key if named is None else named
        if not yes:
            click.confirm(f"Revoke 0x{key.hex()} of {publisher} for ever?", abort=True, err=True)
        with console.progress("revoking"):
            receipt = registry.revoke_on_chain(key, for_owner=signer, agent_id=agent_id)
    console.result(
        {
            "action": "revoked",
            "owner": publisher,
            "identity_key": "0x" + key.hex(),
            "transaction": receipt.transaction,
            "gas": receipt.gas_used,
        },
        [f"revoked 0x{key.hex()}", f"transaction {receipt.transaction}, gas {receipt.gas_used:,}"],
    )


@click.command()
@click.option(
    "--signature",
    metavar="HEX",
    required=True,
    help="The authority's signature over RetireEnclave (EIP-712), 65 bytes.",
)
@click.option("--authority", metavar="ADDRESS", required=True, help="The enclave to retire.")
@click.option("--yes", is_flag=True, help="Do not ask. A retirement is for ever.")
@chain_options
@sender_options
@json_option
def retire(
    signature: str,
    authority: str,
    yes: bool,
    where: ChainChoice,
    sender: SenderChoice,
    console: Console,
) -> None:
    """End an enclave's standing for ever, with its own signature. Anyone may send it.

    Every bundle that it certified loses its standing; the owners register others with another enclave.
    """
    from xmtp_tee.attestation.address import checksum_address, parse_address

    signed = hex_bytes(signature, "--signature", 65)
    who = checksum_address(parse_address(authority))
    chain, deployment, account = where.connect_as(sender, console)
    from xmtp_tee.client.registry_reader import RegistryReader
    from xmtp_tee.client.relay import retire_enclave

    if not yes:
        click.confirm(f"Retire the enclave {who} for ever?", abort=True, err=True)
    with console.progress("retiring"):
        receipt = retire_enclave(RegistryReader(chain, deployment), who, signed, account)
    console.result(
        {
            "action": "retired",
            "authority": who,
            "transaction": receipt.transaction,
            "gas": receipt.gas_used,
        },
        [f"retired {who}", f"transaction {receipt.transaction}, gas {receipt.gas_used:,}"],
    )


def _publisher(
    registry: RegistrySync, payer: str, signer: Sender | None, agent_id: int | None
) -> str:
    """Return the address under which the bundle stands."""
    if agent_id is not None:
        return registry.reader.agent_owner(agent_id)
    return payer if signer is None else signer.address


@contextmanager
def _opened(
    console: Console, socket: Path | None, where: ChainChoice, sender: SenderChoice
) -> Iterator[tuple[KeyManager, RegistrySync, str]]:
    chain, deployment, account = where.connect_as(sender, console)
    from xmtp_tee.client.registry import RegistrySync

    if deployment.development_root:
        console.say("DEVELOPMENT root: what this registry accepts anyone can forge.", colour="red")
    with open_keys(socket) as keys:
        yield keys, RegistrySync(chain, deployment, keys, account), account.address


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
            "further": [more.transaction for more in done.further],
        },
        [
            f"{action} 0x{certificate.identity_key.hex()}",
            f"pre-key epoch {certificate.epoch}, "
            + ("quote verified on chain" if done.with_quote else "enclave attested already"),
            f"transaction {receipt.transaction}, gas {receipt.gas_used:,}",
            *(
                f"attested by a further kind of TEE: transaction {more.transaction}, gas {more.gas_used:,}"
                for more in done.further
            ),
        ],
    )
