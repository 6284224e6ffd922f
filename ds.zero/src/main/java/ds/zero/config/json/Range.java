package ds.zero.config.json;

import java.util.Locale;

/**
 * The finite numbers that a key may hold.
 *
 * @param low the lower end
 * @param lowIncluded whether {@code low} itself is allowed
 * @param high the upper end; positive infinity where there is none
 * @param highIncluded whether {@code high} itself is allowed
 */
public record Range(double low, boolean lowIncluded, double high, boolean highIncluded) {
    /** {@return all finite numbers from {@code low} on} */
    public static Range atLeast(double low) {
        return new Range(low, true, Double.POSITIVE_INFINITY, false);
    }

    /** {@return all finite numbers above {@code low}} */
    public static Range above(double low) {
        return new Range(low, false, Double.POSITIVE_INFINITY, false);
    }

    /** {@return {@code low <= x <= high}} */
    public static Range closed(double low, double high) {
        return new Range(low, true, high, true);
    }

    /** {@return {@code low <= x < high}} */
    public static Range halfOpen(double low, double high) {
        return new Range(low, true, high, false);
    }

    /** {@return whether {@code x} is finite and inside} */
    public boolean contains(double x) {
        return Double.isFinite(x) && (lowIncluded ? x >= low : x > low) && (highIncluded ? x <= high : x < high);
    }

    /** {@return the range in words, such as {@code "a number >= 0 and < 1"}} */
    @Override
    public String toString() {
        String lower = (lowIncluded ? ">= " : "> ") + plain(low);
        return "a finite number " + lower
                + (Double.isInfinite(high) ? "" : (highIncluded ? " and <= " : " and < ") + plain(high));
    }

    private static String plain(double x) {
        return x == Math.rint(x) && Math.abs(x) < 1e9 ? String.format(Locale.ROOT, "%.0f", x) : Double.toString(x);
    }
}
