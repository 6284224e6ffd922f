package ds.bench.breakdown;

import ds.api.DType;

/**
 * A matrix product: {@code [m, k] · [k, n]}.
 *
 * @param m rows of the result
 * @param n columns of the result
 * @param k length of the sums
 * @param leftTransposed whether the left factor lies in memory transposed
 * @param rightTransposed whether the right factor lies in memory transposed
 * @param dtype of both factors
 * @param result type of the result
 * @param add whether the result is added to what was there
 */
public record Product(
        long m,
        long n,
        long k,
        boolean leftTransposed,
        boolean rightTransposed,
        DType dtype,
        DType result,
        boolean add) {
    /** {@return a product of two square matrices of one type, as they lie} */
    static Product square(long n, DType dtype) {
        return new Product(n, n, n, false, false, dtype, dtype, false);
    }

    double flops() {
        return 2.0 * m * n * k;
    }

    @Override
    public String toString() {
        return dtype + "[" + m + ", " + k + "]" + (leftTransposed ? "ᵀ" : "") + "·[" + k + ", " + n + "]"
                + (rightTransposed ? "ᵀ" : "") + (result == dtype ? "" : " to " + result) + (add ? " added" : "");
    }
}
