package ds.zero.config.json;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BlockTest {
    private static <T> T read(String json, Function<Block, T> reader) {
        return ConfigReader.read(json, reader).value();
    }

    private static String failure(String json, Function<Block, ?> reader) {
        return assertThrows(ConfigException.class, () -> ConfigReader.read(json, reader))
                .getMessage();
    }

    @ParameterizedTest
    @ValueSource(strings = {"500000000", "5e8", "5E+8", "500000000.0", "0.5e9"})
    void wholeNumbersMayBeWrittenWithExponent(String text) {
        assertEquals(
                (Long) 500_000_000L, read("{\"n\": " + text + "}", root -> root.integer("n", 0, 1, Long.MAX_VALUE)));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\"5e8\"",
                "true",
                "1.5",
                "null",
                "[1]",
                "{}",
                "1e999999999",
                "9223372036854775808",
                "0",
                "101",
                "1e-3"
            })
    void whatIsNoWholeNumberOfTheRangeIsRejected(String text) {
        String message = failure("{\"n\": " + text + "}", root -> root.integer("n", 1, 1, 100));
        assertTrue(message.startsWith("n = "), message);
        assertTrue(message.contains("must be a whole number, from 1 to 100"), message);
    }

    @ParameterizedTest
    @ValueSource(strings = {"1", "0", "\"true\"", "\"yes\"", "null", "[]"})
    void flagsAreOnlyTrueAndFalse(String text) {
        String message = failure("{\"f\": " + text + "}", root -> root.flag("f", true));
        assertTrue(message.contains("must be true or false"), message);
    }

    @ParameterizedTest
    @ValueSource(strings = {"true", "\"0.5\"", "-0.1", "1", "1e400", "null"})
    void whatIsNoNumberOfTheRangeIsRejected(String text) {
        String message = failure("{\"x\": " + text + "}", root -> root.number("x", 0, Range.halfOpen(0, 1)));
        assertTrue(message.contains("must be a finite number >= 0 and < 1"), message);
    }

    @ParameterizedTest
    @ValueSource(strings = {"[0.9]", "[0.9, 0.99, 0.5]", "[0.9, true]", "[0.9, 1]", "0.9", "\"0.9\""})
    void listsOfNumbersHaveTheirLength(String text) {
        String message =
                failure("{\"x\": " + text + "}", root -> root.numbers("x", List.of(0., 0.), Range.halfOpen(0, 1)));
        assertTrue(message.contains("must be a list of 2 numbers"), message);
    }

    @ParameterizedTest
    @ValueSource(strings = {"1", "true", "\"\"", "\"  \"", "null"})
    void textsAreNotBlank(String text) {
        assertTrue(failure("{\"s\": " + text + "}", root -> root.text("s", "a")).contains("must be a text"));
        assertTrue(failure("{\"s\": [" + text + "]}", root -> root.texts("s", List.of()))
                .contains("must be a list of texts"));
    }

    @Test
    void remedyNamesTheLikelyMistake() {
        assertTrue(failure("{\"n\": \"32\"}", r -> r.integer("n", 1, 1, 100)).endsWith("write it without the quotes"));
        assertTrue(failure("{\"f\": \"true\"}", r -> r.flag("f", true)).endsWith("write it without the quotes"));
        assertTrue(failure("{\"n\": \"auto\"}", r -> r.integer("n", 1, 1, 100))
                .endsWith("\"auto\" cannot be resolved for this key"));
        assertTrue(
                failure("{\"n\": null}", r -> r.integer("n", 1, 1, 100)).endsWith("remove the key to get its default"));
    }

    @Test
    void absentKeysHaveTheirFallback() {
        read("{}", root -> {
            assertEquals(3, root.integer("a", 3, 0, 9));
            assertEquals(OptionalLong.empty(), root.optionalInteger("b", 0, 9));
            assertEquals(0.5, root.number("c", 0.5, Range.atLeast(0)));
            assertEquals(List.of(1., 2.), root.numbers("d", List.of(1., 2.), Range.atLeast(0)));
            assertTrue(root.flag("e", true));
            assertEquals("x", root.text("f", "x"));
            assertEquals(Optional.empty(), root.optionalText("g"));
            assertEquals(List.of("y"), root.texts("h", List.of("y")));
            assertEquals("p", root.oneOf("i", "p", List.of("p", "q")));
            assertEquals(Map.of(), root.block("j").remaining());
            return 0;
        });
    }

    @Test
    void requiredKeysAreMissed() {
        assertEquals(
                "a.n: is missing; give a whole number, from 1 to 5",
                failure("{}", r -> r.block("a").requiredInteger("n", 1, 5)));
        assertEquals(
                "a.s: is missing; give a text", failure("{}", r -> r.block("a").requiredText("s")));
    }

    @Test
    void oneOfTakesNothingElse() {
        String message = failure("{\"m\": \"Log\"}", root -> root.oneOf("m", "log", List.of("log", "linear")));
        assertEquals("m = \"Log\": must be one of log, linear", message);
    }

    @Test
    void blockThatIsNoObjectIsReportedOnce() {
        String message = failure(
                "{\"b\": 3}",
                root -> root.block("b").integer("n", 1, 1, 5) + root.block("b").integer("m", 1, 1, 5));
        assertEquals("b = 3: must be a JSON object, { … }", message);
    }

    @Test
    void blocksAreShared() {
        read("{\"b\": {\"n\": 3}}", root -> {
            assertSame(root.block("b"), root.block("b"));
            return root.block("b").integer("n", 1, 1, 5);
        });
    }

    @Test
    void unknownKeysAreFoundInBlocksThatNobodyOpened() {
        String message = failure("{\"b\": {\"n\": 3}}", root -> 0);
        assertEquals("b = {\"n\":3}: unknown key; remove it", message);
    }

    @Test
    void remainingTakesWhatNobodyRead() {
        Map<String, Object> rest = read("{\"a\": 1, \"b\": [true, {\"c\": 1.5}], \"d\": \"x\"}", root -> {
            assertEquals(1, root.integer("a", 0, 0, 9));
            return root.remaining();
        });
        assertEquals(List.of("b", "d"), List.copyOf(rest.keySet()));
        assertEquals("x", rest.get("d"));
        assertTrue(failure("{\"a\": null}", Block::remaining).contains("must be a value other than null"));
    }

    @Test
    void checkCollectsTheProblemsOfARecord() {
        String message = failure(
                "{}",
                root -> root.check(
                        () -> {
                            throw new ConfigException("a.b", 3, "is odd", "make it even");
                        },
                        0));
        assertEquals("a.b = 3: is odd; make it even", message);
    }

    @Test
    void checkDoesNotBlameStandIns() {
        String message = failure(
                "{\"n\": \"x\"}",
                root -> root.check(
                        () -> {
                            throw new ConfigException("n", root.integer("n", 1, 1, 9), "is odd", "make it even");
                        },
                        0));
        assertTrue(message.startsWith("n = \"x\": must be a whole number"), message);
    }

    @Test
    void renamedKeyIsReadUnderItsName() {
        assertEquals((Long) 3L, read("{\"old\": 3}", root -> {
            root.rename("old", "new");
            assertFalse(root.has("old"));
            return root.integer("new", 0, 0, 9);
        }));
        String message = failure("{\"old\": 3, \"new\": 3}", root -> {
            root.rename("old", "new");
            return root.integer("new", 0, 0, 9);
        });
        assertTrue(message.contains("is another name of new"), message);
    }

    @Test
    void nullIsAbsentWhereItIsSaidSo() {
        assertEquals((Long) 4L, read("{\"n\": null}", root -> {
            root.nullIsAbsent("n");
            return root.integer("n", 4, 0, 9);
        }));
    }

    @Test
    void longValuesAreCutInMessages() {
        String message = failure("{\"n\": \"" + "x".repeat(1000) + "\"}", root -> root.integer("n", 1, 1, 5));
        assertTrue(message.length() < 150, message);
    }
}
