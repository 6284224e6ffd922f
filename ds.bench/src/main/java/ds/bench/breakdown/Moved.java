package ds.bench.breakdown;

import ds.api.Tensor;
import java.util.List;

/**
 * Bytes that a kernel has to move between memory and processor, each operand once.
 *
 * @param read of operands that are only read
 * @param written of operands that are only written
 * @param updated of operands that are read and written where they are; both ways counted
 */
record Moved(double read, double written, double updated) {
    static final Moved NOTHING = new Moved(0, 0, 0);

    /** {@return the bytes of these operands; a result that is an input as well is updated in place} */
    static Moved between(List<Tensor> inputs, List<Tensor> outputs) {
        Moved sum = NOTHING;
        for (Tensor input : inputs) {
            boolean updated = outputs.stream().anyMatch(output -> same(input, output));
            sum = sum.plus(updated ? new Moved(0, 0, 2.0 * input.byteSize()) : new Moved(input.byteSize(), 0, 0));
        }
        for (Tensor output : outputs) {
            if (inputs.stream().noneMatch(input -> same(input, output))) {
                sum = sum.plus(new Moved(0, output.byteSize(), 0));
            }
        }
        return sum;
    }

    private static boolean same(Tensor x, Tensor y) {
        return x.buffer().equals(y.buffer()) && x.byteOffset() == y.byteOffset();
    }

    Moved plus(Moved other) {
        return new Moved(read + other.read, written + other.written, updated + other.updated);
    }

    double total() {
        return read + written + updated;
    }
}
