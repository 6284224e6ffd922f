package ds.cli;

import ds.api.comm.Rendezvous;
import ds.cli.job.JavaCommand;
import ds.cli.job.JobPlan;
import ds.cli.job.LocalJob;
import ds.cli.terminal.Console;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** {@code --ranks N} of a command that can start its own ranks: each is this very command, told its place by its environment. */
final class RanksOption {
    @Option(
            names = "--ranks",
            paramLabel = "N",
            defaultValue = "1",
            description = "Start N local processes, as `ds launch` does; default ${DEFAULT-VALUE}.")
    private int ranks;

    /**
     * Starts the ranks, unless this process is one already.
     *
     * @param spec of the command that has this option
     * @return the job's exit code; empty in a rank, which has to do the work
     */
    OptionalInt launch(CommandSpec spec, Console console, Map<String, String> environment) {
        if (ranks < 1) {
            throw new ParameterException(spec.commandLine(), "--ranks = " + ranks + ": must be at least 1");
        }
        if (ranks == 1 || Rendezvous.fromEnvironment(environment).worldSize() > 1) {
            return OptionalInt.empty();
        }
        List<String> arguments = spec.root().commandLine().getParseResult().originalArgs();
        return OptionalInt.of(new LocalJob(JobPlan.local(ranks), JavaCommand.ofThisProcess(), console).run(arguments));
    }
}
