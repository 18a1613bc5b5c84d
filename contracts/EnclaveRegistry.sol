// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BlockHistory} from "./attestation/BlockHistory.sol";
import {AssuranceLevel, AttestedReport, TcbStatus, TeeKind} from "./interfaces/AttestationTypes.sol";
import {IAttestationVerifier} from "./interfaces/IAttestationVerifier.sol";
import {IEnclavePolicy} from "./interfaces/IEnclavePolicy.sol";
import {Enclave, EnclaveState, IEnclaveRegistry} from "./interfaces/IEnclaveRegistry.sol";

/// @title EnclaveRegistry
/// @notice Which enclaves are attested now; see {IEnclaveRegistry}.
/// @dev Nobody administers it: evidence, policy and clock decide.
contract EnclaveRegistry is IEnclaveRegistry {
    /// @dev The first word alone decides {requireAttested}.
    struct EnclaveRecord {
        EnclaveState state;
        TeeKind tee;
        uint64 blockNumber;
        uint40 attestedAt;
        uint40 expiresAt;
        bytes32 workload;
        bytes32 platform;
        bytes32 transportKey;
    }

    bytes32 private constant BINDING_TYPEHASH = keccak256(
        "EnclaveBinding(uint256 chainId,address enclaveRegistry,address authority,bytes32 transportKey,"
        "uint256 blockNumber,bytes32 blockHash)"
    );
    uint64 private constant LONGEST_TTL = 365 days;

    IAttestationVerifier private immutable VERIFIER;
    IEnclavePolicy private immutable POLICY;
    uint256 private immutable MAX_BLOCK_AGE;
    uint64 private immutable ATTESTATION_TTL;
    AssuranceLevel private immutable ASSURANCE_CEILING;

    mapping(address authority => EnclaveRecord record) private _enclaves;

    /// @notice Fixes verifier, policy and both lifetimes for ever.
    /// @dev Reverts: NotAContract, MaxBlockAgeOutOfRange, AttestationTtlOutOfRange.
    /// @param verifier_ The verifier of evidence.
    /// @param policy_ The policy.
    /// @param maxBlockAge_ How many blocks old a bound block may be, 1 to 8191.
    /// @param attestationTtl_ How long an attestation counts, 1 second to 365 days.
    constructor(IAttestationVerifier verifier_, IEnclavePolicy policy_, uint256 maxBlockAge_, uint64 attestationTtl_) {
        if (address(verifier_).code.length == 0) revert NotAContract(address(verifier_));
        if (address(policy_).code.length == 0) revert NotAContract(address(policy_));
        if (maxBlockAge_ == 0 || maxBlockAge_ > BlockHistory.SERVE_WINDOW) {
            revert MaxBlockAgeOutOfRange(maxBlockAge_, BlockHistory.SERVE_WINDOW);
        }
        if (attestationTtl_ == 0 || attestationTtl_ > LONGEST_TTL) {
            revert AttestationTtlOutOfRange(attestationTtl_, LONGEST_TTL);
        }
        VERIFIER = verifier_;
        POLICY = policy_;
        MAX_BLOCK_AGE = maxBlockAge_;
        ATTESTATION_TTL = attestationTtl_;
        // The verifier's root is fixed, so the ceiling is.
        ASSURANCE_CEILING = verifier_.developmentRoot() ? AssuranceLevel.SIMULATED : AssuranceLevel.MEMBER;
    }

    /// @inheritdoc IEnclaveRegistry
    // NOTE: open to everyone. Only the enclave can have made evidence that binds its authority, so a stranger
    // who submits it pays for the owner's renewal and can change nothing else.
    function attest(address authority, bytes32 transportKey, uint64 blockNumber, bytes calldata evidence) external {
        if (authority == address(0)) revert AuthorityIsZero();
        BlockHistory.requireRecent(blockNumber, MAX_BLOCK_AGE);
        EnclaveRecord storage record = _enclaves[authority];
        if (record.state != EnclaveState.NONE && blockNumber <= record.blockNumber) {
            revert AttestationNotNewer(blockNumber, record.blockNumber);
        }
        bytes32 expected = bindingDigest(authority, transportKey, blockNumber, BlockHistory.hashOf(blockNumber));

        AttestedReport memory report = VERIFIER.verify(evidence);
        if (report.reportDataTail != bytes32(0)) revert ReportDataTailNotZero(report.reportDataTail);
        if (report.reportDataHead != expected) revert ReportDataMismatch(report.reportDataHead, expected);
        POLICY.requireAcceptable(report.workload, report.status);

        uint64 expiresAt = uint64(block.timestamp) + ATTESTATION_TTL;
        record.state = EnclaveState.ATTESTED;
        record.tee = report.tee;
        record.blockNumber = blockNumber;
        record.attestedAt = uint40(block.timestamp);
        record.expiresAt = uint40(expiresAt);
        record.workload = report.workload;
        record.platform = report.platform;
        record.transportKey = transportKey;
        emit EnclaveAttested(
            authority, report.workload, report.platform, report.tee, report.status, transportKey, blockNumber, expiresAt
        );
    }

    /// @inheritdoc IEnclaveRegistry
    // NOTE: open to everyone. The failure must be definite and present, so the caller decides nothing.
    function invalidate(address authority) external {
        (bytes4 reason, bool definite) = _judge(authority);
        if (reason == EnclaveUnknown.selector) revert EnclaveUnknown(authority);
        if (reason == EnclaveInvalidated.selector) revert EnclaveInvalidated(authority);
        if (reason == bytes4(0)) revert EnclaveStillTrusted(authority);
        if (!definite) revert EnclaveSuspended(authority, reason);
        _enclaves[authority].state = EnclaveState.INVALIDATED;
        emit AttestationInvalidated(authority, reason);
    }

    /// @inheritdoc IEnclaveRegistry
    function requireTrusted(address authority) external view {
        (bytes4 reason,) = _judge(authority);
        if (reason != bytes4(0)) revert EnclaveNotTrusted(authority, reason);
    }

    /// @inheritdoc IEnclaveRegistry
    function requireAttested(address authority) external view {
        bytes4 reason = _judgeRecord(_enclaves[authority]);
        if (reason != bytes4(0)) revert EnclaveNotTrusted(authority, reason);
    }

    /// @inheritdoc IEnclaveRegistry
    function enclave(address authority) external view returns (Enclave memory record) {
        EnclaveRecord storage stored = _enclaves[authority];
        return Enclave({
            state: stored.state,
            tee: stored.tee,
            blockNumber: stored.blockNumber,
            attestedAt: stored.attestedAt,
            expiresAt: stored.expiresAt,
            workload: stored.workload,
            platform: stored.platform,
            transportKey: stored.transportKey
        });
    }

    /// @inheritdoc IEnclaveRegistry
    function assuranceOf(address authority) external view returns (AssuranceLevel level) {
        (bytes4 reason,) = _judge(authority);
        if (reason != bytes4(0)) return AssuranceLevel.NONE;
        level = POLICY.assuranceLevel(_enclaves[authority].workload);
        return level < ASSURANCE_CEILING ? level : ASSURANCE_CEILING;
    }

    /// @inheritdoc IEnclaveRegistry
    function standing(address authority) external view returns (bool trusted, bytes4 reason) {
        (reason,) = _judge(authority);
        return (reason == bytes4(0), reason);
    }

    /// @inheritdoc IEnclaveRegistry
    function assuranceCeiling() external view returns (AssuranceLevel level) {
        return ASSURANCE_CEILING;
    }

    /// @inheritdoc IEnclaveRegistry
    function verifier() external view returns (IAttestationVerifier contract_) {
        return VERIFIER;
    }

    /// @inheritdoc IEnclaveRegistry
    function policy() external view returns (IEnclavePolicy contract_) {
        return POLICY;
    }

    /// @inheritdoc IEnclaveRegistry
    function maxBlockAge() external view returns (uint256 blocks) {
        return MAX_BLOCK_AGE;
    }

    /// @inheritdoc IEnclaveRegistry
    function attestationTtl() external view returns (uint64 seconds_) {
        return ATTESTATION_TTL;
    }

    /// @inheritdoc IEnclaveRegistry
    function bindingDigest(address authority, bytes32 transportKey, uint256 blockNumber, bytes32 blockHash)
        public
        view
        returns (bytes32 digest)
    {
        return keccak256(
            abi.encode(BINDING_TYPEHASH, block.chainid, address(this), authority, transportKey, blockNumber, blockHash)
        );
    }

    /// @dev Judges an enclave now. `definite` tells a failure that is known from one that is only suspected
    /// because the platform cannot be judged. A caller can make the verifier run out of gas, so a failure of
    /// that call is never definite; the policy's calls pass such a failure on as a revert.
    /// @param authority The authority.
    /// @return reason Zero when it passes, else the selector of the error that refuses it.
    /// @return definite Whether the failure may be made lasting.
    function _judge(address authority) private view returns (bytes4 reason, bool definite) {
        EnclaveRecord storage record = _enclaves[authority];
        reason = _judgeRecord(record);
        if (reason != bytes4(0)) return (reason, reason == AttestationExpired.selector);

        bytes32 workload = record.workload;
        if (!POLICY.isWorkloadTrusted(workload)) return (IEnclavePolicy.WorkloadNotTrusted.selector, true);
        TcbStatus status;
        (status, reason) = _platformStatus(record.platform);
        if (reason != bytes4(0)) return (reason, false);
        if (!POLICY.isAcceptable(workload, status)) {
            return (IEnclavePolicy.TcbStatusNotAccepted.selector, true);
        }
    }

    /// @dev Judges what one storage word says.
    function _judgeRecord(EnclaveRecord storage record) private view returns (bytes4 reason) {
        EnclaveState state = record.state;
        if (state == EnclaveState.NONE) return EnclaveUnknown.selector;
        if (state == EnclaveState.INVALIDATED) return EnclaveInvalidated.selector;
        if (block.timestamp >= record.expiresAt) return AttestationExpired.selector;
    }

    /// @dev Asks the verifier and turns each of its reverts into a reason. Copies 32 bytes of its answer,
    /// however long that is.
    /// @param platform The verifier's handle.
    /// @return status The platform's security level; NONE with a reason.
    /// @return reason Zero when there is a status.
    function _platformStatus(bytes32 platform) private view returns (TcbStatus status, bytes4 reason) {
        bytes memory question = abi.encodeCall(IAttestationVerifier.platformStatus, (platform));
        address verifier_ = address(VERIFIER);
        bool answered;
        uint256 size;
        bytes32 word;
        assembly ("memory-safe") {
            mstore(0x00, 0)
            answered := staticcall(gas(), verifier_, add(question, 0x20), mload(question), 0x00, 0x20)
            size := returndatasize()
            word := mload(0x00)
        }
        if (!answered) {
            reason = size < 4 ? bytes4(0) : bytes4(word);
        } else if (size >= 32 && uint256(word) <= uint256(type(TcbStatus).max)) {
            status = TcbStatus(uint256(word));
        }
        if (status == TcbStatus.NONE && reason == bytes4(0)) reason = PlatformNotJudged.selector;
    }
}
