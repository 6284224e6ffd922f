package ds.cli;

import ds.api.DType;
import ds.api.TensorBackend;
import ds.api.spi.ProviderOptions;
import ds.api.spi.Providers;
import ds.cli.model.LoadedModel;
import ds.cli.model.TextGeneration;
import ds.cli.terminal.Console;
import ds.data.Tokenizer;
import ds.models.gpt.Generator;
import ds.models.gpt.Sampling;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Writes text with a trained model. */
@Command(
        name = "generate",
        header = "Write text with a trained model.",
        description = {"", "The text goes to stdout as it is drawn; the same seed gives the same text.", ""},
        footer = {
            "",
            "Examples:",
            "  ds generate --model runs/quickstart/model --prompt 'public class '",
            "  ds generate --model gpt2 --prompt 'Once upon a time' --tokens 100 --temperature 0.8 --top-k 40"
        })
final class GenerateCommand implements Runnable {
    private final Console console;

    @Option(names = "--model", required = true, paramLabel = "DIR", description = "Folder in Hugging Face layout.")
    private Path model;

    @Option(
            names = "--prompt",
            paramLabel = "TEXT",
            defaultValue = "",
            description = "What to continue. Default: a new text is begun.")
    private String prompt;

    @Option(
            names = "--tokens",
            paramLabel = "N",
            defaultValue = "200",
            description = "How many tokens at most. Default ${DEFAULT-VALUE}.")
    private int tokens;

    @Option(
            names = "--temperature",
            paramLabel = "T",
            defaultValue = "1",
            description =
                    "Below 1 more likely tokens are preferred; 0 takes the most likely. Default ${DEFAULT-VALUE}.")
    private double temperature;

    @Option(
            names = "--top-k",
            paramLabel = "K",
            defaultValue = "0",
            description = "Draw from the K most likely tokens; 0 for all. Default ${DEFAULT-VALUE}.")
    private int topK;

    @Option(
            names = "--top-p",
            paramLabel = "P",
            defaultValue = "1",
            description =
                    "Draw from the most likely tokens that together reach probability P. Default ${DEFAULT-VALUE}.")
    private double topP;

    @Option(names = "--seed", paramLabel = "N", defaultValue = "1234", description = "Default ${DEFAULT-VALUE}.")
    private long seed;

    @Option(
            names = "--dtype",
            paramLabel = "TYPE",
            defaultValue = "fp32",
            description = "What to compute in: fp32 or bf16. Default ${DEFAULT-VALUE}.")
    private FloatType dtype;

    @Option(
            names = "--tokenizer",
            paramLabel = "NAME",
            description = "byte or gpt2. Default: the one whose size the model's vocabulary has.")
    private Optional<String> tokenizer = Optional.empty();

    @Option(
            names = "--backend",
            paramLabel = "NAME",
            defaultValue = "cpu",
            description = "A tensor backend that `ds info` lists. Default ${DEFAULT-VALUE}.")
    private String backend;

    GenerateCommand(Console console) {
        this.console = console;
    }

    @Override
    public void run() {
        var sampling = new Sampling(temperature, topK, topP, seed);
        if (tokens < 1) {
            throw new IllegalArgumentException("--tokens = " + tokens + ": must be at least 1");
        }
        DType computed = dtype.dtype();
        try (TensorBackend device = Providers.backends().get(backend).open(0, ProviderOptions.none("ds.backend"))) {
            if (!device.supports(computed)) {
                throw new IllegalArgumentException(
                        "--dtype = " + dtype + ": backend " + backend + " cannot compute in it");
            }
            try (LoadedModel loaded = LoadedModel.open(model, device, computed);
                    Generator generator = loaded.generator()) {
                Tokenizer vocabulary = TextGeneration.tokenizerOf(loaded.config(), tokenizer);
                write(new TextGeneration(vocabulary, generator), sampling);
            }
        }
    }

    private void write(TextGeneration generation, Sampling sampling) {
        print(prompt);
        long begin = System.nanoTime();
        int drawn = generation.run(prompt, tokens, sampling, this::print);
        double seconds = (System.nanoTime() - begin) / 1e9;
        console.out().println();
        console.flush();
        console.err().printf(Locale.ROOT, "%d tokens, %.1f per second%n", drawn, drawn / seconds);
    }

    private void print(String text) {
        console.out().print(text);
        console.out().flush();
    }
}
