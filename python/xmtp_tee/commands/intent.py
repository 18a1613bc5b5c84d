"""``xmtp-tee intent``: an owner signs here or elsewhere, somebody else brings it and pays."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from xmtp_tee.commands.console import Console
from xmtp_tee.commands.files import write_text
from xmtp_tee.commands.lazy import LazyGroup
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
from xmtp_tee.commands.relaying import read_intent, report_batch
from xmtp_tee.dates import show_time
from xmtp_tee.errors import UsageError

if TYPE_CHECKING:
    from xmtp_tee.client.intents import OwnerIntent

_COMMANDS = {
    "new": ("xmtp_tee.commands.intent:new", "Write what an owner is to sign."),
    "show": ("xmtp_tee.commands.intent:show", "Show an intent, or its typed data for a wallet."),
    "sign": ("xmtp_tee.commands.intent:sign", "Sign an intent, or put in a wallet's signature."),
    "submit": ("xmtp_tee.commands.intent:submit", "Bring signed intents to the chain."),
    "cancel": (
        "xmtp_tee.commands.intent:cancel",
        "Void all that the sender signed and nobody brought.",
    ),
}
_KINDS = ("register", "rotate", "revoke")


@click.group(cls=LazyGroup, lazy=_COMMANDS)
def intent() -> None:
    """Register, rotate or revoke for an owner who signs (EIP-712) and does not pay."""


@click.command()
@click.argument("kind", type=click.Choice(_KINDS))
@click.argument("owner")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="The file to write; it holds no secret.",
)
@click.option(
    "--identity-key", metavar="HEX", help="32 bytes; revoke only. Default: the enclave's key."
)
@click.option("--with-quote", is_flag=True, help="Bring the quote even if the enclave is trusted.")
@click.option(
    "--expires-in",
    type=click.IntRange(min=60),
    default=3600,
    show_default=True,
    metavar="SECONDS",
    help="How long the signature counts.",
)
@click.option(
    "--nonce",
    type=click.IntRange(min=0),
    help="Default: the owner's next one. For a row of intents.",
)
@socket_option
@chain_options
@json_option
def new(
    kind: str,
    owner: str,
    output: Path,
    identity_key: str | None,
    with_quote: bool,
    expires_in: int,
    nonce: int | None,
    socket: Path | None,
    where: ChainChoice,
    console: Console,
) -> None:
    """Write what OWNER is to sign: register or rotate with the enclave's newest pre-key, or revoke.

    The enclave certifies the keys now. The owner then signs the file (intent sign), anyone brings it (intent submit).
    """
    from xmtp_tee.attestation.address import checksum_address, parse_address

    if identity_key is not None and kind != "revoke":
        raise UsageError("--identity-key goes with revoke", got=kind)
    named = None if identity_key is None else hex_bytes(identity_key, "--identity-key", 32)
    if kind == "revoke":
        refuse_unread("A revocation brings no quote", {"with-quote": with_quote})
    if named is not None:
        refuse_unread("With --identity-key no enclave is asked", {"socket": socket})
    who = checksum_address(parse_address(owner))
    chain, deployment = where.connect(console)
    from xmtp_tee.client.accounts import NodeSender
    from xmtp_tee.client.intents import IntentKind
    from xmtp_tee.client.registry import RegistrySync
    from xmtp_tee.client.registry_reader import RegistryReader

    reader = RegistryReader(chain, deployment)
    deadline = reader.deadline(expires_in)
    if named is not None:
        made = reader.revocation_intent(who, named, nonce=nonce, deadline=deadline)
    else:
        with open_keys(socket) as keys:
            identity = keys.get_identity_key(who)
            if kind == "revoke":
                key = identity.public_key
                made = reader.revocation_intent(who, key, nonce=nonce, deadline=deadline)
            else:
                # Nothing is sent, so the account is a name only.
                registry = RegistrySync(chain, deployment, keys, NodeSender(who))
                made = registry.publication_intent(
                    IntentKind(kind),
                    identity.id,
                    with_quote=True if with_quote else None,
                    nonce=nonce,
                    deadline=deadline,
                )
    _write(output, made)
    console.result(_facts(made) | {"file": str(output)}, [*_lines(made), f"written to {output}"])


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--typed-data",
    is_flag=True,
    help="Print the object of eth_signTypedData_v4 instead, for a wallet elsewhere.",
)
@json_option
def show(file: Path, typed_data: bool, console: Console) -> None:
    """Show what an intent allows. Nothing is asked of chain or enclave."""
    found = read_intent(file)
    if typed_data:
        data = found.typed_data()
        console.result({"typed_data": data}, json.dumps(data, indent=2))
        return
    console.result(_facts(found), _lines(found))


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--signature",
    metavar="HEX",
    help="A wallet's signature made elsewhere: 65 bytes, or a contract wallet's (ERC-1271, ERC-6492).",
)
@chain_options
@sender_options
@json_option
def sign(
    file: Path,
    signature: str | None,
    where: ChainChoice,
    sender: SenderChoice,
    console: Console,
) -> None:
    """Sign an intent in its file, with the owner's account. A keystore needs neither chain nor deployment.

    WARNING: look at the file first (intent show). The certificate in it is checked: the enclave that it names
    certified these very keys for this owner.
    """
    found = read_intent(file)
    found.require_certified()
    if signature is not None:
        refuse_unread(
            "--signature was made elsewhere",
            asdict(sender) | asdict(where),
        )
        signed = found.signed(_signature(signature))
    else:
        from xmtp_tee.client.accounts import LocalSender
        from xmtp_tee.client.signing import sign_intent, sign_intent_offline

        account = sender.open()
        if isinstance(account, LocalSender):
            signed = sign_intent_offline(found, account)
        else:
            chain, _ = where.connect(console)
            signed = sign_intent(found, account, chain)
    _write(file, signed)
    console.result(_facts(signed) | {"file": str(file)}, [*_lines(signed), f"signed in {file}"])


@click.command(
    epilog="Several files are registrations and go as a batch: exit 0 when all are registered, 2 when some were "
    "refused; the report says which."
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@chain_options
@sender_options
@json_option
def submit(
    files: tuple[Path, ...],
    where: ChainChoice,
    sender: SenderChoice,
    console: Console,
) -> None:
    """Bring signed intents to the chain, at the sender's cost. The sender can change nothing of them."""
    intents = [read_intent(file) for file in files]
    chain, deployment, account = where.connect_as(sender, console)
    from xmtp_tee.client.relay import Relayer

    relayer = Relayer(chain, deployment, account)
    if len(intents) > 1:
        with console.progress(f"registering {len(intents)} bundles"):
            report = relayer.register_all(intents)
        report_batch(console, files, report)
        return
    [only] = intents
    with console.progress("submitting"):
        receipt = relayer.submit(only)
    console.result(
        _facts(only) | {"transaction": receipt.transaction, "gas": receipt.gas_used},
        [*_lines(only), f"transaction {receipt.transaction}, gas {receipt.gas_used:,}"],
    )


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@chain_options
@sender_options
@json_option
def cancel(
    yes: bool,
    where: ChainChoice,
    sender: SenderChoice,
    console: Console,
) -> None:
    """Void every intent that the sender has signed and that nobody brought yet, later nonces included."""
    chain, deployment, account = where.connect_as(sender, console)
    from xmtp_tee.client.registry_reader import RegistryReader
    from xmtp_tee.client.relay import Relayer

    if not yes:
        click.confirm(f"Void all signatures of {account.address}?", abort=True, err=True)
    with console.progress("cancelling"):
        receipt = Relayer(chain, deployment, account).cancel_signatures()
    nonce = RegistryReader(chain, deployment).nonce(account.address)
    console.result(
        {
            "action": "cancelled",
            "owner": account.address,
            "nonce": str(nonce),
            "transaction": receipt.transaction,
            "gas": receipt.gas_used,
        },
        [f"cancelled; the next nonce is {nonce}", f"transaction {receipt.transaction}"],
    )


