package ds.cli.train;

import ds.models.gpt.GptConfig;
import ds.models.gpt.HuggingFace;
import ds.models.gpt.ModelFileException;
import ds.zero.config.json.Block;
import ds.zero.config.json.Range;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * {@code ds.model}: a preset, a shape, or a folder to start from.
 *
 * @param shape of the model; its vocabulary is 0 where that of the tokenizer is to be used
 * @param folder in Hugging Face layout with the initial weights; empty for random ones
 */
public record ModelSettings(Shape shape, Optional<Path> folder) {
    /** A shape whose vocabulary may still be open. */
    record Shape(long vocabulary, long positions, int layers, long channels, int heads, double dropout) {
        GptConfig complete(long tokenizerVocabulary) {
            long size = vocabulary == 0 ? tokenizerVocabulary : vocabulary;
            return GptConfig.of(size, positions, layers, channels, heads).withDropout(GptConfig.Rates.all(dropout));
        }
    }

    private static final List<String> SHAPE_KEYS = List.of("layers", "channels", "heads", "positions", "vocabulary");

    static ModelSettings read(Block ds) {
        Block block = ds.block("model");
        double dropout = block.number("dropout", 0, Range.halfOpen(0, 1));
        Optional<Path> from = block.optionalText("from").map(Path::of);
        Optional<String> preset = block.optionalText("preset");
        List<String> given =
                new ArrayList<>(SHAPE_KEYS.stream().filter(block::has).toList());
        if ((from.isPresent() ? 1 : 0) + (preset.isPresent() ? 1 : 0) + (given.isEmpty() ? 0 : 1) > 1) {
            String one = from.isPresent() ? "from" : "preset";
            block.problem(
                    one, "excludes other keys that give the model's shape", "keep one of from, preset and a shape");
        }
        if (from.isPresent()) {
            return new ModelSettings(
                    orProblem(block, "from", () -> of(HuggingFace.readConfig(from.get()), dropout)), from);
        }
        if (preset.isPresent()) {
            return new ModelSettings(
                    orProblem(block, "preset", () -> of(GptConfig.preset(preset.get()), dropout)), from);
        }
        Shape shape = new Shape(
                block.integer("vocabulary", 0, 1, Integer.MAX_VALUE),
                block.integer("positions", 256, 1, Integer.MAX_VALUE),
                (int) block.integer("layers", 4, 1, 10_000),
                block.integer("channels", 192, 1, Integer.MAX_VALUE),
                (int) block.integer("heads", 6, 1, 10_000),
                dropout);
        if (shape.channels() % shape.heads() != 0) {
            block.problem("heads", "does not divide channels = " + shape.channels(), "heads need equal sizes");
            return new ModelSettings(smallest(), from);
        }
        return new ModelSettings(shape, from);
    }

    private static Shape smallest() {
        return new Shape(1, 1, 1, 1, 1, 0);
    }

    private static Shape orProblem(Block block, String key, Supplier<Shape> shape) {
        try {
            return shape.get();
        } catch (IllegalArgumentException | ModelFileException e) {
            block.problem(key, e.getMessage(), "");
            return smallest();
        }
    }

    private static Shape of(GptConfig config, double dropout) {
        return new Shape(
                config.vocabulary(), config.positions(), config.layers(), config.channels(), config.heads(), dropout);
    }
}
