package ds.backend.cuda;

import ds.cuda.CudaDevice;
import ds.cuda.CudaException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.TreeMap;

/**
 * Keeps blocks that were given back for the next who asks: the driver's own allocation and freeing wait for the device. Blocks are
 * multiples of 512 bytes, large ones of 2 MiB; a kept block serves a request of at least 7/8 of its size.
 */
final class DeviceMemory {
    private static final long SMALL = 512;
    private static final long LARGE = 2L << 20;

    private final CudaDevice device;
    private final TreeMap<Long, Deque<Long>> kept = new TreeMap<>(); // addresses by size

    DeviceMemory(CudaDevice device) {
        this.device = device;
    }

    /**
     * Memory with any contents.
     *
     * @param address as the device counts
     * @param bytes of the block, at least as many as were asked for
     * @param fresh whether nobody has had it before
     */
    record Block(long address, long bytes, boolean fresh) {}

    /**
     * {@return a block}
     *
     * @throws CudaException with {@link CudaException#OUT_OF_MEMORY} if the device has not enough, kept blocks included
     */
    synchronized Block take(long bytes) {
        long unit = bytes < LARGE ? SMALL : LARGE;
        long size = Math.ceilDiv(bytes, unit) * unit;
        Map.Entry<Long, Deque<Long>> fitting = kept.ceilingEntry(size);
        if (fitting != null && size >= fitting.getKey() - fitting.getKey() / 8) {
            long address = fitting.getValue().pop();
            if (fitting.getValue().isEmpty()) {
                kept.remove(fitting.getKey());
            }
            return new Block(address, fitting.getKey(), false);
        }
        try {
            return new Block(device.allocate(size), size, true);
        } catch (CudaException e) {
            if (e.status() != CudaException.OUT_OF_MEMORY || kept.isEmpty()) {
                throw e;
            }
            release();
            return new Block(device.allocate(size), size, true);
        }
    }

    /** Keeps a block for others. Work on it may still be enqueued. */
    synchronized void giveBack(Block block) {
        kept.computeIfAbsent(block.bytes(), _ -> new ArrayDeque<>()).push(block.address());
    }

    /** Gives the kept blocks back to the driver. */
    synchronized void release() {
        kept.values().forEach(addresses -> addresses.forEach(device::free));
        kept.clear();
    }
}
