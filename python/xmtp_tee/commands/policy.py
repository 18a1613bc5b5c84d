"""``xmtp-tee policy``: who may do what in the enclave. The file's format stands in docs/ENCLAVE.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from xmtp_tee.commands.console import Console
from xmtp_tee.commands.files import read_text
from xmtp_tee.commands.lazy import LazyGroup
from xmtp_tee.commands.options import hex_bytes, json_option, open_keys, socket_option

if TYPE_CHECKING:
    from xmtp_tee.policy import Policy

_COMMANDS = {
    "show": ("xmtp_tee.commands.policy:show", "Print the policy in force."),
    "check": ("xmtp_tee.commands.policy:check", "Check a file; with --digest, what owners sign."),
    "apply": ("xmtp_tee.commands.policy:apply", "Put the next policy in force."),
    "new-caller": ("xmtp_tee.commands.policy:new_caller", "Make a client's key, for a policy."),
}


@click.group(cls=LazyGroup, lazy=_COMMANDS)
def policy() -> None:
    """Who may do what in the enclave."""


@click.command("show")
@socket_option
@json_option
def show(socket: Path | None, console: Console) -> None:
    """Print the policy in force, with every default written out."""
    from xmtp_tee.policy import render_policy
    from xmtp_tee.policy.text import policy_digest

    with open_keys(socket) as manager:
        found = manager.get_policy()
    text = render_policy(found)
    console.say(f"version {found.version}, digest {policy_digest(found).hex()}")
    console.result(
        {"policy": json.loads(text), "digest": policy_digest(found).hex()}, text.rstrip()
    )


@click.command("check")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--digest", is_flag=True, help="Print what the owners sign (asks the enclave for its store id)."
)
@socket_option
@json_option
def check(file: Path, digest: bool, socket: Path | None, console: Console) -> None:
    """Check the policy in FILE (TOML or JSON) against itself."""
    from xmtp_tee.policy import approval_digest
    from xmtp_tee.policy.approval import approval_typed_data
    from xmtp_tee.policy.text import policy_digest

    found = _read(file)
    data: dict[str, object] = {"version": found.version, "digest": policy_digest(found).hex()}
    lines = [f"possible: version {found.version}, {len(found.callers)} callers"]
    if digest:
        with open_keys(socket) as manager:
            store_id = bytes.fromhex(manager.info().store_id)
        data["approval_digest"] = "0x" + approval_digest(store_id, found).hex()
        data["typed_data"] = approval_typed_data(store_id, found)
        lines += [f"approval digest: {data['approval_digest']}", json.dumps(data["typed_data"])]
    console.result(data, lines)


@click.command("apply")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--signature", "signatures", multiple=True, metavar="HEX", help="An owner's approval."
)
@socket_option
@json_option
def apply(file: Path, signatures: tuple[str, ...], socket: Path | None, console: Console) -> None:
    """Put the policy in FILE in force: the next version, under the rule of the one before."""
    found = _read(file)
    approvals = [hex_bytes(text, "--signature", 65) for text in signatures]
    with open_keys(socket) as manager:
        made = manager.apply_policy(found, approvals)
    console.result({"version": made.version}, f"in force: version {made.version}")


@click.command("new-caller")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def new_caller(file: Path, console: Console) -> None:
    """Make an Ed25519 key for a client in FILE (mode 0600), and print what the policy names."""
    from xmtp_tee.client.caller import CallerKey

    key = CallerKey.generate()
    key.save(file)
    console.say(f"next: key = {key.public_key.hex()!r} in a [[callers]] of the policy; then")
    console.say(f"      export XMTP_TEE_CALLER_KEY={file}")
    console.result({"key": key.public_key.hex(), "file": str(file)}, key.public_key.hex())


def _read(file: Path) -> Policy:
    from xmtp_tee.policy import check_policy, parse_policy

    found = parse_policy(read_text(file, "policy's file"))
    check_policy(found)
    return found
