package ds.cli;

import ds.cli.terminal.Console;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import tools.jackson.databind.json.JsonMapper;

/** What a bug report needs. */
@Command(
        name = "info",
        header = "Show versions, hardware, providers and environment, as a bug report needs them.",
        footer = {"", "Examples:", "  ds info", "  ds info --json"})
final class InfoCommand implements Runnable {
    private final Console console;

    @Option(names = "--json", description = "Print one JSON object.")
    private boolean json;

    InfoCommand(Console console) {
        this.console = console;
    }

    @Override
    public void run() {
        Map<String, Object> report = SystemReport.take(System.getenv());
        if (json) {
            console.out()
                    .println(
                            JsonMapper.shared().writerWithDefaultPrettyPrinter().writeValueAsString(report));
        } else {
            SystemReport.print(report, console.out());
        }
    }
}
