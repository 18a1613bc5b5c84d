// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {PckExtension} from "../../../../contracts/attestation/dcap/PckExtension.sol";
import {X509} from "../../../../contracts/attestation/dcap/X509.sol";
import {Crl} from "../../../../contracts/encoding/Crl.sol";
import {Der} from "../../../../contracts/encoding/Der.sol";
import {DerExtension} from "../../../../contracts/encoding/DerExtension.sol";
import {DerTime} from "../../../../contracts/encoding/DerTime.sol";
import {X509Fields} from "../../../../contracts/encoding/X509Fields.sol";
import {ICertificateReader} from "../../../../contracts/interfaces/ICertificateReader.sol";
import {IDcapCertificates} from "../../../../contracts/interfaces/IDcapCertificates.sol";

import {CertificatesHarness} from "./CertificatesHarness.sol";
import {CertificatesTest} from "./CertificatesTest.sol";

/// @notice Certificates and CRLs that must be refused, each by the rule it breaks and no other.
contract DcapCertificatesForgedTest is CertificatesTest {
    CertificatesHarness private store;

    function setUp() external {
        loadVectors();
        store = deploy("root");
    }

    // --- intermediate CAs --------------------------------------------------------------------------

    function test_submitIntermediateCa_attack_keyIdMismatchSkipsSignature_reverts() external {
        _ca("ca_wrong_authority_key_id", IDcapCertificates.NotIssuedByRoot.selector);
        _ca("ca_without_authority_key_id", IDcapCertificates.NotIssuedByRoot.selector);
        _ca("ca_self_signed", IDcapCertificates.NotIssuedByRoot.selector);
        _ca("ca_self_signed_in_root_name", IDcapCertificates.NotIssuedByRoot.selector);
        _ca("ca_wrong_issuer_name", IDcapCertificates.IssuerMismatch.selector);
        _ca("ca_forged_signature", IDcapCertificates.SignatureInvalid.selector);
    }

    function test_submitIntermediateCa_pathLength_mustBeZero() external {
        _ca("ca_path_length_1", IDcapCertificates.PathLengthMismatch.selector);
        _ca("ca_path_length_absent", IDcapCertificates.PathLengthMismatch.selector);
        // The root itself, which has room for one CA below it.
        _ca("root", IDcapCertificates.PathLengthMismatch.selector);
    }

    function test_submitIntermediateCa_keyUsage_mustBeSigningCertificatesAndCrls() external {
        _ca("ca_without_key_usage", IDcapCertificates.KeyUsageMismatch.selector);
        _ca("ca_without_cert_sign", IDcapCertificates.KeyUsageMismatch.selector);
        _ca("ca_without_crl_sign", IDcapCertificates.KeyUsageMismatch.selector);
        _ca("ca_with_digital_signature", IDcapCertificates.KeyUsageMismatch.selector);
    }

    function test_submitIntermediateCa_notCa_reverts() external {
        _ca("ca_not_ca", IDcapCertificates.BasicConstraintsMismatch.selector);
        _ca("ca_without_basic_constraints", IDcapCertificates.BasicConstraintsMismatch.selector);
        _ca("tcb_signer", IDcapCertificates.BasicConstraintsMismatch.selector);
    }

    function test_submitIntermediateCa_outsideValidity_reverts() external {
        _ca("ca_expired", IDcapCertificates.CertificateExpired.selector);
        _ca("ca_not_yet_valid", IDcapCertificates.CertificateNotYetValid.selector);
    }

    function test_submitIntermediateCa_keyId_belongsToOneKeyWithOneRole() external {
        store.submitIntermediateCa(der("platform_ca"));
        store.submitTcbSigner(der("tcb_signer"));
        _ca("ca_other_key_same_key_id", IDcapCertificates.KeyIdTaken.selector);
        _ca("ca_key_id_of_root", IDcapCertificates.KeyIdTaken.selector);
        _ca("ca_of_root_key", IDcapCertificates.KeyIdTaken.selector);
        _ca("ca_with_signer_key", IDcapCertificates.AuthorityRoleMismatch.selector);
        _signer("signer_with_platform_key", IDcapCertificates.AuthorityRoleMismatch.selector);
        _ca("ca_without_subject_key_id", IDcapCertificates.KeyIdMissing.selector);
        _ca("ca_key_id_of_19_bytes", Der.DerContentLengthMismatch.selector);
    }

    function test_submitIntermediateCa_extensions_areUnderstoodOnceOrRefused() external {
        _ca("ca_unknown_critical", DerExtension.ExtensionCriticalUnknown.selector);
        _ca("ca_duplicate_extension", DerExtension.ExtensionDuplicate.selector);
        _ca("ca_duplicate_unknown_extension", DerExtension.ExtensionDuplicate.selector);
        _ca("ca_default_critical_encoded", DerExtension.ExtensionDefaultEncoded.selector);
        _ca("ca_default_ca_encoded", X509Fields.BasicConstraintsInvalid.selector);
        _ca("ca_true_as_1", Der.DerBooleanInvalid.selector);
        _ca("ca_key_usage_padded", Der.DerBitStringInvalid.selector);
    }

    function test_submitIntermediateCa_serial_isOnePositiveInteger() external {
        _ca("ca_serial_zero", X509.SerialNumberZero.selector);
        _ca("ca_serial_negative", Der.DerIntegerNegative.selector);
        _ca("ca_serial_leading_zero", Der.DerIntegerNotMinimal.selector);
        _ca("ca_serial_empty", Der.DerIntegerNotMinimal.selector);
        _ca("ca_serial_of_161_bits", Der.DerIntegerTooLarge.selector);
        _ca("ca_long_length_form", Der.DerLengthInvalid.selector);
    }

    function test_submitIntermediateCa_otherAlgorithms_revert() external {
        _ca("ca_algorithms_differ", X509Fields.SignatureAlgorithmUnsupported.selector);
        _ca("ca_algorithms_differ_outside", X509Fields.SignatureAlgorithmUnsupported.selector);
        _ca("ca_version_1", X509Fields.CertificateVersionUnsupported.selector);
        _ca("ca_other_curve", X509Fields.PublicKeyUnsupported.selector);
    }

    function test_submitIntermediateCa_otherEncodings_revert() external {
        _ca("ca_indefinite_length", Der.DerLengthInvalid.selector);
        _ca("ca_signature_leading_zero", Der.DerIntegerNotMinimal.selector);
        _ca("ca_signature_trailing", Der.DerTrailingBytes.selector);
        _ca("ca_signature_unused_bits", Der.DerSignatureUnusedBits.selector);
        _ca("ca_signature_r_zero", IDcapCertificates.SignatureInvalid.selector);
        bytes memory good = der("platform_ca");
        vm.expectPartialRevert(Der.DerTrailingBytes.selector);
        store.submitIntermediateCa(abi.encodePacked(good, bytes1(0)));
    }

    function test_submitIntermediateCa_signatureRPlusN_reverts() external {
        // r + n is a second encoding of r wherever somebody reduces it; here it exceeds either the field or 256 bits.
        bytes memory input = der("ca_signature_r_plus_n");
        try store.submitIntermediateCa(input) {
            revert AssertionFailed("accepted", 1, 0);
        } catch (bytes memory reason) {
            bytes4 selector = bytes4(reason);
            bool refused =
                selector == IDcapCertificates.SignatureInvalid.selector || selector == Der.DerIntegerTooLarge.selector;
            assertTrue(refused, "a typed refusal");
        }
    }

    function test_submitIntermediateCa_truncatedAnywhere_reverts() external {
        bytes memory good = der("platform_ca");
        for (uint256 length = 0; length < good.length; ++length) {
            bytes memory cut = new bytes(length);
            for (uint256 i = 0; i < length; ++i) {
                cut[i] = good[i];
            }
            vm.expectPartialRevert(Der.DerTruncated.selector);
            store.submitIntermediateCa(cut);
        }
    }

    // --- TCB signers -------------------------------------------------------------------------------

    function test_submitTcbSigner_otherUse_reverts() external {
        _signer("signer_is_ca", IDcapCertificates.BasicConstraintsMismatch.selector);
        _signer("platform_ca", IDcapCertificates.BasicConstraintsMismatch.selector);
        _signer("signer_with_crl_sign", IDcapCertificates.KeyUsageMismatch.selector);
    }

    function test_submitTcbSigner_issuedByIntermediate_reverts() external {
        store.submitIntermediateCa(der("platform_ca"));
        _signer("signer_of_platform", IDcapCertificates.NotIssuedByRoot.selector);
        _signer("pck", IDcapCertificates.NotIssuedByRoot.selector);
    }

    // --- PCK certificates --------------------------------------------------------------------------

    function test_submitPckCertificate_attack_forgedUnderRealCa_reverts() external {
        _authorities();
        _pck("pck_of_attacker_as_platform", IDcapCertificates.SignatureInvalid.selector);
        _pck("pck_signed_by_processor", IDcapCertificates.SignatureInvalid.selector);
    }

    function test_submitPckCertificate_swappedIssuers_reverts() external {
        _authorities();
        _pck("pck_platform_key_id_processor_name", IDcapCertificates.IssuerMismatch.selector);
        _pck("pck_processor_key_id_platform_name", IDcapCertificates.IssuerMismatch.selector);
    }

    function test_submitPckCertificate_issuedByOtherRole_reverts() external {
        _authorities();
        store.submitPckCertificate(der("pck"));
        _pck("pck_of_leaf", IDcapCertificates.IssuerUnknown.selector);
        _pck("pck_of_root", IDcapCertificates.IssuerUnknown.selector);
        _pck("pck_of_signer", IDcapCertificates.AuthorityRoleMismatch.selector);
    }

    function test_submitPckCertificate_unknownIssuer_reverts() external {
        _pck("pck", IDcapCertificates.IssuerUnknown.selector);
    }

    function test_submitPckCertificate_otherUse_reverts() external {
        _authorities();
        _pck("pck_is_ca", IDcapCertificates.BasicConstraintsMismatch.selector);
        _pck("pck_with_cert_sign", IDcapCertificates.KeyUsageMismatch.selector);
        _pck("pck_without_digital_signature", IDcapCertificates.KeyUsageMismatch.selector);
        _pck("pck_expired", IDcapCertificates.CertificateExpired.selector);
    }

    function test_submitPckCertificate_malformedSgxExtension_reverts() external {
        _authorities();
        _pck("pck_without_sgx", ICertificateReader.SgxExtensionMissing.selector);
        _pck("pck_svn_256", Der.DerIntegerTooLarge.selector);
        _pck("pck_15_components", PckExtension.SgxExtensionItemMismatch.selector);
        _pck("pck_components_swapped", PckExtension.SgxExtensionItemMismatch.selector);
        _pck("pck_cpusvn_other", PckExtension.CpuSvnMismatch.selector);
        _pck("pck_sgx_trailing", Der.DerTrailingBytes.selector);
        _pck("platform_ca", ICertificateReader.SgxExtensionMissing.selector);
        _pck("tcb_signer", ICertificateReader.SgxExtensionMissing.selector);
    }

    /// @dev Every single byte of a genuine certificate changed, one after the other.
    function test_submitPckCertificate_anyByteChanged_reverts() external {
        _authorities();
        bytes memory leaf = der("pck");
        vm.pauseGasMetering(); // 1,000 submissions exceed a block
        for (uint256 i = 0; i < leaf.length; ++i) {
            bytes1 genuine = leaf[i];
            leaf[i] = genuine ^ bytes1(uint8(1 << (i % 8)));
            _expectTypedRefusal(leaf);
            leaf[i] = genuine;
        }
        store.submitPckCertificate(leaf);
    }

    function testFuzz_submitPckCertificate_oneByteChanged_reverts(uint256 position, uint8 mask) external {
        _authorities();
        bytes memory leaf = der("pck");
        leaf[position % leaf.length] ^= bytes1(mask == 0 ? 1 : mask);
        _expectTypedRefusal(leaf);
    }

    function testFuzz_submissions_randomBytes_revertTyped(bytes memory noise, bool framed) external {
        _authorities();
        if (framed) noise = abi.encodePacked(hex"3082", uint16(noise.length), noise);
        _expectTypedRefusal(noise);
        try store.submitCrl(noise) {
            revert AssertionFailed("accepted", 1, 0);
        } catch (bytes memory reason) {
            _requireTyped(reason);
        }
    }

    // --- CRLs --------------------------------------------------------------------------------------

    function test_submitCrl_signedByOther_reverts() external {
        _authorities();
        _crl("crl_platform_signed_by_processor", IDcapCertificates.SignatureInvalid.selector);
        _crl("crl_platform_in_processor_name", IDcapCertificates.IssuerMismatch.selector);
        _crl("crl_of_signer", IDcapCertificates.AuthorityRoleMismatch.selector);
        _crl("crl_of_attacker", IDcapCertificates.IssuerUnknown.selector);
        _crl("crl_in_root_name", IDcapCertificates.IssuerUnknown.selector);
    }

    function test_submitCrl_unknownIssuer_reverts() external {
        _crl("crl_platform", IDcapCertificates.IssuerUnknown.selector);
    }

    function test_submitCrl_outsideItsTime_reverts() external {
        _authorities();
        _crl("crl_platform_future", IDcapCertificates.CrlNotYetValid.selector);
        _crl("crl_platform_expired", IDcapCertificates.CrlExpired.selector);
    }

    function test_submitCrl_otherForms_revert() external {
        _authorities();
        _crl("crl_without_authority_key_id", Crl.CrlAuthorityKeyIdMissing.selector);
        _crl("crl_version_1", Crl.CrlVersionUnsupported.selector);
        _crl("crl_delta", DerExtension.ExtensionCriticalUnknown.selector);
        _crl("crl_entry_critical", DerExtension.ExtensionCriticalUnknown.selector);
        _crl("crl_entry_without_date", Der.DerTruncated.selector);
        _crl("crl_entry_impossible_date", DerTime.DerTimeInvalid.selector);
        _crl("crl_serial_negative", Der.DerIntegerNegative.selector);
        _crl("platform_ca", Crl.CrlVersionUnsupported.selector);
        bytes memory good = der("crl_platform");
        vm.expectPartialRevert(Der.DerTrailingBytes.selector);
        store.submitCrl(abi.encodePacked(good, bytes1(0)));
    }

    function test_submitCrl_anyByteChanged_reverts() external {
        _authorities();
        bytes memory crl = der("crl_platform");
        for (uint256 i = 0; i < crl.length; ++i) {
            bytes1 genuine = crl[i];
            crl[i] = genuine ^ bytes1(uint8(1 << (i % 8)));
            try store.submitCrl(crl) {
                revert AssertionFailed("accepted with a changed byte", i, 0);
            } catch (bytes memory reason) {
                _requireTyped(reason);
            }
            crl[i] = genuine;
        }
    }

    // --- helpers -----------------------------------------------------------------------------------

    function _authorities() private {
        store.submitIntermediateCa(der("platform_ca"));
        store.submitIntermediateCa(der("processor_ca"));
        store.submitTcbSigner(der("tcb_signer"));
    }

    function _ca(string memory name, bytes4 selector) private {
        bytes memory input = der(name);
        vm.expectPartialRevert(selector);
        store.submitIntermediateCa(input);
    }

    function _signer(string memory name, bytes4 selector) private {
        bytes memory input = der(name);
        vm.expectPartialRevert(selector);
        store.submitTcbSigner(input);
    }

    function _pck(string memory name, bytes4 selector) private {
        bytes memory input = der(name);
        vm.expectPartialRevert(selector);
        store.submitPckCertificate(input);
    }

    function _crl(string memory name, bytes4 selector) private {
        bytes memory input = der(name);
        vm.expectPartialRevert(selector);
        store.submitCrl(input);
        vm.expectPartialRevert(selector);
        store.submitCrlEntries(input, 0, 1);
    }

    function _expectTypedRefusal(bytes memory input) private {
        try store.submitPckCertificate(input) {
            revert AssertionFailed("accepted", 1, 0);
        } catch (bytes memory reason) {
            _requireTyped(reason);
        }
    }

    /// @dev Neither an empty revert nor a Panic (0x4e487b71): a rule of ours refused.
    function _requireTyped(bytes memory reason) private pure {
        assertTrue(reason.length >= 4, "a reason");
        assertTrue(bytes4(reason) != 0x4e487b71, "no panic");
    }
}
