// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BlockHistory} from "../../../contracts/attestation/BlockHistory.sol";
import {AttestedReport, TcbStatus, TeeKind} from "../../../contracts/interfaces/AttestationTypes.sol";
import {IAttestationRouter} from "../../../contracts/interfaces/IAttestationRouter.sol";
import {IEnclavePolicy} from "../../../contracts/interfaces/IEnclavePolicy.sol";
import {Enclave, EnclaveState, IEnclaveRegistry} from "../../../contracts/interfaces/IEnclaveRegistry.sol";
import {RegistryFixture} from "../registry/RegistryFixture.sol";
import {ScriptedVerifier} from "../registry/ScriptedVerifier.sol";

/// @dev docs/SPECIFICATION.md, EnclaveRegistry, attest.
contract EnclaveRegistryAttestTest is RegistryFixture {
    uint64 private constant BOUND = uint64(START_BLOCK) - 1;

    function test_an_enclave_is_recorded_from_verified_bytes() external {
        bytes memory evidence = evidenceFor(authority, BOUND);
        vm.expectEmit(address(enclaves));
        emit IEnclaveRegistry.EnclaveAttested(
            authority,
            WORKLOAD,
            PLATFORM,
            TeeKind.TDX,
            TcbStatus.UP_TO_DATE,
            bytes32(0),
            TRANSPORT_KEY,
            BOUND,
            uint64(START) + TTL
        );
        vm.prank(stranger);
        enclaves.attest(authority, TRANSPORT_KEY, BOUND, evidence);
        assertSame(
            abi.encode(enclaves.enclave(authority)),
            abi.encode(
                Enclave({
                    state: EnclaveState.ATTESTED,
                    tee: TeeKind.TDX,
                    blockNumber: BOUND,
                    attestedAt: uint64(START),
                    expiresAt: uint64(START) + TTL,
                    workload: WORKLOAD,
                    platform: PLATFORM
                })
            ),
            "the record"
        );
    }

    function test_the_binding_is_the_documented_hash() external view {
        bytes32 expected = keccak256(
            abi.encode(
                keccak256(
                    "EnclaveBinding(uint256 chainId,address enclaveRegistry,address authority,bytes32 transportKey,uint256 blockNumber,bytes32 blockHash)"
                ),
                block.chainid,
                address(enclaves),
                authority,
                TRANSPORT_KEY,
                uint256(BOUND),
                hashOfBlock(BOUND)
            )
        );
        assertSame(enclaves.bindingDigest(authority, TRANSPORT_KEY, BOUND, hashOfBlock(BOUND)), expected, "by hand");
    }

    function test_authority_zero_is_refused() external {
        bytes memory evidence = evidenceFor(address(0), BOUND);
        refuse(address(0), TRANSPORT_KEY, BOUND, evidence, abi.encodePacked(IEnclaveRegistry.AuthorityIsZero.selector));
    }

    // --- what the report data binds --------------------------------------------------------------------

    function test_x10_evidence_of_another_authority() external {
        bytes memory evidence = evidenceFor(otherAuthority, BOUND);
        refuseBinding(authority, TRANSPORT_KEY, BOUND, evidence, newReport(otherAuthority, TRANSPORT_KEY, BOUND));
    }

    function test_another_transport_key() external {
        bytes memory evidence = evidenceFor(authority, BOUND);
        refuseBinding(authority, bytes32(uint256(1)), BOUND, evidence, newReport(authority, TRANSPORT_KEY, BOUND));
    }

    function test_another_block_than_the_bound_one() external {
        bytes memory evidence = evidenceFor(authority, BOUND - 1);
        refuseBinding(authority, TRANSPORT_KEY, BOUND, evidence, newReport(authority, TRANSPORT_KEY, BOUND - 1));
    }

    function test_the_block_hash_of_another_fork() external {
        AttestedReport memory report = newReport(authority, TRANSPORT_KEY, BOUND);
        report.reportDataHead =
            enclaves.bindingDigest(authority, TRANSPORT_KEY, BOUND, keccak256("the block of another fork"));
        refuseBinding(authority, TRANSPORT_KEY, BOUND, evidenceOf(report), report);
    }

    function test_replay_on_another_chain() external {
        AttestedReport memory report = newReport(authority, TRANSPORT_KEY, BOUND);
        bytes memory evidence = evidenceOf(report);
        vm.chainId(block.chainid + 1);
        refuseBinding(authority, TRANSPORT_KEY, BOUND, evidence, report);
    }

    function test_replay_on_another_registry() external {
        AttestedReport memory report = newReport(authority, TRANSPORT_KEY, BOUND);
        bytes memory evidence = evidenceOf(report);
        enclaves = newEnclaves(router, MAX_BLOCK_AGE, TTL);
        refuseBinding(authority, TRANSPORT_KEY, BOUND, evidence, report);
    }

    function testFuzz_a_tail_that_is_not_zero(bytes32 tail) external {
        vm.assume(tail != 0);
        AttestedReport memory report = newReport(authority, TRANSPORT_KEY, BOUND);
        report.reportDataTail = tail;
        refuse(
            authority,
            TRANSPORT_KEY,
            BOUND,
            evidenceOf(report),
            abi.encodeWithSelector(IEnclaveRegistry.ReportDataTailNotZero.selector, tail)
        );
    }

    // --- freshness -------------------------------------------------------------------------------------

    function test_a_bound_block_may_be_as_old_as_the_limit_and_no_older() external {
        uint64 oldest = uint64(START_BLOCK - MAX_BLOCK_AGE);
        bytes memory evidence = evidenceFor(authority, oldest - 1);
        refuse(
            authority,
            TRANSPORT_KEY,
            oldest - 1,
            evidence,
            abi.encodeWithSelector(BlockHistory.BlockTooOld.selector, uint256(oldest) - 1, uint256(oldest))
        );
        vm.setBlockhash(oldest, hashOfBlock(oldest));
        evidence = evidenceFor(authority, oldest);
        enclaves.attest(authority, TRANSPORT_KEY, oldest, evidence);
    }

    function test_a_block_that_is_not_mined_yet() external {
        for (uint64 number = uint64(START_BLOCK); number < START_BLOCK + 2; ++number) {
            bytes memory evidence = evidenceFor(authority, number);
            refuse(
                authority,
                TRANSPORT_KEY,
                number,
                evidence,
                abi.encodeWithSelector(BlockHistory.BlockNotYetMined.selector, uint256(number), START_BLOCK)
            );
        }
        refuse(
            authority,
            TRANSPORT_KEY,
            type(uint64).max,
            hex"02",
            abi.encodeWithSelector(BlockHistory.BlockNotYetMined.selector, uint256(type(uint64).max), START_BLOCK)
        );
    }

    function test_a_young_chain_has_no_oldest_block() external {
        roll(5);
        vm.setBlockhash(0, hashOfBlock(0));
        bytes memory evidence = evidenceFor(authority, 0);
        enclaves.attest(authority, TRANSPORT_KEY, 0, evidence);
        refuse(
            authority,
            TRANSPORT_KEY,
            0,
            evidence,
            abi.encodeWithSelector(IEnclaveRegistry.AttestationNotNewer.selector, uint256(0), uint256(0))
        );
    }

    // --- renewal ---------------------------------------------------------------------------------------

    function test_a_renewal_with_a_newer_block_prolongs() external {
        attest(authority);
        vm.warp(START + 1 days);
        roll(START_BLOCK + 1);
        attest(authority);
        Enclave memory record = enclaves.enclave(authority);
        assertSame(record.expiresAt, START + 1 days + TTL, "prolonged");
        assertSame(record.blockNumber, START_BLOCK, "newer block");
    }

    function test_a_renewal_with_an_old_quote_is_refused() external {
        bytes memory evidence = evidenceFor(authority, BOUND);
        vm.setBlockhash(BOUND - 1, hashOfBlock(BOUND - 1));
        bytes memory older = evidenceFor(authority, BOUND - 1);
        enclaves.attest(authority, TRANSPORT_KEY, BOUND, evidence);
        refuse(
            authority,
            TRANSPORT_KEY,
            BOUND,
            evidence,
            abi.encodeWithSelector(IEnclaveRegistry.AttestationNotNewer.selector, uint256(BOUND), uint256(BOUND))
        );
        refuse(
            authority,
            TRANSPORT_KEY,
            BOUND - 1,
            older,
            abi.encodeWithSelector(IEnclaveRegistry.AttestationNotNewer.selector, uint256(BOUND) - 1, uint256(BOUND))
        );
    }

    function test_an_old_quote_does_not_undo_an_invalidation() external {
        bytes memory evidence = evidenceFor(authority, BOUND);
        enclaves.attest(authority, TRANSPORT_KEY, BOUND, evidence);
        judged(TcbStatus.OUT_OF_DATE);
        enclaves.invalidate(authority);
        judged(TcbStatus.UP_TO_DATE);
        refuse(
            authority,
            TRANSPORT_KEY,
            BOUND,
            evidence,
            abi.encodeWithSelector(IEnclaveRegistry.AttestationNotNewer.selector, uint256(BOUND), uint256(BOUND))
        );
        roll(START_BLOCK + 1);
        attest(authority);
        (bool trusted,) = enclaves.standing(authority);
        assertThat(trusted, "a fresh quote does");
    }

    // --- what verifier and policy refuse ---------------------------------------------------------------

    function test_x9_128_zero_bytes_are_no_quote() external {
        refuse(
            authority,
            TRANSPORT_KEY,
            BOUND,
            new bytes(128),
            abi.encodeWithSelector(IAttestationRouter.TeeKindUnsupported.selector, uint8(0))
        );
        bytes memory zeros = new bytes(127);
        refuse(
            authority,
            TRANSPORT_KEY,
            BOUND,
            abi.encodePacked(uint8(TeeKind.TDX), zeros),
            abi.encodeWithSelector(ScriptedVerifier.EvidenceNotScripted.selector, keccak256(zeros))
        );
    }

    function test_empty_evidence_is_refused() external {
        refuse(authority, TRANSPORT_KEY, BOUND, "", abi.encodePacked(IAttestationRouter.EvidenceEmpty.selector));
    }

    function testFuzz_one_flipped_bit_of_the_evidence(uint256 position, uint8 bit) external {
        bytes memory evidence = evidenceFor(authority, BOUND);
        position = position % evidence.length;
        evidence[position] ^= bytes1(uint8(1) << (bit % 8));
        try enclaves.attest(authority, TRANSPORT_KEY, BOUND, evidence) {
            assertThat(false, "must revert");
        } catch (bytes memory data) {
            bytes4 selector = bytes4(data);
            assertThat(
                selector == ScriptedVerifier.EvidenceNotScripted.selector
                    || selector == IAttestationRouter.TeeKindUnsupported.selector,
                "typed"
            );
        }
        assertThat(enclaves.enclave(authority).state == EnclaveState.NONE, "not recorded");
    }

    function test_an_unknown_workload_is_refused() external {
        AttestedReport memory report = newReport(authority, TRANSPORT_KEY, BOUND);
        report.workload = keccak256("unknown");
        refuse(
            authority,
            TRANSPORT_KEY,
            BOUND,
            evidenceOf(report),
            abi.encodeWithSelector(IEnclavePolicy.WorkloadNotTrusted.selector, report.workload)
        );
    }

    function test_a_removed_workload_is_refused() external {
        bytes memory evidence = evidenceFor(authority, BOUND);
        vm.prank(admin);
        policy.removeWorkload(WORKLOAD);
        refuse(
            authority,
            TRANSPORT_KEY,
            BOUND,
            evidence,
            abi.encodeWithSelector(IEnclavePolicy.WorkloadNotTrusted.selector, WORKLOAD)
        );
    }

    function test_only_a_platform_that_is_up_to_date_is_accepted() external {
        for (uint8 i = 0; i <= uint8(type(TcbStatus).max); ++i) {
            if (TcbStatus(i) == TcbStatus.UP_TO_DATE) continue;
            AttestedReport memory report = newReport(authority, TRANSPORT_KEY, BOUND);
            report.judgement.status = TcbStatus(i);
            refuse(
                authority,
                TRANSPORT_KEY,
                BOUND,
                evidenceOf(report),
                abi.encodeWithSelector(IEnclavePolicy.TcbStatusNotAccepted.selector, WORKLOAD, TcbStatus(i), bytes32(0))
            );
        }
    }

    function test_an_exception_lets_a_lower_status_attest_and_says_so() external {
        vm.prank(admin);
        policy.allowStatus(WORKLOAD, TcbStatus.OUT_OF_DATE, ADVISORIES, uint64(START) + 1);
        AttestedReport memory report = newReport(authority, TRANSPORT_KEY, BOUND);
        report.judgement = judgement(TcbStatus.OUT_OF_DATE);
        bytes memory evidence = evidenceOf(report);
        vm.expectEmit(address(enclaves));
        emit IEnclaveRegistry.EnclaveAttested(
            authority,
            WORKLOAD,
            PLATFORM,
            TeeKind.TDX,
            TcbStatus.OUT_OF_DATE,
            ADVISORIES,
            TRANSPORT_KEY,
            BOUND,
            uint64(START) + TTL
        );
        enclaves.attest(authority, TRANSPORT_KEY, BOUND, evidence);
    }

    function test_a_denied_platform_or_family_attests_nobody() external {
        bytes memory evidence = evidenceFor(authority, BOUND);
        vm.prank(admin);
        policy.denyFamily(TeeKind.TDX, FAMILY);
        bytes memory expected = abi.encodeWithSelector(IEnclavePolicy.FamilyDenied.selector, TeeKind.TDX, FAMILY);
        refuse(authority, TRANSPORT_KEY, BOUND, evidence, expected);
        vm.prank(admin);
        policy.denyPlatform(TeeKind.TDX, INSTANCE);
        expected = abi.encodeWithSelector(IEnclavePolicy.PlatformDenied.selector, TeeKind.TDX, INSTANCE);
        refuse(authority, TRANSPORT_KEY, BOUND, evidence, expected);
    }

    function refuseBinding(
        address authority_,
        bytes32 transportKey,
        uint64 blockNumber,
        bytes memory evidence,
        AttestedReport memory report
    ) private {
        bytes32 expected = enclaves.bindingDigest(authority_, transportKey, blockNumber, hashOfBlock(blockNumber));
        assertThat(expected != report.reportDataHead, "another binding");
        refuse(
            authority_,
            transportKey,
            blockNumber,
            evidence,
            abi.encodeWithSelector(IEnclaveRegistry.ReportDataMismatch.selector, report.reportDataHead, expected)
        );
    }

    function refuse(
        address authority_,
        bytes32 transportKey,
        uint64 blockNumber,
        bytes memory evidence,
        bytes memory expected
    ) private {
        bytes memory before = abi.encode(enclaves.enclave(authority_));
        expectError(expected);
        enclaves.attest(authority_, transportKey, blockNumber, evidence);
        assertSame(abi.encode(enclaves.enclave(authority_)), before, "the record is unchanged");
    }
}
