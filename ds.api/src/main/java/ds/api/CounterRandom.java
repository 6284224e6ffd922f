package ds.api;

/**
 * Random numbers without state: the number is a function of a key and a counter, so that it is the same on any rank, in any
 * order, and when it is computed again. Dropout, initial weights and stochastic rounding draw from it.
 *
 * <p>The function is the output mix of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014; constants of Stafford's variant 13) over
 * {@code key + (counter + 1) * 0x9E3779B97F4A7C15}: the generator's own sequence, entered anywhere.
 *
 * @param key which sequence; made by {@link #key}
 * @param first counter of a tensor's element 0
 */
public record CounterRandom(long key, long first) {
    /** 2^64 divided by the golden ratio, odd. */
    public static final long GAMMA = 0x9E3779B97F4A7C15L;

    /** First multiplier of the mix. */
    public static final long MIX_1 = 0xBF58476D1CE4E5B9L;

    /** Second multiplier of the mix. */
    public static final long MIX_2 = 0x94D049BB133111EBL;

    /** {@return a key of which any bit may differ if one part differs: mixes the parts one after the other} */
    public static long key(long seed, long... parts) {
        long key = mix(seed + GAMMA);
        for (long part : parts) {
            key = mix(key * MIX_1 + mix(part + GAMMA)); // a plain sum would let seed and first part change places
        }
        return key;
    }

    /** {@return a key part for a name: 64-bit FNV-1a of its UTF-16 units, mixed} */
    public static long part(String name) {
        long hash = 0xCBF29CE484222325L;
        for (int i = 0; i < name.length(); i++) {
            hash = (hash ^ name.charAt(i)) * 0x100000001B3L;
        }
        return mix(hash);
    }

    /** {@return 64 random bits for element {@code index} of the tensor} */
    public long bits(long index) {
        return mix(key + (first + index + 1) * GAMMA);
    }

    /**
     * {@return 16 random bits for element {@code index}, from 0 to 65535}
     *
     * <p>Four elements, those whose counters differ in the last two bits only, share the 64 bits of counter / 4.
     */
    public int bits16(long index) {
        long counter = first + index;
        long bits = mix(key + ((counter >>> 2) + 1) * GAMMA);
        return (int) (bits >>> (16 * (counter & 3))) & 0xffff;
    }

    /** {@return a number in [0, 1) with 24 bits for element {@code index}: the upper bits, scaled; exact in F32} */
    public float uniform(long index) {
        return (bits(index) >>> 40) * 0x1p-24f;
    }

    private static long mix(long z) {
        z = (z ^ (z >>> 30)) * MIX_1;
        z = (z ^ (z >>> 27)) * MIX_2;
        return z ^ (z >>> 31);
    }
}
