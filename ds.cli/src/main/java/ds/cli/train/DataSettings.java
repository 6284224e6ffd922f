package ds.cli.train;

import ds.data.Preparation;
import ds.data.TextSource;
import ds.data.Tokenizer;
import ds.zero.config.json.Block;
import ds.zero.config.json.Range;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * {@code ds.data}: text to tokenise, or a folder that has token files already.
 *
 * @param text files, folders and archives; empty where the token files are there
 * @param include globs for members of folders and archives
 * @param textKey of JSON lines
 * @param tokenizer by name
 * @param validationFraction how much is held out
 * @param tokens folder of the token files; empty for one inside the run folder
 */
public record DataSettings(
        List<Path> text,
        List<String> include,
        String textKey,
        String tokenizer,
        double validationFraction,
        Optional<Path> tokens) {
    static DataSettings read(Block ds) {
        Block block = ds.block("data");
        DataSettings settings = readOptional(ds);
        if (settings.text.isEmpty() && settings.tokens.isEmpty()) {
            block.problem(
                    "text",
                    "nothing to train on",
                    "give files, folders or archives, or a folder of token files in ds.data.tokens");
        }
        return settings;
    }

    /** Reads settings of a run that need not begin: there may be nothing to train on. */
    static DataSettings readOptional(Block ds) {
        Block block = ds.block("data");
        DataSettings settings = new DataSettings(
                block.texts("text", List.of()).stream().map(Path::of).toList(),
                block.texts("include", List.of()),
                block.text("text_key", TextSource.DEFAULT_TEXT_KEY),
                block.oneOf("tokenizer", "byte", List.of("byte", "gpt2")),
                block.number("validation_fraction", 0.05, Range.halfOpen(0, 1)),
                block.optionalText("tokens").map(Path::of));
        for (Path path : settings.text) {
            if (!Files.exists(path)) {
                block.problem(
                        "text", "there is no " + path.toAbsolutePath(), "paths are relative to the working directory");
            }
        }
        return settings;
    }

    /** {@return how to make the token files from the text} */
    Preparation preparation(Path folder) {
        List<TextSource> sources = text.stream()
                .map(path -> new TextSource(path, include, textKey))
                .toList();
        return new Preparation(sources, Tokenizer.named(tokenizer), folder, validationFraction);
    }
}
