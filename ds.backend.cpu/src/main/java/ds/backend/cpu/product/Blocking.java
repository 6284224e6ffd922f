package ds.backend.cpu.product;

/**
 * How a matrix product {@code [m, k] · [k, n]} is cut into blocks and these into tiles. It depends on the dims, types and instructions alone,
 * never on the number of threads, and neither therefore do the bits of the result.
 *
 * <p>A block is {@code rows × columns} of the result and {@code depth} of the sum: what must be converted or rearranged of both
 * factors for it fits into bounded memory, whatever the size of the matrices (Goto &amp; van de Geijn, ACM TOMS 34(3), 2008). A
 * tile is what one thread computes at a time.
 */
record Blocking(long rows, long columns, long depth, long tileRows, long tileColumns) {
    private static final long BLOCK_ELEMENTS = 4 << 20; // 8 or 16 MiB: about half of what the last-level cache holds
    private static final long MOST_DEPTH = 4096;
    private static final long VECTOR = 32; // columns that a kernel computes together
    private static final long FEWEST_COLUMNS = 64;
    private static final long FEW_TILES = 12; // three for two threads would leave one of them idle a third of the time

    /**
     * {@return blocks for factors that are used as they are: the whole product is one}
     *
     * <p>For every tile oneDNN rearranges the tile's columns of the right factor, where it must. High and narrow tiles repeat the
     * least of that.
     *
     * @param most rows and columns of a tile, at most
     */
    static Blocking direct(long m, long n, long k, Tile most) {
        long rows = even(m, most.rows, 1);
        return new Blocking(m, n, k, rows, narrow(m, rows, n, even(n, most.columns, VECTOR), VECTOR));
    }

    /** {@return whether a sum of {@code k} products is made in several blocks, if the right factor is made into panels} */
    static boolean cutsDepth(long k) {
        return k > MOST_DEPTH;
    }

    /**
     * {@return blocks for a right factor that is made into panels}
     *
     * @param panel columns of a panel
     * @param most rows and columns of a tile, at most; the columns are a multiple of the panel's
     * @param allRows whether the left factor and the result are used as they are, so that a block may have all rows
     */
    static Blocking packed(long m, long n, long k, long panel, Tile most, boolean allRows) {
        long depth = even(k, MOST_DEPTH, 64);
        long columns = even(n, Math.max(most.columns, BLOCK_ELEMENTS / depth), most.columns);
        long high = Math.max(most.rows, BLOCK_ELEMENTS / Math.max(depth, columns));
        long rows = allRows ? m : even(m, high, most.rows);
        long tileRows = even(rows, most.rows, 1);
        long tileColumns = narrow(rows, tileRows, columns, even(columns, most.columns, panel), panel);
        return new Blocking(rows, columns, depth, tileRows, tileColumns);
    }

    /** The size of a tile. */
    record Tile(long rows, long columns) {}

    /** {@return fewer columns of a tile, if there would be too few tiles to share} */
    private static long narrow(long rows, long tileRows, long columns, long tileColumns, long multiple) {
        long narrow = tileColumns;
        while (narrow > FEWEST_COLUMNS && Math.ceilDiv(rows, tileRows) * Math.ceilDiv(columns, narrow) < FEW_TILES) {
            narrow = even(columns, narrow / 2, multiple);
        }
        return narrow;
    }

    /** {@return the size of equal pieces of {@code total} that do not exceed {@code most}, rounded up to a multiple} */
    private static long even(long total, long most, long multiple) {
        long pieces = Math.ceilDiv(total, most);
        long size = Math.ceilDiv(total, pieces);
        return Math.min(total, Math.ceilDiv(size, multiple) * multiple);
    }
}
