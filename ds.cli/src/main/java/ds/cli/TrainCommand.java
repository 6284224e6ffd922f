package ds.cli;

import ds.api.comm.Rendezvous;
import ds.cli.job.StopRequest;
import ds.cli.plan.MachineMemory;
import ds.cli.terminal.Console;
import ds.cli.train.RunConfig;
import ds.cli.train.RunFolder;
import ds.cli.train.RunPlan;
import ds.cli.train.TrainingRun;
import ds.zero.config.ByteSize;
import ds.zero.config.RuntimeConfig;
import ds.zero.config.json.Resolved;
import ds.zero.plan.MemoryPlan;
import ds.zero.plan.RankMemory;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Trains what a configuration file describes. */
@Command(
        name = "train",
        header = "Train what a configuration file describes.",
        description = {
            "Trains a GPT as a configuration file describes it: DeepSpeed's keys, and under \"ds\" the model, the data and the loop.",
            "Leaves a folder with the configuration, metrics, checkpoints and the model in Hugging Face layout.",
            "Where the folder has a checkpoint, the run goes on from the last one. On SIGTERM and Ctrl-C it finishes the step,"
                    + " saves, and ends with 0."
        },
        footer = {
            "",
            "Examples:",
            "  ds train --config my.json --out runs/first",
            "  ds launch --ranks 2 -- train --config my.json --out runs/second",
            "  ds train --config my.json --resolve"
        })
final class TrainCommand implements Runnable {
    private final Console console;
    private final StopRequest stop;

    @Option(
            names = "--config",
            paramLabel = "FILE",
            required = true,
            description = "JSON; comments and trailing commas are fine.")
    private Path file;

    @Option(
            names = "--out",
            paramLabel = "DIR",
            defaultValue = "runs/train",
            description =
                    "Folder for what the run leaves behind; a run that has been ended goes on; default ${DEFAULT-VALUE}.")
    private Path out;

    @Option(names = "--fresh", description = "Do not go on with an earlier run: refuse a folder that has one.")
    private boolean fresh;

    @Option(
            names = "--timeline",
            paramLabel = "FILE",
            description =
                    "At the end, write the steps of all ranks as a Chrome trace, for chrome://tracing or Perfetto.")
    private Path timeline;

    @Option(
            names = "--resolve",
            description = "Print the resolved configuration, with the source of every value, and do not train.")
    private boolean resolveOnly;

    TrainCommand(Console console, StopRequest stop) {
        this.console = console;
        this.stop = stop;
    }

    @Override
    public void run() {
        Rendezvous rendezvous = Rendezvous.fromEnvironment(System.getenv());
        String given = read(file);
        Resolved<RunConfig> resolved = RunConfig.parse(file, rendezvous.worldSize());
        if (resolveOnly) {
            console.out().println(resolved.toJson());
            return;
        }
        MemoryPlan plan = RunPlan.of(resolved.value()).requireFit();
        RunFolder folder = new RunFolder(out);
        boolean first = rendezvous.rank() == 0;
        if (first) {
            requireUsable(folder, resolved.value());
            warnIfTight(plan, resolved.value().zero().runtime());
            TrainingRun.describe(folder, given, resolved);
        }
        TrainingRun.Outcome outcome;
        try (TrainingDisplay display = new TrainingDisplay(console)) {
            TrainingRun.Place place = new TrainingRun.Place(folder, rendezvous, Optional.ofNullable(timeline));
            TrainingRun.Planned planned = new TrainingRun.Planned(resolved.value(), plan);
            outcome = new TrainingRun(planned, place, display, stop).run();
        }
        if (first) {
            console.err().println();
            switch (outcome) {
                case TrainingRun.Outcome.Finished finished -> print(finished, folder);
                case TrainingRun.Outcome.Stopped stopped -> print(stopped, folder);
            }
        }
    }

    /** Without a limit the plan decides nothing: others may give memory back before it is needed. */
    private void warnIfTight(MemoryPlan plan, RuntimeConfig runtime) {
        long needed = RankMemory.needed(plan.peakBytes());
        int ranks = MachineMemory.localRanks(System.getenv());
        long share = MachineMemory.availableBytes() / ranks;
        if (runtime.memoryLimitBytes().isEmpty() && needed > share) {
            console.err()
                    .println("warning: a rank needs " + ByteSize.inBinary(needed) + ", and this machine has "
                            + ByteSize.inBinary(share) + " available for each of " + ranks
                            + "; `ds plan --config " + file + "` shows what takes less");
        }
    }

    private void requireUsable(RunFolder folder, RunConfig config) {
        Path checkpoints = config.checkpointFolder(folder);
        if (fresh) {
            folder.requireFresh(checkpoints);
        } else {
            folder.requireUnusedOrResumable(checkpoints);
        }
    }

    private void print(TrainingRun.Outcome.Stopped stopped, RunFolder folder) {
        console.out()
                .println("stopped after step " + stopped.step() + " in " + folder.path()
                        + (stopped.saved()
                                ? "; the same command goes on from the last checkpoint"
                                : "; nothing is saved, since ds.checkpoint.every is 0"));
    }

    private void print(TrainingRun.Outcome.Finished outcome, RunFolder folder) {
        console.out()
                .println(String.format(Locale.ROOT, "validation loss: %.4f nats per token", outcome.validationLoss()));
        String gzip =
                String.format(Locale.ROOT, "%.3f", outcome.gzipBitsPerByte().orElse(Double.NaN));
        console.out()
                .println(String.format(
                        Locale.ROOT,
                        "bits per byte: %.3f (gzip -9 on the same text: %s)",
                        outcome.bitsPerByte(),
                        gzip));
        console.out().println("run folder: " + folder.path() + " (model in " + folder.model() + ")");
        outcome.sample().ifPresent(sample -> {
            console.out().println();
            console.out().println(sample);
        });
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (NoSuchFileException e) {
            throw new IllegalArgumentException("--config = " + file + ": there is no such file", e);
        } catch (IOException e) {
            throw new UncheckedIOException("--config = " + file + ": cannot be read", e);
        }
    }
}
