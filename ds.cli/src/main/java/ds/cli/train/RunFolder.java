package ds.cli.train;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/**
 * What a run leaves behind: {@code config.json} as given, {@code resolved.json}, {@code metrics.jsonl}, {@code metrics.csv},
 * {@code tokens/} where text was tokenised, {@code checkpoints/}, and {@code model/} in Hugging Face layout.
 *
 * @param path of the folder
 */
public record RunFolder(Path path) {
    /** Makes the folder. */
    public void create() {
        try {
            Files.createDirectories(path);
        } catch (FileAlreadyExistsException e) {
            throw new IllegalArgumentException("--out = " + path + ": is a file; name a folder", e);
        } catch (IOException e) {
            throw new UncheckedIOException("--out = " + path + ": cannot be made", e);
        }
    }

    /**
     * Refuses a folder in which a run has left its metrics, so that nothing is lost.
     *
     * @throws IllegalArgumentException naming the folder and the remedy
     */
    public void requireUnused() {
        if (Files.exists(metricsJson())) {
            throw new IllegalArgumentException(
                    "--out = " + path + ": has the metrics of an earlier run; name another folder, or remove this one");
        }
    }

    /**
     * Refuses a folder in which a run has left its metrics, unless it can go on there: it has saved checkpoints, or it was ended
     * before the first one.
     *
     * @param checkpoints where the run keeps them
     * @throws IllegalArgumentException naming the folder and the remedy
     */
    public void requireUnusedOrResumable(Path checkpoints) {
        if (!Files.isDirectory(checkpoints)) {
            requireUnused();
        }
    }

    /**
     * Refuses a folder that is not new.
     *
     * @param checkpoints where the run keeps them
     * @throws IllegalArgumentException naming the folder and the remedy
     */
    public void requireFresh(Path checkpoints) {
        requireUnused();
        if (Files.exists(checkpoints)) {
            throw new IllegalArgumentException(
                    "--fresh: " + checkpoints
                            + " has checkpoints of an earlier run; name another --out, or remove them, or leave --fresh out to go on");
        }
    }

    /** {@return the first of {@code base}, {@code base-2}, {@code base-3}, … in which there is nothing} */
    public static RunFolder unused(Path base) {
        for (int i = 1; ; i++) {
            Path candidate = i == 1 ? base : base.resolveSibling(base.getFileName() + "-" + i);
            if (isEmpty(candidate)) {
                return new RunFolder(candidate);
            }
        }
    }

    private static boolean isEmpty(Path folder) {
        if (!Files.exists(folder)) {
            return true;
        }
        try (Stream<Path> entries = Files.list(folder)) {
            return entries.findAny().isEmpty();
        } catch (IOException e) {
            return false;
        }
    }

    /** {@return the configuration as it was given} */
    public Path config() {
        return path.resolve("config.json");
    }

    /** {@return every value with where it comes from} */
    public Path resolved() {
        return path.resolve("resolved.json");
    }

    /** {@return one JSON object a line: steps and evaluations} */
    public Path metricsJson() {
        return path.resolve("metrics.jsonl");
    }

    /** {@return the same steps as a table} */
    public Path metricsCsv() {
        return path.resolve("metrics.csv");
    }

    /** {@return where token files are made} */
    public Path tokens() {
        return path.resolve("tokens");
    }

    /** {@return where checkpoints are kept, unless the configuration names another folder} */
    public Path checkpoints() {
        return path.resolve("checkpoints");
    }

    /** {@return the exported model} */
    public Path model() {
        return path.resolve("model");
    }

    /** Writes a text file. */
    void write(Path file, String text) {
        try {
            Files.writeString(file, text);
        } catch (IOException e) {
            throw new UncheckedIOException(file + ": cannot be written", e);
        }
    }
}
