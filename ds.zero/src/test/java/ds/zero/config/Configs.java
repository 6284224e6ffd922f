package ds.zero.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.zero.config.json.ConfigException;

/** Parses a configuration with one sequence per step, and whatever members are added to it. */
record Configs(Known known) {
    static final Configs ONE_RANK = new Configs(Known.ofWorld(1));

    ZeroConfig parse(String members) {
        return ZeroConfig.parse(json(members), known).value();
    }

    ConfigException.Problem problem(String members) {
        var e = assertThrows(ConfigException.class, () -> ZeroConfig.parse(json(members), known), members);
        assertEquals(1, e.problems().size(), e::getMessage);
        return e.problems().getFirst();
    }

    /** Asserts that there is exactly one problem, at this path, whose line contains the text. */
    void assertProblem(String path, String text, String members) {
        ConfigException.Problem problem = problem(members);
        assertEquals(path, problem.path(), problem::toString);
        assertTrue(problem.toString().contains(text), problem::toString);
    }

    static String json(String members) {
        return "{\"train_batch_size\": 1, \"train_micro_batch_size_per_gpu\": 1, \"gradient_accumulation_steps\": 1, "
                + members + "}";
    }
}
