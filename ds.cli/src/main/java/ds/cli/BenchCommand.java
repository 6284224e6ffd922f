package ds.cli;

import ds.api.comm.Rendezvous;
import ds.bench.StepBenchmark;
import ds.bench.StepSetup;
import ds.cli.terminal.Console;
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
                "  ds bench step --model gpt2-124m --micro-batch 2 --seq 256 --ranks 2 --stage 2"
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
                names = "--steps",
                paramLabel = "N",
                defaultValue = "5",
                description = "Steps measured, after two that are not; default ${DEFAULT-VALUE}.")
        private int steps;

        @SuppressWarnings("UnusedVariable") // accepted for clarity: there is no other format
        @Option(names = "--json", description = "Print one JSON line; the only format there is.")
        private boolean json;

        @Override
        public Integer call() {
            BenchCommand parent = (BenchCommand) spec.parent().userObject();
            OptionalInt launched = ranks.launch(spec, parent.console, System.getenv());
            if (launched.isPresent()) {
                return launched.getAsInt();
            }
            Rendezvous rendezvous = Rendezvous.fromEnvironment(System.getenv());
            StepSetup setup = new StepSetup(
                    model,
                    microBatch,
                    time,
                    accumulation,
                    stack.dtype(),
                    stack.stage(),
                    steps,
                    stack.backend(),
                    stack.communicator());
            String line = StepBenchmark.run(setup, rendezvous);
            if (rendezvous.rank() == 0) {
                parent.console.out().println(line);
            }
            return ExitCode.OK;
        }
    }
}
