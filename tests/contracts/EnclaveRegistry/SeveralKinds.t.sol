// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AssuranceLevel, AttestedReport, TcbStatus, TeeKind} from "../../../contracts/interfaces/AttestationTypes.sol";
import {IAttestationRouter} from "../../../contracts/interfaces/IAttestationRouter.sol";
import {IEnclavePolicy} from "../../../contracts/interfaces/IEnclavePolicy.sol";
import {Enclave, EnclaveState, IEnclaveRegistry} from "../../../contracts/interfaces/IEnclaveRegistry.sol";
import {Standing} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {BundleProof} from "../registry/RegistryFixture.sol";
import {ScriptedVerifier} from "../registry/ScriptedVerifier.sol";
import {SeveralKinds} from "../registry/SeveralKinds.sol";

/// @dev docs/SPECIFICATION.md, EnclaveRegistry, several kinds of environment behind one authority.
contract EnclaveRegistrySeveralKindsTest is SeveralKinds {
    function setUp() public override {
        super.setUp();
        attestBy(TeeKind.TDX, authority);
    }

    // --- attestations side by side -----------------------------------------------------------------------

    function test_attack_evidence_of_another_kind_replaces_nothing() external {
        bytes memory before = abi.encode(enclaves.enclave(authority));
        attestBy(TeeKind.NITRO, authority);
        assertSame(abi.encode(enclaves.enclave(authority)), before, "the first attestation is what it was");
        (Enclave memory first, bytes4 reason) = enclaves.attestation(authority, TeeKind.TDX);
        assertSame(abi.encode(first), before, "and is its kind's");
        assertSame(reason, 0, "which stands");
    }

    function test_a_further_kind_is_recorded_from_verified_bytes() external {
        AttestedReport memory report = reportBy(TeeKind.NITRO, authority, START_BLOCK - 1);
        report.workload = OTHER_WORKLOAD;
        bytes memory evidence = evidenceBy(TeeKind.NITRO, report);
        vm.warp(START + 1 days);
        vm.expectEmit(address(enclaves));
        emit IEnclaveRegistry.EnclaveAttested(
            authority,
            OTHER_WORKLOAD,
            platformOf(TeeKind.NITRO),
            TeeKind.NITRO,
            TcbStatus.UP_TO_DATE,
            bytes32(0),
            TRANSPORT_KEY,
            uint64(START_BLOCK - 1),
            uint64(START) + 1 days + TTL
        );
        vm.prank(stranger);
        enclaves.attest(authority, TRANSPORT_KEY, uint64(START_BLOCK - 1), evidence);
        (Enclave memory record, bytes4 reason) = enclaves.attestation(authority, TeeKind.NITRO);
        assertSame(
            abi.encode(record),
            abi.encode(
                Enclave({
                    state: EnclaveState.ATTESTED,
                    tee: TeeKind.NITRO,
                    blockNumber: uint64(START_BLOCK - 1),
                    attestedAt: uint64(START) + 1 days,
                    expiresAt: uint64(START) + 1 days + TTL,
                    workload: OTHER_WORKLOAD,
                    platform: platformOf(TeeKind.NITRO)
                })
            ),
            "the record"
        );
        assertSame(reason, 0, "it stands");
    }

    function test_a_kind_without_evidence_is_unknown() external view {
        (Enclave memory record, bytes4 reason) = enclaves.attestation(authority, TeeKind.NITRO);
        Enclave memory nothing;
        assertSame(abi.encode(record), abi.encode(nothing), "nothing is recorded");
        assertSame(reason, IEnclaveRegistry.EnclaveUnknown.selector, "unknown");
        (, reason) = enclaves.attestation(stranger, TeeKind.TDX);
        assertSame(reason, IEnclaveRegistry.EnclaveUnknown.selector, "as for a stranger");
    }

    function test_evidence_of_no_kind_has_no_verifier_however_many_there_are() external {
        expectError(abi.encodeWithSelector(IAttestationRouter.TeeKindUnsupported.selector, uint8(0)));
        enclaves.attest(authority, TRANSPORT_KEY, uint64(START_BLOCK - 1), new bytes(128));
    }

    function test_each_kind_is_renewed_on_its_own() external {
        attestBy(TeeKind.NITRO, authority);
        vm.warp(START + 1 days);
        roll(START_BLOCK + 1);
        attestBy(TeeKind.NITRO, authority);
        (Enclave memory further,) = enclaves.attestation(authority, TeeKind.NITRO);
        assertSame(further.expiresAt, START + 1 days + TTL, "prolonged");
        assertSame(further.blockNumber, START_BLOCK, "newer block");
        assertSame(enclaves.enclave(authority).expiresAt, START + TTL, "the first is not");
        attestBy(TeeKind.TDX, authority);
        assertSame(enclaves.enclave(authority).expiresAt, START + 1 days + TTL, "until its own renewal");
    }

    function test_a_renewal_of_a_further_kind_with_an_old_quote_is_refused() external {
        attestBy(TeeKind.NITRO, authority);
        bytes memory evidence = evidenceBy(TeeKind.NITRO, reportBy(TeeKind.NITRO, authority, START_BLOCK - 1));
        expectError(
            abi.encodeWithSelector(IEnclaveRegistry.AttestationNotNewer.selector, START_BLOCK - 1, START_BLOCK - 1)
        );
        enclaves.attest(authority, TRANSPORT_KEY, uint64(START_BLOCK - 1), evidence);
    }

    /// @dev The first kind stays the first, expired, invalidated or not.
    function test_a_further_kind_does_not_become_the_first_when_that_fails() external {
        vm.warp(START + TTL);
        enclaves.invalidate(authority);
        attestBy(TeeKind.NITRO, authority);
        assertThat(enclaves.enclave(authority).tee == TeeKind.TDX, "the first kind");
        expectStanding(IEnclaveRegistry.EnclaveInvalidated.selector);
        roll(START_BLOCK + 1);
        attestBy(TeeKind.TDX, authority);
        expectStanding(0);
    }

    // --- evidence that is none ---------------------------------------------------------------------------

    function test_attack_replay_of_one_kinds_evidence_as_another() external {
        bytes memory evidence = evidenceBy(TeeKind.NITRO, reportBy(TeeKind.NITRO, authority, START_BLOCK - 1));
        evidence[0] = bytes1(uint8(TeeKind.SEV_SNP));
        bytes memory rest = new bytes(evidence.length - 1);
        for (uint256 i = 0; i < rest.length; ++i) {
            rest[i] = evidence[i + 1];
        }
        expectError(abi.encodeWithSelector(ScriptedVerifier.EvidenceNotScripted.selector, keccak256(rest)));
        enclaves.attest(authority, TRANSPORT_KEY, uint64(START_BLOCK - 1), evidence);
    }

    /// @dev One verifier serves SGX and TDX: what it says that evidence is, must be what the evidence says.
    function test_attack_a_verifier_that_serves_two_kinds_counts_its_evidence_for_one() external {
        bytes memory evidence = evidenceBy(TeeKind.SEV_SNP, reportBy(TeeKind.NITRO, authority, START_BLOCK - 1));
        expectError(abi.encodeWithSelector(IAttestationRouter.TeeKindMismatch.selector, TeeKind.NITRO, TeeKind.SEV_SNP));
        enclaves.attest(authority, TRANSPORT_KEY, uint64(START_BLOCK - 1), evidence);
    }

    function test_attack_a_further_kinds_evidence_of_another_authority() external {
        AttestedReport memory report = reportBy(TeeKind.NITRO, otherAuthority, START_BLOCK - 1);
        bytes memory evidence = evidenceBy(TeeKind.NITRO, report);
        bytes32 expected =
            enclaves.bindingDigest(authority, TRANSPORT_KEY, START_BLOCK - 1, hashOfBlock(START_BLOCK - 1));
        expectError(
            abi.encodeWithSelector(IEnclaveRegistry.ReportDataMismatch.selector, report.reportDataHead, expected)
        );
        enclaves.attest(authority, TRANSPORT_KEY, uint64(START_BLOCK - 1), evidence);
    }

    function test_a_further_kind_must_be_acceptable_by_itself() external {
        bytes memory evidence = evidenceBy(TeeKind.NITRO, reportBy(TeeKind.NITRO, authority, START_BLOCK - 1));
        vm.prank(admin);
        policy.denyPlatform(TeeKind.NITRO, INSTANCE);
        expectError(abi.encodeWithSelector(IEnclavePolicy.PlatformDenied.selector, TeeKind.NITRO, INSTANCE));
        enclaves.attest(authority, TRANSPORT_KEY, uint64(START_BLOCK - 1), evidence);
        expectStanding(0);
    }

    // --- the demand --------------------------------------------------------------------------------------

    function test_two_of_three_kinds_must_stand() external {
        demand(2, TDX | NITRO | SEV_SNP);
        expectStanding(IEnclaveRegistry.TooFewTeeKinds.selector);
        enclaves.requireAttested(authority); // the record alone still stands
        attestBy(TeeKind.SEV_SNP, authority);
        expectStanding(0);
        attestBy(TeeKind.NITRO, authority);
        expectStanding(0);
        judgedBy(TeeKind.SEV_SNP, TcbStatus.OUT_OF_DATE);
        expectStanding(0);
        judgedBy(TeeKind.NITRO, TcbStatus.OUT_OF_DATE);
        expectStanding(IEnclaveRegistry.TooFewTeeKinds.selector);
    }

    function test_without_a_demand_further_kinds_decide_nothing() external {
        attestBy(TeeKind.NITRO, authority);
        judgedBy(TeeKind.NITRO, TcbStatus.OUT_OF_DATE);
        expectStanding(0);
        judgedBy(TeeKind.TDX, TcbStatus.OUT_OF_DATE);
        judgedBy(TeeKind.NITRO, TcbStatus.UP_TO_DATE);
        expectStanding(IEnclavePolicy.TcbStatusNotAccepted.selector);
    }

    function test_the_same_kind_twice_does_not_count_twice() external {
        demand(2, TDX | NITRO);
        roll(START_BLOCK + 1);
        attestBy(TeeKind.TDX, authority);
        expectStanding(IEnclaveRegistry.TooFewTeeKinds.selector);
    }

    function test_a_kind_outside_of_the_set_does_not_count() external {
        demand(2, TDX | NITRO);
        attestBy(TeeKind.SEV_SNP, authority);
        expectStanding(IEnclaveRegistry.TooFewTeeKinds.selector);
        attestBy(TeeKind.NITRO, authority);
        expectStanding(0);
    }

    function test_a_first_kind_outside_of_the_set_does_not_count_and_must_stand() external {
        demand(1, NITRO | SEV_SNP);
        expectStanding(IEnclaveRegistry.TooFewTeeKinds.selector);
        attestBy(TeeKind.NITRO, authority);
        expectStanding(0);
        judgedBy(TeeKind.TDX, TcbStatus.OUT_OF_DATE);
        expectStanding(IEnclavePolicy.TcbStatusNotAccepted.selector);
    }

    function test_one_kinds_expiry_ends_what_needs_it() external {
        demand(2, TDX | NITRO);
        attestBy(TeeKind.NITRO, authority);
        vm.warp(START + 1 days);
        roll(START_BLOCK + 1);
        attestBy(TeeKind.TDX, authority);
        vm.warp(START + TTL - 1);
        expectStanding(0);
        vm.warp(START + TTL);
        expectStanding(IEnclaveRegistry.TooFewTeeKinds.selector);
        expectKind(TeeKind.NITRO, IEnclaveRegistry.AttestationExpired.selector);
        expectKind(TeeKind.TDX, 0);
        attestBy(TeeKind.NITRO, authority);
        expectStanding(0);
    }

    function test_one_vendors_denied_platform_ends_what_needs_it() external {
        demand(2, TDX | NITRO);
        attestBy(TeeKind.NITRO, authority);
        vm.prank(admin);
        policy.denyPlatform(TeeKind.NITRO, INSTANCE);
        expectStanding(IEnclaveRegistry.TooFewTeeKinds.selector);
        expectKind(TeeKind.NITRO, IEnclavePolicy.PlatformDenied.selector);
        vm.prank(admin);
        policy.allowPlatform(TeeKind.NITRO, INSTANCE);
        expectStanding(0);
        vm.prank(admin);
        policy.denyPlatform(TeeKind.TDX, INSTANCE);
        expectStanding(IEnclavePolicy.PlatformDenied.selector);
    }

    function test_one_vendors_removed_workload_ends_what_needs_it() external {
        demand(2, TDX | NITRO);
        AttestedReport memory report = reportBy(TeeKind.NITRO, authority, START_BLOCK - 1);
        report.workload = OTHER_WORKLOAD;
        attestBy(TeeKind.NITRO, authority, report);
        expectStanding(0);
        vm.prank(admin);
        policy.removeWorkload(OTHER_WORKLOAD);
        expectStanding(IEnclaveRegistry.TooFewTeeKinds.selector);
        expectKind(TeeKind.NITRO, IEnclavePolicy.WorkloadNotTrusted.selector);
    }

    function test_a_vendor_that_cannot_judge_does_not_count() external {
        demand(2, TDX | NITRO);
        attestBy(TeeKind.NITRO, authority);
        verifierOf[TeeKind.NITRO].scriptRevert(platformOf(TeeKind.NITRO), abi.encodePacked(bytes4(0x01020304)));
        expectStanding(IEnclaveRegistry.TooFewTeeKinds.selector);
        expectKind(TeeKind.NITRO, 0x01020304);
        verifierOf[TeeKind.NITRO].scriptBurn(platformOf(TeeKind.NITRO));
        (, bytes4 reason) = enclaves.standing{gas: 4_000_000}(authority);
        assertSame(reason, IEnclaveRegistry.TooFewTeeKinds.selector, "nor does one that burns its gas");
        (, reason) = enclaves.attestation{gas: 4_000_000}(authority, TeeKind.NITRO);
        assertSame(reason, IEnclaveRegistry.PlatformNotJudged.selector, "and says so");
    }

    /// @dev Every subset of three kinds, under every demand: trusted exactly when the first and enough of them stand.
    function test_trust_is_the_first_kind_and_k_of_n() external {
        attestBy(TeeKind.NITRO, authority);
        attestBy(TeeKind.SEV_SNP, authority);
        TeeKind[3] memory kinds = [TeeKind.TDX, TeeKind.NITRO, TeeKind.SEV_SNP];
        for (uint8 set = 0x04; set <= 0x1c; set += 4) {
            for (uint8 required = 1; required <= bits(set); ++required) {
                demand(required, set);
                for (uint8 alive = 0; alive <= 0x1c; alive += 4) {
                    for (uint256 i = 0; i < 3; ++i) {
                        bool lives = alive & (uint8(1) << uint8(kinds[i])) != 0;
                        judgedBy(kinds[i], lives ? TcbStatus.UP_TO_DATE : TcbStatus.OUT_OF_DATE);
                    }
                    bytes4 expected =
                        bits(alive & set) >= required ? bytes4(0) : IEnclaveRegistry.TooFewTeeKinds.selector;
                    if (alive & TDX == 0) expected = IEnclavePolicy.TcbStatusNotAccepted.selector;
                    expectStanding(expected);
                }
            }
        }
    }

    // --- what asks for trust -----------------------------------------------------------------------------

    function test_a_certificate_alone_registers_only_under_a_demand_that_is_met() external {
        demand(2, TDX | NITRO);
        Bundle memory bundle = newBundle(owner, "first");
        BundleProof memory proof = proofOf(bundle, AUTHORITY_KEY);
        expectError(notTrusted(IEnclaveRegistry.TooFewTeeKinds.selector));
        vm.prank(owner);
        register(bundle, proof);
        attestBy(TeeKind.NITRO, authority);
        vm.prank(owner);
        register(bundle, proof);
        expectBundle(bundle, Standing.TRUSTED, 0);
    }

    /// @dev The first evidence of an enclave can meet no demand of two kinds: readers decide.
    function test_evidence_of_one_kind_registers_and_readers_wait_for_the_other() external {
        demand(2, TDX | NITRO);
        Bundle memory bundle = newBundle(owner, "first");
        BundleProof memory proof = proofOf(bundle, OTHER_AUTHORITY_KEY);
        proof.transportKey = TRANSPORT_KEY;
        proof.blockNumber = uint64(START_BLOCK - 1);
        proof.evidence = evidenceBy(TeeKind.TDX, reportBy(TeeKind.TDX, otherAuthority, START_BLOCK - 1));
        vm.prank(owner);
        register(bundle, proof);
        expectBundle(bundle, Standing.ENCLAVE_NOT_TRUSTED, IEnclaveRegistry.TooFewTeeKinds.selector);
        attestBy(TeeKind.NITRO, otherAuthority);
        expectBundle(bundle, Standing.TRUSTED, 0);
    }

    function test_a_rotation_by_the_same_enclave_goes_on_under_a_demand_that_is_not_met() external {
        Bundle memory bundle = registered(owner, "first");
        demand(2, TDX | NITRO);
        Bundle memory next = nextPreKey(bundle);
        BundleProof memory proof = proofOf(next, AUTHORITY_KEY);
        vm.prank(owner);
        rotate(next, proof);
        expectBundle(next, Standing.ENCLAVE_NOT_TRUSTED, IEnclaveRegistry.TooFewTeeKinds.selector);
    }

    function test_assurance_is_the_lowest_level_of_what_counts() external {
        uint256 before = vm.snapshotState();
        TeeKind[2] memory others = [TeeKind.NITRO, TeeKind.SEV_SNP];
        for (uint256 i = 0; i < others.length; ++i) {
            vm.revertToState(before);
            expectLowestAssurance(others[i]);
        }
    }

    function expectLowestAssurance(TeeKind other) private {
        AttestedReport memory report = reportBy(other, authority, START_BLOCK - 1);
        report.workload = OTHER_WORKLOAD;
        attestBy(other, authority, report);
        expectAssurance(AssuranceLevel.MEMBER);
        demand(1, TDX);
        expectAssurance(AssuranceLevel.MEMBER);
        demand(2, TDX | uint8(1 << uint8(other)));
        expectAssurance(AssuranceLevel.WALLET);
        judgedBy(other, TcbStatus.OUT_OF_DATE);
        expectAssurance(AssuranceLevel.NONE);
    }

    // --- invalidation --------------------------------------------------------------------------------------

    function test_every_kind_that_fails_is_invalidated_and_no_other() external {
        attestBy(TeeKind.NITRO, authority);
        attestBy(TeeKind.SEV_SNP, authority);
        judgedBy(TeeKind.NITRO, TcbStatus.OUT_OF_DATE);
        vm.prank(admin);
        policy.denyFamily(TeeKind.SEV_SNP, FAMILY);
        vm.expectEmit(address(enclaves));
        emit IEnclaveRegistry.AttestationInvalidated(
            authority, TeeKind.NITRO, IEnclavePolicy.TcbStatusNotAccepted.selector
        );
        vm.expectEmit(address(enclaves));
        emit IEnclaveRegistry.AttestationInvalidated(authority, TeeKind.SEV_SNP, IEnclavePolicy.FamilyDenied.selector);
        vm.prank(stranger);
        enclaves.invalidate(authority);
        judgedBy(TeeKind.NITRO, TcbStatus.UP_TO_DATE);
        vm.prank(admin);
        policy.allowFamily(TeeKind.SEV_SNP, FAMILY);
        expectKind(TeeKind.TDX, 0);
        expectKind(TeeKind.NITRO, IEnclaveRegistry.EnclaveInvalidated.selector);
        expectKind(TeeKind.SEV_SNP, IEnclaveRegistry.EnclaveInvalidated.selector);
        roll(START_BLOCK + 1);
        attestBy(TeeKind.NITRO, authority);
        expectKind(TeeKind.NITRO, 0);
        expectKind(TeeKind.SEV_SNP, IEnclaveRegistry.EnclaveInvalidated.selector);
    }

    function test_an_unmet_demand_only_suspends() external {
        demand(2, TDX | NITRO);
        expectError(
            abi.encodeWithSelector(
                IEnclaveRegistry.EnclaveSuspended.selector, authority, IEnclaveRegistry.TooFewTeeKinds.selector
            )
        );
        vm.prank(attacker);
        enclaves.invalidate(authority);
    }

    function test_an_invalidated_first_kind_leaves_a_further_one_to_be_invalidated() external {
        attestBy(TeeKind.NITRO, authority);
        judgedBy(TeeKind.TDX, TcbStatus.OUT_OF_DATE);
        enclaves.invalidate(authority);
        expectError(abi.encodeWithSelector(IEnclaveRegistry.EnclaveInvalidated.selector, authority));
        enclaves.invalidate(authority);
        judgedBy(TeeKind.NITRO, TcbStatus.OUT_OF_DATE);
        enclaves.invalidate(authority);
        expectKind(TeeKind.NITRO, IEnclaveRegistry.EnclaveInvalidated.selector);
    }

    /// @dev The attacker chooses the gas, so that a call on the way runs out of it.
    function test_griefing_by_starving_the_judgement_of_a_further_kind() external {
        attestBy(TeeKind.NITRO, authority);
        attestBy(TeeKind.SEV_SNP, authority);
        for (uint256 gas_ = 10_000; gas_ < 200_000; gas_ += 1000) {
            vm.prank(attacker);
            (bool accepted,) =
                address(enclaves).call{gas: gas_}(abi.encodeCall(IEnclaveRegistry.invalidate, (authority)));
            assertThat(!accepted, vm.toString(gas_));
        }
    }

    // --- the end -------------------------------------------------------------------------------------------

    function test_a_retirement_ends_every_kind() external {
        attestBy(TeeKind.NITRO, authority);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(AUTHORITY_KEY, enclaves.retirementDigest(authority));
        enclaves.retire(authority, abi.encodePacked(r, s, v));
        expectEnded(EnclaveState.RETIRED, IEnclaveRegistry.EnclaveRetired.selector);
    }

    function test_a_revocation_ends_every_kind() external {
        attestBy(TeeKind.NITRO, authority);
        vm.prank(admin);
        enclaves.revoke(authority);
        expectEnded(EnclaveState.REVOKED, IEnclaveRegistry.EnclaveRevoked.selector);
    }

    function expectEnded(EnclaveState state, bytes4 reason) private {
        TeeKind[3] memory kinds = [TeeKind.TDX, TeeKind.NITRO, TeeKind.SEV_SNP];
        roll(START_BLOCK + 1);
        for (uint256 i = 0; i < 3; ++i) {
            (Enclave memory record, bytes4 got) = enclaves.attestation(authority, kinds[i]);
            assertThat(record.state == state, "ended");
            assertSame(got, reason, "and says so");
            bytes memory evidence = evidenceBy(kinds[i], reportBy(kinds[i], authority, START_BLOCK));
            expectError(abi.encodeWithSelector(reason, authority));
            enclaves.attest(authority, TRANSPORT_KEY, uint64(START_BLOCK), evidence);
        }
        (Enclave memory further,) = enclaves.attestation(authority, TeeKind.NITRO);
        assertSame(further.workload, WORKLOAD, "what was verified last stays readable");
        expectError(abi.encodeWithSelector(reason, authority));
        enclaves.invalidate(authority);
        expectStanding(reason);
    }

    function expectKind(TeeKind kind, bytes4 expected) private view {
        (, bytes4 reason) = enclaves.attestation(authority, kind);
        assertSame(reason, expected, "the kind's reason");
    }

    function expectStanding(bytes4 expected) private {
        (bool trusted, bytes4 reason) = enclaves.standing(authority);
        assertSame(reason, expected, "reason");
        assertThat(trusted == (expected == 0), "trusted exactly without a reason");
        if (expected != 0) expectError(notTrusted(expected));
        enclaves.requireTrusted(authority);
    }

    function expectAssurance(AssuranceLevel expected) private view {
        assertSame(uint256(enclaves.assuranceOf(authority)), uint256(expected), "assurance");
    }

    function expectBundle(Bundle memory bundle, Standing expected, bytes4 expectedReason) private view {
        (Standing standing, bytes4 reason) = registry.isTrusted(bundle.owner, bundle.identityKey);
        assertThat(standing == expected, "standing");
        assertSame(reason, expectedReason, "reason");
    }

    function notTrusted(bytes4 reason) private view returns (bytes memory) {
        return abi.encodeWithSelector(IEnclaveRegistry.EnclaveNotTrusted.selector, authority, reason);
    }

    function bits(uint8 set) private pure returns (uint256 count) {
        for (; set != 0; set &= set - 1) {
            ++count;
        }
    }
}
