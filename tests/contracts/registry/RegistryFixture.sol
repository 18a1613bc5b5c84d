// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EnclavePolicy} from "../../../contracts/EnclavePolicy.sol";
import {EnclaveRegistry} from "../../../contracts/EnclaveRegistry.sol";
import {AttestationVerifier} from "../../../contracts/attestation/AttestationVerifier.sol";
import {
    AssuranceLevel,
    AttestedReport,
    PlatformJudgement,
    Provenance,
    TcbStatus,
    TeeKind
} from "../../../contracts/interfaces/AttestationTypes.sol";
import {IAttestationRouter} from "../../../contracts/interfaces/IAttestationRouter.sol";
import {IKeyRegistry} from "../../../contracts/interfaces/IKeyRegistry.sol";
import {AgentTokens} from "./AgentTokens.sol";
import {ScriptedVerifier} from "./ScriptedVerifier.sol";
import {Checked} from "./Vm.sol";

/// @dev What an attestationProof says, to be bent before it is packed by {RegistryFixture.encode}.
struct BundleProof {
    address authority;
    uint64 epoch;
    uint64 expiresAt;
    Provenance provenance;
    bytes signature;
    bytes32 transportKey;
    uint64 blockNumber;
    bytes evidence;
}

/// @title RegistryFixture
/// @notice All contracts of a deployment behind a scripted verifier, the actors, and what an enclave does:
/// bind its authority into evidence and certify bundles.
abstract contract RegistryFixture is Checked {
    /// @dev What an enclave certifies, and what the owner sends along.
    struct Bundle {
        address owner;
        bytes32 identityKey;
        bytes32 preKey;
        bytes preKeySignature;
        uint64 epoch;
        uint64 expiresAt;
        Provenance provenance;
    }

    uint256 internal constant START = 1_780_000_000;
    uint256 internal constant START_BLOCK = 20_000;
    uint256 internal constant MAX_BLOCK_AGE = 100;
    uint64 internal constant TTL = 30 days;
    uint64 internal constant PRE_KEY_LIFETIME = 7 days;

    bytes32 internal constant WORKLOAD = keccak256("workload");
    bytes32 internal constant OTHER_WORKLOAD = keccak256("other workload");
    bytes20 internal constant PLATFORM = bytes20(keccak256("platform"));
    bytes16 internal constant INSTANCE = bytes16(keccak256("instance"));
    bytes16 internal constant FAMILY = bytes16(bytes6(keccak256("family")));
    bytes32 internal constant ADVISORIES = bytes32(bytes24(keccak256("advisories")));
    bytes32 internal constant TRANSPORT_KEY = keccak256("transport key");

    uint256 internal constant AUTHORITY_KEY = 0xa11ce0001;
    uint256 internal constant OTHER_AUTHORITY_KEY = 0xa11ce0002;

    address internal immutable admin = address(0xad317);
    address internal immutable owner = address(0x0117e2);
    address internal immutable otherOwner = address(0x0117e3);
    address internal immutable stranger = address(0x57a17e2);
    address internal immutable attacker = address(0xa77ac7e2);

    ScriptedVerifier internal verifier;
    AttestationVerifier internal router;
    EnclavePolicy internal policy;
    EnclaveRegistry internal enclaves;
    AgentTokens internal agents;
    IKeyRegistry internal registry;

    address internal authority;
    address internal otherAuthority;

    function setUp() public virtual {
        vm.warp(START);
        roll(START_BLOCK);
        authority = vm.addr(AUTHORITY_KEY);
        otherAuthority = vm.addr(OTHER_AUTHORITY_KEY);
        deploy(false);
        vm.startPrank(admin);
        policy.addWorkload(WORKLOAD, AssuranceLevel.MEMBER, "https://example.org/enclave", bytes20(uint160(1)));
        policy.addWorkload(OTHER_WORKLOAD, AssuranceLevel.WALLET, "https://example.org/other", bytes20(0));
        vm.stopPrank();
        judged(TcbStatus.UP_TO_DATE);
    }

    // --- deployment and chain ------------------------------------------------------------------------

    function deploy(bool developmentRoot) internal {
        verifier = newVerifier(developmentRoot);
        TeeKind[] memory kinds = new TeeKind[](1);
        address[] memory verifiers = new address[](1);
        (kinds[0], verifiers[0]) = (TeeKind.TDX, address(verifier));
        router = newRouter(kinds, verifiers);
        policy = EnclavePolicy(create("EnclavePolicy.sol:EnclavePolicy", abi.encode(admin, uint32(0))));
        enclaves = newEnclaves(router, MAX_BLOCK_AGE, TTL);
        agents = AgentTokens(create("AgentTokens.sol:AgentTokens", ""));
        registry = newRegistry(address(enclaves), address(agents));
    }

    function newVerifier(bool developmentRoot) internal returns (ScriptedVerifier) {
        return ScriptedVerifier(create("ScriptedVerifier.sol:ScriptedVerifier", abi.encode(developmentRoot)));
    }

    function newRouter(TeeKind[] memory kinds, address[] memory verifiers) internal returns (AttestationVerifier) {
        return AttestationVerifier(create("AttestationVerifier.sol:AttestationVerifier", abi.encode(kinds, verifiers)));
    }

    function newEnclaves(IAttestationRouter verifier_, uint256 maxBlockAge, uint64 attestationTtl)
        internal
        returns (EnclaveRegistry)
    {
        return EnclaveRegistry(
            create("EnclaveRegistry.sol:EnclaveRegistry", abi.encode(verifier_, policy, maxBlockAge, attestationTtl))
        );
    }

    function newRegistry(address enclaves_, address identities) internal returns (IKeyRegistry) {
        return IKeyRegistry(create("KeyRegistry.sol:KeyRegistry", abi.encode(enclaves_, identities)));
    }

    /// @dev The chain's head moves to a block, and the hash of the block before it is known.
    function roll(uint256 blockNumber) internal {
        vm.roll(blockNumber);
        vm.setBlockhash(blockNumber - 1, hashOfBlock(blockNumber - 1));
    }

    function hashOfBlock(uint256 blockNumber) internal pure returns (bytes32) {
        return keccak256(abi.encode("block", blockNumber));
    }

    // --- the enclave ---------------------------------------------------------------------------------

    function newReport(address authority_, bytes32 transportKey, uint256 blockNumber)
        internal
        view
        returns (AttestedReport memory report)
    {
        report.tee = TeeKind.TDX;
        report.judgement = judgement(TcbStatus.UP_TO_DATE);
        report.workload = WORKLOAD;
        report.platform = PLATFORM;
        report.reportDataHead = enclaves.bindingDigest(authority_, transportKey, blockNumber, hashOfBlock(blockNumber));
    }

    /// @dev What a verifier says of the platform: advisories unless it is up to date.
    function judgement(TcbStatus status) internal pure returns (PlatformJudgement memory) {
        bytes32 advisories = status == TcbStatus.UP_TO_DATE ? bytes32(0) : ADVISORIES;
        return PlatformJudgement(status, advisories, INSTANCE, FAMILY);
    }

    /// @dev The platform stands so from now on.
    function judged(TcbStatus status) internal {
        verifier.scriptJudgement(PLATFORM, judgement(status));
    }

    /// @dev Evidence bytes that verify to this report, and to no other.
    function evidenceOf(AttestedReport memory report) internal virtual returns (bytes memory evidence) {
        bytes memory rest = abi.encode(report);
        verifier.scriptEvidence(rest, report);
        return abi.encodePacked(uint8(TeeKind.TDX), rest);
    }

    function evidenceFor(address authority_, uint256 blockNumber) internal returns (bytes memory evidence) {
        return evidenceOf(newReport(authority_, TRANSPORT_KEY, blockNumber));
    }

    /// @dev Attests an enclave by the newest block.
    function attest(address authority_) internal {
        uint64 blockNumber = uint64(head() - 1);
        bytes memory evidence = evidenceFor(authority_, blockNumber);
        enclaves.attest(authority_, TRANSPORT_KEY, blockNumber, evidence);
    }

    function newBundle(address owner_, string memory name) internal view returns (Bundle memory bundle) {
        bundle.owner = owner_;
        bundle.identityKey = keccak256(abi.encode("identity key", owner_, name));
        bundle.preKey = keccak256(abi.encode("pre-key", owner_, name, uint256(1)));
        bundle.preKeySignature = signatureOf(bundle.preKey);
        bundle.epoch = 1;
        bundle.expiresAt = uint64(time()) + PRE_KEY_LIFETIME;
        bundle.provenance = Provenance.GENERATED;
    }

    function nextPreKey(Bundle memory bundle) internal view returns (Bundle memory next) {
        next = abi.decode(abi.encode(bundle), (Bundle)); // a copy
        next.epoch = bundle.epoch + 1;
        next.preKey = keccak256(abi.encode("pre-key", bundle.identityKey, uint256(next.epoch)));
        next.preKeySignature = signatureOf(next.preKey);
        next.expiresAt = uint64(time()) + PRE_KEY_LIFETIME;
    }

    function signatureOf(bytes32 preKey) internal pure returns (bytes memory) {
        return abi.encodePacked(keccak256(abi.encode("R", preKey)), keccak256(abi.encode("S", preKey)));
    }

    function digestOf(Bundle memory bundle) internal view returns (bytes32) {
        return registry.certificateDigest(
            bundle.owner,
            bundle.identityKey,
            bundle.preKey,
            bundle.preKeySignature,
            bundle.epoch,
            bundle.expiresAt,
            bundle.provenance
        );
    }

    function certify(Bundle memory bundle, uint256 authorityKey) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(authorityKey, digestOf(bundle));
        return abi.encodePacked(r, s, v);
    }

    // --- the owner -----------------------------------------------------------------------------------

    function proofOf(Bundle memory bundle, uint256 authorityKey) internal view returns (BundleProof memory proof) {
        proof.authority = vm.addr(authorityKey);
        proof.epoch = bundle.epoch;
        proof.expiresAt = bundle.expiresAt;
        proof.provenance = bundle.provenance;
        proof.signature = certify(bundle, authorityKey);
    }

    /// @dev The packed attestationProof. Without evidence it ends after the certificate.
    function encode(BundleProof memory proof) internal pure returns (bytes memory packed) {
        packed = abi.encodePacked(
            uint8(1),
            uint8(proof.provenance),
            proof.authority,
            uint32(proof.epoch),
            uint40(proof.expiresAt),
            proof.signature
        );
        if (proof.evidence.length == 0) return packed;
        return abi.encodePacked(packed, proof.transportKey, uint40(proof.blockNumber), proof.evidence);
    }

    function register(Bundle memory bundle, BundleProof memory proof) internal {
        registry.registerKeyBundleWithAttestation(
            abi.encodePacked(bundle.identityKey), abi.encodePacked(bundle.preKey), bundle.preKeySignature, encode(proof)
        );
    }

    function rotate(Bundle memory bundle, BundleProof memory proof) internal {
        registry.rotatePreKey(
            abi.encodePacked(bundle.identityKey), abi.encodePacked(bundle.preKey), bundle.preKeySignature, encode(proof)
        );
    }

    /// @dev The bundle's owner registers it by the first enclave's certificate.
    function registered(address owner_, string memory name) internal returns (Bundle memory bundle) {
        bundle = newBundle(owner_, name);
        BundleProof memory proof = proofOf(bundle, AUTHORITY_KEY);
        vm.prank(owner_);
        register(bundle, proof);
    }

    /// @dev All that the views show of an owner's bundle.
    function fingerprint(address owner_, bytes32 identityKey) internal view returns (bytes32) {
        return keccak256(abi.encode(registry.getKeyBundle(owner_, identityKey), registry.getKeyBundles(owner_)));
    }

    function error(bytes4 selector, address a, bytes32 b) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(selector, a, b);
    }
}
