package ds.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ds.api.OutOfDeviceMemoryException;
import ds.api.TensorBackend;
import ds.api.spi.Availability;
import ds.api.spi.ProviderException;
import ds.api.spi.ProviderOptions;
import ds.api.spi.Providers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CpuBackendProviderTest {
    private static final long COMMITTED_BYTES = (200L << 20) + 5000; // no whole number of pages

    @Test
    void isFoundByItsNameAndAvailable() {
        var provider = Providers.backends().get("cpu");
        assertEquals("cpu", provider.name());
        var available = assertInstanceOf(Availability.Available.class, provider.availability());
        assertTrue(available.description().startsWith("oneDNN 3."), available.description());
        assertEquals("module ds.backend.cpu", Providers.origin(provider));
    }

    @Test
    void unknownOptionIsNamed() {
        ProviderException refused = assertThrows(ProviderException.class, () -> open(Map.of("thread", 2)));
        assertTrue(refused.getMessage().contains("ds.options.thread = 2"), refused.getMessage());
        assertTrue(refused.getMessage().contains("threads"), refused.getMessage());
    }

    @ParameterizedTest
    @ValueSource(ints = {0, -1, 1025})
    void absurdNumbersOfThreadsAreRefused(int threads) {
        ProviderException refused = assertThrows(ProviderException.class, () -> open(Map.of("threads", threads)));
        assertTrue(refused.getMessage().contains("threads = " + threads), refused.getMessage());
    }

    @Test
    void memoryLimitNamesWhatIsLiveAndTheRemedy() {
        try (TensorBackend backend = open(Map.of("threads", 1, "memory_limit_bytes", 1000))) {
            backend.allocate(600, "weights");
            var refused = assertThrows(OutOfDeviceMemoryException.class, () -> backend.allocate(401, "gradients"));
            for (String part : new String[] {"401 bytes", "'gradients'", "weights=600", "1000", "memory_limit_bytes"}) {
                assertTrue(refused.getMessage().contains(part), part + " in: " + refused.getMessage());
            }
            backend.allocate(400, "gradients").close();
        }
    }

    /** By the system's account of this process, in pages of 4 KiB: nobody has touched them. */
    @Test
    void memoryHasItsPagesAtOnce() throws IOException {
        assumeTrue(canCommit(), "Linux 5.14 or later");
        try (TensorBackend backend = open(Map.of("threads", 2))) {
            long before = residentBytes();
            backend.allocate(COMMITTED_BYTES, "optimizerStates");
            long taken = residentBytes() - before;
            assertTrue(taken > COMMITTED_BYTES * 9 / 10, taken + " of " + COMMITTED_BYTES + " bytes");
        }
    }

    private static long residentBytes() throws IOException {
        return 4096
                * Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ", -1)[1]);
    }

    private static boolean canCommit() {
        String[] version = System.getProperty("os.version").split("[^0-9]", 3);
        return 1000 * Integer.parseInt(version[0]) + Integer.parseInt(version[1]) >= 5014;
    }

    private static TensorBackend open(Map<String, ?> options) {
        return new CpuBackendProvider().open(0, new ProviderOptions("ds.options", options));
    }
}
