// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Der} from "../../../../contracts/encoding/Der.sol";
import {DerEcdsaSignature} from "../../../../contracts/encoding/DerEcdsaSignature.sol";
import {DerExtension} from "../../../../contracts/encoding/DerExtension.sol";
import {DerTime} from "../../../../contracts/encoding/DerTime.sol";
import {DateTimeLib} from "solady/utils/DateTimeLib.sol";

import {CertificatesTest} from "./CertificatesTest.sol";

/// @notice Opens the libraries: each function reads one value that must fill the input.
contract DerHarness {
    function unsigned(bytes memory input, uint256 limit) external pure returns (uint256 value) {
        uint256 next;
        (value, next) = Der.unsigned(input, 0, input.length, limit);
        Der.finish(next, input.length);
    }

    function boolean(bytes memory input) external pure returns (bool value) {
        (value,) = Der.boolean(input, 0, input.length);
    }

    function octets(bytes memory input, uint256 length) external pure returns (bytes32 value) {
        (value,) = Der.octets(input, 0, input.length, length);
    }

    function objectIdentifier(bytes memory input) external pure returns (uint256 oid) {
        (oid,) = Der.objectIdentifier(input, 0, input.length);
    }

    function namedBits(bytes memory input) external pure returns (uint16 bits) {
        (bits,) = Der.namedBits(input, 0, input.length);
    }

    function sequence(bytes memory input) external pure returns (uint256 start, uint256 stop) {
        return Der.enter(input, 0, input.length, Der.SEQUENCE);
    }

    function finish(uint256 offset, uint256 end) external pure {
        Der.finish(offset, end);
    }

    function time(bytes memory input) external pure returns (uint40 value) {
        (value,) = DerTime.read(input, 0, input.length);
    }

    function signature(bytes memory input) external pure returns (uint256 r, uint256 s) {
        return DerEcdsaSignature.readLast(input, 0, input.length);
    }

    function extension(bytes memory input)
        external
        pure
        returns (uint256 oid, bool critical, uint256 start, uint256 stop)
    {
        return DerExtension.read(input, 0, input.length);
    }
}

