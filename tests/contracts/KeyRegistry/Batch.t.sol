// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

import {AttestedReport} from "../../../contracts/interfaces/AttestationTypes.sol";
import {IEnclavePolicy} from "../../../contracts/interfaces/IEnclavePolicy.sol";
import {IEnclaveRegistry} from "../../../contracts/interfaces/IEnclaveRegistry.sol";
import {IKeyBundles, IKeyDelegation, KeyState, Registration} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {ScriptedVerifier} from "../registry/ScriptedVerifier.sol";
import {Vm} from "../registry/Vm.sol";
import {HostileFactory, ScriptedWallet} from "../registry/Wallets.sol";
import {DelegationFixture} from "./DelegationFixture.sol";

/// @dev docs/SPECIFICATION.md, KeyRegistry, registerKeyBundles: one bad entry sinks nothing, whatever it does.
contract KeyRegistryBatchTest is DelegationFixture {
    uint256 private constant FIRST_KEY = 0xba7c40001;
    uint256 private constant TRANSACTION_CAP = 2 ** 24;
    uint256 private constant LONGEST_ENTRY = 98_304;

    uint256 private made;

    // --- what is done --------------------------------------------------------------------------------

    function test_many_owners_in_one_transaction() external {
        Registration[] memory entries = honest(7);
        bool[] memory done = bring(entries);
        for (uint256 i = 0; i < done.length; ++i) {
            assertThat(done[i], "done");
            assertSame(registry.getKeyBundle(entries[i].owner).preKey, bytes32(entries[i].preKey), "registered");
            assertSame(registry.nonces(entries[i].owner), 1, "acted once");
        }
    }

    function test_several_bundles_of_one_owner_in_one_transaction() external {
        Registration[] memory entries = new Registration[](3);
        for (uint256 i = 0; i < 3; ++i) {
            Bundle memory bundle = newBundle(signer, vm.toString(i));
            entries[i] =
                entryOf(bundle, signed(SIGNER_KEY, intentOf("RegisterKeyBundle", bundle, authority, i, deadline)));
        }
        bool[] memory done = bring(entries);
        assertThat(done[0] && done[1] && done[2], "all");
        assertSame(registry.getKeyBundles(signer).length, 3, "three bundles");
    }

    function test_an_empty_batch_does_nothing() external {
        assertSame(bring(new Registration[](0)).length, 0, "nothing");
    }

    /// @dev EIP-7825. A hundred stay under the whole of it: benchmarks/gas.py sends them.
    function test_thirty_owners_stay_under_three_tenths_of_the_transaction_cap() external {
        Registration[] memory entries = honest(30);
        bytes memory call_ = abi.encodeCall(IKeyDelegation.registerKeyBundles, (entries));
        uint256 intrinsic = 21_000;
        for (uint256 i = 0; i < call_.length; ++i) {
            intrinsic += call_[i] == 0 ? 4 : 16;
        }
        vm.prank(relayer);
        (bool accepted, bytes memory answer) = address(registry).call{gas: TRANSACTION_CAP * 3 / 10 - intrinsic}(call_);
        assertThat(accepted, "under the cap");
        bool[] memory done = abi.decode(answer, (bool[]));
        for (uint256 i = 0; i < 30; ++i) {
            assertThat(done[i], vm.toString(i));
        }
    }

    // --- one bad entry -------------------------------------------------------------------------------

    function test_a_bad_entry_is_reported_with_its_reason_and_sinks_nothing() external {
        Registration[] memory entries = honest(4);
        entries[1].signature = entries[2].signature; // another owner's
        entries[3].preKey = new bytes(32);
        Vm.Log[] memory reports = refusalsOf(entries, 2);
        assertReport(reports[0], 1, entries[1], abi.encodePacked(invalid(entries[1].owner)));
        assertReport(reports[1], 3, entries[3], abi.encodePacked(IKeyBundles.KeyIsZero.selector));
        assertSame(registry.nonces(entries[1].owner), 0, "its signature can still act");
        assertSame(registry.getKeyBundles(entries[2].owner).length, 1, "the next one is done");
    }

    function test_every_kind_of_malformed_entry_is_reported() external {
        Registration[] memory entries = honest(8);
        entries[0].identityKey = bytes.concat(entries[0].identityKey, hex"00");
        entries[1].identityKey = hex"01";
        entries[2].preKey = new bytes(31);
        entries[3].preKeySignature = "";
        entries[4].attestationProof = "";
        entries[5].attestationProof = new bytes(96);
        entries[6].deadline = time() - 1;
        entries[7].signature = abi.encodePacked(MARK);
        Vm.Log[] memory reports = refusalsOf(entries, 8);
        assertSame(reports[0].topics[3], bytes32(0), "no identity key of 33 bytes in a topic");
        assertSame(reports[1].topics[3], bytes32(0), "and none of one byte");
        assertSame(
            reasonOf(reports[6]),
            abi.encodeWithSelector(IKeyDelegation.SignatureExpired.selector, time() - 1, time()),
            "the deadline"
        );
    }

    function test_the_same_entry_twice_is_done_once() external {
        Registration[] memory entries = honest(2);
        entries[1] = entries[0];
        Vm.Log[] memory reports = refusalsOf(entries, 1);
        assertReport(reports[0], 1, entries[1], invalid(entries[1].owner));
    }

    /// @dev A copy of an entry, mined first by a stranger, takes that entry out of the batch and no other.
    function test_griefing_a_front_run_entry() external {
        Registration[] memory entries = honest(3);
        bring(IKeyDelegation.registerKeyBundleWithAttestationFor.selector, entries[1]);
        refusalsOf(entries, 1);
        for (uint256 i = 0; i < 3; ++i) {
            assertSame(registry.getKeyBundles(entries[i].owner).length, 1, "registered once, by whomever");
        }
    }

    // --- griefing ------------------------------------------------------------------------------------

    function test_griefing_gas_burners_cannot_starve_the_others() external {
        Registration[] memory entries = honest(20);
        ScriptedWallet burner = new ScriptedWallet();
        burner.script(ScriptedWallet.Manner.BURN);
        // Every second entry burns all it gets, the first and the last among them.
        uint256 burning;
        for (uint256 i = 0; i < 20; ++i) {
            if (i % 2 == 1 && i != 19) continue;
            entries[i] = entryOf(newBundle(address(burner), vm.toString(i)), "");
            ++burning;
        }
        Vm.Log[] memory reports = refusalsOf(entries, burning, 20 * 200_000);
        assertSame(reasonOf(reports[0]), invalid(address(burner)), "a burnt question is a no");
        assertSame(registry.getKeyBundles(entries[17].owner).length, 1, "an honest one near the end");
    }

    function test_griefing_a_factory_that_burns_everything() external {
        Registration[] memory entries = honest(6);
        HostileFactory hostile = new HostileFactory();
        bytes memory burn = wrapped(address(hostile), abi.encodeCall(HostileFactory.burn, ()), "");
        for (uint256 i = 0; i < 3; ++i) {
            entries[i] = entryOf(newBundle(hostile.addressOf(signer), vm.toString(i)), burn);
        }
        refusalsOf(entries, 3, 6 * 200_000);
    }

    function test_griefing_return_bombs() external {
        Registration[] memory entries = honest(4);
        ScriptedWallet bomber = new ScriptedWallet();
        bomber.script(ScriptedWallet.Manner.BOMB);
        entries[0] = entryOf(newBundle(address(bomber), "0"), "");
        // A verifier's long revert is what an entry can return at most; the report keeps 256 bytes of it.
        verifier.scriptRevert(PLATFORM, new bytes(50_000));
        entries[1] = entryOf(newBundle(signer, "1"), registrationBy(SIGNER_KEY, newBundle(signer, "1")));
        Vm.Log[] memory reports = refusalsOf(entries, 4, 4 * 1_000_000);
        for (uint256 i = 0; i < 4; ++i) {
            assertThat(reasonOf(reports[i]).length <= 256, "capped");
        }
    }

    /// @dev Encoding the call of a long entry costs gas that grows with the square of its length.
    function test_griefing_a_giant_entry_is_refused_by_its_length() external {
        Registration[] memory entries = honest(4);
        entries[0].attestationProof = new bytes(500_000);
        entries[2].signature = new bytes(500_000);
        Vm.Log[] memory reports = refusalsOf(entries, 2, 4 * 200_000);
        uint256 length = 64 + entries[0].preKeySignature.length + entries[0].signature.length + 500_000;
        bytes memory expected =
            abi.encodeWithSelector(IKeyDelegation.RegistrationTooLong.selector, length, LONGEST_ENTRY);
        assertReport(reports[0], 0, entries[0], expected);
        assertSame(registry.getKeyBundles(entries[1].owner).length, 1, "its neighbour");
        assertSame(registry.getKeyBundles(entries[3].owner).length, 1, "the last one");
    }

    function test_the_longest_entry_is_called_and_one_byte_more_is_not() external {
        Registration[] memory entries = honest(2);
        for (uint256 i = 0; i < 2; ++i) {
            uint256 others = 64 + entries[i].preKeySignature.length + entries[i].attestationProof.length;
            entries[i].signature = new bytes(LONGEST_ENTRY - others + i);
        }
        Vm.Log[] memory reports = refusalsOf(entries, 2);
        assertReport(reports[0], 0, entries[0], invalid(entries[0].owner));
        assertSame(bytes4(reasonOf(reports[1])), IKeyDelegation.RegistrationTooLong.selector, "one more");
    }

    /// @dev A burner spends its whole share: with a long entry no more than with a short one.
    function test_griefing_the_encoding_of_an_entry_is_paid_from_its_share() external {
        Registration[] memory entries = honest(2);
        ScriptedWallet burner = new ScriptedWallet();
        burner.script(ScriptedWallet.Manner.BURN);
        entries[0].owner = address(burner);
        entries[1].preKey = "";
        uint256 short = spentBy(entries);
        entries[0].signature = new bytes(LONGEST_ENTRY - 1000);
        assertThat(spentBy(entries) < short + 10_000, "encoding comes on top");
    }

    /// @dev The longest that are still called, and the least gas: each pays for its own encoding.
    function test_griefing_long_entries_at_the_least_gas_spend_no_more_than_their_share() external {
        Registration[] memory entries = honest(9);
        ScriptedWallet burner = new ScriptedWallet();
        burner.script(ScriptedWallet.Manner.BURN);
        for (uint256 i = 0; i < 8; ++i) {
            if (i % 2 == 1) continue;
            entries[i].signature = new bytes(LONGEST_ENTRY - 1000);
            entries[i].owner = address(burner);
        }
        refusalsOf(entries, 4, 9 * 150_000 + 64_000);
        for (uint256 i = 1; i < 9; i += 2) {
            assertSame(registry.getKeyBundles(entries[i].owner).length, 1, "honest");
        }
        assertSame(registry.getKeyBundles(entries[8].owner).length, 1, "the last one");
    }

    function test_griefing_a_long_reason_is_cut_at_256_bytes() external {
        Registration[] memory entries = honest(2);
        roll(head() + 1);
        uint64 blockNumber = uint64(head() - 1);
        entries[0].attestationProof =
            abi.encodePacked(entries[0].attestationProof, TRANSPORT_KEY, uint40(blockNumber), uint8(2), new bytes(3));
        // The verifier refuses this evidence with as many bytes as it likes.
        vm.etch(address(verifier), hex"6103e85ffd"); // PUSH2 1000 PUSH0 REVERT
        Vm.Log[] memory reports = refusalsOf(entries, 2, 2 * 1_000_000);
        assertSame(reasonOf(reports[0]).length, 256, "of 1000");
    }

    function test_less_than_the_least_gas_for_all_is_refused_before_anything_is_done() external {
        Registration[] memory entries = honest(5);
        bytes memory call_ = abi.encodeCall(IKeyDelegation.registerKeyBundles, (entries));
        vm.prank(relayer);
        (bool accepted, bytes memory answer) = address(registry).call{gas: 5 * 150_000 + 59_000}(call_);
        assertThat(!accepted, "refused");
        assertSame(bytes4(answer), IKeyDelegation.BatchGasTooLow.selector, "says why");
        uint256 left;
        uint256 needed;
        assembly {
            left := mload(add(answer, 0x24))
            needed := mload(add(answer, 0x44))
        }
        assertSame(needed, 5 * 150_000 + 60_000, "the documented least");
        assertThat(left < needed && left > 5 * 150_000, "what was left");
        vm.prank(relayer);
        (accepted, answer) = address(registry).call{gas: 5 * 150_000 + 64_000}(call_);
        assertThat(accepted, "enough");
        bool[] memory done = abi.decode(answer, (bool[]));
        for (uint256 i = 0; i < 5; ++i) {
            assertThat(done[i], "and enough for each");
        }
    }

    /// @dev What the documentation promises for the least gas holds for a batch of one, too.
    function test_the_least_gas_is_enough_for_a_batch_of_one() external {
        Registration[] memory entries = honest(1);
        coolAll();
        vm.prank(relayer);
        bool[] memory done = registry.registerKeyBundles{gas: 150_000 + 63_000}(entries);
        assertThat(done[0], "done");
    }

    // --- the enclave is judged once ------------------------------------------------------------------

    function test_an_untrusted_enclave_fails_each_of_its_entries_alone() external {
        Registration[] memory entries = honest(3);
        Bundle memory bundle = newBundle(signer, "other enclave");
        entries[1] =
            entryOf(bundle, signed(SIGNER_KEY, intentOf("RegisterKeyBundle", bundle, otherAuthority, 0, deadline)));
        entries[1].attestationProof = encode(proofOf(bundle, OTHER_AUTHORITY_KEY));
        Vm.Log[] memory reports = refusalsOf(entries, 1);
        assertSame(
            reasonOf(reports[0]),
            abi.encodeWithSelector(
                IEnclaveRegistry.EnclaveNotTrusted.selector, otherAuthority, IEnclaveRegistry.EnclaveUnknown.selector
            ),
            "the unknown one"
        );
    }

    function test_the_first_entry_vouches_for_nothing_when_its_enclave_is_not_trusted() external {
        Registration[] memory entries = honest(3);
        vm.prank(admin);
        policy.removeWorkload(WORKLOAD);
        refusalsOf(entries, 3);
    }

    /// @dev The judgement made before the entries must not outlive a change that one of them brings about.
    function test_an_entry_that_ends_the_enclaves_trust_ends_it_for_the_entries_after_it() external {
        HostileFactory hostile = new HostileFactory();
        // The factory is the policy's owner: the worst that can run in the middle of a batch.
        vm.prank(admin);
        policy.transferOwnership(address(hostile));
        hostile.callOnly(address(policy), abi.encodeWithSignature("acceptOwnership()"));
        Registration[] memory entries = honest(4);
        address wallet = hostile.addressOf(signer);
        Bundle memory bundle = newBundle(wallet, "first");
        bytes memory factoryCall = abi.encodeCall(
            HostileFactory.callAndMake,
            (address(policy), abi.encodeCall(IEnclavePolicy.removeWorkload, (WORKLOAD)), signer)
        );
        entries[1] = entryOf(bundle, wrapped(address(hostile), factoryCall, registrationBy(SIGNER_KEY, bundle)));
        vm.recordLogs();
        bool[] memory done = bring(entries);
        // The entry that did it falls by it, and takes the removal with it: so the others stand.
        assertThat(done[0] && !done[1] && done[2] && done[3], "undone with its entry");
        assertThat(policy.isWorkloadTrusted(WORKLOAD), "undone");

        // Now an entry that removes the workload and succeeds, because its own enclave runs another one.
        entries = honest(4);
        attestOther();
        bytes memory inner = signed(SIGNER_KEY, intentOf("RegisterKeyBundle", bundle, otherAuthority, 0, deadline));
        entries[1] = entryOf(bundle, wrapped(address(hostile), factoryCall, inner));
        entries[1].attestationProof = encode(proofOf(bundle, OTHER_AUTHORITY_KEY));
        done = bring(entries);
        assertThat(done[0] && done[1], "before it, and itself");
        assertThat(!done[2] && !done[3], "not trusted any more, in the same transaction");
        assertThat(registry.keyState(entries[2].owner, bytes32(entries[2].identityKey)) == KeyState.NONE, "nothing");
    }

    /// @dev The enclave renews itself from a platform that nobody can judge afterwards.
    function test_evidence_in_an_entry_ends_what_was_judged_before_it() external {
        roll(head() + 1);
        Registration[] memory entries = honest(3);
        uint64 blockNumber = uint64(head() - 1);
        AttestedReport memory report = newReport(authority, TRANSPORT_KEY, blockNumber);
        report.platform = bytes20(keccak256("another platform"));
        entries[1].attestationProof =
            abi.encodePacked(entries[1].attestationProof, TRANSPORT_KEY, uint40(blockNumber), evidenceOf(report));
        Vm.Log[] memory reports = refusalsOf(entries, 1, 3 * 1_000_000);
        assertReport(
            reports[0],
            2,
            entries[2],
            abi.encodeWithSelector(
                IEnclaveRegistry.EnclaveNotTrusted.selector, authority, ScriptedVerifier.PlatformNotScripted.selector
            )
        );
    }

    function test_a_first_entry_that_names_no_enclave_sinks_nothing() external {
        for (uint256 length = 0; length < 24; ++length) {
            Registration[] memory entries = honest(2);
            entries[0].attestationProof = new bytes(length);
            Vm.Log[] memory reports = refusalsOf(entries, 1);
            assertReport(
                reports[0], 0, entries[0], abi.encodeWithSelector(IKeyBundles.AttestationProofLength.selector, length)
            );
        }
    }

    function test_the_judgement_does_not_outlive_the_batch() external {
        bring(honest(2));
        vm.prank(admin);
        policy.removeWorkload(WORKLOAD);
        Bundle memory bundle = newBundle(signer, "after");
        refuseRegistration(
            bundle,
            registrationBy(SIGNER_KEY, bundle),
            abi.encodeWithSelector(
                IEnclaveRegistry.EnclaveNotTrusted.selector, authority, IEnclavePolicy.WorkloadNotTrusted.selector
            )
        );
    }

    function test_a_pause_stops_the_batch() external {
        Registration[] memory entries = honest(1);
        vm.prank(admin);
        registry.pause();
        expectError(Pausable.EnforcedPause.selector);
        registry.registerKeyBundles(entries);
    }

    // --- helpers -------------------------------------------------------------------------------------

    function coolAll() private {
        vm.cool(address(registry));
        vm.cool(address(enclaves));
        vm.cool(address(policy));
        vm.cool(address(verifier));
    }

    function honest(uint256 count) private returns (Registration[] memory entries) {
        entries = new Registration[](count);
        for (uint256 i = 0; i < count; ++i) {
            uint256 key = FIRST_KEY + made++;
            Bundle memory bundle = newBundle(vm.addr(key), "batch");
            entries[i] = entryOf(bundle, registrationBy(key, bundle));
        }
    }

    function attestOther() private {
        uint64 blockNumber = uint64(head() - 1);
        AttestedReport memory other = newReport(otherAuthority, TRANSPORT_KEY, blockNumber);
        other.workload = OTHER_WORKLOAD;
        enclaves.attest(otherAuthority, TRANSPORT_KEY, blockNumber, evidenceOf(other));
    }

    function spentBy(Registration[] memory entries) private returns (uint256 spent) {
        uint256 before = vm.snapshotState();
        vm.prank(relayer);
        registry.registerKeyBundles{gas: 400_000}(entries);
        spent = vm.lastCallGas().gasTotalUsed;
        vm.revertToState(before);
    }

    function bring(Registration[] memory entries) private returns (bool[] memory) {
        vm.prank(relayer);
        return registry.registerKeyBundles(entries);
    }

    /// @dev Brings a batch of which exactly `count` entries must be refused; their reports, in order.
    function refusalsOf(Registration[] memory entries, uint256 count) private returns (Vm.Log[] memory) {
        return refusalsOf(entries, count, entries.length * 400_000);
    }

    function refusalsOf(Registration[] memory entries, uint256 count, uint256 gas_)
        private
        returns (Vm.Log[] memory reports)
    {
        vm.recordLogs();
        vm.prank(relayer);
        bool[] memory done = registry.registerKeyBundles{gas: gas_}(entries);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        reports = new Vm.Log[](count);
        uint256 found;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != IKeyDelegation.RegistrationRefused.selector) continue;
            assertThat(found < count, "a refusal too many");
            assertThat(!done[uint256(logs[i].topics[1])], "reported what was done");
            reports[found++] = logs[i];
        }
        assertSame(found, count, "refusals");
        for (uint256 i = 0; i < done.length; ++i) {
            if (!done[i]) --found;
        }
        assertSame(found, 0, "each refusal is reported once");
    }

    function assertReport(Vm.Log memory log, uint256 index, Registration memory entry, bytes memory reason)
        private
        pure
    {
        assertSame(log.topics[1], bytes32(index), "index");
        assertSame(log.topics[2], bytes32(uint256(uint160(entry.owner))), "owner");
        assertSame(log.topics[3], bytes32(entry.identityKey), "identity key");
        assertSame(reasonOf(log), reason, "reason");
    }

    function reasonOf(Vm.Log memory log) private pure returns (bytes memory) {
        return abi.decode(log.data, (bytes));
    }
}
