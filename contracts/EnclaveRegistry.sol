// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EnclaveWord, EnclaveWords} from "./EnclaveWord.sol";
import {BlockHistory} from "./attestation/BlockHistory.sol";
import {EvidenceRouting} from "./attestation/EvidenceRouting.sol";
import {AssuranceLevel, AttestedReport, TcbStatus, TeeKind} from "./interfaces/AttestationTypes.sol";
import {IAttestationRouter} from "./interfaces/IAttestationRouter.sol";
import {IAttestationVerifier} from "./interfaces/IAttestationVerifier.sol";
import {IEnclavePolicy} from "./interfaces/IEnclavePolicy.sol";
import {Enclave, EnclaveState, IEnclaveRegistry} from "./interfaces/IEnclaveRegistry.sol";

/// @title EnclaveRegistry
/// @notice Which enclaves are attested now; see {IEnclaveRegistry}.
/// @dev Nobody administers it: evidence, policy and clock decide.
contract EnclaveRegistry is IEnclaveRegistry, EvidenceRouting {
    /// @dev Two words; the first alone decides {requireAttested}. The time of attestation is the expiry less the
    /// lifetime, which is fixed.
    struct EnclaveRecord {
        EnclaveWord word;
        bytes32 workload;
    }

    bytes32 private constant BINDING_TYPEHASH = keccak256(
        "EnclaveBinding(uint256 chainId,address enclaveRegistry,address authority,bytes32 transportKey,"
        "uint256 blockNumber,bytes32 blockHash)"
    );
    uint64 private constant LONGEST_TTL = 365 days;
    /// @dev Selector, workload, kind, and the four words of a judgement.
    uint256 private constant QUESTION_SIZE = 4 + 6 * 32;

    IAttestationRouter private immutable VERIFIER;
    /// @dev The router's routes. They are fixed, so its verifiers are asked directly.
    address private immutable SGX_VERIFIER;
    address private immutable TDX_VERIFIER;
    address private immutable NITRO_VERIFIER;
    address private immutable SEV_SNP_VERIFIER;
    IEnclavePolicy private immutable POLICY;
    uint256 private immutable MAX_BLOCK_AGE;
    uint64 private immutable ATTESTATION_TTL;
    AssuranceLevel private immutable ASSURANCE_CEILING;

    mapping(address authority => EnclaveRecord record) private _enclaves;

    /// @notice Fixes verifier, policy and both lifetimes for ever.
    /// @dev Reverts: NotAContract, MaxBlockAgeOutOfRange, AttestationTtlOutOfRange.
    /// @param verifier_ The verifier of evidence, whose routes are fixed.
    /// @param policy_ The policy.
    /// @param maxBlockAge_ How many blocks old a bound block may be, 1 to 8191.
    /// @param attestationTtl_ How long an attestation counts, 1 second to 365 days.
    constructor(IAttestationRouter verifier_, IEnclavePolicy policy_, uint256 maxBlockAge_, uint64 attestationTtl_) {
        if (address(verifier_).code.length == 0) revert NotAContract(address(verifier_));
        if (address(policy_).code.length == 0) revert NotAContract(address(policy_));
        if (maxBlockAge_ == 0 || maxBlockAge_ > BlockHistory.SERVE_WINDOW) {
            revert MaxBlockAgeOutOfRange(maxBlockAge_, BlockHistory.SERVE_WINDOW);
        }
        if (attestationTtl_ == 0 || attestationTtl_ > LONGEST_TTL) {
            revert AttestationTtlOutOfRange(attestationTtl_, LONGEST_TTL);
        }
        VERIFIER = verifier_;
        SGX_VERIFIER = verifier_.route(TeeKind.SGX);
        TDX_VERIFIER = verifier_.route(TeeKind.TDX);
        NITRO_VERIFIER = verifier_.route(TeeKind.NITRO);
        SEV_SNP_VERIFIER = verifier_.route(TeeKind.SEV_SNP);
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
        EnclaveWord current = record.word;
        if (current.state() != EnclaveState.NONE && blockNumber <= current.blockNumber()) {
            revert AttestationNotNewer(blockNumber, current.blockNumber());
        }
        bytes32 expected = bindingDigest(authority, transportKey, blockNumber, BlockHistory.hashOf(blockNumber));

        AttestedReport memory report = _verify(evidence);
        if (report.reportDataTail != bytes32(0)) revert ReportDataTailNotZero(report.reportDataTail);
        if (report.reportDataHead != expected) revert ReportDataMismatch(report.reportDataHead, expected);
        POLICY.requireAcceptable(report.workload, report.tee, report.judgement);

        uint64 expiresAt = uint64(block.timestamp) + ATTESTATION_TTL;
        // 40 bits suffice: the block is in the past, the expiry at most a year ahead.
        record.word = EnclaveWords.attested(report.platform, blockNumber, expiresAt, report.tee);
        record.workload = report.workload;
        emit EnclaveAttested(
            authority,
            report.workload,
            report.platform,
            report.tee,
            report.judgement.status,
            report.judgement.advisories,
            transportKey,
            blockNumber,
            expiresAt
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
        _enclaves[authority].word = _enclaves[authority].word.invalidated();
        emit AttestationInvalidated(authority, reason);
    }

    /// @inheritdoc IEnclaveRegistry
    function requireTrusted(address authority) external view {
        (bytes4 reason,) = _judge(authority);
        if (reason != bytes4(0)) revert EnclaveNotTrusted(authority, reason);
    }

    /// @inheritdoc IEnclaveRegistry
    function requireAttested(address authority) external view {
        bytes4 reason = _judgeRecord(_enclaves[authority].word);
        if (reason != bytes4(0)) revert EnclaveNotTrusted(authority, reason);
    }

    /// @inheritdoc IEnclaveRegistry
    function enclave(address authority) external view returns (Enclave memory record) {
        EnclaveWord word = _enclaves[authority].word;
        if (word.state() == EnclaveState.NONE) return record;
        return Enclave({
            state: word.state(),
            tee: word.tee(),
            blockNumber: word.blockNumber(),
            attestedAt: word.expiresAt() - ATTESTATION_TTL,
            expiresAt: word.expiresAt(),
            workload: _enclaves[authority].workload,
            platform: word.platform()
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
    function verifier() external view returns (IAttestationRouter contract_) {
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

    /// @inheritdoc EvidenceRouting
    function _verifierOf(TeeKind tee) internal view override returns (address verifier_) {
        if (tee == TeeKind.TDX) return TDX_VERIFIER;
        if (tee == TeeKind.SGX) return SGX_VERIFIER;
        if (tee == TeeKind.NITRO) return NITRO_VERIFIER;
        if (tee == TeeKind.SEV_SNP) return SEV_SNP_VERIFIER;
    }

    /// @dev Judges an enclave now. `definite` tells a failure that is known from one that is only suspected
    /// because the platform cannot be judged. A caller can make the verifier run out of gas, so a failure of
    /// that call is never definite; the policy's calls pass such a failure on as a revert.
    /// @param authority The authority.
    /// @return reason Zero when it passes, else the selector of the error that refuses it.
    /// @return definite Whether the failure may be made lasting.
    function _judge(address authority) private view returns (bytes4 reason, bool definite) {
        EnclaveWord word = _enclaves[authority].word;
        reason = _judgeRecord(word);
        if (reason != bytes4(0)) return (reason, reason == AttestationExpired.selector);

        bytes32 workload = _enclaves[authority].workload;
        bytes memory question;
        (question, reason) = _judgePlatform(word.tee(), word.platform());
        if (reason == bytes4(0)) return (_askPolicy(question, workload, word.tee()), true);
        // What the verifier cannot say, the policy may know for certain.
        if (!POLICY.isWorkloadTrusted(workload)) return (IEnclavePolicy.WorkloadNotTrusted.selector, true);
        return (reason, false);
    }

    /// @dev Judges what one storage word says.
    function _judgeRecord(EnclaveWord word) private view returns (bytes4 reason) {
        EnclaveState state = word.state();
        if (state == EnclaveState.NONE) return EnclaveUnknown.selector;
        if (state == EnclaveState.INVALIDATED) return EnclaveInvalidated.selector;
        if (block.timestamp >= word.expiresAt()) return AttestationExpired.selector;
    }

    /// @dev Asks the verifier and turns each of its reverts into a reason. Copies four words of its answer,
    /// however long that is, and believes none in which a bit stands where the types have no room for it.
    /// @param tee Whose verifier.
    /// @param platform That verifier's handle.
    /// @return question The calldata of {IEnclavePolicy.refusal} with the judgement in its place.
    /// @return reason Zero when there is a judgement.
    function _judgePlatform(TeeKind tee, bytes20 platform) private view returns (bytes memory question, bytes4 reason) {
        bytes4 selector = IAttestationVerifier.judgePlatform.selector;
        address verifier_ = _verifierOf(tee);
        bool answered;
        uint256 size;
        bytes32 status;
        uint256 excess;
        question = new bytes(QUESTION_SIZE);
        assembly ("memory-safe") {
            // The verifier's question fits the scratch space; its answer goes behind selector, workload and kind.
            mstore(0x00, selector)
            mstore(0x04, platform)
            let answer := add(question, 0x64)
            answered := staticcall(gas(), verifier_, 0x00, 0x24, answer, 0x80)
            size := returndatasize()
            status := mload(answer)
            excess := or(shl(128, mload(add(answer, 0x40))), shl(128, mload(add(answer, 0x60))))
        }
        if (!answered) {
            if (size >= 4) reason = bytes4(status);
        } else if (size >= 128 && excess == 0 && uint256(status) <= uint256(type(TcbStatus).max) && status != 0) {
            return (question, bytes4(0));
        }
        if (reason == bytes4(0)) reason = PlatformNotJudged.selector;
    }

    /// @dev {IEnclavePolicy.refusal} about a judgement; passes a revert of the policy on.
    /// @param question From {_judgePlatform}.
    function _askPolicy(bytes memory question, bytes32 workload, TeeKind tee) private view returns (bytes4 reason) {
        bytes4 selector = IEnclavePolicy.refusal.selector;
        address policy_ = address(POLICY);
        assembly ("memory-safe") {
            let data := add(question, 0x20)
            mstore(data, selector)
            mstore(add(data, 0x04), workload)
            mstore(add(data, 0x24), tee)
            let answered := staticcall(gas(), policy_, data, mload(question), 0x00, 0x20)
            if iszero(and(answered, gt(returndatasize(), 0x1f))) {
                returndatacopy(data, 0, returndatasize())
                revert(data, returndatasize())
            }
            reason := and(mload(0x00), shl(224, 0xffffffff))
        }
    }
}
