package ds.cli.plan;

import java.util.Locale;

/** Numbers as people read them. */
final class Amounts {
    private static final String[] UNITS = {"", "K", "M", "B", "T"};

    private Amounts() {}

    /** {@return three digits and a letter, such as {@code 124M} or {@code 7.50B}} */
    static String count(long number) {
        double value = number;
        int unit = 0;
        while (unit < UNITS.length - 1 && value >= 999.5) {
            value /= 1000;
            unit++;
        }
        int decimals = unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
        return String.format(Locale.ROOT, "%." + decimals + "f%s", value, UNITS[unit]);
    }

    /** {@return a number of things} */
    static String of(long number, String thing) {
        String plural = thing.endsWith("h") ? "es" : "s";
        return number + " " + thing + (number == 1 ? "" : plural);
    }
}
