package ds.api.spi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.ServiceConfigurationError;
import org.junit.jupiter.api.Test;

class ProvidersTest {
    private record Named(String name, Availability availability) implements Provider {
        Named(String name) {
            this(name, new Availability.Available("test"));
        }
    }

    @Test
    void isFoundByExactName() {
        Named tcp = new Named("tcp");
        Providers<Named> providers = Providers.of("ds.communicator", List.of(tcp, new Named("nccl")));
        assertSame(tcp, providers.get("tcp"));
        assertTrue(providers.contains("nccl"));
        assertFalse(providers.contains("TCP"));
        assertEquals(
                List.of("nccl", "tcp"),
                providers.all().stream().map(Provider::name).toList());
    }

    @Test
    void unknownNameListsWhatWasFound() {
        Providers<Named> providers = Providers.of("ds.communicator", List.of(new Named("tcp"), new Named("x")));
        ProviderException thrown = assertThrows(ProviderException.class, () -> providers.get("nccl"));
        assertTrue(
                thrown.getMessage().startsWith("ds.communicator = nccl: no such provider; found [tcp, x]"),
                thrown.getMessage());
    }

    @Test
    void unavailableProviderGivesItsReason() {
        Providers<Named> providers =
                Providers.of("ds.backend", List.of(new Named("cuda", new Availability.Unavailable("no driver"))));
        ProviderException thrown = assertThrows(ProviderException.class, () -> providers.get("cuda"));
        assertEquals("ds.backend = cuda: not available on this machine: no driver", thrown.getMessage());
        assertTrue(providers.contains("cuda"), "it is there, although it is not available");
    }

    @Test
    void duplicatesAreRejectedWithTheirOrigins() {
        ProviderException thrown = assertThrows(
                ProviderException.class,
                () -> Providers.of("ds.backend", List.of(new Named("cpu"), new Named("cuda"), new Named("cpu"))));
        assertTrue(thrown.getMessage().contains("ds.backend = cpu: two providers"), thrown.getMessage());
        String origin = Providers.origin(new Named("cpu"));
        assertTrue(thrown.getMessage().contains(origin + " and " + origin), thrown.getMessage());
    }

    @Test
    void brokenRegistrationIsNamed() {
        Iterable<Named> broken = () -> {
            throw new ServiceConfigurationError("com.example.Broken not found");
        };
        ProviderException thrown = assertThrows(ProviderException.class, () -> Providers.of("ds.backend", broken));
        assertTrue(thrown.getMessage().contains("com.example.Broken not found"), thrown.getMessage());
    }

    @Test
    void withoutProvidersNothingIsFound() {
        assertThrows(ProviderException.class, () -> Providers.backends().get("cpu"));
        assertEquals(List.of(), Providers.communicators().all());
        assertEquals(List.of(), Providers.optimizers().all());
    }
}
