package ds.backend.cpu.product;

import ds.api.CoreKernels.Operand;
import ds.api.DType;
import ds.backend.cpu.core.Panels;
import ds.backend.cpu.product.Blocking.Tile;
import java.util.Optional;

/**
 * In which form oneDNN gets the factors of a product: as they lie in memory, rearranged, or converted to F32. Panels and tiles
 * are the fastest of those tried, on AMD EPYC of the third generation (AVX2) and of the fifth.
 *
 * @param dtype in which is multiplied: F32 or BF16
 * @param left the left factor
 * @param panels the right factor; none if it is used as it lies
 * @param tile what one thread computes at a time, at most
 */
record Factors(DType dtype, Left left, Optional<Panels.Format> panels, Tile tile) {
    // With no more rows than these, rearranging the right factor takes longer than it saves.
    private static final long FEW_ROWS = 128;
    private static final long FEW_ROWS_OF_BF16 = 256;
    private static final long FEW_ROWS_WITH_AVX2 = 32;
    private static final long FEW_ROWS_TRANSPOSED_WITH_AVX2 = 512; // oneDNN transposes faster than we do

    /** What becomes of the left factor. */
    enum Left {
        AS_IT_IS,
        ROWS,
        CONVERTED
    }

    /** {@return the form for {@code c = a · b}} */
    static Factors of(OneDnn library, Operand a, Operand b, DType c) {
        DType dtype = a.tensor().dtype();
        boolean wide = library.hasAvx512();
        boolean known = dtype == DType.F32 || (dtype == DType.BF16 && library.hasBf16());
        boolean written = c == DType.F32 || c == dtype;
        if (known && written && (a.rows() <= fewRows(dtype, b, wide) || (b.transposed() && wide))) {
            return new Factors(dtype, Left.AS_IT_IS, Optional.empty(), new Tile(1024, 256));
        }
        Left left = a.transposed() && wide ? Left.ROWS : Left.AS_IT_IS;
        if (known && dtype == DType.BF16 && !b.transposed()) {
            return new Factors(dtype, left, panels(dtype, 64), new Tile(512, 128));
        }
        return new Factors(
                DType.F32,
                dtype == DType.F32 ? left : Left.CONVERTED,
                panels(DType.F32, wide ? 48 : 32),
                wide ? new Tile(512, 192) : new Tile(256, 256));
    }

    private static long fewRows(DType dtype, Operand b, boolean wide) {
        if (wide) {
            return dtype == DType.BF16 ? FEW_ROWS_OF_BF16 : FEW_ROWS;
        }
        return b.transposed() ? FEW_ROWS_TRANSPOSED_WITH_AVX2 : FEW_ROWS_WITH_AVX2;
    }

    private static Optional<Panels.Format> panels(DType dtype, int width) {
        return Optional.of(new Panels.Format(dtype, width));
    }

    /** {@return whether sums over k stay in F32, in memory of their own, until they are complete} */
    boolean convertsResult(DType c, long k) {
        return c != DType.F32 && (c != dtype || (panels.isPresent() && Blocking.cutsDepth(k)));
    }

    /**
     * {@return how {@code [m, k] · [k, n]} is cut}
     *
     * @param convertsResult what {@link #convertsResult} says of it
     */
    Blocking blocking(long m, long n, long k, boolean convertsResult) {
        boolean allRows = left == Left.AS_IT_IS && !convertsResult;
        return panels.map(format -> Blocking.packed(m, n, k, format.width(), tile, allRows))
                .orElseGet(() -> Blocking.direct(m, n, k, tile));
    }
}
