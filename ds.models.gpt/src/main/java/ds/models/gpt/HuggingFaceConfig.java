package ds.models.gpt;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** {@code config.json} of a Hugging Face {@code GPT2LMHeadModel} and the shape it describes. */
final class HuggingFaceConfig {
    private static final JsonMapper JSON = JsonMapper.shared();

    /** Settings that change the function: only these values are what {@link Gpt} computes. */
    private static final Map<String, List<String>> REQUIRED = Map.of(
            "model_type", List.of("gpt2"),
            "activation_function", List.of("gelu_new", "gelu_pytorch_tanh"),
            "scale_attn_weights", List.of("true"),
            "scale_attn_by_inverse_layer_idx", List.of("false"),
            "add_cross_attention", List.of("false"),
            "tie_word_embeddings", List.of("true"));

    private final Path file;
    private final JsonNode root;

    private HuggingFaceConfig(Path file, JsonNode root) {
        this.file = file;
        this.root = root;
    }

    static GptConfig read(Path file) {
        if (!Files.isRegularFile(file)) {
            throw new ModelFileException(
                    file + ": not found; a model folder needs config.json beside model.safetensors");
        }
        try {
            return new HuggingFaceConfig(file, JSON.readTree(file.toFile())).parse();
        } catch (JacksonException e) {
            throw new ModelFileException(file + ": not valid JSON: " + e.getOriginalMessage(), e);
        }
    }

    private GptConfig parse() {
        REQUIRED.forEach((key, allowed) -> {
            JsonNode value = root.path(key);
            if (!value.isMissingNode() && !allowed.contains(value.asString())) {
                throw new ModelFileException(file + ": " + key + " = " + value + ": only " + allowed
                        + " is supported, since it changes the model");
            }
        });
        long channels = integer("n_embd");
        JsonNode inner = root.path("n_inner");
        if (inner.isNumber() && inner.asLong() != 4 * channels) {
            throw new ModelFileException(
                    file + ": n_inner = " + inner + ": only 4 * n_embd = " + 4 * channels + " is supported");
        }
        GptConfig.Rates rates =
                new GptConfig.Rates(number("embd_pdrop", 0.1), number("resid_pdrop", 0.1), number("attn_pdrop", 0.1));
        try {
            return new GptConfig(
                    integer("vocab_size"),
                    integer("n_positions"),
                    Math.toIntExact(integer("n_layer")),
                    channels,
                    Math.toIntExact(integer("n_head")),
                    rates,
                    (float) number("layer_norm_epsilon", 1e-5));
        } catch (IllegalArgumentException e) {
            throw new ModelFileException(file + ": " + e.getMessage(), e);
        }
    }

    private long integer(String key) {
        JsonNode value = root.path(key);
        if (!value.isIntegralNumber()) {
            throw new ModelFileException(file + ": " + key + " = " + (value.isMissingNode() ? "absent" : value)
                    + ": must be a whole number");
        }
        return value.asLong();
    }

    private double number(String key, double defaultValue) {
        JsonNode value = root.path(key);
        return value.isNumber() ? value.asDouble() : defaultValue;
    }

    static void write(Path file, GptConfig config, String dtype) {
        try {
            Files.writeString(file, text(config, dtype));
        } catch (IOException e) {
            throw new ModelFileException(file + ": cannot be written: " + e.getMessage(), e);
        }
    }

    /** {@return the file's content} */
    static String text(GptConfig config, String dtype) {
        ObjectNode node = JSON.createObjectNode();
        node.putArray("architectures").add("GPT2LMHeadModel");
        node.put("model_type", "gpt2");
        node.put("activation_function", "gelu_new");
        node.put("vocab_size", config.vocabulary());
        node.put("n_positions", config.positions());
        node.put("n_embd", config.channels());
        node.put("n_layer", config.layers());
        node.put("n_head", config.heads());
        node.putNull("n_inner");
        node.put("embd_pdrop", config.dropout().embedding());
        node.put("resid_pdrop", config.dropout().residual());
        node.put("attn_pdrop", config.dropout().attention());
        node.put("layer_norm_epsilon", Double.parseDouble(Float.toString(config.layerNormEpsilon())));
        node.put("initializer_range", 0.02);
        node.put("scale_attn_weights", true);
        node.put("tie_word_embeddings", true);
        node.put("dtype", dtype);
        // The last token is the end of text, in GPT-2's vocabulary and in that of byte tokens.
        node.put("bos_token_id", config.vocabulary() - 1);
        node.put("eos_token_id", config.vocabulary() - 1);
        return JSON.writerWithDefaultPrettyPrinter().writeValueAsString(node) + "\n";
    }
}
