package ds.backend.cpu.core;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import ds.api.Tensor;
import ds.backend.cpu.threads.Part;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** Rows of a table, found by their indices. */
public final class IndexedRows {
    private IndexedRows() {}

    /** {@code y[i, :] = table[index[i], :]} for a part of the indices; 0 for elements of the table outside [first, end). */
    public static void gather(Part part, Tensor table, long first, long end, Tensor index, Tensor y) {
        AnyElements from = AnyElements.of(table);
        AnyElements to = AnyElements.of(y);
        MemorySegment rows = index.host();
        int n = Math.toIntExact(table.shape().columns());
        float[] row = part.scratch().floats(0, n);
        for (long i = part.first(); i < part.last(); i++) {
            long at = rows.getAtIndex(JAVA_INT, i) * (long) n;
            from.read(at, row, n);
            Arrays.fill(row, 0, Math.clamp(first - at, 0, n), 0);
            Arrays.fill(row, Math.clamp(end - at, 0, n), n, 0);
            to.write(row, i * n, n);
        }
    }

    /** {@code table[index[i], :] = x[i, :]} for a part of the indices; parts that meet in a row write the same. */
    public static void scatter(Part part, Tensor x, Tensor index, Tensor table) {
        AnyElements from = AnyElements.of(x);
        AnyElements to = AnyElements.of(table);
        MemorySegment rows = index.host();
        int n = Math.toIntExact(table.shape().columns());
        float[] row = part.scratch().floats(0, n);
        for (long i = part.first(); i < part.last(); i++) {
            from.read(i * n, row, n);
            to.write(row, rows.getAtIndex(JAVA_INT, i) * (long) n, n);
        }
    }

    /** {@code table[index[i], j] += x[i, j]} in the order of i, for a part of the columns j. */
    public static void scatterAdd(Part part, Tensor x, Tensor index, Tensor table) {
        AnyElements from = AnyElements.of(x);
        AnyElements to = AnyElements.of(table);
        MemorySegment rows = index.host();
        long columns = table.shape().columns();
        int n = Math.toIntExact(part.last() - part.first());
        float[] added = part.scratch().floats(0, n);
        float[] sum = part.scratch().floats(1, n);
        for (long i = 0; i < index.elements(); i++) {
            long row = rows.getAtIndex(JAVA_INT, i) * columns + part.first();
            from.read(i * columns + part.first(), added, n);
            to.read(row, sum, n);
            Reductions.add(added, sum, n);
            to.write(sum, row, n);
        }
    }
}
