package ds.zero.checkpoint;

import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * The numbers of a training beside its tensors: what a resumed run needs to go on as if it had not stopped.
 *
 * @param step steps done, skipped ones included
 * @param updates of the weights; the learning rate and the optimizer's bias correction follow from it
 * @param seed of initial weights, dropout and sampling
 * @param samples sequences of the training data used so far, over all ranks: where the data goes on
 * @param stage ZeRO stage that wrote it; for information, any other can read it
 * @param optimizer name of the optimizer; for information, what must agree are its states
 * @param lossScale numbers of the loss scale by name; empty where losses are not scaled
 * @param optimizerNumbers of the optimizer by name, beside its states; empty where these are all
 */
public record TrainingState(
        long step,
        long updates,
        long seed,
        long samples,
        int stage,
        String optimizer,
        Map<String, Double> lossScale,
        Map<String, Double> optimizerNumbers) {
    /** Rises with every change that an older reader would misread. */
    private static final int VERSION = 1;

    private static final String OPTIMIZER_NUMBERS = "optimizer_numbers"; // absent where there are none

    /** Copies the maps; rejects negative counts. */
    public TrainingState {
        lossScale = Map.copyOf(lossScale);
        optimizerNumbers = Map.copyOf(optimizerNumbers);
        if (step < 0 || updates < 0 || updates > step || samples < 0) {
            throw new IllegalArgumentException("training state with step " + step + ", updates " + updates
                    + ", samples " + samples + ": they must not be negative, and updates at most as many as steps");
        }
    }

    /** {@return the content of {@code training.json}} */
    String toJson(String writer) {
        ObjectNode node = JsonMapper.shared().createObjectNode();
        node.put("version", VERSION);
        node.put("written_by", writer);
        node.put("step", step);
        node.put("updates", updates);
        node.put("seed", seed);
        node.put("samples", samples);
        node.put("stage", stage);
        node.put("optimizer", optimizer);
        ObjectNode scale = node.putObject("loss_scale");
        new TreeMap<>(lossScale).forEach(scale::put);
        if (!optimizerNumbers.isEmpty()) {
            ObjectNode numbers = node.putObject(OPTIMIZER_NUMBERS);
            new TreeMap<>(optimizerNumbers).forEach(numbers::put);
        }
        return JsonMapper.shared().writerWithDefaultPrettyPrinter().writeValueAsString(node) + "\n";
    }

    /**
     * {@return what {@link #toJson} wrote}
     *
     * @throws CheckpointException if a field is missing, of another type, or unknown to this version
     */
    static TrainingState parse(Path file, JsonNode node) {
        JsonFields fields = new JsonFields(file, node);
        fields.requireVersion(VERSION);
        Map<String, Double> scale = numbers(fields.object("loss_scale"));
        Map<String, Double> optimizerNumbers =
                node.has(OPTIMIZER_NUMBERS) ? numbers(fields.object(OPTIMIZER_NUMBERS)) : Map.of();
        TrainingState state = new TrainingState(
                fields.integer("step"),
                fields.integer("updates"),
                fields.integer("seed"),
                fields.integer("samples"),
                Math.toIntExact(fields.integer("stage")),
                fields.text("optimizer"),
                scale,
                optimizerNumbers);
        fields.rejectUnknown();
        return state;
    }

    private static Map<String, Double> numbers(JsonNode object) {
        Map<String, Double> numbers = new TreeMap<>();
        for (Map.Entry<String, JsonNode> number : object.properties()) {
            numbers.put(number.getKey(), number.getValue().asDouble());
        }
        return numbers;
    }
}
