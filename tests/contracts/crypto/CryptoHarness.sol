// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {RsaPss4096} from "../../../contracts/crypto/RsaPss4096.sol";
import {Sha384} from "../../../contracts/crypto/Sha384.sol";
import {Uint384} from "../../../contracts/interfaces/IP384.sol";

/// @dev Makes the libraries callable from a test.
contract CryptoHarness {
    function sha384(bytes memory data) external pure returns (Uint384 memory) {
        return Sha384.hash(data);
    }

    function sha384Slice(bytes memory data, uint256 start, uint256 end) external pure returns (Uint384 memory) {
        return Sha384.hashSlice(data, start, end);
    }

    /// @dev The gas of one hash, and that memory outside the result is left as it was.
    function sha384Gas(bytes memory data) external view returns (uint256 used, bool tidy) {
        bytes memory guard = abi.encode(data);
        bytes32 before = keccak256(guard);
        used = gasleft();
        Sha384.hash(data);
        used -= gasleft();
        tidy = keccak256(guard) == before;
    }

    function rsaPss(bytes memory modulus, bytes memory message, bytes memory signature) external view {
        RsaPss4096.verify(modulus, Sha384.hash(message), signature);
    }

    function rsaPssDigest(bytes memory modulus, Uint384 memory digest, bytes memory signature) external view {
        RsaPss4096.verify(modulus, digest, signature);
    }
}
