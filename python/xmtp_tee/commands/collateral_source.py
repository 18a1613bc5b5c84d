"""Where collateral comes from: a file of dcap-qvl's form, Intel's own pieces, a collateral service, the simulator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from xmtp_tee.commands.options import hex_bytes
from xmtp_tee.errors import UsageError

if TYPE_CHECKING:
    from xmtp_tee.attestation.collateral import Collateral
    from xmtp_tee.attestation.quote import Quote

F = TypeVar("F", bound=Callable[..., Any])
_FILE = click.Path(path_type=Path)
_PIECES = ("tcb_info", "qe_identity", "root_crl", "pck_crl", "pck_chain", "tcb_chain")
MAX_FILE_SIZE = 1 << 21


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

    def read(self, now: Callable[[], int]) -> tuple[Collateral, bytes | None]:
        """Return the collateral, and the PCK certificate (DER) of the quote if one is named.

        ``now`` gives the chain's time, for the simulator's collateral.

        :raises UsageError: no source, several, or one with pieces missing
        """
        quote = None if self.quote is None else _quote(self.quote)
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
        if self.file is not None:
            collateral = _all_in_one(self.file)
        elif self.pccs is not None:
            collateral = self._fetch(quote)
        elif self.development:
            collateral = self._simulate(quote, now())
        else:
            collateral = self._pieces()
        return collateral, None if quote is None else quote.pck_leaf

    def _pieces(self) -> Collateral:
        from xmtp_tee.attestation.collateral import Collateral

        missing = [name for name in _PIECES if getattr(self, name) is None]
        if missing:
            flags = (f"--{name.replace('_', '-')}" for name in missing)
            raise UsageError("pieces of the collateral are missing", expected=", ".join(flags))
        files = {name: _read(getattr(self, name)) for name in _PIECES}
        text = {
            name: _text(getattr(self, name), files[name])
            for name in ("tcb_info", "qe_identity", "pck_chain", "tcb_chain")
        }
        return Collateral.from_pieces(
            tcb_info=text["tcb_info"],
            qe_identity=text["qe_identity"],
            root_ca_crl=files["root_crl"],
            pck_crl=files["pck_crl"],
            pck_crl_issuer_chain=text["pck_chain"],
            tcb_signing_chain=text["tcb_chain"],
            qe_identity_signing_chain=(
                None if self.qe_chain is None else _text(self.qe_chain, _read(self.qe_chain))
            ),
        )

    def _fetch(self, quote: Quote | None) -> Collateral:
        from xmtp_tee.attestation.kinds import TeeKind
        from xmtp_tee.client.pccs import INTEL_PCS_URL, PccsClient

        client = PccsClient(
            INTEL_PCS_URL if self.pccs == "intel" else str(self.pccs), update=self.update
        )
        if quote is not None:
            return client.fetch_for(quote)
        if self.tee is None or self.fmspc is None or self.ca is None:
            raise UsageError(
                "the service must be asked for one platform family",
                expected="--quote FILE, or --tee, --fmspc and --ca",
            )
        kinds = {"sgx": TeeKind.SGX, "tdx": TeeKind.TDX}
        return client.fetch(kinds[self.tee], hex_bytes(self.fmspc, "--fmspc", 6), self.ca)

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


def source_options(function: F) -> F:
    """The flags of :class:`Source`; the command gets them by the names of its fields."""
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
    for option in reversed(options):
        function = option(function)
    return function


def _all_in_one(path: Path) -> Collateral:
    from xmtp_tee.attestation.collateral import Collateral

    return Collateral.from_json(_text(path, _read(path)))


def _quote(path: Path) -> Quote:
    """Read a raw quote, or the one in a saved attestation."""
    from xmtp_tee.attestation.evidence import Attestation
    from xmtp_tee.attestation.quote import parse_quote

    data = _read(path)
    if data.lstrip()[:1] == b"{":
        return parse_quote(Attestation.from_json(_text(path, data)).quote)
    return parse_quote(data)


def _read(path: Path) -> bytes:
    try:
        with path.expanduser().open("rb") as file:
            data = file.read(MAX_FILE_SIZE + 1)
    except OSError as error:
        raise UsageError(
            "the file cannot be read", got=path, cause=error.strerror or type(error).__name__
        ) from error
    if len(data) > MAX_FILE_SIZE:
        raise UsageError("the file is too long", got=path, expected=f"<= {MAX_FILE_SIZE} bytes")
    return data


def _text(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError("the file is not text", got=path) from error
