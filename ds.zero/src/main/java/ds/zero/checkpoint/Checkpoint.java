package ds.zero.checkpoint;

import ds.api.Shape;
import ds.api.layer.Parameter;
import ds.api.layer.Slice;
import ds.zero.checkpoint.ChunkReader.Chunk;
import ds.zero.checkpoint.Index.Stored;
import ds.zero.checkpoint.Index.StoredFile;
import ds.zero.config.json.Spelling;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.LongConsumer;

/**
 * A complete checkpoint, to be read. Opening reads the index and looks at the files' sizes; numbers are read in chunks, and none is
 * handed out before its checksum was verified.
 */
public final class Checkpoint {
    private static final int DIFFERENCES_SHOWN = 8;

    private final Path folder;
    private final Index index;
    private final TrainingState training;

    private Checkpoint(Path folder, Index index, TrainingState training) {
        this.folder = folder;
        this.index = index;
        this.training = training;
    }

    /**
     * {@return the checkpoint in a folder}
     *
     * @throws CheckpointException if the index or a file is missing or damaged, as far as sizes show it
     */
    public static Checkpoint open(Path folder) {
        Path file = folder.resolve(Index.FILE);
        try {
            Index index = IndexJson.read(file, Files.readAllBytes(file)).requireWhole(file);
            Map<String, StoredFile> files = new LinkedHashMap<>();
            for (StoredFile stored : index.files()) {
                ChunkReader.requireSize(folder.resolve(stored.name()), stored);
                files.put(stored.name(), stored);
            }
            StoredFile training = files.get(Saving.TRAINING);
            if (training == null) {
                throw new CheckpointException(
                        file, "does not list " + Saving.TRAINING + "; restore the file from a copy");
            }
            Path path = folder.resolve(Saving.TRAINING);
            byte[] bytes = ChunkReader.requireIntact(path, training);
            return new Checkpoint(folder, index, TrainingState.parse(path, IndexJson.tree(path, bytes)));
        } catch (NoSuchFileException e) {
            throw new CheckpointException(
                    file, "is missing: this folder is no checkpoint, or it is damaged; use another one", e);
        } catch (IOException e) {
            throw new CheckpointException(file, "cannot be read: " + e + "; check the disk and the permissions", e);
        }
    }

    /** {@return its folder} */
    public Path folder() {
        return folder;
    }

    /** {@return the numbers beside the tensors} */
    public TrainingState training() {
        return training;
    }

    /** {@return how many ranks wrote it} */
    public int worldSize() {
        return index.worldSize();
    }

    /** {@return {@link Piece#MASTER} and the names of the optimizer's states} */
    public List<String> kinds() {
        return index.kinds();
    }

    /** {@return shapes of all parameters by name, in the model's order} */
    public Map<String, Shape> parameters() {
        return Collections.unmodifiableMap(index.parameters());
    }

    /** {@return bytes of all its files but the index} */
    public long byteSize() {
        return index.files().stream().mapToLong(StoredFile::byteSize).sum();
    }

    /** {@return the names of the texts that were saved beside the tensors} */
    public List<String> texts() {
        return index.files().stream()
                .filter(file -> !file.isShard())
                .map(StoredFile::name)
                .toList();
    }

    /**
     * {@return a text that was saved beside the tensors}
     *
     * @throws CheckpointException if it is not there, or damaged
     */
    public String text(String name) {
        Path path = folder.resolve(name);
        for (StoredFile file : index.files()) {
            if (file.name().equals(name)) {
                try {
                    return new String(ChunkReader.requireIntact(path, file), StandardCharsets.UTF_8);
                } catch (IOException e) {
                    throw new CheckpointException(path, "cannot be read: " + e + "; restore the file from a copy", e);
                }
            }
        }
        throw new CheckpointException(path, "was not saved; this checkpoint has " + texts());
    }

