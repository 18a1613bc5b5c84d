// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {EnclaveRegistry} from "../../../contracts/EnclaveRegistry.sol";
import {Enclave, EnclaveState, IEnclaveRegistry} from "../../../contracts/interfaces/IEnclaveRegistry.sol";
import {Standing} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {RegistryFixture} from "../registry/RegistryFixture.sol";

/// @dev docs/SPECIFICATION.md, EnclaveRegistry, retire and revoke: an authority ends for good.
contract EnclaveRegistryEndTest is RegistryFixture {
    uint256 private constant ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;

    // --- retire ----------------------------------------------------------------------------------------

    function test_an_enclave_retires_by_its_signature_whoever_brings_it() external {
        attest(authority);
        bytes memory signature = retirement(AUTHORITY_KEY);
        vm.expectEmit(address(enclaves));
        emit IEnclaveRegistry.EnclaveEnded(authority, EnclaveState.RETIRED);
        vm.prank(stranger);
        enclaves.retire(authority, signature);
        expectEnded(authority, EnclaveState.RETIRED, IEnclaveRegistry.EnclaveRetired.selector);
    }

    function test_a_retired_record_keeps_what_was_verified_last() external {
        attest(authority);
        Enclave memory before = enclaves.enclave(authority);
        enclaves.retire(authority, retirement(AUTHORITY_KEY));
        before.state = EnclaveState.RETIRED;
        assertSame(abi.encode(enclaves.enclave(authority)), abi.encode(before), "all but the state");
    }

    function test_an_authority_that_was_never_attested_may_retire() external {
        enclaves.retire(authority, retirement(AUTHORITY_KEY));
        expectEnded(authority, EnclaveState.RETIRED, IEnclaveRegistry.EnclaveRetired.selector);
        Enclave memory expected;
        expected.state = EnclaveState.RETIRED;
        assertSame(abi.encode(enclaves.enclave(authority)), abi.encode(expected), "nothing else is recorded");
    }

    function test_an_invalidated_and_an_expired_enclave_may_retire() external {
        attest(authority);
        vm.warp(START + TTL);
        enclaves.invalidate(authority);
        enclaves.retire(authority, retirement(AUTHORITY_KEY));
        expectEnded(authority, EnclaveState.RETIRED, IEnclaveRegistry.EnclaveRetired.selector);
    }

    function test_the_retirement_is_typed_data_of_this_chain_and_registry() external view {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("XMTP TEE EnclaveRegistry"),
                keccak256("1"),
                block.chainid,
                address(enclaves)
            )
        );
        bytes32 message = keccak256(abi.encode(keccak256("RetireEnclave(address authority)"), authority));
        assertSame(
            enclaves.retirementDigest(authority), keccak256(abi.encodePacked(hex"1901", domain, message)), "EIP-712"
        );
        (bytes1 fields, string memory name, string memory version, uint256 chainId, address verifying,,) =
            enclaves.eip712Domain();
        assertSame(bytes32(fields), bytes32(bytes1(0x0f)), "ERC-5267: four fields");
        assertSame(bytes(name), "XMTP TEE EnclaveRegistry", "name");
        assertSame(bytes(version), "1", "version");
        assertThat(chainId == block.chainid && verifying == address(enclaves), "where");
    }

    // --- revoke ----------------------------------------------------------------------------------------

    function test_the_policys_owner_revokes_an_attested_authority() external {
        attest(authority);
        vm.expectEmit(address(enclaves));
        emit IEnclaveRegistry.EnclaveEnded(authority, EnclaveState.REVOKED);
        vm.prank(admin);
        enclaves.revoke(authority);
        expectEnded(authority, EnclaveState.REVOKED, IEnclaveRegistry.EnclaveRevoked.selector);
    }

    function test_an_authority_never_seen_may_be_revoked() external {
        vm.prank(admin);
        enclaves.revoke(authority);
        expectEnded(authority, EnclaveState.REVOKED, IEnclaveRegistry.EnclaveRevoked.selector);
    }

    function testFuzz_nobody_else_revokes(address sender) external {
        vm.assume(sender != admin);
        attest(authority);
        expectError(abi.encodeWithSelector(IEnclaveRegistry.NotThePolicyOwner.selector, sender));
        vm.prank(sender);
        enclaves.revoke(authority);
        enclaves.requireTrusted(authority);
    }

    function test_who_may_revoke_follows_the_policys_owner() external {
        vm.prank(admin);
        policy.transferOwnership(stranger);
        expectError(abi.encodeWithSelector(IEnclaveRegistry.NotThePolicyOwner.selector, stranger));
        vm.prank(stranger);
        enclaves.revoke(authority); // not before it has accepted
        vm.prank(stranger);
        policy.acceptOwnership();
        expectError(abi.encodeWithSelector(IEnclaveRegistry.NotThePolicyOwner.selector, admin));
        vm.prank(admin);
        enclaves.revoke(authority);
        vm.prank(stranger);
        enclaves.revoke(authority);
        expectEnded(authority, EnclaveState.REVOKED, IEnclaveRegistry.EnclaveRevoked.selector);
    }

    function test_zero_is_not_revoked() external {
        expectError(IEnclaveRegistry.AuthorityIsZero.selector);
        vm.prank(admin);
        enclaves.revoke(address(0));
    }

    // --- final -----------------------------------------------------------------------------------------

    function test_nothing_leads_out_of_retired() external {
        attest(authority);
        enclaves.retire(authority, retirement(AUTHORITY_KEY));
        expectNothingLeadsOut(abi.encodeWithSelector(IEnclaveRegistry.EnclaveRetired.selector, authority));
    }

    function test_nothing_leads_out_of_revoked() external {
        attest(authority);
        vm.prank(admin);
        enclaves.revoke(authority);
        expectNothingLeadsOut(abi.encodeWithSelector(IEnclaveRegistry.EnclaveRevoked.selector, authority));
    }

    function test_the_end_of_one_authority_touches_no_other() external {
        attest(authority);
        attest(otherAuthority);
        enclaves.retire(authority, retirement(AUTHORITY_KEY));
        enclaves.requireTrusted(otherAuthority);
        vm.prank(admin);
        enclaves.revoke(vm.addr(77));
        enclaves.requireTrusted(otherAuthority);
    }

    function test_the_bundles_of_an_ended_authority_are_not_trusted_and_not_rotated() external {
        attest(authority);
        Bundle memory bundle = registered(owner, "phone");
        enclaves.retire(authority, retirement(AUTHORITY_KEY));
        (Standing standing, bytes4 reason) = registry.isTrusted(owner, bundle.identityKey);
        assertThat(standing == Standing.ENCLAVE_NOT_TRUSTED, "not trusted");
        assertSame(reason, IEnclaveRegistry.EnclaveRetired.selector, "and says why");
    }

    // --- attacks ---------------------------------------------------------------------------------------

    function test_attack_retirement_replayed_on_another_chain() external {
        bytes memory signature = retirement(AUTHORITY_KEY);
        bytes32 here = enclaves.retirementDigest(authority);
        vm.chainId(block.chainid + 1);
        assertThat(enclaves.retirementDigest(authority) != here, "another digest");
        expectMismatch(enclaves, authority, signature);
    }

    function test_attack_retirement_replayed_on_another_registry() external {
        EnclaveRegistry other = newEnclaves(router, MAX_BLOCK_AGE, TTL);
        bytes memory signature = retirement(AUTHORITY_KEY);
        expectMismatch(other, authority, signature);
        enclaves.retire(authority, signature);
        assertThat(other.enclave(authority).state == EnclaveState.NONE, "the other knows nothing of it");
    }

    function test_attack_retirement_replayed_on_the_same_registry() external {
        bytes memory signature = retirement(AUTHORITY_KEY);
        enclaves.retire(authority, signature);
        expectError(abi.encodeWithSelector(IEnclaveRegistry.EnclaveRetired.selector, authority));
        enclaves.retire(authority, signature);
    }

    function test_attack_retiring_another_enclave() external {
        attest(authority);
        expectMismatch(enclaves, authority, retirement(OTHER_AUTHORITY_KEY));
        // Signed by the other, over the victim's retirement.
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(OTHER_AUTHORITY_KEY, enclaves.retirementDigest(authority));
        expectError(
            abi.encodeWithSelector(IEnclaveRegistry.RetirementSignerMismatch.selector, otherAuthority, authority)
        );
        enclaves.retire(authority, abi.encodePacked(r, s, v));
        enclaves.requireTrusted(authority);
    }

    /// @dev What an enclave signs every day must never be a retirement.
    function test_attack_a_bundles_certificate_as_a_retirement() external {
        attest(authority);
        bytes memory certificate = certify(newBundle(owner, "phone"), AUTHORITY_KEY);
        expectMismatch(enclaves, authority, certificate);
    }

    function test_attack_malleable_forms_of_a_retirement() external {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(AUTHORITY_KEY, enclaves.retirementDigest(authority));
        bytes32 high = bytes32(ORDER - uint256(s));
        expectError(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureS.selector, high));
        enclaves.retire(authority, abi.encodePacked(r, high, v == 27 ? uint8(28) : uint8(27)));
        expectError(ECDSA.ECDSAInvalidSignature.selector);
        enclaves.retire(authority, abi.encodePacked(r, s, v - 27));
        expectError(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureLength.selector, uint256(64)));
        enclaves.retire(authority, abi.encodePacked(r, bytes32(uint256(s) | (uint256(v - 27) << 255))));
        expectError(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureLength.selector, uint256(66)));
        enclaves.retire(authority, abi.encodePacked(r, s, v, uint8(0)));
        expectError(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureLength.selector, uint256(0)));
        enclaves.retire(authority, "");
    }

    /// @dev Recovery of a broken signature gives zero; zero must not be retired by it.
    function test_attack_retiring_zero_by_a_signature_of_nobody() external {
        expectError(ECDSA.ECDSAInvalidSignature.selector);
        enclaves.retire(address(0), abi.encodePacked(bytes32(0), bytes32(0), uint8(27)));
    }

    function testFuzz_one_flipped_bit_of_a_retirement(uint256 position, uint8 bit) external {
        bytes memory signature = retirement(AUTHORITY_KEY);
        signature[position % 65] ^= bytes1(uint8(1) << (bit % 8));
        try enclaves.retire(authority, signature) {
            assertThat(false, "must revert");
        } catch {}
        assertThat(enclaves.enclave(authority).state == EnclaveState.NONE, "nothing happened");
    }

    /// @dev An enclave that is about to be attested again cannot be kept from being revoked, nor come back after it.
    function test_attack_attesting_around_a_revocation() external {
        uint64 blockNumber = uint64(head() - 1);
        bytes memory evidence = evidenceFor(authority, blockNumber);
        uint256 snapshot = vm.snapshotState();
        vm.prank(admin);
        enclaves.revoke(authority);
        expectError(abi.encodeWithSelector(IEnclaveRegistry.EnclaveRevoked.selector, authority));
        enclaves.attest(authority, TRANSPORT_KEY, blockNumber, evidence);
        vm.revertToState(snapshot);
        enclaves.attest(authority, TRANSPORT_KEY, blockNumber, evidence);
        vm.prank(admin);
        enclaves.revoke(authority);
        expectEnded(authority, EnclaveState.REVOKED, IEnclaveRegistry.EnclaveRevoked.selector);
    }

    // --- helpers ---------------------------------------------------------------------------------------

    function retirement(uint256 key) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, enclaves.retirementDigest(vm.addr(key)));
        return abi.encodePacked(r, s, v);
    }

    function expectMismatch(EnclaveRegistry where, address authority_, bytes memory signature) private {
        (bytes32 r, bytes32 s, uint8 v) = (bytes32(0), bytes32(0), uint8(signature[64]));
        assembly {
            r := mload(add(signature, 0x20))
            s := mload(add(signature, 0x40))
        }
        address signer = ecrecover(where.retirementDigest(authority_), v, r, s);
        expectError(abi.encodeWithSelector(IEnclaveRegistry.RetirementSignerMismatch.selector, signer, authority_));
        where.retire(authority_, signature);
    }

    function expectEnded(address authority_, EnclaveState state, bytes4 expected) private {
        assertThat(enclaves.enclave(authority_).state == state, "the state");
        (bool trusted, bytes4 reason) = enclaves.standing(authority_);
        assertThat(!trusted, "not trusted");
        assertSame(reason, expected, "the reason");
        bytes memory refusal = abi.encodeWithSelector(IEnclaveRegistry.EnclaveNotTrusted.selector, authority_, expected);
        expectError(refusal);
        enclaves.requireTrusted(authority_);
        expectError(refusal);
        enclaves.requireAttested(authority_);
    }

    function expectNothingLeadsOut(bytes memory refusal) private {
        roll(head() + 1);
        uint64 blockNumber = uint64(head() - 1);
        bytes memory evidence = evidenceFor(authority, blockNumber);
        expectError(refusal);
        enclaves.attest(authority, TRANSPORT_KEY, blockNumber, evidence);
        expectError(refusal);
        enclaves.invalidate(authority);
        vm.warp(START + TTL);
        expectError(refusal);
        enclaves.invalidate(authority);
        bytes memory signature = retirement(AUTHORITY_KEY);
        expectError(refusal);
        enclaves.retire(authority, signature);
        expectError(refusal);
        vm.prank(admin);
        enclaves.revoke(authority);
    }
}
