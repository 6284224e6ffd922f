package ds.tck;

import ds.api.DType;

/**
 * How far a result may lie from the reference, from the types it passes through and the number of terms it sums:
 * {@code |error| <= relative * magnitude + absolute}, where the magnitude is the largest of the reference tensor, or, if
 * {@code elementwise}, that of the element itself. Both sides round, each by at most half of {@link #epsilon}: together one
 * epsilon for each rounding. A sum of n terms, in any order, errs by at most n roundings of its largest partial sum (Higham,
 * Accuracy and Stability of Numerical Algorithms, 4.2).
 *
 * <p>Immutable; begin with {@link #EXACT} or {@link #EACH} and add what the operation does.
 *
 * @param relative to the magnitude
 * @param absolute whatever the magnitude
 * @param elementwise whether each element's own magnitude counts
 */
public record Bound(double relative, double absolute, boolean elementwise) {
    /** The same value; roundings added count relative to the tensor's largest magnitude. */
    public static final Bound EXACT = new Bound(0, 0, false);

    /** The same value; roundings added count relative to each element. */
    public static final Bound EACH = new Bound(0, 0, true);

    /** Errors of exp, log, tanh and the like, in units of F32's epsilon: what vectorised polynomials reach. */
    public static final int FUNCTION = 8;

    /** The largest of a few thousand normally distributed numbers, in standard deviations, with ample room. */
    public static final double DEVIATIONS = 6;

    /** {@return the distance from 1 to the next number of the type; 0 for integers} */
    public static double epsilon(DType dtype) {
        return switch (dtype) {
            case F32 -> 0x1p-23;
            case BF16 -> 0x1p-7;
            case F16 -> 0x1p-10;
            case F64 -> 0x1p-52;
            case I32 -> 0;
        };
    }

    /** {@return this bound and a number of roundings to a type more, relative to the magnitude} */
    public Bound rounded(DType dtype, double times) {
        return new Bound(relative + times * epsilon(dtype), absolute, elementwise);
    }

    /**
     * {@return this bound and that of a sum more}
     *
     * @param dtype in which it is summed, or in which its terms are rounded
     * @param terms how many
     * @param partial largest magnitude of a partial sum
     */
    public Bound summed(DType dtype, double terms, double partial) {
        return new Bound(relative, absolute + terms * epsilon(dtype) * partial, elementwise);
    }

    /** {@return the largest magnitude of a partial sum of random terms of either sign}: its deviation grows as the root */
    static double partial(double terms, double deviation) {
        return DEVIATIONS * Math.sqrt(terms) * deviation;
    }

    /**
     * {@return how much an element may be off}
     *
     * @param dtype of the result; below its smallest normal number everything may be flushed to zero
     * @param reference the right value
     * @param largest magnitude of the reference tensor
     */
    double tolerance(DType dtype, double reference, double largest) {
        if (relative == 0 && absolute == 0) {
            return 0;
        }
        double smallest = dtype == DType.F16 ? 0x1p-14 : 0x1p-126;
        return relative * (elementwise ? Math.abs(reference) : largest) + absolute + smallest * epsilonOrOne(dtype);
    }

    private static double epsilonOrOne(DType dtype) {
        return dtype == DType.F16 ? epsilon(dtype) : 1; // F16 has subnormal numbers everywhere, F32 not on every device
    }
}
