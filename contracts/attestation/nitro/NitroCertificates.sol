// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {RemoteSha384} from "../../crypto/RemoteSha384.sol";
import {Crl, RevocationList} from "../../encoding/Crl.sol";
import {P384Der} from "../../encoding/P384Der.sol";
import {X509Extensions} from "../../encoding/X509Extensions.sol";
import {X509Fields} from "../../encoding/X509Fields.sol";
import {IAttestationVerifier} from "../../interfaces/IAttestationVerifier.sol";
import {INitroVerifier, NitroCertificateRecord} from "../../interfaces/INitroVerifier.sol";
import {IP384, Uint384} from "../../interfaces/IP384.sol";
import {Certificate384, NitroCertificate} from "./NitroCertificate.sol";

/// @title NitroCertificates
/// @notice The certificate half of Nitro: for whom does AWS's root vouch now?
/// @dev Rule 1: a certificate is remembered only when its signature was checked in the same transaction, under the key of
/// one that is remembered and counts. So what is remembered leads to the pinned root, by `parent`.
/// Rule 2: what is remembered counts for nothing by itself. Each use walks up to the root and asks clock and revocation of
/// every certificate on the way: one slot each.
/// Rule 3: a revocation is final and belongs to (issuer's name, serial number), never to bytes that hold a signature.
abstract contract NitroCertificates is INitroVerifier {
    /// @notice keccak256(x || y) of the key of the AWS Nitro Enclaves root G1.
    bytes32 public constant AWS_ROOT_KEY_HASH = 0x3cd380ce7079e2d83662d81de2199d3ce01d5993a92707ef3c9a77b3cae1a0d8;

    /// @notice The longest grace that a deployment may choose, in seconds.
    uint64 public constant MAX_CERTIFICATE_GRACE = 30 days;

    /// @dev How many CAs may stand below the root. AWS has three.
    uint256 private constant _MAX_PATH = 4;
    // Of a word in {_certificates}.
    uint256 private constant _KNOWN = 1;
    uint256 private constant _CA = 1 << 8;
    uint256 private constant _REVOKED = 1 << 9;
    /// @dev Of a word in {_revocations}.
    uint256 private constant _SERIAL_REVOKED = 1;

    /// @dev Whether the pinned root is not AWS's: then nothing here speaks of hardware.
    bool internal immutable DEVELOPMENT_ROOT;
    IP384 internal immutable P384_VERIFIER;
    address internal immutable SHA384_HASHER;
    uint64 private immutable _GRACE;
    bytes20 private immutable _ROOT;

    /// @dev {NitroCertificateRecord}, from the top: parent 20 | notAfter 5 | path length 1 | zero 4 | flags 2. Zero for an
    /// unknown certificate.
    mapping(bytes20 id => uint256) private _certificates;
    /// @dev By revocation key, from the top: the id, 20 bytes, of the remembered certificate with that serial number, and
    /// in the lowest bit whether it is revoked.
    mapping(bytes32 revocationKey => uint256) private _revocations;

    /// @param p384_ The contract that checks signatures over P-384.
    /// @param hasher A {Sha384Hasher}.
    /// @param rootDer The self-signed root, X.509 v3, DER. Its key is pinned, so its own signature would prove nothing.
    /// @param grace How long after the end of its certificates a platform is still judged, in seconds.
    constructor(IP384 p384_, address hasher, bytes memory rootDer, uint64 grace) {
        if (address(p384_).code.length == 0) revert P384NotAContract(address(p384_));
        RemoteSha384.requireUsable(hasher);
        if (grace > MAX_CERTIFICATE_GRACE) revert GraceTooLong(grace, MAX_CERTIFICATE_GRACE);
        Certificate384 memory root = NitroCertificate.read(rootDer, 0, rootDer.length);
        if (root.issuer != root.subject) revert RootNotSelfIssued(root.issuer, root.subject);
        X509Extensions.requireCa(root.role);
        _requireValidNow(root);
        uint256 path = root.role.pathLength < _MAX_PATH ? root.role.pathLength : _MAX_PATH;
        _remember(root, bytes20(0), path);

        bytes32 keyHash =
            keccak256(abi.encodePacked(uint128(root.x.high), root.x.low, uint128(root.y.high), root.y.low));
        bool development = keyHash != AWS_ROOT_KEY_HASH;
        emit IAttestationVerifier.RootPinned(keyHash, development);
        DEVELOPMENT_ROOT = development;
        P384_VERIFIER = p384_;
        _GRACE = grace;
        _ROOT = root.id;
        SHA384_HASHER = hasher;
    }

    // --- submissions ---------------------------------------------------------------------------------

    // NOTE: no access control: the issuer's signature is the only authority.
    /// @inheritdoc INitroVerifier
    function submitCrl(
        bytes calldata der,
        bytes calldata issuerDer,
        bytes calldata witness,
        uint256 first,
        uint256 count
    ) external {
        Certificate384 memory issuer = NitroCertificate.read(issuerDer, 0, issuerDer.length);
        _requireCounts(issuer.id, 0);
        if (!issuer.role.ca) revert CertificateRoleMismatch(issuer.id, false);
        if (issuer.role.keyUsage & X509Fields.CRL_SIGN == 0) revert CrlSignMissing(issuer.role.keyUsage);

        (RevocationList memory list, uint256[] memory serials) = _verifiedCrl(der, issuer, witness);
        if (list.thisUpdate > block.timestamp) revert CrlNotYetValid(list.thisUpdate, block.timestamp);

        uint256 end = first < serials.length ? serials.length : first;
        if (count < end - first) end = first + count;
        for (uint256 i = first; i < end; ++i) {
            _revoke(list.issuer, serials[i]);
        }
    }

    // --- views ---------------------------------------------------------------------------------------

    /// @inheritdoc INitroVerifier
    function certificate(bytes20 id) external view returns (NitroCertificateRecord memory) {
        uint256 word = _certificates[id];
        if (word == 0) revert CertificateUnknown(id);
        return NitroCertificateRecord({
            parent: bytes20(bytes32(word)),
            notAfter: uint40(word >> 56),
            ca: word & _CA != 0,
            pathLength: uint8(word >> 48),
            revoked: word & _REVOKED != 0
        });
    }

    /// @inheritdoc INitroVerifier
    function isRevoked(bytes32 issuer, uint256 serial) external view returns (bool) {
        return _revocations[_revocationKey(issuer, serial)] & _SERIAL_REVOKED != 0;
    }

    /// @inheritdoc INitroVerifier
    function rootId() external view returns (bytes20) {
        return _ROOT;
    }

    /// @inheritdoc INitroVerifier
    function certificateGrace() external view returns (uint64) {
        return _GRACE;
    }

    /// @inheritdoc INitroVerifier
    function p384() external view returns (IP384) {
        return P384_VERIFIER;
    }

    /// @inheritdoc INitroVerifier
    function sha384() external view returns (address hasher) {
        return SHA384_HASHER;
    }

    // --- for the verifier ----------------------------------------------------------------------------

    /// @dev Verifies a chain, root first, as far as it is not known, and remembers it.
    /// @param chain Beginning and end of every certificate in `data`; at least the root's and the leaf's.
    /// @param witnesses `count 1 | count times (length 2 | witness)`, see {INitroVerifier}; nothing behind it.
    /// @return leaf The last certificate, which signs documents, and counts now.
    /// @return known Whether it was known before.
    function _verifiedLeaf(bytes memory data, uint256[] memory chain, bytes calldata witnesses)
        internal
        returns (Certificate384 memory leaf, bool known)
    {
        uint256 count = chain.length / 2;
        uint256 lowest = _lowestKnown(data, chain);
        leaf = NitroCertificate.read(data, chain[2 * lowest], chain[2 * lowest + 1]);
        _requireCounts(leaf.id, 0);
        known = lowest == count - 1;

        if (witnesses.length == 0) revert EvidenceTooShort(0, 1);
        uint256 given = uint8(witnesses[0]);
        if (given >= count) revert TooManyWitnesses(given, count - 1);
        uint256 offset = 1;
        for (uint256 number = count - given; number < count; ++number) {
            bytes calldata witness;
            (witness, offset) = _takeWitness(witnesses, offset);
            if (number <= lowest) continue;
            if (number != lowest + 1) break;
            Certificate384 memory child = NitroCertificate.read(data, chain[2 * number], chain[2 * number + 1]);
            _accept(data, child, leaf, witness, number == count - 1);
            (leaf, lowest) = (child, number);
        }
        if (lowest != count - 1) {
            revert CertificateUnknown(NitroCertificate.idOf(data, chain[2 * lowest + 2], chain[2 * lowest + 3]));
        }
        if (witnesses.length != offset) revert EvidenceTooLong(witnesses.length, offset);
        if (_certificates[leaf.id] & _CA != 0) revert CertificateRoleMismatch(leaf.id, true);
    }

    /// @dev Refuses a certificate that does not count now: it and all above it must be valid, none revoked. One slot each.
    /// @param grace How many seconds ago it may have ended.
    function _requireCounts(bytes20 id, uint256 grace) internal view {
        do {
            uint256 word = _certificates[id];
            if (word == 0) revert CertificateUnknown(id);
            if (word & _REVOKED != 0) revert CertificateRevoked(id);
            uint256 notAfter = uint40(word >> 56);
            if (block.timestamp > notAfter + grace) revert CertificateExpired(notAfter, block.timestamp);
            id = bytes20(bytes32(word));
        } while (id != 0);
    }

    /// @dev The same within the grace, for a later judgement.
    function _requireCountedLately(bytes20 id) internal view {
        _requireCounts(id, _GRACE);
    }

    /// @dev Reads `length 2 | witness`.
    function _takeWitness(bytes calldata input, uint256 offset)
        internal
        pure
        returns (bytes calldata witness, uint256 next)
    {
        if (input.length < offset + 2) revert EvidenceTooShort(input.length, offset + 2);
        next = offset + 2 + uint16(bytes2(input[offset:offset + 2]));
        if (input.length < next) revert EvidenceTooShort(input.length, next);
        witness = input[offset + 2:next];
    }

    // --- CRLs ----------------------------------------------------------------------------------------

    function _verifiedCrl(bytes memory der, Certificate384 memory issuer, bytes calldata witness)
        private
        view
        returns (RevocationList memory list, uint256[] memory serials)
    {
        (uint256 signed, uint256 signedEnd, uint256 offset) = (0, 0, 0);
        (list, signed, signedEnd, offset) =
            Crl.readBody(der, NitroCertificate.ECDSA_WITH_SHA384, NitroCertificate.ECDSA_WITH_SHA384_BYTES);
        if (list.issuer != issuer.subject) revert IssuerMismatch(list.issuer, issuer.subject);
        bytes20 keyId = issuer.role.subjectKeyId;
        if (keyId != 0 && list.authorityKeyId != keyId) revert IssuerKeyIdMismatch(list.authorityKeyId, keyId);
        (Uint384 memory r, Uint384 memory s) = P384Der.lastSignature(der, offset, der.length);
        Uint384 memory digest = RemoteSha384.hashSlice(SHA384_HASHER, der, signed, signedEnd);
        P384_VERIFIER.verify(digest, r, s, issuer.x, issuer.y, witness);
        serials = Crl.serials(der, list);
    }

    // --- chain ---------------------------------------------------------------------------------------

    /// @dev The number of the last certificate that is remembered. By rule 1 nothing above it need be looked at.
    function _lowestKnown(bytes memory data, uint256[] memory chain) private view returns (uint256 lowest) {
        bytes20 id;
        for (lowest = chain.length / 2; lowest != 0;) {
            --lowest;
            id = NitroCertificate.idOf(data, chain[2 * lowest], chain[2 * lowest + 1]);
            if (_certificates[id] != 0) return lowest;
        }
        revert CertificateUnknown(id);
    }

    /// @dev Verifies a certificate under one that counts, and remembers it.
    /// @param asLeaf Whether it is to sign documents, else it is to be a CA.
    function _accept(
        bytes memory data,
        Certificate384 memory child,
        Certificate384 memory parent,
        bytes calldata witness,
        bool asLeaf
    ) private {
        if (child.issuer != parent.subject) {
            revert IssuerMismatch(child.issuer, parent.subject);
        }
        (bytes20 got, bytes20 expected) = (child.role.authorityKeyId, parent.role.subjectKeyId);
        if (got != 0 && expected != 0 && got != expected) revert IssuerKeyIdMismatch(got, expected);
        uint256 above = _certificates[parent.id];
        if (above & _CA == 0) revert CertificateRoleMismatch(parent.id, false);
        _requireValidNow(child);
        uint256 path = 0;
        if (asLeaf) {
            X509Extensions.requireEndEntity(child.role);
        } else {
            X509Extensions.requireCa(child.role);
            path = uint8(above >> 48);
            if (path == 0) revert PathTooLong(parent.id);
            --path;
            if (child.role.pathLength < path) path = child.role.pathLength;
        }
        Uint384 memory digest = RemoteSha384.hashSlice(SHA384_HASHER, data, child.signed, child.signedEnd);
        P384_VERIFIER.verify(digest, child.r, child.s, parent.x, parent.y, witness);
        _remember(child, parent.id, path);
    }

    function _remember(Certificate384 memory child, bytes20 parent, uint256 path) private {
        bytes32 key = _revocationKey(child.issuer, child.serial);
        uint256 taken = _revocations[key];
        if (taken & _SERIAL_REVOKED != 0) revert CertificateRevoked(child.id);
        // A revocation of the serial number must find all that bear it.
        if (taken != 0) revert SerialTaken(key, bytes20(bytes32(taken)));
        _revocations[key] = uint256(bytes32(child.id));
        _certificates[child.id] = uint256(bytes32(parent)) | (uint256(child.notAfter) << 56) | (path << 48)
            | (child.role.ca ? _CA : 0) | _KNOWN;
        emit CertificateAccepted(child.id, parent, child.role.ca, child.notAfter, child.serial);
    }

    function _revoke(bytes32 issuer, uint256 serial) private {
        bytes32 key = _revocationKey(issuer, serial);
        uint256 word = _revocations[key];
        if (word & _SERIAL_REVOKED != 0) return;
        _revocations[key] = word | _SERIAL_REVOKED;
        if (word != 0) _certificates[bytes20(bytes32(word))] |= _REVOKED;
        emit SerialRevoked(issuer, serial);
    }

    function _requireValidNow(Certificate384 memory child) private view {
        if (block.timestamp < child.notBefore) revert CertificateNotYetValid(child.notBefore, block.timestamp);
        if (block.timestamp > child.notAfter) revert CertificateExpired(child.notAfter, block.timestamp);
    }

    function _revocationKey(bytes32 issuer, uint256 serial) private pure returns (bytes32) {
        return keccak256(abi.encode(issuer, serial));
    }
}
