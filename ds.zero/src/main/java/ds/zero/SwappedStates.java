package ds.zero;

import ds.api.DType;
import ds.api.Kernels;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.spi.LayerwiseOptimizer;
import ds.api.spi.MatrixOptimizer;
import ds.api.spi.Optimizer;
import ds.zero.Tiles.Tile;
import ds.zero.offload.SwapFile;
import ds.zero.offload.SwapThreads;
import ds.zero.offload.SwapThreads.Ticket;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Masters and optimizer states in a file (ZeRO-Infinity's optimizer offload): a tile is read while those before it are updated
 * and written, so that a step takes as long as the disk does. Where weights are F32 in memory they are their own masters, and
 * only the optimizer's states are in the file.
 */
final class SwappedStates implements UpdatedStates {
    private final TensorBackend backend;
    private final Kernels kernels;
    private final WeightStage weights;
    private final GradientStage gradients;
    private final Optimizer optimizer;
    private final Tiles tiles;
    private final SwapFile file;
    private final boolean ownMasters;
    private final boolean dry;
    private final int parts; // F32 numbers of each element in the file
    private final List<Frame> ring = new ArrayList<>();
    private final HostTensor gradient;
    private int next; // tile to be updated
    private int held = -1; // tile that read() or write() has left in the first frame
    private boolean changed; // whether the held tile has still to be written
    private int requested; // tiles read or being read in this round
    private Optional<HostTensor> fetched = Optional.empty();

    /** A place in memory for one tile. */
    private static final class Frame {
        private final HostTensor memory;
        private Ticket ticket = Ticket.DONE;

        Frame(HostTensor memory) {
            this.memory = memory;
        }
    }

    SwappedStates(Tiles tiles, WeightStage weights, GradientStage gradients, Optimizer optimizer, Swapping swapping) {
        requireElementwise(optimizer);
        this.backend = swapping.backend();
        this.kernels = backend.kernels(backend.computeStream());
        this.tiles = tiles;
        this.weights = weights;
        this.gradients = gradients;
        this.optimizer = optimizer;
        this.ownMasters = !weights.areMasters();
        this.dry = swapping.threads().isIdle();
        this.parts = optimizer.states().size() + (ownMasters ? 1 : 0);
        this.file = swapping.open("optimizer.swap", tiles.bytes((long) parts * Float.BYTES));
        long most = tiles.mostElements();
        for (int i = 0; i < swapping.buffers(); i++) {
            ring.add(new Frame(new HostTensor(backend, most * parts * Float.BYTES, "swapBuffers")));
        }
        this.gradient = new HostTensor(backend, most * Float.BYTES, "swapBuffers");
    }

    private static void requireElementwise(Optimizer optimizer) {
        if (optimizer instanceof LayerwiseOptimizer || optimizer instanceof MatrixOptimizer) {
            throw new IllegalArgumentException(
                    "optimizer.type: " + optimizer.getClass().getSimpleName()
                            + " works on whole parameters, which files hold in tiles; choose an elementwise one such as AdamW, or"
                            + " set zero_optimization.offload_optimizer.device to none");
        }
    }

    @Override
    public List<String> stateNames() {
        return optimizer.states();
    }

    @Override
    public void prepare(Optimizer.Step step) {}

    @Override
    public void update(int unit, Optimizer.Step step) {
        Optimizer.Step plain = step.withoutDecay();
        for (Tile tile : tiles.ofUnit(unit)) {
            Frame frame = frameOf(tile);
            update(tile, frame, tile.decays() ? step : plain);
            backend.computeStream().synchronize();
            frame.ticket = file.write(tile.number(), frame.memory.bytes());
        }
    }

    /** {@return the frame in which a tile is, once it is; tiles come in order, so that those behind it can be read ahead} */
    private Frame frameOf(Tile tile) {
        if (tile.number() != next) {
            throw new IllegalStateException("tile " + tile.number() + " is updated before tile " + next);
        }
        next++;
        letGo();
        // One frame fewer: what the last one holds may still be written.
        while (requested < Math.min(tiles.count(), tile.number() + ring.size() - 1)) {
            Frame frame = ring.get(requested % ring.size());
            frame.ticket.await();
            frame.ticket = file.read(requested, frame.memory.bytes());
            requested++;
        }
        Frame frame = ring.get(tile.number() % ring.size());
        frame.ticket.await();
        return frame;
    }

    private void update(Tile tile, Frame frame, Optimizer.Step step) {
        List<Tensor> states = new ArrayList<>();
        for (int i = 0; i < optimizer.states().size(); i++) {
            states.add(part(frame.memory, tile, i));
        }
        Tensor master = ownMasters
                ? part(frame.memory, tile, optimizer.states().size())
                : weights.owned(tile.unit()).slice(tile.first(), tile.elements());
        Tensor given = gradients.reduced(tile.unit()).slice(tile.first(), tile.elements());
        optimizer.update(kernels, new Optimizer.Shard(master, inF32(given), states), step);
        if (ownMasters) {
            weights.setOwned(tile, master);
        }
    }

    private Tensor inF32(Tensor given) {
        if (given.dtype() == DType.F32) {
            return given;
        }
        Tensor converted = gradient.tensor(DType.F32, 0, given.elements());
        kernels.copy(given, converted);
        return converted;
    }

    private static Tensor part(HostTensor memory, Tile tile, int part) {
        return memory.tensor(DType.F32, part * tile.elements() * Float.BYTES, tile.elements());
    }

    @Override
    public void awaitUpdates() {
        ring.forEach(frame -> frame.ticket.await());
        next = 0;
        requested = 0;
    }

    @Override
    public void publish(int unit) {
        if (ownMasters) {
            letGo();
            HostTensor memory = ring.getFirst().memory;
            for (Tile tile : tiles.ofUnit(unit)) {
                file.read(tile.number(), memory.bytes()).await();
                weights.setOwned(tile, part(memory, tile, optimizer.states().size()));
                backend.computeStream().synchronize();
            }
        }
    }

    @Override
    public Tensor master(int unit) {
        if (!ownMasters) {
            return weights.owned(unit);
        }
        forget();
        long elements = tiles.ofUnit(unit).stream().mapToLong(Tile::elements).sum();
        HostTensor memory = new HostTensor(backend, elements * Float.BYTES, "temporary");
        fetched = Optional.of(memory);
        read(MASTER, unit, 0, memory.bytes().asSlice(0, elements * Float.BYTES));
        return memory.tensor(DType.F32, 0, elements);
    }

    @Override
    public void forget() {
        fetched.ifPresent(HostTensor::close);
        fetched = Optional.empty();
    }

    @Override
    public void read(int state, int unit, long first, MemorySegment target) {
        if (state == MASTER && !ownMasters) {
            Tensor values = weights.owned(unit).slice(first, target.byteSize() / Float.BYTES);
            backend.download(values, target, backend.computeStream());
            backend.computeStream().synchronize();
            return;
        }
        visit(state, unit, first, target, false);
    }

    @Override
    public void write(int state, int unit, long first, MemorySegment source) {
        if (state == MASTER && !ownMasters) {
            Tensor values = weights.owned(unit).slice(first, source.byteSize() / Float.BYTES);
            backend.upload(source, values, backend.computeStream());
            backend.computeStream().synchronize();
            return;
        }
        visit(state, unit, first, source, true);
    }

    /** Writes the held tile back if it has changed: not with every piece of it, since pieces come one after the other. */
    private void letGo() {
        if (changed) {
            file.write(held, ring.getFirst().memory.bytes()).await();
            changed = false;
        }
        held = -1;
    }

    /** Copies between host memory and the tiles in which elements lie; a tile is read whole, and written back when another is. */
    private void visit(int state, int unit, long first, MemorySegment host, boolean write) {
        if (dry) {
            return; // there is nothing to copy, and host memory that is never written to takes no room
        }
        UnitLayout.Range wanted = new UnitLayout.Range(first, first + host.byteSize() / Float.BYTES);
        int part = state == MASTER ? optimizer.states().size() : state;
        MemorySegment memory = ring.getFirst().memory.bytes();
        for (Tile tile : tiles.ofUnit(unit)) {
            UnitLayout.Range common = wanted.intersect(tile.range());
            if (!common.isEmpty()) {
                if (held != tile.number()) {
                    letGo();
                    file.read(tile.number(), memory).await();
                    held = tile.number();
                }
                long inTile = (part * tile.elements() + common.first() - tile.first()) * Float.BYTES;
                long inHost = (common.first() - first) * Float.BYTES;
                long bytes = common.elements() * Float.BYTES;
                if (write) {
                    MemorySegment.copy(host, inHost, memory, inTile, bytes);
                    changed = true;
                } else {
                    MemorySegment.copy(memory, inTile, host, inHost, bytes);
                }
            }
        }
    }

    @Override
    public void close() {
        forget();
        SwapThreads.settle(ring.stream().map(frame -> frame.ticket).toList());
        file.close();
        ring.forEach(frame -> frame.memory.close());
        gradient.close();
    }
}
