// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AttestedReport, Provenance} from "../../../contracts/interfaces/AttestationTypes.sol";
import {EnclaveState, IEnclaveRegistry} from "../../../contracts/interfaces/IEnclaveRegistry.sol";
import {IKeyBundles, KeyBundle, KeyState, Standing} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {BundleProof, RegistryFixture} from "../registry/RegistryFixture.sol";

/// @dev docs/SPECIFICATION.md, KeyRegistry, registerKeyBundleWithAttestation.
contract KeyRegistryRegisterTest is RegistryFixture {
    function setUp() public override {
        super.setUp();
        attest(authority);
    }

    function test_the_selector_is_the_one_of_the_design() external pure {
        assertSame(IKeyBundles.registerKeyBundleWithAttestation.selector, bytes4(0x55b52353), "selector is pinned");
    }

    function test_a_certified_bundle_becomes_active_and_readable() external {
        Bundle memory bundle = registered(owner, "first");
        KeyBundle memory stored = registry.getKeyBundle(owner, bundle.identityKey);
        KeyBundle memory expected = KeyBundle({
            identityKey: bundle.identityKey,
            preKey: bundle.preKey,
            authority: authority,
            epoch: 1,
            expiresAt: bundle.expiresAt,
            provenance: Provenance.GENERATED,
            state: KeyState.ACTIVE
        });
        assertSame(abi.encode(stored), abi.encode(expected), "the entry is what was certified");
        KeyBundle[] memory listed = registry.getKeyBundles(owner);
        assertSame(listed.length, 1, "one active bundle");
        assertSame(abi.encode(listed[0]), abi.encode(expected), "the list shows the same entry");
        (Standing standing, bytes4 reason) = registry.isTrusted(owner, bundle.identityKey);
        assertThat(standing == Standing.TRUSTED && reason == 0, "trusted");
    }

    function test_the_event_carries_the_whole_bundle() external {
        Bundle memory bundle = newBundle(owner, "first");
        BundleProof memory proof = proofOf(bundle, AUTHORITY_KEY);
        vm.expectEmit(address(registry));
        emit IKeyBundles.KeyBundleRegistered(
            owner,
            bundle.identityKey,
            authority,
            bundle.preKey,
            bundle.preKeySignature,
            bundle.epoch,
            bundle.expiresAt,
            bundle.provenance,
            0
        );
        vm.prank(owner);
        register(bundle, proof);
    }

    function test_every_provenance_is_kept_as_certified() external {
        for (uint8 i = 1; i <= uint8(type(Provenance).max); ++i) {
            Bundle memory bundle = newBundle(owner, vm.toString(i));
            bundle.provenance = Provenance(i);
            BundleProof memory proof = proofOf(bundle, AUTHORITY_KEY);
            vm.prank(owner);
            register(bundle, proof);
            assertThat(registry.getKeyBundle(owner, bundle.identityKey).provenance == Provenance(i), "provenance kept");
        }
    }

    // --- evidence in the proof -----------------------------------------------------------------------

    function test_a_proof_with_evidence_attests_the_enclave_first() external {
        Bundle memory bundle = newBundle(owner, "first");
        BundleProof memory proof = proofWithEvidence(bundle);
        vm.prank(owner);
        register(bundle, proof);
        assertThat(enclaves.enclave(otherAuthority).state == EnclaveState.ATTESTED, "attested on the way");
        assertThat(registry.keyState(owner, bundle.identityKey) == KeyState.ACTIVE, "registered");
    }

    function test_evidence_that_fails_leaves_neither_enclave_nor_bundle() external {
        Bundle memory bundle = newBundle(owner, "first");
        BundleProof memory proof = proofWithEvidence(bundle);
        AttestedReport memory report = newReport(otherAuthority, TRANSPORT_KEY, proof.blockNumber);
        bytes32 expected = report.reportDataHead;
        report.reportDataHead = bytes32(uint256(expected) ^ 1);
        proof.evidence = evidenceOf(report);
        expectError(
            abi.encodeWithSelector(IEnclaveRegistry.ReportDataMismatch.selector, report.reportDataHead, expected)
        );
        vm.prank(owner);
        register(bundle, proof);
        assertThat(enclaves.enclave(otherAuthority).state == EnclaveState.NONE, "no enclave");
        assertThat(registry.keyState(owner, bundle.identityKey) == KeyState.NONE, "no bundle");
    }

    function test_a_wrong_certificate_is_refused_before_its_evidence_is_looked_at() external {
        Bundle memory bundle = newBundle(owner, "first");
        BundleProof memory proof = proofWithEvidence(bundle);
        proof.signature = certify(newBundle(otherOwner, "first"), OTHER_AUTHORITY_KEY);
        try this.tryRegister(bundle, proof) {
            assertThat(false, "must revert");
        } catch (bytes memory data) {
            assertSame(bytes4(data), IKeyBundles.CertificateSignerMismatch.selector, "the certificate is wrong");
        }
        assertThat(enclaves.enclave(otherAuthority).state == EnclaveState.NONE, "not attested");
    }

    /// @dev Whoever sees the transaction may attest first. The evidence is then used up, and the certificate
    /// alone suffices: it costs the owner one more try, never the registration.
    function test_a_front_run_attestation_costs_the_owner_one_retry() external {
        Bundle memory bundle = newBundle(owner, "first");
        BundleProof memory proof = proofWithEvidence(bundle);
        vm.prank(attacker);
        enclaves.attest(proof.authority, proof.transportKey, proof.blockNumber, proof.evidence);
        expectError(
            abi.encodeWithSelector(IEnclaveRegistry.AttestationNotNewer.selector, proof.blockNumber, proof.blockNumber)
        );
        vm.prank(owner);
        register(bundle, proof);
        proof = proofOf(bundle, OTHER_AUTHORITY_KEY);
        vm.prank(owner);
        register(bundle, proof);
        assertThat(registry.keyState(owner, bundle.identityKey) == KeyState.ACTIVE, "registered at once");
    }

    // --- what is refused -----------------------------------------------------------------------------

    function test_an_enclave_that_was_never_attested_is_refused() external {
        Bundle memory bundle = newBundle(owner, "first");
        BundleProof memory proof = proofOf(bundle, OTHER_AUTHORITY_KEY);
        expectError(
            abi.encodeWithSelector(
                IEnclaveRegistry.EnclaveNotTrusted.selector, otherAuthority, IEnclaveRegistry.EnclaveUnknown.selector
            )
        );
        vm.prank(owner);
        register(bundle, proof);
    }

    function testFuzz_an_identity_key_of_another_length_is_refused(uint8 length) external {
        vm.assume(length != 32);
        Bundle memory bundle = newBundle(owner, "first");
        bytes memory proof = encode(proofOf(bundle, AUTHORITY_KEY));
        expectError(abi.encodeWithSelector(IKeyBundles.IdentityKeyLength.selector, uint256(length)));
        vm.prank(owner);
        registry.registerKeyBundleWithAttestation(
            new bytes(length), abi.encodePacked(bundle.preKey), bundle.preKeySignature, proof
        );
    }

    function testFuzz_a_pre_key_of_another_length_is_refused(uint8 length) external {
        vm.assume(length != 32);
        Bundle memory bundle = newBundle(owner, "first");
        bytes memory proof = encode(proofOf(bundle, AUTHORITY_KEY));
        expectError(abi.encodeWithSelector(IKeyBundles.PreKeyLength.selector, uint256(length)));
        vm.prank(owner);
        registry.registerKeyBundleWithAttestation(
            abi.encodePacked(bundle.identityKey), new bytes(length), bundle.preKeySignature, proof
        );
    }

    function testFuzz_a_pre_key_signature_of_another_length_is_refused(uint8 length) external {
        vm.assume(length != 64);
        Bundle memory bundle = newBundle(owner, "first");
        bytes memory proof = encode(proofOf(bundle, AUTHORITY_KEY));
        expectError(abi.encodeWithSelector(IKeyBundles.PreKeySignatureLength.selector, uint256(length)));
        vm.prank(owner);
        registry.registerKeyBundleWithAttestation(
            abi.encodePacked(bundle.identityKey), abi.encodePacked(bundle.preKey), new bytes(length), proof
        );
    }

    function test_zero_keys_are_refused_even_certified() external {
        Bundle memory bundle = newBundle(owner, "first");
        bundle.identityKey = 0;
        refuse(bundle, abi.encodePacked(IKeyBundles.KeyIsZero.selector));
        bundle = newBundle(owner, "first");
        bundle.preKey = 0;
        refuse(bundle, abi.encodePacked(IKeyBundles.KeyIsZero.selector));
    }

    function test_one_key_for_both_purposes_is_refused_even_certified() external {
        Bundle memory bundle = newBundle(owner, "first");
        bundle.preKey = bundle.identityKey;
        refuse(bundle, abi.encodeWithSelector(IKeyBundles.KeysNotDistinct.selector, bundle.identityKey));
    }

    function test_a_certificate_without_provenance_is_refused() external {
        Bundle memory bundle = newBundle(owner, "first");
        bundle.provenance = Provenance.NONE;
        refuse(bundle, abi.encodePacked(IKeyBundles.ProvenanceMissing.selector));
    }

    function test_epochs_run_from_1_to_the_limit() external {
        Bundle memory bundle = newBundle(owner, "first");
        bundle.epoch = 0;
        refuse(bundle, abi.encodePacked(IKeyBundles.EpochIsZero.selector));
        bundle.epoch = uint64(type(uint24).max) + 1;
        refuse(bundle, abi.encodeWithSelector(IKeyBundles.EpochTooLarge.selector, bundle.epoch, type(uint24).max));
        bundle.epoch = type(uint24).max;
        accept(bundle);
        assertSame(registry.getKeyBundle(owner, bundle.identityKey).epoch, type(uint24).max, "greatest epoch");
    }

    function test_expiry_runs_from_the_next_second_to_the_limit() external {
        Bundle memory bundle = newBundle(owner, "first");
        bundle.expiresAt = uint64(time());
        refuse(bundle, abi.encodeWithSelector(IKeyBundles.PreKeyExpired.selector, bundle.expiresAt, time()));
        bundle.expiresAt = uint64(type(uint32).max) + 1;
        refuse(bundle, abi.encodeWithSelector(IKeyBundles.ExpiryTooLarge.selector, bundle.expiresAt, type(uint32).max));
        bundle.expiresAt = uint64(time()) + 1;
        accept(bundle);
        bundle = newBundle(owner, "second");
        bundle.expiresAt = type(uint32).max;
        accept(bundle);
        assertSame(registry.getKeyBundle(owner, bundle.identityKey).expiresAt, type(uint32).max, "latest expiry");
    }

    function test_an_active_identity_key_is_not_registered_twice() external {
        Bundle memory bundle = registered(owner, "first");
        refuse(nextPreKey(bundle), error(IKeyBundles.IdentityKeyAlreadyActive.selector, owner, bundle.identityKey));
    }

    function test_ten_bundles_are_active_at_most_and_a_revocation_makes_room() external {
        Bundle memory first;
        for (uint256 i = 0; i < 10; ++i) {
            Bundle memory bundle = registered(owner, vm.toString(i));
            if (i == 4) first = bundle;
        }
        assertSame(registry.getKeyBundles(owner).length, 10, "ten active");
        refuse(
            newBundle(owner, "eleventh"),
            abi.encodeWithSelector(IKeyBundles.TooManyActiveBundles.selector, owner, uint256(10))
        );
        accept(newBundle(otherOwner, "the limit is the owner's own"));

        vm.prank(owner);
        registry.revokeKeyBundle(abi.encodePacked(first.identityKey));
        assertSame(registry.getKeyBundles(owner).length, 9, "nine active");
        accept(newBundle(owner, "eleventh"));
        assertSame(registry.getKeyBundles(owner).length, 10, "ten again");
    }

    // --- the certificate -----------------------------------------------------------------------------

    function test_the_certificate_digest_is_the_eip712_hash_of_the_documented_type() external view {
        Bundle memory bundle = newBundle(owner, "first");
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("XMTP TEE KeyRegistry"),
                keccak256("1"),
                block.chainid,
                address(registry)
            )
        );
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256(
                    "KeyBundle(address owner,bytes32 identityKey,bytes32 preKey,bytes preKeySignature,uint64 epoch,uint64 expiresAt,uint8 provenance)"
                ),
                bundle.owner,
                bundle.identityKey,
                bundle.preKey,
                keccak256(bundle.preKeySignature),
                bundle.epoch,
                bundle.expiresAt,
                bundle.provenance
            )
        );
        assertSame(digestOf(bundle), keccak256(abi.encodePacked(hex"1901", domain, structHash)), "EIP-712 by hand");
    }

    function tryRegister(Bundle calldata bundle, BundleProof calldata proof) external {
        vm.prank(bundle.owner);
        register(bundle, proof);
    }

    function proofWithEvidence(Bundle memory bundle) private returns (BundleProof memory proof) {
        proof = proofOf(bundle, OTHER_AUTHORITY_KEY);
        proof.transportKey = TRANSPORT_KEY;
        proof.blockNumber = uint64(head() - 1);
        proof.evidence = evidenceFor(otherAuthority, proof.blockNumber);
    }

    function accept(Bundle memory bundle) private {
        BundleProof memory proof = proofOf(bundle, AUTHORITY_KEY);
        vm.prank(bundle.owner);
        register(bundle, proof);
        assertThat(registry.keyState(bundle.owner, bundle.identityKey) == KeyState.ACTIVE, "accepted");
    }

    /// @dev A bundle that is certified rightly, by a trusted enclave, and still refused.
    function refuse(Bundle memory bundle, bytes memory expected) private {
        BundleProof memory proof = proofOf(bundle, AUTHORITY_KEY);
        bytes32 before = fingerprint(bundle.owner, bundle.identityKey);
        expectError(expected);
        vm.prank(bundle.owner);
        register(bundle, proof);
        assertSame(fingerprint(bundle.owner, bundle.identityKey), before, "nothing has changed");
    }
}
