package ds.zero.weight;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Device;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.zero.offload.HostTensor;
import ds.zero.offload.SwapFile;
import ds.zero.offload.SwapThreads;
import ds.zero.offload.SwapThreads.Ticket;
import ds.zero.offload.Swapping;
import ds.zero.unit.Tiles;
import ds.zero.unit.Tiles.Tile;
import ds.zero.unit.UnitLayout;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** This rank's shards of the weights in a file, in the compute type (ZeRO-Infinity's parameter offload). */
public final class ShardFile implements AutoCloseable {
    private final TensorBackend device;
    private final TensorBackend backend;
    private final Kernels kernels;
    private final DType dtype;
    private final Tiles tiles;
    private final SwapFile file;
    private final List<HostTensor> all = new ArrayList<>();
    private final Map<Integer, Fetch> underWay = new HashMap<>();
    private final Map<Long, Deque<HostTensor>> free = new HashMap<>();
    private final Deque<Write> writes = new ArrayDeque<>();
    private final int buffers;

    private record Fetch(HostTensor memory, List<Ticket> tickets) {}

    private record Write(HostTensor memory, Ticket ticket) {}

    ShardFile(Tiles tiles, DType dtype, Swapping swapping) {
        this.device = swapping.device();
        this.backend = swapping.backend();
        this.kernels = backend.kernels(backend.computeStream());
        this.dtype = dtype;
        this.tiles = tiles;
        this.buffers = swapping.buffers();
        this.file = swapping.open("weights.swap", tiles.bytes(elements -> elements * dtype.byteSize()));
    }

    private HostTensor take(long bytes) {
        Deque<HostTensor> candidates = free.computeIfAbsent(bytes, size -> new ArrayDeque<>());
        if (!candidates.isEmpty()) {
            return candidates.removeLast();
        }
        HostTensor memory = new HostTensor(device, bytes, "swapBuffers");
        all.add(memory);
        return memory;
    }

    private void giveBack(HostTensor memory) {
        free.get(memory.bytes().byteSize()).addLast(memory);
    }

    private long paddedBytes(int unit) {
        return tiles.ofUnit(unit).stream().mapToLong(this::paddedBytes).sum();
    }

    private long paddedBytes(Tile tile) {
        return SwapFile.paddedBytes(tile.elements() * dtype.byteSize());
    }

    /** Begins to read this rank's shard of a unit. */
    public void fetch(int unit) {
        HostTensor memory = take(paddedBytes(unit));
        List<Ticket> tickets = new ArrayList<>();
        long at = 0;
        for (Tile tile : tiles.ofUnit(unit)) {
            tickets.add(file.read(tile.number(), memory.bytes().asSlice(at, paddedBytes(tile))));
            at += paddedBytes(tile);
        }
        underWay.put(unit, new Fetch(memory, tickets));
    }

    /** Waits for what {@link #fetch} has begun to read, and puts it where it is needed: {@code [shardElements]}. */
    public void finish(int unit, Tensor shard) {
        Fetch fetch = underWay.get(unit);
        fetch.tickets().forEach(Ticket::await);
        long at = 0;
        for (Tile tile : tiles.ofUnit(unit)) {
            put(fetch.memory().tensor(dtype, at, tile.elements()), shard.slice(tile.first(), tile.elements()));
            at += paddedBytes(tile);
        }
        device.computeStream().synchronize();
        underWay.remove(unit);
        giveBack(fetch.memory());
    }

    private void put(Tensor values, Tensor target) {
        if (target.buffer().device().equals(Device.HOST)) {
            kernels.copy(values, target);
        } else {
            device.upload(values, target, device.computeStream());
        }
    }

    /** Begins to write a tile's new values, which are on the host. */
    public void write(Tile tile, Tensor values) {
        while (writes.size() >= buffers) {
            awaitOldestWrite();
        }
        HostTensor memory = take(paddedBytes(tile));
        kernels.copy(values, memory.tensor(dtype, 0, tile.elements()));
        backend.computeStream().synchronize();
        writes.addLast(new Write(memory, file.write(tile.number(), memory.bytes())));
    }

    /** Replaces some values of this rank's shard of a unit by others, in F32, and waits for it. */
    public void replace(int unit, long first, MemorySegment source) {
        awaitWrites();
        long elements = source.byteSize() / Float.BYTES;
        try (Buffer buffer = backend.allocateHost(source.byteSize(), "temporary")) {
            Tensor values = new Tensor(buffer, DType.F32, Shape.of(elements));
            backend.upload(source, values, backend.computeStream());
            replace(unit, first, values);
        }
    }

    private void replace(int unit, long first, Tensor values) {
        UnitLayout.Range wanted = new UnitLayout.Range(first, first + values.elements());
        for (Tile tile : tiles.ofUnit(unit)) {
            UnitLayout.Range common = wanted.intersect(tile.range());
            if (!common.isEmpty()) {
                HostTensor memory = take(paddedBytes(tile));
                file.read(tile.number(), memory.bytes()).await();
                Tensor target = memory.tensor(dtype, 0, tile.elements());
                kernels.copy(
                        values.slice(common.first() - first, common.elements()),
                        target.slice(common.first() - tile.first(), common.elements()));
                backend.computeStream().synchronize();
                file.write(tile.number(), memory.bytes()).await();
                giveBack(memory);
            }
        }
    }

    private void awaitOldestWrite() {
        Write oldest = writes.removeFirst();
        oldest.ticket().await();
        giveBack(oldest.memory());
    }

    /** Waits for all that is being written. */
    void awaitWrites() {
        while (!writes.isEmpty()) {
            awaitOldestWrite();
        }
    }

    @Override
    public void close() {
        SwapThreads.settle(writes.stream().map(Write::ticket).toList());
        underWay.values().forEach(fetch -> SwapThreads.settle(fetch.tickets()));
        file.close();
        all.forEach(HostTensor::close);
    }
}
