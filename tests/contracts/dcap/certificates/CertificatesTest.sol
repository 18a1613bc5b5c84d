// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CertificatesHarness} from "./CertificatesHarness.sol";

/// @notice The cheatcodes that these tests use.
interface Vm {
    function warp(uint256 time) external;
    function skip(bool condition, string calldata reason) external;
    function envOr(string calldata name, string calldata fallbackValue) external view returns (string memory);
    function exists(string calldata path) external view returns (bool);
    function readFile(string calldata path) external view returns (string memory);
    function readFileBinary(string calldata path) external view returns (bytes memory);
    function parseBytes(string calldata text) external pure returns (bytes memory);
    function parseJsonBytes(string calldata json, string calldata key) external pure returns (bytes memory);
    function parseJsonString(string calldata json, string calldata key) external pure returns (string memory);
    function parseJsonTypeArray(string calldata json, string calldata key, string calldata typeDescription)
        external
        pure
        returns (bytes memory);
    function parseJsonUint(string calldata json, string calldata key) external pure returns (uint256);
    function toString(uint256 value) external pure returns (string memory);
    function expectRevert(bytes calldata data) external;
    function expectPartialRevert(bytes4 selector) external;
    function expectEmit(bool, bool, bool, bool, address emitter) external;
    function mockCall(address callee, bytes calldata data, bytes calldata answer) external;
    function pauseGasMetering() external;
    function record() external;
    function accesses(address target) external returns (bytes32[] memory reads, bytes32[] memory writes);
}

Vm constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

/// @notice Reads tests/vectors/certificates.json. A contract of its own, so that the memory of each reading is
/// given back.
contract CertificateVectors {
    string private constant _PATH = "tests/vectors/certificates.json";

    function time() external view returns (uint256) {
        return VM.parseJsonUint(VM.readFile(_PATH), ".now");
    }

    function read(string calldata key) external view returns (bytes memory) {
        return VM.parseJsonBytes(VM.readFile(_PATH), key);
    }
}

/// @notice What every test here needs: the vectors, the time they are made for, and assertions.
abstract contract CertificatesTest {
    Vm internal constant vm = VM;

    uint64 internal constant GRACE = 7 days;

    error AssertionFailed(string what, uint256 got, uint256 expected);

    CertificateVectors private vectors;
    uint256 internal now_;

    function loadVectors() internal {
        vectors = new CertificateVectors();
        now_ = vectors.time();
        vm.warp(now_);
    }

    function der(string memory name) internal view returns (bytes memory) {
        return vectors.read(string.concat(".der.", name));
    }

    function keyId(string memory actor) internal view returns (bytes20) {
        return bytes20(vectors.read(string.concat(".keys.", actor, ".keyId")));
    }

    function key(string memory actor) internal view returns (uint256 x, uint256 y) {
        x = uint256(bytes32(vectors.read(string.concat(".keys.", actor, ".x"))));
        y = uint256(bytes32(vectors.read(string.concat(".keys.", actor, ".y"))));
    }

    function deploy(string memory root) internal returns (CertificatesHarness) {
        return new CertificatesHarness(der(root), GRACE);
    }

    function assertEq(uint256 got, uint256 expected, string memory what) internal pure {
        if (got != expected) revert AssertionFailed(what, got, expected);
    }

    function assertEq(bytes32 got, bytes32 expected, string memory what) internal pure {
        if (got != expected) revert AssertionFailed(what, uint256(got), uint256(expected));
    }

    function assertTrue(bool got, string memory what) internal pure {
        if (!got) revert AssertionFailed(what, 0, 1);
    }
}
