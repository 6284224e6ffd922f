package ds.api.layer;

import ds.api.Shape;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Which elements of a parameter one rank of a tensor-parallel group holds: its part of every period of the parameter's row-major
 * elements. That is a block of columns, a block of rows, or a block of columns of each of several matrices side by side. Initial
 * values, files and checkpoints count elements of the whole parameter, so that they are the same however it is split. Nothing here
 * touches memory.
 *
 * @param whole dims of the parameter
 * @param shape dims of what this rank holds
 * @param period elements that are split in one way, again and again; divides those of the parameter
 * @param run elements of a period that a rank holds; the last rank has fewer where it does not divide
 * @param parts how many ranks share the parameter; 1 where every rank holds all of it
 * @param part which part is this rank's, in [0, parts)
 */
public record Slice(Shape whole, Shape shape, long period, long run, int parts, int part) {
    /** Rejects what holds no elements. */
    public Slice {
        if (parts < 1 || part < 0 || part >= parts || run < 1 || whole.elements() % period != 0) {
            throw new IllegalArgumentException(
                    "part " + part + " of " + parts + " of " + whole + ", " + run + " elements of every " + period);
        }
        if (period <= (parts - 1) * run) {
            throw new IllegalArgumentException(whole + " in " + parts + " parts, " + run + " elements of every "
                    + period + ": the last part is empty; use fewer parts");
        }
    }

    /** {@return all of a parameter} */
    public static Slice all(Shape whole) {
        return new Slice(whole, whole, whole.elements(), whole.elements(), 1, 0);
    }

    /**
     * {@return a block of the first dim}
     *
     * @param unit rows that stay together
     */
    public static Slice rows(Shape whole, long unit, int parts, int part) {
        long rows = blockOf(whole.dim(0), unit, parts);
        Shape shape = withDim(whole, 0, Math.clamp(whole.dim(0) - part * rows, 0, rows));
        return new Slice(whole, shape, whole.elements(), rows * (whole.elements() / whole.dim(0)), parts, part);
    }

    /**
     * {@return a block of the last dim, or of each of several equal groups of it side by side}
     *
     * @param groups such as 3 for queries, keys and values
     * @param unit columns that stay together
     */
    public static Slice columns(Shape whole, int groups, long unit, int parts, int part) {
        int last = whole.dimCount() - 1;
        long group = whole.dim(last) / groups;
        long columns = blockOf(group, unit, parts);
        Shape shape = withDim(whole, last, groups * Math.clamp(group - part * columns, 0, columns));
        return new Slice(whole, shape, group, columns, parts, part);
    }

    /** As equal as units allow; the last one may be smaller. */
    private static long blockOf(long size, long unit, int parts) {
        return Math.ceilDiv(size / unit, (long) parts) * unit;
    }

    /** {@return a part of every period, as a vector} */
    public static Slice ofPeriods(Shape whole, long period, long run, int parts, int part) {
        long width = Math.clamp(period - part * run, 0, run);
        return new Slice(whole, Shape.of(whole.elements() / period * width), period, run, parts, part);
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

    /** {@return whether all parts have the same size} */
    public boolean isEven() {
        return run * parts == period;
    }

    /** {@return how many elements this rank holds} */
    public long elements() {
        return shape.elements();
    }

    /** {@return the most that a rank holds: elements of the first part} */
    public long mostElements() {
        return whole.elements() / period * run;
    }

    /** {@return elements of a period that this rank holds, side by side in both} */
    public long width() {
        return Math.min(run, period - part * run);
    }

    /** {@return where in a period they begin} */
    public long first() {
        return part * run;
    }

    /** {@return where an element lies in the whole parameter} */
    public long element(long held) {
        return held / width() * period + first() + held % width();
    }

    /** {@return the part of another rank, as a vector} */
    public Slice of(int otherPart) {
        return ofPeriods(whole, period, run, parts, otherPart);
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
        if (period == other.period && run == other.run) {
            if (part == other.part && first < end) {
                common.accept(first, first, end - first);
            }
            return;
        }
        for (long here = first; here < end; ) {
            long element = element(here);
            long place = element % other.period - other.first();
            long beside = place < 0 ? -place : place < other.width() ? other.width() - place : other.period;
            long count = Math.min(Math.min(end - here, width() - here % width()), beside);
            if (place >= 0 && place < other.width()) {
                common.accept(here, element / other.period * other.width() + place, count);
            } else if (place >= other.width()) {
                count = Math.min(count, other.period - element % other.period);
            }
            here += count;
        }
    }
}
