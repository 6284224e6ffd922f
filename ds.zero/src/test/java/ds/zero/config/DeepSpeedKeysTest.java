package ds.zero.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.zero.config.DeepSpeedKey.Support;
import ds.zero.config.json.ConfigException;
import ds.zero.config.json.Setting;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every row of the table does what it says. */
class DeepSpeedKeysTest {
    private static final List<DeepSpeedKey> ROWS = DeepSpeedKeys.load().rows();
    private static final Known KNOWN = Known.ofWorld(1).withTotalSteps(5000);

    /** Keys of the table that are others' than DeepSpeed's: Apex' and PyTorch's, which it passes on. */
    private static final Set<String> BEYOND = Set.of(
            "amp.opt_level", "optimizer.params.fused", "optimizer.params.dampening", "optimizer.params.nesterov");

    static Stream<DeepSpeedKey> leaves(Support support) {
        return ROWS.stream().filter(key -> key.support() == support && !key.isBlock());
    }

    static Stream<DeepSpeedKey> supported() {
        return leaves(Support.SUPPORTED);
    }

    static Stream<DeepSpeedKey> inert() {
        return leaves(Support.INERT);
    }

    static Stream<DeepSpeedKey> unsupported() {
        return leaves(Support.UNSUPPORTED).filter(key -> gate(key).equals("-"));
    }

    static Stream<DeepSpeedKey> gated() {
        return leaves(Support.UNSUPPORTED)
                .filter(key -> !gate(key).equals("-") && !gate(key).equals("present"));
    }

    static Stream<DeepSpeedKey> closed() {
        return ROWS.stream().filter(key -> key.isBlock() && key.gate().equals("present"));
    }

    private static String gate(DeepSpeedKey key) {
        return ROWS.stream()
                .filter(row -> row.path().equals(key.parent()))
                .findFirst()
                .map(DeepSpeedKey::gate)
                .orElse("-");
    }

    /** A value of the right type that is not the default. */
    private static String other(DeepSpeedKey key) {
        return switch (key.type()) {
            case FLAG -> key.defaults().contains("true") ? "false" : "true";
            case INTEGER -> "77";
            case NUMBER -> "0.77";
            case TEXT, ANY -> "\"other\"";
            case LIST -> "[77]";
            case OBJECT, BLOCK -> "{\"other\": 77}";
        };
    }

    private static String ofWrongType(DeepSpeedKey key) {
        return key.type() == DeepSpeedKey.Type.FLAG || key.type() == DeepSpeedKey.Type.TEXT ? "77" : "false";
    }

    /** A configuration with one key, in the blocks and beside the types that it needs. */
    private static String json(String path, String value) {
        String inner = "\"" + path.substring(path.lastIndexOf('.') + 1) + "\": " + value;
        List<String> blocks = Arrays.asList(path.split("\\.", -1)).reversed();
        for (String block : blocks.subList(1, blocks.size())) {
            inner = "\"" + block + "\": {" + beside(path, block) + inner + "}";
        }
        return path.startsWith("train_") ? "{" + inner + "}" : "{\"train_batch_size\": 1, " + inner + "}";
    }

    /** What must stand in a block so that the key of a path is read there. */
    private static String beside(String path, String block) {
        if (path.startsWith("optimizer.params.") && block.equals("optimizer")) {
            return "\"type\": \"" + optimizerThatReads(path) + "\", ";
        }
        if (!path.startsWith("scheduler.") || path.equals("scheduler.type")) {
            return "";
        }
        if (block.equals("scheduler")) {
            return "\"type\": \"" + scheduleThatReads(path) + "\", ";
        }
        return Stream.of("cycle_min_lr", "cycle_max_lr")
                .filter(key -> scheduleThatReads(path).equals("OneCycle") && !path.endsWith(key))
                .map(key -> "\"" + key + "\": 1, ")
                .collect(Collectors.joining());
    }

    private static String optimizerThatReads(String path) {
        String key = path.substring(path.lastIndexOf('.') + 1);
        return switch (key) {
            case "max_coeff", "min_coeff", "eps_inside_sqrt" -> "Lamb";
            case "momentum", "dampening", "nesterov" -> "SGD";
            case "muon_lr", "adam_lr", "ns_method" -> "Muon";
            case "freeze_step", "cuda_aware", "comm_backend_name" -> "OneBitAdam";
            case "var_freeze_step", "var_update_scaler", "local_step_scaler", "local_step_clipper" -> "ZeroOneAdam";
            case "adam_w_mode" -> "Adam";
            default -> "AdamW";
        };
    }

    private static String scheduleThatReads(String path) {
        String key = path.substring(path.lastIndexOf('.') + 1);
        if (key.startsWith("lr_range_test")) {
            return "LRRangeTest";
        }
        if (key.startsWith("cycle_") || key.startsWith("decay_")) {
            return "OneCycle";
        }
        if (key.endsWith("_ratio")) {
            return "WarmupCosineLR";
        }
        return key.equals("total_num_steps") ? "WarmupDecayLR" : "WarmupLR";
    }

    private static List<ConfigException.Problem> problems(String json) {
        return assertThrows(ConfigException.class, () -> ZeroConfig.parse(json, KNOWN), json)
                .problems();
    }

    private static Setting setting(String json, String path) {
        Setting setting = ZeroConfig.parse(json, KNOWN).settings().stream()
                .filter(s -> s.path().equals(path))
                .findFirst()
                .orElse(null);
        assertNotNull(setting, json);
        return setting;
    }

