package ds.backend.cuda.launch;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import ds.api.Tensor;
import ds.cuda.CudaDevice;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Launches the kernels of one stream. Parameters are packed in their order into memory that is made once, so that a launch allocates
 * nothing; the driver copies them. Of one thread at a time, as kernels are.
 */
public final class Launcher implements AutoCloseable {
    private static final int SLOTS = 32;
    private static final int MAX_BLOCKS_Y = 65535;

    private final CudaDevice device;
    private final KernelModules modules;
    private final CudaStream stream;
    private final MemorySegment values;
    private final MemorySegment pointers;
    private final Arena arena = Arena.ofShared();
    private int count;
    private long function;
    private int sharedBytes;

    public Launcher(CudaDevice device, KernelModules modules, CudaStream stream) {
        this.device = device;
        this.modules = modules;
        this.stream = stream;
        values = arena.allocate(JAVA_LONG, SLOTS);
        pointers = arena.allocate(JAVA_LONG, SLOTS);
        for (int i = 0; i < SLOTS; i++) {
            pointers.setAtIndex(JAVA_LONG, i, values.address() + (long) i * Long.BYTES);
        }
    }

    /** Begins a launch. */
    public Launcher of(String module, String name) {
        return of(module, name, 0);
    }

    /** Begins a launch with dynamic shared memory, as much for every launch of the kernel. */
    public Launcher of(String module, String name, int dynamicSharedBytes) {
        function = modules.function(module, name, dynamicSharedBytes);
        sharedBytes = dynamicSharedBytes;
        count = 0;
        return this;
    }

    /** The address of a tensor of a type that the kernel knows. */
    public Launcher address(Tensor tensor) {
        return number(tensor.address());
    }

    /** The address of a tensor, and its type. */
    public Launcher typed(Tensor tensor) {
        return number(tensor.address()).number(Codes.of(tensor.dtype()));
    }

    public Launcher number(long value) {
        values.setAtIndex(JAVA_LONG, count++, value);
        return this;
    }

    public Launcher number(int value) {
        values.set(JAVA_INT, 8L * count++, value);
        return this;
    }

    public Launcher number(float value) {
        values.set(JAVA_FLOAT, 8L * count++, value);
        return this;
    }

    public Launcher number(double value) {
        values.set(JAVA_DOUBLE, 8L * count++, value);
        return this;
    }

    /** Launches blocks of threads in one dim. */
    public void run(long blocks, int threads) {
        run(blocks, 1, threads, 1);
    }

    /** Launches. */
    public void run(long blocksX, long blocksY, int threadsX, int threadsY) {
        if (blocksX < 1 || blocksX > Integer.MAX_VALUE || blocksY < 1 || blocksY > MAX_BLOCKS_Y) {
            throw new IllegalArgumentException("a kernel in " + blocksX + " by " + blocksY
                    + " blocks; a device takes at most " + Integer.MAX_VALUE + " by " + MAX_BLOCKS_Y);
        }
        device.launch(
                function,
                new CudaDevice.Dims((int) blocksX, (int) blocksY),
                new CudaDevice.Dims(threadsX, threadsY),
                sharedBytes,
                stream.handle(),
                pointers.address());
    }

    /** {@return how many blocks there are for so many items, if a block takes so many; kernels go on with the next where these are less} */
    public static long blocks(long items, long perBlock) {
        return Math.clamp(Math.ceilDiv(items, perBlock), 1, 1 << 20);
    }

    @Override
    public void close() {
        arena.close();
    }
}
