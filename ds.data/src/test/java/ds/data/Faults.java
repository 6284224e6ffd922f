package ds.data;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.function.Executable;

/** Expects an error whose message names what is wrong. */
final class Faults {
    private Faults() {}

    static void assertFault(Executable call, String... parts) {
        String message = assertThrows(DataException.class, call).getMessage();
        for (String part : parts) {
            assertTrue(message.contains(part), () -> "\"" + part + "\" should be in: " + message);
        }
    }
}
