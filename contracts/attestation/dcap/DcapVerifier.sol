// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SSTORE2} from "solady/utils/SSTORE2.sol";

import {P256} from "../../crypto/P256.sol";
import {AttestedReport, TcbStatus, TeeKind} from "../../interfaces/AttestationTypes.sol";
import {IAttestationVerifier} from "../../interfaces/IAttestationVerifier.sol";
import {PckRecord} from "../../interfaces/IDcapCertificates.sol";
import {Environment, IDcapVerifier, Platform, TcbPart} from "../../interfaces/IDcapVerifier.sol";
import {DcapCertificates} from "./DcapCertificates.sol";
import {DcapCollateral} from "./DcapCollateral.sol";
import {LeafKey} from "./LeafKey.sol";
import {QeLevels} from "./QeLevels.sol";
import {TcbConvergence} from "./TcbConvergence.sol";
import {TcbLevels} from "./TcbLevels.sol";
import {TdxQuote} from "./TdxQuote.sol";

/// @title DcapVerifier
/// @notice Is this DCAP quote genuine, down to the pinned root?
/// @dev The order of checks: form, header, debug; the QE report binds the attestation key; the PCK
/// certificate counts and its key signed the QE report; the attestation key signed the quote; then the
/// collateral in force judges platform, TDX module and quoting enclave.
contract DcapVerifier is IDcapVerifier, DcapCollateral {
    uint8 private constant _FORM_KNOWN_PLATFORM = 0;
    uint8 private constant _FORM_NEW_PLATFORM = 1;
    /// @dev Form, pckId, x, y.
    uint256 private constant _KNOWN_HEAD = 97;
    /// @dev Form, length of the certificate.
    uint256 private constant _NEW_HEAD = 3;

    mapping(bytes32 handle => Platform) private _platforms;
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
        (bytes32 pckId, uint256 x, uint256 y, bytes calldata compact) = _platformKey(evidence);
        uint256 quote = TdxQuote.load(compact);
        TdxQuote.requireHeader(quote);
        TdxQuote.requireProduction(quote);
        TdxQuote.requireKeyBinding(quote);
        PckRecord memory pck = _requirePck(pckId, x, y);
        _requireSignatures(quote, pckId, x, y);

        Environment memory surroundings = TdxQuote.environment(quote);
        report.tee = TeeKind.TDX;
        (report.platform, report.status) =
            _judgeAndRecord(TeeKind.TDX, pckId, pck, TdxQuote.teeTcbSvn(quote), surroundings);
        report.workload = TdxQuote.workload(quote);
        (report.reportDataHead, report.reportDataTail) = TdxQuote.reportData(quote);
    }

    /// @inheritdoc IAttestationVerifier
    function platformStatus(bytes32 handle) external view returns (TcbStatus status) {
        Platform memory known = _platform(handle);
        PckRecord memory pck = _requirePckStanding(known.pckId);
        (address levels, address identity) = _requireCollateral(known.tee, pck.fmspc, pck.pceid);
        if (known.judgedUnder == _collateralId(levels, identity)) return known.judged;
        return _judge(levels, identity, pck, known.teeTcbSvn, _environments[known.environment]);
    }

    /// @inheritdoc IAttestationVerifier
    function developmentRoot() external view returns (bool development) {
        return DEVELOPMENT_ROOT;
    }

    /// @inheritdoc IDcapVerifier
    function platform(bytes32 handle) external view returns (Platform memory) {
        return _platform(handle);
    }

    /// @inheritdoc IDcapVerifier
    function environment(uint24 index) external view returns (Environment memory) {
        if (index >= _environments.length) revert EnvironmentUnknown(index);
        return _environments[index];
    }

    // --- evidence ------------------------------------------------------------------------------------

    /// @dev The platform's PCK certificate, its key as claimed ({_requirePck} compares it), and the quote.
    function _platformKey(bytes calldata evidence)
        private
        returns (bytes32 pckId, uint256 x, uint256 y, bytes calldata compact)
    {
        if (evidence.length < _KNOWN_HEAD) revert EvidenceTooShort(evidence.length, _KNOWN_HEAD);
        uint8 form = uint8(evidence[0]);
        if (form == _FORM_KNOWN_PLATFORM) {
            return (
                bytes32(evidence[1:33]),
                uint256(bytes32(evidence[33:65])),
                uint256(bytes32(evidence[65:97])),
                evidence[_KNOWN_HEAD:]
            );
        }
        if (form != _FORM_NEW_PLATFORM) revert EvidenceFormUnsupported(form);
        uint256 end = _NEW_HEAD + uint16(bytes2(evidence[1:3]));
        if (evidence.length < end) revert EvidenceTooShort(evidence.length, end);
        bytes memory leaf = evidence[_NEW_HEAD:end];
        pckId = _acceptPckCertificate(leaf);
        (x, y) = LeafKey.read(leaf);
        compact = evidence[end:];
    }

    function _requireSignatures(uint256 quote, bytes32 pckId, uint256 pckX, uint256 pckY) private view {
        (bytes32 qeDigest, uint256 qeR, uint256 qeS) = TdxQuote.qeSignedPart(quote);
        if (!P256.verify(qeDigest, qeR, qeS, pckX, pckY)) revert QeReportSignatureInvalid(qeDigest, pckId);
        (bytes32 digest, uint256 r, uint256 s, uint256 x, uint256 y) = TdxQuote.signedPart(quote);
        if (!P256.verify(digest, r, s, x, y)) revert QuoteSignatureInvalid(digest);
    }

    // --- judgement -----------------------------------------------------------------------------------

    /// @dev The converged status under the collateral in force now. A platform that was judged under the same
    /// content before is judged alike: the judgement depends on nothing else. That a level was REVOKED is
    /// never remembered, since it reverts.
    function _judgeAndRecord(
        TeeKind tee,
        bytes32 pckId,
        PckRecord memory pck,
        bytes16 teeTcbSvn,
        Environment memory surroundings
    ) private returns (bytes32 handle, TcbStatus status) {
        (address levels, address identity) = _requireCollateral(tee, pck.fmspc, pck.pceid);
        bytes11 collateralId = _collateralId(levels, identity);
        bytes32 environmentId = keccak256(abi.encode(surroundings));
        handle = keccak256(abi.encode(tee, pckId, teeTcbSvn, environmentId));
        Platform storage known = _platforms[handle];
        status = known.judged;
        if (status != TcbStatus.NONE && known.judgedUnder == collateralId) return (handle, status);

        status = _judge(levels, identity, pck, teeTcbSvn, surroundings);
        if (known.tee != TeeKind.NONE) {
            known.judged = status;
            known.judgedUnder = collateralId;
            return (handle, status);
        }
        uint24 index = _environmentIndex(environmentId, surroundings);
        _platforms[handle] = Platform(pckId, teeTcbSvn, index, tee, status, collateralId);
        emit PlatformRecorded(handle, pckId, tee, teeTcbSvn, index);
    }

    function _judge(
        address levels,
        address identity,
        PckRecord memory pck,
        bytes16 teeTcbSvn,
        Environment memory surroundings
    ) private view returns (TcbStatus) {
        TcbStatus status = TcbLevels.tdxStatus(
            SSTORE2.read(levels), pck.componentSvns, pck.pcesvn, teeTcbSvn, surroundings.seamSigner
        );
        TcbStatus qe = QeLevels.status(SSTORE2.read(identity), surroundings);
        return TcbConvergence.converge(status, qe, TcbPart.QUOTING_ENCLAVE);
    }

    /// @dev Contents are written once and never change, so their addresses stand for them. The addresses come
    /// from this contract's nonce: nobody can search for two pairs with the same id.
    function _collateralId(address levels, address identity) private pure returns (bytes11) {
        return bytes11(keccak256(abi.encode(levels, identity)));
    }

    // --- platforms -----------------------------------------------------------------------------------

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

    function _platform(bytes32 handle) private view returns (Platform memory known) {
        known = _platforms[handle];
        if (known.tee == TeeKind.NONE) revert PlatformUnknown(handle);
    }
}
