package ds.cli;

import ds.api.DType;
import ds.api.comm.Rendezvous;
import ds.bench.OffloadBenchmark;
import ds.bench.OffloadSetup;
import ds.cli.terminal.Console;
import ds.models.gpt.GptConfig;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Training from files. */
@Command(
        name = "offload",
        header = "Train a GPT whose states are in files, beside the raw disk.",
        description = {
            "Trains a GPT at stage 3 with its weights, masters and optimizer states in files, on one batch of random tokens, and "
                    + "then makes a step's reads and writes without the training. Prints one JSON line; what happens is told on "
                    + "the error stream. The files need 14 bytes a parameter with bf16, and are removed."
        },
        footer = {
            "",
            "Examples:",
            "  ds bench offload --folder /var/tmp/ds",
            "  ds bench offload --layers 32 --hidden 2816 --heads 22 --memory-limit 12GiB --folder /var/tmp/ds"
        })
final class BenchOffloadCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Mixin
    private RanksOption ranks = new RanksOption();

    @ArgGroup(heading = "Model, a preset (default gpt2-124m) or its sizes:%n")
    private Model model = new Model();

    @Option(
            names = "--folder",
            paramLabel = "DIR",
            required = true,
            description = "On the disk that is measured; made if it is not there.")
    private Path folder;

    @Option(
            names = "--memory-limit",
            paramLabel = "SIZE",
            description = "What a rank may take in all, such as 12GiB; a run planned above it is refused.")
    private Optional<String> memoryLimit;

    @Option(
            names = "--dtype",
            paramLabel = "TYPE",
            defaultValue = "bf16",
            converter = PrecisionConverter.class,
            description = "fp32, bf16 or fp16; default ${DEFAULT-VALUE}.")
    private DType dtype;

    @Option(
            names = "--micro-batch",
            paramLabel = "B",
            defaultValue = "1",
            description = "Sequences; default ${DEFAULT-VALUE}.")
    private int microBatch;

    @Option(
            names = "--seq",
            paramLabel = "T",
            defaultValue = "256",
            description = "Tokens of a sequence; default ${DEFAULT-VALUE}.")
    private int time;

    @Option(
            names = "--lr",
            paramLabel = "RATE",
            defaultValue = "1e-5",
            description = "Learning rate; default ${DEFAULT-VALUE}.")
    private double learningRate;

    @Option(names = "--steps", paramLabel = "N", defaultValue = "5", description = "Default ${DEFAULT-VALUE}.")
    private int steps;

    @Option(names = "--backend", paramLabel = "NAME", defaultValue = "cpu", description = "Default ${DEFAULT-VALUE}.")
    private String backend;

    @Option(
            names = "--communicator",
            paramLabel = "NAME",
            defaultValue = "tcp",
            description = "Default ${DEFAULT-VALUE}.")
    private String communicator;

    @SuppressWarnings("UnusedVariable") // accepted for clarity: there is no other format
    @Option(names = "--json", description = "Print one JSON line; the only format there is.")
    private boolean json;

    /** A preset, or sizes with GPT-2's vocabulary and positions. */
    private static final class Model {
        @Option(names = "--model", paramLabel = "PRESET", description = "Name of a preset.")
        private String preset = "gpt2-124m";

        @ArgGroup(exclusive = false)
        private Sizes sizes;

        GptConfig shape(int time) {
            return sizes == null
                    ? GptConfig.preset(preset)
                    : GptConfig.of(
                            GptConfig.GPT2_VOCABULARY, Math.max(1024, time), sizes.layers, sizes.hidden, sizes.heads);
        }
    }

    /** Given together. */
    private static final class Sizes {
        @Option(names = "--layers", paramLabel = "L", required = true, description = "Transformer blocks.")
        private int layers;

        @Option(names = "--hidden", paramLabel = "C", required = true, description = "Width of the residual stream.")
        private long hidden;

        @Option(names = "--heads", paramLabel = "H", required = true, description = "Attention heads.")
        private int heads;
    }

    @Override
    public Integer call() {
        Console console = ((BenchCommand) spec.parent().userObject()).console();
        OptionalInt launched = ranks.launch(spec, console, System.getenv());
        if (launched.isPresent()) {
            return launched.getAsInt();
        }
        Rendezvous rendezvous = Rendezvous.fromEnvironment(System.getenv());
        OffloadSetup setup = new OffloadSetup(
                model.shape(time),
                microBatch,
                time,
                dtype,
                learningRate,
                steps,
                folder,
                memoryLimit,
                backend,
                communicator);
        String line = OffloadBenchmark.run(setup, rendezvous, console.err()::println);
        if (rendezvous.rank() == 0) {
            console.out().println(line);
        }
        return ExitCode.OK;
    }
}
