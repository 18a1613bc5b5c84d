"""``xmtp-tee keys sign | intent``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from xmtp_tee.commands.console import Console
from xmtp_tee.commands.files import read_input, write_text
from xmtp_tee.commands.keys_options import input_option
from xmtp_tee.commands.options import json_option, open_keys, socket_option
from xmtp_tee.errors import UsageError


@click.command("sign")
@click.argument("key_id")
@click.option(
    "--as",
    "kind",
    type=click.Choice(["message", "identity-text", "typed-data"]),
    default="message",
    show_default=True,
    help="message: Ed25519ph, XMTP's public context. identity-text: XMTP's, parsed and checked. "
    "typed-data: EIP-712, as a rule of the policy allows.",
)
@click.option(
    "--nonce", type=click.IntRange(0), default=1, help="Of the inbox, for identity texts."
)
@click.option(
    "--receipt",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a signed receipt of the operation there.",
)
@input_option
@socket_option
@json_option
def sign(
    key_id: str,
    kind: str,
    nonce: int,
    receipt: Path | None,
    source: Path,
    socket: Path | None,
    console: Console,
) -> None:
    """Sign a file, or stdin, with KEY_ID; print the signature in hex."""
    data = read_input(source)
    with open_keys(socket) as manager, manager.receipts() as receipts:
        if kind == "message":
            signature = manager.sign(key_id, data)
        elif kind == "typed-data":
            signature = manager.sign_typed_data(key_id, data)
        else:
            signature = manager.sign_identity_text(key_id, _text(data), nonce)
    if receipt is not None:
        write_text(receipt, receipts[-1].to_json(), "receipt")
        console.say(f"next: xmtp-tee audit receipt {receipt} --authority ADDRESS")
    console.result({"signature": "0x" + signature.hex()}, "0x" + signature.hex())


@click.command("intent")
@click.argument("key_id")
@click.argument("action", type=click.Choice(["register", "rotate", "revoke"]))
@click.argument("identity_key_id")
@click.argument("pre_key_id", required=False)
@click.option("--chain-id", type=click.IntRange(1), required=True)
@click.option("--registry", required=True, metavar="ADDRESS", help="The KeyRegistry.")
@click.option("--nonce", type=click.IntRange(0), required=True, help="The owner's next there.")
@click.option("--valid-for", type=click.IntRange(1, 604_800), default=3600, show_default=True)
@socket_option
@json_option
def intent(
    key_id: str,
    action: str,
    identity_key_id: str,
    pre_key_id: str | None,
    chain_id: int,
    registry: str,
    nonce: int,
    valid_for: int,
    socket: Path | None,
    console: Console,
) -> None:
    """Sign, with the wallet KEY_ID, its owner's intent, for anyone to bring to the registry."""
    deadline = int(datetime.now(UTC).timestamp()) + valid_for
    with open_keys(socket) as manager:
        made, signature = manager.sign_owner_intent(
            key_id,
            action,
            identity_key_id,
            pre_key_id,
            chain_id=chain_id,
            key_registry=registry,
            nonce=nonce,
            deadline=deadline,
        )
    console.result(
        {
            "action": action,
            "owner": "0x" + made.owner.hex(),
            "deadline": deadline,
            "digest": "0x" + made.digest().hex(),
            "signature": "0x" + signature.hex(),
        },
        "0x" + signature.hex(),
    )


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise UsageError("the input is no UTF-8 text") from None
