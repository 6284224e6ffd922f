package ds.cli;

import ds.api.comm.Rendezvous;
import ds.bench.RequestedSteps;
import ds.bench.StepBenchmark;
import ds.bench.StepBreakdown;
import ds.bench.StepSetup;
import ds.bench.StepShape;
import ds.cli.terminal.Console;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Measures this machine. */
@Command(
        name = "bench",
        header = "Measure this machine.",
        description = "Measures this machine. Scripts for PyTorch on the same machine are in ds.bench/scripts.",
        subcommands = {
            BenchCommand.Step.class,
            BenchOptimizerCommand.class,
            BenchOffloadCommand.class,
            BenchCheckpointCommand.class,
            BenchCommCommand.class
        })
final class BenchCommand implements Runnable {
    private final Console console;

    @Spec
    private CommandSpec spec;

    BenchCommand(Console console) {
        this.console = console;
    }

    Console console() {
        return console;
    }

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "no benchmark given");
    }

    /** A training step. */
    @Command(
            name = "step",
            header = "Time full training steps of a GPT.",
            description = "Times full training steps of a GPT on random tokens, and prints one JSON line.",
            footer = {
                "",
                "Examples:",
                "  ds bench step --model gpt2-124m --micro-batch 4 --seq 256 --dtype bf16 --steps 5",
                "  ds bench step --model gpt2-124m --micro-batch 2 --seq 256 --ranks 2 --stage 2",
                "  ds bench step --breakdown --micro-batch 4 --seq 256"
            })
    static final class Step implements Callable<Integer> {
        @Spec
        private CommandSpec spec;

        @Mixin
        private RanksOption ranks = new RanksOption();

        @Mixin
        private StackOptions stack = new StackOptions();

        @Option(
                names = "--model",
                paramLabel = "PRESET",
                defaultValue = "gpt2-124m",
                description = "Default ${DEFAULT-VALUE}.")
        private String model;

        @Option(
                names = "--layers",
                paramLabel = "L",
                description = "Transformer blocks; those of the preset by default.")
        private Integer layers;

        @Option(
                names = "--channels",
                paramLabel = "C",
                description = "Width of the model; that of the preset by default.")
        private Integer channels;

        @Option(names = "--heads", paramLabel = "NH", description = "Attention heads; those of the preset by default.")
        private Integer heads;

        @Option(names = "--vocabulary", paramLabel = "V", description = "Tokens; those of the preset by default.")
        private Integer vocabulary;

        @Option(
                names = "--tensor-parallel",
                paramLabel = "M",
                defaultValue = "1",
                description = "Over how many ranks each layer is split; default ${DEFAULT-VALUE}.")
        private int tensorParallel;

        @Option(
                names = "--micro-batch",
                paramLabel = "B",
                defaultValue = "4",
                description = "Sequences; default ${DEFAULT-VALUE}.")
        private int microBatch;

        @Option(
                names = "--seq",
                paramLabel = "T",
                defaultValue = "256",
                description = "Tokens of a sequence; default ${DEFAULT-VALUE}.")
        private int time;

        @Option(
                names = "--accumulation",
                paramLabel = "K",
                defaultValue = "1",
                description = "Micro-batches of a step; default ${DEFAULT-VALUE}.")
        private int accumulation;

        @Option(
                names = "--warm-up",
                paramLabel = "W",
                defaultValue = "3",
                description =
                        "Steps before those that are measured; default ${DEFAULT-VALUE}. Code that runs once a layer is compiled after some 15.")
        private int warmUp;

        @Option(
                names = "--steps",
                paramLabel = "N",
                defaultValue = "5",
                description = "Steps measured; default ${DEFAULT-VALUE}.")
        private int steps;

        @Option(
                names = "--breakdown",
                description = "Time every kernel, beside what this machine could do; prints a table.")
        private boolean breakdown;

        @Option(
                names = "--on-request",
                description =
                        "Read the standard input: a line 'step' asks for a step, 'rate' for the best matrix product;"
                                + " the JSON line comes when it ends. For scripts that let programs take turns.")
        private boolean onRequest;

        @Option(
                names = "--no-overlap",
                description = "Wait for every collective before computing on: overlap_comm false.")
        private boolean noOverlap;

        @Option(
                names = "--keys",
                paramLabel = "JSON",
                defaultValue = "{}",
                description =
                        "More keys of a configuration, such as '{\"zero_optimization\": {\"zero_quantized_weights\": true}}'.")
        private String keys;

        @Option(
                names = "--timeline",
                paramLabel = "FILE",
                description =
                        "Write the measured steps of all ranks as a Chrome trace, for chrome://tracing or Perfetto.")
        private Path timeline;

        @Option(names = "--json", description = "Print one JSON line: of a breakdown too. All else is JSON anyway.")
        private boolean json;

        @Option(
                names = "--output",
                paramLabel = "FILE",
                description = "Write the JSON line to a file as well; an older one is replaced.")
        private Path output;

        @Override
        public Integer call() throws IOException {
            BenchCommand parent = (BenchCommand) spec.parent().userObject();
            OptionalInt launched = ranks.launch(spec, parent.console, System.getenv());
            if (launched.isPresent()) {
                return launched.getAsInt();
            }
            Rendezvous rendezvous = Rendezvous.fromEnvironment(System.getenv());
            StepSetup setup = new StepSetup(
                    new StepShape(model, given(layers), given(channels), given(heads), given(vocabulary)),
                    microBatch,
                    time,
                    accumulation,
                    stack.dtype(),
                    stack.stage(),
                    tensorParallel,
                    warmUp,
                    steps,
                    stack.backend(),
                    stack.communicator(),
                    !noOverlap,
                    keys);
            if (breakdown && timeline != null) {
                throw new ParameterException(spec.commandLine(), "--timeline and --breakdown: only one of them");
            }
            if (breakdown && !onRequest) {
                StepBreakdown result = StepBreakdown.run(setup, rendezvous);
                print(rendezvous, json ? result.json() : result.table().stripTrailing(), result.json());
            } else {
                Optional<RequestedSteps> requests = onRequest ? Optional.of(requests()) : Optional.empty();
                String line = StepBenchmark.run(setup, rendezvous, requests, Optional.ofNullable(timeline));
                print(rendezvous, line, line);
            }
            return ExitCode.OK;
        }

        private static OptionalInt given(Integer option) {
            return option == null ? OptionalInt.empty() : OptionalInt.of(option);
        }

        private RequestedSteps requests() {
            if (breakdown) {
                throw new ParameterException(spec.commandLine(), "--on-request and --breakdown: only one of them");
            }
            var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
            return new RequestedSteps(input, ((BenchCommand) spec.parent().userObject()).console.out());
        }

        private void print(Rendezvous rendezvous, String text, String line) throws IOException {
            if (rendezvous.rank() == 0) {
                ((BenchCommand) spec.parent().userObject()).console.out().println(text);
                if (output != null) {
                    Files.writeString(output, line + System.lineSeparator());
                }
            }
        }
    }
}
