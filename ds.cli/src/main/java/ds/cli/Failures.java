package ds.cli;

import ds.cli.terminal.Console;
import java.io.IOException;
import java.io.UncheckedIOException;
import picocli.CommandLine;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/** Turns what goes wrong into one message on stderr and an exit code. */
final class Failures {
    private final Console console;

    Failures(Console console) {
        this.console = console;
    }

    /** The command line is wrong: says what, and how to get help. */
    int ofUsage(ParameterException e, String[] args) {
        CommandLine command = e.getCommandLine();
        CommandSpec spec = command.getCommandSpec();
        console.err().println(spec.root().name() + ": " + e.getMessage());
        UnmatchedArgumentException.printSuggestions(e, console.err());
        console.err().println("`" + spec.qualifiedName() + " --help` explains it.");
        console.flush();
        return ExitCode.USAGE;
    }

    /** The command failed. */
    int ofExecution(Exception e, CommandLine command, ParseResult arguments) {
        DsCommand root = command.getCommandSpec().root().commandLine().getCommand();
        console.err().println("ds: " + message(e));
        if (root.stackTrace()) {
            e.printStackTrace(console.err());
        }
        console.flush();
        return ExitCode.SOFTWARE;
    }

    /** Our own messages say everything; those of the JDK need their class, and what nobody expected needs a report. */
    private static String message(Exception e) {
        Module module = e.getClass().getModule();
        boolean ours = module.isNamed() && module.getName().startsWith("ds.");
        if (e.getMessage() != null && (ours || e instanceof IllegalArgumentException)) {
            return e.getMessage();
        }
        return switch (e) {
            case UncheckedIOException io -> String.valueOf(io.getCause());
            case IOException io -> io.toString();
            default ->
                "internal error: " + e + "; run again with --stacktrace and report it with the output of `ds info`";
        };
    }
}
