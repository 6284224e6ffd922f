package ds.zero.checkpoint;

import ds.safetensors.SafetensorsException;
import ds.safetensors.SafetensorsFile;
import ds.zero.checkpoint.Index.Stored;
import ds.zero.checkpoint.Index.StoredFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.zip.CRC32C;

/**
 * Reads chunks of stored pieces, a few ahead of their use, and verifies each. Memory is that of the few chunks under way, whatever the
 * model's size.
 */
final class ChunkReader implements AutoCloseable {
    private static final int THREADS = 2;
    private static final int AHEAD = 4;

    private final Path folder;
    private final Index index;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment[] buffers = new MemorySegment[AHEAD];
    private final ExecutorService threads = Executors.newFixedThreadPool(
            THREADS, Thread.ofPlatform().daemon().name("checkpoint-reader-", 0).factory());
    private final Map<String, Shard> shards = new HashMap<>();

    ChunkReader(Path folder, Index index) {
        this.folder = folder;
        this.index = index;
        for (int i = 0; i < AHEAD; i++) {
            buffers[i] = arena.allocate(index.chunkBytes(), 64);
        }
    }

    /** One chunk of a piece, by its number in it. */
    record Chunk(Stored piece, int number) {}

    /** An open shard, and where each of its tensors begins. */
    private record Shard(Path path, FileChannel channel, Map<String, Long> offsets) {}

    /** Takes verified chunks, or what is wrong with one, in the order in which they were asked for. */
    interface Sink {
        void accept(int chunk, MemorySegment bytes);

        /** By default the first damaged chunk ends reading. */
        default void damaged(CheckpointException damage) {
            throw damage;
        }
    }

    void forEach(List<Chunk> chunks, Sink sink) {
        Deque<Future<MemorySegment>> underWay = new ArrayDeque<>();
        try {
            for (int next = 0, done = 0; done < chunks.size(); done++) {
                while (next < chunks.size() && next < done + AHEAD) {
                    Chunk chunk = chunks.get(next);
                    MemorySegment buffer = buffers[next % AHEAD];
                    underWay.add(threads.submit(() -> read(chunk, buffer)));
                    next++;
                }
                take(underWay.remove(), done, sink);
            }
        } finally {
            underWay.forEach(ChunkReader::awaitQuietly);
        }
    }

    private static void take(Future<MemorySegment> read, int number, Sink sink) {
        MemorySegment bytes;
        try {
            bytes = read.get();
        } catch (ExecutionException e) {
            switch (e.getCause()) {
                case CheckpointException damage -> sink.damaged(damage);
                case RuntimeException other -> throw other;
                case Error other -> throw other;
                default -> throw new IllegalStateException(e.getCause());
            }
            return;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CancellationException("interrupted while a checkpoint was being read");
        }
        sink.accept(number, bytes);
    }

    /** A buffer must not be given to another chunk, nor freed, while a thread still fills it. */
    private static void awaitQuietly(Future<?> read) {
        read.cancel(false);
        try {
            read.get();
        } catch (ExecutionException | CancellationException e) {
            // the first failure is the one that is reported
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private MemorySegment read(Chunk chunk, MemorySegment buffer) {
        Stored piece = chunk.piece();
        Shard shard = shard(index.files().get(piece.file()));
        long begin = chunk.number() * index.chunkBytes();
        MemorySegment bytes = buffer.asSlice(0, Math.min(index.chunkBytes(), piece.byteSize() - begin));
        Long offset = shard.offsets().get(piece.tensor());
        if (offset == null) {
            throw CheckpointException.ofTensor(
                    shard.path(),
                    piece.tensor(),
                    "the index says that it is here, and it is not; restore the file from a copy");
        }
        try {
            ShardWriter.readFully(shard.channel(), bytes.asByteBuffer(), offset + begin);
        } catch (IOException e) {
            throw new CheckpointException(
                    shard.path(),
                    "tensor \"" + piece.tensor() + "\": bytes " + begin + " to " + (begin + bytes.byteSize())
                            + " cannot be read: " + e + "; restore the file from a copy, or use another checkpoint",
                    e);
        }
        verify(chunk, bytes, shard.path());
        return bytes;
    }

    private void verify(Chunk chunk, MemorySegment bytes, Path file) {
        CRC32C crc = new CRC32C();
        crc.update(bytes.asByteBuffer());
        int expected = chunk.piece().checksums().get(chunk.number());
        if ((int) crc.getValue() != expected) {
            long first = chunk.piece().first() + chunk.number() * index.chunkElements();
            throw CheckpointException.ofTensor(
                    file,
                    chunk.piece().tensor(),
                    "elements " + first + " to " + (first + bytes.byteSize() / Float.BYTES) + " have checksum "
                            + hex((int) crc.getValue()) + ", and had " + hex(expected)
                            + " when they were written: the file is damaged; restore it from a copy, or use another"
                            + " checkpoint");
        }
    }

    private static String hex(int checksum) {
        return HexFormat.of().toHexDigits(checksum);
    }

    private Shard shard(StoredFile file) {
        synchronized (shards) {
            return shards.computeIfAbsent(file.name(), name -> open(folder.resolve(name), file));
        }
    }

    private static Shard open(Path path, StoredFile file) {
        try {
            requireIntact(path, file);
            Map<String, Long> offsets = new HashMap<>();
            try (SafetensorsFile header = SafetensorsFile.open(path)) {
                header.tensors().forEach((name, info) -> offsets.put(name, info.offset()));
            }
            return new Shard(path, FileChannel.open(path, StandardOpenOption.READ), offsets);
        } catch (SafetensorsException e) {
            throw new CheckpointException(path, e.getMessage(), e);
        } catch (IOException e) {
            throw new CheckpointException(path, "cannot be read: " + e + "; restore the file from a copy", e);
        }
    }

    /**
     * {@return the bytes that the checksum in the index is for}
     *
     * @throws CheckpointException if the file is missing, of another size, or these bytes are not as they were written
     */
    static byte[] requireIntact(Path path, StoredFile file) throws IOException {
        requireSize(path, file);
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            ByteBuffer bytes = ByteBuffer.allocate(Math.toIntExact(file.checkedBytes()));
            ShardWriter.readFully(channel, bytes, 0);
            int found = IndexJson.checksum(bytes.array());
            if (found != file.checksum()) {
                throw new CheckpointException(
                        path,
                        "its first " + file.checkedBytes() + " bytes have checksum " + hex(found) + ", and had "
                                + hex(file.checksum())
                                + " when they were written: the file is damaged; restore it from a copy, or use another"
                                + " checkpoint");
            }
            return bytes.array();
        }
    }

    /** Checks that a file is there, and as long as the index says. */
    static void requireSize(Path path, StoredFile file) throws IOException {
        if (!Files.exists(path)) {
            throw new CheckpointException(
                    path, "is missing; restore it from a copy, or use another checkpoint of this folder");
        }
        if (Files.size(path) != file.byteSize()) {
            throw new CheckpointException(
                    path,
                    "has " + Files.size(path) + " bytes, and " + file.byteSize()
                            + " were written: it is truncated or replaced; restore it from a copy, or use another"
                            + " checkpoint");
        }
    }

    @Override
    public void close() {
        threads.close();
        for (Shard shard : shards.values()) {
            try {
                shard.channel().close();
            } catch (IOException e) {
                throw new CheckpointException(shard.path(), "cannot be closed: " + e, e);
            }
        }
        arena.close();
    }
}