contract DerTest is CertificatesTest {
    DerHarness private reader = new DerHarness();

    // --- lengths -----------------------------------------------------------------------------------

    function test_enter_shortForm_givesContent() external view {
        (uint256 start, uint256 stop) = reader.sequence(hex"3003020101");
        assertEq(start, 2, "start");
        assertEq(stop, 5, "stop");
    }

    function test_enter_longForms_giveContent() external view {
        (uint256 start, uint256 stop) = reader.sequence(abi.encodePacked(hex"308180", new bytes(128)));
        assertEq(start, 3, "start");
        assertEq(stop, 131, "stop");
        (start, stop) = reader.sequence(abi.encodePacked(hex"30820100", new bytes(256)));
        assertEq(start, 4, "start");
        assertEq(stop, 260, "stop");
        (start, stop) = reader.sequence(abi.encodePacked(hex"3083010000", new bytes(65_536)));
        assertEq(start, 5, "start");
        assertEq(stop, 65_541, "stop");
    }

    function test_enter_indefiniteLength_reverts() external {
        vm.expectRevert(abi.encodeWithSelector(Der.DerLengthInvalid.selector, 1, 0x80));
        reader.sequence(hex"30800000");
    }

    function test_enter_longFormForShortLength_reverts() external {
        vm.expectRevert(abi.encodeWithSelector(Der.DerLengthInvalid.selector, 1, 0x81));
        reader.sequence(abi.encodePacked(hex"30817f", new bytes(127)));
        vm.expectRevert(abi.encodeWithSelector(Der.DerLengthInvalid.selector, 1, 0x82));
        reader.sequence(abi.encodePacked(hex"308200ff", new bytes(255)));
        vm.expectRevert(abi.encodeWithSelector(Der.DerLengthInvalid.selector, 1, 0x83));
        reader.sequence(abi.encodePacked(hex"308300ffff", new bytes(65_535)));
    }

    function test_enter_lengthOf4Octets_reverts() external {
        vm.expectRevert(abi.encodeWithSelector(Der.DerLengthInvalid.selector, 1, 0x84));
        reader.sequence(hex"30840100000000");
        vm.expectRevert(abi.encodeWithSelector(Der.DerLengthInvalid.selector, 1, 0xff));
        reader.sequence(hex"30ff0100000000");
    }

    function test_enter_truncated_reverts() external {
        vm.expectRevert(abi.encodeWithSelector(Der.DerTruncated.selector, 0, 2, 0));
        reader.sequence("");
        vm.expectRevert(abi.encodeWithSelector(Der.DerTruncated.selector, 0, 2, 1));
        reader.sequence(hex"30");
        vm.expectRevert(abi.encodeWithSelector(Der.DerTruncated.selector, 0, 4, 3));
        reader.sequence(hex"308201");
        vm.expectRevert(abi.encodeWithSelector(Der.DerTruncated.selector, 0, 5, 4));
        reader.sequence(hex"30030201");
    }

    function test_enter_otherTag_reverts() external {
        vm.expectRevert(abi.encodeWithSelector(Der.DerTagMismatch.selector, 0, 0x31, 0x30));
        reader.sequence(hex"3100");
    }

    function test_finish_bytesLeft_reverts() external {
        vm.expectRevert(abi.encodeWithSelector(Der.DerTrailingBytes.selector, 3, 4));
        reader.finish(3, 4);
        reader.finish(4, 4);
    }

    // --- INTEGER -----------------------------------------------------------------------------------

    function test_unsigned_minimalForms_giveValue() external view {
        assertEq(reader.unsigned(hex"020100", 0), 0, "zero");
        assertEq(reader.unsigned(hex"02017f", 127), 127, "127");
        assertEq(reader.unsigned(hex"02020080", 128), 128, "128");
        assertEq(
            reader.unsigned(
                hex"022100ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", type(uint256).max
            ),
            type(uint256).max,
            "2^256 - 1"
        );
    }

    function test_unsigned_leadingZero_reverts() external {
        vm.expectRevert(abi.encodeWithSelector(Der.DerIntegerNotMinimal.selector, 0));
        reader.unsigned(hex"0202007f", 255);
        vm.expectRevert(abi.encodeWithSelector(Der.DerIntegerNotMinimal.selector, 0));
        reader.unsigned(hex"02020000", 255);
        vm.expectRevert(abi.encodeWithSelector(Der.DerIntegerNotMinimal.selector, 0));
        reader.unsigned(hex"0200", 255);
    }

    function test_unsigned_negative_reverts() external {
        vm.expectRevert(abi.encodeWithSelector(Der.DerIntegerNegative.selector, 0));
        reader.unsigned(hex"020180", 255);
        vm.expectRevert(abi.encodeWithSelector(Der.DerIntegerNegative.selector, 0));
        reader.unsigned(hex"0202ff7f", 255);
    }

    function test_unsigned_aboveLimit_reverts() external {
        vm.expectRevert(abi.encodeWithSelector(Der.DerIntegerTooLarge.selector, 0, 254));
        reader.unsigned(hex"020200ff", 254);
        vm.expectRevert(abi.encodeWithSelector(Der.DerIntegerTooLarge.selector, 0, type(uint256).max));
        reader.unsigned(hex"0221010000000000000000000000000000000000000000000000000000000000000000", type(uint256).max);
    }

    function testFuzz_unsigned_anyValue_roundTrips(uint256 value) external view {
        bytes memory content = abi.encodePacked(value);
        uint256 zeros;
        while (zeros < 31 && content[zeros] == 0) ++zeros;
        bytes memory minimal = new bytes(32 - zeros);
        for (uint256 i = 0; i < minimal.length; ++i) {
            minimal[i] = content[zeros + i];
        }
        if (uint8(minimal[0]) >= 0x80) minimal = abi.encodePacked(bytes1(0), minimal);
        bytes memory input = abi.encodePacked(bytes1(0x02), uint8(minimal.length), minimal);
        assertEq(reader.unsigned(input, type(uint256).max), value, "value");
    }

    // --- other types -------------------------------------------------------------------------------

    function test_boolean_onlyDerForms() external {
        assertTrue(reader.boolean(hex"0101ff"), "true");
        assertTrue(!reader.boolean(hex"010100"), "false");
        vm.expectRevert(abi.encodeWithSelector(Der.DerBooleanInvalid.selector, 0, 0x01));
        reader.boolean(hex"010101");
        vm.expectRevert(abi.encodeWithSelector(Der.DerContentLengthMismatch.selector, 0, 2, 1));
        reader.boolean(hex"0102ffff");
    }

    function test_octets_leftAligned() external {
        assertEq(reader.octets(hex"0403a1a2a3", 3), bytes32(bytes3(0xa1a2a3)), "value");
        vm.expectRevert(abi.encodeWithSelector(Der.DerContentLengthMismatch.selector, 0, 2, 3));
        reader.octets(hex"0402a1a2", 3);
    }

    function test_objectIdentifier_lengthDistinguishes() external {
        uint256 plain = reader.objectIdentifier(hex"0603551d0f");
        assertEq(plain, (3 << 248) | 0x551d0f, "2.5.29.15");
        assertTrue(plain != reader.objectIdentifier(hex"060400551d0f"), "leading zero");
        assertTrue(plain != reader.objectIdentifier(hex"0604551d0f00"), "trailing zero");
        vm.expectRevert(abi.encodeWithSelector(Der.DerObjectIdentifierInvalid.selector, 0, 0));
        reader.objectIdentifier(hex"0600");
        vm.expectRevert(abi.encodeWithSelector(Der.DerObjectIdentifierInvalid.selector, 0, 32));
        reader.objectIdentifier(abi.encodePacked(hex"0620", new bytes(32)));
    }

    function test_namedBits_trailingZerosDropped() external {
        assertEq(reader.namedBits(hex"03020106"), 0x0600, "keyCertSign and cRLSign");
        assertEq(reader.namedBits(hex"030206c0"), 0xc000, "digitalSignature and nonRepudiation");
        assertEq(reader.namedBits(hex"0303070080"), 0x0080, "decipherOnly");
        assertEq(reader.namedBits(hex"03020001"), 0x0100, "bit 7");
        bytes[7] memory bad = [
            bytes(hex"03020006"), // an unused bit counted as used
            hex"03020206", // a used bit counted as unused
            hex"03020106ff", // is fine: what follows is not part of the value
            hex"03020700", // no bit at all
            hex"03020880", // 8 unused bits
            hex"0303018000", // a byte of zeros at the end
            hex"0302ff80"
        ];
        for (uint256 i = 0; i < bad.length; ++i) {
            if (i == 2) {
                assertEq(reader.namedBits(bad[i]), 0x0600, "with a successor");
                continue;
            }
            vm.expectRevert(abi.encodeWithSelector(Der.DerBitStringInvalid.selector, 0));
            reader.namedBits(bad[i]);
        }
        vm.expectRevert(abi.encodeWithSelector(Der.DerContentLengthMismatch.selector, 0, 1, 2));
        reader.namedBits(hex"030100");
    }

    function test_signature_onlyStrictForm() external {
        (uint256 r, uint256 s) = reader.signature(hex"0309003006020101020102");
        assertEq(r, 1, "r");
        assertEq(s, 2, "s");
        vm.expectRevert(abi.encodeWithSelector(Der.DerSignatureUnusedBits.selector, 2, 1));
        reader.signature(hex"0309013006020101020102");
        vm.expectRevert(abi.encodeWithSelector(Der.DerTrailingBytes.selector, 11, 12));
        reader.signature(hex"030900300602010102010200");
        vm.expectRevert(abi.encodeWithSelector(Der.DerTrailingBytes.selector, 11, 14));
        reader.signature(hex"030c003009020101020102020103");
        vm.expectRevert(abi.encodeWithSelector(Der.DerTruncated.selector, 2, 1, 0));
        reader.signature(hex"0300");
    }

    function test_extension_readsFlagAndValue() external {
        (uint256 oid, bool critical, uint256 start, uint256 stop) =
            reader.extension(hex"300e0603551d0f0101ff040403020106");
        assertEq(oid, (3 << 248) | 0x551d0f, "oid");
        assertTrue(critical, "critical");
        assertEq(start, 12, "start");
        assertEq(stop, 16, "stop");
        vm.expectRevert(abi.encodeWithSelector(DerExtension.ExtensionDefaultEncoded.selector, 0));
        reader.extension(hex"300e0603551d0f010100040403020106");
        vm.expectRevert(abi.encodeWithSelector(Der.DerTrailingBytes.selector, 16, 18));
        reader.extension(hex"30100603551d0f0101ff0404030201060500");
    }

    // --- time --------------------------------------------------------------------------------------

    function test_time_bothForms_giveUnixSeconds() external view {
        assertEq(reader.time("\x17\x0d700101000000Z"), 0, "the epoch");
        assertEq(reader.time("\x17\x0d250506092500Z"), 1_746_523_500, "UTCTime");
        assertEq(reader.time("\x17\x0d491231235959Z"), 2_524_607_999, "the last UTCTime");
        assertEq(reader.time("\x18\x0f20500101000000Z"), 2_524_608_000, "the first GeneralizedTime");
        assertEq(reader.time("\x18\x0f99991231235959Z"), 253_402_300_799, "no expiry");
        assertEq(reader.time("\x17\x0d240229000000Z"), 1_709_164_800, "a leap day");
    }

    function test_time_otherForms_revert() external {
        bytes[14] memory bad = [
            bytes("\x17\x0d691231235959Z"), // before 1970: 1969
            "\x17\x0d230229000000Z", // not a leap year
            "\x17\x0d250431000000Z", // April has 30 days
            "\x17\x0d251301000000Z", // month 13
            "\x17\x0d250001000000Z", // month 0
            "\x17\x0d250100000000Z", // day 0
            "\x17\x0d250101240000Z", // hour 24
            "\x17\x0d250101006000Z", // minute 60
            "\x17\x0d250101000060Z", // second 60
            "\x17\x0d2501010000000", // no Z
            "\x17\x0d25010100000:Z", // ':' follows '9'
            "\x17\x0d25010100000/Z", // '/' precedes '0'
            "\x18\x0f20491231235959Z", // should be UTCTime
            "\x17\x0d500101000000Z" // 1950
        ];
        for (uint256 i = 0; i < bad.length; ++i) {
            vm.expectPartialRevert(DerTime.DerTimeInvalid.selector);
            reader.time(bad[i]);
        }
        vm.expectRevert(abi.encodeWithSelector(Der.DerContentLengthMismatch.selector, 0, 11, 13));
        reader.time("\x17\x0b2501010000Z");
        vm.expectRevert(abi.encodeWithSelector(Der.DerContentLengthMismatch.selector, 0, 17, 13));
        reader.time("\x17\x11250101000000+0100");
        vm.expectRevert(abi.encodeWithSelector(Der.DerContentLengthMismatch.selector, 0, 17, 15));
        reader.time("\x18\x1120500101000000.5Z");
        vm.expectRevert(abi.encodeWithSelector(Der.DerTagMismatch.selector, 0, 0x16, 0x17));
        reader.time("\x16\x0d250101000000Z");
    }

    function testFuzz_time_anyTime_roundTrips(uint256 seed) external view {
        uint256 unix = seed % 253_402_300_800;
        (uint256 year, uint256 month, uint256 day, uint256 hour, uint256 minute, uint256 second) =
            DateTimeLib.timestampToDateTime(unix);
        bytes memory rest = abi.encodePacked(_pair(month), _pair(day), _pair(hour), _pair(minute), _pair(second), "Z");
        bytes memory input = year < 2050
            ? abi.encodePacked(hex"170d", _pair(year % 100), rest)
            : abi.encodePacked(hex"180f", _pair(year / 100), _pair(year % 100), rest);
        assertEq(reader.time(input), unix, "unix seconds");
    }

    function _pair(uint256 value) private pure returns (bytes2) {
        return bytes2(uint16((0x30 + value / 10) << 8 | (0x30 + value % 10)));
    }
}
