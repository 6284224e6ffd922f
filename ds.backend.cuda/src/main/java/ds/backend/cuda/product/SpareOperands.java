package ds.backend.cuda.product;

import ds.api.Buffer;
import ds.api.OutOfDeviceMemoryException;
import ds.backend.cuda.driver.CublasLt.Epilogue;
import ds.backend.cuda.driver.CublasLt.Operands;
import ds.backend.cuda.driver.CublasLt.Problem;
import ds.backend.cuda.launch.WorkMemory;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * Operands with which a product may run any number of times before it runs for good: what it would write over what it reads goes to memory
 * beside it. Owns that memory until it is closed; nothing may be enqueued on it then.
 */
final class SpareOperands implements AutoCloseable {
    private final List<Buffer> spare = new ArrayList<>();
    private final Operands operands;

    /** Bytes of the device; none at address 0. */
    private record Range(long address, long bytes) {
        boolean overlaps(Range other) {
            return address < other.address + other.bytes && other.address < address + bytes;
        }

        boolean overlapsOneOf(Range... others) {
            return Stream.of(others).anyMatch(this::overlaps);
        }
    }

    /**
     * Allocates what is needed, mostly nothing.
     *
     * @throws OutOfDeviceMemoryException if there is not enough
     */
    SpareOperands(Problem problem, AlgorithmChoice.Call call) {
        Operands real = call.operands();
        long bytes = problem.d().byteSize();
        Range a = new Range(real.a(), problem.a().byteSize());
        Range b = new Range(real.b(), problem.b().byteSize());
        Range d = new Range(real.d(), bytes);
        long biasBytes = problem.d().rows() * problem.d().elementBytes();
        Range bias = new Range(real.bias(), real.bias() == 0 ? 0 : biasBytes);
        Range auxiliary = new Range(real.auxiliary(), real.auxiliary() == 0 ? 0 : bytes);
        boolean writesAuxiliary = problem.epilogue() == Epilogue.GELU; // its gradient reads it
        boolean spareD = call.add() || d.overlapsOneOf(a, b, bias, auxiliary);
        boolean spareAuxiliary = writesAuxiliary && auxiliary.overlapsOneOf(a, b, bias);
        WorkMemory memory = call.place().work();
        try {
            operands = new Operands(
                    real.a(),
                    real.b(),
                    spareD ? allocate(bytes, memory) : real.d(),
                    real.bias(),
                    spareAuxiliary ? allocate(bytes, memory) : real.auxiliary());
        } catch (OutOfDeviceMemoryException e) {
            close();
            throw e;
        }
    }

    private long allocate(long bytes, WorkMemory memory) {
        Buffer buffer = memory.temporary(bytes);
        spare.add(buffer);
        return buffer.address();
    }

    Operands operands() {
        return operands;
    }

    @Override
    public void close() {
        spare.forEach(Buffer::close);
    }
}
