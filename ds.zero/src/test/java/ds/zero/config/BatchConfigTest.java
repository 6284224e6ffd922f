package ds.zero.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.zero.config.json.ConfigException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BatchConfigTest {
    private static String json(String train, String micro, String steps) {
        var members = new ArrayList<String>();
        add(members, "train_batch_size", train);
        add(members, "train_micro_batch_size_per_gpu", micro);
        add(members, "gradient_accumulation_steps", steps);
        return "{" + String.join(", ", members) + "}";
    }

    private static void add(List<String> members, String key, String value) {
        if (!value.equals("-")) {
            members.add("\"" + key + "\": " + value);
        }
    }

    @ParameterizedTest(name = "train {0}, micro {1}, steps {2} on {3} ranks: {4} = {5} * {6} * {3}")
    @CsvSource({
        "32, 16, 1, 2, 32, 16, 1",
        "32, 8, 2, 2, 32, 8, 2",
        "32, 8, -, 2, 32, 8, 2", // any two give the third
        "32, -, 2, 2, 32, 8, 2",
        "-, 8, 2, 2, 32, 8, 2",
        "64, -, -, 1, 64, 64, 1", // one batch size alone: no accumulation
        "64, -, -, 4, 64, 16, 1",
        "-, 8, -, 4, 32, 8, 1",
        "\"auto\", 8, 2, 2, 32, 8, 2", // auto counts as absent
        "32, \"auto\", \"auto\", 2, 32, 16, 1",
        "null, 8, null, 2, 16, 8, 1",
        "3.2e1, 8, -, 2, 32, 8, 2"
    })
    void missingSizesAreInferred(String train, String micro, String steps, int world, long all, int b, int k) {
        assertEquals(
                new BatchConfig(all, b, k, world),
                ZeroConfig.parse(json(train, micro, steps), Known.ofWorld(world))
                        .value()
                        .batch());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "33 | 17 | 2 | 2 | train_batch_size = 33: is not train_micro_batch_size_per_gpu * gradient_accumulation_steps * world size"
                        + " = 17 * 2 * 2 = 68; set it to 68, or remove one of the three keys",
                "32 | 18 | 1 | 2 | = 18 * 1 * 2 = 36; set it to 36",
                "33 | 8 | - | 2 | train_batch_size = 33: is not divisible by train_micro_batch_size_per_gpu * world size = 8 * 2 = 16,"
                        + " so there is no whole gradient_accumulation_steps; use 32 or 48",
                "33 | - | 4 | 2 | gradient_accumulation_steps * world size = 4 * 2 = 8,"
                        + " so there is no whole train_micro_batch_size_per_gpu; use 32 or 40",
                "3 | - | - | 2 | = 1 * 2 = 2, so there is no whole train_micro_batch_size_per_gpu; use 2 or 4",
                "4 | 8 | - | 2 | use 16",
                "- | - | - | 2 | train_batch_size: neither it nor train_micro_batch_size_per_gpu is given; give at least one",
                "- | - | 4 | 2 | neither it nor train_micro_batch_size_per_gpu is given",
                "\"auto\" | \"auto\" | \"auto\" | 2 | neither it nor train_micro_batch_size_per_gpu is given",
                "0 | - | - | 1 | train_batch_size = 0: must be a whole number, at least 1",
                "- | -1 | - | 1 | train_micro_batch_size_per_gpu = -1: must be a whole number, at least 1",
                "- | 2.5 | - | 1 | train_micro_batch_size_per_gpu = 2.5: must be a whole number",
                "8 | 8 | true | 1 | gradient_accumulation_steps = true: must be a whole number",
                "\"8\" | - | - | 1 | write it without the quotes",
                "1 | 2147483647 | 2147483647 | 2147483647 | set it to 9223372036854775807",
            })
    void whatDoesNotFitIsAnErrorThatNamesTheNumbers(
            String train, String micro, String steps, int world, String message) {
        var e = assertThrows(
                ConfigException.class, () -> ZeroConfig.parse(json(train, micro, steps), Known.ofWorld(world)));
        assertEquals(1, e.problems().size(), e::getMessage);
        assertTrue(e.getMessage().contains(message), e::getMessage);
    }

    @Test
    void recordChecksItself() {
        assertThrows(ConfigException.class, () -> new BatchConfig(33, 17, 2, 2));
        assertThrows(ConfigException.class, () -> new BatchConfig(0, 0, 1, 1));
    }
}
