package ds.api;

/** Element types of tensors. Arithmetic on {@link #BF16} and {@link #F16} is done in F32 and rounded once, to nearest even. */
public enum DType {
    /** IEEE 754 binary32. */
    F32(4),
    /** The upper half of binary32: 8 exponent bits, 7 stored mantissa bits. */
    BF16(2),
    /** IEEE 754 binary16. */
    F16(2),
    /** IEEE 754 binary64; only for sums, such as squared norms. */
    F64(8),
    /** Signed 32-bit integers; token ids and row indices. */
    I32(4);

    private final int byteSize;

    DType(int byteSize) {
        this.byteSize = byteSize;
    }

    /** {@return the bytes of one element} */
    public int byteSize() {
        return byteSize;
    }
}
