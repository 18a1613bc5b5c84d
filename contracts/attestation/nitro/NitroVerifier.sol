// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {RemoteSha384} from "../../crypto/RemoteSha384.sol";
import {SliceHash} from "../../crypto/SliceHash.sol";
import {P384Der} from "../../encoding/P384Der.sol";
import {AttestedReport, PlatformJudgement, TcbStatus, TeeKind} from "../../interfaces/AttestationTypes.sol";
import {IAttestationVerifier} from "../../interfaces/IAttestationVerifier.sol";
import {IP384, Uint384} from "../../interfaces/IP384.sol";
import {Certificate384} from "./NitroCertificate.sol";
import {NitroCertificates} from "./NitroCertificates.sol";
import {Document, NitroDocument} from "./NitroDocument.sol";

/// @title NitroVerifier
/// @notice Is this attestation document genuine, down to the pinned root?
/// @dev The order of checks: form, debug; the chain leads to the root and counts now; the document's time and module are
/// the leaf's; the leaf's key signed the document.
contract NitroVerifier is NitroCertificates {
    using NitroDocument for Document;
    using SliceHash for bytes;

    uint8 private constant _FORM = 0;
    /// @dev Form, length of the document.
    uint256 private constant _HEAD = 3;
    /// @dev How far the clocks of AWS and of the chain may lie apart: a block's time is when its making began.
    uint256 private constant _CLOCK_SKEW = 300 seconds;

    /// @dev Zero for an unknown platform. A platform's handle is the id of its leaf certificate.
    mapping(bytes20 handle => bytes16 instance) private _instances;

    /// @param p384_ The contract that checks signatures over P-384.
    /// @param hasher A {Sha384Hasher}.
    /// @param rootDer The self-signed root, X.509 v3, DER.
    /// @param grace How long after the end of its certificates a platform is still judged, in seconds.
    constructor(IP384 p384_, address hasher, bytes memory rootDer, uint64 grace)
        NitroCertificates(p384_, hasher, rootDer, grace)
    {}

    /// @inheritdoc IAttestationVerifier
    // NOTE: open to everyone. The evidence decides, and all that is remembered was verified.
    function verify(bytes calldata evidence) external returns (AttestedReport memory report) {
        (bytes calldata cose, bytes calldata witness, bytes calldata witnesses) = _open(evidence);
        Document memory document = NitroDocument.load(cose);
        document.requireProduction();
        (Certificate384 memory leaf, bool known) = _verifiedLeaf(document.data, document.chain, witnesses);
        _requireTimely(document.timestamp, leaf);
        _requireModule(document, leaf);
        _requireSignature(document, leaf, witness);

        bytes16 instance = document.instance();
        if (!known) {
            _instances[leaf.id] = instance;
            emit PlatformRecorded(leaf.id, instance);
        }
        report.tee = TeeKind.NITRO;
        report.workload = document.workload();
        report.platform = leaf.id;
        (report.reportDataHead, report.reportDataTail) = (document.userData[0], document.userData[1]);
        report.judgement = _judgement(instance);
    }

    /// @inheritdoc IAttestationVerifier
    function judgePlatform(bytes20 handle) external view returns (PlatformJudgement memory judgement) {
        bytes16 instance = _instances[handle];
        if (instance == 0) revert PlatformUnknown(handle);
        _requireCountedLately(handle);
        return _judgement(instance);
    }

    /// @inheritdoc IAttestationVerifier
    function developmentRoot() external view returns (bool development) {
        return DEVELOPMENT_ROOT;
    }

    // --- evidence ------------------------------------------------------------------------------------

    function _open(bytes calldata evidence)
        private
        pure
        returns (bytes calldata cose, bytes calldata witness, bytes calldata witnesses)
    {
        if (evidence.length < _HEAD) revert EvidenceTooShort(evidence.length, _HEAD);
        uint8 form = uint8(evidence[0]);
        if (form != _FORM) revert EvidenceFormUnsupported(form);
        uint256 end = _HEAD + uint16(bytes2(evidence[1:_HEAD]));
        if (evidence.length < end) revert EvidenceTooShort(evidence.length, end);
        cose = evidence[_HEAD:end];
        (witness, end) = _takeWitness(evidence, end);
        witnesses = evidence[end:];
    }

    /// @dev The document was made while its leaf was valid, and not in the future.
    function _requireTimely(uint256 milliseconds_, Certificate384 memory leaf) private view {
        uint256 earliest = uint256(leaf.notBefore) * 1000;
        uint256 latest = uint256(leaf.notAfter) * 1000 + 999;
        uint256 now_ = (block.timestamp + _CLOCK_SKEW) * 1000;
        if (now_ < latest) latest = now_;
        if (milliseconds_ < earliest || milliseconds_ > latest) {
            revert TimestampOutOfRange(milliseconds_, earliest, latest);
        }
    }

    /// @dev AWS names the leaf `module_id.region.aws`.
    function _requireModule(Document memory document, Certificate384 memory leaf) private pure {
        bytes memory data = document.data;
        uint256 length = document.moduleIdEnd - document.moduleId;
        uint256 end = leaf.name + length;
        if (
            end >= leaf.nameEnd || data[end] != "."
                || data.keccakOf(leaf.name, end) != data.keccakOf(document.moduleId, document.moduleIdEnd)
        ) revert ModuleMismatch();
    }

    function _requireSignature(Document memory document, Certificate384 memory leaf, bytes calldata witness)
        private
        view
    {
        bytes memory data = document.data;
        Uint384 memory digest = RemoteSha384.hashSlice(SHA384_HASHER, data, 0, document.signedEnd);
        (Uint384 memory r, Uint384 memory s) = P384Der.point(data, document.signedEnd + 2);
        P384_VERIFIER.verify(digest, r, s, leaf.x, leaf.y, witness);
    }

    /// @dev AWS publishes no security levels.
    function _judgement(bytes16 instance) private pure returns (PlatformJudgement memory judgement) {
        judgement.status = TcbStatus.UP_TO_DATE;
        judgement.instance = instance;
    }
}
