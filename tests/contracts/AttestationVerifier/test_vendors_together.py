"""Nitro and SEV-SNP behind one router, registry and policy: deny-lists, revocation and floors reach both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.contracts.nitro import nitro_support as nitro
from tests.contracts.sevsnp import snp_support as snp
from tests.support.chain import Anvil, Chain, Reverted
from xmtp_tee.attestation.sevsnp.evidence import new_key_evidence
from xmtp_tee.attestation.sevsnp.product import ProductLine
from xmtp_tee.attestation.sevsnp.report import SigningKey
from xmtp_tee.attestation.sevsnp.workload import instance_of, snp_workload_id
from xmtp_tee.attestation.simulator.nitro import (
    DocumentRecipe,
    development_nitro_pki,
    development_nitro_root,
)
from xmtp_tee.attestation.simulator.sevsnp.pki import (
    CHIP_ID,
    development_anchors,
    development_snp_pki,
)
from xmtp_tee.attestation.simulator.sevsnp.report import SnpReportRecipe

NOW = 1_780_000_000
NITRO, SEV_SNP = 3, 4
MEMBER = 4
TRANSPORT = b"\x07" * 32


@dataclass
class World:
    chain: Chain
    nitro: Any
    snp: Any
    router: Any
    policy: Any
    registry: Any

    def attest(self, authority: str, tee: int) -> bytes:
        """Attest an enclave that binds the authority; return its workload."""
        block = self.chain.web3.eth.get_block("latest")
        number, block_hash = block["number"], bytes(block["hash"])
        self.chain.mine()
        functions = self.registry.functions
        digest = self.chain.call(functions.bindingDigest(authority, TRANSPORT, number, block_hash))
        data = digest + bytes(32)
        if tee == NITRO:
            document = DocumentRecipe(user_data=data).build(NOW)
            evidence = b"\x03" + nitro.evidence_of(document)
            workload = nitro.workload(document)
        else:
            extended = SnpReportRecipe(report_data=data).build(development_snp_pki())
            evidence = new_key_evidence(extended, development_anchors())
            workload = snp_workload_id(extended[: snp.REPORT])
        if not self.chain.call(self.policy.functions.isWorkloadTrusted(workload)):
            self.chain.send(
                self.policy.functions.addWorkload(
                    workload, MEMBER, "https://example.org", bytes(20)
                )
            )
        self.chain.send(functions.attest(authority, TRANSPORT, number, evidence))
        return workload

    def standing(self, authority: str) -> tuple[bool, str]:
        trusted, reason = self.chain.call(self.registry.functions.standing(authority))
        return trusted, self.chain._errors[reason].name if any(reason) else ""


@pytest.fixture(scope="module")
def fresh() -> Iterator[World]:
    milan = development_snp_pki()
    certificates = snp.Chain3(
        milan.ark().der,
        milan.intermediate(SigningKey.VCEK).der,
        milan.intermediate(SigningKey.VLEK).der,
    )
    with Anvil(timestamp=NOW) as anvil:
        chain = Chain(anvil)
        owner = chain.accounts[0]
        documents = nitro.deploy(chain, development_nitro_root(), 30 * nitro.DAY)
        reports = snp.deploy(chain, [snp.root(ProductLine.MILAN, 1, certificates)], owner)
        snp.submit(chain, reports, ProductLine.MILAN, certificates)
        router = chain.deploy(
            "AttestationVerifier", [NITRO, SEV_SNP], [documents.address, reports.address]
        )
        policy = chain.deploy("EnclavePolicy", owner, 0)
        registry = chain.deploy(
            "EnclaveRegistry", router.address, policy.address, 256, 30 * nitro.DAY
        )
        yield World(chain, documents, reports, router, policy, registry)


@pytest.fixture
def world(fresh: World) -> Iterator[World]:
    before = fresh.chain.snapshot()
    yield fresh
    fresh.chain.revert_to(before)


def refused_reason(world: World, authority: str) -> str:
    trusted, reason = world.standing(authority)
    assert not trusted
    return reason


def test_enclaves_of_both_vendors_are_trusted_at_once(world: World) -> None:
    first, second = world.chain.accounts[6:8]
    workloads = {world.attest(first, NITRO), world.attest(second, SEV_SNP)}
    assert len(workloads) == 2
    assert world.standing(first) == world.standing(second) == (True, "")
    # Judged through the router too, which remembers whose handle it is.
    for evidence, tee in (
        (b"\x03" + nitro.evidence_of(DocumentRecipe().build(NOW)), NITRO),
        (new_key_evidence(SnpReportRecipe().build(), development_anchors()), SEV_SNP),
    ):
        answer = world.chain.call(world.router.functions.verify(evidence))
        assert answer[0] == tee
        world.chain.send(world.router.functions.verify(evidence))
        assert world.chain.call(world.router.functions.judgePlatform(answer[2])) == answer[5]


def test_deny_list_ends_every_enclave_of_the_instance_or_chip(world: World) -> None:
    first, second = world.chain.accounts[6:8]
    world.attest(first, NITRO)
    world.attest(second, SEV_SNP)
    functions = world.policy.functions
    instance = nitro.instance(DocumentRecipe().build(NOW))
    world.chain.send(functions.denyPlatform(NITRO, instance))
    assert refused_reason(world, first) == "PlatformDenied"
    assert world.standing(second)[0]
    world.chain.send(functions.denyPlatform(SEV_SNP, instance_of(CHIP_ID)))
    assert refused_reason(world, second) == "PlatformDenied"


def test_deny_list_ends_a_product_line(world: World) -> None:
    authority = world.chain.accounts[6]
    world.attest(authority, SEV_SNP)
    world.chain.send(world.policy.functions.denyFamily(SEV_SNP, ProductLine.MILAN.family))
    assert refused_reason(world, authority) == "FamilyDenied"


def test_raised_floor_ends_trust_and_an_exception_names_the_tcb(world: World) -> None:
    authority = world.chain.accounts[6]
    workload = world.attest(authority, SEV_SNP)
    world.chain.send(world.snp.functions.raiseFloor(ProductLine.MILAN, 0xFF << 56 | 1))
    assert refused_reason(world, authority) == "TcbStatusNotAccepted"
    tcb = (ProductLine.MILAN << 64 | 219 << 56 | 24 << 48 | 4).to_bytes(32, "big")
    out_of_date, until = 5, world.chain.now + nitro.DAY
    world.chain.send(world.policy.functions.allowStatus(workload, out_of_date, tcb, until))
    assert world.standing(authority) == (True, "")


def test_attestation_outlives_the_leaf_for_the_grace_only(world: World) -> None:
    authority = world.chain.accounts[6]
    world.attest(authority, NITRO)
    world.chain.warp(NOW + 3 * nitro.DAY)
    assert world.standing(authority) == (True, "")
    # Evidence itself is not accepted any more.
    evidence = b"\x03" + nitro.evidence_of(DocumentRecipe().build(NOW), 0)
    with pytest.raises(Reverted) as refusal:
        world.chain.call(world.router.functions.verify(evidence))
    assert refusal.value.name in {"CertificateExpired", "CertificateUnknown"}
    world.chain.warp(NOW + 31 * nitro.DAY)
    assert refused_reason(world, authority) in {"AttestationExpired", "CertificateExpired"}


def test_revoked_ca_suspends_every_enclave_below_it(world: World) -> None:
    authority = world.chain.accounts[6]
    world.attest(authority, NITRO)
    chain = nitro.chain_of(DocumentRecipe().build(NOW))
    regional_key = development_nitro_pki().chain(NOW)[1].key
    zonal = nitro.x509.load_der_x509_certificate(chain[2]).serial_number
    revocations = nitro.crl(chain[1], regional_key, [zonal], issued=NOW - 60)
    witness = nitro.crl_witness(revocations, chain[1])
    world.chain.send(world.nitro.functions.submitCrl(revocations, chain[1], witness, 0, 1))
    assert refused_reason(world, authority) == "CertificateRevoked"
