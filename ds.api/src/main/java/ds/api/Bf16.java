package ds.api;

/**
 * BF16 numbers, bit by bit: how F32 is rounded to them, and how an F32 number is kept as a BF16 one and 16 more bits. Scalar
 * reference of {@link Kernels#roundStochastically}, {@link Kernels#split} and {@link Kernels#join}.
 *
 * <p><b>Split.</b> The bits of F32 numbers of one sign, read as integers, are in the order of their magnitudes, and BF16 numbers
 * are every 65536th of them. So the distance of a number from the nearest BF16 one, in units of F32's last place, is
 * {@code bits(x) - (bits(nearest(x)) << 16)}, at least −32768 and at most 32768: one value more than 16 bits have. It is 32768
 * for numbers halfway above an even BF16 one; both neighbours of an even one round their ties to it, so that 65537 numbers do,
 * and no code of 16 bits can tell them apart. Such a number, one in 2^17, is kept as the next one towards zero, with distance
 * 32767: it differs by one unit of F32's last place, and rounds to the same BF16 number. All others come back exactly, infinite
 * and denormal ones included; so does what is split a second time. NaN stays NaN.
 */
public final class Bf16 {
    private static final int QUIET = 0x40;

    private Bf16() {}

    /** {@return the number as F32} */
    public static float value(short bf16) {
        return Float.intBitsToFloat(bf16 << 16);
    }

    /** {@return the nearest BF16 number, of two the even one; NaN stays NaN} */
    public static short nearest(float x) {
        int bits = Float.floatToRawIntBits(x);
        if (Float.isNaN(x)) {
            return (short) (bits >>> 16 | QUIET); // the payload's upper bits alone could be those of infinity
        }
        return (short) ((bits + 0x7fff + (bits >>> 16 & 1)) >>> 16);
    }

    /**
     * {@return one of the two BF16 numbers beside x, or x itself if it is one}
     *
     * <p>Of 65536 values of {@code random}, as many lead away from zero as x lies units of F32's last place beyond the number
     * towards zero: with uniform bits, the result is x on average. Beyond the largest finite number lies infinity.
     *
     * @param random from 0 to 65535
     */
    public static short stochastic(float x, int random) {
        int bits = Float.floatToRawIntBits(x);
        return Float.isNaN(x) ? (short) (bits >>> 16 | QUIET) : (short) ((bits + random) >>> 16);
    }

    /** {@return the distance of x from {@link #nearest}, at most 32767} */
    public static short rest(float x) {
        int distance = Float.floatToRawIntBits(x) - (nearest(x) << 16);
        return (short) Math.clamp(distance, Short.MIN_VALUE, Short.MAX_VALUE);
    }

    /** {@return the number of which these are {@link #nearest} and {@link #rest}} */
    public static float join(short nearest, short rest) {
        return Float.intBitsToFloat((nearest << 16) + rest);
    }
}
