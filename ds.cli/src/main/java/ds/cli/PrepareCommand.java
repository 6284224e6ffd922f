package ds.cli;

import ds.cli.terminal.Console;
import ds.cli.terminal.Progress;
import ds.data.Preparation;
import ds.data.TextSource;
import ds.data.TokenFile;
import ds.data.Tokenizer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Text to token files. */
@Command(
        name = "prepare",
        header = "Turn text into token files, once, for any number of training runs.",
        description = {
            "",
            "Reads text files, JSON lines, folders and zip or jar archives; writes " + Preparation.TRAIN + " and "
                    + Preparation.VALIDATION + ".",
            ""
        },
        footer = {
            "",
            "Examples:",
            "  ds prepare book.txt --tokenizer byte --out data",
            "  ds prepare library-sources.jar docs/ --include '**/*.java' --include '**/*.md' --out data",
            "  ds prepare corpus.jsonl --text-key content --validation 0.01 --out data"
        })
final class PrepareCommand implements Runnable {
    private static final long KIB = 1024;

    private final Console console;

    @Parameters(arity = "1..*", paramLabel = "INPUT", description = "Text file, .jsonl, folder, .zip or .jar.")
    private List<Path> inputs = List.of();

    @Option(
            names = "--include",
            paramLabel = "GLOB",
            description =
                    "Which files of folders and archives are read, such as '**/*.java'; may be repeated. Default: all.")
    private List<String> include = List.of();

    @Option(
            names = "--text-key",
            paramLabel = "KEY",
            defaultValue = TextSource.DEFAULT_TEXT_KEY,
            description = "Where JSON lines have their text. Default ${DEFAULT-VALUE}.")
    private String textKey;

    @Option(
            names = "--tokenizer",
            paramLabel = "NAME",
            defaultValue = "gpt2",
            description = "gpt2 (50257 tokens) or byte (257). Default ${DEFAULT-VALUE}.")
    private String tokenizer;

    @Option(names = "--out", required = true, paramLabel = "DIR", description = "Folder for the token files.")
    private Path out;

    @Option(
            names = "--validation",
            paramLabel = "FRACTION",
            defaultValue = "0.05",
            description = "How much is held out for validation. Default ${DEFAULT-VALUE}.")
    private double validation;

    PrepareCommand(Console console) {
        this.console = console;
    }

    @Override
    public void run() {
        var preparation = new Preparation(sources(), Tokenizer.named(tokenizer), out, validation);
        List<Progress> progress = new ArrayList<>(1); // begins when the text has been measured
        try {
            preparation.run(state -> {
                if (progress.isEmpty()) {
                    progress.add(Progress.start(console, "prepare", state.bytesTotal() / KIB, "KiB"));
                }
                progress.getFirst().at(state.bytes() / KIB, state.documents() + " documents");
            });
        } finally {
            progress.forEach(Progress::close);
        }
        summary(Preparation.TRAIN);
        summary(Preparation.VALIDATION);
    }

    /** {@return the inputs} The globs are for folders and archives; plain files are named one by one already. */
    List<TextSource> sources() {
        boolean onlyFiles = inputs.stream().noneMatch(PrepareCommand::hasMembers);
        return inputs.stream()
                .map(input -> new TextSource(input, onlyFiles || hasMembers(input) ? include : List.of(), textKey))
                .toList();
    }

    private static boolean hasMembers(Path input) {
        String name = input.toString();
        return Files.isDirectory(input) || name.endsWith(".zip") || name.endsWith(".jar");
    }

    private void summary(String name) {
        try (TokenFile file = TokenFile.open(out.resolve(name))) {
            console.out()
                    .printf(
                            Locale.ROOT,
                            "%s: %,d tokens of %,d bytes in %,d documents (%.2f bytes per token)%n",
                            file.path(),
                            file.tokens(),
                            file.textBytes(),
                            file.documents(),
                            (double) file.textBytes() / file.tokens());
        }
    }
}
