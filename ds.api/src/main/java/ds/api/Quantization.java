package ds.api;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Symmetric quantization: of each block of consecutive elements one F32 scale and a small integer for each element are kept. Scalar
 * reference of {@link Kernels#quantize}, {@link Kernels#dequantize} and {@link Kernels#sumQuantized}, which give its bits.
 *
 * <pre>
 * scale = max |x| / largest code, but at least the smallest normal F32
 * code  = x · (1 / scale), rounded to the nearest integer, ties to even
 * value = code · scale
 * </pre>
 *
 * <p>So a value differs from x by at most half a scale and some units of F32's last place. A block that has an element which is
 * not finite comes back as NaN, all of it, so that an overflow is seen wherever it is looked for.
 *
 * <p><b>Words.</b> A row of n elements is kept in 32-bit words, I32 tensors to whoever moves them: first the scales of its blocks,
 * then the codes of groups of {@link #GROUP_WORDS} words. In a group, word w has the codes of elements w, w + 16, w + 32 and so
 * on, the first one in its lowest bits: a vector of words is made of vectors of elements without moving any between lanes. What the
 * last group lacks counts as 0.
 *
 * @param bits of a code: 4 or 8
 * @param blockElements of a block; a multiple of 128
 */
public record Quantization(int bits, int blockElements) {
    /** Words that are made and read together. */
    public static final int GROUP_WORDS = 16;

    private static final int BLOCK_MULTIPLE = 128;
    private static final int INFINITY_BITS = 0x7f800000;

    /** A number of which the lowest bits, once x is added to it, are those of x rounded to nearest even: 1.5 · 2^23. */
    public static final float ROUNDER = 0x1.8p23f;

    /** Rejects other codes and blocks than whole groups. */
    public Quantization {
        if (bits != 4 && bits != 8) {
            throw new IllegalArgumentException("codes of " + bits + " bits; there are those of 4 and of 8");
        }
        if (blockElements < BLOCK_MULTIPLE || blockElements % BLOCK_MULTIPLE != 0) {
            throw new IllegalArgumentException(
                    "blocks of " + blockElements + " elements; must be a multiple of " + BLOCK_MULTIPLE);
        }
    }

    /** {@return codes of a word} */
    public int perWord() {
        return Integer.SIZE / bits;
    }

    /** {@return elements of a group of words} */
    public int groupElements() {
        return GROUP_WORDS * perWord();
    }

    /** {@return the largest code: 7 or 127; the smallest one is its negative} */
    public int largestCode() {
        return (1 << (bits - 1)) - 1;
    }

    /** {@return blocks of a row of so many elements, of which the last one may be short} */
    public long blocks(long elements) {
        return Math.ceilDiv(elements, (long) blockElements);
    }

    /** {@return words that keep a row of so many elements} */
    public long words(long elements) {
        return blocks(elements) + Math.ceilDiv(elements, (long) groupElements()) * GROUP_WORDS;
    }

    /** {@return elements of a block in a row of so many} */
    public int elements(long rowElements, long block) {
        return (int) Math.min(blockElements, rowElements - block * blockElements);
    }

    /**
     * Rejects words in which such rows have no place.
     *
     * @param call for the message
     * @param rows how many, at least 1
     * @param rowElements of each
     */
    public void requireRows(String call, CoreKernels.Rows words, long rows, long rowElements) {
        long rowWords = words(rowElements);
        long end = words.first() + (rows - 1) * words.stride() + rowWords;
        if (words.tensor().dtype() != DType.I32
                || rows < 1
                || end > words.tensor().elements()) {
            throw new IllegalArgumentException(call + ": " + rows + " rows of " + rowWords + " words from word "
                    + words.first() + " at a stride of " + words.stride() + " are not inside " + words.tensor()
                    + ", or it is not I32");
        }
    }

    /** {@return the first word of a block's codes, in the words of a row of so many elements} */
    public long firstCodeWord(long elements, long block) {
        return blocks(elements) + block * (blockElements / perWord());
    }

    /**
     * {@return the scale of a block}
     *
     * @param magnitudeBits the largest of its elements' bits without their signs: in the order of the magnitudes, with infinity and
     *     NaN above all finite numbers
     */
    public float scale(int magnitudeBits) {
        return magnitudeBits >= INFINITY_BITS
                ? Float.NaN
                : Math.max(Float.intBitsToFloat(magnitudeBits) / largestCode(), Float.MIN_NORMAL);
    }

    /** {@return the code of an element, in the lowest bits of a word whose others are 0; any code where the scale is NaN} */
    public int code(float x, float inverseScale) {
        return Float.floatToRawIntBits(x * inverseScale + ROUNDER) & ((1 << bits) - 1);
    }

    /** Makes the words of one block, scale included: {@code words[blocks + …]} of a row of {@code rowElements}. */
    void encodeBlock(float[] x, int n, MemorySegment words, long rowElements, long block) {
        int largest = 0;
        for (int i = 0; i < n; i++) {
            largest = Math.max(largest, Float.floatToRawIntBits(x[i]) & Integer.MAX_VALUE);
        }
        float scale = scale(largest);
        words.setAtIndex(ValueLayout.JAVA_INT, block, Float.floatToRawIntBits(scale));
        long firstWord = firstCodeWord(rowElements, block);
        int groups = Math.ceilDiv(n, groupElements());
        for (int word = 0; word < groups * GROUP_WORDS; word++) {
            int codes = 0;
            for (int k = 0; k < perWord(); k++) {
                int i = element(word, k);
                codes |= i < n ? code(x[i], 1 / scale) << (k * bits) : 0;
            }
            words.setAtIndex(ValueLayout.JAVA_INT, firstWord + word, codes);
        }
    }

    /** Reads one block of a row of {@code rowElements} from its words. */
    void decodeBlock(MemorySegment words, long rowElements, long block, float[] x, int n) {
        float scale = Float.intBitsToFloat(words.getAtIndex(ValueLayout.JAVA_INT, block));
        long firstWord = firstCodeWord(rowElements, block);
        for (int word = 0; word < Math.ceilDiv(n, groupElements()) * GROUP_WORDS; word++) {
            int codes = words.getAtIndex(ValueLayout.JAVA_INT, firstWord + word);
            for (int k = 0; k < perWord(); k++) {
                int i = element(word, k);
                if (i < n) {
                    int code = (codes << (Integer.SIZE - (k + 1) * bits)) >> (Integer.SIZE - bits);
                    x[i] = code * scale;
                }
            }
        }
    }

    private int element(int word, int k) {
        return word / GROUP_WORDS * groupElements() + k * GROUP_WORDS + word % GROUP_WORDS;
    }
}
