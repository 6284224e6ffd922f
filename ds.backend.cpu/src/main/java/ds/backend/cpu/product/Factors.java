package ds.backend.cpu.product;

import ds.api.CoreKernels.Operand;
import ds.api.DType;
import ds.backend.cpu.core.Panels;
import ds.backend.cpu.product.Blocking.Tile;

/**
 * In which form oneDNN gets the factors of a product: as they lie in memory, rearranged, or converted to F32. Panels and tiles
 * are the fastest of those tried, on AMD EPYC of the third generation (AVX2) and of the fifth.
 *
 * @param dtype in which is multiplied: F32 or BF16
 * @param left the left factor
 * @param panels the right factor; null if it is used as it lies
 * @param tile what one thread computes at a time; null if the factors are used as they lie
 */
record Factors(DType dtype, Left left, Panels.Format panels, Tile tile) {
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
        if (dtype == DType.F32 || (dtype == DType.BF16 && library.hasBf16())) {
            boolean written = c == DType.F32 || c == dtype;
            if (a.rows() <= fewRows(dtype, b, wide) || (b.transposed() && wide && written)) {
                return new Factors(dtype, Left.AS_IT_IS, null, null);
            }
        }
        if (dtype == DType.BF16 && library.hasBf16() && !b.transposed()) {
            return new Factors(dtype, left(a), new Panels.Format(dtype, 64), new Tile(512, 128));
        }
        Panels.Format panels = new Panels.Format(DType.F32, wide ? 48 : 32);
        Tile tile = wide ? new Tile(512, 192) : new Tile(256, 256);
        if (dtype != DType.F32) {
            return new Factors(DType.F32, Left.CONVERTED, panels, tile);
        }
        return new Factors(dtype, wide ? left(a) : Left.AS_IT_IS, panels, tile);
    }

    private static long fewRows(DType dtype, Operand b, boolean wide) {
        if (wide) {
            return dtype == DType.BF16 ? FEW_ROWS_OF_BF16 : FEW_ROWS;
        }
        return b.transposed() ? FEW_ROWS_TRANSPOSED_WITH_AVX2 : FEW_ROWS_WITH_AVX2;
    }

    private static Left left(Operand a) {
        return a.transposed() ? Left.ROWS : Left.AS_IT_IS;
    }

    /** {@return whether sums can be written as this type} */
    boolean writes(DType c) {
        return c == DType.F32 || c == dtype;
    }

    /** {@return how {@code [m, k] · [k, n]} is cut} */
    Blocking blocking(long m, long n, long k, boolean written) {
        return panels == null
                ? Blocking.direct(m, n, k)
                : Blocking.packed(m, n, k, panels.width(), tile, written && left == Left.AS_IT_IS);
    }
}
