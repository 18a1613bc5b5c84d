// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {
    AssuranceLevel,
    PlatformJudgement,
    TcbStatus,
    TeeKind
} from "../../../contracts/interfaces/AttestationTypes.sol";
import {IAttestationRouter} from "../../../contracts/interfaces/IAttestationRouter.sol";
import {IEnclavePolicy} from "../../../contracts/interfaces/IEnclavePolicy.sol";
import {IEnclaveRegistry} from "../../../contracts/interfaces/IEnclaveRegistry.sol";
import {IKeyRegistry} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {Vm} from "../registry/Vm.sol";

/// @dev The part of halmos' cheat codes that the checks use.
interface Svm {
    function createBytes(uint256 size, string calldata name) external pure returns (bytes memory);
    function createUint(uint256 bits, string calldata name) external pure returns (uint256);
    function createBytes32(string calldata name) external pure returns (bytes32);
    function createAddress(string calldata name) external pure returns (address);
    function createBool(string calldata name) external pure returns (bool);
    function createCalldata(string calldata contract_) external pure returns (bytes memory);
    function enableSymbolicStorage(address target) external;
}

/// @title StubVerifier
/// @notice Router and verifier in one. It calls every platform up to date, and reads no evidence.
contract StubVerifier {
    function developmentRoot() external pure returns (bool) {
        return false;
    }

    function route(TeeKind tee) external view returns (address) {
        return tee == TeeKind.TDX ? address(this) : address(0);
    }

    function judgePlatform(bytes20) external pure returns (PlatformJudgement memory judgement) {
        judgement.status = TcbStatus.UP_TO_DATE;
    }
}

/// @title SymbolicTokens
/// @notice An identity registry (ERC-8004) in which anybody may hold anything: its storage is made symbolic.
contract SymbolicTokens {
    mapping(uint256 agentId => address holder) public ownerOf;
    mapping(uint256 agentId => address account) public getApproved;
    mapping(address holder => mapping(address account => bool approved)) public isApprovedForAll;
}

/// @title SymbolicFixture
/// @notice A deployment in any state that its storage could have, reachable or not.
abstract contract SymbolicFixture {
    /// @dev The two words of a bundle.
    struct Stored {
        uint256 preKey;
        uint256 word;
    }

    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    Svm internal constant svm = Svm(address(uint160(uint256(keccak256("svm cheat code")))));

    uint256 internal constant NONE = 0;
    uint256 internal constant ACTIVE = 1;
    uint256 internal constant REVOKED = 2;
    /// @dev The owner's last change, which stands in the word of the key at position 0 and belongs to no key.
    uint256 internal constant CHANGE = uint256(type(uint32).max) << 8;
    uint256 internal constant BUNDLES_SLOT = 3;
    uint256 internal constant NONCES_SLOT = 5;
    uint256 internal constant HOLDERS_SLOT = 6;
    uint256 internal constant ENCLAVES_SLOT = 2;

    address internal constant ADMIN = address(0xad317);
    address internal constant GUARDIAN = address(0x90a2d1a2);

    IEnclavePolicy internal policy;
    IEnclaveRegistry internal enclaves;
    IKeyRegistry internal registry;
    SymbolicTokens internal tokens;

    function setUp() public virtual {
        StubVerifier verifier = new StubVerifier();
        policy = IEnclavePolicy(_create("EnclavePolicy", abi.encode(ADMIN, uint32(0))));
        enclaves = IEnclaveRegistry(
            _create("EnclaveRegistry", abi.encode(IAttestationRouter(address(verifier)), policy, 100, uint64(30 days)))
        );
        vm.startPrank(ADMIN);
        policy.addWorkload(keccak256("workload"), AssuranceLevel.MEMBER, "https://example.org", bytes20(0));
        policy.addGuardian(GUARDIAN);
        vm.stopPrank();
        tokens = new SymbolicTokens();
        registry = IKeyRegistry(_create("KeyRegistry", abi.encode(enclaves, tokens)));
    }

    /// @dev From here on every storage word of the deployment is any word, and the time is any time.
    function _forget() internal {
        svm.enableSymbolicStorage(address(enclaves));
        svm.enableSymbolicStorage(address(registry));
        vm.warp(svm.createUint(40, "time"));
        vm.roll(svm.createUint(40, "block"));
    }

    function _slot(address owner, bytes32 identityKey) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(identityKey, keccak256(abi.encode(owner, BUNDLES_SLOT)))));
    }

    function _load(uint256 slot) internal view returns (uint256) {
        return uint256(vm.load(address(registry), bytes32(slot)));
    }

    function _stored(address owner, bytes32 identityKey) internal view returns (Stored memory) {
        uint256 slot = _slot(owner, identityKey);
        return Stored({preKey: _load(slot), word: _load(slot + 1)});
    }

    function _same(Stored memory a, Stored memory b) internal pure returns (bool) {
        return _all(_eq(a.preKey, b.preKey), _eq(a.word & ~CHANGE, b.word & ~CHANGE));
    }

    // --- logic without branches: a branch would double the paths that are to be explored -----------------

    function _eq(uint256 a, uint256 b) internal pure returns (bool c) {
        assembly ("memory-safe") {
            c := eq(a, b)
        }
    }

    function _eq(address a, address b) internal pure returns (bool) {
        return _eq(uint256(uint160(a)), uint256(uint160(b)));
    }

    function _less(uint256 a, uint256 b) internal pure returns (bool c) {
        assembly ("memory-safe") {
            c := lt(a, b)
        }
    }

    function _all(bool a, bool b) internal pure returns (bool c) {
        assembly ("memory-safe") {
            c := and(a, b)
        }
    }

    function _all(bool a, bool b, bool c) internal pure returns (bool) {
        return _all(a, _all(b, c));
    }

    function _all(bool a, bool b, bool c, bool d) internal pure returns (bool) {
        return _all(_all(a, b), _all(c, d));
    }

    function _any(bool a, bool b) internal pure returns (bool c) {
        assembly ("memory-safe") {
            c := or(a, b)
        }
    }

    function _not(bool a) internal pure returns (bool c) {
        assembly ("memory-safe") {
            c := iszero(a)
        }
    }

    // --- the fields of a bundle's word ---------------------------------------------------------------

    function _state(Stored memory a) internal pure returns (uint256) {
        return a.word & 3;
    }

    function _provenance(Stored memory a) internal pure returns (uint256) {
        return (a.word >> 2) & 3;
    }

    function _position(Stored memory a) internal pure returns (uint256) {
        return (a.word >> 4) & 0xf;
    }

    function _epoch(Stored memory a) internal pure returns (uint256) {
        return uint24(a.word >> 40);
    }

    function _authority(Stored memory a) internal pure returns (address) {
        return address(uint160(a.word >> 96));
    }

    function _create(string memory name, bytes memory arguments) internal returns (address deployed) {
        bytes memory code = abi.encodePacked(
            vm.getCode(string.concat(".build/symbolic/out/", name, ".sol/", name, ".json")), arguments
        );
        assembly ("memory-safe") {
            deployed := create(0, add(code, 0x20), mload(code))
        }
        assert(deployed != address(0));
    }
}
