// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

import {Provenance, TcbStatus, TeeKind} from "../../../contracts/interfaces/AttestationTypes.sol";
import {IEnclaveRegistry} from "../../../contracts/interfaces/IEnclaveRegistry.sol";
import {IKeyBundles, IKeyDelegation, KeyState, Registration} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {DelegationFixture} from "./DelegationFixture.sol";

/// @dev docs/SPECIFICATION.md, KeyRegistry, delegation: what an owner does by its signature.
contract KeyRegistryDelegationTest is DelegationFixture {
    // --- the domain ----------------------------------------------------------------------------------

    function test_the_domain_is_that_of_the_documentation() external view {
        (
            bytes1 fields,
            string memory name,
            string memory version,
            uint256 chainId,
            address verifyingContract,
            bytes32 salt,
            uint256[] memory extensions
        ) = IERC5267(address(registry)).eip712Domain();
        assertSame(bytes32(fields), bytes32(bytes1(0x0f)), "name, version, chain, contract");
        assertSame(bytes(name), "XMTP TEE KeyRegistry", "name");
        assertSame(bytes(version), "1", "version");
        assertSame(chainId, block.chainid, "chain");
        assertSame(verifyingContract, address(registry), "contract");
        assertSame(salt, bytes32(0), "no salt");
        assertSame(extensions.length, 0, "no extensions");
    }

    // --- acts ----------------------------------------------------------------------------------------

    function test_a_relayer_registers_what_the_owner_signed() external {
        Bundle memory bundle = newBundle(signer, "first");
        Registration memory entry = entryOf(bundle, registrationBy(SIGNER_KEY, bundle));
        vm.expectEmit(address(registry));
        emit IKeyBundles.KeyBundleRegistered(
            signer,
            bundle.identityKey,
            authority,
            bundle.preKey,
            bundle.preKeySignature,
            bundle.epoch,
            bundle.expiresAt,
            bundle.provenance,
            0
        );
        bring(IKeyDelegation.registerKeyBundleWithAttestationFor.selector, entry);
        assertThat(registry.keyState(signer, bundle.identityKey) == KeyState.ACTIVE, "under the owner");
        assertSame(registry.getKeyBundles(relayer).length, 0, "nothing under the relayer");
        assertSame(registry.nonces(signer), 1, "one signature has acted");
    }

    function test_a_relayer_rotates_and_revokes_what_the_owner_signed() external {
        Bundle memory bundle = registeredFor(SIGNER_KEY, "first");
        Bundle memory next = nextPreKey(bundle);
        rotateFor(next, rotationBy(SIGNER_KEY, next));
        assertSame(registry.getKeyBundle(signer, bundle.identityKey).preKey, next.preKey, "rotated");
        assertSame(registry.nonces(signer), 2, "two signatures have acted");
        revokeFor(bundle, revocationBy(SIGNER_KEY, bundle));
        assertThat(registry.keyState(signer, bundle.identityKey) == KeyState.REVOKED, "revoked");
        assertSame(registry.nonces(signer), 3, "three signatures have acted");
    }

    function test_own_transactions_and_signatures_mix() external {
        Bundle memory bundle = registered(signer, "first");
        assertSame(registry.nonces(signer), 0, "a transaction takes no number");
        Bundle memory next = nextPreKey(bundle);
        rotateFor(next, rotationBy(SIGNER_KEY, next));
        vm.prank(signer);
        registry.revokeKeyBundle(abi.encodePacked(bundle.identityKey));
        assertSame(registry.nonces(signer), 1, "one signature has acted");
    }

    function test_a_proof_with_evidence_attests_the_enclave_on_the_way() external {
        Bundle memory bundle = newBundle(signer, "first");
        bytes memory signature = signed(SIGNER_KEY, intentOf("RegisterKeyBundle", bundle, otherAuthority, 0, deadline));
        uint64 blockNumber = uint64(head() - 1);
        bytes memory proof = abi.encodePacked(
            encode(proofOf(bundle, OTHER_AUTHORITY_KEY)),
            TRANSPORT_KEY,
            uint40(blockNumber),
            evidenceFor(otherAuthority, blockNumber)
        );
        vm.prank(relayer);
        registry.registerKeyBundleWithAttestationFor(
            signer,
            abi.encodePacked(bundle.identityKey),
            abi.encodePacked(bundle.preKey),
            bundle.preKeySignature,
            proof,
            deadline,
            signature
        );
        assertSame(registry.getKeyBundle(signer).authority, otherAuthority, "registered by the new enclave");
    }

    // --- the deadline --------------------------------------------------------------------------------

    function test_a_signature_acts_in_the_second_of_its_deadline_and_not_after() external {
        Bundle memory bundle = newBundle(signer, "first");
        bytes memory signature = registrationBy(SIGNER_KEY, bundle);
        vm.warp(deadline + 1);
        refuseRegistration(bundle, signature, expired());
        vm.warp(deadline);
        registerFor(bundle, signature);

        Bundle memory next = nextPreKey(bundle);
        signature = rotationBy(SIGNER_KEY, next);
        vm.warp(deadline + 1);
        refuseRotation(next, signature, expired());
        signature = revocationBy(SIGNER_KEY, bundle);
        expectError(expired());
        revokeFor(bundle, signature);
        vm.warp(deadline);
        revokeFor(bundle, signature);
    }

    // --- the order of refusals -----------------------------------------------------------------------

    function test_refusals_come_in_the_documented_order() external {
        Bundle memory bundle = newBundle(signer, "first");
        bytes memory signature = registrationBy(SIGNER_KEY, bundle);
        bundle.preKey = 0; // form before the deadline
        deadline = time() - 1;
        refuseRegistration(bundle, signature, abi.encodePacked(IKeyBundles.KeyIsZero.selector));
        bundle = newBundle(signer, "first"); // the deadline before the signature
        refuseRegistration(bundle, signature, expired());
        deadline = time() + 1 hours;
        Bundle memory second = newBundle(signer, "second"); // the signature before the state
        refuseRegistration(second, signature, invalid(signer));
        registerFor(bundle, signature);
        // the state before the certificate
        refuseRegistration(
            bundle,
            registrationBy(SIGNER_KEY, bundle),
            error(IKeyBundles.IdentityKeyAlreadyActive.selector, signer, bundle.identityKey)
        );
        vm.prank(admin);
        registry.pause();
        bundle.preKey = 0; // the pause before everything
        refuseRegistration(bundle, "", abi.encodePacked(Pausable.EnforcedPause.selector));
    }

    function test_an_untrusted_enclave_is_refused_and_the_signature_can_be_used_later() external {
        Bundle memory bundle = newBundle(signer, "first");
        bytes memory signature = registrationBy(SIGNER_KEY, bundle);
        verifier.scriptRevert(PLATFORM, abi.encodeWithSignature("CollateralLapsed()"));
        refuseRegistration(
            bundle,
            signature,
            abi.encodeWithSelector(
                IEnclaveRegistry.EnclaveNotTrusted.selector, authority, bytes4(keccak256("CollateralLapsed()"))
            )
        );
        vm.prank(admin);
        policy.denyFamily(TeeKind.TDX, FAMILY);
        vm.prank(admin);
        policy.allowFamily(TeeKind.TDX, FAMILY);
        judged(TcbStatus.UP_TO_DATE);
        registerFor(bundle, signature);
    }

    function test_form_is_checked_as_for_the_owner_itself() external {
        Bundle memory bundle = newBundle(signer, "first");
        bundle.provenance = Provenance.NONE;
        refuseRegistration(bundle, "", abi.encodePacked(IKeyBundles.ProvenanceMissing.selector));
        bundle = newBundle(signer, "first");
        bundle.preKeySignature = new bytes(63);
        refuseRegistration(bundle, "", abi.encodeWithSelector(IKeyBundles.PreKeySignatureLength.selector, uint256(63)));
        expectError(abi.encodeWithSelector(IKeyBundles.IdentityKeyLength.selector, uint256(31)));
        registry.revokeKeyBundleFor(signer, new bytes(31), deadline, "");
    }

    function test_a_pause_stops_the_twins_but_neither_revocation_nor_cancellation() external {
        Bundle memory bundle = registeredFor(SIGNER_KEY, "first");
        vm.prank(admin);
        registry.pause();
        Bundle memory next = nextPreKey(bundle);
        refuseRotation(next, rotationBy(SIGNER_KEY, next), abi.encodePacked(Pausable.EnforcedPause.selector));
        revokeFor(bundle, revocationBy(SIGNER_KEY, bundle));
        vm.prank(signer);
        registry.cancelSignatures();
    }

    // --- nonces --------------------------------------------------------------------------------------

    function test_signatures_act_in_the_order_of_their_numbers() external {
        Bundle memory first = newBundle(signer, "first");
        Bundle memory second = newBundle(signer, "second");
        bytes memory firstSignature = signed(SIGNER_KEY, intentOf("RegisterKeyBundle", first, authority, 0, deadline));
        bytes memory secondSignature = signed(SIGNER_KEY, intentOf("RegisterKeyBundle", second, authority, 1, deadline));
        refuseRegistration(second, secondSignature, invalid(signer));
        registerFor(first, firstSignature);
        registerFor(second, secondSignature);
        assertSame(registry.getKeyBundles(signer).length, 2, "both");
    }

    function test_a_nonce_race_has_one_winner_and_the_loser_changes_nothing() external {
        Bundle memory first = newBundle(signer, "first");
        Bundle memory second = newBundle(signer, "second");
        bytes memory firstSignature = registrationBy(SIGNER_KEY, first);
        bytes memory secondSignature = registrationBy(SIGNER_KEY, second);
        registerFor(second, secondSignature);
        refuseRegistration(first, firstSignature, invalid(signer));
        registerFor(first, registrationBy(SIGNER_KEY, first));
    }

    function test_nonces_are_the_owners_own() external {
        registeredFor(SIGNER_KEY, "first");
        assertSame(registry.nonces(otherSigner), 0, "another's number stays");
        registeredFor(OTHER_SIGNER_KEY, "first");
    }

    function test_a_refused_act_uses_no_number() external {
        Bundle memory bundle = registeredFor(SIGNER_KEY, "first");
        Bundle memory next = nextPreKey(bundle);
        next.epoch = 1;
        refuseRotation(
            next,
            rotationBy(SIGNER_KEY, next),
            abi.encodeWithSelector(IKeyBundles.EpochNotGreater.selector, uint64(1), uint64(1))
        );
    }

    // --- cancellation --------------------------------------------------------------------------------

    function test_a_cancellation_voids_what_was_signed_now_and_ahead() external {
        Bundle memory bundle = newBundle(signer, "first");
        bytes memory present = registrationBy(SIGNER_KEY, bundle);
        bytes memory ahead = signed(SIGNER_KEY, intentOf("RegisterKeyBundle", bundle, authority, 1, deadline));
        vm.expectEmit(address(registry));
        emit IKeyDelegation.SignaturesCancelled(signer, 2 ** 64);
        vm.prank(signer);
        registry.cancelSignatures();
        assertSame(registry.nonces(signer), 2 ** 64, "the next era");
        refuseRegistration(bundle, present, invalid(signer));
        refuseRegistration(bundle, ahead, invalid(signer));
        registerFor(bundle, registrationBy(SIGNER_KEY, bundle));
        assertSame(registry.nonces(signer), 2 ** 64 + 1, "goes on by one");
        vm.prank(signer);
        registry.cancelSignatures();
        assertSame(registry.nonces(signer), 2 ** 65, "and the one after");
    }

    function test_a_stranger_cancels_nothing_but_its_own() external {
        Bundle memory bundle = newBundle(signer, "first");
        bytes memory signature = registrationBy(SIGNER_KEY, bundle);
        vm.prank(attacker);
        registry.cancelSignatures();
        registerFor(bundle, signature);
    }

    function expired() private view returns (bytes memory) {
        return abi.encodeWithSelector(IKeyDelegation.SignatureExpired.selector, deadline, time());
    }
}
