// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EnclaveState} from "../../../contracts/interfaces/IEnclaveRegistry.sol";
import {IKeyBundles, KeyState} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {BundleProof, RegistryFixture} from "../registry/RegistryFixture.sol";

/// @dev docs/SPECIFICATION.md, KeyRegistry, the proof: packed, and no byte without a place.
contract KeyRegistryProofTest is RegistryFixture {
    uint256 private constant CERTIFICATE_SIZE = 96;
    uint256 private constant SHORTEST_WITH_EVIDENCE = 134;

    Bundle private bundle;
    bytes private good;

    function setUp() public override {
        super.setUp();
        attest(authority);
        bundle = newBundle(owner, "first");
        good = encode(proofOf(bundle, AUTHORITY_KEY));
    }

    function test_the_intact_proof_is_96_bytes_and_accepted() external {
        assertSame(good.length, CERTIFICATE_SIZE, "one certificate");
        send(good);
        assertThat(registry.keyState(owner, bundle.identityKey) == KeyState.ACTIVE, "accepted");
    }

    function test_every_length_up_to_the_shortest_with_evidence_is_refused_but_96() external {
        bytes memory long = abi.encodePacked(good, TRANSPORT_KEY, uint40(head() - 1), hex"02");
        for (uint256 length = 0; length < SHORTEST_WITH_EVIDENCE; ++length) {
            if (length == CERTIFICATE_SIZE) continue;
            expectError(abi.encodeWithSelector(IKeyBundles.AttestationProofLength.selector, length));
            send(prefix(long, length));
        }
        assertThat(registry.keyState(owner, bundle.identityKey) == KeyState.NONE, "no bundle");
    }

    function testFuzz_another_version_is_refused(uint8 version) external {
        vm.assume(version != 1);
        good[0] = bytes1(version);
        expectError(abi.encodeWithSelector(IKeyBundles.AttestationProofVersion.selector, version));
        send(good);
    }

    function testFuzz_an_unknown_provenance_is_refused(uint8 provenance) external {
        vm.assume(provenance > 3);
        good[1] = bytes1(provenance);
        expectError(abi.encodeWithSelector(IKeyBundles.ProvenanceUnknown.selector, provenance));
        send(good);
    }

    /// @dev Whatever bit is turned, the certificate is another one, or none.
    function testFuzz_no_bit_of_a_proof_is_spare(uint16 position) external {
        uint256 bit = position % (good.length * 8);
        good[bit / 8] ^= bytes1(uint8(1) << uint8(bit % 8));
        vm.prank(owner);
        (bool accepted,) = address(registry).call(call(good));
        assertThat(!accepted, "accepted with a bit turned");
    }

    function test_the_shortest_evidence_is_handed_on_whole() external {
        BundleProof memory proof = proofOf(bundle, OTHER_AUTHORITY_KEY);
        proof.transportKey = TRANSPORT_KEY;
        proof.blockNumber = uint64(head() - 1);
        proof.evidence = hex"02";
        assertSame(encode(proof).length, SHORTEST_WITH_EVIDENCE, "one byte of evidence");
        // The router takes the kind off, and the verifier gets nothing.
        expectError(abi.encodeWithSignature("EvidenceNotScripted(bytes32)", keccak256("")));
        send(encode(proof));
        proof.evidence = evidenceFor(otherAuthority, proof.blockNumber);
        send(encode(proof));
        assertThat(enclaves.enclave(otherAuthority).state == EnclaveState.ATTESTED, "attested by it");
    }

    function testFuzz_a_byte_after_the_evidence_is_evidence(bytes1 more) external {
        BundleProof memory proof = proofOf(bundle, OTHER_AUTHORITY_KEY);
        proof.transportKey = TRANSPORT_KEY;
        proof.blockNumber = uint64(head() - 1);
        proof.evidence = evidenceFor(otherAuthority, proof.blockNumber);
        vm.prank(owner);
        (bool accepted,) = address(registry).call(call(abi.encodePacked(encode(proof), more)));
        assertThat(!accepted, "not what was scripted");
    }

    function testFuzz_noise_is_refused(bytes calldata noise) external {
        vm.prank(owner);
        (bool accepted,) = address(registry).call(call(noise));
        assertThat(!accepted, "noise");
        assertThat(registry.keyState(owner, bundle.identityKey) == KeyState.NONE, "no bundle");
    }

    /// @dev The outer arguments are decoded by the compiler's code, which refuses without data.
    function testFuzz_truncated_calldata_is_refused(uint16 length) external {
        bytes memory whole = call(good);
        vm.prank(owner);
        (bool accepted,) = address(registry).call(prefix(whole, length % whole.length));
        assertThat(!accepted, "truncated");
    }

    function call(bytes memory proof) private view returns (bytes memory) {
        return abi.encodeCall(
            IKeyBundles.registerKeyBundleWithAttestation,
            (abi.encodePacked(bundle.identityKey), abi.encodePacked(bundle.preKey), bundle.preKeySignature, proof)
        );
    }

    function send(bytes memory proof) private {
        vm.prank(owner);
        registry.registerKeyBundleWithAttestation(
            abi.encodePacked(bundle.identityKey), abi.encodePacked(bundle.preKey), bundle.preKeySignature, proof
        );
    }

    function prefix(bytes memory data, uint256 length) private pure returns (bytes memory cut) {
        cut = abi.encodePacked(data);
        assembly {
            mstore(cut, length)
        }
    }
}
