package ds.backend.cpu.threads;

/**
 * Working arrays of one thread, kept from call to call: after the first step nothing is allocated. A kernel names its arrays
 * by small numbers; their contents do not survive the kernel.
 */
public final class Scratch {
    private static final int SLOTS = 16;

    private final float[][] floats = new float[SLOTS][0];

    /** Holds nothing yet. */
    public Scratch() {}

    /** {@return array number {@code slot}, of at least {@code length} elements, with any contents} */
    public float[] floats(int slot, int length) {
        if (floats[slot].length < length) {
            floats[slot] = new float[length];
        }
        return floats[slot];
    }

    /** {@return how many bytes the arrays take} */
    public long byteSize() {
        long elements = 0;
        for (float[] array : floats) {
            elements += array.length;
        }
        return elements * Float.BYTES;
    }
}
