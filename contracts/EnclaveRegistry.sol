// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ERC165, IERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";

import {EnclaveJudgement} from "./EnclaveJudgement.sol";
import {EnclaveWord, EnclaveWords} from "./EnclaveWord.sol";
import {BlockHistory} from "./attestation/BlockHistory.sol";
import {EvidenceRouting} from "./attestation/EvidenceRouting.sol";
import {AssuranceLevel, AttestedReport, TeeKind} from "./interfaces/AttestationTypes.sol";
import {IAttestationRouter} from "./interfaces/IAttestationRouter.sol";
import {IEnclavePolicy} from "./interfaces/IEnclavePolicy.sol";
import {Enclave, EnclaveState, IEnclaveRegistry} from "./interfaces/IEnclaveRegistry.sol";
import {TeeKinds} from "./policy/TeeKinds.sol";

/// @title EnclaveRegistry
/// @notice Which enclaves are attested now; see {IEnclaveRegistry}.
/// @dev Evidence, policy and clock decide. The policy's owner can end an authority, and do nothing else here.
contract EnclaveRegistry is IEnclaveRegistry, EvidenceRouting, EIP712, ERC165 {
    /// @dev One attestation, two words; the first word of the first attestation alone decides {requireAttested}. The
    /// time of attestation is the expiry less the lifetime, which is fixed.
    struct EnclaveRecord {
        EnclaveWord word;
        bytes32 workload;
    }

    bytes32 private constant BINDING_TYPEHASH = keccak256(
        "EnclaveBinding(uint256 chainId,address enclaveRegistry,address authority,bytes32 transportKey,"
        "uint256 blockNumber,bytes32 blockHash)"
    );
    bytes32 private constant RETIREMENT_TYPEHASH = keccak256("RetireEnclave(address authority)");
    uint64 private constant LONGEST_TTL = 365 days;

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

    /// @dev The first attestation of an authority, and whether the authority has ended. Its kind never changes.
    mapping(address authority => EnclaveRecord record) private _enclaves;
    /// @dev Attestations by further kinds. They end with the authority, which only the record above says.
    mapping(address authority => mapping(TeeKind tee => EnclaveRecord record)) private _further;

    /// @notice Fixes verifier, policy and both lifetimes for ever.
    /// @dev Reverts: NotAContract, MaxBlockAgeOutOfRange, AttestationTtlOutOfRange.
    /// @param verifier_ The verifier of evidence, whose routes are fixed.
    /// @param policy_ The policy.
    /// @param maxBlockAge_ How many blocks old a bound block may be, 1 to 8191.
    /// @param attestationTtl_ How long an attestation counts, 1 second to 365 days.
    constructor(IAttestationRouter verifier_, IEnclavePolicy policy_, uint256 maxBlockAge_, uint64 attestationTtl_)
        EIP712("XMTP TEE EnclaveRegistry", "1")
    {
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
        EnclaveWord first = _enclaves[authority].word;
        _requireNotEnded(authority, first);
        TeeKind tee = _evidenceKind(evidence);
        EnclaveRecord storage record = _recordOf(authority, first, tee);
        EnclaveWord current = record.word;
        if (!current.isNone() && blockNumber <= current.blockNumber()) {
            revert AttestationNotNewer(blockNumber, current.blockNumber());
        }
        bytes32 expected = bindingDigest(authority, transportKey, blockNumber, BlockHistory.hashOf(blockNumber));

        AttestedReport memory report = _verify(tee, evidence);
        if (report.reportDataTail != bytes32(0)) revert ReportDataTailNotZero(report.reportDataTail);
        if (report.reportDataHead != expected) revert ReportDataMismatch(report.reportDataHead, expected);
        POLICY.requireAcceptable(report.workload, tee, report.judgement);

        uint64 expiresAt;
        unchecked {
            // A year at most is added to the time.
            expiresAt = uint64(block.timestamp) + ATTESTATION_TTL;
        }
        // 40 bits suffice: the block is in the past, the expiry at most a year ahead.
        record.word = EnclaveWords.attested(report.platform, blockNumber, expiresAt, tee);
        record.workload = report.workload;
        emit EnclaveAttested(
            authority,
            report.workload,
            report.platform,
            tee,
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
        EnclaveWord first = _enclaves[authority].word;
        if (first.isNone()) revert EnclaveUnknown(authority);
        _requireNotEnded(authority, first);
        bool found;
        for (uint256 kind = uint256(TeeKind.SGX); kind <= uint256(type(TeeKind).max); ++kind) {
            EnclaveRecord storage record = _recordOf(authority, first, TeeKind(kind));
            (bytes4 reason, bool definite) = _judgeRecord(record);
            if (reason == bytes4(0) || !definite) continue;
            found = true;
            record.word = record.word.withState(EnclaveState.INVALIDATED);
            emit AttestationInvalidated(authority, TeeKind(kind), reason);
        }
        if (found) return;
        (bytes4 suspended,) = _judge(authority);
        if (suspended == bytes4(0)) revert EnclaveStillTrusted(authority);
        if (suspended == EnclaveInvalidated.selector) revert EnclaveInvalidated(authority);
        revert EnclaveSuspended(authority, suspended);
    }

    /// @inheritdoc IEnclaveRegistry
    // NOTE: open to everyone. The authority's signature decides.
    function retire(address authority, bytes calldata signature) external {
        EnclaveWord word = _enclaves[authority].word;
        _requireNotEnded(authority, word);
        address signer = ECDSA.recoverCalldata(retirementDigest(authority), signature);
        if (signer != authority) revert RetirementSignerMismatch(signer, authority);
        _end(authority, word, EnclaveState.RETIRED);
    }

    /// @inheritdoc IEnclaveRegistry
    function revoke(address authority) external {
        if (msg.sender != POLICY.owner()) revert NotThePolicyOwner(msg.sender);
        if (authority == address(0)) revert AuthorityIsZero();
        EnclaveWord word = _enclaves[authority].word;
        _requireNotEnded(authority, word);
        _end(authority, word, EnclaveState.REVOKED);
    }

    /// @inheritdoc IEnclaveRegistry
    function requireTrusted(address authority) external view {
        (bytes4 reason,) = _judge(authority);
        if (reason != bytes4(0)) revert EnclaveNotTrusted(authority, reason);
    }

    /// @inheritdoc IEnclaveRegistry
    function requireAttested(address authority) external view {
        bytes4 reason = _judgeWord(_enclaves[authority].word);
        if (reason != bytes4(0)) revert EnclaveNotTrusted(authority, reason);
    }

    /// @inheritdoc IEnclaveRegistry
    function enclave(address authority) external view returns (Enclave memory record) {
        return _read(_enclaves[authority]);
    }

    /// @inheritdoc IEnclaveRegistry
    function attestation(address authority, TeeKind tee) external view returns (Enclave memory record, bytes4 reason) {
        EnclaveWord first = _enclaves[authority].word;
        EnclaveRecord storage stored = _recordOf(authority, first, tee);
        record = _read(stored);
        if (first.hasEnded()) {
            record.state = first.state();
            reason = _judgeWord(first);
        } else {
            (reason,) = _judgeRecord(stored);
        }
    }

    /// @inheritdoc IEnclaveRegistry
    function assuranceOf(address authority) external view returns (AssuranceLevel level) {
        (bytes4 reason, uint8 counted) = _judge(authority);
        if (reason != bytes4(0)) return AssuranceLevel.NONE;
        EnclaveWord first = _enclaves[authority].word;
        level = _lower(ASSURANCE_CEILING, POLICY.assuranceLevel(_enclaves[authority].workload));
        for (uint256 kind = uint256(TeeKind.SGX); kind <= uint256(type(TeeKind).max); ++kind) {
            if (!TeeKinds.contains(counted, TeeKind(kind))) continue;
            bytes32 workload = _recordOf(authority, first, TeeKind(kind)).workload;
            level = _lower(level, POLICY.assuranceLevel(workload));
        }
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

    /// @inheritdoc IERC165
    function supportsInterface(bytes4 interfaceId) public view override returns (bool supported) {
        return interfaceId == type(IEnclaveRegistry).interfaceId || interfaceId == type(IERC5267).interfaceId
            || super.supportsInterface(interfaceId);
    }

    /// @inheritdoc IEnclaveRegistry
    function retirementDigest(address authority) public view returns (bytes32 digest) {
        return _hashTypedDataV4(keccak256(abi.encode(RETIREMENT_TYPEHASH, authority)));
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

    /// @dev Judges an enclave now: its first attestation, then whether as many kinds stand as the policy demands.
    /// @param authority The authority.
    /// @return reason Zero when it passes, else the selector of the error that refuses it.
    /// @return counted The kinds that stand and count towards the demand; none without one.
    function _judge(address authority) private view returns (bytes4 reason, uint8 counted) {
        EnclaveRecord storage record = _enclaves[authority];
        (reason,) = _judgeRecord(record);
        if (reason != bytes4(0)) return (reason, 0);
        (uint8 required, uint8 kinds) = POLICY.teeDemand();
        if (required == 0) return (0, 0);
        EnclaveWord first = record.word;
        for (uint256 kind = uint256(TeeKind.SGX); kind <= uint256(type(TeeKind).max); ++kind) {
            if (!TeeKinds.contains(kinds, TeeKind(kind))) continue;
            if (first.tee() != TeeKind(kind)) {
                (reason,) = _judgeRecord(_further[authority][TeeKind(kind)]);
                if (reason != bytes4(0)) continue;
            }
            counted |= TeeKinds.only(TeeKind(kind));
        }
        reason = TeeKinds.count(counted) < required ? TooFewTeeKinds.selector : bytes4(0);
    }

    /// @dev Judges one attestation now. `definite` tells a failure that is known from one that is only suspected
    /// because the platform cannot be judged. A caller can make the verifier run out of gas, so a failure of
    /// that call is never definite; the policy's calls pass such a failure on as a revert.
    /// @param record The attestation.
    /// @return reason Zero when it passes, else the selector of the error that refuses it.
    /// @return definite Whether the failure may be made lasting.
    function _judgeRecord(EnclaveRecord storage record) private view returns (bytes4 reason, bool definite) {
        EnclaveWord word = record.word;
        reason = _judgeWord(word);
        if (reason != bytes4(0)) return (reason, reason == AttestationExpired.selector);

        bytes32 workload = record.workload;
        TeeKind tee = word.tee();
        (reason, definite) = EnclaveJudgement.ask(_verifierOf(tee), word.platform(), POLICY, workload, tee);
        if (definite) return (reason, true);
        // What the verifier cannot say, the policy may know for certain.
        if (!POLICY.isWorkloadTrusted(workload)) return (IEnclavePolicy.WorkloadNotTrusted.selector, true);
    }

    /// @dev Judges what one storage word says.
    function _judgeWord(EnclaveWord word) private view returns (bytes4 reason) {
        if (word.isAttested()) return block.timestamp < word.expiresAt() ? bytes4(0) : AttestationExpired.selector;
        EnclaveState state = word.state();
        if (state == EnclaveState.NONE) return EnclaveUnknown.selector;
        if (state == EnclaveState.INVALIDATED) return EnclaveInvalidated.selector;
        return state == EnclaveState.RETIRED ? EnclaveRetired.selector : EnclaveRevoked.selector;
    }

    /// @dev Where an authority's attestation by a kind is, or would be, recorded.
    /// @param first The word of its first attestation.
    function _recordOf(address authority, EnclaveWord first, TeeKind tee) private view returns (EnclaveRecord storage) {
        return first.isNone() || first.tee() == tee ? _enclaves[authority] : _further[authority][tee];
    }

    function _read(EnclaveRecord storage stored) private view returns (Enclave memory record) {
        EnclaveWord word = stored.word;
        record.state = word.state();
        // An authority that ended without ever being attested has no more than that.
        if (word.tee() == TeeKind.NONE) return record;
        return Enclave({
            state: record.state,
            tee: word.tee(),
            blockNumber: word.blockNumber(),
            attestedAt: word.expiresAt() - ATTESTATION_TTL,
            expiresAt: word.expiresAt(),
            workload: stored.workload,
            platform: word.platform()
        });
    }

    function _lower(AssuranceLevel a, AssuranceLevel b) private pure returns (AssuranceLevel) {
        return a < b ? a : b;
    }

    function _end(address authority, EnclaveWord word, EnclaveState state) private {
        _enclaves[authority].word = word.withState(state);
        emit EnclaveEnded(authority, state);
    }

    function _requireNotEnded(address authority, EnclaveWord word) private pure {
        if (!word.hasEnded()) return;
        if (word.state() == EnclaveState.RETIRED) revert EnclaveRetired(authority);
        revert EnclaveRevoked(authority);
    }
}
