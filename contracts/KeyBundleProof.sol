// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Provenance} from "./interfaces/AttestationTypes.sol";
import {BundleProof, IKeyRegistry} from "./interfaces/IKeyRegistry.sol";

/// @title KeyBundleProof
/// @notice Reads abi.encode(BundleProof) where it lies in calldata, with a typed error for each malformation.
/// @dev abi.decode would refuse the same bytes without saying why, and would copy the evidence to memory.
library KeyBundleProof {
    /// @dev The offset of the struct, then its eight members.
    uint256 private constant FIXED_PART = 9 * 32;

    /// @notice Checks every word and every bound, then points into `encoded`.
    /// @dev Reverts: {IKeyRegistry.AttestationProofTooShort}, {IKeyRegistry.AttestationProofMalformed}.
    /// @param encoded abi.encode(BundleProof).
    /// @return proof The struct; all of it, `signature` and `evidence` included, lies inside `encoded`.
    function read(bytes calldata encoded) internal pure returns (BundleProof calldata proof) {
        if (encoded.length < FIXED_PART) {
            revert IKeyRegistry.AttestationProofTooShort(encoded.length, FIXED_PART);
        }
        if (_word(encoded, 0) != 32) revert IKeyRegistry.AttestationProofMalformed(0);
        if (_word(encoded, 1) > type(uint160).max) revert IKeyRegistry.AttestationProofMalformed(1);
        if (_word(encoded, 2) > type(uint64).max) revert IKeyRegistry.AttestationProofMalformed(2);
        if (_word(encoded, 3) > type(uint64).max) revert IKeyRegistry.AttestationProofMalformed(3);
        if (_word(encoded, 4) > uint256(type(Provenance).max)) {
            revert IKeyRegistry.AttestationProofMalformed(4);
        }
        _requireInside(encoded, 5);
        if (_word(encoded, 7) > type(uint64).max) revert IKeyRegistry.AttestationProofMalformed(7);
        _requireInside(encoded, 8);
        assembly ("memory-safe") {
            proof := add(encoded.offset, 0x20)
        }
    }

    /// @dev The 32-byte word with this index. The caller has checked that it lies inside.
    function _word(bytes calldata encoded, uint256 index) private pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := calldataload(add(encoded.offset, shl(5, index)))
        }
    }

    /// @dev The word with this index is the offset, counted from word 1, of a length and that many bytes.
    function _requireInside(bytes calldata encoded, uint256 index) private pure {
        uint256 offset = _word(encoded, index);
        // Nothing below can wrap around: both addends are at most encoded.length, which is at least 288.
        if (offset > encoded.length - 64) revert IKeyRegistry.AttestationProofMalformed(index);
        uint256 length;
        assembly ("memory-safe") {
            length := calldataload(add(add(encoded.offset, 0x20), offset))
        }
        if (length > encoded.length - 64 - offset) revert IKeyRegistry.AttestationProofMalformed(index);
    }
}
