package ds.zero.checkpoint;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A folder of checkpoints, each a folder by the name of its tag: {@code step-00000060}, or a name that somebody chose. What has
 * such a name is complete. Names with a dot in front belong to saving: {@code .TAG.pending-ID} is being written,
 * {@code .TAG.replaced-ID} is what TAG was before it is saved anew, {@code .TAG.removed-ID} is being deleted.
 */
public final class CheckpointFolder {
    private static final System.Logger LOG = System.getLogger(CheckpointFolder.class.getName());
    private static final Pattern TAG = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,99}");
    private static final Pattern STEP = Pattern.compile("step-([0-9]{8,18})");
    private static final Pattern OWN =
            Pattern.compile("\\.(" + TAG.pattern() + ")\\.(pending|replaced|removed)-([0-9a-f]{8})");

    private final Path path;
    private final Disk disk;

    /** Describes a folder, which need not be there. */
    public CheckpointFolder(Path path) {
        this(path, Disk.REAL);
    }

    CheckpointFolder(Path path, Disk disk) {
        this.path = path;
        this.disk = disk;
    }

    /** {@return where it is} */
    public Path path() {
        return path;
    }

    /** {@return the tag of the checkpoint after this step} */
    public static String tagOf(long step) {
        return String.format(Locale.ROOT, "step-%08d", step);
    }

    /** {@return the step whose tag this is; empty for a name that somebody chose} */
    public static OptionalLong stepOf(String tag) {
        Matcher matcher = STEP.matcher(tag);
        return matcher.matches() ? OptionalLong.of(Long.parseLong(matcher.group(1))) : OptionalLong.empty();
    }

    /**
     * {@return the tag}
     *
     * @throws IllegalArgumentException if it cannot name a folder on every system
     */
    static String requireTag(String tag) {
        if (!TAG.matcher(tag).matches()) {
            throw new IllegalArgumentException("checkpoint tag '" + tag
                    + "': use up to 100 letters, digits, '_', '-' and '.', a letter or digit first");
        }
        return tag;
    }

    /** {@return all checkpoints: folders by tag, steps in their order, then chosen names in alphabetical order} */
    public Map<String, Path> checkpoints() {
        Map<String, Path> found = new TreeMap<>(
                Comparator.<String>comparingLong(tag -> stepOf(tag).orElse(Long.MAX_VALUE))
                        .thenComparing(Comparator.naturalOrder()));
        List<Path> folders = folders();
        for (Path folder : folders) {
            Matcher own = OWN.matcher(folder.getFileName().toString());
            if (own.matches() && own.group(2).equals("replaced")) {
                found.put(own.group(1), folder); // killed between two renames: still the checkpoint of that tag
            }
        }
        for (Path folder : folders) {
            if (TAG.matcher(folder.getFileName().toString()).matches()) {
                found.put(folder.getFileName().toString(), folder);
            }
        }
        return found;
    }

    /** {@return the checkpoint of the highest step} */
    public Optional<Path> latest() {
        Optional<Path> latest = Optional.empty();
        for (Map.Entry<String, Path> checkpoint : checkpoints().entrySet()) {
            if (stepOf(checkpoint.getKey()).isPresent()) {
                latest = Optional.of(checkpoint.getValue());
            }
        }
        return latest;
    }

    private List<Path> folders() {
        if (!Files.isDirectory(path)) {
            return List.of();
        }
        try (Stream<Path> entries = Files.list(path)) {
            return entries.filter(Files::isDirectory).sorted().toList();
        } catch (IOException e) {
            throw new UncheckedIOException(path + ": cannot be listed", e);
        }
    }

    Path target(String tag) {
        return path.resolve(tag);
    }

    Path pending(String tag, String id) {
        return own(tag, "pending", id);
    }

    private Path own(String tag, String what, String id) {
        return path.resolve("." + tag + "." + what + "-" + id);
    }

    /**
     * Gives a complete pending folder its name.
     *
     * @return what had it before, under a name with a dot; to be deleted
     */
    Optional<Path> publish(String tag, String id) throws IOException {
        Path pending = pending(tag, id);
        Path target = target(tag);
        disk.forceFolder(pending);
        if (!Files.exists(target)) {
            disk.rename(pending, target);
            disk.forceFolder(path);
            return Optional.empty();
        }
        Path replaced = own(tag, "replaced", id);
        disk.rename(target, replaced);
        disk.rename(pending, target);
        disk.forceFolder(path);
        return Optional.of(unname(replaced, tag, id));
    }

    /** Makes the folder as if no save had ever been stopped in the middle. */
    void recover() throws IOException {
        for (Path folder : folders()) {
            Matcher own = OWN.matcher(folder.getFileName().toString());
            if (own.matches()) {
                String tag = own.group(1);
                if (!own.group(2).equals("replaced")) {
                    deleteTree(folder);
                } else if (Files.exists(target(tag))) {
                    deleteTree(unname(folder, tag, own.group(3)));
                } else {
                    disk.rename(folder, target(tag));
                }
            }
        }
    }

    /**
     * Takes the oldest steps their names, so that {@code count} are left; chosen names stay.
     *
     * @return what is to be deleted
     */
    List<Path> keepLast(int count, String id) {
        List<Path> unnamed = new ArrayList<>();
        Map<String, Path> all = checkpoints();
        List<String> steps = new ArrayList<>(all.keySet());
        steps.removeIf(tag -> stepOf(tag).isEmpty());
        for (String tag : steps.subList(0, Math.max(0, steps.size() - count))) {
            try {
                unnamed.add(unname(all.get(tag), tag, id));
            } catch (IOException e) {
                LOG.log(
                        System.Logger.Level.WARNING,
                        all.get(tag) + ": old checkpoint could not be deleted; delete it",
                        e);
            }
        }
        return unnamed;
    }

    /** Done before a folder is deleted: however that ends, no half of a checkpoint has a name. */
    private Path unname(Path folder, String tag, String id) throws IOException {
        Path removed = own(tag, "removed", id);
        disk.rename(folder, removed);
        return removed;
    }

    /** Deletes a folder that saving itself has made. */
    void deleteTree(Path folder) throws IOException {
        List<Path> all;
        try (Stream<Path> tree = Files.walk(folder)) {
            all = tree.sorted(Comparator.reverseOrder()).toList();
        }
        for (Path entry : all) {
            disk.delete(entry);
        }
    }
}
