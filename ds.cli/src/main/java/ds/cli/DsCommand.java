package ds.cli;

import ds.cli.job.StopRequest;
import ds.cli.terminal.Console;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.logging.ConsoleHandler;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.Logger;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** The root: what all commands have in common. */
@Command(
        name = "ds",
        mixinStandardHelpOptions = true,
        scope = ScopeType.INHERIT,
        versionProvider = Version.class,
        synopsisSubcommandLabel = "COMMAND",
        usageHelpWidth = 100,
        commandListHeading = "%nCommands:%n",
        footer = {
            "",
            "`ds COMMAND --help` explains a command.",
            "Exit codes: 0 done, 1 failed, 2 used wrongly; `ds launch`: that of the rank that failed first."
        })
final class DsCommand implements Callable<Integer> {
    /** How much of the log is shown. */
    enum LogLevel {
        OFF,
        ERROR,
        WARNING,
        INFO,
        DEBUG,
        TRACE;

        /** {@return its name where the log goes} */
        Level level() {
            return switch (this) {
                case OFF -> Level.OFF;
                case ERROR -> Level.SEVERE;
                case WARNING -> Level.WARNING;
                case INFO -> Level.INFO;
                case DEBUG -> Level.FINE;
                case TRACE -> Level.ALL;
            };
        }
    }

    @Spec
    private CommandLine.Model.CommandSpec spec;

    @Option(
            names = "--log-level",
            paramLabel = "LEVEL",
            scope = ScopeType.INHERIT,
            defaultValue = "warning",
            description =
                    "What is logged to stderr: off, error, warning, info, debug or trace; default ${DEFAULT-VALUE}.")
    private LogLevel logLevel = LogLevel.WARNING;

    @Option(
            names = "--stacktrace",
            scope = ScopeType.INHERIT,
            description = "Print where an error was raised, not only its message.")
    private boolean stackTrace;

    /** {@return all commands, in the order in which the help lists them} A new one is added here, and nowhere else. */
    static List<Object> subcommands(Console console, StopRequest stop) {
        return List.of(
                new QuickstartCommand(console),
                new TrainCommand(console, stop),
                new LaunchCommand(console, System.getenv()),
                new PlanCommand(console),
                new PrepareCommand(console),
                new GenerateCommand(console),
                new ExportCommand(console),
                new CheckpointCommand(console),
                new CheckCommand(console),
                new BenchCommand(console),
                new InfoCommand(console));
    }

    /** {@return the exit code of the command that the arguments name} */
    static int execute(ParseResult arguments) {
        DsCommand root = arguments.commandSpec().root().commandLine().getCommand();
        root.configureLog();
        return new CommandLine.RunLast().execute(arguments);
    }

    /** The handlers of the JDK print two lines per record and begin at INFO. */
    private void configureLog() {
        System.setProperty("java.util.logging.SimpleFormatter.format", "%4$s %3$s: %5$s%6$s%n");
        Logger all = Logger.getLogger("");
        all.setLevel(logLevel.level());
        for (Handler handler : all.getHandlers()) {
            if (handler instanceof ConsoleHandler) {
                handler.setLevel(logLevel.level());
            }
        }
    }

    /** {@return whether errors are printed with their stack trace} */
    boolean stackTrace() {
        return stackTrace;
    }

    /** Without a command there is nothing to do. */
    @Override
    public Integer call() {
        spec.commandLine().usage(spec.commandLine().getErr());
        return ExitCode.USAGE;
    }
}
