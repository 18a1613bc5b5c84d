// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Uint384} from "../interfaces/IP384.sol";
import {Sha384} from "./Sha384.sol";

/// @title Sha384Hasher
/// @notice SHA-384 as a contract, in the manner of the SHA-256 precompile: the calldata is the message, the answer the
/// digest as two words, the upper 128 bits and the lower 256. {RemoteSha384} calls it.
/// @dev A contract that imports {Sha384} is compiled for speed, which makes it large (docs/P384.md). Large ones call this.
contract Sha384Hasher {
    /// @param message Of any length.
    // solhint-disable-next-line no-complex-fallback
    fallback(bytes calldata message) external returns (bytes memory) {
        Uint384 memory digest = Sha384.hash(message);
        return abi.encode(digest.high, digest.low);
    }
}
