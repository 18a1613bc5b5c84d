// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IKeyDelegation} from "../interfaces/IKeyDelegation.sol";

/// @title CounterfactualSignature
/// @notice Reads ERC-6492's wrapper: abi.encode(address factory, bytes factoryCall, bytes signature), then 32 bytes
/// that mark it.
library CounterfactualSignature {
    bytes32 private constant MARK = 0x6492649264926492649264926492649264926492649264926492649264926492;

    /// @notice Whether a signature ends in the mark. No signature of 65 bytes does: its last byte is 27 or 28.
    /// @param wrapped The signature.
    /// @return marked Whether it does.
    function isMarked(bytes calldata wrapped) internal pure returns (bool marked) {
        return wrapped.length >= 32 && bytes32(wrapped[wrapped.length - 32:]) == MARK;
    }

    /// @notice Takes a marked signature apart.
    /// @dev Reverts: {IKeyDelegation.CounterfactualSignatureMalformed}.
    /// @param wrapped A signature that {isMarked}.
    /// @return factory Who deploys the owner.
    /// @return factoryCall What it is called with.
    /// @return signature What the owner's code is asked about.
    function unwrap(bytes calldata wrapped)
        internal
        pure
        returns (address factory, bytes calldata factoryCall, bytes calldata signature)
    {
        bytes calldata body = wrapped[:wrapped.length - 32];
        if (body.length < 96) revert IKeyDelegation.CounterfactualSignatureMalformed();
        uint256 first = uint256(bytes32(body[:32]));
        if (first > type(uint160).max) revert IKeyDelegation.CounterfactualSignatureMalformed();
        return (address(uint160(first)), _bytesAt(body, 32), _bytesAt(body, 64));
    }

    /// @dev The bytes whose offset stands at `member`; wholly inside of `body`, which is at least 96 bytes.
    function _bytesAt(bytes calldata body, uint256 member) private pure returns (bytes calldata) {
        uint256 offset = uint256(bytes32(body[member:member + 32]));
        if (offset > body.length - 32) revert IKeyDelegation.CounterfactualSignatureMalformed();
        uint256 length = uint256(bytes32(body[offset:offset + 32]));
        if (length > body.length - 32 - offset) revert IKeyDelegation.CounterfactualSignatureMalformed();
        return body[offset + 32:offset + 32 + length];
    }
}
