"""Intel's collateral among the fixtures as one object, and a verifier that has it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from eth_abi.abi import decode
from web3.contract import Contract

from tests.support.chain import Chain
from tests.support.fixtures import attestation_fixture
from xmtp_tee.attestation.collateral import Collateral
from xmtp_tee.attestation.dcap.submissions import plan_submissions
from xmtp_tee.attestation.kinds import TcbStatus, TeeKind
from xmtp_tee.hashing import keccak256

ROOT = "intel-collateral/roots/Intel_SGX_Root_CA.der"
PLATFORM_CA = "intel-collateral/roots/Intel_SGX_PCK_Platform_CA.der"
TCB_SIGNER = "intel-collateral/roots/Intel_SGX_TCB_Signing.der"


NO_ADVISORIES = bytes(32)
_REPORT = "(uint8,bytes32,bytes20,bytes32,bytes32,(uint8,bytes32,bytes16,bytes16))"


@dataclass(frozen=True)
class Judgement:
    """``PlatformJudgement`` of the contracts."""

    status: TcbStatus
    advisories: bytes
    instance: bytes
    family: bytes

    @classmethod
    def of(cls, answer: tuple[int, bytes, bytes, bytes]) -> Judgement:
        return cls(TcbStatus(answer[0]), *answer[1:])


@dataclass(frozen=True)
class Report:
    """``AttestedReport`` of the contracts."""

    tee: TeeKind
    workload: bytes
    platform: bytes
    report_data: bytes
    judgement: Judgement

    @property
    def status(self) -> TcbStatus:
        return self.judgement.status

    @classmethod
    def of(
        cls, answer: tuple[int, bytes, bytes, bytes, bytes, tuple[int, bytes, bytes, bytes]]
    ) -> Report:
        tee, workload, platform, head, tail, judgement = answer
        return cls(TeeKind(tee), workload, platform, head + tail, Judgement.of(judgement))

    @classmethod
    def decode(cls, raw: bytes) -> Report:
        return cls.of(decode([_REPORT], raw)[0])


def intel_root() -> bytes:
    return attestation_fixture(ROOT).read_bytes()


def phala_collateral(name: str = "tdx_quote_collateral.json") -> Collateral:
    """Collateral as a PCCS client keeps it: all in one file."""
    return Collateral.from_json(attestation_fixture(f"intel-collateral/phala/{name}").read_text())


def collateral_from_pieces(tcb_info: str, qe_identity: str, platform_crl: str) -> Collateral:
    """Collateral from the separate answers of Intel's service, below ``intel-collateral/``."""

    def pem(name: str) -> str:
        return ssl.DER_cert_to_PEM_cert(attestation_fixture(name).read_bytes())

    def read(name: str) -> str:
        return attestation_fixture(f"intel-collateral/{name}").read_text()

    return Collateral.from_pieces(
        tcb_info=read(tcb_info),
        qe_identity=read(qe_identity),
        root_ca_crl=attestation_fixture("intel-collateral/2025-06/root_crl.der").read_bytes(),
        pck_crl=attestation_fixture(f"intel-collateral/{platform_crl}").read_bytes(),
        pck_crl_issuer_chain=pem(PLATFORM_CA) + pem(ROOT),
        tcb_signing_chain=pem(TCB_SIGNER) + pem(ROOT),
    )


_PLATFORMS_SLOT = 7
"""Where DcapVerifier's mapping of platforms lies; :func:`forget_platform` fails if it moves."""


def forget_platform(chain: Chain, verifier: Contract, handle: bytes) -> None:
    """Take a platform's record out of the verifier's storage; its environment stays known.

    So a platform among the fixtures is to the verifier like another machine of the same kind and level.
    """
    base = int.from_bytes(
        keccak256(handle.ljust(32, b"\0") + _PLATFORMS_SLOT.to_bytes(32, "big")), "big"
    )
    for offset in range(3):
        if offset < 2 and not any(chain.web3.eth.get_storage_at(verifier.address, base + offset)):
            msg = "the platform's record does not lie where it is looked for"
            raise LookupError(msg)
        chain.set_storage(verifier.address, base + offset, bytes(32))


def submit_all(
    chain: Chain, verifier: Contract, collateral: Collateral, leaf: bytes | None = None
) -> dict[str, int]:
    """Submit everything in the planned order; return the gas of each kind of submission."""
    gas: dict[str, int] = {}
    for submission in plan_submissions(collateral, leaf):
        function = verifier.get_function_by_name(submission.function)
        receipt = chain.send(function(*submission.arguments))
        gas[submission.what] = receipt["gasUsed"]
    return gas
