package ds.cli.check;

import ds.safetensors.SafetensorsFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * What {@code reference.json} says of a run: {@code model.safetensors} is where it began, {@code tokens.safetensors} what it read,
 * {@code first_batch.safetensors} has logits and gradients of the first micro-batch, {@code after_training.safetensors} the final
 * weights.
 *
 * @param folder in which all of it lies
 * @param batch B: sequences of a micro-batch
 * @param time T: tokens of a sequence
 * @param accumulation micro-batches of a step
 * @param clip largest global norm
 * @param beta1 of AdamW
 * @param beta2 of AdamW
 * @param epsilon of AdamW
 * @param weightDecay of tensors with two or more dims
 * @param trace of every step
 */
record Reference(
        Path folder,
        int batch,
        int time,
        int accumulation,
        double clip,
        double beta1,
        double beta2,
        double epsilon,
        double weightDecay,
        List<Step> trace) {
    /** One step: the learning rate it used, the loss before it, the norm before clipping. */
    record Step(double learningRate, double loss, double gradientNorm) {}

    static Reference read(Path folder) {
        Path file = folder.resolve("reference.json");
        if (!Files.isRegularFile(file)) {
            throw new IllegalArgumentException(
                    file + ": not found; a reference folder is described by its reference.json");
        }
        try {
            JsonNode root = JsonMapper.shared().readTree(file.toFile());
            List<Step> trace = new ArrayList<>();
            for (JsonNode step : required(file, root, "trace")) {
                trace.add(new Step(
                        number(file, step, "lr"),
                        number(file, step, "loss"),
                        number(file, step, "grad_norm_before_clip")));
            }
            if (trace.isEmpty()) {
                throw new IllegalArgumentException(file + ": trace is empty; it lists the steps of the run");
            }
            return new Reference(
                    folder,
                    (int) number(file, root, "B"),
                    (int) number(file, root, "T"),
                    (int) number(file, root, "gradient_accumulation_steps"),
                    number(file, root, "clip"),
                    required(file, root, "betas").path(0).asDouble(),
                    required(file, root, "betas").path(1).asDouble(),
                    number(file, root, "eps"),
                    number(file, root, "weight_decay"),
                    trace);
        } catch (JacksonException e) {
            throw new IllegalArgumentException(file + ": not valid JSON: " + e.getOriginalMessage(), e);
        }
    }

    private static JsonNode required(Path file, JsonNode node, String key) {
        JsonNode value = node.path(key);
        if (value.isMissingNode()) {
            throw new IllegalArgumentException(file + ": " + key + " is absent");
        }
        return value;
    }

    private static double number(Path file, JsonNode node, String key) {
        JsonNode value = required(file, node, key);
        if (!value.isNumber()) {
            throw new IllegalArgumentException(file + ": " + key + " = " + value + ": must be a number");
        }
        return value.asDouble();
    }

    /** {@return sequences of a step: B times accumulation} */
    int sequencesPerStep() {
        return batch * accumulation;
    }

    /**
     * {@return all sequences of the run, in order: I32 {@code [sequences, T + 1]}}
     *
     * @throws IllegalArgumentException if there are not as many as the trace needs
     */
    int[][] tokens() {
        try (SafetensorsFile file = SafetensorsFile.open(folder.resolve("tokens.safetensors"))) {
            MemorySegment data = file.data("tokens");
            int sequences = trace.size() * sequencesPerStep();
            long needed = (long) sequences * (time + 1) * Integer.BYTES;
            if (data.byteSize() != needed) {
                throw new IllegalArgumentException(folder + ": tokens.safetensors has " + data.byteSize()
                        + " bytes of tokens, the trace of " + trace.size() + " steps of " + sequencesPerStep()
                        + " sequences of " + (time + 1) + " needs " + needed);
            }
            int[][] tokens = new int[sequences][time + 1];
            for (int s = 0; s < sequences; s++) {
                MemorySegment.copy(
                        data,
                        ValueLayout.JAVA_INT_UNALIGNED,
                        (long) s * (time + 1) * Integer.BYTES,
                        tokens[s],
                        0,
                        time + 1);
            }
            return tokens;
        }
    }
}
