// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AttestedReport, PlatformJudgement, TcbStatus, TeeKind} from "../../interfaces/AttestationTypes.sol";
import {IAttestationVerifier} from "../../interfaces/IAttestationVerifier.sol";
import {IP384, Uint384} from "../../interfaces/IP384.sol";
import {ISevSnpVerifier, ProductRoot, SnpPlatform, SnpProduct} from "../../interfaces/ISevSnpVerifier.sol";
import {Endorsement} from "./EndorsementCertificate.sol";
import {SnpChains} from "./SnpChains.sol";
import {SnpReport} from "./SnpReport.sol";

/// @title SevSnpVerifier
/// @notice Is this SEV-SNP report genuine, down to the pinned root?
/// @dev The order of checks: form, debug; the endorsement key is known for this TCB and chip, or its certificate is
/// verified and says so; it counts now; it signed the report; then the floor judges the TCB.
contract SevSnpVerifier is SnpChains {
    uint8 private constant _FORM_KNOWN_PLATFORM = 0;
    uint8 private constant _FORM_NEW_PLATFORM = 1;
    /// @dev Form, product, x, y.
    uint256 private constant _KNOWN_HEAD = 98;
    /// @dev Form, signer, length of the certificate.
    uint256 private constant _NEW_HEAD = 4;

    /// @dev What verification uses of an endorsement key; `notAfter` is zero when no certificate came along.
    struct Key {
        SnpProduct product;
        bool vlek;
        uint40 notAfter;
        uint64 tcb;
        bytes32 chip;
        Uint384 x;
        Uint384 y;
    }

    IP384 private immutable _P384;

    /// @dev {SnpPlatform} as stored, from the top: instance 16 | reported TCB 8 | product 1 | VLEK 1 | zero 1 |
    /// notAfter 5. Zero for an unknown platform.
    mapping(bytes20 handle => uint256) private _platforms;

    /// @param p384_ The contract that checks signatures over P-384.
    /// @param keeper Who may raise floors; zero: nobody.
    /// @param roots One for each product, at most one of each.
    constructor(IP384 p384_, address keeper, ProductRoot[] memory roots) SnpChains(keeper, roots) {
        if (address(p384_).code.length == 0) revert P384NotAContract(address(p384_));
        _P384 = p384_;
    }

    /// @inheritdoc IAttestationVerifier
    // NOTE: open to everyone. The evidence decides, and all that is remembered was verified.
    function verify(bytes calldata evidence) external returns (AttestedReport memory attested) {
        (Key memory key, bytes memory report, bytes calldata witness) = _open(evidence);
        uint64 tcb = SnpReport.reportedTcb(report, key.product);
        bytes32 chip = SnpReport.chip(report);
        attested.platform = _handleOf(key, tcb, bytes16(chip));
        uint256 word = _platforms[attested.platform];
        bool brought = key.notAfter != 0;
        if (brought) {
            if (key.tcb != tcb) revert CertificateTcbMismatch(key.tcb, tcb);
            // A VLEK's certificate names no chip.
            if (!key.vlek && key.chip != chip) revert CertificateChipMismatch(key.chip, chip);
        } else {
            if (word == 0) revert PlatformUnknown(attested.platform);
            (key.vlek, key.notAfter) = (_vlekOf(word), uint40(word));
            _requireUnexpired(key.notAfter);
            _requireSignerNotRevoked(key.product, key.vlek);
        }
        SnpReport.requireForm(report, key.product, key.vlek);
        (Uint384 memory digest, Uint384 memory r, Uint384 memory s) = SnpReport.signedPart(report);
        _P384.verify(digest, r, s, key.x, key.y, witness);

        if (brought && key.notAfter > uint40(word)) word = _record(attested.platform, key, bytes16(chip));
        attested.tee = TeeKind.SEV_SNP;
        attested.workload = SnpReport.workload(report);
        (attested.reportDataHead, attested.reportDataTail) = SnpReport.reportData(report);
        attested.judgement = _judge(word);
    }

    /// @inheritdoc IAttestationVerifier
    function judgePlatform(bytes20 handle) external view returns (PlatformJudgement memory judgement) {
        uint256 word = _platforms[handle];
        if (word == 0) revert PlatformUnknown(handle);
        _requireUnexpired(uint40(word));
        _requireSignerNotRevoked(_productOf(word), _vlekOf(word));
        return _judge(word);
    }

    /// @inheritdoc IAttestationVerifier
    function developmentRoot() external view returns (bool development) {
        return DEVELOPMENT_ROOT;
    }

    /// @inheritdoc ISevSnpVerifier
    function platform(bytes20 handle) external view returns (SnpPlatform memory) {
        uint256 word = _platforms[handle];
        if (word == 0) revert PlatformUnknown(handle);
        return SnpPlatform({
            product: _productOf(word),
            vlek: _vlekOf(word),
            reportedTcb: uint64(word >> 64),
            instance: bytes16(bytes32(word)),
            notAfter: uint40(word)
        });
    }

    /// @inheritdoc ISevSnpVerifier
    function p384() external view returns (IP384) {
        return _P384;
    }

    // --- evidence ------------------------------------------------------------------------------------

    /// @dev The endorsement key, the report and its signature's witness. A certificate that came along is verified.
    function _open(bytes calldata evidence)
        private
        view
        returns (Key memory key, bytes memory report, bytes calldata witness)
    {
        if (evidence.length < _NEW_HEAD) revert EvidenceTooShort(evidence.length, _NEW_HEAD);
        uint8 form = uint8(evidence[0]);
        uint8 id = uint8(evidence[1]);
        uint256 head;
        if (form == _FORM_KNOWN_PLATFORM) {
            head = _KNOWN_HEAD;
            if (evidence.length < head) revert EvidenceTooShort(evidence.length, head);
            if (id == 0 || id > uint8(type(SnpProduct).max)) revert SignerUnknown(id);
            key.product = SnpProduct(id);
            key.x = Uint384(uint128(bytes16(evidence[2:18])), uint256(bytes32(evidence[18:50])));
            key.y = Uint384(uint128(bytes16(evidence[50:66])), uint256(bytes32(evidence[66:98])));
        } else if (form == _FORM_NEW_PLATFORM) {
            head = _NEW_HEAD + uint16(bytes2(evidence[2:4]));
            if (evidence.length < head) revert EvidenceTooShort(evidence.length, head);
            (key.product, key.vlek) = _signerKind(id);
            Endorsement memory leaf;
            (leaf, key.notAfter) = _verifiedEndorsement(evidence[_NEW_HEAD:head], key.product, key.vlek);
            (key.x, key.y, key.tcb, key.chip) = (leaf.x, leaf.y, leaf.tcb, leaf.chip);
        } else {
            revert EvidenceFormUnsupported(form);
        }
        uint256 end = head + SnpReport.SIZE;
        if (evidence.length < end) revert EvidenceTooShort(evidence.length, end);
        report = evidence[head:end];
        witness = evidence[end:];
    }

    // --- platforms -----------------------------------------------------------------------------------

    function _handleOf(Key memory key, uint64 tcb, bytes16 instance) private pure returns (bytes20) {
        bytes32 keyHash = keccak256(abi.encodePacked(uint128(key.x.high), key.x.low, uint128(key.y.high), key.y.low));
        return
            bytes20(
                keccak256(abi.encode(uint256(TeeKind.SEV_SNP), uint256(key.product), instance, uint256(tcb), keyHash))
            );
    }

    function _record(bytes20 handle, Key memory key, bytes16 instance) private returns (uint256 word) {
        word = (uint256(uint128(instance)) << 128) | (uint256(key.tcb) << 64) | (uint256(key.product) << 56)
            | (key.vlek ? 1 << 48 : 0) | key.notAfter;
        _platforms[handle] = word;
        emit PlatformRecorded(handle, key.product, instance, key.vlek, key.tcb, key.notAfter);
    }

    function _judge(uint256 word) private view returns (PlatformJudgement memory judgement) {
        SnpProduct product = _productOf(word);
        uint64 tcb = uint64(word >> 64);
        bool upToDate = _isUpToDate(product, tcb);
        judgement.status = upToDate ? TcbStatus.UP_TO_DATE : TcbStatus.OUT_OF_DATE;
        if (!upToDate) judgement.advisories = bytes32((uint256(product) << 64) | tcb);
        judgement.instance = bytes16(bytes32(word));
        judgement.family = bytes16(bytes(_nameOf(product)));
    }

    function _productOf(uint256 word) private pure returns (SnpProduct) {
        return SnpProduct(uint8(word >> 56));
    }

    function _vlekOf(uint256 word) private pure returns (bool) {
        return uint8(word >> 48) != 0;
    }
}
