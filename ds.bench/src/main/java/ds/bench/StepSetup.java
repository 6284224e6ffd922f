package ds.bench;

import ds.api.DType;
import ds.models.gpt.GptConfig;
import ds.zero.config.Known;
import ds.zero.config.ZeroConfig;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Which training step is measured.
 *
 * @param model its shape
 * @param microBatch sequences of a micro-batch on one rank
 * @param time T: tokens of a sequence
 * @param accumulation micro-batches of a step
 * @param dtype F32, BF16 or F16
 * @param stage ZeRO stage
 * @param tensorParallel over how many ranks each layer is split
 * @param warmUp steps before those that are measured
 * @param steps measured
 * @param backend name of a provider
 * @param communicator name of a provider
 * @param overlap whether communication and compute may overlap
 * @param keys more of a configuration, as a JSON object: blocks are merged, values replace those above
 */
public record StepSetup(
        StepShape model,
        int microBatch,
        int time,
        int accumulation,
        DType dtype,
        int stage,
        int tensorParallel,
        int warmUp,
        int steps,
        String backend,
        String communicator,
        boolean overlap,
        String keys) {
    /** Rejects counts below 1. */
    public StepSetup {
        positive("--micro-batch", microBatch);
        positive("--seq", time);
        positive("--accumulation", accumulation);
        positive("--tensor-parallel", tensorParallel);
        positive("--warm-up", warmUp);
        positive("--steps", steps);
    }

    /** {@return the shape of the model} */
    GptConfig shape() {
        return model.config(time);
    }

    /** {@return the configuration of such a run} */
    ZeroConfig config(int ranks) {
        ObjectNode root = JsonMapper.shared().createObjectNode();
        root.put("train_micro_batch_size_per_gpu", microBatch);
        root.put("gradient_accumulation_steps", accumulation);
        root.putObject("tensor_parallel").put("autotp_size", tensorParallel);
        root.putObject("bf16").put("enabled", dtype == DType.BF16);
        root.putObject("fp16").put("enabled", dtype == DType.F16);
        // Stage 3 as the paper has it: nothing stays gathered that can be gathered again.
        root.putObject("zero_optimization")
                .put("stage", stage)
                .put("overlap_comm", overlap)
                .put("stage3_param_persistence_threshold", 0)
                .put("stage3_max_reuse_distance", 0);
        // A rank may wait long for its turn (RequestedSteps).
        root.putObject("ds")
                .put("backend", backend)
                .put("communicator", communicator)
                .put("collective_timeout_seconds", 3600);
        ObjectNode optimizer = root.putObject("optimizer").put("type", "AdamW");
        optimizer.putObject("params").put("lr", 1e-4).put("weight_decay", 0.1);
        merge(root, more());
        return ZeroConfig.parse(root.toString(), Known.ofWorld(ranks)).value();
    }

    private ObjectNode more() {
        try {
            if (JsonMapper.shared().readTree(keys) instanceof ObjectNode more) {
                return more;
            }
        } catch (JacksonException e) {
            throw new IllegalArgumentException("--keys " + keys + ": " + e.getOriginalMessage(), e);
        }
        throw new IllegalArgumentException(
                "--keys " + keys + ": must be a JSON object, such as {\"gradient_clipping\": 0}");
    }

    private static void merge(ObjectNode into, ObjectNode more) {
        for (Map.Entry<String, JsonNode> key : more.properties()) {
            if (key.getValue() instanceof ObjectNode block && into.get(key.getKey()) instanceof ObjectNode given) {
                merge(given, block);
            } else {
                into.set(key.getKey(), key.getValue());
            }
        }
    }

    static void positive(String option, int value) {
        if (value < 1) {
            throw new IllegalArgumentException(option + " = " + value + ": must be at least 1");
        }
    }
}
