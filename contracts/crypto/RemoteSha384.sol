// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Uint384} from "../interfaces/IP384.sol";

/// @title RemoteSha384
/// @notice SHA-384 (FIPS 180-4) of a part of a byte array where it lies, by a {Sha384Hasher}.
library RemoteSha384 {
    /// @notice The part does not lie inside the array.
    error SliceOutOfBounds(uint256 start, uint256 end, uint256 length);
    /// @notice The hasher gave no digest: out of gas.
    error Sha384Failed(address hasher);
    /// @notice The contract at this address does not hash as SHA-384 does.
    error Sha384Unusable(address hasher);

    /// @notice SHA-384 of data[start:end].
    function hashSlice(address hasher, bytes memory data, uint256 start, uint256 end)
        internal
        view
        returns (Uint384 memory digest)
    {
        if (start > end || end > data.length) revert SliceOutOfBounds(start, end, data.length);
        bool done;
        assembly ("memory-safe") {
            done := staticcall(gas(), hasher, add(add(data, 32), start), sub(end, start), digest, 64)
            done := and(done, eq(returndatasize(), 64))
        }
        if (!done) revert Sha384Failed(hasher);
    }

    /// @notice Reverts unless the contract gives the digest of "abc" (FIPS 180-4's example).
    /// @dev For deployment: it finds a wrong address, not a malicious contract, whose code whoever trusts it must compare.
    function requireUsable(address hasher) internal view {
        Uint384 memory digest = hashSlice(hasher, "abc", 0, 3);
        if (
            digest.high != 0xcb00753f45a35e8bb5a03d699ac65007
                || digest.low != 0x272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7
        ) revert Sha384Unusable(hasher);
    }
}
