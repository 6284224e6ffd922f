package ds.zero.config;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Amounts of memory as people write them: {@code 6GiB}, {@code 1.5 GB}. A number has a unit: whose it is, is not guessed. */
public final class ByteSize {
    /** What a message says about the form. */
    public static final String FORM =
            "a number with one of B, KB, MB, GB, TB (powers of 1000), KiB, MiB, GiB, TiB (of 1024)";

    private static final Pattern TEXT = Pattern.compile("(\\d{1,15}(?:\\.\\d{1,15})?) ?([KMGT]i?B|B)");
    private static final Map<String, Long> UNITS = Map.of(
            "B", 1L,
            "KB", 1_000L,
            "MB", 1_000_000L,
            "GB", 1_000_000_000L,
            "TB", 1_000_000_000_000L,
            "KiB", 1L << 10,
            "MiB", 1L << 20,
            "GiB", 1L << 30,
            "TiB", 1L << 40);

    private ByteSize() {}

    /**
     * {@return how many bytes a text says, rounded down}
     *
     * @throws IllegalArgumentException if it is none, or beyond a {@code long}
     */
    public static long parse(String text) {
        Matcher matcher = TEXT.matcher(text);
        if (!matcher.matches()) {
            throw new IllegalArgumentException("'" + text + "' is no amount of memory; write " + FORM);
        }
        BigDecimal bytes = new BigDecimal(matcher.group(1)).multiply(BigDecimal.valueOf(UNITS.get(matcher.group(2))));
        if (bytes.compareTo(BigDecimal.valueOf(Long.MAX_VALUE)) > 0) {
            throw new IllegalArgumentException("'" + text + "' is more than " + Long.MAX_VALUE + " bytes");
        }
        return bytes.setScale(0, RoundingMode.DOWN).longValueExact();
    }

    /** {@return three digits and a unit of 1024, such as {@code 1.23 GiB}} */
    public static String inBinary(long bytes) {
        return format(bytes, 1024, "B", "KiB", "MiB", "GiB", "TiB");
    }

    /** {@return three digits and a unit of 1000, such as {@code 1.23 GB}} */
    public static String inDecimal(long bytes) {
        return format(bytes, 1000, "B", "KB", "MB", "GB", "TB");
    }

    private static String format(long bytes, int base, String... units) {
        double value = bytes;
        int unit = 0;
        while (unit < units.length - 1 && Math.abs(value) >= 999.5) {
            value /= base;
            unit++;
        }
        int decimals = unit == 0 || Math.abs(value) >= 99.95 ? 0 : Math.abs(value) >= 9.995 ? 1 : 2;
        return String.format(Locale.ROOT, "%." + decimals + "f %s", value, units[unit]);
    }
}
