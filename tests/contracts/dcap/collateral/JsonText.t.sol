// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {DateTimeLib} from "solady/utils/DateTimeLib.sol";
import {LibString} from "solady/utils/LibString.sol";

import {JsonText} from "../../../../contracts/attestation/dcap/JsonText.sol";
import {JsonTextHarness} from "./JsonTextHarness.sol";

/// @notice Each writer against a plain version.
contract JsonTextTest {
    JsonTextHarness private immutable HARNESS = new JsonTextHarness();

    function testFuzz_decimal_has_no_leading_zeros(uint32 value) external view {
        _same(HARNESS.decimal(value), LibString.toString(uint256(value)));
    }

    function test_decimal_at_its_edges() external view {
        _same(HARNESS.decimal(0), "0");
        _same(HARNESS.decimal(9), "9");
        _same(HARNESS.decimal(10), "10");
        _same(HARNESS.decimal(255), "255");
        _same(HARNESS.decimal(65_535), "65535");
        _same(HARNESS.decimal(16_777_215), "16777215");
    }

    function testFuzz_hex_is_upper_case(bytes16 value) external view {
        string memory lower = LibString.toHexStringNoPrefix(uint256(uint128(value)), 16);
        _same(HARNESS.hex16(value), LibString.upper(lower));
    }

    function testFuzz_advisory_has_five_digits(uint16 id) external view {
        string memory digits = LibString.toString(uint256(id));
        string memory zeros = LibString.slice("00000", bytes(digits).length);
        _same(HARNESS.advisory(id), string.concat('"INTEL-SA-', zeros, digits, '",'));
    }

    function testFuzz_date_is_the_civil_date(uint256 unixSeconds) external view {
        unixSeconds %= 253_402_300_800;
        (uint256 year, uint256 month, uint256 day, uint256 hour, uint256 minute, uint256 second) =
            DateTimeLib.timestampToDateTime(unixSeconds);
        string memory date = string.concat(_digits(year, 4), "-", _digits(month, 2), "-", _digits(day, 2), "T");
        string memory time = string.concat(_digits(hour, 2), ":", _digits(minute, 2), ":", _digits(second, 2), "Z");
        _same(HARNESS.date(unixSeconds), string.concat(date, time));
    }

    function test_dates_at_the_edges() external view {
        _same(HARNESS.date(0), "1970-01-01T00:00:00Z");
        _same(HARNESS.date(951_782_399), "2000-02-28T23:59:59Z");
        _same(HARNESS.date(951_782_400), "2000-02-29T00:00:00Z");
        _same(HARNESS.date(1_709_251_199), "2024-02-29T23:59:59Z");
        _same(HARNESS.date(1_735_689_599), "2024-12-31T23:59:59Z");
        _same(HARNESS.date(4_107_542_400), "2100-03-01T00:00:00Z");
        _same(HARNESS.date(253_402_300_799), "9999-12-31T23:59:59Z");
    }

    function test_a_date_that_four_digits_cannot_say_is_refused() external view {
        try HARNESS.date(253_402_300_800) returns (string memory) {
            revert("not refused");
        } catch (bytes memory reason) {
            bytes memory expected = abi.encodeWithSelector(JsonText.DateOutOfRange.selector, 253_402_300_800);
            require(keccak256(reason) == keccak256(expected), "another error");
        }
    }

    function test_statuses() external view {
        string[8] memory names = [
            "",
            "UpToDate",
            "SWHardeningNeeded",
            "ConfigurationNeeded",
            "ConfigurationAndSWHardeningNeeded",
            "OutOfDate",
            "OutOfDateConfigurationNeeded",
            "Revoked"
        ];
        for (uint8 status = 1; status < 8; ++status) {
            _same(HARNESS.status(status), names[status]);
        }
    }

    function testFuzz_an_unknown_status_is_refused(uint8 status) external view {
        if (status != 0 && status < 8) status = 0;
        try HARNESS.status(status) returns (string memory) {
            revert("not refused");
        } catch (bytes memory reason) {
            bytes memory expected = abi.encodeWithSelector(JsonText.StatusUnknown.selector, status);
            require(keccak256(reason) == keccak256(expected), "another error");
        }
    }

    function _digits(uint256 value, uint256 count) private pure returns (string memory) {
        string memory digits = LibString.toString(value);
        return string.concat(LibString.slice("0000", 4 - (count - bytes(digits).length)), digits);
    }

    function _same(string memory got, string memory expected) private pure {
        require(keccak256(bytes(got)) == keccak256(bytes(expected)), string.concat(got, " is not ", expected));
    }
}
