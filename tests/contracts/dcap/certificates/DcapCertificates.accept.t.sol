// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAttestationVerifier} from "../../../../contracts/interfaces/IAttestationVerifier.sol";
import {
    Authority,
    AuthorityRole,
    IDcapCertificates,
    PckRecord
} from "../../../../contracts/interfaces/IDcapCertificates.sol";

import {CertificatesHarness} from "./CertificatesHarness.sol";
import {CertificatesTest} from "./CertificatesTest.sol";

/// @notice Construction, acceptance, and judgement at the time of use.
contract DcapCertificatesAcceptTest is CertificatesTest {
    CertificatesHarness private store;
    uint8 private platform;
    uint8 private signer;

    function setUp() external {
        loadVectors();
        store = deploy("root");
        platform = store.submitIntermediateCa(der("platform_ca"));
        signer = store.submitTcbSigner(der("tcb_signer"));
    }

    // --- constructor -------------------------------------------------------------------------------

    function test_constructor_developmentRoot_saysSo() external {
        (uint256 x, uint256 y) = key("root_ca");
        vm.expectEmit(true, true, true, true, _nextAddress());
        emit IAttestationVerifier.RootPinned(keccak256(abi.encode(x, y)), true);
        CertificatesHarness fresh = deploy("root");
        assertTrue(fresh.DEVELOPMENT_ROOT(), "development");
        assertEq(fresh.rootKeyHash(), keccak256(abi.encode(x, y)), "key hash");
        assertEq(fresh.COLLATERAL_GRACE(), GRACE, "grace");
    }

    function test_constructor_rootWithoutAuthorityKeyId_isAccepted() external {
        deploy("root_without_authority_key_id");
    }

    function test_constructor_graceAboveBound_reverts() external {
        bytes memory root = der("root");
        new CertificatesHarness(root, 30 days);
        vm.expectRevert(abi.encodeWithSelector(IDcapCertificates.GraceTooLong.selector, 30 days + 1, 30 days));
        new CertificatesHarness(root, 30 days + 1);
    }

    function test_constructor_rootSignedByAttacker_reverts() external {
        _expectRootRefused("root_path_other_key", IDcapCertificates.SignatureInvalid.selector);
    }

    function test_constructor_rootNotCa_reverts() external {
        _expectRootRefused("root_not_ca", IDcapCertificates.BasicConstraintsMismatch.selector);
    }

    function test_constructor_rootOfOtherIssuer_reverts() external {
        _expectRootRefused("root_other_issuer", IDcapCertificates.RootNotSelfIssued.selector);
        _expectRootRefused("platform_ca", IDcapCertificates.RootNotSelfIssued.selector);
    }

    function test_constructor_rootKeyIds_mustAgree() external {
        _expectRootRefused("root_other_key_id", IDcapCertificates.RootKeyIdMismatch.selector);
        _expectRootRefused("root_without_key_id", IDcapCertificates.RootKeyIdMismatch.selector);
    }

    function test_constructor_rootExpired_reverts() external {
        _expectRootRefused("root_expired", IDcapCertificates.CertificateExpired.selector);
    }

    // --- authorities -------------------------------------------------------------------------------

    function test_submitIntermediateCa_valid_isStored() external {
        CertificatesHarness fresh = deploy("root");
        bytes20 id = keyId("platform_ca");
        Authority memory before = store.authority(platform);
        vm.expectEmit(true, true, true, true, address(fresh));
        emit IDcapCertificates.AuthorityAccepted(
            uint8(id[0]), AuthorityRole.INTERMEDIATE_CA, id, 0xef01, before.notAfter
        );
        assertEq(fresh.submitIntermediateCa(der("platform_ca")), uint8(id[0]), "index");

        (uint256 x, uint256 y) = key("platform_ca");
        assertTrue(before.role == AuthorityRole.INTERMEDIATE_CA, "role");
        assertTrue(!before.revoked, "revoked");
        assertEq(before.keyId, id, "key id");
        assertEq(before.x, x, "x");
        assertEq(before.y, y, "y");
        assertEq(before.notAfter, now_ + 5 * 365 days, "not after");
        assertEq(before.crlThisUpdate, 0, "no CRL yet");
        assertEq(store.authorityIndex(id), platform, "index by key id");
    }

    function test_submitIntermediateCa_again_changesNothing() external {
        vm.record();
        assertEq(store.submitIntermediateCa(der("platform_ca")), platform, "index");
        assertEq(store.submitIntermediateCa(der("platform_ca_twin")), platform, "index of the twin");
        (, bytes32[] memory writes) = vm.accesses(address(store));
        assertEq(writes.length, 0, "writes");
    }

    function test_submitIntermediateCa_renewed_prolongs() external {
        uint256 before = store.authority(platform).notAfter;
        assertEq(store.submitIntermediateCa(der("platform_ca_renewed")), platform, "index");
        assertEq(store.authority(platform).notAfter, before + 1 days, "not after");
        // The earlier certificate does not shorten it.
        store.submitIntermediateCa(der("platform_ca"));
        assertEq(store.authority(platform).notAfter, before + 1 days, "not after");
    }

    function test_submitIntermediateCa_sameFirstByte_takesNextIndex() external {
        uint8 neighbour = store.submitIntermediateCa(der("neighbour_ca"));
        assertEq(neighbour, uint8(uint256(platform) + 1), "index");
        assertEq(store.authorityIndex(keyId("neighbour_ca")), neighbour, "index by key id");
        assertEq(store.authorityIndex(keyId("platform_ca")), platform, "index by key id");
        store.submitCrl(der("crl_root"));
        store.submitCrl(der("crl_neighbour"));
        bytes32 pckId = store.submitPckCertificate(der("pck_neighbour"));
        assertEq(store.pckRecord(pckId).ca, neighbour, "issuer");
        store.requirePckStanding(pckId);
    }

    function test_submitIntermediateCa_unknownExtension_isIgnoredUnlessCritical() external {
        CertificatesHarness fresh = deploy("root");
        fresh.submitIntermediateCa(der("ca_unknown_extension"));
    }

    function test_submitTcbSigner_valid_isStored() external view {
        Authority memory stored = store.authority(signer);
        assertTrue(stored.role == AuthorityRole.TCB_SIGNER, "role");
        assertEq(stored.keyId, keyId("tcb_signing"), "key id");
    }

    function test_authorityIndex_unknown_reverts() external {
        vm.expectRevert(abi.encodeWithSelector(IDcapCertificates.IssuerUnknown.selector, bytes20(uint160(7))));
        store.authorityIndex(bytes20(uint160(7)));
        vm.expectRevert(abi.encodeWithSelector(IDcapCertificates.IssuerUnknown.selector, bytes20(0)));
        store.authorityIndex(bytes20(0));
    }

    // --- PCK certificates --------------------------------------------------------------------------

    function test_submitPckCertificate_valid_storesTwoSlots() external {
        bytes memory leaf = der("pck");
        vm.record();
        bytes32 pckId = store.submitPckCertificate(leaf);
        (, bytes32[] memory writes) = vm.accesses(address(store));
        assertEq(writes.length, 2, "writes");

        PckRecord memory pck = store.pckRecord(pckId);
        assertEq(pck.componentSvns, bytes16(0x0102030405060708090a0b0c0d0e0fc8), "component SVNs");
        assertEq(pck.pcesvn, 40_000, "PCESVN");
        assertEq(pck.fmspc, bytes6(0xb0c06f000000), "FMSPC");
        assertEq(pck.pceid, bytes2(0x0001), "PCEID");
        assertEq(pck.ca, platform, "issuer");
        assertEq(pck.notAfter, now_ + 5 * 365 days, "not after");
        assertEq(pck.ppid, bytes16(0xa0a1a2a3a4a5a6a7a8a9aaabacadaeaf), "PPID");
        bytes16 revocationKey = bytes16(keccak256(abi.encodePacked(keyId("platform_ca"), uint256(0xc0ffee))));
        assertEq(pck.revocationKey, revocationKey, "revocation key");
    }

    function test_submitPckCertificate_id_isTheDocumentedHash() external {
        (uint256 x, uint256 y) = key("pck_certificate");
        bytes32 word1 = bytes32(
            abi.encodePacked(
                bytes16(0x0102030405060708090a0b0c0d0e0fc8),
                uint16(40_000),
                bytes6(0xb0c06f000000),
                bytes2(0x0001),
                uint8(keyId("platform_ca")[0]),
                uint40(now_ + 5 * 365 days)
            )
        );
        bytes16 revocationKey = bytes16(keccak256(abi.encodePacked(keyId("platform_ca"), uint256(0xc0ffee))));
        bytes32 word2 = bytes32(abi.encodePacked(revocationKey, bytes16(0xa0a1a2a3a4a5a6a7a8a9aaabacadaeaf)));
        bytes32 expected = keccak256(abi.encode(x, y, word1, word2));
        vm.expectEmit(true, true, true, true, address(store));
        emit IDcapCertificates.PckCertificateAccepted(
            expected, bytes6(0xb0c06f000000), bytes16(0xa0a1a2a3a4a5a6a7a8a9aaabacadaeaf), platform
        );
        assertEq(store.submitPckCertificate(der("pck")), expected, "pck id");
    }

    function test_submitPckCertificate_again_orTwin_changesNothing() external {
        bytes32 pckId = store.submitPckCertificate(der("pck"));
        vm.record();
        assertEq(store.submitPckCertificate(der("pck")), pckId, "id");
        assertEq(store.submitPckCertificate(der("pck_twin")), pckId, "id of the low-s twin");
        (, bytes32[] memory writes) = vm.accesses(address(store));
        assertEq(writes.length, 0, "writes");
    }

    function test_submitPckCertificate_validPast2049_readsGeneralizedTime() external {
        bytes32 pckId = store.submitPckCertificate(der("pck_after_2050"));
        assertEq(store.pckRecord(pckId).notAfter, 2_600_000_000, "not after");
    }

    function test_pckRecord_unknown_reverts() external {
        vm.expectRevert(abi.encodeWithSelector(IDcapCertificates.PckUnknown.selector, bytes32(uint256(1))));
        store.pckRecord(bytes32(uint256(1)));
    }

    // --- use ---------------------------------------------------------------------------------------

    function test_requirePck_everythingFresh_passes() external {
        bytes32 pckId = _usablePck();
        assertEq(store.requirePckStanding(pckId).fmspc, bytes6(0xb0c06f000000), "FMSPC");
        store.requirePckKnown(pckId);
    }

    function test_requirePckStanding_touchesThreeSlots() external {
        bytes32 pckId = _usablePck();
        vm.record();
        store.requirePckStanding(pckId);
        (bytes32[] memory reads,) = vm.accesses(address(store));
        uint256 distinct;
        for (uint256 i = 0; i < reads.length; ++i) {
            bool seen;
            for (uint256 j = 0; j < i; ++j) {
                if (reads[j] == reads[i]) seen = true;
            }
            if (!seen) ++distinct;
        }
        assertEq(distinct, 2 + 3, "the record's two, which evidence brings; its revocation, its CA, the root");
    }

    function test_pckId_commitsToKeyAndRecord() external {
        bytes32 pckId = _usablePck();
        (uint256 x, uint256 y) = key("pck_certificate");
        assertEq(store.pckIdOf(pckId, x, y), pckId, "its own");
        assertTrue(store.pckIdOf(pckId, x, y ^ 1) != pckId, "another y");
        assertTrue(store.pckIdOf(pckId, y, x) != pckId, "swapped");
    }

    function test_requirePck_unknown_reverts() external {
        vm.expectRevert(abi.encodeWithSelector(IDcapCertificates.PckUnknown.selector, bytes32(0)));
        store.requirePckKnown(0);
    }

    function test_requirePck_noCrls_reverts() external {
        bytes32 pckId = store.submitPckCertificate(der("pck"));
        vm.expectRevert(abi.encodeWithSelector(IDcapCertificates.CrlMissing.selector, keyId("platform_ca")));
        store.requirePckStanding(pckId);
        store.submitCrl(der("crl_platform"));
        vm.expectRevert(abi.encodeWithSelector(IDcapCertificates.CrlMissing.selector, keyId("root_ca")));
        store.requirePckStanding(pckId);
        store.submitCrl(der("crl_root"));
        store.requirePckStanding(pckId);
    }

    function test_requirePck_noCrl_atClockWithinGrace_reverts() external {
        bytes32 pckId = store.submitPckCertificate(der("pck"));
        // A clock that has barely started must not make "never" look like "just now".
        vm.warp(1);
        vm.expectRevert(abi.encodeWithSelector(IDcapCertificates.CrlMissing.selector, keyId("platform_ca")));
        store.requirePckStanding(pckId);
    }

    function test_requirePck_crlPastGrace_reverts() external {
        bytes32 pckId = _usablePck();
        uint256 due = now_ + 30 days;
        vm.warp(due + GRACE - 1);
        store.requirePckStanding(pckId);
        vm.warp(due + GRACE);
        vm.expectRevert(
            abi.encodeWithSelector(IDcapCertificates.CrlExpired.selector, keyId("platform_ca"), due, due + GRACE)
        );
        store.requirePckStanding(pckId);
    }

    function test_requirePck_rootCrlPastGrace_reverts() external {
        // The root's list is due on the same day; a longer grace for the CA's list does not help it.
        store.submitCrl(der("crl_root"));
        uint256 due = now_ + 30 days;
        vm.warp(due + GRACE);
        vm.expectRevert(
            abi.encodeWithSelector(IDcapCertificates.CrlExpired.selector, keyId("root_ca"), due, due + GRACE)
        );
        store.requireTcbSignerStanding(signer);
    }

    function test_requirePck_leafExpired_reverts() external {
        _usablePck();
        bytes32 pckId = store.submitPckCertificate(der("pck_short"));
        vm.warp(now_ + 1 days);
        store.requirePckStanding(pckId);
        vm.warp(now_ + 1 days + 1);
        vm.expectRevert(
            abi.encodeWithSelector(IDcapCertificates.CertificateExpired.selector, now_ + 1 days, now_ + 1 days + 1)
        );
        store.requirePckStanding(pckId);
    }

    function test_requirePck_expiredAncestor_reverts() external {
        _usablePck();
        uint8 short = store.submitIntermediateCa(der("short_ca"));
        store.submitCrl(der("crl_short"));
        bytes32 pckId = store.submitPckCertificate(der("pck_short_ca"));
        vm.warp(now_ + 1 days);
        store.requirePckStanding(pckId);
        vm.warp(now_ + 1 days + 1);
        bytes memory expired = abi.encodeWithSelector(
            IDcapCertificates.AuthorityExpired.selector, short, now_ + 1 days, now_ + 1 days + 1
        );
        vm.expectRevert(expired);
        store.requirePckStanding(pckId);
        bytes memory leaf = der("pck_short_ca");
        vm.expectRevert(expired);
        store.submitPckCertificate(leaf);
        bytes memory crl = der("crl_short");
        vm.expectRevert(expired);
        store.submitCrl(crl);
    }

    function test_everything_rootExpired_reverts() external {
        CertificatesHarness short = deploy("root_short");
        uint8 index = short.submitTcbSigner(der("tcb_signer"));
        short.submitIntermediateCa(der("platform_ca"));
        short.submitCrl(der("crl_root"));
        short.submitCrl(der("crl_platform"));
        bytes32 pckId = short.submitPckCertificate(der("pck"));
        vm.warp(now_ + 1 days);
        short.requirePckStanding(pckId);
        short.requireTcbSignerStanding(index);
        vm.warp(now_ + 1 days + 1);
        bytes memory expired =
            abi.encodeWithSelector(IDcapCertificates.RootExpired.selector, now_ + 1 days, now_ + 1 days + 1);
        vm.expectRevert(expired);
        short.requirePckStanding(pckId);
        vm.expectRevert(expired);
        short.requireTcbSigner(index);
        bytes memory input = der("pck");
        vm.expectRevert(expired);
        short.submitPckCertificate(input);
        input = der("crl_root");
        vm.expectRevert(expired);
        short.submitCrl(input);
        input = der("processor_ca");
        vm.expectRevert(expired);
        short.submitIntermediateCa(input);
    }

    function test_requireTcbSigner_fresh_givesKey() external {
        store.submitCrl(der("crl_root"));
        (uint256 x, uint256 y) = store.requireTcbSigner(signer);
        (uint256 expectedX, uint256 expectedY) = key("tcb_signing");
        assertEq(x, expectedX, "x");
        assertEq(y, expectedY, "y");
    }

    function test_requireTcbSigner_otherRole_reverts() external {
        store.submitCrl(der("crl_root"));
        vm.expectRevert(
            abi.encodeWithSelector(
                IDcapCertificates.AuthorityRoleMismatch.selector,
                platform,
                AuthorityRole.INTERMEDIATE_CA,
                AuthorityRole.TCB_SIGNER
            )
        );
        store.requireTcbSigner(platform);
        uint8 free = platform ^ signer ^ 0x55;
        vm.expectRevert(
            abi.encodeWithSelector(
                IDcapCertificates.AuthorityRoleMismatch.selector, free, AuthorityRole.NONE, AuthorityRole.TCB_SIGNER
            )
        );
        store.requireTcbSigner(free);
    }

    function test_requireTcbSigner_noRootCrl_reverts() external {
        vm.expectRevert(abi.encodeWithSelector(IDcapCertificates.CrlMissing.selector, keyId("root_ca")));
        store.requireTcbSigner(signer);
    }

    function test_requireTcbSigner_expired_reverts() external {
        store.submitCrl(der("crl_root"));
        uint8 short = store.submitTcbSigner(der("tcb_signer_short"));
        store.requireTcbSigner(short);
        vm.warp(now_ + 1 days + 1);
        vm.expectRevert(
            abi.encodeWithSelector(IDcapCertificates.AuthorityExpired.selector, short, now_ + 1 days, now_ + 1 days + 1)
        );
        store.requireTcbSigner(short);
    }

    function _usablePck() private returns (bytes32 pckId) {
        store.submitCrl(der("crl_root"));
        store.submitCrl(der("crl_platform"));
        return store.submitPckCertificate(der("pck"));
    }

    function _expectRootRefused(string memory root, bytes4 selector) private {
        bytes memory input = der(root);
        vm.expectPartialRevert(selector);
        new CertificatesHarness(input, GRACE);
    }

    /// @dev This contract has deployed the vectors and `store`: CREATE's address for nonce 3.
    function _nextAddress() private view returns (address) {
        return address(uint160(uint256(keccak256(abi.encodePacked(hex"d694", address(this), hex"03")))));
    }
}
