package ds.cli;

import ds.api.comm.Rendezvous;
import ds.cli.check.CheckSetup;
import ds.cli.check.ReferenceCheck;
import ds.cli.terminal.Console;
import java.nio.file.Path;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Compares a training run with the one that PyTorch did. */
@Command(
        name = "check",
        header = "Repeat a training run that PyTorch did, and compare.",
        description = {
            "Repeats a training run that PyTorch did, from the same weights on the same tokens, and prints one JSON line with the"
                    + " differences of logits, gradients, losses, norms and weights.",
            "The folder has reference.json, model.safetensors, config.json, tokens.safetensors, first_batch.safetensors and"
                    + " after_training.safetensors. Exit code 0 only if all is within the bounds."
        },
        footer = {
            "",
            "Examples:",
            "  ds check gpt2-tiny",
            "  ds check gpt2-tiny --ranks 4 --stage 2 --dtype bf16",
            "  ds check gpt2-tiny --ranks 4 --tensor-parallel 2"
        })
final class CheckCommand implements Callable<Integer> {
    private final Console console;

    @Parameters(paramLabel = "DIR", description = "Reference folder.")
    private Path folder;

    @Option(
            names = "--tensor-parallel",
            paramLabel = "M",
            description = "Over how many ranks each layer is split; default: ${DEFAULT-VALUE}.")
    private int tensorParallel = 1;

    @Spec
    private CommandSpec spec;

    @Mixin
    private RanksOption ranks = new RanksOption();

    @Mixin
    private StackOptions stack = new StackOptions();

    CheckCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        OptionalInt launched = ranks.launch(spec, console, System.getenv());
        if (launched.isPresent()) {
            return launched.getAsInt();
        }
        Rendezvous rendezvous = Rendezvous.fromEnvironment(System.getenv());
        CheckSetup setup = new CheckSetup(
                folder, stack.stage(), tensorParallel, stack.dtype(), stack.backend(), stack.communicator());
        ReferenceCheck.Outcome outcome = ReferenceCheck.run(setup, rendezvous);
        if (rendezvous.rank() == 0) {
            console.out().println(outcome.json());
        }
        return outcome.ok() ? ExitCode.OK : ExitCode.SOFTWARE;
    }
}
