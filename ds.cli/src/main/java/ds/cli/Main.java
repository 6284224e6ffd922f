package ds.cli;

import ds.cli.job.LauncherWatch;
import ds.cli.job.StopRequest;
import ds.cli.terminal.Console;
import java.util.Map;
import picocli.CommandLine;

/** Runs one command and ends with its exit code. */
public final class Main {
    private Main() {}

    /** Runs {@code ds} with these arguments; the process ends with 0 (done), 1 (failed) or 2 (used wrongly). */
    public static void main(String[] args) {
        Map<String, String> environment = System.getenv();
        LauncherWatch.startIfLaunched(environment);
        Console console = Console.ofProcess(environment);
        StopRequest stop = new StopRequest();
        int code = commandLine(console, stop).execute(args);
        console.flush();
        stop.exit(code);
    }

    /** {@return the whole command line, which writes to this console} */
    static CommandLine commandLine(Console console, StopRequest stop) {
        CommandLine root = new CommandLine(new DsCommand());
        DsCommand.subcommands(console, stop).forEach(root::addSubcommand);
        root.getCommandSpec()
                .usageMessage()
                .header("DeepSpeed and ZeRO for the JVM."); // here, so that nobody inherits it
        var failures = new Failures(console);
        return root.setOut(console.out())
                .setErr(console.err())
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setUsageHelpAutoWidth(false)
                .setExecutionStrategy(DsCommand::execute)
                .setParameterExceptionHandler(failures::ofUsage)
                .setExecutionExceptionHandler(failures::ofExecution);
    }
}
