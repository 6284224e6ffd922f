package ds.zero.checkpoint;

import ds.api.DType;
import ds.api.Shape;
import ds.safetensors.SafetensorsWriter;
import ds.zero.checkpoint.Index.Fragment;
import ds.zero.checkpoint.Index.Runs;
import ds.zero.checkpoint.Index.Stored;
import ds.zero.checkpoint.Index.StoredFile;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.function.BooleanSupplier;
import java.util.zip.CRC32C;

/** Writes what one rank contributes: one safetensors file, chunk by chunk, checksums computed on the way. */
final class ShardWriter {
    /** Of a checksum, and of a write. */
    static final int CHUNK_BYTES = 4 << 20;

    private final Disk disk;
    private final List<? extends Piece> pieces;
    private final Source source;
    private final BooleanSupplier cancelled;

    /** Where the elements come from. */
    @FunctionalInterface
    interface Source {
        /**
         * {@return elements of a piece, valid until the next call}
         *
         * @param piece its number
         * @param offset of the first one in the piece
         * @param count at most a chunk
         */
        MemorySegment elements(int piece, long offset, long count);

        /** No more are needed. */
        default void done() {}
    }

    ShardWriter(Disk disk, List<? extends Piece> pieces, Source source, BooleanSupplier cancelled) {
        this.disk = disk;
        this.pieces = pieces;
        this.source = source;
        this.cancelled = cancelled;
    }

    /** {@return what the file holds now, forced to the device} */
    Fragment write(Path file) throws IOException {
        List<SafetensorsWriter.Entry> entries = new ArrayList<>();
        for (Piece piece : pieces) {
            entries.add(new SafetensorsWriter.Entry(tensor(piece), DType.F32, Shape.of(piece.elements())));
        }
        List<Stored> stored = new ArrayList<>();
        try (SafetensorsWriter shard = disk.openShard(file, entries)) {
            for (int i = 0; i < pieces.size(); i++) {
                stored.add(append(shard, i));
            }
            source.done();
            disk.commit(shard);
        }
        return new Fragment(describe(file), stored);
    }

    private static String tensor(Piece piece) {
        return stored(piece, List.of()).tensor();
    }

    private static Stored stored(Piece piece, List<Integer> checksums) {
        return new Stored(
                piece.kind(),
                piece.parameter().name(),
                Runs.of(piece.parameter().slice()),
                piece.first(),
                piece.first() + piece.elements(),
                0,
                checksums);
    }

    private Stored append(SafetensorsWriter shard, int number) throws IOException {
        Piece piece = pieces.get(number);
        List<Integer> checksums = new ArrayList<>();
        CRC32C crc = new CRC32C();
        long chunk = CHUNK_BYTES / Float.BYTES;
        for (long offset = 0; offset < piece.elements(); offset += chunk) {
            if (cancelled.getAsBoolean()) {
                throw new CancellationException("another rank has failed");
            }
            MemorySegment bytes = source.elements(number, offset, Math.min(chunk, piece.elements() - offset));
            crc.reset();
            crc.update(bytes.asByteBuffer());
            checksums.add((int) crc.getValue());
            disk.append(shard, tensor(piece), bytes);
        }
        return stored(piece, List.copyOf(checksums));
    }

    /** The header is checked as a whole; the tensors behind it have their own checksums. */
    private static StoredFile describe(Path file) throws IOException {
        byte[] header = header(file);
        return new StoredFile(
                file.getFileName().toString(), Files.size(file), header.length, IndexJson.checksum(header));
    }

    private static byte[] header(Path file) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            ByteBuffer length = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
            readFully(channel, length, 0);
            ByteBuffer header = ByteBuffer.allocate(Math.toIntExact(Long.BYTES + length.getLong(0)));
            readFully(channel, header, 0);
            return header.array();
        }
    }

    /** Fills a buffer from a position of a file. */
    static void readFully(FileChannel channel, ByteBuffer target, long position) throws IOException {
        long at = position;
        while (target.hasRemaining()) {
            int count = channel.read(target, at);
            if (count < 0) {
                throw new IOException("the file ends at byte " + at + ", " + target.remaining() + " bytes too early");
            }
            at += count;
        }
    }
}
