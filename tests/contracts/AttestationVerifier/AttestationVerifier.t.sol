// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AttestationVerifier} from "../../../contracts/attestation/AttestationVerifier.sol";
import {AttestedReport, TcbStatus, TeeKind} from "../../../contracts/interfaces/AttestationTypes.sol";
import {IAttestationRouter} from "../../../contracts/interfaces/IAttestationRouter.sol";
import {RegistryFixture} from "../registry/RegistryFixture.sol";
import {ScriptedVerifier} from "../registry/ScriptedVerifier.sol";

/// @dev docs/SPECIFICATION.md, AttestationVerifier.
contract AttestationVerifierTest is RegistryFixture {
    bytes20 private constant OTHER_PLATFORM = bytes20(keccak256("other platform"));

    ScriptedVerifier private sgx;
    ScriptedVerifier private tdx;

    function setUp() public override {
        super.setUp();
        (sgx, tdx) = (newVerifier(false), newVerifier(false));
    }

    function test_evidence_goes_to_the_verifier_of_its_kind_without_the_kind_byte() external {
        router = routerOf(TeeKind.SGX, address(sgx), TeeKind.TDX, address(tdx));
        AttestedReport memory report = reportOf(TeeKind.SGX, PLATFORM);
        sgx.scriptEvidence("quote", report);
        assertSame(abi.encode(router.verify("\x01quote")), abi.encode(report), "verified by SGX's verifier");
        expectError(abi.encodeWithSelector(ScriptedVerifier.EvidenceNotScripted.selector, keccak256("quote")));
        router.verify("\x02quote");
    }

    function test_the_body_may_be_empty_and_is_then_the_verifiers_to_refuse() external {
        expectError(abi.encodeWithSelector(ScriptedVerifier.EvidenceNotScripted.selector, keccak256("")));
        router.verify("\x02");
    }

    function test_empty_evidence_is_refused() external {
        expectError(IAttestationRouter.EvidenceEmpty.selector);
        router.verify("");
    }

    function testFuzz_kinds_without_a_route_are_refused(uint8 kind, bytes calldata rest) external {
        vm.assume(kind != uint8(TeeKind.TDX));
        expectError(abi.encodeWithSelector(IAttestationRouter.TeeKindUnsupported.selector, kind));
        router.verify(abi.encodePacked(kind, rest));
    }

    function test_a_report_of_another_kind_than_the_route_is_refused() external {
        AttestedReport memory report = reportOf(TeeKind.SGX, PLATFORM);
        verifier.scriptEvidence("quote", report);
        expectError(abi.encodeWithSelector(IAttestationRouter.TeeKindMismatch.selector, TeeKind.SGX, TeeKind.TDX));
        router.verify("\x02quote");
    }

    // --- platforms -------------------------------------------------------------------------------------

    function test_with_one_verifier_its_judgement_is_passed_on() external {
        verifier.scriptJudgement(PLATFORM, judgement(TcbStatus.OUT_OF_DATE));
        assertSame(
            abi.encode(router.judgePlatform(PLATFORM)), abi.encode(judgement(TcbStatus.OUT_OF_DATE)), "passed on"
        );
        expectError(abi.encodeWithSelector(ScriptedVerifier.PlatformNotScripted.selector, OTHER_PLATFORM));
        router.judgePlatform(OTHER_PLATFORM);
    }

    function test_one_verifier_of_two_kinds_needs_no_memory_of_its_platforms() external {
        router = routerOf(TeeKind.SGX, address(sgx), TeeKind.TDX, address(sgx));
        sgx.scriptJudgement(PLATFORM, judgement(TcbStatus.UP_TO_DATE));
        assertSame(abi.encode(router.judgePlatform(PLATFORM)), abi.encode(judgement(TcbStatus.UP_TO_DATE)), "passed on");
    }

    function test_with_several_verifiers_a_handle_leads_back_to_the_one_that_gave_it() external {
        router = routerOf(TeeKind.SGX, address(sgx), TeeKind.TDX, address(tdx));
        sgx.scriptEvidence("quote", reportOf(TeeKind.SGX, PLATFORM));
        tdx.scriptEvidence("quote", reportOf(TeeKind.TDX, OTHER_PLATFORM));
        sgx.scriptJudgement(PLATFORM, judgement(TcbStatus.UP_TO_DATE));
        tdx.scriptJudgement(PLATFORM, judgement(TcbStatus.REVOKED));
        tdx.scriptJudgement(OTHER_PLATFORM, judgement(TcbStatus.OUT_OF_DATE));
        expectError(abi.encodeWithSelector(IAttestationRouter.PlatformUnknown.selector, PLATFORM));
        router.judgePlatform(PLATFORM);
        router.verify("\x01quote");
        router.verify("\x02quote");
        router.verify("\x01quote");
        assertSame(abi.encode(router.judgePlatform(PLATFORM)), abi.encode(judgement(TcbStatus.UP_TO_DATE)), "SGX's");
        assertSame(
            abi.encode(router.judgePlatform(OTHER_PLATFORM)), abi.encode(judgement(TcbStatus.OUT_OF_DATE)), "TDX's"
        );
    }

    function test_one_handle_from_two_verifiers_is_refused() external {
        router = routerOf(TeeKind.SGX, address(sgx), TeeKind.TDX, address(tdx));
        sgx.scriptEvidence("quote", reportOf(TeeKind.SGX, PLATFORM));
        tdx.scriptEvidence("quote", reportOf(TeeKind.TDX, PLATFORM));
        router.verify("\x01quote");
        expectError(
            abi.encodeWithSelector(IAttestationRouter.PlatformAmbiguous.selector, PLATFORM, TeeKind.TDX, TeeKind.SGX)
        );
        router.verify("\x02quote");
    }

    // --- construction ----------------------------------------------------------------------------------

    function test_routes_are_readable_and_announced() external {
        vm.recordLogs();
        router = routerOf(TeeKind.NITRO, address(sgx), TeeKind.SEV_SNP, address(tdx));
        assertSame(vm.getRecordedLogs().length, 2, "an event each");
        assertSame(router.route(TeeKind.NITRO), address(sgx), "Nitro");
        assertSame(router.route(TeeKind.SEV_SNP), address(tdx), "SEV-SNP");
        assertSame(router.route(TeeKind.TDX), address(0), "no TDX");
        assertSame(router.route(TeeKind.NONE), address(0), "never for NONE");
    }

    function test_the_root_behind_the_routes_is_told() external {
        assertThat(!router.developmentRoot(), "vendor's");
        deploy(true);
        assertThat(router.developmentRoot(), "development");
    }

    function test_development_and_vendor_roots_never_mix() external {
        ScriptedVerifier development = newVerifier(true);
        expectError(abi.encodeWithSelector(IAttestationRouter.MixedRoots.selector, TeeKind.TDX, true));
        routerOf(TeeKind.SGX, address(sgx), TeeKind.TDX, address(development));
        expectError(abi.encodeWithSelector(IAttestationRouter.MixedRoots.selector, TeeKind.TDX, false));
        routerOf(TeeKind.SGX, address(development), TeeKind.TDX, address(tdx));
    }

    function test_routes_that_make_no_sense_are_refused() external {
        expectError(abi.encodeWithSelector(IAttestationRouter.RoutesMismatch.selector, uint256(0), uint256(0)));
        newRouter(new TeeKind[](0), new address[](0));
        expectError(abi.encodeWithSelector(IAttestationRouter.RoutesMismatch.selector, uint256(1), uint256(2)));
        newRouter(new TeeKind[](1), new address[](2));
        expectError(abi.encodeWithSelector(IAttestationRouter.RouteKindMissing.selector, uint256(1)));
        routerOf(TeeKind.SGX, address(sgx), TeeKind.NONE, address(tdx));
        expectError(abi.encodeWithSelector(IAttestationRouter.RouteDuplicate.selector, TeeKind.SGX));
        routerOf(TeeKind.SGX, address(sgx), TeeKind.SGX, address(tdx));
        expectError(abi.encodeWithSelector(IAttestationRouter.RouteNotAContract.selector, TeeKind.TDX, stranger));
        routerOf(TeeKind.SGX, address(sgx), TeeKind.TDX, stranger);
    }

    function routerOf(TeeKind kindA, address a, TeeKind kindB, address b) private returns (AttestationVerifier) {
        TeeKind[] memory kinds = new TeeKind[](2);
        address[] memory verifiers = new address[](2);
        (kinds[0], kinds[1], verifiers[0], verifiers[1]) = (kindA, kindB, a, b);
        return newRouter(kinds, verifiers);
    }

    function reportOf(TeeKind kind, bytes20 platform) private pure returns (AttestedReport memory report) {
        report.tee = kind;
        report.judgement = judgement(TcbStatus.UP_TO_DATE);
        report.workload = WORKLOAD;
        report.platform = platform;
    }
}
