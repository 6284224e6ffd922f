package ds.comm.tcp.fuzz;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** Inputs made of right ones by flips, extreme numbers, cuts, repetitions and crossings. The same seed gives the same inputs. */
public final class Mutations {
    private static final int MAX_BYTES = 1 << 18;
    private static final long[] EXTREMES = {
        0, 1, -1, Integer.MAX_VALUE, Integer.MIN_VALUE, Long.MAX_VALUE, 1L << 32, 65536
    };

    private final List<byte[]> right;
    private final Random random;

    /** Takes inputs that are right. */
    public Mutations(List<byte[]> right, long seed) {
        this.right = List.copyOf(right);
        random = new Random(seed);
    }

    /** {@return how many inputs a test tries: the property {@code count}, 100,000 by default} */
    public static long count() {
        return Long.getLong("count", 100_000);
    }

    /** {@return the next input} */
    public byte[] next() {
        byte[] input = pick();
        for (int changes = 1 + random.nextInt(4); changes > 0; changes--) {
            input = change(input);
        }
        return input.length <= MAX_BYTES ? input : Arrays.copyOf(input, MAX_BYTES);
    }

    private byte[] pick() {
        return right.get(random.nextInt(right.size())).clone();
    }

    private byte[] change(byte[] input) {
        if (input.length == 0) {
            return pick();
        }
        int at = random.nextInt(input.length);
        switch (random.nextInt(8)) {
            case 0 -> input[at] ^= (byte) (1 << random.nextInt(8));
            case 1 -> input[at] = (byte) random.nextInt();
            case 2 -> extreme(input, at & ~3, Integer.BYTES);
            case 3 -> extreme(input, at & ~7, Long.BYTES);
            case 4 -> {
                return Arrays.copyOf(input, at);
            }
            case 5 -> {
                return join(input, pick());
            }
            case 6 -> {
                return join(Arrays.copyOf(input, at), Arrays.copyOfRange(input, random.nextInt(at + 1), input.length));
            }
            default -> {
                byte[] other = pick();
                return join(
                        Arrays.copyOf(input, at), Arrays.copyOfRange(other, Math.min(at, other.length), other.length));
            }
        }
        return input;
    }

    private void extreme(byte[] input, int at, int bytes) {
        if (at + bytes <= input.length) {
            long value = EXTREMES[random.nextInt(EXTREMES.length)] + random.nextInt(3) - 1;
            ByteBuffer buffer = ByteBuffer.wrap(input);
            if (bytes == Long.BYTES) {
                buffer.putLong(at, value);
            } else {
                buffer.putInt(at, (int) value);
            }
        }
    }

    private static byte[] join(byte[] first, byte[] second) {
        byte[] whole = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, whole, first.length, second.length);
        return whole;
    }
}
