package ds.backend.cpu.vector;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import ds.api.Tensor;
import ds.backend.cpu.threads.Part;
import java.lang.foreign.MemorySegment;

/**
 * Token and position embeddings. The backward pass is shared by columns: whoever owns a column adds to it in the order of the
 * rows, so the sums repeat bit for bit and nobody waits.
 */
public final class EmbeddingKernel {
    private EmbeddingKernel() {}

    /**
     * {@code y[b, t, :] = tokenTable[tokens[b, t], :] + positionTable[t, :]} for a part of the rows.
     *
     * @param tokens I32 {@code [B, T]}
     * @param tokenTable {@code [V, C]}
     * @param positionTable {@code [at least T, C]}
     * @param y {@code [B, T, C]}
     * @param part rows, in [0, B · T)
     * @throws IllegalArgumentException if a token is not in [0, V)
     */
    public static void forward(Tensor tokens, Tensor tokenTable, Tensor positionTable, Tensor y, Part part) {
        int n = (int) tokenTable.shape().columns();
        long time = tokens.shape().columns();
        float[] sum = part.scratch().floats(0, Lanes.padded(n));
        float[] position = part.scratch().floats(1, Lanes.padded(n));
        Elements table = Elements.of(tokenTable);
        Elements positions = Elements.of(positionTable);
        Elements to = Elements.of(y);
        MemorySegment ids = tokens.host();
        for (long i = part.first(); i < part.last(); i++) {
            table.read(token(ids, i, tokenTable) * n, sum, 0, n);
            positions.read(i % time * n, position, 0, n);
            ColumnSums.add(position, 0, sum, n);
            to.write(sum, 0, i * n, n);
        }
    }

    /**
     * Adds some columns of dy to the gradients of both tables.
     *
     * @param dy {@code [B, T, C]}
     * @param tokens I32 {@code [B, T]}
     * @param dTokenTable F32 {@code [V, C]}; added to
     * @param dPositionTable F32 {@code [at least T, C]}; added to
     * @param part columns, in [0, C)
     * @throws IllegalArgumentException if a token is not in [0, V)
     */
    public static void backward(Tensor dy, Tensor tokens, Tensor dTokenTable, Tensor dPositionTable, Part part) {
        int n = (int) dTokenTable.shape().columns();
        int width = (int) (part.last() - part.first());
        long time = tokens.shape().columns();
        float[] gradient = part.scratch().floats(0, Lanes.padded(width));
        float[] sum = part.scratch().floats(1, Lanes.padded(width));
        Elements from = Elements.of(dy);
        Elements table = Elements.of(dTokenTable);
        Elements positions = Elements.of(dPositionTable);
        MemorySegment ids = tokens.host();
        for (long i = 0; i < tokens.elements(); i++) {
            from.read(i * n + part.first(), gradient, 0, width);
            addTo(table, token(ids, i, dTokenTable) * n + part.first(), gradient, sum, width);
            addTo(positions, i % time * n + part.first(), gradient, sum, width);
        }
    }

    private static void addTo(Elements to, long first, float[] x, float[] sum, int n) {
        to.read(first, sum, 0, n);
        ColumnSums.add(x, 0, sum, n);
        to.write(sum, 0, first, n);
    }

    private static long token(MemorySegment ids, long i, Tensor table) {
        int token = ids.getAtIndex(JAVA_INT, i);
        if (token < 0 || token >= table.shape().rows()) {
            throw new IllegalArgumentException("token " + token + " at " + i + " is not in [0, "
                    + table.shape().rows() + ")");
        }
        return token;
    }
}
