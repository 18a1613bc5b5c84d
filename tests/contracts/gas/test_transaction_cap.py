"""EIP-7825 caps a transaction at 2**24 gas: every state-changing function stays under it.

The figures are those of ``benchmarks/results/gas.json``: receipts of whole transactions, with cold storage and,
where size matters, on the largest collateral that Intel has published. ``make gas-check`` keeps them true.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

CAP = 2**24

# What bounds each function, by the figures in which it is the expensive part.
MEASURED = {
    "AttestationVerifier.verify": ["register_with_quote_new_platform"],
    "DcapVerifier.submitCrl": ["submit_pck_crl_129_entries", "submit_root_crl"],
    # Stores some of the entries that submitCrl stores all at once.
    "DcapVerifier.submitCrlEntries": ["submit_pck_crl_129_entries"],
    "DcapVerifier.submitIntermediateCa": ["submit_intermediate_ca"],
    "DcapVerifier.submitPckCertificate": ["submit_pck_certificate"],
    "DcapVerifier.submitQeIdentity": ["submit_qe_identity"],
    "DcapVerifier.submitTcbInfo": ["submit_tcb_info_sgx_v3_11_levels", "submit_tcb_info_tdx"],
    "DcapVerifier.submitTcbSigner": ["submit_tcb_signer"],
    "DcapVerifier.verify": ["verify_tdx_v4_real_first", "verify_tdx_v5_real_warm"],
    "EnclavePolicy.addWorkload": ["policy_add_workload"],
    "EnclavePolicy.allowStatus": ["policy_allow_status"],
    "EnclavePolicy.denyFamily": ["policy_deny_family"],
    "EnclavePolicy.denyPlatform": ["policy_deny_platform"],
    # Announces what addWorkload, the longest of the additions, stores.
    "EnclavePolicy.scheduleAddition": ["policy_add_workload"],
    "EnclaveRegistry.attest": ["attest_renewal", "register_with_quote_new_platform"],
    "KeyRegistry.registerKeyBundleWithAttestation": [
        "register_with_quote_first_on_platform",
        "register_with_quote_new_platform",
    ],
    # What an owner's own code costs (ERC-1271, a factory) comes on top and is the owner's affair. The signature of an
    # owner without code costs what it adds to a registration.
    "KeyRegistry.registerKeyBundleWithAttestationFor": [
        "register_certified_for",
        "register_with_quote_new_platform",
    ],
    "KeyRegistry.registerKeyBundleWithAttestationForAgent": [
        "register_for_agent",
        "register_with_quote_new_platform",
    ],
    "KeyRegistry.registerKeyBundles": ["register_batch_per_owner"],
    "KeyRegistry.revokeKeyBundle": ["revoke"],
    "KeyRegistry.revokeKeyBundleFor": ["register_certified_for"],
    "KeyRegistry.revokeKeyBundleForAgent": ["register_for_agent"],
    "KeyRegistry.rotatePreKey": ["rotate_pre_key"],
    "KeyRegistry.rotatePreKeyFor": ["register_certified_for"],
    "KeyRegistry.rotatePreKeyForAgent": ["register_for_agent"],
    "NitroVerifier.submitCrl": ["submit_nitro_crl_50_entries"],
    "NitroVerifier.verify": ["verify_nitro_cold_chain", "verify_nitro_warm"],
    # Two of its signatures and a slot for each entry; sevsnp/test_revocation bounds a list of fifty.
    "SevSnpVerifier.submitCrl": ["submit_sevsnp_signer"],
    "SevSnpVerifier.submitSigner": ["submit_sevsnp_signer"],
    "SevSnpVerifier.verify": ["verify_sevsnp_cold", "verify_sevsnp_warm"],
}

# No loop and no input of free length: a few reads and writes each.
CONSTANT_WORK = {
    "EnclavePolicy.acceptOwnership",
    "EnclavePolicy.addGuardian",
    "EnclavePolicy.allowFamily",
    "EnclavePolicy.allowPlatform",
    "EnclavePolicy.cancelAddition",
    "EnclavePolicy.demandKinds",
    "EnclavePolicy.relaxKinds",
    "EnclavePolicy.removeGuardian",
    "EnclavePolicy.removeWorkload",
    "EnclavePolicy.transferOwnership",
    "EnclavePolicy.withdrawStatus",
    "EnclaveRegistry.invalidate",
    "EnclaveRegistry.retire",
    "EnclaveRegistry.revoke",
    "FreshnessAnchor.anchor",
    # Besides what the validation registry does with the answer.
    "AgentKeyValidator.respond",
    # Besides what it is told to call.
    "CounterfactualDeployer.deploy",
    "KeyRegistry.cancelSignatures",
    "KeyRegistry.pause",
    "KeyRegistry.unpause",
    "SevSnpVerifier.raiseFloor",
}


def state_changing_functions(root: Path) -> set[str]:
    manifest = json.loads((root / "python/xmtp_tee/client/abi.json").read_text(encoding="utf-8"))
    return {
        f"{contract}.{entry['name']}"
        for contract, abi in manifest.items()
        for entry in abi
        if entry["type"] == "function" and entry["stateMutability"] not in ("view", "pure")
    }


def test_every_state_changing_function_is_accounted_for(project_root: Path) -> None:
    assert state_changing_functions(project_root) == MEASURED.keys() | CONSTANT_WORK


@pytest.mark.parametrize("function", sorted(MEASURED))
def test_function_stays_under_the_transaction_cap(project_root: Path, function: str) -> None:
    figures = json.loads((project_root / "benchmarks/results/gas.json").read_text(encoding="utf-8"))
    for key in MEASURED[function]:
        assert 21_000 < figures["gas"][key] < CAP, key


def test_a_batch_of_a_hundred_owners_stays_under_the_transaction_cap(project_root: Path) -> None:
    figures = json.loads((project_root / "benchmarks/results/gas.json").read_text(encoding="utf-8"))
    assert 100 * figures["gas"]["register_batch_per_owner"] < CAP
