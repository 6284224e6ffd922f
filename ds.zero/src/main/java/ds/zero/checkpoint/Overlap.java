package ds.zero.checkpoint;

import ds.api.layer.Slice;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The elements that a stored chunk and a piece of this rank have in common: consecutive ones, or, where the parameter was split in
 * another way when it was saved, runs of them.
 *
 * @param from of which elements of the parameter the chunk is
 * @param first element of the chunk, counted in these
 * @param end behind its last element
 * @param target the piece
 */
record Overlap(Slice from, long first, long end, Piece target) {
    boolean isEmpty() {
        AtomicBoolean found = new AtomicBoolean();
        forEach((here, there, count) -> found.set(true));
        return !found.get();
    }

    /** Visits runs of elements, counted in the chunk and in the piece. */
    private void forEach(Slice.Common common) {
        from.forEachCommon(target.parameter().slice(), first, end, (here, there, count) -> {
            long begin = Math.max(there, target.first());
            long last = Math.min(there + count, target.first() + target.elements());
            if (begin < last) {
                common.accept(here + begin - there - first, begin - target.first(), last - begin);
            }
        });
    }

    /**
     * Replaces the common elements.
     *
     * @param bytes of the chunk
     */
    void upload(MemorySegment bytes) {
        try (Arena arena = Arena.ofShared()) {
            Upload upload = new Upload(target, bytes, arena);
            forEach(upload::add);
            upload.flush();
        }
    }

    /** Puts runs together that are consecutive in the piece, since each upload takes its time. */
    private static final class Upload {
        private final Piece target;
        private final MemorySegment bytes;
        private final Arena arena;
        private MemorySegment joined = MemorySegment.NULL;
        private long first; // element of the piece with which what is not uploaded yet begins
        private long count;
        private MemorySegment pending = MemorySegment.NULL; // the run in the chunk, or several of them joined

        Upload(Piece target, MemorySegment bytes, Arena arena) {
            this.target = target;
            this.bytes = bytes;
            this.arena = arena;
        }

        void add(long here, long there, long elements) {
            MemorySegment run = bytes.asSlice(here * Float.BYTES, elements * Float.BYTES);
            if (there != first + count) {
                flush();
                first = there;
            }
            pending = count == 0 ? run : join(run);
            count += elements;
        }

        private MemorySegment join(MemorySegment run) {
            if (joined.byteSize() == 0) {
                joined = arena.allocate(bytes.byteSize(), 64);
            }
            long size = pending.byteSize();
            if (pending.address() != joined.address()) {
                joined.asSlice(0, size).copyFrom(pending);
            }
            joined.asSlice(size, run.byteSize()).copyFrom(run);
            return joined.asSlice(0, size + run.byteSize());
        }

        void flush() {
            if (count > 0) {
                target.upload(first, pending);
            }
            first += count;
            count = 0;
        }
    }
}
