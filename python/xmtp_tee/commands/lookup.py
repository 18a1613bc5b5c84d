"""``xmtp-tee lookup`` and ``history``: many owners in one call, and an owner's whole past."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from xmtp_tee.commands.console import Console, table
from xmtp_tee.commands.files import read_text
from xmtp_tee.commands.options import ChainChoice, chain_options, json_option
from xmtp_tee.commands.owners import (
    ANSWERS,
    OWNER_HELP,
    accept_simulated_option,
    answer,
    best,
    require_owner,
    resolve_owner,
)
from xmtp_tee.dates import show_time
from xmtp_tee.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from xmtp_tee.client.history.events import KeyEvent
    from xmtp_tee.client.history.replay import ReplayedBundle
    from xmtp_tee.client.published import PublishedKey


@click.command(
    epilog=OWNER_HELP
    + " Exit codes: 0 every owner has a bundle that may be relied on; 4 somebody's are all "
    "refused (simulated, expired, enclave not trusted, agent transferred); 2 somebody has none; 3 could not check."
)
@click.argument("owners", nargs=-1, metavar="OWNER...")
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    help="Take owners from a file too, one a line; blank lines and # comments are skipped.",
)
@accept_simulated_option
@chain_options
@json_option
def lookup(
    owners: tuple[str, ...],
    file: Path | None,
    unsafe_accept_simulated: bool,
    where: ChainChoice,
    console: Console,
) -> None:
    """The active bundles of many owners, and how each stands now: one call to the node.

    Revoked bundles are not listed (see history). One owner in depth: status, verify.
    """
    wanted = [*owners, *(_from_file(file) if file is not None else ())]
    if not wanted:
        raise UsageError("no owner is named", expected="at least one OWNER, or --file")
    for text in wanted:
        require_owner(text)
    chain, deployment = where.connect(console)
    from xmtp_tee.client.registry_reader import RegistryReader

    reader = RegistryReader(chain, deployment)
    with console.progress(f"looking up {len(wanted)} owners"):
        addresses = [resolve_owner(reader, text) for text in wanted]
        block = chain.block()
        found = reader.lookup_keys(addresses, block=block.number)
    judged = {
        owner: [(answer(key, accept_simulated=unsafe_accept_simulated), key) for key in keys]
        for owner, keys in found.items()
    }
    words = {owner: best([word for word, _ in keys]) for owner, keys in judged.items()}
    code = _worst([ANSWERS[word][0] for word in words.values()])
    console.result(
        {
            "ok": code is ExitCode.VERIFIED,
            "exit_code": int(code),
            "block": block.number,
            "judged_at": block.timestamp,
            "development_root": deployment.development_root,
            "owners": [
                {
                    "owner": owner,
                    "answer": words[owner],
                    "bundles": [{"answer": word, **key.as_dict()} for word, key in keys],
                }
                for owner, keys in judged.items()
            ],
        },
        table(
            ["owner", "answer", "identity key", "epoch", "until", "level"],
            [row for owner, keys in judged.items() for row in _rows(owner, keys)],
        ),
    )
    if code is not ExitCode.VERIFIED:
        raise click.exceptions.Exit(int(code))


@click.command(
    epilog=OWNER_HELP
    + " Exit codes: 0 there is a history; 2 there is none, or the node's events do not make one."
)
@click.argument("owner", metavar="OWNER")
@click.option(
    "--at",
    "at_block",
    type=click.IntRange(min=0),
    metavar="BLOCK",
    help="Say what was published after this block, from events alone.",
)
@chain_options
@json_option
def history(
    owner: str,
    at_block: int | None,
    where: ChainChoice,
    console: Console,
) -> None:
    """Every change of an owner's bundles, along the links that the registry writes into each.

    The links are checked: a node cannot leave a change out unnoticed.
    """
    require_owner(owner)
    chain, deployment = where.connect(console)
    from xmtp_tee.client.history.replay import RegistryState
    from xmtp_tee.client.registry_reader import RegistryReader

    reader = RegistryReader(chain, deployment)
    with console.progress("reading the history"):
        who = resolve_owner(reader, owner)
        events = reader.history(who, block=at_block)
    bundles = RegistryState.of(events).bundles(who)
    console.result(
        {
            "ok": bool(events),
            "owner": who,
            "at_block": at_block,
            "events": [event.as_dict() for event in events],
            "bundles": [_bundle_dict(bundle) for bundle in bundles],
        },
        _history_lines(who, events, bundles, at_block),
    )
    if not events:
        raise click.exceptions.Exit(int(ExitCode.INVALID_EVIDENCE))


def _from_file(path: Path) -> list[str]:
    lines = read_text(path, "file of owners").splitlines()
    texts = [line.partition("#")[0].strip() for line in lines]
    return [text for text in texts if text]


def _worst(codes: list[ExitCode]) -> ExitCode:
    """A missing record outweighs a refusal: about that owner nothing is known."""
    if ExitCode.INVALID_EVIDENCE in codes:
        return ExitCode.INVALID_EVIDENCE
    return max(codes)


def _rows(owner: str, keys: list[tuple[str, PublishedKey]]) -> list[list[str]]:
    if not keys:
        return [[owner, "no-record", "", "", "", ""]]
    return [
        [
            owner,
            word,
            "0x" + key.identity_key.hex(),
            str(key.epoch),
            show_time(key.expires_at),
            key.assurance.label,
        ]
        for word, key in keys
    ]


def _bundle_dict(bundle: ReplayedBundle) -> dict[str, object]:
    terms = bundle.terms
    return {
        "identity_key": "0x" + bundle.identity_key.hex(),
        "state": "revoked" if bundle.revoked else "active",
        "pre_key": "0x" + terms.pre_key.hex(),
        "authority": terms.authority,
        "epoch": terms.epoch,
        "expires_at": terms.expires_at,
        "provenance": None if terms.provenance is None else terms.provenance.label,
        "registered_at_block": bundle.registered_at,
        "changed_at_block": bundle.changed_at,
    }


def _history_lines(
    owner: str, events: list[KeyEvent], bundles: list[ReplayedBundle], at_block: int | None
) -> list[str]:
    if not events:
        return [
            f"{owner} never changed anything" + (f" up to block {at_block}" if at_block else "")
        ]
    rows = [
        [
            str(event.block_number),
            event.change.value,
            "0x" + event.identity_key.hex(),
            "" if event.terms is None else str(event.terms.epoch),
            "" if event.terms is None else event.terms.authority,
        ]
        for event in events
    ]
    lines = table(["block", "change", "identity key", "epoch", "enclave"], rows, frozenset({0, 3}))
    active = sum(not bundle.revoked for bundle in bundles)
    when = "now" if at_block is None else f"after block {at_block}"
    return [
        *lines,
        "",
        f"{len(events)} changes; {len(bundles)} bundles, {active} of them active {when}",
    ]
