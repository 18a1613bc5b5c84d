"""Five attempts to cheat. Each builds a transaction that the chain must refuse."""

from __future__ import annotations

from dataclasses import replace

from coincurve import PrivateKey

from xmtp_tee.attestation.address import address_of_public_key, checksum_address, parse_address
from xmtp_tee.attestation.evidence import Attestation
from xmtp_tee.client.chain import Block
from xmtp_tee.client.evidence_encoding import encode_evidence
from xmtp_tee.client.proof import encode_proof
from xmtp_tee.client.registry import recent_block
from xmtp_tee.demo.stage import Attempt, Stage


def flipped_bit(stage: Stage) -> Attempt:
    """The enclave's fresh quote, with one bit of its measurement flipped."""
    genuine = _fresh(stage)
    evidence = stage.tee.flipped(genuine.quote, lambda quote: _encoded(stage, genuine, quote))
    return _attest_encoded(stage, genuine, evidence)


def unknown_workload(stage: Stage) -> Attempt:
    """Genuine-format evidence of an enclave that runs other code: the attacker's own."""
    block = recent_block(stage.need(stage.chain))
    authority = address_of_public_key(PrivateKey().public_key.format(compressed=False))
    claims = _claims(stage, authority, bytes(range(32)), block)
    driver = stage.tee.driver(stage.folder / "attacker", b"a back door")
    return _attest(stage, claims, driver.quote(claims.binding.report_data()))


def another_owners_proof(stage: Stage) -> Attempt:
    """A stranger sends the owner's own registration, byte for byte."""
    certificate = stage.published["owner"].certificate
    registry = stage.registry("stranger").reader.key_registry
    function = registry.functions.registerKeyBundleWithAttestation(
        certificate.identity_key,
        certificate.pre_key,
        certificate.pre_key_signature,
        encode_proof(certificate, certificate.recover_authority()),
    )
    return Attempt(function, stage.senders["stranger"])


def stale_block(stage: Stage) -> Attempt:
    """A genuine quote that was kept until its block was too old."""
    chain = stage.need(stage.chain)
    genuine = _fresh(stage)
    limit = chain.read(stage.registry("owner").reader.enclave_registry.functions.maxBlockAge())
    chain.request("anvil_mine", hex(int(limit) + 1))
    return _attest(stage, genuine, genuine.quote)


def old_pre_key(stage: Stage) -> Attempt:
    """The owner's first pre-key again, with its old and valid certificate."""
    certificate = stage.published["owner"].certificate
    registry = stage.registry("owner").reader.key_registry
    function = registry.functions.rotatePreKey(
        certificate.identity_key,
        certificate.pre_key,
        certificate.pre_key_signature,
        encode_proof(certificate, certificate.recover_authority()),
    )
    return Attempt(function, stage.senders["owner"])


def _fresh(stage: Stage) -> Attestation:
    """Have the enclave attest itself anew, bound to a newer block than the recorded one."""
    stage.need(stage.chain).request("anvil_mine", hex(4))
    return stage.registry("owner").evidence().attestation


def _claims(stage: Stage, authority: bytes, transport_key: bytes, block: Block) -> Attestation:
    deployment = stage.need(stage.deployment)
    return Attestation(
        tee=stage.tee.kind,
        quote=b"",
        authority=authority,
        transport_key=transport_key,
        chain_id=deployment.chain_id,
        enclave_registry=parse_address(deployment.address("EnclaveRegistry")),
        block_number=block.number,
        block_hash=block.hash,
    )


def _attest(stage: Stage, claims: Attestation, quote: bytes) -> Attempt:
    """Bring a quote to the EnclaveRegistry, as anybody may."""
    return _attest_encoded(stage, claims, _encoded(stage, claims, quote))


def _encoded(stage: Stage, claims: Attestation, quote: bytes) -> bytes:
    chain, deployment = stage.need(stage.chain), stage.need(stage.deployment)
    return encode_evidence(chain, deployment, replace(claims, quote=quote))


def _attest_encoded(stage: Stage, claims: Attestation, evidence: bytes) -> Attempt:
    function = stage.registry("stranger").reader.enclave_registry.functions.attest(
        checksum_address(claims.authority), claims.transport_key, claims.block_number, evidence
    )
    return Attempt(function, stage.senders["stranger"])
