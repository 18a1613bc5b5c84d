// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @dev The part of Foundry's cheat codes that these tests use (npm carries no whole forge-std).
interface Vm {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    struct Gas {
        uint64 gasLimit;
        uint64 gasTotalUsed;
        uint64 gasMemoryUsed;
        int64 gasRefunded;
        uint64 gasRemaining;
    }

    function warp(uint256 timestamp) external;
    function roll(uint256 blockNumber) external;
    function chainId(uint256 id) external;
    function setBlockhash(uint256 blockNumber, bytes32 blockHash) external;
    function prank(address sender) external;
    function startPrank(address sender) external;
    function stopPrank() external;
    function expectRevert(bytes calldata data) external;
    function expectEmit(address emitter) external;
    function sign(uint256 privateKey, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function addr(uint256 privateKey) external pure returns (address);
    function etch(address target, bytes calldata code) external;
    function store(address target, bytes32 slot, bytes32 value) external;
    function load(address target, bytes32 slot) external view returns (bytes32 value);
    function assume(bool condition) external pure;
    function cool(address target) external;
    function lastCallGas() external view returns (Gas memory);
    function recordLogs() external;
    function getRecordedLogs() external returns (Log[] memory);
    function snapshotState() external returns (uint256 id);
    function revertToState(uint256 id) external returns (bool);
    function getBlockNumber() external view returns (uint256);
    function getBlockTimestamp() external view returns (uint256);
    function getCode(string calldata artifact) external view returns (bytes memory creationCode);
    function getArtifactPathByCode(bytes calldata creationCode) external view returns (string memory);
    function envOr(string calldata name, string calldata default_) external view returns (string memory value);
    function split(string calldata input, string calldata delimiter) external pure returns (string[] memory parts);
    function readFile(string calldata path) external view returns (string memory);
    function parseJsonKeys(string calldata json, string calldata key) external pure returns (string[] memory);
    function toString(uint256 value) external pure returns (string memory);
}

/// @dev A failed assertion of a test; the message says which, the values say why.
error AssertionFailed(string what, bytes got, bytes expected);

/// @title Checked
/// @notice Cheat codes and assertions for every test of the registries.
abstract contract Checked {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// @dev Deploys by the artifact's name. `new` would compile the contract anew inside every test contract.
    function create(string memory artifact, bytes memory arguments) internal returns (address deployed) {
        bytes memory code = abi.encodePacked(deployableCode(artifact), arguments);
        assembly {
            deployed := create(0, add(code, 0x20), mload(code))
            if iszero(deployed) {
                returndatacopy(0, 0, returndatasize())
                revert(0, returndatasize())
            }
        }
    }

    /// @dev The creation code as it is deployed. Tests are compiled without the optimizer (foundry.toml, profile
    /// `tests`), and so is a copy of every contract that a test imports: forge would give that copy. Where it puts the
    /// copy depends on what was built before, so the shorter code is taken: the optimizer leaves no code as long.
    function deployableCode(string memory artifact) internal view returns (bytes memory code) {
        code = vm.getCode(artifact);
        string memory out = vm.envOr("FOUNDRY_OUT", string(".build/forge/out"));
        string[] memory parts = vm.split(artifact, ":");
        try vm.getCode(string.concat(out, "/", parts[0], "/", parts[1], ".json")) returns (bytes memory other) {
            if (other.length < code.length) code = other;
        } catch {}
    }

    /// @dev The block now. The optimizer takes `block.number` for constant within a transaction, cheats or no.
    function head() internal view returns (uint256) {
        return vm.getBlockNumber();
    }

    /// @dev The time now, for the same reason.
    function time() internal view returns (uint256) {
        return vm.getBlockTimestamp();
    }

    function assertThat(bool condition, string memory what) internal pure {
        if (!condition) revert AssertionFailed(what, abi.encode(false), abi.encode(true));
    }

    function assertSame(bytes memory got, bytes memory expected, string memory what) internal pure {
        if (keccak256(got) != keccak256(expected)) revert AssertionFailed(what, got, expected);
    }

    function assertSame(uint256 got, uint256 expected, string memory what) internal pure {
        assertSame(abi.encode(got), abi.encode(expected), what);
    }

    function assertSame(bytes32 got, bytes32 expected, string memory what) internal pure {
        assertSame(abi.encode(got), abi.encode(expected), what);
    }

    function assertSame(address got, address expected, string memory what) internal pure {
        assertSame(abi.encode(got), abi.encode(expected), what);
    }

    function expectError(bytes4 selector) internal {
        vm.expectRevert(abi.encodePacked(selector));
    }

    function expectError(bytes memory data) internal {
        vm.expectRevert(data);
    }
}
