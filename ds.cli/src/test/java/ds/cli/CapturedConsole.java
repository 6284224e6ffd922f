package ds.cli;

import ds.cli.job.StopRequest;
import ds.cli.terminal.Console;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.OptionalInt;

/** A command line in this process, with what it writes. */
final class CapturedConsole {
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();
    private final Console console = new Console(new PrintWriter(out), new PrintWriter(err), OptionalInt.empty());

    /** {@return the exit code} */
    int ds(String... arguments) {
        int code = Main.commandLine(console, new StopRequest()).execute(arguments);
        console.flush();
        return code;
    }

    Console console() {
        return console;
    }

    String out() {
        console.flush();
        return out.toString();
    }

    String err() {
        console.flush();
        return err.toString();
    }
}
