package ds.zero.checkpoint;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;

/**
 * Pieces as they were when a save began, for the thread that writes them while training goes on. What lies in host memory as it
 * is written is read there, with no copy: weights and states rest from one update to the next. What an update is about to change
 * and is not written yet is copied before ({@link #keep}); everything else is copied at once.
 */
final class Snapshot implements ShardWriter.Source {
    private final List<? extends Piece> pieces;
    private final List<Optional<MemorySegment>> resident;
    private final MemorySegment copy;
    private final long[] begins; // of each piece in the copy, in bytes
    private boolean lent; // the writer reads elements that are not copied
    private int piece; // what the writer has not been given begins in it,
    private long offset; // at this element
    private boolean wanted; // keep() has been called
    private boolean kept; // and is done

    /**
     * Copies what must be.
     *
     * @param copy room for all pieces as F32; borrowed
     */
    Snapshot(RankPieces rank, MemorySegment copy) {
        this.pieces = rank.pieces();
        this.resident = pieces.stream().map(Piece::resident).toList();
        this.copy = copy;
        this.begins = new long[pieces.size()];
        long begin = 0;
        for (int i = 0; i < begins.length; i++) {
            begins[i] = begin;
            begin += pieces.get(i).elements() * Float.BYTES;
            if (resident.get(i).isEmpty()) {
                pieces.get(i).download(0, copied(i, 0, pieces.get(i).elements()));
            }
        }
    }

    private MemorySegment copied(int number, long first, long count) {
        return copy.asSlice(begins[number] + first * Float.BYTES, count * Float.BYTES);
    }

    @Override
    public synchronized MemorySegment elements(int number, long first, long count) {
        lend(false);
        await(() -> !wanted || kept); // training is waiting to go on: it comes first
        piece = number;
        offset = first + count;
        Optional<MemorySegment> whole = kept ? Optional.empty() : resident.get(number);
        lend(whole.isPresent());
        return whole.map(all -> all.asSlice(first * Float.BYTES, count * Float.BYTES))
                .orElseGet(() -> copied(number, first, count));
    }

    @Override
    public synchronized void done() {
        piece = pieces.size();
        lend(false);
    }

    private void lend(boolean elements) {
        lent = elements;
        notifyAll();
    }

    /** Copies what is not written yet; afterwards the pieces may change. Waits for a chunk's write at most. */
    synchronized void keep() {
        wanted = true;
        await(() -> !lent);
        for (int i = piece; i < begins.length; i++) {
            long first = i == piece ? offset : 0;
            long count = pieces.get(i).elements() - first;
            if (resident.get(i).isPresent() && count > 0) {
                pieces.get(i).download(first, copied(i, first, count));
            }
        }
        kept = true;
        notifyAll();
    }

    private void await(BooleanSupplier condition) {
        boolean interrupted = false;
        while (!condition.getAsBoolean()) {
            try {
                wait();
            } catch (InterruptedException e) {
                interrupted = true; // seen a chunk later
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