    /**
     * Gives a rank its elements, from whatever files they are in.
     *
     * @param wanted by this rank; may overlap what others want
     * @param what the optimizer states too, or weights alone
     * @throws CheckpointException if the model or the optimizer is another one, or a file is damaged
     */
    public void load(RankPieces wanted, Checkpointer.What what) {
        RankPieces reduced = switch (what) {
            case EVERYTHING -> wanted;
            case WEIGHTS -> wanted.weightsOnly();
        };
        requireModel(reduced.parameters());
        if (what == Checkpointer.What.EVERYTHING) {
            requireKinds(reduced.kinds());
        }
        List<Chunk> chunks = new ArrayList<>();
        List<Piece> targets = new ArrayList<>();
        for (Piece piece : reduced.pieces()) {
            addChunks(piece, chunks);
            while (targets.size() < chunks.size()) {
                targets.add(piece);
            }
        }
        try (ChunkReader reader = new ChunkReader(folder, index)) {
            reader.forEach(
                    chunks, (i, bytes) -> overlap(chunks.get(i), targets.get(i)).upload(bytes));
        }
    }

    private void addChunks(Piece wanted, List<Chunk> chunks) {
        for (Stored stored : index.pieces(wanted.kind(), wanted.parameter().name())) {
            for (int i = 0; i < stored.checksums().size(); i++) {
                Chunk chunk = new Chunk(stored, i);
                if (!overlap(chunk, wanted).isEmpty()) {
                    chunks.add(chunk);
                }
            }
        }
    }

    private Overlap overlap(Chunk chunk, Piece target) {
        long first = chunk.piece().first() + chunk.number() * index.chunkElements();
        long end = Math.min(chunk.piece().end(), first + index.chunkElements());
        return new Overlap(index.slice(chunk.piece()), first, end, target);
    }

    private void requireModel(List<Parameter> model) {
        List<String> differences = new ArrayList<>();
        Set<String> names = new LinkedHashSet<>();
        for (Parameter parameter : model) {
            names.add(parameter.name());
            Shape stored = index.parameters().get(parameter.name());
            if (stored == null) {
                differences.add(parameter.name() + " is not in the checkpoint"
                        + didYouMean(parameter.name(), index.parameters().keySet()));
            } else if (!stored.equals(parameter.whole())) {
                differences.add(parameter.name() + " has shape " + stored + " in the checkpoint, " + parameter.whole()
                        + " in the model");
            }
        }
        for (String name : index.parameters().keySet()) {
            if (!names.contains(name)) {
                differences.add(name + " is not in the model" + didYouMean(name, names));
            }
        }
        if (!differences.isEmpty()) {
            int hidden = Math.max(0, differences.size() - DIFFERENCES_SHOWN);
            throw new CheckpointException(
                    folder,
                    "is of another model: "
                            + String.join("; ", differences.subList(0, differences.size() - hidden))
                            + (hidden == 0 ? "" : "; and " + hidden + " more")
                            + ". Build the model that was saved");
        }
    }

    private static String didYouMean(String name, Set<String> known) {
        return new Spelling(name)
                .mostAlike(known)
                .map(other -> " (did you mean " + other + "?)")
                .orElse("");
    }

    private void requireKinds(List<String> wanted) {
        List<String> absent =
                wanted.stream().filter(kind -> !index.kinds().contains(kind)).toList();
        List<String> unused =
                index.kinds().stream().filter(kind -> !wanted.contains(kind)).toList();
        if (!absent.isEmpty() || !unused.isEmpty()) {
            throw new CheckpointException(
                    folder,
                    "is of another optimizer, " + training.optimizer() + ": the optimizer of this run needs states "
                            + absent + " that the checkpoint does not have, and has no use for its states " + unused
                            + "; use the optimizer that was saved, or load the weights only");
        }
    }

    /**
     * Reads one kind of one whole parameter.
     *
     * @param target F32 in native byte order, as many elements as the parameter has; overwritten
     */
    public void read(String kind, String parameter, MemorySegment target) {
        List<Chunk> chunks = new ArrayList<>();
        for (Stored stored : index.pieces(kind, parameter)) {
            addAll(stored, chunks);
        }
        Slice whole = Slice.all(index.parameters().get(parameter));
        try (ChunkReader reader = new ChunkReader(folder, index)) {
            reader.forEach(chunks, (i, bytes) -> {
                Chunk chunk = chunks.get(i);
                long begin = chunk.piece().first() + chunk.number() * index.chunkElements();
                long end = begin + bytes.byteSize() / Float.BYTES;
                index.slice(chunk.piece())
                        .forEachCommon(
                                whole,
                                begin,
                                end,
                                (here, there, count) -> MemorySegment.copy(
                                        bytes,
                                        (here - begin) * Float.BYTES,
                                        target,
                                        there * Float.BYTES,
                                        count * Float.BYTES));
            });
        }
    }

