// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {P256} from "../../../../contracts/crypto/P256.sol";

import {CertificatesTest} from "./CertificatesTest.sol";

contract P256Harness {
    function verify(bytes32 digest, uint256 r, uint256 s, uint256 x, uint256 y) external view returns (bool) {
        return P256.verify(digest, r, s, x, y);
    }

    function requirePrecompile() external view {
        P256.requirePrecompile();
    }
}

/// @dev Of a test in the file, what is needed here.
struct WycheproofTest {
    string msg_;
    string result;
    string sig;
    uint256 tcId;
}

contract P256Test is CertificatesTest {
    string private constant _TEST_TYPE = "Test(string msg,string result,string sig,uint256 tcId)";

    P256Harness private p256 = new P256Harness();

    function test_requirePrecompile_osaka_passes() external view {
        p256.requirePrecompile();
    }

    function test_requirePrecompile_noPrecompile_reverts() external {
        vm.mockCall(address(0x100), "", "");
        vm.expectRevert(abi.encodeWithSelector(P256.P256VerifyUnusable.selector, false, false));
        p256.requirePrecompile();
    }

    function test_requirePrecompile_contractThatAlwaysSaysYes_reverts() external {
        vm.mockCall(address(0x100), "", abi.encode(uint256(1)));
        vm.expectRevert(abi.encodeWithSelector(P256.P256VerifyUnusable.selector, true, true));
        p256.requirePrecompile();
    }

    function test_verify_answerOfOtherShape_isInvalid() external {
        vm.mockCall(address(0x100), "", abi.encode(uint256(2)));
        assertTrue(!p256.verify(0, 1, 1, 1, 1), "an answer of 2");
        vm.mockCall(address(0x100), "", abi.encode(uint256(1), uint256(1)));
        assertTrue(!p256.verify(0, 1, 1, 1, 1), "an answer of 64 bytes");
        vm.mockCall(address(0x100), "", hex"01");
        assertTrue(!p256.verify(0, 1, 1, 1, 1), "an answer of 1 byte");
    }

    /// @dev Wycheproof counts both s and n - s as valid in this file, as P256.verify does.
    function test_verify_wycheproof_agrees() external {
        string memory folder = vm.envOr("XMTP_TEE_VECTORS", "../shared/vectors");
        string memory path = string.concat(folder, "/wycheproof/ecdsa_secp256r1_sha256_p1363_test.json");
        vm.skip(!vm.exists(path), "Wycheproof vectors are absent");
        vm.pauseGasMetering(); // 262 tests, a file of 250 kB
        string memory file = vm.readFile(path);
        uint256 valid;
        uint256 invalid;
        for (uint256 i = 0; i < 112; ++i) {
            (uint256 accepted, uint256 refused) = _group(file, string.concat(".testGroups[", vm.toString(i), "]"));
            valid += accepted;
            invalid += refused;
        }
        assertEq(valid + invalid, vm.parseJsonUint(file, ".numberOfTests"), "every test was put");
        assertTrue(valid > 150 && invalid > 50, "both kinds are there");
    }

    function _group(string memory file, string memory group) private view returns (uint256 valid, uint256 invalid) {
        bytes memory point = _hex(vm.parseJsonString(file, string.concat(group, ".publicKey.uncompressed")));
        WycheproofTest[] memory tests =
            abi.decode(vm.parseJsonTypeArray(file, string.concat(group, ".tests"), _TEST_TYPE), (WycheproofTest[]));
        for (uint256 i = 0; i < tests.length; ++i) {
            bytes memory signature = _hex(tests[i].sig);
            // The wrapper takes numbers: another length than 64 cannot be put to it.
            bool accepted = signature.length == 64
                && p256.verify(
                    sha256(_hex(tests[i].msg_)),
                    _word(signature, 0),
                    _word(signature, 32),
                    _word(point, 1),
                    _word(point, 33)
                );
            bool expected = keccak256(bytes(tests[i].result)) == keccak256("valid");
            assertTrue(accepted == expected, string.concat("test ", vm.toString(tests[i].tcId)));
            if (expected) ++valid;
            else ++invalid;
        }
    }

    function _hex(string memory digits) private pure returns (bytes memory) {
        return vm.parseBytes(string.concat("0x", digits));
    }

    function _word(bytes memory data, uint256 offset) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(add(add(data, 32), offset))
        }
    }
}
