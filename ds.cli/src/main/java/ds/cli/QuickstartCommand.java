package ds.cli;

import ds.cli.job.JavaCommand;
import ds.cli.job.JobPlan;
import ds.cli.job.LocalJob;
import ds.cli.terminal.Console;
import ds.cli.train.RunFolder;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import tools.jackson.databind.json.JsonMapper;

/** The first thing to try: everything that ds does, in a few minutes. */
@Command(
        name = "quickstart",
        header = "Train a small GPT on Java source code, in a few minutes.",
        description = {
            "Trains a small GPT on Java source code: two local ranks, ZeRO stage 2, bf16, byte tokens. Takes a few minutes on two"
                    + " cores.",
            "Prints the validation loss, bits per byte beside those of gzip -9, and a sample; leaves a folder with the"
                    + " configuration, metrics and the exported model."
        },
        footer = {"", "Examples:", "  ds quickstart", "  ds quickstart --ranks 1 --out runs/alone"})
final class QuickstartCommand implements Callable<Integer> {
    private static final String CORPUS = "commons-lang3-sources.jar";

    private final Console console;

    @Option(
            names = "--ranks",
            paramLabel = "N",
            defaultValue = "2",
            description = "Local processes; default ${DEFAULT-VALUE}.")
    private int ranks;

    @Option(
            names = "--out",
            paramLabel = "DIR",
            description =
                    "Folder for what the run leaves behind; default: runs/quickstart, or the first free runs/quickstart-N.")
    private Path out;

    QuickstartCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        Path corpus = corpus();
        RunFolder folder = out == null ? RunFolder.unused(Path.of("runs", "quickstart")) : new RunFolder(out);
        folder.requireUnused();
        folder.create();
        Path config = folder.config();
        write(config, template().replace("\"@CORPUS@\"", JsonMapper.shared().writeValueAsString(corpus.toString())));
        console.err().println("text:  Java sources in " + corpus.getFileName());
        console.err().println("same:  ds launch --ranks " + ranks + " -- train --config " + config + " --out DIR");
        console.flush();
        List<String> arguments = List.of(
                "train", "--config", config.toString(), "--out", folder.path().toString());
        return new LocalJob(JobPlan.local(ranks), JavaCommand.ofThisProcess(), console).run(arguments);
    }

    /** The build puts it beside the folder of jars in which this class lies. */
    private static Path corpus() {
        URI jar = URI.create(QuickstartCommand.class
                .getProtectionDomain()
                .getCodeSource()
                .getLocation()
                .toString());
        Path corpus = Path.of(jar).getParent().resolveSibling("quickstart").resolve(CORPUS);
        if (!Files.isRegularFile(corpus)) {
            throw new IllegalArgumentException(
                    corpus + ": not found; the build puts it there: run ./mvnw package, or use `ds train`"
                            + " with a text of your own");
        }
        return corpus;
    }

    private static String template() {
        try (InputStream in = QuickstartCommand.class.getResourceAsStream("quickstart.json")) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void write(Path file, String text) {
        try {
            Files.writeString(file, text);
        } catch (IOException e) {
            throw new UncheckedIOException(file + ": cannot be written", e);
        }
    }
}
