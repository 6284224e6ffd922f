package ds.zero.config.json;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConfigReaderTest {
    private static long steps(Block root) {
        return root.integer("steps", 7, 1, 1000);
    }

    private static ConfigException failure(String json) {
        return assertThrows(ConfigException.class, () -> ConfigReader.read(json, ConfigReaderTest::steps));
    }

    @Test
    void commentsAndTrailingCommasAreAccepted() {
        String json = """
                { // how long
                  /* the run */
                  "steps": 12, # lasts
                }
                """;
        assertEquals(12, ConfigReader.read(json, ConfigReaderTest::steps).value());
    }

    @Test
    void invalidJsonNamesLineAndColumn() {
        var problem = failure("{\n  \"steps\": 1\n  \"more\": 2 }").problems().getFirst();
        assertEquals("line 3, column 3", problem.path());
        assertTrue(problem.what().startsWith("is not valid JSON"), problem::what);
    }

    @Test
    void duplicateKeyNamesItsPlace() {
        var problem = failure("{\n\"steps\": 1,\n\"steps\": 2 }").problems().getFirst();
        assertTrue(problem.path().startsWith("line 3"), problem::path);
        assertTrue(problem.what().contains("\"steps\""), problem::what);
        assertEquals("keep one of the two", problem.remedy());
    }

    @Test
    void duplicateKeyInAnInnerBlockIsFoundToo() {
        assertTrue(failure("{\"a\": {\"b\": 1, \"b\": 1}}").getMessage().contains("Duplicate"));
    }

    @Test
    void whatIsNoSingleObjectIsRejected() {
        assertTrue(failure("[1]").getMessage().contains("must be a JSON object"));
        assertTrue(failure("3").getMessage().contains("must be a JSON object"));
        assertTrue(failure("null").getMessage().contains("must be a JSON object"));
        assertTrue(failure("{} {}").getMessage().contains("is not valid JSON"));
        assertTrue(failure("").getMessage().contains("is not valid JSON"));
        assertTrue(failure("{\"steps\": NaN}").getMessage().contains("is not valid JSON"));
        assertTrue(failure("{\"a\":".repeat(5000)).getMessage().contains("is not valid JSON"));
    }

    @Test
    void fileThatCannotBeReadIsNamed(@TempDir Path folder) throws IOException {
        Path absent = folder.resolve("absent.json");
        var e = assertThrows(ConfigException.class, () -> ConfigReader.read(absent, ConfigReaderTest::steps));
        assertTrue(e.getMessage().contains("absent.json"), e::getMessage);

        Path latin = folder.resolve("latin.json");
        Files.write(latin, "{} // ü".getBytes(StandardCharsets.ISO_8859_1));
        assertThrows(ConfigException.class, () -> ConfigReader.read(latin, ConfigReaderTest::steps));
    }

    @Test
    void fileIsReadAsUtf8(@TempDir Path folder) throws IOException {
        Path file = Files.writeString(folder.resolve("ok.json"), "{\"steps\": 3} // ü");
        assertEquals(3, ConfigReader.read(file, ConfigReaderTest::steps).value());
    }

    @Test
    void allProblemsAreReportedAtOnce() {
        var e = assertThrows(
                ConfigException.class,
                () -> ConfigReader.read("{\"steps\": 0, \"stesp\": 1, \"inner\": {\"flag\": 1, \"x\": 0}}", root -> {
                    root.block("inner").flag("flag", false);
                    root.block("inner").requiredText("name");
                    return steps(root);
                }));
        assertEquals(
                List.of("inner.flag", "inner.name", "steps", "stesp", "inner.x"),
                e.problems().stream().map(ConfigException.Problem::path).toList());
        assertTrue(
                e.getMessage().startsWith("5 problems in the configuration:\n  inner.flag = 1: must be true or false"),
                e::getMessage);
    }

    @Test
    void readerThatGivesUpAddsItsProblemToTheOnesBefore() {
        var e = assertThrows(
                ConfigException.class,
                () -> ConfigReader.read("{\"steps\": 0, \"later\": 1}", root -> {
                    steps(root);
                    throw new ConfigException("here", 3, "cannot be", "");
                }));
        assertEquals(
                List.of("steps", "here"),
                e.problems().stream().map(ConfigException.Problem::path).toList());
    }

    @Test
    void resolvedTellsWhereEveryValueCameFrom() {
        Resolved<Long> resolved = ConfigReader.read("{\"a\": {\"x\": \"auto\", \"old\": true}, \"y\": 5e2}", root -> {
            Block a = root.block("a");
            a.auto("x", 4, "two times two");
            a.acceptWithoutEffect("old", "done anyway");
            return a.integer("x", 0, 0, 9) + root.integer("y", 0, 0, 999) + steps(root);
        });
        assertEquals(511, resolved.value());
        assertEquals("""
                {
                  "config" : {
                    "a" : {
                      "x" : 4
                    },
                    "y" : 500,
                    "steps" : 7
                  },
                  "from" : {
                    "a.x" : "inferred: two times two",
                    "y" : "given",
                    "steps" : "default"
                  },
                  "without_effect" : {
                    "a.old" : "done anyway"
                  }
                }""", resolved.toJson().replace(System.lineSeparator(), "\n"));
    }
}
