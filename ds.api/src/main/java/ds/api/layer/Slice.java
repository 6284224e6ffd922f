package ds.api.layer;

import ds.api.Shape;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Which elements of a parameter one rank of a tensor-parallel group holds: of the parameter's row-major elements every
 * {@code parts}-th run, beginning with run {@code part}. That is a block of columns, a block of rows, or a block of columns of
 * each of several matrices side by side. Initial values, files and checkpoints count elements of the whole parameter, so that
 * they are the same however it is split. Nothing here touches memory.
 *
 * @param whole dims of the parameter
 * @param shape dims of what this rank holds
 * @param run elements that lie side by side in both; the last run may be shorter
 * @param parts how many ranks share the parameter; 1 where every rank holds all of it
 * @param part which part is this rank's, in [0, parts)
 */
public record Slice(Shape whole, Shape shape, long run, int parts, int part) {
    /** Rejects what holds no elements. */
    public Slice {
        if (run < 1 || parts < 1 || part < 0 || part >= parts) {
            throw new IllegalArgumentException("part " + part + " of " + parts + " of " + whole + " in runs of " + run);
        }
    }

    /** {@return all of a parameter} */
    public static Slice all(Shape whole) {
        return new Slice(whole, whole, whole.elements(), 1, 0);
    }

    /**
     * {@return a block of the first dim} The last blocks are smaller where it does not divide.
     *
     * @throws IllegalArgumentException if there are too few for every part to have one
     */
    public static Slice rows(Shape whole, int parts, int part) {
        long rows = Math.ceilDiv(whole.dim(0), (long) parts);
        long count = Math.min(rows, whole.dim(0) - part * rows);
        if (whole.dim(0) <= (parts - 1) * rows) {
            throw new IllegalArgumentException(whole.dim(0) + " rows in " + parts + " blocks of " + rows
                    + " leave the last block empty; use fewer blocks");
        }
        return new Slice(whole, withDim(whole, 0, count), whole.elements() / whole.dim(0) * rows, parts, part);
    }

    /**
     * {@return a block of the last dim, or of each of several equal groups of it side by side}
     *
     * @param groups such as 3 for queries, keys and values
     * @throws IllegalArgumentException if the blocks are not equal
     */
    public static Slice columns(Shape whole, int groups, int parts, int part) {
        int last = whole.dimCount() - 1;
        long blocks = (long) groups * parts;
        if (whole.dim(last) % blocks != 0) {
            throw new IllegalArgumentException(
                    whole.dim(last) + " columns are not " + groups + " times " + parts + " equal blocks");
        }
        return new Slice(whole, withDim(whole, last, whole.dim(last) / parts), whole.dim(last) / blocks, parts, part);
    }

    /** {@return every {@code parts}-th run from run {@code part} on, as a vector} */
    public static Slice ofRuns(Shape whole, long run, int parts, int part) {
        return new Slice(whole, Shape.of(held(whole, run, parts, part)), run, parts, part);
    }

    private static long held(Shape whole, long run, int parts, int part) {
        long period = run * parts;
        long rest = whole.elements() % period - part * run; // of the last period, which may not be complete
        return whole.elements() / period * run + Math.clamp(rest, 0, run);
    }

    private static Shape withDim(Shape shape, int dim, long size) {
        long[] dims = new long[shape.dimCount()];
        for (int i = 0; i < dims.length; i++) {
            dims[i] = i == dim ? size : shape.dim(i);
        }
        return Shape.of(dims);
    }

    /** {@return whether this rank holds all of it, as all ranks do} */
    public boolean isAll() {
        return parts == 1;
    }

    /** {@return how many elements this rank holds} */
    public long elements() {
        return shape.elements();
    }

    /** {@return the most that a rank holds: elements of the first part} */
    public long mostElements() {
        return Math.ceilDiv(whole.elements(), run * parts) * run;
    }

    /** {@return where an element lies in the whole parameter} */
    public long element(long held) {
        return (held / run * parts + part) * run + held % run;
    }

    /** {@return the part of another rank} */
    public Slice of(int otherPart) {
        long first = held(whole, run, parts, otherPart) / (shape.elements() / shape.dim(0));
        return isAll() ? this : new Slice(whole, withDim(shape, 0, first), run, parts, otherPart);
    }

    /**
     * {@return the elements of this slice out of all}
     *
     * @param source F32, the whole parameter
     * @param arena gives the memory, unless all are asked for
     */
    public MemorySegment select(MemorySegment source, Arena arena) {
        if (isAll()) {
            return source;
        }
        MemorySegment selected = arena.allocate(elements() * Float.BYTES, 64);
        forEachCommon(
                all(whole),
                0,
                elements(),
                (here, there, count) -> MemorySegment.copy(
                        source, there * Float.BYTES, selected, here * Float.BYTES, count * Float.BYTES));
        return selected;
    }

    /** Takes elements that lie side by side in two slices. */
    @FunctionalInterface
    public interface Common {
        /**
         * Takes the next ones.
         *
         * @param here first of them, counted in this slice
         * @param there first of them, counted in the other
         * @param count how many
         */
        void accept(long here, long there, long count);
    }

    /**
     * Finds the elements in a range of this slice that another slice of the same parameter holds as well, in their order.
     *
     * @param first of the range, counted in this slice
     * @param end behind the last one
     */
    public void forEachCommon(Slice other, long first, long end, Common common) {
        if (!whole.equals(other.whole)) {
            throw new IllegalArgumentException("slices of " + whole + " and of " + other.whole);
        }
        if (run == other.run && parts == other.parts) {
            if (part == other.part && first < end) {
                common.accept(first, first, end - first);
            }
            return;
        }
        long here = first;
        while (here < end) {
            long element = element(here);
            long count = Math.min(Math.min(end - here, run - here % run), other.run - element % other.run);
            long otherRun = element / other.run;
            if (otherRun % other.parts == other.part) {
                common.accept(here, otherRun / other.parts * other.run + element % other.run, count);
            }
            here += count;
        }
    }
}
