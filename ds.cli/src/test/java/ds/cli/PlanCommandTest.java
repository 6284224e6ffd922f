package ds.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class PlanCommandTest {
    @TempDir
    private Path folder;

    private final CapturedConsole captured = new CapturedConsole();

    private Path config(String members, String ds) throws IOException {
        Path file = folder.resolve("config.json");
        Files.writeString(file, """
                {"train_batch_size": 512, "gradient_accumulation_steps": 2, "bf16": {"enabled": true}, %s
                 "ds": {"model": {"preset": "turing-nlg-17b"} %s}}
                """.formatted(members, ds));
        return file;
    }

    private JsonNode json() {
        return JsonMapper.shared().readTree(captured.out());
    }

    @ParameterizedTest
    @CsvSource({"0,120000000000", "1,31406250000", "2,16640625000", "3,1875000000"})
    void statesOfAStageAreAFieldOfTheJson(int stage, long bytes) {
        assertEquals(
                0,
                captured.ds(
                        "plan",
                        "--parameters",
                        "7.5e9",
                        "--ranks",
                        "64",
                        "--stage",
                        Integer.toString(stage),
                        "--json"));
        assertEquals(bytes, json().get("model_state_bytes_per_rank").asLong());
    }

    @Test
    void statesOfAllStagesAreATable() {
        assertEquals(0, captured.ds("plan", "--parameters", "7.5B", "--ranks", "64", "--memory", "32GB"));
        String out = captured.out();
        for (String part :
                new String[] {"120 GB", "31.4 GB", "16.6 GB", "1.88 GB", "64.0x", "45 ranks", "7.64B", "128B"}) {
            assertTrue(out.contains(part), part + " in\n" + out);
        }
        assertTrue(out.lines().allMatch(line -> line.length() <= 100), out);
    }

    @Test
    void dtypeChoosesTheBytes() {
        assertEquals(0, captured.ds("plan", "--parameters", "100M", "--ranks", "4", "--dtype", "fp32", "--json"));
        assertEquals(
                1_000_000_000,
                json().get("stages").get(1).get("model_state_bytes_per_rank").asLong());
    }

    /** Weight and gradient 2 bytes each; masters 4, 2 or none; two moments of 4 or 2. */
    @ParameterizedTest
    @CsvSource({
        "--master-weights split, 14",
        "--master-weights split --optimizer-states bf16, 10",
        "--optimizer-states bf16 --dtype bf16, 12",
        "--master-weights bf16 --optimizer-states bf16, 8"
    })
    void statesInLessThanF32TakeLess(String options, long bytes) {
        assertEquals(0, captured.ds(("plan --parameters 100M --stage 0 --json " + options).split(" ")));
        assertEquals(
                bytes * 100_000_000, json().get("model_state_bytes_per_rank").asLong());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "--parameters 7.5e9 --config x.json",
                "--parameters 1e9 --master-weights fp16",
                "--parameters 1e9 --optimizer-states split",
                "--parameters 1e9 --optimizer-states bf16 --dtype fp32",
                "--config x.json --master-weights split",
                "",
                "--parameters 7.5x",
                "--parameters 1.5",
                "--parameters 0",
                "--parameters 1e9 --stage 4",
                "--parameters 1e9 --memory 32",
                "--parameters 1e9 --ranks 0",
                "--config x.json --stage 1"
            })
    void wrongUseIsExplained(String arguments) {
        assertEquals(2, captured.ds(("plan " + arguments).strip().split(" ")));
        assertTrue(captured.err().contains("`ds plan --help`"), captured.err());
    }

    /** More states than any machine here has memory: 17.2B parameters on 256 ranks. */
    @Test
    void aRunThatNoMachineHereHoldsIsPlanned() throws IOException {
        Path file = config("\"zero_optimization\": {\"stage\": 1},", "");
        assertEquals(0, captured.ds("plan", "--config", file.toString(), "--ranks", "256", "--json"), captured.err());
        JsonNode plan = json();
        long parameters = plan.get("parameters").asLong();
        assertEquals(17.2e9, parameters, 0.05e9);
        long states = plan.get("model_state_bytes_per_rank").asLong();
        assertEquals(4.0 * parameters + 12.0 * parameters / 256, states, 1e3);
        JsonNode peaks = plan.get("peak_bytes_by_label");
        double kept = 0;
        for (String label : new String[] {"weights", "gradients", "masterWeights", "optimizerStates"}) {
            kept += peaks.get(label).asDouble();
        }
        assertEquals(states, kept, 1e-3 * states, "the engine's states are the paper's, but for padding");
        assertEquals(8, plan.get("alternatives").size());
        assertFalse(plan.has("fits"));
        assertFalse(plan.has("fewest_ranks"), "there is no limit");
    }

    /** The same with split masters and BF16 moments: 6 bytes in place of 12. */
    @Test
    void runWithStatesInLessThanF32IsPlanned() throws IOException {
        Path file = config(
                "\"zero_optimization\": {\"stage\": 1},",
                ", \"states\": {\"master_weights\": \"split\", \"optimizer_states\": \"bf16\"}");
        assertEquals(0, captured.ds("plan", "--config", file.toString(), "--ranks", "256", "--json"), captured.err());
        JsonNode plan = json();
        long parameters = plan.get("parameters").asLong();
        long states = plan.get("model_state_bytes_per_rank").asLong();
        assertEquals(4.0 * parameters + 6.0 * parameters / 256, states, 1e3);
        JsonNode peaks = plan.get("peak_bytes_by_label");
        double kept = peaks.get("masterWeights").asDouble()
                + peaks.get("optimizerStates").asDouble();
        assertEquals(6.0 * parameters / 256, kept, 1e-3 * kept);
    }

    @Test
    void planOfARunIsATable() throws IOException {
        Path file = config("\"zero_optimization\": {\"stage\": 3},", ", \"memory_limit\": \"60GiB\"");
        assertEquals(0, captured.ds("plan", "--config", file.toString(), "--ranks", "256"), captured.err());
        String out = captured.out();
        for (String part : new String[] {
            "17.2B parameters: 78 layers",
            "256 ranks, ZeRO stage 3, bf16",
            "1 sequence of 1024 tokens",
            "optimizer states",
            "60.0 GiB (ds.memory_limit): fits",
            "stage 0",
            "! ",
            "> ",
            "fewest ranks",
            "none is enough",
            "stage 3                        11 ranks"
        }) {
            assertTrue(out.contains(part), part + " in\n" + out);
        }
    }

    /** With one rank fewer it would not fit: the plan of that run says so. */
    @Test
    void fewestRanksAreThoseThatFit() throws IOException {
        Path file = manyLayers();
        JsonNode stages = plan(file, 2).get("fewest_ranks");
        assertEquals(4, stages.size());
        assertEquals(0, stages.get(0).get("ranks").asInt(), "whole states do not fit");
        int fewest = stages.get(3).get("ranks").asInt();
        assertTrue(fewest > 2, stages.toString());
        assertFalse(plan(file, fewest - 1).get("fits").asBoolean());
        JsonNode fitting = plan(file, fewest);
        assertTrue(fitting.get("fits").asBoolean());
        assertEquals(
                fitting.get("process_bytes").asLong(),
                stages.get(3).get("process_bytes").asLong());
    }

    /** States are most of it: 76M parameters, layers recomputed, and little to be computed. */
    private Path manyLayers() throws IOException {
        Path text = folder.resolve("text.txt");
        Files.writeString(text, "some text ".repeat(1000));
        Path file = folder.resolve("layers.json");
        return Files.writeString(file, """
                {"train_micro_batch_size_per_gpu": 1, "zero_optimization": {"stage": 3},
                 "ds": {"memory_limit": "800MiB", "data": {"text": ["%s"]}, "checkpoint_every": 1,
                        "model": {"layers": 24, "channels": 512, "heads": 8, "positions": 128}}}
                """.formatted(text));
    }

    private static JsonNode plan(Path file, int ranks) {
        CapturedConsole console = new CapturedConsole();
        String[] command = {"plan", "--config", file.toString(), "--ranks", Integer.toString(ranks), "--json"};
        assertEquals(0, console.ds(command), console.err());
        return JsonMapper.shared().readTree(console.out());
    }

    /** Of a device that this machine has not, nor a provider for it. */
    @Test
    void runOnADeviceHasTwoAccounts() throws IOException {
        Path file = config("""
                "zero_optimization": {"stage": 3, "offload_optimizer": {"device": "cpu"}, "offload_param": {"device": "cpu"}},
                """, ", \"backend\": \"cuda\", \"memory_limit\": \"8GiB\"");
        assertEquals(0, captured.ds("plan", "--config", file.toString(), "--ranks", "256", "--json"), captured.err());
        JsonNode plan = json();
        double share = plan.get("parameters").asDouble() / 256;
        JsonNode host = plan.get("peak_bytes_by_label");
        assertEquals(12 * share, kept(host, "masterWeights") + kept(host, "optimizerStates"), 0.01 * share);
        assertEquals(2 * share, kept(host, "weights"), 0.01 * share);
        JsonNode device = plan.get("device");
        assertEquals("cuda:0", device.get("name").asString());
        JsonNode peaks = device.get("peak_bytes_by_label");
        assertEquals(0, kept(peaks, "masterWeights") + kept(peaks, "optimizerStates") + kept(peaks, "weights"));
        assertEquals(2 * share, kept(peaks, "gradients"), 0.01 * share);
        assertTrue(plan.get("fits").asBoolean(), "the limit is the host's: " + plan);
        assertTrue(device.get("peak_bytes").asLong() > 8L << 30, "activations are on the device");

        CapturedConsole table = new CapturedConsole();
        assertEquals(0, table.ds("plan", "--config", file.toString(), "--ranks", "256"), table.err());
        for (String part : new String[] {"on cuda:0 ", "on the host ", "cuda:0 at ", "process at ", "fits"}) {
            assertTrue(table.out().contains(part), part + " in\n" + table.out());
        }
    }

    /** A tenth of Turing-NLG 17B, of a GPU of 141 GB and of a host of 128 GiB. */
    @Test
    void planSaysWithWhichStatesAModelFitsADeviceAndItsHost() throws IOException {
        long deviceBytes = 16_000_000_000L;
        Path file = tenthOfTuring("fp32", 0, deviceBytes);
        JsonNode plan = plan(file, 1);
        assertFalse(plan.get("device").get("fits").asBoolean(), "28 GB are not on a GPU of 16");
        JsonNode places = plan.get("state_places");
        assertFalse(places.isEmpty(), plan::toString);
        for (JsonNode place : places) {
            assertTrue(place.get("device_peak_bytes").asLong() <= deviceBytes, place.toString());
            assertTrue(place.get("process_bytes").asLong() <= 12L << 30, place.toString());
        }
        JsonNode first = places.get(0);
        assertEquals("fp32", first.get("master_weights").asString());
        assertEquals("bf16", first.get("optimizer_states").asString(), "F32 moments fit nowhere");
        JsonNode chosen = plan(tenthOfTuring("bf16", first.get("ratio").asDouble(), deviceBytes), 1);
        assertEquals(
                first.get("device_peak_bytes").asLong(),
                chosen.get("device").get("peak_bytes").asLong());
        assertTrue(chosen.get("device").get("fits").asBoolean());
        assertTrue(chosen.get("fits").asBoolean());

        CapturedConsole table = new CapturedConsole();
        Path small = tenthOfTuring("bf16", 0, 4L << 30);
        assertEquals(0, table.ds("plan", "--config", small.toString()), table.err());
        assertTrue(table.out().contains("memory_limit_bytes): does not fit, by "), table.out());
        assertTrue(table.out().contains("no precision and no offload_optimizer.ratio"), table.out());
    }

    private Path tenthOfTuring(String moments, double ratio, long deviceBytes) throws IOException {
        Path text = folder.resolve("text.txt");
        Files.writeString(text, "some text ".repeat(1000));
        String offload = ratio > 0 ? "\"device\": \"cpu\", \"ratio\": " + ratio : "\"device\": \"none\"";
        return Files.writeString(folder.resolve("turing.json"), """
                {"train_micro_batch_size_per_gpu": 1, "bf16": {"enabled": true},
                 "zero_optimization": {"stage": 1, "offload_optimizer": {%s}},
                 "ds": {"backend": "cuda", "communicator": "nccl", "memory_limit": "12GiB",
                        "backend_options": {"memory_limit_bytes": %d}, "checkpoint_every": 1,
                        "states": {"optimizer_states": "%s"}, "checkpoint": {"asynchronous": false},
                        "data": {"text": ["%s"], "tokenizer": "gpt2"},
                        "model": {"layers": 7, "channels": 4256, "heads": 28, "positions": 1024}}}
                """.formatted(offload, deviceBytes, moments, text));
    }

    private static double kept(JsonNode labels, String label) {
        return labels.has(label) ? labels.get(label).asDouble() : 0;
    }

    @Test
    void runThatDoesNotFitIsRefusedWithWhatFits() throws IOException {
        Path text = folder.resolve("text.txt");
        Files.writeString(text, "some text ".repeat(1000));
        Path file = folder.resolve("small.json");
        Files.writeString(file, """
                {"train_micro_batch_size_per_gpu": 8,
                 "ds": {"memory_limit": "600MiB", "data": {"text": ["%s"]},
                        "model": {"layers": 4, "channels": 256, "heads": 4, "positions": 512}}}
                """.formatted(text));
        Path out = folder.resolve("run");
        assertEquals(1, captured.ds("train", "--config", file.toString(), "--out", out.toString()));
        String err = captured.err();
        assertTrue(err.startsWith("ds: ds.memory_limit = 600 MiB: a rank would need "), err);
        assertTrue(err.contains("ds.checkpoint_every 1: "), err);
        assertTrue(err.contains("train_micro_batch_size_per_gpu 4 and gradient_accumulation_steps 2: "), err);
        assertFalse(Files.exists(out), "nothing is begun");
    }

    @Test
    void runThatFitsOnMoreRanksIsToldOnHowMany() throws IOException {
        Path file = manyLayers();
        int fewest = plan(file, 1).get("fewest_ranks").get(3).get("ranks").asInt();
        String out = folder.resolve("run").toString();
        assertEquals(1, captured.ds("train", "--config", file.toString(), "--out", out));
        String expected = fewest + " ranks with train_batch_size " + fewest + ": ";
        assertTrue(captured.err().contains(expected), expected + " in " + captured.err());
    }
}
