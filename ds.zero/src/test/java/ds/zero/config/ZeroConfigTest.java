package ds.zero.config;

import static ds.zero.config.Configs.ONE_RANK;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.DType;
import ds.api.spi.ProviderException;
import ds.zero.config.json.Block;
import ds.zero.config.json.ConfigException;
import ds.zero.config.json.ConfigReader;
import ds.zero.config.json.Resolved;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ZeroConfigTest {
    /** The form in which Hugging Face's documentation recommends ZeRO-2. */
    private static final String TYPICAL = """
            {
              "train_batch_size": 32,
              "train_micro_batch_size_per_gpu": "auto",
              "gradient_accumulation_steps": 4,
              "gradient_clipping": "auto",
              "steps_per_print": 2e3,
              "wall_clock_breakdown": false,
              "fp16": { "enabled": false, "loss_scale": 0, "initial_scale_power": 16 },
              "bf16": { "enabled": true },
              "optimizer": { "type": "AdamW", "params": { "lr": 3e-4, "betas": [0.9, 0.95], "eps": "auto", "weight_decay": 0.1 } },
              "scheduler": { "type": "WarmupDecayLR", "params": { "warmup_min_lr": 0, "warmup_max_lr": "auto", "warmup_num_steps": 100, "total_num_steps": "auto" } },
              "zero_optimization": {
                "stage": 2,
                "allgather_partitions": true,
                "allgather_bucket_size": 2e8,
                "overlap_comm": true,
                "reduce_scatter": true,
                "reduce_bucket_size": "auto",
                "contiguous_gradients": true,
                "stage3_prefetch_bucket_size": "auto"
              },
              "ds": { "seed": 7 }
            }
            """;

    private static final Known KNOWN = Known.ofWorld(2).withTotalSteps(1000).withHiddenSize(64);

    @Test
    void typicalConfigurationIsUnderstood() {
        ZeroConfig config = ZeroConfig.parse(TYPICAL, KNOWN).value();
        assertEquals(new BatchConfig(32, 4, 4, 2), config.batch());
        assertEquals(new OptimizerConfig.Adam("AdamW", 3e-4, 0.9, 0.95, 1e-8, 0.1, true, true), config.optimizer());
        assertEquals(
                new LearningRateSchedule.WarmupDecayLr(0, 3e-4, 100, LearningRateSchedule.Warmup.LOG, 1000),
                config.schedule());
        assertEquals(new Precision.Bf16(true), config.precision());
        assertEquals(1.0, config.gradientClipping());
        assertEquals(
                new ZeroOptimization(
                        ZeroStage.GRADIENTS,
                        4096,
                        200_000_000,
                        true,
                        1_000_000_000,
                        new Offload.None(),
                        new Offload.None(),
                        Stage3.DEFAULT,
                        ZeroPlusPlus.NONE),
                config.zero());
        assertEquals(new ReportConfig(OptionalLong.of(2000), false), config.report());
        assertEquals(
                new RuntimeConfig(
                        "cpu", "cpu", "tcp", 7, Duration.ofSeconds(60), OptionalLong.empty(), Map.of(), Map.of()),
                config.runtime());
    }

    @Test
    void defaultsAreDeepSpeeds() {
        ZeroConfig config =
                ZeroConfig.parse("{\"train_batch_size\": 1}", Known.ofWorld(1)).value();
        assertEquals(new Precision.F32(), config.precision());
        assertEquals(1.0, config.gradientClipping());
        assertEquals(
                new ZeroOptimization(
                        ZeroStage.DISABLED,
                        500_000_000,
                        500_000_000,
                        true, // DeepSpeed overlaps at stage 3 only; here it changes no bit
                        1_000_000_000,
                        new Offload.None(),
                        new Offload.None(),
                        Stage3.DEFAULT,
                        ZeroPlusPlus.NONE),
                config.zero());
        assertEquals(new ReportConfig(OptionalLong.empty(), false), config.report());
        assertEquals(
                new RuntimeConfig(
                        "cpu", "cpu", "tcp", 1234, Duration.ofSeconds(60), OptionalLong.empty(), Map.of(), Map.of()),
                config.runtime());
    }

    @Test
    void optionsOfTheCommunicatorAreItsOwnMatterButForTheDeadline() {
        String json = "{\"train_batch_size\": 1, \"ds\": {\"communicator_options\": %s}}";
        RuntimeConfig runtime = ZeroConfig.parse(
                        json.formatted("{\"tls_ca\": \"ca.pem\", \"inbox_bytes\": 65536}"), Known.ofWorld(1))
                .value()
                .runtime();
        assertEquals("ca.pem", runtime.communicatorProviderOptions().text("tls_ca", ""));
        assertEquals(65536, runtime.communicatorProviderOptions().integer("inbox_bytes", 0));
        assertEquals(60, runtime.communicatorProviderOptions().number("timeout_seconds", 0));
        ConfigException e = assertThrows(
                ConfigException.class,
                () -> ZeroConfig.parse(json.formatted("{\"timeout_seconds\": 5}"), Known.ofWorld(1)));
        assertTrue(e.getMessage().contains("ds.communicator_options.timeout_seconds = 5"), e.getMessage());
        assertTrue(e.getMessage().contains("ds.collective_timeout_seconds"), e.getMessage());
    }

    @Test
    void optionsOfTheBackendAreItsOwnMatter() {
        String json = "{\"train_batch_size\": 1, \"ds\": {\"backend_options\": %s}}";
        RuntimeConfig runtime = ZeroConfig.parse(
                        json.formatted("{\"memory_limit_bytes\": 151397597184, \"tf32\": true}"), Known.ofWorld(1))
                .value()
                .runtime();
        assertEquals(OptionalLong.of(151_397_597_184L), runtime.backendLimitBytes());
        assertTrue(runtime.backendProviderOptions().flag("tf32", false));
        ProviderException unread = assertThrows(
                ProviderException.class, () -> runtime.backendProviderOptions().rejectUnknown());
        assertTrue(unread.getMessage().contains("ds.backend_options"), unread.getMessage());
        RuntimeConfig without =
                ZeroConfig.parse(json.formatted("{}"), Known.ofWorld(1)).value().runtime();
        assertEquals(OptionalLong.empty(), without.backendLimitBytes());
    }

    @Test
    void resolvedConfigurationTellsTheSourceOfEveryValue() {
        String json = ZeroConfig.parse(TYPICAL, KNOWN).toJson();
        for (String line : List.of(
                "\"train_batch_size\" : \"given\"",
                "\"train_micro_batch_size_per_gpu\" : \"inferred: train_batch_size / (gradient_accumulation_steps * world size 2)\"",
                "\"gradient_clipping\" : \"inferred: DeepSpeed's default\"",
                "\"optimizer.params.eps\" : \"inferred: DeepSpeed's default\"",
                "\"optimizer.params.bias_correction\" : \"default\"",
                "\"scheduler.params.warmup_max_lr\" : \"inferred: optimizer.params.lr\"",
                "\"scheduler.params.total_num_steps\" : \"inferred: the updates of this run\"",
                "\"zero_optimization.reduce_bucket_size\" : \"inferred: hidden size 64 squared\"",
                "\"zero_optimization.stage\" : \"given\"",
                "\"ds.backend\" : \"default\"",
                "\"fp16.loss_scale\" : \"fp16 is not switched on\"",
                "\"zero_optimization.contiguous_gradients\" : \"gradients always lie contiguous",
                "\"zero_optimization.stage3_prefetch_bucket_size\" : \"concerns stage 3\"")) {
            assertTrue(json.contains(line), () -> line + " is not in\n" + json);
        }
    }

    @Test
    void resolvedConfigurationReadAgainIsTheSame() {
        Resolved<ZeroConfig> first = ZeroConfig.parse(TYPICAL, KNOWN);
        String json = first.toJson();
        int from = json.indexOf('{', 1);
        int to = json.indexOf("\"from\" :");
        String config = json.substring(from, json.lastIndexOf(',', to));
        assertEquals(first.value(), ZeroConfig.parse(config, Known.ofWorld(2)).value());
    }

    @Test
    void everythingWrongIsReportedAtOnce() {
        String json = """
                {
                  "train_batch_size": 33,
                  "train_micro_batch_size_per_gpu": 17,
                  "gradient_accumulation_steps": 2,
                  "gradient_cliping": 0.5,
                  "stage": 2,
                  "fp16": { "enabled": true, "loss_scale": -1 },
                  "optimizer": { "params": { "lr": "1e-3", "max_grad_norm": 1.0 } },
                  "zero_optimization": { "stage": 4, "overlap_com": true, "cpu_offload": true },
                  "ds": { "bakend": "cpu" }
                }
                """;
        var e = assertThrows(ConfigException.class, () -> ZeroConfig.parse(json, KNOWN));
        assertEquals(
                List.of(
                        "zero_optimization.cpu_offload",
                        "optimizer.params.max_grad_norm",
                        "optimizer.params.lr",
                        "fp16.loss_scale",
                        "train_batch_size",
                        "zero_optimization.stage",
                        "gradient_cliping",
                        "stage",
                        "zero_optimization.overlap_com",
                        "ds.bakend"),
                e.problems().stream().map(ConfigException.Problem::path).toList());
        for (String line : List.of(
                "10 problems in the configuration:",
                "  fp16.loss_scale = -1: must be a finite number >= 0",
                "  stage = 2: unknown key; did you mean zero_optimization.stage?",
                "  gradient_cliping = 0.5: unknown key; did you mean gradient_clipping?",
                "  zero_optimization.overlap_com = true: unknown key; did you mean zero_optimization.overlap_comm?",
                "  ds.bakend = \"cpu\": unknown key; did you mean ds.backend?")) {
            assertTrue(e.getMessage().contains(line), e::getMessage);
        }
    }

    @ParameterizedTest
    @CsvSource({"0, DISABLED", "1, OPTIMIZER_STATES", "2, GRADIENTS"})
    void stagesAreNumbers(int number, ZeroStage stage) {
        assertEquals(
                stage,
                ONE_RANK.parse("\"zero_optimization\": {\"stage\": " + number + "}")
                        .zero()
                        .stage());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "stage | 4 | must be a whole number, from 0 to 3",
                "stage | true | must be a whole number",
                "stage | \"2\" | write it without the quotes",
                "stage | \"auto\" | \"auto\" cannot be resolved for this key",
                "reduce_bucket_size | 0 | must be a whole number, at least 1",
                "reduce_bucket_size | 1.5 | must be a whole number",
                "reduce_bucket_size | \"5e8\" | write it without the quotes",
                "reduce_bucket_size | \"auto\" | depends on the model's hidden size, which is not known here",
                "allgather_bucket_size | -1 | must be a whole number, at least 1",
                "overlap_comm | 1 | must be true or false",
                "contiguous_gradients | \"yes\" | must be true or false",
            })
    void zeroOptimizationIsChecked(String key, String value, String text) {
        ONE_RANK.assertProblem(
                "zero_optimization." + key, text, "\"zero_optimization\": {\"" + key + "\": " + value + "}");
    }

    @ParameterizedTest
    @CsvSource({"0.5, 0.5", "0.0, 0", "0, 0", "\"auto\", 1"})
    void clippingIsKept(String written, double norm) {
        assertEquals(norm, ONE_RANK.parse("\"gradient_clipping\": " + written).gradientClipping());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "gradient_clipping | -1 | must be a finite number >= 0",
                "gradient_clipping | null | remove the key",
                "gradient_clipping | true | must be a finite number >= 0",
                "steps_per_print | 0 | must be a whole number, at least 1",
                "wall_clock_breakdown | \"false\" | write it without the quotes",
                "gradient_allreduce_op | \"sum\" | gradients are averaged",
                "gradient_allreduce_op | \"max\" | gradients are averaged",
                "communication_data_type | \"bfloat\" | must be one of",
                "prescale_gradients | true | gradients are averaged after their sum",
                "data_parallel_size | 2 | the ranks are 1 times data parallel",
                "sequence_parallel_size | 2 | there is no sequence parallelism yet",
                "zero_optimization | 2 | must be a JSON object",
                "bf16 | true | must be a JSON object",
            })
    void topLevelIsChecked(String key, String value, String text) {
        ONE_RANK.assertProblem(key, text, "\"" + key + "\": " + value);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "offload_optimizer.device | 0 | needs sharded optimizer states | {\"device\": \"cpu\"}",
                "offload_optimizer.device | 1 | must be one of none, cpu, nvme | {\"device\": \"disk\"}",
                "offload_optimizer.nvme_path | 1 | is missing | {\"device\": \"nvme\"}",
                "offload_optimizer.buffer_count | 1 | from 3 to 64 | {\"buffer_count\": 2}",
                "offload_optimizer.ratio | 1 | >= 0 and <= 1 | {\"device\": \"cpu\", \"ratio\": 1.5}",
                "offload_param.device | 2 | needs sharded parameters | {\"device\": \"cpu\"}",
                "offload_param.device | 3 | needs the optimizer's states in files, too | {\"device\": \"nvme\", \"nvme_path\": \"x\"}",
            })
    void offloadIsChecked(String key, int stage, String text, String block) {
        String name = key.substring(0, key.indexOf('.'));
        ONE_RANK.assertProblem(
                "zero_optimization." + key,
                text,
                "\"zero_optimization\": {\"stage\": " + stage + ", \"" + name + "\": " + block + "}");
    }

    @Test
    void operationIsReadInAnyCase() {
        assertEquals(1.0, ONE_RANK.parse("\"gradient_allreduce_op\": \"MEAN\"").gradientClipping());
    }

    @Test
    void precisionIsChosenByBf16() {
        assertEquals(
                DType.F32,
                ONE_RANK.parse("\"bf16\": {\"enabled\": false}").precision().weights());
        assertEquals(
                DType.BF16,
                ONE_RANK.parse("\"bf16\": {\"enabled\": true}").precision().weights());
        assertEquals(
                new Precision.Bf16(false),
                ONE_RANK.parse("\"bfloat16\": {\"enabled\": true, \"check_grad_overflow\": false}")
                        .precision());
        assertEquals(
                new Precision.Bf16(true),
                ONE_RANK.parse(
                                "\"bf16\": {\"enabled\": true}, \"data_types\": {\"param_dtype\": \"bf16\", \"grad_accum_dtype\": \"fp32\"}")
                        .precision());
    }

    @Test
    void precisionIsChecked() {
        ONE_RANK.assertProblem("bf16.enabled", "stands for a choice made outside", "\"bf16\": {\"enabled\": \"auto\"}");
        ONE_RANK.assertProblem("bf16.enabled", "must be true or false", "\"bf16\": {\"enabled\": 1}");
        ONE_RANK.assertProblem("fp16.enabled", "stands for a choice made outside", "\"fp16\": {\"enabled\": \"auto\"}");
        ONE_RANK.assertProblem(
                "fp16.enabled",
                "bf16.enabled is true as well",
                "\"fp16\": {\"enabled\": true}, \"bf16\": {\"enabled\": true}");
        ONE_RANK.assertProblem("bfloat16", "is another name of bf16", "\"bfloat16\": {}, \"bf16\": {}");
        ONE_RANK.assertProblem(
                "data_types.param_dtype", "are fp32 by bf16.enabled", "\"data_types\": {\"param_dtype\": \"bf16\"}");
        ONE_RANK.assertProblem(
                "data_types.grad_accum_dtype", "must be one of", "\"data_types\": {\"grad_accum_dtype\": \"bf8\"}");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "backend | \"\" | must be a text",
                "communicator | 1 | must be a text",
                "seed | 1.5 | must be a whole number",
                "collective_timeout_seconds | 0 | must be a whole number, at least 1",
                "collective_timeout | 60 | unknown key",
                "model | {} | unknown key",
            })
    void ownBlockIsChecked(String key, String value, String text) {
        ONE_RANK.assertProblem("ds." + key, text, "\"ds\": {\"" + key + "\": " + value + "}");
    }

    @Test
    void recordsCheckThemselves() {
        assertThrows(
                ConfigException.class,
                () -> new ZeroOptimization(
                        ZeroStage.DISABLED,
                        0,
                        1,
                        false,
                        1_000_000_000,
                        new Offload.None(),
                        new Offload.None(),
                        Stage3.DEFAULT,
                        ZeroPlusPlus.NONE));
        assertThrows(
                ConfigException.class,
                () -> new ZeroOptimization(
                        ZeroStage.DISABLED,
                        1,
                        0,
                        false,
                        1_000_000_000,
                        new Offload.None(),
                        new Offload.None(),
                        Stage3.DEFAULT,
                        ZeroPlusPlus.NONE));
        assertThrows(
                ConfigException.class,
                () -> new RuntimeConfig(
                        "", "cpu", "tcp", 1, Duration.ofSeconds(1), OptionalLong.empty(), Map.of(), Map.of()));
        assertThrows(
                ConfigException.class,
                () -> new RuntimeConfig(
                        "cpu", "cpu", "", 1, Duration.ofSeconds(1), OptionalLong.empty(), Map.of(), Map.of()));
        assertThrows(
                ConfigException.class,
                () -> new RuntimeConfig(
                        "cpu", "cpu", "tcp", 1, Duration.ZERO, OptionalLong.empty(), Map.of(), Map.of()));
        assertThrows(ConfigException.class, () -> new ReportConfig(OptionalLong.of(0), false));
        assertThrows(IllegalArgumentException.class, () -> Known.ofWorld(0));
        assertThrows(IllegalArgumentException.class, () -> Known.ofWorld(1).withHiddenSize(0));
    }

    @Test
    void callerReadsItsOwnBlocksBeside(@TempDir Path folder) throws IOException {
        record Training(ZeroConfig zero, String preset, long steps) {}
        String text =
                "{\"train_batch_size\": 4, \"scheduler\": {\"type\": \"WarmupCosineLR\", \"params\": {\"warmup_num_steps\": 3}},"
                        + " \"ds\": {\"backend\": \"x\", \"model\": {\"preset\": \"tiny\"}, \"train\": {\"steps\": 12}}}";
        Path file = Files.writeString(folder.resolve("train.json"), text);
        Resolved<Training> resolved = ConfigReader.read(file, root -> {
            Block ds = root.block(RuntimeConfig.BLOCK);
            long steps = ds.block("train").requiredInteger("steps", 1, Integer.MAX_VALUE);
            String preset = ds.block("model").requiredText("preset");
            return new Training(ZeroConfig.read(root, Known.ofWorld(2).withTotalSteps(steps)), preset, steps);
        });
        assertEquals("tiny", resolved.value().preset());
        assertEquals("x", resolved.value().zero().runtime().backend());
        assertTrue(resolved.toJson().contains("\"ds.train.steps\" : \"given\""), resolved::toJson);
        var schedule =
                (LearningRateSchedule.WarmupCosineLr) resolved.value().zero().schedule();
        assertEquals(12, schedule.totalSteps());
        assertEquals(
                4,
                ZeroConfig.parse(Files.writeString(file, "{\"train_batch_size\": 4}"), KNOWN)
                        .value()
                        .batch()
                        .trainBatchSize());
    }
}
