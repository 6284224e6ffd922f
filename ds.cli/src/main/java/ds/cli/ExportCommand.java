package ds.cli;

import ds.api.DType;
import ds.cli.model.HostParameters;
import ds.cli.terminal.Console;
import ds.models.gpt.Gpt;
import ds.models.gpt.GptConfig;
import ds.models.gpt.HuggingFace;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** A model for others to load. */
@Command(
        name = "export",
        header = "Write a trained model for Hugging Face transformers, in the wanted precision.",
        description = {
            "",
            "Writes config.json and model.safetensors, which `GPT2LMHeadModel.from_pretrained` loads, then reads them back "
                    + "and compares every weight.",
            ""
        },
        footer = {
            "",
            "Examples:",
            "  ds export --run runs/quickstart --out my-model",
            "  ds export --model gpt2 --dtype bf16 --out gpt2-bf16"
        })
final class ExportCommand implements Runnable {
    /** The folder of a run's model. */
    private static final String MODEL = "model";

    private final Console console;

    @ArgGroup(multiplicity = "1")
    private Source source;

    /** A run or a model. */
    private static final class Source {
        @Option(
                names = "--run",
                paramLabel = "DIR",
                description = "Folder that `ds train` or `ds quickstart` has written.")
        private Path run;

        @Option(
                names = "--model",
                paramLabel = "DIR",
                description = "Folder in Hugging Face layout: one file or shards, fp32, fp16 or bf16.")
        private Path model;

        Path folder() {
            return model != null ? model : run.resolve(MODEL);
        }
    }

    @Option(names = "--out", required = true, paramLabel = "DIR", description = "Folder for the model: new or empty.")
    private Path out;

    @Option(
            names = "--dtype",
            paramLabel = "TYPE",
            defaultValue = "fp32",
            description = "Stored precision: fp32, bf16 or fp16. Default ${DEFAULT-VALUE}.")
    private FloatType dtype;

    ExportCommand(Console console) {
        this.console = console;
    }

    @Override
    public void run() {
        requireEmpty(out);
        GptConfig config = HuggingFace.readConfig(source.folder());
        DType stored = dtype.dtype();
        try (var parameters = new HostParameters(new Gpt(config).layers().parameters())) {
            HuggingFace.read(source.folder(), parameters);
            HuggingFace.write(out, config, parameters, stored, true);
            HuggingFace.read(out, parameters.comparison(stored));
        }
        console.out().printf("%s: %,d parameters in %s, read back and compared%n", out, config.parameters(), dtype);
    }

    static void requireEmpty(Path folder) {
        if (!Files.exists(folder)) {
            return;
        }
        try (Stream<Path> files = Files.list(folder)) {
            if (files.findAny().isPresent()) {
                throw new IllegalArgumentException("--out = " + folder + ": not empty; choose a new folder");
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
