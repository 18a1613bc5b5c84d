"""What the policy's owner and guardians may do to the registries: stop, resume, end an authority.

ape run registry pause                          # owner or guardian: no registration, no rotation
ape run registry unpause                        # owner
ape run registry revoke-enclave 0xAUTHORITY     # owner: this authority never counts again
"""

from __future__ import annotations

import click
from ape.cli import ConnectedProviderCommand

from scripts._acts import Actor, act_options
from scripts._policy_words import account


@click.group()
def cli() -> None:
    """Stop and resume the key registry; end an enclave's authority."""


@cli.command(cls=ConnectedProviderCommand)
@act_options
def pause(actor: Actor) -> None:
    """Stop registration and rotation. Revocation and reading go on. Owner or guardian."""
    if actor.act("KeyRegistry", "pause"):
        click.echo("paused: nothing is registered or rotated until the owner unpauses")


@cli.command(cls=ConnectedProviderCommand)
@act_options
def unpause(actor: Actor) -> None:
    """Let registration and rotation go on. The policy's owner."""
    if actor.act("KeyRegistry", "unpause"):
        click.echo("unpaused")


@cli.command("revoke-enclave", cls=ConnectedProviderCommand)
@click.argument("authority")
@act_options
def revoke_enclave(actor: Actor, authority: str) -> None:
    """End AUTHORITY for good, attested ever or not. The policy's owner."""
    if actor.act("EnclaveRegistry", "revoke", account(authority)):
        click.echo(f"revoked for ever: {account(authority)}")
