"""Where collateral comes from: a file of dcap-qvl's form, Intel's own pieces, a collateral service, the simulator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from xmtp_tee.commands.files import read_file, read_text, text_of
from xmtp_tee.commands.options import gathered, hex_bytes, refuse_unread
from xmtp_tee.errors import UsageError

if TYPE_CHECKING:
    from xmtp_tee.attestation.collateral import Collateral
    from xmtp_tee.attestation.quote import Quote

_FILE = click.Path(path_type=Path)
_PIECES = ("tcb_info", "qe_identity", "root_crl", "pck_crl", "pck_chain", "tcb_chain")


@dataclass(frozen=True)
class Source:
    """The flags of one call."""

    file: Path | None = None
    tcb_info: Path | None = None
    qe_identity: Path | None = None
    root_crl: Path | None = None
    pck_crl: Path | None = None
    pck_chain: Path | None = None
    tcb_chain: Path | None = None
    qe_chain: Path | None = None
    pccs: str | None = None
    update: str | None = None
    development: bool = False
    quote: Path | None = None
    tee: str | None = None
    fmspc: str | None = None
    ca: str | None = None

    def prepare(self) -> Callable[[int], tuple[Collateral, bytes | None]]:
        """Judge the flags and read the files that they name; no service is asked before the answer is called.

        What is returned takes the chain's time, for the simulator's collateral, and returns the collateral and the
        PCK certificate (DER) of the quote if one is named.

        :raises UsageError: no source, several, one with pieces missing, or an option that the source does not read
        """
        named = {
            "--file": self.file is not None,
            "Intel's pieces (--tcb-info ...)": any(getattr(self, name) for name in _PIECES),
            "--pccs": self.pccs is not None,
            "--development": self.development,
        }
        chosen = [name for name, is_named in named.items() if is_named]
        if len(chosen) != 1:
            raise UsageError(
                "collateral comes from one source",
                got=" and ".join(chosen) or "none",
                expected=", ".join(named),
            )
        self._refuse_unread()
        quote = None if self.quote is None else _quote(self.quote)
        leaf = None if quote is None else quote.pck_leaf
        if self.pccs is not None:
            fetch = self._service(quote)
            return lambda _now: (fetch(), leaf)
        if self.development:
            return lambda now: (self._simulate(quote, now), leaf)
        collateral = self._pieces() if self.file is None else _all_in_one(self.file)
        return lambda _now: (collateral, leaf)

    def _refuse_unread(self) -> None:
        if self.pccs is None:
            refuse_unread("Only a service is asked so", {"update": self.update})
            refuse_unread("Only a service is asked for a family", {"fmspc": self.fmspc})
        if (self.pccs is None and not self.development) or self.quote is not None:
            # A quote says of which family it is.
            given = {"tee": self.tee, "fmspc": self.fmspc, "ca": self.ca}
            refuse_unread("The platform family is known", given)
        if not any(getattr(self, name) for name in _PIECES):
            refuse_unread("There are no pieces for it", {"qe-chain": self.qe_chain})

    def _pieces(self) -> Collateral:
        from xmtp_tee.attestation.collateral import Collateral

        missing = [name for name in _PIECES if getattr(self, name) is None]
        if missing:
            flags = (f"--{name.replace('_', '-')}" for name in missing)
            raise UsageError("pieces of the collateral are missing", expected=", ".join(flags))
        text = {
            name: read_text(getattr(self, name), "file")
            for name in ("tcb_info", "qe_identity", "pck_chain", "tcb_chain")
        }
        return Collateral.from_pieces(
            tcb_info=text["tcb_info"],
            qe_identity=text["qe_identity"],
            root_ca_crl=read_file(cast("Path", self.root_crl), "file"),
            pck_crl=read_file(cast("Path", self.pck_crl), "file"),
            pck_crl_issuer_chain=text["pck_chain"],
            tcb_signing_chain=text["tcb_chain"],
            qe_identity_signing_chain=(
                None if self.qe_chain is None else read_text(self.qe_chain, "file")
            ),
        )

    def _service(self, quote: Quote | None) -> Callable[[], Collateral]:
        """Return the request to the service, not yet made."""
        from xmtp_tee.attestation.kinds import TeeKind
        from xmtp_tee.client.pccs import INTEL_PCS_URL, PccsClient

        client = PccsClient(
            INTEL_PCS_URL if self.pccs == "intel" else str(self.pccs), update=self.update
        )
        if quote is not None:
            return lambda: client.fetch_for(quote)
        if self.tee is None or self.fmspc is None or self.ca is None:
            raise UsageError(
                "the service must be asked for one platform family",
                expected="--quote FILE, or --tee, --fmspc and --ca",
            )
        kind = {"sgx": TeeKind.SGX, "tdx": TeeKind.TDX}[self.tee]
        family, ca = hex_bytes(self.fmspc, "--fmspc", 6), self.ca
        return lambda: client.fetch(kind, family, ca)

    def _simulate(self, quote: Quote | None, now: int) -> Collateral:
        from xmtp_tee.attestation.simulator import CollateralRecipe, development_pki
        from xmtp_tee.client.pccs import PROCESSOR, family_of

        tee, ca = self.tee or "tdx", self.ca
        if quote is not None:
            tee, ca = quote.tee.label, family_of(quote)[2]
        recipe = CollateralRecipe.sgx if tee == "sgx" else CollateralRecipe
        pki = development_pki()
        pck_ca = pki.processor_ca if ca == PROCESSOR else pki.platform_ca
        return recipe(pck_ca=pck_ca).build(now - 3600)


def source_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Where the collateral comes from: the command gets ``source``."""
    options = (
        click.option("--file", type=_FILE, help="All in one, dcap-qvl's JSON."),
        click.option("--tcb-info", type=_FILE, help="Intel's answer: tcbInfo and its signature."),
        click.option("--qe-identity", type=_FILE, help="Intel's answer: enclaveIdentity."),
        click.option("--root-crl", type=_FILE, help="The root CA's CRL, DER or hex."),
        click.option("--pck-crl", type=_FILE, help="The PCK CA's CRL, DER or hex."),
        click.option("--pck-chain", type=_FILE, help="The PCK CA and the root, PEM."),
        click.option("--tcb-chain", type=_FILE, help="The TCB signer and the root, PEM."),
        click.option("--qe-chain", type=_FILE, help="The same for the QE identity, if another."),
        click.option(
            "--pccs", metavar="URL|intel", help="A PCCS, or Intel's own service (`intel`)."
        ),
        click.option(
            "--update",
            type=click.Choice(["early", "standard"]),
            help="Which TCB recovery the service should speak of.",
        ),
        click.option("--development", is_flag=True, help="The simulator's, issued an hour ago."),
        click.option(
            "--quote", type=_FILE, help="A quote: says which platform, and is brought along."
        ),
        click.option("--tee", type=click.Choice(["sgx", "tdx"]), help="Of the platform family."),
        click.option("--fmspc", metavar="HEX", help="Of the platform family, 6 bytes."),
        click.option("--ca", type=click.Choice(["platform", "processor"]), help="Its PCK CA."),
    )
    return gathered(function, "source", Source, options)


def _all_in_one(path: Path) -> Collateral:
    from xmtp_tee.attestation.collateral import Collateral

    return Collateral.from_json(read_text(path, "file"))


def _quote(path: Path) -> Quote:
    """Read a raw quote, or the one in a saved attestation."""
    from xmtp_tee.attestation.evidence import Attestation
    from xmtp_tee.attestation.quote import parse_quote

    data = read_file(path, "quote")
    if data.lstrip()[:1] == b"{":
        return parse_quote(Attestation.from_json(text_of(data, path, "quote")).quote)
    return parse_quote(data)
