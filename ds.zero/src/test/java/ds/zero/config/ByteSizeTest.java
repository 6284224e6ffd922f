package ds.zero.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ByteSizeTest {
    @ParameterizedTest
    @CsvSource({
        "6GiB,6442450944", "6 GiB,6442450944", "1.5GB,1500000000", "512MiB,536870912", "100KB,100000", "7B,7",
        "0.5KiB,512", "1TiB,1099511627776", "2TB,2000000000000", "0.3B,0", "3MB,3000000", "1KiB,1024"
    })
    void textsAreRead(String text, long bytes) {
        assertEquals(bytes, ByteSize.parse(text));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "6",
                "6G",
                "6gib",
                "GiB",
                "-1GiB",
                "1e3MB",
                "1,5GB",
                "6  GiB",
                " 6GiB",
                "6GiB ",
                ".5GB",
                "99999999TiB",
                ""
            })
    void otherTextsAreRefused(String text) {
        assertThrows(IllegalArgumentException.class, () -> ByteSize.parse(text));
    }

    @ParameterizedTest
    @CsvSource({
        "0,0 B,0 B",
        "999,999 B,999 B",
        "1000,0.98 KiB,1.00 KB",
        "1024,1.00 KiB,1.02 KB",
        "1288490189,1.20 GiB,1.29 GB",
        "31406250000,29.2 GiB,31.4 GB",
        "120000000000,112 GiB,120 GB",
        "999960000,954 MiB,1.00 GB"
    })
    void amountsHaveThreeDigits(long bytes, String binary, String decimal) {
        assertEquals(binary, ByteSize.inBinary(bytes));
        assertEquals(decimal, ByteSize.inDecimal(bytes));
    }

    @Test
    void limitOfARank() {
        assertEquals(
                OptionalLong.of(6L << 30),
                Configs.ONE_RANK
                        .parse("\"ds\": {\"memory_limit\": \"6GiB\"}")
                        .runtime()
                        .memoryLimitBytes());
        assertEquals(
                OptionalLong.empty(),
                Configs.ONE_RANK.parse("\"ds\": {}").runtime().memoryLimitBytes());
        Configs.ONE_RANK.assertProblem(
                "ds.memory_limit", "such as \"6GiB\"", "\"ds\": {\"memory_limit\": \"6 gigabytes\"}");
    }
}
