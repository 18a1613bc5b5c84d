// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SSTORE2} from "solady/utils/SSTORE2.sol";

import {P256} from "../../crypto/P256.sol";
import {TeeKind} from "../../interfaces/AttestationTypes.sol";
import {ICollateralReader, QeIdentitySummary, TcbInfoSummary} from "../../interfaces/ICollateralReader.sol";
import {CollateralRecord, IDcapCollateral} from "../../interfaces/IDcapCollateral.sol";
import {CollateralReader} from "./CollateralReader.sol";
import {DcapCertificates} from "./DcapCertificates.sol";

/// @title DcapCollateral
/// @notice The collateral half of DCAP: how does Intel judge platforms and quoting enclaves now?
/// @dev Rule 1: nothing is stored whose text was not rebuilt and whose signature was not checked in the same
/// transaction.
/// Rule 2: per key, issue date and evaluation number never decrease: an old judgement does not come back.
/// Rule 3: at use, the record, its signer and the root must count at that very time.
abstract contract DcapCollateral is DcapCertificates, IDcapCollateral {
    /// @dev Deployed by the constructor, so nobody has to trust whoever names one.
    ICollateralReader private immutable _COLLATERAL_READER;

    /// @dev In a key of {_tcbInfos}: the TCB info is of version 2.
    uint256 private constant _VERSION_2 = 1 << 72;

    /// @dev Keys: `version 2 or not 1 bit | tee 1 | fmspc 6 | pceid 2`, as a number.
    mapping(uint256 key => CollateralRecord) private _tcbInfos;
    mapping(TeeKind tee => CollateralRecord) private _qeIdentities;

    constructor() {
        _COLLATERAL_READER = new CollateralReader();
    }

    // --- submissions ---------------------------------------------------------------------------------

    // NOTE: no access control on either submission: Intel's signature is the only authority.

    /// @inheritdoc IDcapCollateral
    function submitTcbInfo(bytes calldata compact, bytes32 r, bytes32 s, uint8 signer) external {
        (TcbInfoSummary memory info, bytes32 digest, bytes memory levels) = _COLLATERAL_READER.readTcbInfo(compact);
        _requireSigned(digest, r, s, signer);
        uint256 key = _tcbInfoKey(info.tee, info.fmspc, info.pceid) | (info.version == 2 ? _VERSION_2 : 0);
        CollateralRecord storage record = _tcbInfos[key];
        if (!_replace(record, levels, info.issueDate, info.nextUpdate, info.evaluationNumber, signer)) return;
        emit TcbInfoAccepted(
            info.tee, info.fmspc, info.pceid, info.issueDate, info.nextUpdate, info.evaluationNumber, record.content
        );
    }

    /// @inheritdoc IDcapCollateral
    function submitQeIdentity(bytes calldata compact, bytes32 r, bytes32 s, uint8 signer) external {
        (QeIdentitySummary memory qe, bytes32 digest, bytes memory identity) =
            _COLLATERAL_READER.readQeIdentity(compact);
        _requireSigned(digest, r, s, signer);
        CollateralRecord storage record = _qeIdentities[qe.tee];
        if (!_replace(record, identity, qe.issueDate, qe.nextUpdate, qe.evaluationNumber, signer)) return;
        emit QeIdentityAccepted(qe.tee, qe.issueDate, qe.nextUpdate, qe.evaluationNumber, record.content);
    }

    // --- views ---------------------------------------------------------------------------------------

    /// @inheritdoc IDcapCollateral
    function tcbInfo(TeeKind tee, bytes6 fmspc, bytes2 pceid)
        external
        view
        returns (CollateralRecord memory record, uint256 lapsesAt)
    {
        record = _tcbInfoInForce(tee, fmspc, pceid);
        if (record.content == address(0)) revert TcbInfoUnknown(tee, fmspc, pceid);
        lapsesAt = record.nextUpdate + COLLATERAL_GRACE;
    }

    /// @inheritdoc IDcapCollateral
    function qeIdentity(TeeKind tee) external view returns (CollateralRecord memory record, uint256 lapsesAt) {
        record = _qeIdentities[tee];
        if (record.content == address(0)) revert QeIdentityUnknown(tee);
        lapsesAt = record.nextUpdate + COLLATERAL_GRACE;
    }

    /// @inheritdoc IDcapCollateral
    function collateralReader() external view returns (address reader) {
        return address(_COLLATERAL_READER);
    }

    // --- for the verifier ----------------------------------------------------------------------------

    /// @dev Where the collateral in force for a platform is kept: what {TcbInfo} kept of the TCB info, what
    /// {QeIdentity} kept of the identity. Both count now, and so do their signers. The key holds FMSPC and
    /// PCEID, so a TCB info of another platform family or another PCE is never found. The caller has required the
    /// platform's standing before, and with it the root's. Four slots at most.
    function _requireCollateral(TeeKind tee, bytes6 fmspc, bytes2 pceid)
        internal
        view
        returns (address levels, address identity)
    {
        CollateralRecord memory info = _tcbInfoInForce(tee, fmspc, pceid);
        levels = info.content;
        if (levels == address(0)) revert TcbInfoUnknown(tee, fmspc, pceid);
        if (_hasLapsed(info.nextUpdate)) revert TcbInfoLapsed(tee, fmspc, info.nextUpdate, block.timestamp);
        CollateralRecord memory qe = _qeIdentities[tee];
        identity = qe.content;
        if (identity == address(0)) revert QeIdentityUnknown(tee);
        if (_hasLapsed(qe.nextUpdate)) revert QeIdentityLapsed(tee, qe.nextUpdate, block.timestamp);
        _requireTcbSignerUnderRoot(info.signer);
        if (qe.signer != info.signer) _requireTcbSignerUnderRoot(qe.signer);
    }

    /// @dev The TCB info that counts: version 3, which lists advisories; where that is absent or has lapsed, version
    /// 2, unless it is the older judgement.
    function _tcbInfoInForce(TeeKind tee, bytes6 fmspc, bytes2 pceid)
        private
        view
        returns (CollateralRecord memory info)
    {
        uint256 key = _tcbInfoKey(tee, fmspc, pceid);
        info = _tcbInfos[key];
        if (tee == TeeKind.SGX && (info.content == address(0) || _hasLapsed(info.nextUpdate))) {
            CollateralRecord memory other = _tcbInfos[key | _VERSION_2];
            bool newer = other.issueDate >= info.issueDate && other.evaluationNumber >= info.evaluationNumber;
            if (other.content != address(0) && newer) return other;
        }
    }

    // --- the store -----------------------------------------------------------------------------------

    function _requireSigned(bytes32 digest, bytes32 r, bytes32 s, uint8 signer) private view {
        (uint256 x, uint256 y) = _requireTcbSigner(signer);
        if (!P256.verify(digest, uint256(r), uint256(s), x, y)) revert CollateralSignatureInvalid(digest, signer);
    }

    /// @dev Puts collateral in force; returns false, changing nothing, when it is the one in force.
    function _replace(
        CollateralRecord storage record,
        bytes memory content,
        uint40 issueDate,
        uint40 nextUpdate,
        uint24 evaluationNumber,
        uint8 signer
    ) private returns (bool changed) {
        if (issueDate >= nextUpdate || nextUpdate > type(uint32).max) {
            revert CollateralDatesImpossible(issueDate, nextUpdate);
        }
        if (issueDate > block.timestamp) revert CollateralFromFuture(issueDate, block.timestamp);
        if (_hasLapsed(nextUpdate)) revert CollateralLapsed(nextUpdate, block.timestamp);
        CollateralRecord memory current = record;
        if (evaluationNumber < current.evaluationNumber) {
            revert EvaluationNumberLower(evaluationNumber, current.evaluationNumber);
        }
        if (issueDate < current.issueDate) revert CollateralOlder(issueDate, current.issueDate);
        if (issueDate == current.issueDate && evaluationNumber == current.evaluationNumber) return false;

        // Most refreshes change the dates alone; then the content in place serves on.
        if (current.content == address(0) || current.content.codehash != _codeHash(content)) {
            current.content = SSTORE2.write(content);
        }
        current.issueDate = uint32(issueDate);
        current.nextUpdate = uint32(nextUpdate);
        current.evaluationNumber = evaluationNumber;
        current.signer = signer;
        record.content = current.content;
        record.issueDate = current.issueDate;
        record.nextUpdate = current.nextUpdate;
        record.evaluationNumber = current.evaluationNumber;
        record.signer = current.signer;
        return true;
    }

    /// @dev The hash of the code that SSTORE2 stores: a STOP, then the content.
    function _codeHash(bytes memory content) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            // The length word makes way for the STOP byte, a zero, and comes back.
            let length := mload(content)
            mstore(content, 0)
            hash := keccak256(add(content, 31), add(length, 1))
            mstore(content, length)
        }
    }

    function _hasLapsed(uint256 nextUpdate) private view returns (bool) {
        return block.timestamp >= nextUpdate + COLLATERAL_GRACE;
    }

    function _tcbInfoKey(TeeKind tee, bytes6 fmspc, bytes2 pceid) private pure returns (uint256) {
        return (uint256(tee) << 64) | (uint256(uint48(fmspc)) << 16) | uint16(pceid);
    }
}
