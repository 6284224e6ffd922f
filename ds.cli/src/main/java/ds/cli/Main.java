package ds.cli;

import ds.cli.job.LauncherWatch;
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
        int code = commandLine(console).execute(args);
        console.flush();
        System.exit(code);
    }

    /** {@return the whole command line, which writes to this console} */
    static CommandLine commandLine(Console console) {
        CommandLine root = new CommandLine(new DsCommand());
        DsCommand.subcommands(console).forEach(root::addSubcommand);
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
