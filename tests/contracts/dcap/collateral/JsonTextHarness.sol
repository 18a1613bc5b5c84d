// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {JsonText} from "../../../../contracts/attestation/dcap/JsonText.sol";

/// @notice The text writers behind external functions that return what was written.
contract JsonTextHarness {
    function decimal(uint256 value) external pure returns (string memory) {
        uint256 start = _start();
        return _written(start, JsonText.decimal(start, value));
    }

    function hex16(bytes16 value) external pure returns (string memory) {
        uint256 start = _start();
        return _written(start, JsonText.hex16(start, value));
    }

    function date(uint256 unixSeconds) external pure returns (string memory) {
        uint256 start = _start();
        return _written(start, JsonText.date(start, unixSeconds));
    }

    function advisory(uint16 id) external pure returns (string memory) {
        uint256 start = _start();
        return _written(start, JsonText.advisory(start, id));
    }

    function status(uint8 value) external pure returns (string memory) {
        uint256 start = _start();
        return _written(start, JsonText.status(start, value));
    }

    function _start() private pure returns (uint256 start) {
        assembly ("memory-safe") {
            start := add(mload(0x40), 32)
        }
    }

    function _written(uint256 start, uint256 end) private pure returns (string memory text) {
        assembly ("memory-safe") {
            text := sub(start, 32)
            mstore(text, sub(end, start))
            mstore(0x40, and(add(end, 63), not(31)))
        }
    }
}
