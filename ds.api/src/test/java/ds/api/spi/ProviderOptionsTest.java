package ds.api.spi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

class ProviderOptionsTest {
    private static final ProviderOptions OPTIONS = new ProviderOptions(
            "optimizer.params",
            Map.of(
                    "lr",
                    0.5,
                    "steps",
                    7L,
                    "half",
                    2.5,
                    "flag",
                    true,
                    "name",
                    "x",
                    "betas",
                    List.of(0.9, 1),
                    "one",
                    List.of(1)));

    private static void assertRefused(String message, Executable read) {
        ProviderException thrown = assertThrows(ProviderException.class, read);
        assertTrue(thrown.getMessage().contains(message), thrown.getMessage());
    }

    @Test
    void valuesAreTyped() {
        assertEquals(0.5, OPTIONS.number("lr", 1));
        assertEquals(7, OPTIONS.number("steps", 1));
        assertEquals(7, OPTIONS.integer("steps", 1));
        assertTrue(OPTIONS.flag("flag", false));
        assertEquals("x", OPTIONS.text("name", "y"));
        assertEquals(List.of(0.9, 1.0), OPTIONS.numbers("betas", List.of(0.0, 0.0)));
    }

    @Test
    void absentOnesAreTheDefault() {
        assertEquals(1.5, OPTIONS.number("absent", 1.5));
        assertEquals(Long.MAX_VALUE, OPTIONS.integer("absent", Long.MAX_VALUE));
        assertTrue(OPTIONS.flag("absent", true));
        assertEquals("y", OPTIONS.text("absent", "y"));
        assertEquals(List.of(1.0), OPTIONS.numbers("absent", List.of(1.0)));
    }

    @Test
    void wrongTypesAreNamedWithPathAndValue() {
        assertRefused("optimizer.params.name = x: must be a number", () -> OPTIONS.number("name", 0));
        assertRefused("optimizer.params.half = 2.5: must be a whole number", () -> OPTIONS.integer("half", 0));
        assertRefused("optimizer.params.lr = 0.5: must be true or false", () -> OPTIONS.flag("lr", false));
        assertRefused("optimizer.params.flag = true: must be a text", () -> OPTIONS.text("flag", ""));
        assertRefused("must be a list of 2 numbers", () -> OPTIONS.numbers("one", List.of(0.0, 0.0)));
        assertRefused("must be a list of 1 numbers", () -> OPTIONS.numbers("lr", List.of(0.0)));
    }

    @Test
    void nullIsRefused() {
        assertRefused(
                "optimizer.params.lr = null: must not be null",
                () -> new ProviderOptions("optimizer.params", Collections.singletonMap("lr", null)));
    }

    @Test
    void allUnreadOptionsAreNamed() {
        ProviderOptions options = new ProviderOptions("ds.options", Map.of("treads", 4, "thread", 3, "pin", true));
        assertTrue(options.flag("pin", false));
        assertEquals(2, options.integer("threads", 2));
        assertRefused(
                "ds.options.thread = 3, ds.options.treads = 4: unknown option; known are [pin, threads]",
                options::rejectUnknown);
        ProviderOptions.none("ds.options").rejectUnknown();
    }
}
