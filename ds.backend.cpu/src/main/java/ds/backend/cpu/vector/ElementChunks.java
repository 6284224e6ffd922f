package ds.backend.cpu.vector;

import ds.api.Tensor;

/** Elementwise work on several flat tensors: chunk after chunk is read as F32, computed on, and partly written back. */
final class ElementChunks {
    private ElementChunks() {}

    /** What is computed on one chunk. */
    @FunctionalInterface
    interface Body {
        /**
         * Computes in place.
         *
         * @param x an array for each tensor
         * @param n elements, a multiple of {@link Lanes#COUNT}; those behind a chunk's end are zeros or arbitrary
         */
        void run(float[][] x, int n);
    }

    /**
     * Runs a part.
     *
     * @param written how many of the tensors are written back: the first ones
     * @param tensors of equal size, of type F32, BF16 or F16
     */
    static void run(Part part, int written, Tensor[] tensors, Body body) {
        Elements[] elements = new Elements[tensors.length];
        float[][] arrays = new float[tensors.length][];
        for (int k = 0; k < tensors.length; k++) {
            elements[k] = Elements.of(tensors[k]);
            arrays[k] = part.scratch().floats(k, Lanes.CHUNK);
        }
        for (long i = part.first(); i < part.last(); i += Lanes.CHUNK) {
            int n = (int) Math.min(Lanes.CHUNK, part.last() - i);
            for (int k = 0; k < tensors.length; k++) {
                elements[k].read(i, arrays[k], 0, n);
            }
            body.run(arrays, Lanes.padded(n));
            for (int k = 0; k < written; k++) {
                elements[k].write(arrays[k], 0, i, n);
            }
        }
    }
}
