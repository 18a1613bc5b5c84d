"""What a deployment's contracts say they were made with, beside what its file says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from scripts._common import deployed
from scripts._parameters import Parameters
from scripts._plan import ROUTED
from xmtp_tee.attestation.kinds import TeeKind
from xmtp_tee.client.deployment import Deployment


@dataclass(frozen=True)
class Reading:
    """One value that a constructor fixed: what the chain says, and what the deployment file says."""

    contract: str
    value: str
    got: Any
    expected: Any

    @property
    def agrees(self) -> bool:
        return bool(self.got == self.expected)


def readings(where: Deployment, parameters: Parameters) -> Iterator[Reading]:
    """Ask every contract of the deployment for all that its constructor fixed and that it shows."""
    for name, function, arguments, expected in _expected(where, parameters):
        got = getattr(deployed(where, name), function)(*arguments)
        inner = ", ".join(TeeKind(argument).label for argument in arguments)
        yield Reading(name, f"{function}({inner})", got, expected)


def _expected(
    where: Deployment, parameters: Parameters
) -> Iterator[tuple[str, str, tuple[int, ...], object]]:
    at = where.address
    yield "KeyRegistry", "enclaveRegistry", (), at("EnclaveRegistry")
    yield "KeyRegistry", "identityRegistry", (), parameters.identity_registry
    yield "EnclaveRegistry", "policy", (), at("EnclavePolicy")
    yield "EnclaveRegistry", "verifier", (), at("AttestationVerifier")
    yield "EnclaveRegistry", "maxBlockAge", (), parameters.max_block_age
    yield "EnclaveRegistry", "attestationTtl", (), parameters.attestation_ttl
    yield "EnclavePolicy", "additionDelay", (), parameters.addition_delay
    routes = {kind: at(ROUTED[kind]) for kind in parameters.tees}
    for kind in TeeKind:
        if kind is not TeeKind.NONE:
            address = routes.get(kind, "0x" + "00" * 20)
            yield "AttestationVerifier", "route", (int(kind),), address
    yield "DcapVerifier", "COLLATERAL_GRACE", (), parameters.collateral_grace
    if TeeKind.NITRO in parameters.tees:
        yield "NitroVerifier", "p384", (), at("P384")
        yield "NitroVerifier", "sha384", (), at("Sha384Hasher")
        yield "NitroVerifier", "certificateGrace", (), parameters.nitro_grace
    if TeeKind.SEV_SNP in parameters.tees:
        yield "SevSnpVerifier", "p384", (), at("P384")
        yield "SevSnpVerifier", "floorKeeper", (), parameters.sev_snp_floor_keeper
    for name in ("AttestationVerifier", *dict.fromkeys(ROUTED[kind] for kind in parameters.tees)):
        yield name, "developmentRoot", (), where.development_root
