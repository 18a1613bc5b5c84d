"""``xmtp-tee status``: what the registry says, each answer with a name and an exit code of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from xmtp_tee.commands.console import Console
from xmtp_tee.commands.options import (
    ChainChoice,
    chain_options,
    hex_bytes,
    json_option,
    refuse_unread,
)
from xmtp_tee.commands.owners import (
    ANSWERS,
    OWNER_HELP,
    accept_simulated_option,
    answer,
    best,
    is_agent,
    require_owner,
    resolve_owner,
)
from xmtp_tee.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from xmtp_tee.client.on_chain_key import OnChainKey
    from xmtp_tee.client.tee_demand import KindStanding, TeeDemand


# The worst bundle does not speak for the best: the command's exit code is that of the best answer.
@click.command(
    epilog=OWNER_HELP
    + " Answers: trusted (exit 0); simulated, expired, enclave-not-trusted, agent-transferred, revoked (exit 4); "
    "no-record (exit 2); could not check (exit 3)."
)
@click.argument("subject", metavar="OWNER|IDENTITY_KEY")
@click.option("--identity-key", metavar="HEX", help="Only this key of OWNER.")
@accept_simulated_option
@chain_options
@json_option
def status(
    subject: str,
    identity_key: str | None,
    unsafe_accept_simulated: bool,
    where: ChainChoice,
    console: Console,
) -> None:
    """What the registry says of an owner (20 bytes) or of an identity key (32 bytes), judged now."""
    size = len(subject.removeprefix("0x"))
    if size not in {40, 64} and not is_agent(subject):
        raise UsageError(
            "this is neither an owner nor an identity key",
            got=subject[:80],
            expected="20 or 32 bytes in hex, or agent:ID",
        )
    key = hex_bytes(subject, "identity key", 32) if size == 64 else None
    named = None if identity_key is None else hex_bytes(identity_key, "--identity-key", 32)
    if key is None:
        require_owner(subject)
    else:
        refuse_unread("An identity key is looked up by itself", {"identity-key": identity_key})
    chain, deployment = where.connect(console)
    from xmtp_tee.client.chain_errors import NotRegistered
    from xmtp_tee.client.registry_reader import RegistryReader

    reader = RegistryReader(chain, deployment)
    with console.progress("asking the registry"):
        try:
            if key is not None:
                found = reader.find_identity_key(key)
            elif named is not None:
                found = [reader.find(resolve_owner(reader, subject), named)]
            else:
                found = reader.keys_of(resolve_owner(reader, subject))
        except NotRegistered:
            found = []
    answers = [(answer(key, accept_simulated=unsafe_accept_simulated), key) for key in found]
    kinds = {key.authority: reader.kinds_of(key.authority) for _, key in answers}
    demand = reader.tee_demand()
    overall = best([word for word, _ in answers])
    code, meaning = ANSWERS[overall]
    console.result(
        {
            "ok": code is ExitCode.VERIFIED,
            "answer": overall,
            "exit_code": int(code),
            "subject": subject,
            "judged_at": chain.block().timestamp,
            "development_root": deployment.development_root,
            "tee_demand": {
                "required": demand.required,
                "kinds": [kind.label for kind in demand.kinds],
            },
            "bundles": [
                {
                    "answer": name,
                    **key.as_dict(),
                    "kinds": [kind.as_dict() for kind in kinds[key.authority]],
                }
                for name, key in answers
            ],
        },
        [
            f"{overall}: {meaning}",
            *(
                line
                for name, key in answers
                for line in _lines(name, key, kinds[key.authority], demand)
            ),
        ],
    )
    if code is not ExitCode.VERIFIED:
        raise click.exceptions.Exit(int(code))


def _lines(name: str, key: OnChainKey, kinds: list[KindStanding], demand: TeeDemand) -> list[str]:
    from xmtp_tee.client.reasons import in_words

    reason = f": {in_words(key.enclave_reason)}" if key.enclave_reason else ""
    return [
        "",
        f"  identity key  0x{key.identity_key.hex()}",
        f"  owner         {key.owner}",
        f"  answer        {name}{reason}",
        f"  pre-key       0x{key.pre_key.hex()}, epoch {key.epoch}, until {key.expires_at}",
        f"  enclave       {key.authority}",
        *(f"  attested by   {kind.words}" for kind in kinds),
        *([f"  demanded      {demand.words}"] if demand.required else []),
        f"  platform      {key.platform.in_words}",
        f"  level         {key.assurance.label}",
    ]
