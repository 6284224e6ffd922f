package ds.api;

/**
 * What is left of n numbers when each is replaced by a sign, and by one scale for a block of consecutive ones: 1 bit a number, and 32
 * for each block (1-bit Adam: Tang et al., arXiv:2102.02888, there with one scale for a whole tensor).
 *
 * @param bits I32 {@code [ceil(n / 32)]}: bit j of word i is 1 where number 32 i + j is not negative; the bits of numbers beyond the
 *     last are 0
 * @param scales F32 {@code [ceil(n / BLOCK)]}
 */
public record Signs(Tensor bits, Tensor scales) {
    /** Numbers that share a scale: the scales take 1/128 of what the bits take. */
    public static final int BLOCK = 4096;

    /** Rejects other types. */
    public Signs {
        if (bits.dtype() != DType.I32 || scales.dtype() != DType.F32) {
            throw new IllegalArgumentException(
                    "signs in " + bits + " with scales in " + scales + ": I32 and F32 are meant");
        }
    }

    /** {@return how many 32-bit words the bits and scales of n numbers take} */
    public static long words(long n) {
        return Math.ceilDiv(n, 32) + Math.ceilDiv(n, BLOCK);
    }

    /**
     * {@return the signs of n numbers that lie in a message: bits first, scales behind them}
     *
     * @param message I32, at least {@link #words} elements; the scales are views of it as F32
     */
    public static Signs in(Tensor message, long n) {
        long bits = Math.ceilDiv(n, 32);
        Tensor words = message.slice(0, words(n));
        Tensor scales = new Tensor(
                words.buffer(),
                DType.F32,
                Shape.of(words.elements() - bits),
                words.byteOffset() + bits * Integer.BYTES);
        return new Signs(words.slice(0, bits), scales);
    }

    /**
     * Rejects what is not the signs of as many numbers.
     *
     * @param call for the message
     * @param active says which numbers take part
     */
    public void requireOf(String call, Tensor numbers, Tensor active) {
        long n = numbers.elements();
        if (numbers.dtype() != DType.F32
                || active.dtype() != DType.F32
                || active.elements() != n
                || bits.elements() != Math.ceilDiv(n, 32)
                || scales.elements() != Math.ceilDiv(n, BLOCK)) {
            throw new IllegalArgumentException(call + ": " + numbers + " with " + active + " do not go with signs in "
                    + bits + " and scales in " + scales + "; numbers are F32, and " + BLOCK + " share a scale");
        }
    }
}
