package ds.backend.cuda;

import ds.api.Tensor;
import ds.backend.cuda.launch.Launcher;
import ds.backend.cuda.launch.WorkMemory;

/**
 * Adds rows to those of a table, whose indices may be equal: those of m positions that have the same index are added by one block, in
 * order of their positions. Blocks look for them in lists of the positions whose indices have the same hash, so that m positions cost
 * about m·(m / 256) reads of those lists and m·512 of the index, of 4 to 8 bytes from the cache, where they would cost m² without lists.
 */
final class ScatterAdd {
    private static final int BUCKETS = 256; // these four as scatter_add.cu has them
    private static final int ENTRY_BYTES = 8;
    private static final int LIST_THREADS = 1024;
    private static final int COLUMNS = 1024; // of a block

    /**
     * Up to here the whole index is one list: a block reads it in at most eight steps, which the second launch and the passes over the
     * index would take as long as.
     */
    private static final int SHORT = 2048;

    private final Launcher launcher;
    private final WorkMemory work;

    ScatterAdd(Launcher launcher, WorkMemory work) {
        this.launcher = launcher;
        this.work = work;
    }

    void run(Tensor x, Tensor index, Tensor table) {
        int count = Math.toIntExact(index.elements());
        long columns = table.shape().columns();
        long begins = 0; // none
        long lists = 0;
        if (count > SHORT) {
            begins = work.of(BUCKETS * Integer.BYTES + (long) count * ENTRY_BYTES);
            lists = begins + BUCKETS * Integer.BYTES;
            launcher.of("scatter_add", "list_entries")
                    .address(index)
                    .number(count)
                    .number(begins)
                    .number(lists)
                    .run(BUCKETS, LIST_THREADS);
        }
        launcher.of("scatter_add", "scatter_add_rows")
                .typed(x)
                .address(index)
                .number(begins)
                .number(lists)
                .typed(table)
                .number(count)
                .number(columns)
                .run(count, Math.ceilDiv(columns, COLUMNS), CudaCoreKernels.THREADS, 1);
    }
}
