package ds.backend.cpu.vector;

import static jdk.incubator.vector.VectorOperators.GT;
import static jdk.incubator.vector.VectorOperators.I2S;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.S2I;
import static jdk.incubator.vector.VectorOperators.XOR;
import static jdk.incubator.vector.VectorOperators.ZERO_EXTEND_S2I;

import ds.api.Bf16;
import ds.api.CounterRandom;
import ds.api.Tensor;
import ds.backend.cpu.threads.Part;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorSpecies;

/** Conversion, stochastic rounding, split and join of {@link Bf16}, a vector at a time: the memory's bandwidth is the limit. */
public final class Bf16Kernel {
    private static final VectorSpecies<Long> I64 = LongVector.SPECIES_PREFERRED;
    private static final ByteOrder ORDER = ByteOrder.nativeOrder();
    private static final LongVector STEPS = LongVector.zero(I64).addIndex(1).mul(CounterRandom.GAMMA);
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;

    /** Elements whose random bits are one vector of longs; a whole number of its groups of four. */
    private static final int GROUP = 2 * Lanes.COUNT;

    private Bf16Kernel() {}

    /** Rounds a part; see {@link ds.api.Kernels#roundStochastically}. The elements before a group of four go one by one. */
    public static void roundStochastically(Tensor x, CounterRandom random, Tensor y, Part part) {
        MemorySegment from = x.host();
        MemorySegment to = y.host();
        long i = part.first();
        for (; i < part.last() && ((random.first() + i) & 3) != 0; i++) {
            roundOne(from, random, to, i);
        }
        for (; i + GROUP <= part.last(); i += GROUP) {
            ShortVector bits = bits16(random, i);
            round(from, (IntVector) bits.convertShape(ZERO_EXTEND_S2I, Lanes.I32, 0), to, i);
            round(from, (IntVector) bits.convertShape(ZERO_EXTEND_S2I, Lanes.I32, 1), to, i + Lanes.COUNT);
        }
        for (; i < part.last(); i++) {
            roundOne(from, random, to, i);
        }
    }

    /** The random bits of {@link #GROUP} elements; a long's lowest 16 are its first short, on any machine of today. */
    private static ShortVector bits16(CounterRandom random, long i) {
        long state = random.key() + (((random.first() + i) >>> 2) + 1) * CounterRandom.GAMMA;
        LongVector z = STEPS.add(state);
        z = z.lanewise(XOR, z.lanewise(LSHR, 30)).mul(CounterRandom.MIX_1);
        z = z.lanewise(XOR, z.lanewise(LSHR, 27)).mul(CounterRandom.MIX_2);
        return z.lanewise(XOR, z.lanewise(LSHR, 31)).reinterpretAsShorts();
    }

    private static void round(MemorySegment from, IntVector random, MemorySegment to, long i) {
        IntVector bits = IntVector.fromMemorySegment(Lanes.I32, from, i * Float.BYTES, ORDER);
        VectorMask<Integer> nan = bits.and(0x7fffffff).compare(GT, 0x7f800000);
        IntVector rounded = bits.add(random).lanewise(LSHR, 16);
        store(rounded.blend(bits.lanewise(LSHR, 16).or(0x40), nan), to, i);
    }

    private static void roundOne(MemorySegment from, CounterRandom random, MemorySegment to, long i) {
        to.set(SHORT, i * Short.BYTES, Bf16.stochastic(from.get(FLOAT, i * Float.BYTES), random.bits16(i)));
    }

    /** Splits a part; see {@link ds.api.Kernels#split}. */
    public static void split(Tensor x, Tensor nearest, Tensor rest, Part part) {
        MemorySegment from = x.host();
        MemorySegment upper = nearest.host();
        MemorySegment lower = rest.host();
        long i = part.first();
        for (; i + Lanes.COUNT <= part.last(); i += Lanes.COUNT) {
            IntVector bits = IntVector.fromMemorySegment(Lanes.I32, from, i * Float.BYTES, ORDER);
            IntVector rounded = Lanes.toBf16(bits);
            IntVector distance = bits.sub(rounded.lanewise(LSHL, 16));
            store(rounded, upper, i);
            store(distance.min(Short.MAX_VALUE).max(Short.MIN_VALUE), lower, i);
        }
        for (; i < part.last(); i++) {
            float value = from.get(FLOAT, i * Float.BYTES);
            upper.set(SHORT, i * Short.BYTES, Bf16.nearest(value));
            lower.set(SHORT, i * Short.BYTES, Bf16.rest(value));
        }
    }