    private static void addAll(Stored stored, List<Chunk> chunks) {
        for (int i = 0; i < stored.checksums().size(); i++) {
            chunks.add(new Chunk(stored, i));
        }
    }

    /** Takes the chunks of whole parameters, one after the other. */
    @FunctionalInterface
    public interface ChunkVisitor {
        /**
         * Takes the next elements.
         *
         * @param bytes F32 in native byte order; borrowed for this call
         */
        void accept(String kind, String parameter, MemorySegment bytes);
    }

    /**
     * Streams all elements of these kinds: kind by kind, parameter by parameter in the model's order, first element first. A parameter
     * that was split over ranks is put together in memory.
     */
    public void forEach(List<String> kinds, ChunkVisitor visitor) {
        List<Chunk> chunks = new ArrayList<>();
        for (String kind : kinds) {
            for (String parameter : index.parameters().keySet()) {
                List<Stored> pieces = index.pieces(kind, parameter);
                if (pieces.stream().anyMatch(stored -> stored.runs().parts() > 1)) {
                    stream(chunks, visitor);
                    chunks.clear();
                    visitJoined(kind, parameter, visitor);
                } else {
                    pieces.forEach(stored -> addAll(stored, chunks));
                }
            }
        }
        stream(chunks, visitor);
    }

    private void stream(List<Chunk> chunks, ChunkVisitor visitor) {
        if (chunks.isEmpty()) {
            return;
        }
        try (ChunkReader reader = new ChunkReader(folder, index)) {
            reader.forEach(chunks, (i, bytes) -> {
                Stored piece = chunks.get(i).piece();
                visitor.accept(piece.kind(), piece.parameter(), bytes);
            });
        }
    }

    private void visitJoined(String kind, String parameter, ChunkVisitor visitor) {
        try (Arena arena = Arena.ofConfined()) {
            long byteSize = index.parameters().get(parameter).elements() * Float.BYTES;
            MemorySegment whole = arena.allocate(byteSize, 64);
            read(kind, parameter, whole);
            for (long at = 0; at < byteSize; at += index.chunkBytes()) {
                visitor.accept(kind, parameter, whole.asSlice(at, Math.min(index.chunkBytes(), byteSize - at)));
            }
        }
    }

    /** {@return bytes of all tensors: what {@link #verify} reads} */
    public long tensorBytes() {
        return index.byteSize();
    }

    /**
     * Reads everything.
     *
     * @param progress told bytes read so far
     * @return what is wrong; empty if nothing is
     */
    public List<CheckpointException> verify(LongConsumer progress) {
        List<CheckpointException> damages = new ArrayList<>();
        List<Chunk> chunks = new ArrayList<>();
        Set<Integer> broken = new LinkedHashSet<>();
        for (int i = 0; i < index.files().size(); i++) {
            StoredFile file = index.files().get(i);
            Path path = folder.resolve(file.name());
            try {
                ChunkReader.requireIntact(path, file);
            } catch (CheckpointException e) {
                damages.add(e);
                broken.add(i);
            } catch (IOException e) {
                damages.add(new CheckpointException(path, "cannot be read: " + e + "; check the disk", e));
                broken.add(i);
            }
        }
        for (Stored stored : index.pieces()) {
            if (!broken.contains(stored.file())) {
                addAll(stored, chunks);
            }
        }
        try (ChunkReader reader = new ChunkReader(folder, index)) {
            reader.forEach(chunks, new Verification(damages, progress));
        }
        return damages;
    }

    private static final class Verification implements ChunkReader.Sink {
        private final List<CheckpointException> damages;
        private final LongConsumer progress;
        private long bytesDone;

        Verification(List<CheckpointException> damages, LongConsumer progress) {
            this.damages = damages;
            this.progress = progress;
        }

        @Override
        public void accept(int chunk, MemorySegment bytes) {
            bytesDone += bytes.byteSize();
            progress.accept(bytesDone);
        }

        @Override
        public void damaged(CheckpointException damage) {
            damages.add(damage);
        }
    }
}
