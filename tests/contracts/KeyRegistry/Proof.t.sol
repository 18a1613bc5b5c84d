// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BundleProof, IKeyRegistry, KeyState} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {RegistryFixture} from "../registry/RegistryFixture.sol";

/// @dev docs/SPECIFICATION.md, KeyRegistry, attestationProof: bytes that are no abi.encode(BundleProof).
contract KeyRegistryProofTest is RegistryFixture {
    uint256 private constant FIXED_PART = 288;

    Bundle private bundle;
    bytes private good;

    function setUp() public override {
        super.setUp();
        attest(authority);
        bundle = newBundle(owner, "first");
        good = abi.encode(proofOf(bundle, AUTHORITY_KEY));
    }

    function test_the_intact_proof_is_accepted() external {
        send(good);
        assertThat(registry.keyState(owner, bundle.identityKey) == KeyState.ACTIVE, "accepted");
    }

    /// @dev 32 offset, 8 words, signature (length and 96 padded bytes), evidence (length). The padding after
    /// the signature is followed by the evidence's length, so no shorter proof is whole.
    function test_every_truncation_is_refused_with_a_typed_error() external {
        for (uint256 length = 0; length < good.length; ++length) {
            bytes memory cut = prefix(good, length);
            bytes memory expected = length < FIXED_PART
                ? abi.encodeWithSelector(IKeyRegistry.AttestationProofTooShort.selector, length, FIXED_PART)
                : malformed(length < FIXED_PART + 32 + 65 ? 5 : 8);
            expectError(expected);
            send(cut);
        }
    }

    function testFuzz_an_offset_other_than_32_is_refused(uint256 offset) external {
        vm.assume(offset != 32);
        refuse(withWord(good, 0, offset), 0);
    }

    function testFuzz_an_authority_wider_than_20_bytes_is_refused(uint96 high) external {
        vm.assume(high != 0);
        refuse(withWord(good, 1, (uint256(high) << 160) | uint160(authority)), 1);
    }

    function testFuzz_numbers_wider_than_8_bytes_are_refused(uint192 high) external {
        vm.assume(high != 0);
        refuse(withWord(good, 2, (uint256(high) << 64) | bundle.epoch), 2);
        refuse(withWord(good, 3, (uint256(high) << 64) | bundle.expiresAt), 3);
        refuse(withWord(good, 7, uint256(high) << 64), 7);
    }

    function testFuzz_an_unknown_provenance_is_refused(uint256 provenance) external {
        vm.assume(provenance > 3);
        refuse(withWord(good, 4, provenance), 4);
    }

    function testFuzz_an_offset_that_leads_outside_is_refused(uint256 offset) external {
        vm.assume(offset > good.length - 64);
        refuse(withWord(good, 5, offset), 5);
        refuse(withWord(good, 8, offset), 8);
    }

    function test_offsets_that_wrap_around_are_refused() external {
        refuse(withWord(good, 5, type(uint256).max), 5);
        refuse(withWord(good, 5, type(uint256).max - 31), 5);
        refuse(withWord(good, 8, 1 << 255), 8);
    }

    function testFuzz_a_length_that_leads_outside_is_refused(uint256 length) external {
        // The signature begins at byte 320 of 448, the evidence at byte 448.
        vm.assume(length > 128);
        refuse(withWord(good, 9, length), 5);
        refuse(withWord(good, 13, length), 8);
    }

    function test_evidence_that_runs_into_the_next_argument_is_refused() external {
        BundleProof memory proof = proofOf(bundle, AUTHORITY_KEY);
        proof.evidence = hex"02";
        bytes memory encoded = abi.encode(proof);
        refuse(withWord(encoded, 13, 33), 8);
    }

    function testFuzz_noise_is_refused(bytes calldata noise) external {
        vm.prank(owner);
        (bool accepted,) = address(registry)
            .call(
                abi.encodeCall(
                    IKeyRegistry.registerKeyBundleWithAttestation,
                    (
                        abi.encodePacked(bundle.identityKey),
                        abi.encodePacked(bundle.preKey),
                        bundle.preKeySignature,
                        noise
                    )
                )
            );
        assertThat(!accepted, "noise");
        assertThat(registry.keyState(owner, bundle.identityKey) == KeyState.NONE, "no bundle");
    }

    /// @dev The outer arguments are decoded by the compiler's code, which refuses without data.
    function testFuzz_truncated_calldata_is_refused(uint16 length) external {
        bytes memory call_ = abi.encodeCall(
            IKeyRegistry.registerKeyBundleWithAttestation,
            (abi.encodePacked(bundle.identityKey), abi.encodePacked(bundle.preKey), bundle.preKeySignature, good)
        );
        vm.prank(owner);
        (bool accepted,) = address(registry).call(prefix(call_, length % call_.length));
        assertThat(!accepted, "truncated");
    }

    function refuse(bytes memory proof, uint256 word) private {
        expectError(malformed(word));
        send(proof);
    }

    function malformed(uint256 word) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IKeyRegistry.AttestationProofMalformed.selector, word);
    }

    function send(bytes memory proof) private {
        vm.prank(owner);
        registry.registerKeyBundleWithAttestation(
            abi.encodePacked(bundle.identityKey), abi.encodePacked(bundle.preKey), bundle.preKeySignature, proof
        );
    }

    function withWord(bytes memory encoded, uint256 index, uint256 value) private pure returns (bytes memory changed) {
        changed = abi.encodePacked(encoded);
        assembly {
            mstore(add(add(changed, 0x20), shl(5, index)), value)
        }
    }

    function prefix(bytes memory data, uint256 length) private pure returns (bytes memory cut) {
        cut = abi.encodePacked(data);
        assembly {
            mstore(cut, length)
        }
    }
}
