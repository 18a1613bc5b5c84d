// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SSTORE2} from "solady/utils/SSTORE2.sol";

import {P256} from "../../crypto/P256.sol";
import {AttestedReport, PlatformJudgement, TcbStatus, TeeKind} from "../../interfaces/AttestationTypes.sol";
import {IAttestationVerifier} from "../../interfaces/IAttestationVerifier.sol";
import {Environment, IDcapVerifier, Platform} from "../../interfaces/IDcapVerifier.sol";
import {DcapCertificates} from "./DcapCertificates.sol";
import {DcapCollateral} from "./DcapCollateral.sol";
import {DcapQuote, Quote} from "./DcapQuote.sol";
import {PlatformJudge} from "./PlatformJudge.sol";

/// @title DcapVerifier
/// @notice Is this DCAP quote genuine, down to the pinned root?
/// @dev The order of checks: form, header, debug; the QE report binds the attestation key; the PCK certificate is
/// known and counts, and its key signed the QE report; the attestation key signed the quote; then the collateral in
/// force judges platform, TDX module and quoting enclave.
contract DcapVerifier is IDcapVerifier, DcapCollateral {
    using DcapQuote for Quote;

    uint8 private constant _FORM_KNOWN_PLATFORM = 0;
    uint8 private constant _FORM_NEW_PLATFORM = 1;
    /// @dev Form, x, y, the PCK words.
    uint256 private constant _KNOWN_HEAD = 129;
    /// @dev Form, length of the certificate.
    uint256 private constant _NEW_HEAD = 3;

    /// @dev What verification uses of a PCK certificate.
    struct Pck {
        bytes32 id;
        uint256 x;
        uint256 y;
        uint256 tcb;
        uint256 identity;
    }

    /// @dev {Platform} as stored, big-endian from the top.
    /// `standing`: the upper half of the second PCK word, then the lower half of the first.
    /// `judgement`: ppid 16 | environment 3 | tee 1 | judged 1 | judgedUnder 11; zero for an unknown platform.
    /// `advisories`: of the last judgement; without meaning when that was UP_TO_DATE.
    struct PlatformWords {
        uint256 standing;
        uint256 judgement;
        bytes32 advisories;
    }

    mapping(bytes20 handle => PlatformWords) private _platforms;
    /// @dev The index in {_environments} plus one; zero: none.
    mapping(bytes32 environmentId => uint256) private _environmentIndices;
    Environment[] private _environments;

    /// @param rootCertificateDer The self-signed root, X.509 v3, DER.
    /// @param collateralGrace How long after nextUpdate collateral is still used, in seconds.
    constructor(bytes memory rootCertificateDer, uint64 collateralGrace)
        DcapCertificates(rootCertificateDer, collateralGrace)
    {}

    /// @inheritdoc IAttestationVerifier
    function verify(bytes calldata evidence) external returns (AttestedReport memory report) {
        (Pck memory pck, bytes calldata compact, bool verified) = _platformKey(evidence);
        Quote memory quote = DcapQuote.load(compact);
        quote.requireProduction();
        quote.requireKeyBinding();
        Environment memory surroundings = quote.environment();
        surroundings.componentSvns = bytes16(bytes32(pck.tcb));
        bytes32 environmentId = _environmentId(surroundings);
        report.tee = quote.tee;
        report.platform = _handleOf(report.tee, pck.id, environmentId);
        PlatformWords storage known = _platforms[report.platform];
        uint256 last = known.judgement;
        // A recorded platform's certificate was verified when it was recorded, and the handle commits to it.
        if (last == 0 && !verified) _requirePckKnown(pck.id);
        _requirePckStanding(pck.tcb, bytes16(bytes32(pck.identity)));
        _requireSignatures(quote, pck);

        if (last == 0) last = _newJudgement(pck, report.tee, environmentId, surroundings, report.platform);
        report.judgement = _judgeAndRecord(known, last, pck.tcb, surroundings);
        report.workload = quote.workload();
        (report.reportDataHead, report.reportDataTail) = quote.reportData();
    }

    /// @inheritdoc IAttestationVerifier
    function judgePlatform(bytes20 handle) external view returns (PlatformJudgement memory judgement) {
        PlatformWords storage known = _platforms[handle];
        uint256 last = known.judgement;
        if (last == 0) revert PlatformUnknown(handle);
        uint256 standing = known.standing;
        _requirePckStanding(uint128(standing), bytes16(bytes32(standing)));
        (address levels, address identity) = _collateralFor(_teeOf(last), standing);
        _describe(judgement, last, standing);
        if (uint88(last) == _collateralId(levels, identity)) {
            judgement.status = _statusOf(last);
            if (judgement.status != TcbStatus.UP_TO_DATE) judgement.advisories = known.advisories;
        } else {
            Environment memory surroundings = _environments[_environmentOf(last)];
            (judgement.status, judgement.advisories) =
                _judge(levels, identity, _teeOf(last), uint16(standing >> 112), surroundings);
        }
    }

    /// @inheritdoc IAttestationVerifier
    function developmentRoot() external view returns (bool development) {
        return DEVELOPMENT_ROOT;
    }

    /// @inheritdoc IDcapVerifier
    function platform(bytes20 handle) external view returns (Platform memory) {
        PlatformWords memory known = _platforms[handle];
        uint256 last = known.judgement;
        if (last == 0) revert PlatformUnknown(handle);
        uint256 standing = known.standing;
        return Platform({
            revocationKey: bytes16(bytes32(standing)),
            fmspc: bytes6(uint48(standing >> 64)),
            pceid: bytes2(uint16(standing >> 48)),
            notAfter: uint40(standing),
            ca: uint8(standing >> 40),
            pcesvn: uint16(standing >> 112),
            ppid: bytes16(bytes32(last)),
            environment: _environmentOf(last),
            tee: _teeOf(last),
            judged: _statusOf(last),
            judgedUnder: bytes11(uint88(last)),
            advisories: _statusOf(last) == TcbStatus.UP_TO_DATE ? bytes32(0) : known.advisories
        });
    }

    /// @inheritdoc IDcapVerifier
    function environment(uint24 index) external view returns (Environment memory) {
        if (index >= _environments.length) revert EnvironmentUnknown(index);
        return _environments[index];
    }

    // --- evidence ------------------------------------------------------------------------------------

    /// @dev The platform's PCK certificate and the quote; `verified` says whether the certificate has been verified
    /// here. If not, it must be known.
    function _platformKey(bytes calldata evidence)
        private
        view
        returns (Pck memory pck, bytes calldata compact, bool verified)
    {
        if (evidence.length < _KNOWN_HEAD) revert EvidenceTooShort(evidence.length, _KNOWN_HEAD);
        uint8 form = uint8(evidence[0]);
        if (form == _FORM_KNOWN_PLATFORM) {
            assembly ("memory-safe") {
                // x, y and the words follow the form in the order of the struct, after its id.
                calldatacopy(add(pck, 0x20), add(evidence.offset, 1), 0x80)
            }
            compact = evidence[_KNOWN_HEAD:];
        } else if (form == _FORM_NEW_PLATFORM) {
            uint256 end = _NEW_HEAD + uint16(bytes2(evidence[1:3]));
            if (evidence.length < end) revert EvidenceTooShort(evidence.length, end);
            (pck.x, pck.y, pck.tcb, pck.identity) = _verifiedPck(evidence[_NEW_HEAD:end]);
            compact = evidence[end:];
            verified = true;
        } else {
            revert EvidenceFormUnsupported(form);
        }
        pck.id = _pckIdOf(pck.x, pck.y, pck.tcb, pck.identity);
    }

    function _requireSignatures(Quote memory quote, Pck memory pck) private view {
        (bytes32 qeDigest, uint256 qeR, uint256 qeS) = quote.qeSignedPart();
        if (!P256.verify(qeDigest, qeR, qeS, pck.x, pck.y)) revert QeReportSignatureInvalid(qeDigest, pck.id);
        (bytes32 digest, uint256 r, uint256 s, uint256 x, uint256 y) = quote.signedPart();
        if (!P256.verify(digest, r, s, x, y)) revert QuoteSignatureInvalid(digest);
    }

    // --- judgement -----------------------------------------------------------------------------------

    /// @dev The judgement under the collateral in force now. A platform that was judged under the same content before
    /// is judged alike: the judgement depends on nothing else. That a level was REVOKED is never remembered, since it
    /// reverts.
    /// @param last The platform's judgement word.
    /// @param tcb The first PCK word.
    function _judgeAndRecord(PlatformWords storage known, uint256 last, uint256 tcb, Environment memory surroundings)
        private
        returns (PlatformJudgement memory judgement)
    {
        TeeKind tee = _teeOf(last);
        (address levels, address identity) = _collateralFor(tee, tcb);
        _describe(judgement, last, tcb);
        uint256 collateralId = _collateralId(levels, identity);
        if (uint88(last) == collateralId) {
            judgement.status = _statusOf(last);
            if (judgement.status != TcbStatus.UP_TO_DATE) judgement.advisories = known.advisories;
            return judgement;
        }
        (judgement.status, judgement.advisories) = _judge(levels, identity, tee, uint16(tcb >> 112), surroundings);
        known.judgement = (last >> 96 << 96) | (uint256(judgement.status) << 88) | collateralId;
        if (judgement.status != TcbStatus.UP_TO_DATE) known.advisories = judgement.advisories;
    }

    function _judge(address levels, address identity, TeeKind tee, uint16 pcesvn, Environment memory surroundings)
        private
        view
        returns (TcbStatus status, bytes32 advisories)
    {
        return PlatformJudge.judge(tee, SSTORE2.read(levels), SSTORE2.read(identity), pcesvn, surroundings);
    }

    /// @param tcb The first PCK word, or a platform's standing word: their lower halves are the same.
    function _collateralFor(TeeKind tee, uint256 tcb) private view returns (address levels, address identity) {
        return _requireCollateral(tee, bytes6(uint48(tcb >> 64)), bytes2(uint16(tcb >> 48)));
    }

    /// @dev Contents are written once and never change, so their addresses stand for them. The addresses come
    /// from this contract's nonce: nobody can search for two pairs with the same id. Never zero, which stands for a
    /// platform that was not judged yet.
    function _collateralId(address levels, address identity) private pure returns (uint256 id) {
        assembly ("memory-safe") {
            // keccak256(abi.encode(levels, identity)) in scratch space.
            mstore(0, shr(96, shl(96, levels)))
            mstore(0x20, shr(96, shl(96, identity)))
            id := or(shr(168, keccak256(0, 0x40)), 1)
        }
    }

    /// @dev Instance and family; `tcb` as in {_collateralFor}.
    function _describe(PlatformJudgement memory judgement, uint256 last, uint256 tcb) private pure {
        judgement.instance = bytes16(bytes32(last));
        judgement.family = bytes16(bytes6(uint48(tcb >> 64)));
    }

    // --- platforms -----------------------------------------------------------------------------------

    /// @dev Records a platform whose quote has been verified, all but its judgement, and returns the word for that.
    function _newJudgement(
        Pck memory pck,
        TeeKind tee,
        bytes32 environmentId,
        Environment memory surroundings,
        bytes20 handle
    ) private returns (uint256 word) {
        uint24 index = _environmentIndex(environmentId, surroundings);
        _platforms[handle].standing = (pck.identity >> 128 << 128) | uint128(pck.tcb);
        emit PlatformRecorded(handle, pck.id, tee, surroundings.teeTcbSvn, index);
        return (pck.identity << 128) | (uint256(index) << 104) | (uint256(tee) << 96);
    }

    /// @dev keccak256(abi.encode(surroundings)): a struct of eight values lies in memory as it is encoded.
    function _environmentId(Environment memory surroundings) private pure returns (bytes32 id) {
        assembly ("memory-safe") {
            id := keccak256(surroundings, 0x100)
        }
    }

    /// @dev The first 20 bytes of keccak256(abi.encode(tee, pckId, environmentId)).
    function _handleOf(TeeKind tee, bytes32 pckId, bytes32 environmentId) private pure returns (bytes20 handle) {
        assembly ("memory-safe") {
            // In free memory, which stays free.
            let free := mload(0x40)
            mstore(free, and(tee, 0xff))
            mstore(add(free, 0x20), pckId)
            mstore(add(free, 0x40), environmentId)
            handle := and(keccak256(free, 0x60), shl(96, 0xffffffffffffffffffffffffffffffffffffffff))
        }
    }

    function _environmentIndex(bytes32 environmentId, Environment memory surroundings) private returns (uint24) {
        uint256 place = _environmentIndices[environmentId];
        if (place == 0) {
            _environments.push(surroundings);
            place = _environments.length;
            if (place > type(uint24).max) revert TooManyEnvironments(type(uint24).max);
            _environmentIndices[environmentId] = place;
        }
        return uint24(place - 1);
    }

    function _environmentOf(uint256 last) private pure returns (uint24) {
        return uint24(last >> 104);
    }

    function _teeOf(uint256 last) private pure returns (TeeKind) {
        return TeeKind(uint8(last >> 96));
    }

    function _statusOf(uint256 last) private pure returns (TcbStatus) {
        return TcbStatus(uint8(last >> 88));
    }
}
