"""The ``xmtp-tee`` command."""

from __future__ import annotations

import click

from xmtp_tee import __version__
from xmtp_tee.commands.lazy import RootGroup

_COMMANDS = {
    "enclave": ("xmtp_tee.commands.enclave:enclave", "Run the process that holds the keys."),
    "keys": ("xmtp_tee.commands.keys:keys", "Make and list keys in the enclave."),
    "policy": ("xmtp_tee.commands.policy:policy", "Who may do what in the enclave."),
    "audit": ("xmtp_tee.commands.audit:audit", "What was asked of the enclave, and receipts."),
    "store": (
        "xmtp_tee.commands.store:store",
        "Whether the enclave's store was put back, and its recovery.",
    ),
    "anchor": (
        "xmtp_tee.commands.anchor:anchor",
        "How far the enclave's store has come, on chain.",
    ),
    "attest": ("xmtp_tee.commands.attest:attest", "Write the enclave's evidence to a file."),
    "verify": (
        "xmtp_tee.commands.verify:verify",
        "Verify evidence from a file, or an owner's entry on chain.",
    ),
    "register": (
        "xmtp_tee.commands.register:register",
        "Publish a key bundle, attested by the enclave.",
    ),
    "rotate": ("xmtp_tee.commands.register:rotate", "Make and publish a new pre-key."),
    "renew": ("xmtp_tee.commands.register:renew", "Renew the enclave's attestation on chain."),
    "revoke": ("xmtp_tee.commands.register:revoke", "Revoke a key bundle, for ever."),
    "retire": ("xmtp_tee.commands.register:retire", "End an enclave's standing, for ever."),
    "intent": (
        "xmtp_tee.commands.intent:intent",
        "Publish for an owner who signs and does not pay.",
    ),
    "status": ("xmtp_tee.commands.status:status", "What the registry says of an owner or a key."),
    "lookup": ("xmtp_tee.commands.lookup:lookup", "The bundles of many owners, in one call."),
    "history": ("xmtp_tee.commands.lookup:history", "Every change of an owner's bundles."),
    "watch": ("xmtp_tee.commands.watch:watch", "An alarm on every change of an owner's entry."),
    "collateral": (
        "xmtp_tee.commands.collateral:collateral",
        "Intel's data on chain: show, submit, watch when it lapses.",
    ),
    "verify-peer": (
        "xmtp_tee.commands.verify_peer:verify_peer",
        "Whether an XMTP peer's installations live in enclaves.",
    ),
    "devnode": (
        "xmtp_tee.commands.devnode:devnode",
        "Run a local XMTP network, for development.",
    ),
    "doctor": ("xmtp_tee.commands.doctor:doctor", "Look for faults of the environment."),
    "demo": (
        "xmtp_tee.commands.demo:demo",
        "From a key's birth to its entry on chain, and five attempts to cheat.",
    ),
}


@click.group(
    cls=RootGroup,
    lazy=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 verified or done; 1 usage; 2 invalid evidence; 3 network or collateral "
    "unavailable; 4 genuine but refused by policy.",
)
@click.version_option(__version__, prog_name="xmtp-tee")
def main() -> None:
    """XMTP keys that live in a trusted execution environment, proven on chain."""


if __name__ == "__main__":
    main()
