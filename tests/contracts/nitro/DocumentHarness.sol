// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Document, NitroDocument} from "../../../contracts/attestation/nitro/NitroDocument.sol";

/// @dev Makes the parser callable from a test.
contract DocumentHarness {
    function load(bytes calldata cose) external pure returns (Document memory) {
        return NitroDocument.load(cose);
    }
}
