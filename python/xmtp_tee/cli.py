"""The ``xmtp-tee`` command."""

from __future__ import annotations

import click

from xmtp_tee import __version__
from xmtp_tee.commands.lazy import RootGroup

_COMMANDS = {
    "enclave": ("xmtp_tee.commands.enclave:enclave", "Run the process that holds the keys."),
    "keys": ("xmtp_tee.commands.keys:keys", "Make and list keys in the enclave."),
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
    "status": ("xmtp_tee.commands.status:status", "What the registry says of an owner or a key."),
    "collateral": (
        "xmtp_tee.commands.collateral:collateral",
        "Intel's data on chain: show, submit, watch when it lapses.",
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