def _signature(text: str) -> bytes:
    digits = text.removeprefix("0x")
    try:
        signature = bytes.fromhex(digits)
    except ValueError:
        signature = b""
    if not signature or len(digits) != 2 * len(signature):
        raise UsageError("--signature is malformed", got=text[:80], expected="bytes in hex")
    return signature


def _write(path: Path, made: OwnerIntent) -> None:
    from xmtp_tee.client.intent_file import intent_to_json

    write_text(path, intent_to_json(made), "intent")


def _facts(made: OwnerIntent) -> dict[str, object]:
    from xmtp_tee.client.intent_file import intent_as_dict

    return intent_as_dict(made) | {
        "digest": "0x" + made.digest().hex(),
        "signed": bool(made.signature),
    }


def _lines(made: OwnerIntent) -> list[str]:
    facts = _facts(made)
    return [
        f"intent        {made.kind.value}",
        f"owner         {facts['owner']}",
        f"identity key  {facts['identityKey']}",
        *([f"pre-key       {facts['preKey']}"] if made.pre_key else []),
        f"registry      {facts['keyRegistry']} on chain id {made.chain_id}",
        f"nonce         {made.nonce}",
        f"deadline      {show_time(made.deadline)}",
        f"digest        0x{made.digest().hex()}",
        f"signed        {'yes' if made.signature else 'no'}",
    ]
