// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Certificate
/// @notice The EIP-712 type of what an enclave signs.
library Certificate {
    bytes32 private constant TYPEHASH = keccak256(
        "KeyBundle(address owner,bytes32 identityKey,bytes32 preKey,bytes preKeySignature,uint64 epoch,"
        "uint64 expiresAt,uint8 provenance)"
    );

    /// @notice EIP-712's hashStruct.
    /// @dev The caller bounds the last three by their types.
    /// @return hash keccak256 over the type's hash and the members, a word each.
    function structHash(
        address owner,
        bytes32 identityKey,
        bytes32 preKey,
        bytes calldata preKeySignature,
        uint256 epoch,
        uint256 expiresAt,
        uint256 provenance
    ) internal pure returns (bytes32 hash) {
        bytes32 signatureHash;
        // keccak256(preKeySignature), which would also make a bytes array of the copy.
        assembly ("memory-safe") {
            let data := mload(0x40)
            calldatacopy(data, preKeySignature.offset, preKeySignature.length)
            signatureHash := keccak256(data, preKeySignature.length)
        }
        return keccak256(abi.encode(TYPEHASH, owner, identityKey, preKey, signatureHash, epoch, expiresAt, provenance));
    }
}