    @Test
    void noKeyOfDeepSpeedIsForgotten() throws IOException {
        var names = new HashSet<String>();
        try (var in = DeepSpeedKeysTest.class.getResourceAsStream("deepspeed-key-names.txt")) {
            new String(in.readAllBytes(), StandardCharsets.UTF_8)
                    .lines()
                    .filter(line -> !line.startsWith("#"))
                    .forEach(line -> {
                        List<String> words = List.of(line.split(" ", -1));
                        String prefix = words.getFirst().equals(".") ? "" : words.getFirst() + ".";
                        words.stream().skip(1).forEach(name -> names.add(prefix + name));
                    });
        }
        var rows = new HashSet<>(ROWS.stream().map(DeepSpeedKey::path).toList());
        assertTrue(rows.containsAll(BEYOND));
        rows.removeAll(BEYOND);
        assertEquals(names, rows);
    }

    @Test
    void everyKeyThatIsNotSupportedSaysWhy() {
        for (DeepSpeedKey key : ROWS) {
            assertEquals(key.support() == Support.SUPPORTED, key.reason().isEmpty(), key::toString);
        }
    }

    @ParameterizedTest
    @MethodSource("supported")
    void supportedKeysAreRead(DeepSpeedKey key) {
        List<ConfigException.Problem> problems = problems(json(key.path(), ofWrongType(key)));
        assertEquals(
                List.of(key.path()),
                problems.stream().map(ConfigException.Problem::path).toList());
        assertTrue(
                problems.getFirst().what().startsWith("must be"),
                () -> problems.getFirst().what());
    }

    static Stream<DeepSpeedKey> withDefault() {
        return supported()
                .filter(key -> !Set.of("null", "-").contains(key.defaults().getFirst()));
    }

    @ParameterizedTest
    @MethodSource("withDefault")
    void supportedKeysHaveTheDefaultOfTheTable(DeepSpeedKey key) {
        String rates = scheduleThatReads(key.path()).equals("OneCycle")
                ? ", \"params\": {\"cycle_min_lr\": 1, \"cycle_max_lr\": 1}"
                : "";
        String json = """
                {"train_batch_size": 1, "optimizer": {"type": "%s"}, "scheduler": {"type": "%s"%s}}
                """.formatted(optimizerThatReads(key.path()), scheduleThatReads(key.path()), rates);
        Setting setting = setting(json, key.path());
        String text = setting.value().toString().replace(" ", ""); // a list prints as JSON but for its blanks
        assertEquals(Setting.Source.DEFAULT, setting.source());
        assertTrue(key.isDefault(setting.value()) || key.defaults().contains(text), setting::toString);
    }

    @ParameterizedTest
    @MethodSource("inert")
    void inertKeysAreAcceptedAndListed(DeepSpeedKey key) {
        Setting setting = setting(json(key.path(), other(key)), key.path());
        assertEquals(Setting.Source.WITHOUT_EFFECT, setting.source());
        assertEquals(key.reason(), setting.note());
        assertEquals(
                key.path(),
                problems(json(key.path(), ofWrongType(key))).getFirst().path());
    }

    @ParameterizedTest
    @MethodSource("unsupported")
    void unsupportedKeysAreErrorsUnlessTheySayWhatIsSoAnyway(DeepSpeedKey key) {
        List<ConfigException.Problem> problems = problems(json(key.path(), other(key)));
        assertEquals(1, problems.size(), problems::toString);
        assertEquals(key.path(), problems.getFirst().path());
        assertEquals("not supported", problems.getFirst().what());
        assertEquals(key.reason(), problems.getFirst().remedy());
        for (String accepted : key.defaults()) {
            if (!accepted.equals("-")) {
                assertTrue(
                        ZeroConfig.parse(json(key.path(), accepted), KNOWN).settings().stream()
                                .noneMatch(s -> s.source() == Setting.Source.WITHOUT_EFFECT),
                        accepted);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("gated")
    void keysOfABlockThatIsOffAreInertAndTheSwitchIsAnError(DeepSpeedKey key) {
        String gatePath = key.parent() + "." + gate(key);
        if (key.path().equals(gatePath)) {
            List<ConfigException.Problem> problems = problems(json(key.path(), other(key)));
            assertEquals(1, problems.size(), problems::toString);
            assertEquals(gatePath, problems.getFirst().path());
            assertEquals(key.reason(), problems.getFirst().remedy());
            assertEquals(
                    Setting.Source.WITHOUT_EFFECT,
                    setting(json(key.path(), key.defaults().getFirst()), key.path())
                            .source());
        } else {
            Setting setting = setting(json(key.path(), other(key)), key.path());
            assertEquals(Setting.Source.WITHOUT_EFFECT, setting.source());
            assertEquals(key.parent() + " is not switched on", setting.note());
        }
    }

    @ParameterizedTest
    @MethodSource("closed")
    void blocksThatAreOnBySimplyBeingThereAreErrors(DeepSpeedKey key) {
        List<ConfigException.Problem> problems = problems(json(key.path(), "{\"whatever\": 1}"));
        assertEquals(1, problems.size(), problems::toString);
        assertEquals(key.path(), problems.getFirst().path());
        assertFalse(ZeroConfig.parse(json(key.path(), "null"), KNOWN).settings().isEmpty());
    }

    @Test
    void unknownKeyInABlockThatIsOffIsStillAnError() {
        Configs.ONE_RANK.assertProblem(
                "fp16.lossscale", "did you mean fp16.loss_scale?", "\"fp16\": {\"lossscale\": 0}");
        Configs.ONE_RANK.assertProblem(
                "aio.thread_count", "aio.intra_op_parallelism", "\"aio\": {\"thread_count\": 1}");
        Configs.ONE_RANK.assertProblem("aio.threads", "unknown key", "\"aio\": {\"threads\": 1}");
        Configs.ONE_RANK.assertProblem("aio", "must be a JSON object", "\"aio\": 1");
    }
}
