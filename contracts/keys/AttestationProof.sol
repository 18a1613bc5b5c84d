// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Provenance} from "../interfaces/AttestationTypes.sol";
import {IKeyBundles} from "../interfaces/IKeyBundles.sol";

/// @dev The first 32 bytes of an attestationProof, from the high byte down:
/// `version 1 | provenance 1 | authority 20 | epoch 4 | expiresAt 5`, and one byte that belongs to the signature.
type ProofHead is uint256;

using AttestationProof for ProofHead global;

/// @title AttestationProof
/// @notice Reads the packed attestationProof of {IKeyBundles} where it lies in calldata, with a typed error for each
/// malformation. Every byte has its place, so no two proofs say the same.
library AttestationProof {
    uint256 private constant VERSION = 1;
    uint256 private constant SIGNATURE_AT = 31;
    uint256 private constant CERTIFICATE_SIZE = 96;
    uint256 private constant BLOCK_NUMBER_AT = CERTIFICATE_SIZE + 32;
    uint256 private constant EVIDENCE_AT = BLOCK_NUMBER_AT + 5;

    /// @notice Checks length, version and provenance.
    /// @dev Reverts: {IKeyBundles.AttestationProofLength}, {IKeyBundles.AttestationProofVersion},
    /// {IKeyBundles.ProvenanceUnknown}.
    /// @param proof The attestationProof.
    /// @return head What it says of the bundle.
    function read(bytes calldata proof) internal pure returns (ProofHead head) {
        if (proof.length != CERTIFICATE_SIZE && proof.length <= EVIDENCE_AT) {
            revert IKeyBundles.AttestationProofLength(proof.length);
        }
        uint256 word;
        assembly ("memory-safe") {
            word := calldataload(proof.offset)
        }
        if (word >> 248 != VERSION) revert IKeyBundles.AttestationProofVersion(uint8(word >> 248));
        if (uint8(word >> 240) > uint8(type(Provenance).max)) revert IKeyBundles.ProvenanceUnknown(uint8(word >> 240));
        return ProofHead.wrap(word);
    }

    /// @dev A value of {Provenance}: {read} has checked it.
    function provenance(ProofHead head) internal pure returns (uint256) {
        return uint8(ProofHead.unwrap(head) >> 240);
    }

    function authority(ProofHead head) internal pure returns (address) {
        return address(uint160(ProofHead.unwrap(head) >> 80));
    }

    function epoch(ProofHead head) internal pure returns (uint256) {
        return uint32(ProofHead.unwrap(head) >> 48);
    }

    function expiresAt(ProofHead head) internal pure returns (uint256) {
        return uint40(ProofHead.unwrap(head) >> 8);
    }

    /// @notice The certificate's signature.
    /// @param proof An attestationProof that {read} has passed.
    /// @return r As it stands.
    /// @return s As it stands.
    /// @return v As it stands.
    function signature(bytes calldata proof) internal pure returns (bytes32 r, bytes32 s, uint8 v) {
        assembly ("memory-safe") {
            let start := add(proof.offset, SIGNATURE_AT)
            r := calldataload(start)
            s := calldataload(add(start, 32))
            v := byte(0, calldataload(add(start, 64)))
        }
    }

    /// @notice Whether the proof brings what attests its enclave.
    /// @param proof An attestationProof that {read} has passed.
    /// @return brought Whether it does.
    function bringsEvidence(bytes calldata proof) internal pure returns (bool brought) {
        return proof.length != CERTIFICATE_SIZE;
    }

    /// @notice What the proof brings to attest its enclave.
    /// @param proof An attestationProof that {read} has passed and that {bringsEvidence}.
    /// @return transportKey 32 bytes.
    /// @return blockNumber At most 40 bits.
    /// @return evidence At least a byte.
    function attestation(bytes calldata proof)
        internal
        pure
        returns (bytes32 transportKey, uint64 blockNumber, bytes calldata evidence)
    {
        transportKey = bytes32(proof[CERTIFICATE_SIZE:BLOCK_NUMBER_AT]);
        blockNumber = uint40(bytes5(proof[BLOCK_NUMBER_AT:EVIDENCE_AT]));
        evidence = proof[EVIDENCE_AT:];
    }
}
