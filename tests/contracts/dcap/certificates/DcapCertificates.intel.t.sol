// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Base64} from "solady/utils/Base64.sol";
import {LibString} from "solady/utils/LibString.sol";

import {IDcapCertificates, PckRecord} from "../../../../contracts/interfaces/IDcapCertificates.sol";

import {CertificatesHarness} from "./CertificatesHarness.sol";
import {CertificatesTest} from "./CertificatesTest.sol";

/// @notice Intel's own certificates and CRLs, at times at which they were valid.
contract DcapCertificatesIntelTest is CertificatesTest {
    bytes20 private constant PLATFORM = bytes20(0x956f5Dcdbd1BE1E94049C9d4F433cE01570bdE54);
    bytes20 private constant PROCESSOR = bytes20(0xD0E8AaDA75D7F92E4917983C7b1465D0D5f2594d);
    bytes20 private constant ROOT = bytes20(0x22650cd65A9D3489f383B49552bf501b392706Ac);

    CertificatesHarness private store;
    string private folder;

    function setUp() external {
        folder = string.concat(vm.envOr("XMTP_TEE_FIXTURES", "../shared/fixtures"), "/attestation/");
        bool absent = !vm.exists(string.concat(folder, "README.md"));
        vm.skip(absent, "attestation fixtures are absent");
        vm.warp(1_750_500_000);
        store = new CertificatesHarness(_file("intel-collateral/roots/Intel_SGX_Root_CA.der"), GRACE);
    }

    function test_constructor_intelRoot_isNotDevelopment() external view {
        assertTrue(!store.DEVELOPMENT_ROOT(), "development");
        assertEq(store.rootKeyHash(), store.INTEL_ROOT_KEY_HASH(), "key hash");
    }

    function test_authorities_intel_areAccepted() external {
        assertEq(_platform(), 0x95, "index");
        assertEq(store.authority(0x95).keyId, PLATFORM, "key id");
        uint8 signer = store.submitTcbSigner(_file("intel-collateral/roots/Intel_SGX_TCB_Signing.der"));
        store.submitCrl(_file("intel-collateral/2025-06/root_crl.der"));
        store.requireTcbSigner(signer);
    }

    function test_tdxV4_phala_chainIsAcceptedAndUsable() external {
        _platform();
        store.submitCrl(_collateral("phala/tdx_quote_collateral.json", ".root_ca_crl"));
        store.submitCrl(_collateral("phala/tdx_quote_collateral.json", ".pck_crl"));
        bytes[] memory chain = _chain("tdx/phala_tdx_quote.bin");
        uint256 before = gasleft();
        bytes32 pckId = store.submitPckCertificate(chain[0]);
        assertTrue(before - gasleft() < 400_000, "gas of a PCK certificate");
        PckRecord memory pck = store.requirePckStanding(pckId);
        assertEq(pck.componentSvns, bytes16(0x03030202040100050000000000000000), "component SVNs");
        assertEq(pck.pcesvn, 11, "PCESVN");
        assertEq(pck.fmspc, bytes6(0xb0c06f000000), "FMSPC");
        assertEq(pck.pceid, bytes2(0x0000), "PCEID");
        assertEq(pck.ppid, bytes16(0x811dca2a26b952e85bb6448b097ba4fd), "PPID");
        assertEq(pck.ca, 0x95, "Platform CA");
        assertEq(pck.notAfter, 1_959_722_751, "2032-02-06 23:25:51");
    }

    function test_sgxV3_processorCa_chainIsAcceptedAndUsable() external {
        bytes[] memory chain = _chain("sgx/phala_sgx_quote.bin");
        assertEq(store.submitIntermediateCa(chain[1]), 0xd0, "index");
        store.submitCrl(_collateral("phala/sgx_quote_collateral.json", ".root_ca_crl"));
        store.submitCrl(_collateral("phala/sgx_quote_collateral.json", ".pck_crl"));
        PckRecord memory pck = store.requirePckStanding(store.submitPckCertificate(chain[0]));
        assertEq(pck.fmspc, bytes6(0x00a067110000), "FMSPC");
        assertTrue(store.authority(0xd0).keyId == PROCESSOR, "Processor CA");
    }

    function test_otherQuotes_chainsAreAccepted() external {
        _platform();
        store.submitPckCertificate(_chain("sgx/automata_sgx_quote_v3.bin")[0]);
        store.submitPckCertificate(_chain("tdx/automata_tdx_quote_v4.bin")[0]);
        store.submitPckCertificate(_chain("tdx/automata_alibaba_quote_v5.bin")[0]);
        store.submitPckCertificate(_chain("tdx/flashtestations_0x12c14e56d585Dcf3B36f37476c00E78bA9363742.bin")[0]);
    }

    function test_rolesOfIntel_areNotInterchangeable() external {
        _platform();
        bytes[] memory chain = _chain("tdx/phala_tdx_quote.bin");
        vm.expectPartialRevert(IDcapCertificates.NotIssuedByRoot.selector);
        store.submitTcbSigner(chain[0]);
        vm.expectPartialRevert(IDcapCertificates.NotIssuedByRoot.selector);
        store.submitIntermediateCa(chain[0]);
        vm.expectPartialRevert(IDcapCertificates.BasicConstraintsMismatch.selector);
        store.submitTcbSigner(chain[1]);
        vm.expectPartialRevert(IDcapCertificates.PathLengthMismatch.selector);
        store.submitIntermediateCa(chain[2]);
    }

    function test_developmentRoot_intelChain_reverts() external {
        loadVectors();
        CertificatesHarness development = deploy("root");
        bytes memory platform = _file("intel-collateral/roots/Intel_SGX_PCK_Platform_CA.der");
        vm.expectPartialRevert(IDcapCertificates.NotIssuedByRoot.selector);
        development.submitIntermediateCa(platform);
        platform = der("platform_ca");
        vm.expectPartialRevert(IDcapCertificates.NotIssuedByRoot.selector);
        store.submitIntermediateCa(platform);
    }

    function test_crls_ofIntel_inOrder() external {
        _platform();
        vm.warp(1_749_095_100);
        store.submitCrl(_file("intel-collateral/2025-06/platform_crl.der"));
        vm.warp(1_760_400_000);
        store.submitCrl(_file("intel-collateral/2025-10/pck_crl.der"));
        bytes memory older = _file("intel-collateral/2025-08/platform_crl.der");
        vm.warp(1_755_300_000);
        vm.expectPartialRevert(IDcapCertificates.CrlNotYetValid.selector);
        store.submitCrl(_file("intel-collateral/2025-10/pck_crl.der"));
        vm.expectPartialRevert(IDcapCertificates.CrlOlder.selector);
        store.submitCrl(older);
    }

    /// @dev Intel's list of 129 entries, and the one of 57 that followed it on the same day.
    function test_crls_ofIntel_129Entries_fitAndNeverShrink() external {
        _platform();
        vm.warp(1_784_300_000);
        bytes memory long = _file("intel-collateral/2026-07/platform-129-20260716.der");
        uint256 before = gasleft();
        store.submitCrl(long);
        uint256 used = before - gasleft();
        assertTrue(used < 4_500_000, "gas of 129 new entries");
        before = gasleft();
        store.submitCrl(_file("intel-collateral/2026-07/platform-57-20260716.der"));
        assertTrue(before - gasleft() < used, "gas of 57 entries");
        assertTrue(store.isRevoked(PLATFORM, uint160(0x6FC34E5023e728923435D61AA4b83c618166ad35)), "first of the 57");
        assertTrue(store.isRevoked(PLATFORM, uint160(0x6C2B81D7EA2E436720CE29F1d0b1cCB7a218600F)), "last of the 57");
        assertEq(store.authority(0x95).crlThisUpdate, 1_784_202_218, "this update");
        vm.expectPartialRevert(IDcapCertificates.CrlOlder.selector);
        store.submitCrl(long);
    }

    function test_crlOfRoot_isNotTheCasList() external {
        store.submitCrl(_file("intel-collateral/2025-06/root_crl.der"));
        (uint40 thisUpdate,,) = store.rootCrl();
        assertEq(thisUpdate, 1_742_469_717, "this update");
        assertTrue(!store.isRevoked(ROOT, 1), "nothing is revoked");
    }

    function testFuzz_leafOfIntel_oneByteChanged_reverts(uint256 position, uint8 mask) external {
        _platform();
        bytes memory leaf = _chain("tdx/phala_tdx_quote.bin")[0];
        leaf[position % leaf.length] ^= bytes1(mask == 0 ? 1 : mask);
        try store.submitPckCertificate(leaf) {
            revert AssertionFailed("accepted", position % leaf.length, mask);
        } catch (bytes memory reason) {
            assertTrue(reason.length >= 4 && bytes4(reason) != 0x4e487b71, "a typed refusal");
        }
    }

    function _platform() private returns (uint8) {
        return store.submitIntermediateCa(_file("intel-collateral/roots/Intel_SGX_PCK_Platform_CA.der"));
    }

    function _file(string memory path) private view returns (bytes memory) {
        return vm.readFileBinary(string.concat(folder, path));
    }

    function _collateral(string memory path, string memory field) private view returns (bytes memory) {
        string memory json = vm.readFile(string.concat(folder, "intel-collateral/", path));
        return vm.parseBytes(string.concat("0x", vm.parseJsonString(json, field)));
    }

    /// @dev The PEM chain at the end of a quote: leaf, CA, root.
    function _chain(string memory path) private view returns (bytes[] memory chain) {
        string memory quote = string(_file(path));
        chain = new bytes[](3);
        uint256 from;
        for (uint256 i = 0; i < 3; ++i) {
            uint256 begin = LibString.indexOf(quote, "-----BEGIN CERTIFICATE-----", from) + 27;
            uint256 end = LibString.indexOf(quote, "-----END CERTIFICATE-----", begin);
            string memory body = LibString.slice(quote, begin, end);
            chain[i] = Base64.decode(LibString.replace(LibString.replace(body, "\n", ""), "\r", ""));
            from = end;
        }
    }
}
