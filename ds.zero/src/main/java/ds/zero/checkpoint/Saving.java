package ds.zero.checkpoint;

import ds.api.Shape;
import ds.api.layer.Parameter;
import ds.zero.checkpoint.Checkpointer.Content;
import ds.zero.checkpoint.Index.Fragment;
import ds.zero.checkpoint.Index.StoredFile;
import java.io.IOException;
import java.lang.module.ModuleDescriptor;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * One save, on one rank: the commit protocol, top to bottom in {@link #run}. Each phase succeeds on all ranks or fails on all; a kill
 * between any two operations leaves the old checkpoints as they were, or the new one complete.
 */
final class Saving implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(Saving.class.getName());

    /** {@code training.json}. */
    static final String TRAINING = "training.json";

    private final CheckpointFolder folder;
    private final Agreement agreement;
    private final Disk disk;
    private final int keepLast;
    private final Removals removals;

    Saving(CheckpointFolder folder, Agreement agreement, Disk disk, int keepLast) {
        this.folder = folder;
        this.agreement = agreement;
        this.disk = disk;
        this.keepLast = keepLast;
        this.removals = new Removals(folder);
    }

    /**
     * Saves; all ranks call it. What the new checkpoint replaces is deleted afterwards, in the background.
     *
     * @param tag the same on all ranks
     * @param source of the elements of {@code content.pieces()}
     * @throws CheckpointException on all ranks if it failed on one
     */
    void run(String tag, Content content, ShardWriter.Source source) {
        List<String> plans = agreement.gather(
                "plan", tag + " " + newId() + " " + content.pieces().byteSize());
        String id = agreedId(tag, plans);
        Path pending = folder.pending(tag, id);
        List<Path> outdated = new ArrayList<>();
        try {
            inTurn("making room", tag, () -> makeFolder(pending, plans));
            Path shard = pending.resolve(shardName(agreement.rank(), agreement.worldSize()));
            ShardWriter writer = new ShardWriter(disk, content.pieces().pieces(), source, agreement::cancelled);
            Fragment own = agreement.together("writing shards", folder.target(tag), () -> writer.write(shard));
            List<Fragment> fragments = collect(own);
            inTurn("commit", tag, () -> commit(tag, id, content, fragments).ifPresent(outdated::add));
        } catch (CheckpointException e) {
            discard(pending);
            throw e;
        }
        if (agreement.isFirst()) {
            outdated.addAll(folder.keepLast(keepLast, id));
            removals.begin(outdated);
        }
    }

    private static String newId() {
        byte[] bytes = new byte[4];
        new SecureRandom().nextBytes(bytes); // the pid of another host may be the same
        return HexFormat.of().formatHex(bytes);
    }

    /** Rank 0's; also sees that all ranks save the same thing. */
    private String agreedId(String tag, List<String> plans) {
        List<String> tags = plans.stream().map(plan -> plan.split(" ", -1)[0]).toList();
        if (new HashSet<>(tags).size() > 1) {
            throw new CheckpointException(
                    folder.path(),
                    "the ranks save different tags, in the order of ranks " + tags + "; this is rank "
                            + agreement.rank() + " with " + tag
                            + ": call save() on all ranks at the same step with the same tag");
        }
        return plans.getFirst().split(" ", -1)[1];
    }

    private interface FileWork {
        void run() throws IOException;
    }

    /** Lets rank 0 do something while the others wait. */
    private void inTurn(String label, String tag, FileWork work) {
        agreement.together(label, folder.target(tag), () -> {
            if (agreement.isFirst()) {
                work.run();
            }
            return label;
        });
    }

    private void makeFolder(Path pending, List<String> plans) throws IOException {
        removals.await();
        disk.createFolder(folder.path());
        long needed = plans.stream()
                .mapToLong(plan -> Long.parseLong(plan.split(" ", -1)[2]))
                .sum();
        long usable = disk.usableBytes(folder.path());
        if (usable < needed) {
            throw new CheckpointException(
                    folder.path(),
                    String.format(
                            Locale.ROOT,
                            "a checkpoint takes %,d bytes and the disk has %,d left; free space, keep fewer checkpoints,"
                                    + " or choose another folder",
                            needed,
                            usable));
        }
        disk.createFolder(pending);
    }

    static String shardName(int rank, int worldSize) {
        return String.format(Locale.ROOT, "shard-%05d-of-%05d.safetensors", rank, worldSize);
    }

    private List<Fragment> collect(Fragment own) {
        return agreement.collect("index", IndexJson.write(own)).stream()
                .map(bytes -> IndexJson.readFragment(folder.path(), bytes))
                .toList();
    }

    /**
     * The index comes last, and the name after it.
     *
     * @return what had the name before; to be deleted
     */
    private Optional<Path> commit(String tag, String id, Content content, List<Fragment> fragments) throws IOException {
        Path pending = folder.pending(tag, id);
        List<StoredFile> files = new ArrayList<>();
        for (Fragment fragment : fragments) {
            files.add(requireVisible(pending, fragment.file()));
        }
        Map<String, String> texts = new TreeMap<>(content.texts());
        texts.put(TRAINING, content.training().toJson(writer()));
        for (Map.Entry<String, String> text : texts.entrySet()) {
            byte[] bytes = text.getValue().getBytes(StandardCharsets.UTF_8);
            disk.writeFile(pending.resolve(text.getKey()), bytes);
            files.add(new StoredFile(text.getKey(), bytes.length, bytes.length, IndexJson.checksum(bytes)));
        }
        Map<String, Shape> parameters = new LinkedHashMap<>();
        for (Parameter parameter : content.pieces().parameters()) {
            parameters.put(parameter.name(), parameter.whole());
        }
        Index index = new Index(
                writer(),
                agreement.worldSize(),
                ShardWriter.CHUNK_BYTES,
                content.pieces().kinds(),
                parameters,
                files,
                Index.merge(fragments));
        Path file = pending.resolve(Index.FILE);
        disk.writeFile(file, IndexJson.write(index.requireWhole(file)));
        return folder.publish(tag, id);
    }

    /** Rank 0 names the folder for all: it must be the same folder for all. */
    private static StoredFile requireVisible(Path pending, StoredFile file) throws IOException {
        Path path = pending.resolve(file.name());
        if (!Files.exists(path) || Files.size(path) != file.byteSize()) {
            throw new CheckpointException(
                    path,
                    "another rank has written it with " + file.byteSize()
                            + " bytes, and rank 0 does not see it so; choose a folder that all hosts share");
        }
        return file;
    }

    static String writer() {
        return Optional.ofNullable(Saving.class.getModule().getDescriptor()) // none on the class path
                .flatMap(ModuleDescriptor::rawVersion)
                .map(version -> "ds " + version)
                .orElse("ds of unknown version");
    }

    /** Waits until old checkpoints are deleted. */
    @Override
    public void close() {
        removals.await();
    }

    private void discard(Path pending) {
        if (!agreement.isFirst() || !Files.exists(pending)) {
            return;
        }
        try {
            folder.deleteTree(pending);
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, pending + ": could not be deleted; the next start does it", e);
        }
    }
}
