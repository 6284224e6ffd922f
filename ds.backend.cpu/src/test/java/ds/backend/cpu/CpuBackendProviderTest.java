package ds.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.OutOfDeviceMemoryException;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.spi.Availability;
import ds.api.spi.ProviderException;
import ds.api.spi.ProviderOptions;
import ds.api.spi.Providers;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CpuBackendProviderTest {
    private static final Pattern MAPPING = Pattern.compile("([0-9a-f]+)-([0-9a-f]+) ");
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

    /** By the system's account of the mapping it lies in: nobody has touched it. */
    @Test
    void memoryHasItsPagesAtOnce() throws IOException {
        assumeTrue(canCommit(), "Linux 5.14 or later");
        try (TensorBackend backend = open(Map.of("threads", 2))) {
            Buffer committed = backend.allocate(COMMITTED_BYTES, "optimizerStates");
            long resident = residentKibibytes(committed.address());
            assertTrue(resident >= COMMITTED_BYTES / 1024, resident + " KiB of " + COMMITTED_BYTES + " bytes");
        }
    }

    /** {@return how much is resident of the mapping with this address} */
    private static long residentKibibytes(long address) throws IOException {
        boolean inside = false;
        for (String line : Files.readAllLines(Path.of("/proc/self/smaps"))) {
            Matcher mapping = MAPPING.matcher(line);
            if (mapping.lookingAt()) {
                inside = Long.parseUnsignedLong(mapping.group(1), 16) <= address
                        && address < Long.parseUnsignedLong(mapping.group(2), 16);
            } else if (inside && line.startsWith("Rss:")) {
                return Long.parseLong(line.replaceAll("[^0-9]", ""));
            }
        }
        throw new AssertionError("no mapping with " + Long.toHexString(address));
    }

    private static boolean canCommit() {
        String[] version = System.getProperty("os.version").split("[^0-9]", 3);
        return 1000 * Integer.parseInt(version[0]) + Integer.parseInt(version[1]) >= 5014;
    }

    /** In memory and threads of its own: the calling one. */
    @Test
    void aBackendForRehearsalComputes() {
        try (TensorBackend backend = new CpuBackendProvider().openForRehearsal().orElseThrow()) {
            Tensor x = backend.allocate(DType.F32, Shape.of(100_000), "weights");
            backend.kernels(backend.computeStream()).fill(x, 3);
            assertEquals(3f, x.host().getAtIndex(ValueLayout.JAVA_FLOAT, 99_999));
            assertEquals(x.byteSize(), backend.memory().liveBytes());
        }
    }

    private static TensorBackend open(Map<String, ?> options) {
        return new CpuBackendProvider().open(0, new ProviderOptions("ds.options", options));
    }
}
