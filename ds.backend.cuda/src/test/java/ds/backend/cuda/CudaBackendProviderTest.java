package ds.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.spi.Availability;
import ds.api.spi.ProviderException;
import ds.api.spi.ProviderOptions;
import ds.cuda.CudaDriver;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the provider says of itself, with a GPU and without. */
class CudaBackendProviderTest {
    private final CudaBackendProvider provider = new CudaBackendProvider();

    @Test
    void saysWhatIsThereOrWhatIsMissing() {
        switch (provider.availability()) {
            case Availability.Available(String description) -> assertTrue(description.contains("sm_"), description);
            case Availability.Unavailable(String reason) -> {
                assertTrue(reason.length() > 20, reason);
                ProviderException refused = assertThrows(
                        ProviderException.class, () -> provider.open(0, ProviderOptions.none("ds.options")));
                assertTrue(refused.getMessage().contains(reason), refused.getMessage());
            }
        }
    }

    @Test
    void unknownAndImpossibleOptionsAreRefused() {
        ProviderOptions unknown = new ProviderOptions("ds.options", Map.of("threads", 2));
        assertTrue(assertThrows(ProviderException.class, () -> provider.open(0, unknown))
                .getMessage()
                .contains("threads"));
        ProviderOptions negative = new ProviderOptions("ds.options", Map.of("memory_limit_bytes", -1));
        assertTrue(assertThrows(ProviderException.class, () -> provider.open(0, negative))
                .getMessage()
                .contains("memory_limit_bytes = -1"));
    }

    @ParameterizedTest
    @ValueSource(longs = {-1, 0, 33})
    void aNumberOfCandidatesOutOfRangeIsRefusedWithTheRange(long candidates) {
        ProviderOptions wrong = new ProviderOptions("ds.options", Map.of("product_candidates", candidates));
        String message = assertThrows(ProviderException.class, () -> provider.open(0, wrong))
                .getMessage();
        assertTrue(message.contains("product_candidates = " + candidates), message);
        assertTrue(message.contains("1 to 32"), message);
    }

    @Test
    void plansKnowTheTypeOfDeviceWithoutOpeningOne() {
        assertEquals("cuda", provider.deviceType());
        assertEquals("cuda", provider.name());
    }

    /** V100: CUDA 13 has dropped it. T4, A100, H100, B200: the newest that the driver knows. */
    @ParameterizedTest
    @CsvSource({"13000, 7, 0, 12", "12090, 7, 0, 12", "13000, 7, 5, 13", "12040, 9, 0, 12", "13010, 10, 0, 13"})
    void librariesFitDriverAndDevice(int driver, int major, int minor, int first) {
        CudaDriver.Properties device = new CudaDriver.Properties(0, "any", 1L << 34, major, minor, 80);
        assertEquals(first, CudaBackendProvider.majors(driver, device).getFirst());
        assertEquals("sm_" + major + minor, device.architecture());
    }
}
