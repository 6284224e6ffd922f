package ds.backend.cpu.product;

import ds.backend.cpu.core.Panels;

/**
 * How a matrix product {@code [m, k] · [k, n]} is cut into blocks and these into tiles. It depends on the dims and types alone,
 * never on the number of threads, and neither therefore do the bits of the result.
 *
 * <p>A block is {@code rows × columns} of the result and {@code depth} of the sum: what must be converted or rearranged of both
 * factors for it fits into bounded memory, whatever the size of the matrices (Goto &amp; van de Geijn, ACM TOMS 34(3), 2008). A
 * tile is what one thread computes at a time.
 */
record Blocking(long rows, long columns, long depth, long tileRows, long tileColumns) {
    private static final long BLOCK_ELEMENTS = 4 << 20; // 16 MiB: about what the last-level cache holds
    private static final long MOST_DEPTH = 4096;
    private static final long TILE_ROWS = 256;
    private static final long TILE_COLUMNS = 256;
    private static final long NARROW_COLUMNS = 128;
    private static final long WIDE_COLUMNS = 384;
    private static final long FEWEST_COLUMNS = 64;
    private static final long FEW_TILES = 12; // three for two threads would leave one of them idle a third of the time

    /**
     * {@return blocks for factors that are used as they are: the whole product is one}
     *
     * <p>For every tile oneDNN rearranges the tile's columns of the right factor, and its rows of the left one where that is
     * transposed. High and narrow tiles repeat the least of the first; the second is worth wider ones.
     */
    static Blocking direct(long m, long n, long k, boolean leftTransposed) {
        long rows = even(m, leftTransposed ? TILE_ROWS : 2 * TILE_ROWS, 1);
        long columns = even(n, leftTransposed ? WIDE_COLUMNS : NARROW_COLUMNS, Panels.WIDTH);
        while (columns > FEWEST_COLUMNS && Math.ceilDiv(m, rows) * Math.ceilDiv(n, columns) < FEW_TILES) {
            columns = even(n, columns / 2, Panels.WIDTH);
        }
        return new Blocking(m, n, k, rows, columns);
    }

    /**
     * {@return blocks for a right factor that is made into panels}
     *
     * @param allRows whether the left factor and the result are used as they are, so that a block may have all rows
     */
    static Blocking packed(long m, long n, long k, boolean allRows) {
        long depth = even(k, MOST_DEPTH, 64);
        long columns = even(n, Math.max(TILE_COLUMNS, BLOCK_ELEMENTS / depth), TILE_COLUMNS);
        long rows = allRows ? m : even(m, Math.max(TILE_ROWS, BLOCK_ELEMENTS / Math.max(depth, columns)), TILE_ROWS);
        return new Blocking(rows, columns, depth, even(rows, TILE_ROWS, 1), even(columns, TILE_COLUMNS, Panels.WIDTH));
    }

    /** {@return the size of equal pieces of {@code total} that do not exceed {@code most}, rounded up to a multiple} */
    private static long even(long total, long most, long multiple) {
        long pieces = Math.ceilDiv(total, most);
        long size = Math.ceilDiv(total, pieces);
        return Math.min(total, Math.ceilDiv(size, multiple) * multiple);
    }
}
