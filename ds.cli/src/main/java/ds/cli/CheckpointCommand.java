package ds.cli;

import ds.cli.checkpoint.CheckpointList;
import ds.cli.checkpoint.CheckpointPlace;
import ds.cli.checkpoint.CheckpointWeights;
import ds.cli.checkpoint.Consolidation;
import ds.cli.terminal.Console;
import ds.cli.terminal.Progress;
import ds.models.gpt.HuggingFace;
import ds.zero.checkpoint.Checkpoint;
import ds.zero.checkpoint.CheckpointException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** What can be done with checkpoints besides going on from them. */
@Command(
        name = "checkpoint",
        header = "List, verify, consolidate and export the checkpoints of runs.",
        description = "DIR is a checkpoint, a folder of checkpoints, or the folder of a run.",
        synopsisSubcommandLabel = "COMMAND")
final class CheckpointCommand implements Runnable {
    private static final String DIR = "A checkpoint, a folder of checkpoints, or the folder of a run.";
    private static final String OUT = "Folder for the files: new or empty.";
    private static final String TAG = "Which checkpoint; default: that of the highest step.";

    private final Console console;

    @Spec
    private CommandSpec spec;

    CheckpointCommand(Console console) {
        this.console = console;
    }

    @Override
    public void run() {
        throw new ParameterException(
                spec.commandLine(),
                "checkpoint: name one of " + spec.subcommands().keySet());
    }

    @Command(
            name = "list",
            header = "List checkpoints, by their indexes and the sizes of their files.",
            footer = {"", "Examples:", "  ds checkpoint list runs/mine", "  ds checkpoint list runs/mine --json"})
    int list(
            @Parameters(paramLabel = "DIR", description = DIR) Path dir,
            @Option(names = "--json", description = "Print a JSON list.") boolean json) {
        CheckpointList list = new CheckpointList(new CheckpointPlace(dir).checkpoints());
        if (json) {
            console.out().println(list.toJson());
        } else {
            list.print(console.out());
        }
        return list.isComplete() ? ExitCode.OK : ExitCode.SOFTWARE;
    }

    @Command(
            name = "verify",
            header = "Read every byte of checkpoints and compare it with its checksum; exit code 1 if one is damaged.",
            footer = {
                "",
                "Examples:",
                "  ds checkpoint verify runs/mine",
                "  ds checkpoint verify runs/mine/checkpoints/step-00000060"
            })
    int verify(@Parameters(paramLabel = "DIR", description = DIR) Path dir) {
        boolean intact = true;
        for (Map.Entry<String, Path> entry :
                new CheckpointPlace(dir).checkpoints().entrySet()) {
            List<CheckpointException> damages = damages(entry.getKey(), entry.getValue());
            damages.forEach(damage -> console.err().println("ds: " + damage.getMessage()));
            console.out().println(entry.getKey() + ": " + (damages.isEmpty() ? "intact" : "damaged"));
            intact &= damages.isEmpty();
        }
        return intact ? ExitCode.OK : ExitCode.SOFTWARE;
    }

    private List<CheckpointException> damages(String tag, Path path) {
        try {
            Checkpoint checkpoint = Checkpoint.open(path);
            try (Progress progress = Progress.start(console, "verify " + tag, checkpoint.tensorBytes(), "bytes")) {
                return checkpoint.verify(bytes -> progress.at(bytes, ""));
            }
        } catch (CheckpointException e) {
            return List.of(e);
        }
    }

    @Command(
            name = "consolidate",
            header = "Write a checkpoint as whole tensors: weights and optimizer states in fp32 safetensors.",
            description = {
                "",
                "Writes model.safetensors and optimizer.safetensors, or numbered files with an index as Hugging Face has it.",
                ""
            },
            footer = {"", "Examples:", "  ds checkpoint consolidate runs/mine --out whole"})
    int consolidate(
            @Parameters(paramLabel = "DIR", description = DIR) Path dir,
            @Option(names = "--out", paramLabel = "OUT", required = true, description = OUT) Path out,
            @Option(names = "--tag", paramLabel = "TAG", description = TAG) Optional<String> tag,
            @Option(
                            names = "--max-file-gb",
                            paramLabel = "GB",
                            defaultValue = "5",
                            description = "How much one file holds; default ${DEFAULT-VALUE}.")
                    double maxFileGigabytes) {
        ExportCommand.requireEmpty(out);
        Checkpoint checkpoint = Checkpoint.open(new CheckpointPlace(dir).one(tag));
        try (Progress progress = Progress.start(console, "consolidate", checkpoint.tensorBytes(), "bytes")) {
            new Consolidation(checkpoint, out, (long) (maxFileGigabytes * 1e9), bytes -> progress.at(bytes, "")).run();
        }
        console.out()
                .println(
                        out + ": " + checkpoint.folder() + " as whole tensors, " + checkpoint.tensorBytes() + " bytes");
        return ExitCode.OK;
    }

    @Command(
            name = "export",
            header = "Write the model in a checkpoint for Hugging Face transformers.",
            footer = {"", "Examples:", "  ds checkpoint export runs/mine --out my-model --dtype bf16"})
    int export(
            @Parameters(paramLabel = "DIR", description = DIR) Path dir,
            @Option(names = "--out", paramLabel = "OUT", required = true, description = OUT) Path out,
            @Option(names = "--tag", paramLabel = "TAG", description = TAG) Optional<String> tag,
            @Option(
                            names = "--dtype",
                            paramLabel = "TYPE",
                            defaultValue = "fp32",
                            description = "Stored precision: fp32, bf16 or fp16. Default ${DEFAULT-VALUE}.")
                    FloatType dtype) {
        ExportCommand.requireEmpty(out);
        Checkpoint checkpoint = Checkpoint.open(new CheckpointPlace(dir).one(tag));
        long elements = checkpoint.parameters().values().stream()
                .mapToLong(shape -> shape.elements())
                .sum();
        try (Progress progress = Progress.start(console, "export", elements, "parameters")) {
            CheckpointWeights weights = new CheckpointWeights(checkpoint, done -> progress.at(done, ""));
            HuggingFace.write(out, weights.shape(), weights, dtype.dtype(), true);
        }
        console.out().printf("%s: %,d parameters of %s in %s%n", out, elements, checkpoint.folder(), dtype);
        return ExitCode.OK;
    }
}
