// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SSTORE2} from "solady/utils/SSTORE2.sol";

import {X509Extensions} from "../../encoding/X509Extensions.sol";
import {X509Fields} from "../../encoding/X509Fields.sol";
import {IAmdCertificateReader} from "../../interfaces/IAmdCertificateReader.sol";
import {IAttestationVerifier} from "../../interfaces/IAttestationVerifier.sol";
import {ISevSnpVerifier, ProductRoot, Signer, SnpProduct} from "../../interfaces/ISevSnpVerifier.sol";
import {AuthorityCertificate} from "./AmdAuthority.sol";
import {AmdCertificateReader} from "./AmdCertificateReader.sol";
import {AuthorityRevocations} from "./AmdCrl.sol";
import {Endorsement} from "./EndorsementCertificate.sol";

/// @title SnpChains
/// @notice AMD's keys above the endorsement keys, and which TCB counts as up to date.
/// @dev Rule 1: the keys of ARK, ASK and ASVK are pinned at deployment, and nothing is stored that the root did not sign.
/// A chain has one shape, so there is no path to walk and no CA to take for another.
/// Rule 2: an endorsement certificate counts for as long as all of its chain does.
/// Rule 3: a floor only rises.
/// Rule 4: a revocation is final and belongs to a certificate: to its issuer, a product's ARK, and its serial number.
abstract contract SnpChains is ISevSnpVerifier {
    /// @dev keccak256 of the pinned moduli.
    struct Pins {
        bytes32 ark;
        bytes32 ask;
        bytes32 asvk;
    }

    // keccak256 of the moduli of AMD's roots.
    bytes32 private constant _ARK_MILAN = 0x8e5e81b6abc696c5c73657fe88755e5deca679089b5d7d1f29bd8ddd7ab8fd0a;
    bytes32 private constant _ARK_GENOA = 0x95d3e504d122dc9f83af49cea4730c8540b46618affb48930630d6e47309cff5;
    bytes32 private constant _ARK_TURIN = 0xdd825ecef2a051f9c004eff031d2d6d7aa33ef5ee09ecc88bc7b252745e5285e;

    /// @dev Whether the pinned roots are not AMD's: then nothing here speaks of hardware.
    bool internal immutable DEVELOPMENT_ROOT;
    /// @dev Deployed by the constructor, so nobody has to trust whoever names one.
    IAmdCertificateReader private immutable _READER;
    address private immutable _FLOOR_KEEPER;

    /// @dev Twice the product, plus 1 for the key that certifies VLEKs.
    mapping(uint256 id => Signer) private _signers;
    mapping(SnpProduct product => uint64) private _floors;
    mapping(SnpProduct product => Pins) private _pins;
    /// @dev Serial numbers of certificates that the product's ARK issued.
    mapping(SnpProduct product => mapping(uint256 serial => bool revoked)) private _revoked;

    /// @param keeper Who may raise floors; zero: nobody.
    /// @param roots One for each product, at most one of each.
    constructor(address keeper, ProductRoot[] memory roots) {
        if (roots.length == 0) revert ProductsMissing();
        bool development;
        for (uint256 i = 0; i < roots.length; ++i) {
            (SnpProduct product, bytes32 keyHash) = (roots[i].product, roots[i].arkKeyHash);
            if (product == SnpProduct.NONE || _floors[product] != 0) revert ProductUnexpected(product);
            if (roots[i].floor == 0) revert FloorMissing(product);
            bool own = keyHash != _amdRoot(product);
            if (i == 0) development = own;
            if (own != development) revert RootsMixed(product, own);
            _pins[product] = Pins(keyHash, roots[i].askKeyHash, roots[i].asvkKeyHash);
            emit IAttestationVerifier.RootPinned(keyHash, own);
            _setFloor(product, 0, roots[i].floor);
        }
        _READER = new AmdCertificateReader();
        DEVELOPMENT_ROOT = development;
        _FLOOR_KEEPER = keeper;
    }

    // NOTE: no access control: the root's signature is the only authority.
    /// @inheritdoc ISevSnpVerifier
    function submitSigner(SnpProduct product, bytes calldata arkDer, bytes calldata signerDer) external {
        AuthorityCertificate memory ark = _root(product, arkDer);
        _requireSerialNotRevoked(product, ark.serial);
        AuthorityCertificate memory signer = _READER.readAuthority(signerDer, ark.modulus);
        if (signer.issuer != ark.subject) revert IssuerMismatch(signer.issuer, ark.subject);
        _requireCa(signer);
        if (signer.role.pathLength != 0) revert PathLengthMismatch(signer.role.pathLength, 0);
        bool vlek = signer.commonName == keccak256(bytes(string.concat("SEV-VLEK-", _nameOf(product))));
        if (!vlek && signer.commonName != keccak256(bytes(string.concat("SEV-", _nameOf(product))))) {
            revert NameMismatch(product, signer.subject);
        }
        _requirePinned(signer.modulus, vlek ? _pins[product].asvk : _pins[product].ask);
        _requireSerialNotRevoked(product, signer.serial);
        uint40 notAfter = signer.notAfter < ark.notAfter ? signer.notAfter : ark.notAfter;
        Signer storage inForce = _signers[_signerId(product, vlek)];
        if (notAfter <= inForce.notAfter) revert SignerNotNewer(notAfter, inForce.notAfter);
        inForce.modulus = SSTORE2.write(signer.modulus);
        inForce.notAfter = notAfter;
        // What was revoked is the certificate before.
        inForce.revoked = false;
        inForce.subject = signer.subject;
        inForce.serial = signer.serial;
        emit SignerAccepted(product, vlek, keccak256(signer.modulus), notAfter);
    }

    // NOTE: no access control: the root's signature is the only authority.
    /// @inheritdoc ISevSnpVerifier
    function submitCrl(SnpProduct product, bytes calldata arkDer, bytes calldata crlDer) external {
        AuthorityCertificate memory ark = _root(product, arkDer);
        if (ark.role.keyUsage & X509Fields.CRL_SIGN == 0) revert CrlSignMissing(ark.role.keyUsage);
        AuthorityRevocations memory list = _READER.readCrl(crlDer, ark.modulus);
        if (list.issuer != ark.subject) revert IssuerMismatch(list.issuer, ark.subject);
        bytes20 keyId = ark.role.subjectKeyId;
        if (keyId != 0 && list.authorityKeyId != 0 && list.authorityKeyId != keyId) {
            revert IssuerKeyIdMismatch(list.authorityKeyId, keyId);
        }
        if (list.thisUpdate > block.timestamp) revert CrlNotYetValid(list.thisUpdate, block.timestamp);

        for (uint256 i = 0; i < list.serials.length; ++i) {
            uint256 serial = list.serials[i];
            if (_revoked[product][serial]) continue;
            _revoked[product][serial] = true;
            // A root that revokes itself takes all below it along.
            bool all = serial == ark.serial;
            _revokeSigner(_signers[_signerId(product, false)], serial, all);
            _revokeSigner(_signers[_signerId(product, true)], serial, all);
            emit SerialRevoked(product, serial);
        }
    }

    /// @inheritdoc ISevSnpVerifier
    function raiseFloor(SnpProduct product, uint64 floor) external {
        if (msg.sender != _FLOOR_KEEPER) revert NotFloorKeeper(msg.sender, _FLOOR_KEEPER);
        uint64 current = _floors[product];
        if (current == 0) revert ProductUnexpected(product);
        if (floor == current || !_reaches(floor, current)) revert FloorNotRaised(product, floor, current);
        _setFloor(product, current, floor);
    }

    /// @inheritdoc ISevSnpVerifier
    function floorOf(SnpProduct product) external view returns (uint64 floor) {
        return _floors[product];
    }

    /// @inheritdoc ISevSnpVerifier
    function floorKeeper() external view returns (address keeper) {
        return _FLOOR_KEEPER;
    }

    /// @inheritdoc ISevSnpVerifier
    function signerOf(SnpProduct product, bool vlek) external view returns (Signer memory) {
        return _signers[_signerId(product, vlek)];
    }

    /// @inheritdoc ISevSnpVerifier
    function isRevoked(SnpProduct product, uint256 serial) external view returns (bool) {
        return _revoked[product][serial];
    }

    // --- for the verifier ----------------------------------------------------------------------------

    /// @dev The product and the kind of a signer's id, which is the evidence's.
    function _signerKind(uint8 id) internal pure returns (SnpProduct product, bool vlek) {
        if (id < 2 || id > 2 * uint8(type(SnpProduct).max) + 1) revert SignerUnknown(id);
        return (SnpProduct(id >> 1), id & 1 == 1);
    }

    /// @dev Verifies an endorsement certificate down to the pinned root.
    /// @return leaf What it says.
    /// @return notAfter The last second in which it and its chain are valid.
    function _verifiedEndorsement(bytes calldata der, SnpProduct product, bool vlek)
        internal
        view
        returns (Endorsement memory leaf, uint40 notAfter)
    {
        Signer memory signer = _signers[_signerId(product, vlek)];
        if (signer.modulus == address(0)) revert SignerUnknown(uint8(_signerId(product, vlek)));
        _requireSignerNotRevoked(product, vlek);
        leaf = _READER.readEndorsement(der, SSTORE2.read(signer.modulus), product, vlek);
        if (leaf.issuer != signer.subject) revert IssuerMismatch(leaf.issuer, signer.subject);
        if (block.timestamp < leaf.notBefore) revert CertificateNotYetValid(leaf.notBefore, block.timestamp);
        notAfter = leaf.notAfter < signer.notAfter ? leaf.notAfter : signer.notAfter;
        _requireUnexpired(notAfter);
    }

    function _requireUnexpired(uint40 notAfter) internal view {
        if (block.timestamp > notAfter) revert CertificateExpired(notAfter, block.timestamp);
    }

    /// @dev One slot.
    function _requireSignerNotRevoked(SnpProduct product, bool vlek) internal view {
        if (_signers[_signerId(product, vlek)].revoked) revert SignerRevoked(product, vlek);
    }

    /// @dev Whether no component of a TCB is below the product's floor.
    function _isUpToDate(SnpProduct product, uint64 tcb) internal view returns (bool) {
        return _reaches(tcb, _floors[product]);
    }

    /// @dev The certificate of a product's pinned root, which is valid now.
    function _root(SnpProduct product, bytes calldata der) private view returns (AuthorityCertificate memory ark) {
        ark = _READER.readAuthority(der, "");
        _requirePinned(ark.modulus, _pins[product].ark);
        if (ark.issuer != ark.subject) revert IssuerMismatch(ark.issuer, ark.subject);
        _requireCa(ark);
    }

    function _revokeSigner(Signer storage signer, uint256 serial, bool all) private {
        if (signer.modulus == address(0)) return;
        if (all || signer.serial == serial) signer.revoked = true;
    }

    function _requireSerialNotRevoked(SnpProduct product, uint256 serial) private view {
        if (_revoked[product][serial]) revert SerialIsRevoked(product, serial);
    }

    function _requirePinned(bytes memory modulus, bytes32 expected) private pure {
        bytes32 keyHash = keccak256(modulus);
        if (keyHash != expected) revert PinnedKeyMismatch(keyHash, expected);
    }

    /// @dev A CA that may sign certificates, valid now.
    function _requireCa(AuthorityCertificate memory certificate) private view {
        X509Extensions.requireCa(certificate.role);
        if (block.timestamp < certificate.notBefore) {
            revert CertificateNotYetValid(certificate.notBefore, block.timestamp);
        }
        _requireUnexpired(certificate.notAfter);
    }

    function _setFloor(SnpProduct product, uint64 from, uint64 to) private {
        _floors[product] = to;
        emit FloorRaised(product, from, to);
    }

    // --- products ------------------------------------------------------------------------------------

    function _signerId(SnpProduct product, bool vlek) private pure returns (uint256) {
        return 2 * uint256(product) + (vlek ? 1 : 0);
    }

    /// @dev Every byte of `tcb` is at or above that of `floor`.
    function _reaches(uint64 tcb, uint64 floor) private pure returns (bool) {
        for (uint256 shift = 0; shift < 64; shift += 8) {
            if (uint8(tcb >> shift) < uint8(floor >> shift)) return false;
        }
        return true;
    }

    function _nameOf(SnpProduct product) internal pure returns (string memory) {
        if (product == SnpProduct.MILAN) return "Milan";
        if (product == SnpProduct.GENOA) return "Genoa";
        return "Turin";
    }

    function _amdRoot(SnpProduct product) private pure returns (bytes32) {
        if (product == SnpProduct.MILAN) return _ARK_MILAN;
        if (product == SnpProduct.GENOA) return _ARK_GENOA;
        return _ARK_TURIN;
    }
}
