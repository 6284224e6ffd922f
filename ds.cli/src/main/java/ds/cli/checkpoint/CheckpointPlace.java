package ds.cli.checkpoint;

import ds.zero.checkpoint.CheckpointFolder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * What a user names: one checkpoint, a folder of checkpoints, or the folder of a run.
 *
 * @param path as given
 */
public record CheckpointPlace(Path path) {
    private static final String OF_RUN = "checkpoints";
    private static final String INDEX = "index.json";

    /**
     * {@return the checkpoints that it names, by tag}
     *
     * @throws IllegalArgumentException if there are none
     */
    public Map<String, Path> checkpoints() {
        if (isCheckpoint()) {
            return Map.of(path.toAbsolutePath().normalize().getFileName().toString(), path);
        }
        Map<String, Path> found = new LinkedHashMap<>(folder().checkpoints());
        if (found.isEmpty()) {
            throw new IllegalArgumentException(
                    path + ": no checkpoint here; name one, a folder of checkpoints, or the folder of a run");
        }
        return found;
    }

    /**
     * {@return one checkpoint}
     *
     * @param tag of it; empty for the highest step
     */
    public Path one(Optional<String> tag) {
        Map<String, Path> all = checkpoints();
        if (tag.isPresent()) {
            Path chosen = all.get(tag.get());
            if (chosen == null) {
                throw new IllegalArgumentException(
                        "--tag = " + tag.get() + ": no such checkpoint; " + path + " has " + all.keySet());
            }
            return chosen;
        }
        if (isCheckpoint()) {
            return path;
        }
        return folder().latest()
                .orElseThrow(() -> new IllegalArgumentException(
                        path + ": has no checkpoint of a step, only " + all.keySet() + "; choose one by --tag"));
    }

    private boolean isCheckpoint() {
        return Files.exists(path.resolve(INDEX));
    }

    private CheckpointFolder folder() {
        Path ofRun = path.resolve(OF_RUN);
        return new CheckpointFolder(Files.isDirectory(ofRun) ? ofRun : path);
    }
}
