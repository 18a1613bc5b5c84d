"""The words of the policy's commands: ids, kinds, statuses and advisories as people type them."""

from __future__ import annotations

from typing import Any

import click
from eth_utils import to_checksum_address

from scripts._common import red
from scripts._parameters import is_proper_address
from xmtp_tee.assurance import AssuranceLevel
from xmtp_tee.attestation.kinds import TcbStatus, TeeKind, bits_of
from xmtp_tee.attestation.sevsnp.product import ProductLine, Tcb
from xmtp_tee.commands.evidence_file import read_tcb
from xmtp_tee.errors import XmtpTeeError

TEES = [kind.label for kind in TeeKind if kind is not TeeKind.NONE]
STATUSES = [
    status.intel_name
    for status in TcbStatus
    if status not in (TcbStatus.NONE, TcbStatus.UP_TO_DATE, TcbStatus.REVOKED)
]
LEVELS = [level.label for level in AssuranceLevel if level is not AssuranceLevel.NONE]

tee_argument = click.argument("tee", type=click.Choice(TEES))
status_argument = click.argument("status", type=click.Choice(STATUSES))
advisories_option = click.option(
    "--advisories",
    required=True,
    metavar="HEX|none|any",
    help="The commitment that `xmtp-tee status` shows; none: Intel lists none; any: whatever they are.",
)


def hex_of(text: str, what: str, *sizes: int) -> bytes:
    """Read hex of one of these sizes, with or without 0x."""
    digits = text.removeprefix("0x")
    try:
        value = bytes.fromhex(digits)
    except ValueError:
        value = b""
    if len(value) not in sizes:
        wanted = " or ".join(str(size) for size in sizes)
        raise click.ClickException(f"not {what}: got {text[:80]}, expected {wanted} bytes in hex")
    return value


def workload_id(text: str) -> bytes:
    return hex_of(text, "a workload id", 32)


def platform(text: str) -> bytes:
    return hex_of(text, "a platform", 16)


def family(text: str) -> bytes:
    """Return a family, left-aligned in 16 bytes; an FMSPC is 6."""
    return hex_of(text, "a family", 6, 16).ljust(16, b"\0")


def account(text: str) -> str:
    if not is_proper_address(text):
        raise click.ClickException(f"not an address: got {text[:80]}, expected 20 bytes in hex")
    return str(to_checksum_address(text))


def tee_kind(label: str) -> int:
    return int(next(kind for kind in TeeKind if kind.label == label))


def tee_kinds(names: tuple[str, ...]) -> int:
    """Return a set of kinds as the policy takes it."""
    kinds = [kind for kind in TeeKind if kind.label in names]
    if len(kinds) != len(names):
        raise click.ClickException(f"a kind is named twice: {' '.join(names)}")
    if TeeKind.SGX in kinds and TeeKind.TDX in kinds:
        click.echo(red("SGX and TDX have one root: the two together are one vendor's word"))
    return bits_of(kinds)


def commit_hash(text: str) -> bytes:
    """Return a git commit, 20 bytes; zeros where none is given."""
    return hex_of(text, "a commit", 20) if text else bytes(20)


def advisories_of(policy: Any, text: str) -> bytes:
    """Return the commitment: ``none`` and ``any`` are words, so that neither is typed by accident."""
    if text == "none":
        return bytes(32)
    if text == "any":
        return bytes(policy.anyAdvisories())
    value = hex_of(text, "a commitment to advisories", 32)
    if not any(value):
        raise click.ClickException(
            "32 zero bytes mean that there are no advisories: say --advisories none"
        )
    return value


def this_code() -> bytes:
    """The workload id of the simulator's measurement of this checkout."""
    from xmtp_tee.attestation.drivers import measure_code
    from xmtp_tee.attestation.simulator import TdRecipe
    from xmtp_tee.attestation.workload import tdx_workload_id

    return tdx_workload_id(TdRecipe(mr_td=measure_code()).build())


def floor_of(product: ProductLine, text: str) -> tuple[Tcb, int]:
    """Return a TCB (boot loader, TEE, SNP, microcode, and Turin's FMC), and as the SEV-SNP verifier takes it."""
    try:
        tcb = read_tcb(text)
    except XmtpTeeError as error:
        raise click.ClickException(str(error)) from error
    if tcb.fmc and product is not ProductLine.TURIN:
        raise click.ClickException(f"{product.label} has no FMC: four numbers")
    return tcb, int.from_bytes(tcb.encode(product), "little")