    /** Joins a part; see {@link ds.api.Kernels#join}. */
    public static void join(Tensor nearest, Tensor rest, Tensor x, Part part) {
        MemorySegment upper = nearest.host();
        MemorySegment lower = rest.host();
        MemorySegment to = x.host();
        long i = part.first();
        for (; i + Lanes.COUNT <= part.last(); i += Lanes.COUNT) {
            ShortVector high = ShortVector.fromMemorySegment(Lanes.I16, upper, i * Short.BYTES, ORDER);
            ShortVector low = ShortVector.fromMemorySegment(Lanes.I16, lower, i * Short.BYTES, ORDER);
            IntVector bits = (IntVector) high.convertShape(S2I, Lanes.I32, 0);
            IntVector distance = (IntVector) low.convertShape(S2I, Lanes.I32, 0);
            bits.lanewise(LSHL, 16).add(distance).intoMemorySegment(to, i * Float.BYTES, ORDER);
        }
        for (; i < part.last(); i++) {
            float value = Bf16.join(upper.get(SHORT, i * Short.BYTES), lower.get(SHORT, i * Short.BYTES));
            to.set(FLOAT, i * Float.BYTES, value);
        }
    }

    /** Rounds {@code n} F32 to the nearest BF16, ties to even: {@code to[firstTo ..] = from[firstFrom ..]}. */
    public static void round(MemorySegment from, long firstFrom, MemorySegment to, long firstTo, long n) {
        for (long i = 0; i < n; i += Lanes.CHUNK) {
            int count = (int) Math.min(Lanes.CHUNK, n - i);
            roundChunk(
                    from.asSlice((firstFrom + i) * Float.BYTES, (long) count * Float.BYTES),
                    to.asSlice((firstTo + i) * Short.BYTES, (long) count * Short.BYTES),
                    count);
        }
    }

    private static void roundChunk(MemorySegment from, MemorySegment to, int n) {
        int i = 0;
        for (int whole = Lanes.F32.loopBound(n); i < whole; i += Lanes.COUNT) {
            store(Lanes.toBf16(IntVector.fromMemorySegment(Lanes.I32, from, (long) i * Float.BYTES, ORDER)), to, i);
        }
        for (; i < n; i++) {
            to.set(SHORT, (long) i * Short.BYTES, Bf16.nearest(from.get(FLOAT, (long) i * Float.BYTES)));
        }
    }

    /** {@code to[firstTo ..] = factor · from[firstFrom ..]} for a row of {@code n} F32, rounded to the nearest BF16. */
    static void roundScaled(float factor, MemorySegment from, long firstFrom, MemorySegment to, long firstTo, int n) {
        int i = 0;
        for (int whole = Lanes.F32.loopBound(n); i < whole; i += Lanes.COUNT) {
            FloatVector x = FloatVector.fromMemorySegment(Lanes.F32, from, (firstFrom + i) * Float.BYTES, ORDER);
            store(Lanes.toBf16(x.mul(factor).reinterpretAsInts()), to, firstTo + i);
        }
        for (; i < n; i++) {
            float x = factor * from.get(FLOAT, (firstFrom + i) * Float.BYTES);
            to.set(SHORT, (firstTo + i) * Short.BYTES, Bf16.nearest(x));
        }
    }

    /** Widens {@code n} BF16 to F32: {@code to[firstTo ..] = from[firstFrom ..]}. */
    public static void widen(MemorySegment from, long firstFrom, MemorySegment to, long firstTo, long n) {
        for (long i = 0; i < n; i += Lanes.CHUNK) {
            int count = (int) Math.min(Lanes.CHUNK, n - i);
            widenChunk(
                    from.asSlice((firstFrom + i) * Short.BYTES, (long) count * Short.BYTES),
                    to.asSlice((firstTo + i) * Float.BYTES, (long) count * Float.BYTES),
                    count);
        }
    }

    private static void widenChunk(MemorySegment from, MemorySegment to, int n) {
        int i = 0;
        for (int whole = Lanes.F32.loopBound(n); i < whole; i += Lanes.COUNT) {
            ShortVector halves = ShortVector.fromMemorySegment(Lanes.I16, from, (long) i * Short.BYTES, ORDER);
            IntVector bits = (IntVector) halves.convertShape(ZERO_EXTEND_S2I, Lanes.I32, 0);
            bits.lanewise(LSHL, 16).intoMemorySegment(to, (long) i * Float.BYTES, ORDER);
        }
        for (; i < n; i++) {
            to.set(FLOAT, (long) i * Float.BYTES, Float.intBitsToFloat(from.get(SHORT, (long) i * Short.BYTES) << 16));
        }
    }

    private static void store(IntVector shorts, MemorySegment to, long i) {
        ((ShortVector) shorts.convertShape(I2S, Lanes.I16, 0)).intoMemorySegment(to, i * Short.BYTES, ORDER);
    }
}
