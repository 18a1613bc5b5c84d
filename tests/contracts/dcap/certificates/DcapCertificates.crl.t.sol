// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AuthorityRole, IDcapCertificates} from "../../../../contracts/interfaces/IDcapCertificates.sol";

import {CertificatesHarness} from "./CertificatesHarness.sol";
import {CertificatesTest} from "./CertificatesTest.sol";

/// @notice Revocation: monotone, final, keyed by issuer and serial.
contract DcapCertificatesCrlTest is CertificatesTest {
    CertificatesHarness private store;
    uint8 private platform;
    uint8 private signer;

    function setUp() external {
        loadVectors();
        store = deploy("root");
        platform = store.submitIntermediateCa(der("platform_ca"));
        signer = store.submitTcbSigner(der("tcb_signer"));
        store.submitCrl(der("crl_root"));
    }

    function test_submitCrl_newer_isInForce() external {
        bytes20 id = keyId("platform_ca");
        bytes memory crl = der("crl_platform");
        vm.expectEmit(true, true, true, true, address(store));
        emit IDcapCertificates.SerialRevoked(id, 0x11);
        vm.expectEmit(true, true, true, true, address(store));
        emit IDcapCertificates.SerialRevoked(id, 0x22);
        vm.expectEmit(true, true, true, true, address(store));
        emit IDcapCertificates.SerialRevoked(id, 0x33);
        vm.expectEmit(true, true, true, true, address(store));
        emit IDcapCertificates.CrlAccepted(id, uint40(now_ - 1 days), uint40(now_ + 30 days), 3);
        store.submitCrl(crl);
        assertEq(store.authority(platform).crlThisUpdate, now_ - 1 days, "this update");
        assertEq(store.authority(platform).crlNextUpdate, now_ + 30 days, "next update");
        assertEq(store.authority(platform).crlNumber, 1, "number");
        assertTrue(store.isRevoked(id, 0x11) && store.isRevoked(id, 0x22) && store.isRevoked(id, 0x33), "listed");
        assertTrue(!store.isRevoked(id, 0x12), "not listed");
        assertTrue(!store.isRevoked(keyId("root_ca"), 0x11), "another issuer's");
        (uint40 thisUpdate, uint40 nextUpdate, uint64 number) = store.rootCrl();
        assertEq(thisUpdate, now_ - 1 days, "root's this update");
        assertEq(nextUpdate, now_ + 30 days, "root's next update");
        assertEq(number, 1, "root's number");
    }

    function test_submitCrl_again_orTwin_storesNothingNew() external {
        store.submitCrl(der("crl_platform"));
        vm.record();
        store.submitCrl(der("crl_platform"));
        store.submitCrl(der("crl_platform_twin"));
        (, bytes32[] memory writes) = vm.accesses(address(store));
        bytes32 slot = writes[0];
        for (uint256 i = 1; i < writes.length; ++i) {
            assertEq(writes[i], slot, "only the CA's own slot");
        }
    }

    function test_submitCrl_entriesOfOtherDays_areAllRevoked() external {
        store.submitCrl(der("crl_entries_of_other_days"));
        bytes20 id = keyId("platform_ca");
        assertTrue(store.isRevoked(id, 0x11) && store.isRevoked(id, 0x22) && store.isRevoked(id, 0x33), "revoked");
    }

    function test_submitCrl_sameSecondOtherEntries_addsThem() external {
        store.submitCrl(der("crl_platform"));
        store.submitCrl(der("crl_platform_same_second"));
        bytes20 id = keyId("platform_ca");
        assertTrue(store.isRevoked(id, 0x44) && store.isRevoked(id, 0x11), "both lists'");
    }

    function test_submitCrl_older_reverts() external {
        store.submitCrl(der("crl_platform"));
        bytes memory older = der("crl_platform_older");
        bytes memory refusal = abi.encodeWithSelector(
            IDcapCertificates.CrlOlder.selector, keyId("platform_ca"), now_ - 2 days, now_ - 1 days
        );
        vm.expectRevert(refusal);
        store.submitCrl(older);
        vm.expectRevert(refusal);
        store.submitCrlEntries(older, 0, 3);
    }

    function test_submitCrl_lowerNumber_reverts() external {
        store.submitCrl(der("crl_platform_shrunk"));
        bytes memory lower = der("crl_platform_lower_number");
        vm.expectRevert(abi.encodeWithSelector(IDcapCertificates.CrlNumberLower.selector, keyId("platform_ca"), 1, 2));
        store.submitCrl(lower);
    }

    function test_submitCrl_withoutNumber_keepsTheNumber() external {
        store.submitCrl(der("crl_platform_shrunk"));
        store.submitCrl(der("crl_platform_without_number"));
        assertEq(store.authority(platform).crlNumber, 2, "number");
        assertEq(store.authority(platform).crlThisUpdate, now_ - 30, "this update");
    }

    function test_submitCrl_attack_shrinkingListUnrevokes_staysRevoked() external {
        store.submitCrl(der("crl_platform"));
        store.submitCrl(der("crl_platform_shrunk"));
        bytes20 id = keyId("platform_ca");
        assertEq(store.authority(platform).crlThisUpdate, now_ - 60, "the shorter list is in force");
        assertTrue(store.isRevoked(id, 0x11) && store.isRevoked(id, 0x22) && store.isRevoked(id, 0x33), "revoked");
    }

    function test_revokedLeaf_submittedBefore_isRefused() external {
        store.submitCrl(der("crl_platform"));
        bytes32 pckId = store.submitPckCertificate(der("pck"));
        store.requirePckStanding(pckId);
        store.submitCrl(der("crl_platform_revokes_pck"));
        bytes16 revocationKey = bytes16(keccak256(abi.encodePacked(keyId("platform_ca"), uint256(0xc0ffee))));
        vm.expectRevert(abi.encodeWithSelector(IDcapCertificates.CertificateRevoked.selector, revocationKey));
        store.requirePckStanding(pckId);
    }

    function test_revokedLeaf_attack_lowSTwin_isRefused() external {
        store.submitCrl(der("crl_platform_revokes_pck"));
        bytes memory leaf = der("pck");
        vm.expectPartialRevert(IDcapCertificates.CertificateRevoked.selector);
        store.submitPckCertificate(leaf);
        leaf = der("pck_twin");
        vm.expectPartialRevert(IDcapCertificates.CertificateRevoked.selector);
        store.submitPckCertificate(leaf);
    }

    function test_revokedIntermediate_submittedBefore_isRefused() external {
        store.submitCrl(der("crl_platform"));
        bytes32 pckId = store.submitPckCertificate(der("pck"));
        store.submitCrl(der("crl_root_revokes_platform"));
        assertTrue(store.authority(platform).revoked, "revoked");
        bytes memory refusal = abi.encodeWithSelector(IDcapCertificates.AuthorityRevoked.selector, platform);
        vm.expectRevert(refusal);
        store.requirePckStanding(pckId);
        bytes memory input = der("pck");
        vm.expectRevert(refusal);
        store.submitPckCertificate(input);
        input = der("crl_platform_shrunk");
        vm.expectRevert(refusal);
        store.submitCrl(input);
        // Neither the same certificate, nor its twin, nor a later one for the same key brings it back.
        input = der("platform_ca");
        vm.expectPartialRevert(IDcapCertificates.CertificateRevoked.selector);
        store.submitIntermediateCa(input);
        input = der("platform_ca_twin");
        vm.expectPartialRevert(IDcapCertificates.CertificateRevoked.selector);
        store.submitIntermediateCa(input);
        input = der("platform_ca_renewed");
        vm.expectRevert(refusal);
        store.submitIntermediateCa(input);
    }

    function test_revokedIntermediate_afterRenewal_isRefused() external {
        store.submitIntermediateCa(der("platform_ca_renewed"));
        store.submitCrl(der("crl_root_revokes_platform"));
        assertTrue(store.authority(platform).revoked, "one revoked certificate condemns the key");
    }

    /// @dev The certificate that the CRL names comes second, and ends before the one that is known.
    function test_revokedIntermediate_renewalFirst_isRefused() external {
        CertificatesHarness fresh = deploy("root");
        uint8 index = fresh.submitIntermediateCa(der("platform_ca_renewed"));
        uint40 notAfter = fresh.authority(index).notAfter;
        fresh.submitIntermediateCa(der("platform_ca"));
        assertEq(fresh.authority(index).notAfter, notAfter, "the longer one goes on");
        fresh.submitCrl(der("crl_root_revokes_platform"));
        assertTrue(fresh.authority(index).revoked, "one revoked certificate condemns the key");
    }

    function test_revokedIntermediate_crlFirst_isRefused() external {
        CertificatesHarness fresh = deploy("root");
        fresh.submitCrl(der("crl_root_revokes_platform"));
        bytes memory input = der("platform_ca");
        vm.expectPartialRevert(IDcapCertificates.CertificateRevoked.selector);
        fresh.submitIntermediateCa(input);
    }

    function test_revokedSigner_submittedBefore_isRefused() external {
        store.requireTcbSigner(signer);
        store.submitCrl(der("crl_root_revokes_signer"));
        bytes memory refusal = abi.encodeWithSelector(IDcapCertificates.AuthorityRevoked.selector, signer);
        vm.expectRevert(refusal);
        store.requireTcbSigner(signer);
        vm.expectRevert(refusal);
        store.requireTcbSignerStanding(signer);
        assertTrue(!store.authority(platform).revoked, "the other authority is not touched");
    }

    function test_submitCrlEntries_parts_thenWhole() external {
        bytes20 id = keyId("platform_ca");
        bytes memory crl = der("crl_platform");
        store.submitCrlEntries(crl, 1, 1);
        assertTrue(!store.isRevoked(id, 0x11) && store.isRevoked(id, 0x22) && !store.isRevoked(id, 0x33), "the second");
        assertEq(store.authority(platform).crlThisUpdate, 0, "not in force");
        store.submitCrlEntries(crl, 2, type(uint256).max);
        assertTrue(store.isRevoked(id, 0x33), "the third");
        store.submitCrlEntries(crl, 3, 1);
        store.submitCrlEntries(crl, type(uint256).max, type(uint256).max);
        assertTrue(!store.isRevoked(id, 0x11), "nothing beyond the end");
        store.submitCrl(crl);
        assertTrue(store.isRevoked(id, 0x11), "the first");
    }

    function test_isRevoked_serialOfAuthority_onlyWhenListed() external {
        // The slot of a known authority's certificate is not empty, but that does not revoke it.
        assertTrue(!store.isRevoked(keyId("root_ca"), 0xef01), "before");
        store.submitCrl(der("crl_root_revokes_platform"));
        assertTrue(store.isRevoked(keyId("root_ca"), 0xef01), "after");
        assertTrue(store.authority(platform).role == AuthorityRole.INTERMEDIATE_CA, "role");
    }
}
