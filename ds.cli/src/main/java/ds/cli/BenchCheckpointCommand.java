package ds.cli;

import ds.api.comm.Rendezvous;
import ds.bench.CheckpointBenchmark;
import ds.bench.CheckpointSetup;
import ds.cli.terminal.Console;
import java.nio.file.Path;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Saving and loading. */
@Command(
        name = "checkpoint",
        header = "Time checkpoints of a GPT, beside the raw disk.",
        description = {
            "Saves and loads a GPT's whole training state, at once and in the background, in turns with direct reads "
                    + "and writes of as many bytes. Prints one JSON line with medians. Reads come from the disk where the page cache may be dropped "
                    + "(root on Linux), which the line says. The files are removed."
        },
        footer = {
            "",
            "Examples:",
            "  ds bench checkpoint --folder /var/tmp/ds",
            "  ds bench checkpoint --model gpt2-355m --ranks 2 --stage 2 --dtype bf16 --folder /var/tmp/ds"
        })
final class BenchCheckpointCommand implements Callable<Integer> {
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
            names = "--folder",
            paramLabel = "DIR",
            required = true,
            description = "On the disk that is measured; made if it is not there.")
    private Path folder;

    @Option(
            names = "--repeats",
            paramLabel = "N",
            defaultValue = "5",
            description = "Saves of each kind, and loads; default ${DEFAULT-VALUE}.")
    private int repeats;

    @SuppressWarnings("UnusedVariable") // accepted for clarity: there is no other format
    @Option(names = "--json", description = "Print one JSON line; the only format there is.")
    private boolean json;

    @Override
    public Integer call() {
        Console console = ((BenchCommand) spec.parent().userObject()).console();
        OptionalInt launched = ranks.launch(spec, console, System.getenv());
        if (launched.isPresent()) {
            return launched.getAsInt();
        }
        Rendezvous rendezvous = Rendezvous.fromEnvironment(System.getenv());
        CheckpointSetup setup = new CheckpointSetup(
                model, stack.dtype(), stack.stage(), repeats, folder, stack.backend(), stack.communicator());
        String line = CheckpointBenchmark.run(setup, rendezvous);
        if (rendezvous.rank() == 0) {
            console.out().println(line);
        }
        return ExitCode.OK;
    }
}
