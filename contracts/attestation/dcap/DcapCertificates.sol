// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {P256} from "../../crypto/P256.sol";
import {RevocationList} from "../../encoding/Crl.sol";
import {X509Fields} from "../../encoding/X509Fields.sol";
import {IAttestationVerifier} from "../../interfaces/IAttestationVerifier.sol";
import {ICertificateReader} from "../../interfaces/ICertificateReader.sol";
import {Authority, AuthorityRole, IDcapCertificates, PckRecord} from "../../interfaces/IDcapCertificates.sol";
import {CertificateReader} from "./CertificateReader.sol";
import {PckPlatform} from "./PckExtension.sol";
import {Certificate} from "./X509.sol";

/// @title DcapCertificates
/// @notice The certificate half of DCAP: which platforms and signers does Intel's root vouch for now?
/// @dev Rule 1: nothing is stored whose signature was not checked in the same transaction; a key id or a name that
/// does not match reverts, it never skips the signature.
/// Rule 2: what was stored counts for nothing by itself. Each use asks the clock and the CRLs again, for the
/// certificate and for every ancestor.
/// Rule 3: a revocation is final and belongs to (issuer's key id, serial number), never to bytes that hold a
/// signature. Its lookup costs one slot, however long the list is.
abstract contract DcapCertificates is IDcapCertificates {
    /// @notice keccak256(x || y) of the key of the Intel SGX Root CA.
    bytes32 public constant INTEL_ROOT_KEY_HASH = 0x89f72d7c488e5b53a77c23ebcb36970ef7eb5bcf6658e9b8292cfbe4703a8473;

    /// @notice The longest grace that a deployment may choose, in seconds.
    uint64 public constant MAX_COLLATERAL_GRACE = 30 days;

    /// @notice Whether the pinned root is not Intel's: then nothing here speaks of hardware.
    bool public immutable DEVELOPMENT_ROOT;

    /// @notice How long after nextUpdate collateral is still used, in seconds.
    uint64 public immutable COLLATERAL_GRACE;

    /// @dev Deployed by the constructor, so nobody has to trust whoever names one.
    ICertificateReader private immutable _READER;
    uint256 private immutable _ROOT_X;
    uint256 private immutable _ROOT_Y;
    bytes32 private immutable _ROOT_SUBJECT;
    bytes20 private immutable _ROOT_KEY_ID;
    uint40 private immutable _ROOT_NOT_AFTER;

    uint256 private constant _MAX_AUTHORITIES = 256;
    /// @dev In a slot of {_revocations}.
    uint256 private constant _REVOKED = 1 << 255;

    uint16 private constant _CA_USAGE = X509Fields.KEY_CERT_SIGN | X509Fields.CRL_SIGN;

    /// @dev One slot: all that a use of the authority has to look at.
    struct AuthorityState {
        AuthorityRole role;
        bool revoked;
        uint40 notAfter;
        uint40 crlThisUpdate;
        uint40 crlNextUpdate;
        uint64 crlNumber;
    }

    /// @dev Read at submissions only.
    struct AuthorityKey {
        bytes20 keyId;
        bytes32 subject;
        uint256 x;
        uint256 y;
    }

    /// @dev See {PckRecord} for the layout.
    struct PckWords {
        uint256 tcb;
        uint256 identity;
    }

    /// @dev Of the root only the CRL's fields are used; the rest is pinned.
    AuthorityState private _root;
    mapping(uint256 index => AuthorityState) private _authorities;
    mapping(uint256 index => AuthorityKey) private _authorityKeys;
    mapping(bytes32 pckId => PckWords) private _pcks;
    /// @dev Zero: not revoked. The top bit: revoked. Below it, the index + 1 of the authority whose certificate this
    /// is, so that the root's CRL finds it.
    mapping(bytes16 revocationKey => uint256) private _revocations;

    /// @param rootCertificateDer The self-signed root, X.509 v3, DER.
    /// @param collateralGrace How long after nextUpdate collateral is still used, in seconds.
    constructor(bytes memory rootCertificateDer, uint64 collateralGrace) {
        P256.requirePrecompile();
        if (collateralGrace > MAX_COLLATERAL_GRACE) revert GraceTooLong(collateralGrace, MAX_COLLATERAL_GRACE);
        ICertificateReader reader = new CertificateReader();
        Certificate memory root = reader.readCertificate(rootCertificateDer);
        if (root.issuer != root.subject) revert RootNotSelfIssued(root.issuer, root.subject);
        bool foreignIssuer = root.authorityKeyId != 0 && root.authorityKeyId != root.subjectKeyId;
        if (root.subjectKeyId == 0 || foreignIssuer) {
            revert RootKeyIdMismatch(root.authorityKeyId, root.subjectKeyId);
        }
        _requireUse(root, true);
        _requireValidNow(root);
        _requireSignature(root.digest, root.r, root.s, root.x, root.y, root.subjectKeyId);

        _READER = reader;
        _ROOT_X = root.x;
        _ROOT_Y = root.y;
        _ROOT_SUBJECT = root.subject;
        _ROOT_KEY_ID = root.subjectKeyId;
        _ROOT_NOT_AFTER = root.notAfter;
        COLLATERAL_GRACE = collateralGrace;
        bytes32 keyHash = keccak256(abi.encode(root.x, root.y));
        bool development = keyHash != INTEL_ROOT_KEY_HASH;
        DEVELOPMENT_ROOT = development;
        emit IAttestationVerifier.RootPinned(keyHash, development);
    }

    // --- submissions ---------------------------------------------------------------------------------

    // NOTE: no access control on any submission: the root's signature is the only authority.

    /// @inheritdoc IDcapCertificates
    function submitIntermediateCa(bytes calldata der) external returns (uint8 ca) {
        return _acceptAuthority(der, AuthorityRole.INTERMEDIATE_CA);
    }

    /// @inheritdoc IDcapCertificates
    function submitTcbSigner(bytes calldata der) external returns (uint8 signer) {
        return _acceptAuthority(der, AuthorityRole.TCB_SIGNER);
    }

    /// @inheritdoc IDcapCertificates
    function submitPckCertificate(bytes calldata der) external returns (bytes32 pckId) {
        (uint256 x, uint256 y, uint256 tcb, uint256 identity) = _verifiedPck(der);
        pckId = _pckIdOf(x, y, tcb, identity);
        PckWords storage words = _pcks[pckId];
        if (words.tcb != 0) return pckId;
        words.tcb = tcb;
        words.identity = identity;
        PckRecord memory record = _pckRecord(pckId);
        emit PckCertificateAccepted(pckId, record.fmspc, record.ppid, record.ca);
    }

    /// @inheritdoc IDcapCertificates
    function submitCrl(bytes calldata der) external {
        (RevocationList memory list, uint256[] memory serials, AuthorityState storage issuer) = _verifiedCrl(der);
        _revokeAll(list.authorityKeyId, serials, 0, serials.length);
        issuer.crlThisUpdate = list.thisUpdate;
        issuer.crlNextUpdate = list.nextUpdate;
        if (list.numbered) issuer.crlNumber = list.number;
        emit CrlAccepted(list.authorityKeyId, list.thisUpdate, list.nextUpdate, serials.length);
    }

    /// @inheritdoc IDcapCertificates
    function submitCrlEntries(bytes calldata der, uint256 first, uint256 count) external {
        (RevocationList memory list, uint256[] memory serials,) = _verifiedCrl(der);
        uint256 left = first < serials.length ? serials.length - first : 0;
        _revokeAll(list.authorityKeyId, serials, first, count < left ? count : left);
    }

    // --- views ---------------------------------------------------------------------------------------

    /// @inheritdoc IDcapCertificates
    function rootKeyHash() external view returns (bytes32) {
        return keccak256(abi.encode(_ROOT_X, _ROOT_Y));
    }

    /// @inheritdoc IDcapCertificates
    function rootCrl() external view returns (uint40 thisUpdate, uint40 nextUpdate, uint64 number) {
        AuthorityState memory state = _root;
        return (state.crlThisUpdate, state.crlNextUpdate, state.crlNumber);
    }

    /// @inheritdoc IDcapCertificates
    function authority(uint8 index) external view returns (Authority memory) {
        AuthorityState memory state = _authorities[index];
        AuthorityKey memory key = _authorityKeys[index];
        return Authority({
            role: state.role,
            revoked: state.revoked,
            notAfter: state.notAfter,
            crlThisUpdate: state.crlThisUpdate,
            crlNextUpdate: state.crlNextUpdate,
            crlNumber: state.crlNumber,
            keyId: key.keyId,
            subject: key.subject,
            x: key.x,
            y: key.y
        });
    }

    /// @inheritdoc IDcapCertificates
    function authorityIndex(bytes20 keyId) external view returns (uint8 index) {
        return _knownIndex(keyId);
    }

    /// @inheritdoc IDcapCertificates
    function pckRecord(bytes32 pckId) external view returns (PckRecord memory) {
        return _pckRecord(pckId);
    }

    /// @inheritdoc IDcapCertificates
    function isRevoked(bytes20 issuerKeyId, uint256 serial) external view returns (bool) {
        return _revocations[_revocationKey(issuerKeyId, serial)] & _REVOKED != 0;
    }

    // --- for the verifier ----------------------------------------------------------------------------

    /// @dev Refuses a PCK certificate that does not count now: it, its CA and the root must be valid, none revoked,
    /// and both CRLs fresh. Three slots. The caller knows that the words are those of a verified certificate.
    /// @param tcb The first word of {PckRecord}.
    /// @param revocationKey From the second word.
    function _requirePckStanding(uint256 tcb, bytes16 revocationKey) internal view {
        if (block.timestamp > uint40(tcb)) revert CertificateExpired(uint40(tcb), block.timestamp);
        _requireNotRevoked(revocationKey);
        uint8 ca = uint8(tcb >> 40);
        AuthorityState memory state = _requireAuthority(ca, AuthorityRole.INTERMEDIATE_CA);
        if (!_isFresh(state.crlNextUpdate)) _revertStaleCrl(_authorityKeys[ca].keyId, state.crlNextUpdate);
        _requireRootStanding();
    }

    /// @dev Refuses a PCK certificate that was not submitted. One slot.
    function _requirePckKnown(bytes32 pckId) internal view {
        if (_pcks[pckId].tcb == 0) revert PckUnknown(pckId);
    }

    /// @dev The id of a PCK certificate: what it commits to is everything that verification uses of one.
    function _pckIdOf(uint256 x, uint256 y, uint256 tcb, uint256 identity) internal pure returns (bytes32 pckId) {
        assembly ("memory-safe") {
            // keccak256(abi.encode(x, y, tcb, identity)) in free memory, which stays free.
            let free := mload(0x40)
            mstore(free, x)
            mstore(add(free, 0x20), y)
            mstore(add(free, 0x40), tcb)
            mstore(add(free, 0x60), identity)
            pckId := keccak256(free, 0x80)
        }
    }

    /// @dev The key of a TCB signer whose certificate counts now: it and the root are valid, it is not revoked, and
    /// the root's CRL is fresh.
    function _requireTcbSigner(uint8 signer) internal view returns (uint256 x, uint256 y) {
        _requireTcbSignerStanding(signer);
        AuthorityKey storage key = _authorityKeys[signer];
        return (key.x, key.y);
    }

    /// @dev The same without the key, for collateral whose signature was verified before. Two slots.
    function _requireTcbSignerStanding(uint8 signer) internal view {
        _requireTcbSignerUnderRoot(signer);
        _requireRootStanding();
    }

    /// @dev The same for a caller that has required the root's standing in the same call, as {_requirePckStanding}
    /// does. One slot.
    function _requireTcbSignerUnderRoot(uint8 signer) internal view {
        _requireAuthority(signer, AuthorityRole.TCB_SIGNER);
    }

    /// @dev Verifies a PCK certificate up to the root and returns what counts of it: its key and the two words of
    /// {PckRecord}. Stores nothing.
    function _verifiedPck(bytes calldata der)
        internal
        view
        returns (uint256 x, uint256 y, uint256 tcb, uint256 identity)
    {
        (Certificate memory leaf, PckPlatform memory platform) = _READER.readPckCertificate(der);

        uint8 ca = _knownIndex(leaf.authorityKeyId);
        _requireAuthority(ca, AuthorityRole.INTERMEDIATE_CA);
        AuthorityKey storage issuer = _authorityKeys[ca];
        bytes32 subject = issuer.subject;
        if (leaf.issuer != subject) revert IssuerMismatch(leaf.issuer, subject);
        _requireSignature(leaf.digest, leaf.r, leaf.s, issuer.x, issuer.y, leaf.authorityKeyId);
        _requireUse(leaf, false);
        _requireValidNow(leaf);
        bytes16 revocationKey = _revocationKey(leaf.authorityKeyId, leaf.serial);
        _requireNotRevoked(revocationKey);

        tcb = (uint256(uint128(platform.componentSvns)) << 128) | (uint256(platform.pcesvn) << 112)
            | (uint256(uint48(platform.fmspc)) << 64) | (uint256(uint16(platform.pceid)) << 48) | (uint256(ca) << 40)
            | leaf.notAfter;
        identity = (uint256(uint128(revocationKey)) << 128) | uint128(platform.ppid);
        (x, y) = (leaf.x, leaf.y);
    }

    // --- authorities ---------------------------------------------------------------------------------

    function _acceptAuthority(bytes memory der, AuthorityRole role) private returns (uint8) {
        Certificate memory certificate = _READER.readCertificate(der);
        if (certificate.authorityKeyId != _ROOT_KEY_ID) {
            revert NotIssuedByRoot(certificate.authorityKeyId, _ROOT_KEY_ID);
        }
        if (certificate.issuer != _ROOT_SUBJECT) revert IssuerMismatch(certificate.issuer, _ROOT_SUBJECT);
        _requireRootValid();
        _requireSignature(
            certificate.digest, certificate.r, certificate.s, _ROOT_X, _ROOT_Y, certificate.authorityKeyId
        );
        bool ca = role == AuthorityRole.INTERMEDIATE_CA;
        _requireUse(certificate, ca);
        if (ca && certificate.pathLength != 0) revert PathLengthMismatch(certificate.pathLength, 0);
        _requireValidNow(certificate);
        bytes16 revocationKey = _revocationKey(certificate.authorityKeyId, certificate.serial);
        _requireNotRevoked(revocationKey);

        bytes20 keyId = certificate.subjectKeyId;
        if (keyId == 0) revert KeyIdMissing();
        if (keyId == _ROOT_KEY_ID) revert KeyIdTaken(keyId);
        (uint8 index, bool known) = _findIndex(keyId);
        AuthorityState storage state = _authorities[index];
        AuthorityKey storage key = _authorityKeys[index];
        if (known) {
            // The same key certified again, for longer: the index goes on, with all that was revoked.
            bool same = key.subject == certificate.subject && key.x == certificate.x && key.y == certificate.y;
            if (!same) revert KeyIdTaken(keyId);
            if (state.role != role) revert AuthorityRoleMismatch(index, state.role, role);
            if (state.revoked) revert AuthorityRevoked(index);
        } else {
            state.role = role;
            key.keyId = keyId;
            key.subject = certificate.subject;
            key.x = certificate.x;
            key.y = certificate.y;
        }
        // A CRL may name any certificate of the key, the one that ends first too.
        uint256 mark = uint256(index) + 1;
        if (_revocations[revocationKey] != mark) _revocations[revocationKey] = mark;
        if (certificate.notAfter <= state.notAfter) return index;
        state.notAfter = certificate.notAfter;
        emit AuthorityAccepted(index, role, keyId, certificate.serial, certificate.notAfter);
        return index;
    }

    /// @dev An authority sits at the first byte of its key id, or at the next free index after it. Indices are never
    /// freed, so a search may stop at the first free one.
    function _findIndex(bytes20 keyId) private view returns (uint8 index, bool known) {
        index = uint8(keyId[0]);
        for (uint256 i = 0; i < _MAX_AUTHORITIES; ++i) {
            bytes20 found = _authorityKeys[index].keyId;
            if (found == keyId) return (index, true);
            if (found == 0) return (index, false);
            unchecked {
                ++index; // Wraps from 255 to 0: indices form a ring.
            }
        }
        revert TooManyAuthorities(_MAX_AUTHORITIES);
    }

    function _knownIndex(bytes20 keyId) private view returns (uint8) {
        if (keyId == 0) revert IssuerUnknown(keyId);
        (uint8 index, bool known) = _findIndex(keyId);
        if (!known) revert IssuerUnknown(keyId);
        return index;
    }

    /// @dev Valid now and not revoked, and so is the root's certificate; says nothing about CRLs' freshness.
    function _requireAuthority(uint8 index, AuthorityRole role) private view returns (AuthorityState memory state) {
        state = _authorities[index];
        if (state.role != role) revert AuthorityRoleMismatch(index, state.role, role);
        if (state.revoked) revert AuthorityRevoked(index);
        if (block.timestamp > state.notAfter) revert AuthorityExpired(index, state.notAfter, block.timestamp);
        _requireRootValid();
    }

    // --- CRLs ----------------------------------------------------------------------------------------

    /// @dev Checks everything about a CRL; storing its entries is left.
    function _verifiedCrl(bytes calldata der)
        private
        view
        returns (RevocationList memory list, uint256[] memory serials, AuthorityState storage state)
    {
        (list, serials) = _READER.readCrl(der);
        bytes20 keyId = list.authorityKeyId;
        if (keyId == _ROOT_KEY_ID) {
            _requireRootValid();
            if (list.issuer != _ROOT_SUBJECT) revert IssuerMismatch(list.issuer, _ROOT_SUBJECT);
            _requireSignature(list.digest, list.r, list.s, _ROOT_X, _ROOT_Y, keyId);
            state = _root;
        } else {
            uint8 index = _knownIndex(keyId);
            _requireAuthority(index, AuthorityRole.INTERMEDIATE_CA);
            AuthorityKey memory issuer = _authorityKeys[index];
            if (list.issuer != issuer.subject) revert IssuerMismatch(list.issuer, issuer.subject);
            _requireSignature(list.digest, list.r, list.s, issuer.x, issuer.y, keyId);
            state = _authorities[index];
        }
        if (list.thisUpdate > block.timestamp) revert CrlNotYetValid(keyId, list.thisUpdate, block.timestamp);
        if (!_isFresh(list.nextUpdate)) revert CrlExpired(keyId, list.nextUpdate, block.timestamp);
        AuthorityState memory current = state;
        // An equally old list is let in: two may carry the same second, and what either revokes stays revoked.
        if (list.thisUpdate < current.crlThisUpdate) revert CrlOlder(keyId, list.thisUpdate, current.crlThisUpdate);
        if (list.numbered && list.number < current.crlNumber) {
            revert CrlNumberLower(keyId, list.number, current.crlNumber);
        }
    }

    function _revokeAll(bytes20 issuerKeyId, uint256[] memory serials, uint256 first, uint256 count) private {
        for (uint256 i = 0; i < count; ++i) {
            _revoke(issuerKeyId, serials[first + i]);
        }
    }

    function _revoke(bytes20 issuerKeyId, uint256 serial) private {
        bytes16 revocationKey = _revocationKey(issuerKeyId, serial);
        uint256 state = _revocations[revocationKey];
        if (state & _REVOKED != 0) return;
        _revocations[revocationKey] = state | _REVOKED;
        // Only certificates of the root's have an index here, and only the root's key id leads to them.
        if (state != 0) _authorities[uint8(state - 1)].revoked = true;
        emit SerialRevoked(issuerKeyId, serial);
    }

    function _requireNotRevoked(bytes16 revocationKey) private view {
        if (_revocations[revocationKey] & _REVOKED != 0) revert CertificateRevoked(revocationKey);
    }

    function _revocationKey(bytes20 issuerKeyId, uint256 serial) private pure returns (bytes16) {
        return bytes16(keccak256(abi.encodePacked(issuerKeyId, serial)));
    }

    function _isFresh(uint256 nextUpdate) private view returns (bool) {
        return nextUpdate != 0 && block.timestamp < nextUpdate + COLLATERAL_GRACE;
    }

    function _revertStaleCrl(bytes20 keyId, uint256 nextUpdate) private view {
        if (nextUpdate == 0) revert CrlMissing(keyId);
        revert CrlExpired(keyId, nextUpdate, block.timestamp);
    }

    // --- checks --------------------------------------------------------------------------------------

    function _requireRootValid() private view {
        if (block.timestamp > _ROOT_NOT_AFTER) revert RootExpired(_ROOT_NOT_AFTER, block.timestamp);
    }

    /// @dev The root is valid and its CRL is fresh.
    function _requireRootStanding() private view {
        _requireRootValid();
        uint256 nextUpdate = _root.crlNextUpdate;
        if (!_isFresh(nextUpdate)) _revertStaleCrl(_ROOT_KEY_ID, nextUpdate);
    }

    function _requireSignature(bytes32 digest, uint256 r, uint256 s, uint256 x, uint256 y, bytes20 issuerKeyId)
        private
        view
    {
        if (!P256.verify(digest, r, s, x, y)) revert SignatureInvalid(issuerKeyId);
    }

    /// @dev A CA signs certificates and CRLs and nothing else; an end entity signs neither.
    function _requireUse(Certificate memory certificate, bool ca) private pure {
        if (certificate.ca != ca) revert BasicConstraintsMismatch(certificate.ca, ca);
        uint16 required = ca ? _CA_USAGE : X509Fields.DIGITAL_SIGNATURE;
        uint16 forbidden = ca ? X509Fields.DIGITAL_SIGNATURE : _CA_USAGE;
        uint16 usage = certificate.keyUsage;
        if (usage & required != required || usage & forbidden != 0) {
            revert KeyUsageMismatch(usage, required, forbidden);
        }
    }

    function _requireValidNow(Certificate memory certificate) private view {
        if (block.timestamp < certificate.notBefore) {
            revert CertificateNotYetValid(certificate.notBefore, block.timestamp);
        }
        if (block.timestamp > certificate.notAfter) revert CertificateExpired(certificate.notAfter, block.timestamp);
    }

    function _pckRecord(bytes32 pckId) private view returns (PckRecord memory) {
        PckWords memory words = _pcks[pckId];
        if (words.tcb == 0) revert PckUnknown(pckId);
        return PckRecord({
            componentSvns: bytes16(uint128(words.tcb >> 128)),
            pcesvn: uint16(words.tcb >> 112),
            fmspc: bytes6(uint48(words.tcb >> 64)),
            pceid: bytes2(uint16(words.tcb >> 48)),
            ca: uint8(words.tcb >> 40),
            notAfter: uint40(words.tcb),
            revocationKey: bytes16(uint128(words.identity >> 128)),
            ppid: bytes16(uint128(words.identity))
        });
    }
}
