package ds.zero.state;

import ds.api.DType;
import ds.api.Kernels;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.spi.Optimizer;
import ds.zero.gradient.GradientStage;
import ds.zero.offload.HostTensor;
import ds.zero.offload.SwapFile;
import ds.zero.offload.SwapThreads;
import ds.zero.offload.SwapThreads.Ticket;
import ds.zero.offload.Swapping;
import ds.zero.optimizer.StoredElements;
import ds.zero.optimizer.Transfers;
import ds.zero.optimizer.UnitUpdate;
import ds.zero.unit.Tiles;
import ds.zero.unit.Tiles.Tile;
import ds.zero.unit.UnitLayout;
import ds.zero.weight.WeightStage;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Masters and optimizer states in a file (ZeRO-Infinity's optimizer offload): a tile is read while those before it are updated
 * and written, so that a step takes as long as the disk does. Where weights are in memory and their own masters, only the
 * optimizer's states are in the file; of split masters their rest is.
 */
final class SwappedStates implements UpdatedStates {
    private static final long ALIGNMENT = 64; // of each part of a tile

    private final TensorBackend backend;
    private final Kernels kernels;
    private final StateKinds kinds;
    private final WeightStage weights;
    private final Optimizer optimizer;
    private final Transfers transfers;
    private final Tiles tiles;
    private final List<Tensor> given = new ArrayList<>(); // the gradient of each tile
    private final SwapFile file;
    private final boolean dry;
    private final List<Frame> ring = new ArrayList<>();
    private final HostTensor gradient;
    private final List<Optional<HostTensor>> scratch = new ArrayList<>(); // F32, of states and masters that are not
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

    /** Makes the file; owns the transfers. */
    SwappedStates(Tiles tiles, StateKinds kinds, GradientStage gradients, Swapping swapping, Transfers transfers) {
        requireElementwise(kinds.optimizer());
        this.transfers = transfers;
        this.backend = swapping.backend();
        this.kernels = backend.kernels(backend.computeStream());
        this.tiles = tiles;
        this.kinds = kinds;
        this.weights = kinds.weights();
        this.optimizer = kinds.optimizer();
        this.dry = swapping.threads().isIdle();
        this.file = swapping.open("optimizer.swap", tiles.bytes(this::tileBytes));
        for (int unit = 0; unit < kinds.units().count(); unit++) {
            for (Tile tile : tiles.ofUnit(unit)) {
                given.add(gradients.reduced(unit).slice(tile.first(), tile.elements()));
            }
        }
        long most = tiles.mostElements();
        for (int i = 0; i < swapping.buffers(); i++) {
            ring.add(new Frame(new HostTensor(backend, tileBytes(most), "swapBuffers")));
        }
        this.gradient = new HostTensor(backend, most * Float.BYTES, "swapBuffers");
        for (int i = 0; i <= states(); i++) {
            boolean converts = i < states() ? kinds.stateType() != DType.F32 : !kinds.mastersAreF32();
            scratch.add(
                    converts
                            ? Optional.of(new HostTensor(backend, most * Float.BYTES, "swapBuffers"))
                            : Optional.empty());
        }
    }

    private int states() {
        return optimizer.states().size();
    }

    private static long partBytes(DType dtype, long elements) {
        return Math.ceilDiv(elements * dtype.byteSize(), ALIGNMENT) * ALIGNMENT;
    }

    private long tileBytes(long elements) {
        long masters = kinds.hasMasters() ? partBytes(kinds.masterType(), elements) : 0;
        return states() * partBytes(kinds.stateType(), elements) + masters;
    }

    private static void requireElementwise(Optimizer optimizer) {
        if (!UnitUpdate.isElementwise(optimizer)) {
            throw new IllegalArgumentException(
                    "optimizer.type: " + optimizer.getClass().getSimpleName()
                            + " works on whole parameters, which files hold in tiles; choose an elementwise one such as AdamW, or"
                            + " set zero_optimization.offload_optimizer.device to cpu or none");
        }
    }

    @Override
    public List<String> stateNames() {
        return optimizer.states();
    }

    @Override
    public TensorBackend backend() {
        return backend;
    }

    @Override
    public void prepare(Optimizer.Step step) {
        transfers.expect(given);
    }

    @Override
    public void update(int unit, Optimizer.Step step) {
        Optimizer.Step plain = step.withoutDecay();
        for (Tile tile : tiles.ofUnit(unit)) {
            Frame frame = frameOf(tile);
            update(tile, frame, tile.decays() ? step : plain);
            backend.computeStream().synchronize();
            frame.ticket = file.write(tile.number(), frame.memory.bytes());
        }
        transfers.published();
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
        List<StoredElements> kept = new ArrayList<>();
        List<Tensor> loaded = new ArrayList<>();
        for (int i = 0; i <= states(); i++) {
            StoredElements numbers = numbers(frame.memory, tile, i < states() ? i : MASTER);
            kept.add(numbers);
            loaded.add(numbers.load(kernels, scratch(i, tile.elements())));
        }
        Tensor gradientSum = inF32(transfers.take(given.get(tile.number())));
        optimizer.update(
                kernels, new Optimizer.Shard(loaded.getLast(), gradientSum, loaded.subList(0, states())), step);
        for (int i = 0; i <= states(); i++) {
            kept.get(i).store(kernels, loaded.get(i), step.number());
        }
        publish(tile, frame.memory);
    }

    /** F32 elements for a state, or for masters as the last; none where no conversion is needed. */
    private Tensor scratch(int part, long elements) {
        return scratch.get(part).orElse(gradient).tensor(DType.F32, 0, elements);
    }

    private void publish(Tile tile, HostTensor memory) {
        if (!kinds.publishes()) {
            return;
        }
        Tensor masters = besideWeights(memory, tile);
        if (weights.file().isPresent()) {
            weights.file().get().write(tile, masters);
        } else {
            transfers.publish(masters, weights.owned(tile.unit()).slice(tile.first(), tile.elements()));
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

    /** The numbers of a tile whose file is in memory: those of a state, or masters. */
    private StoredElements numbers(HostTensor memory, Tile tile, int state) {
        if (state == MASTER) {
            Optional<Tensor> owned = kinds.inPlace()
                    ? Optional.of(weights.owned(tile.unit()).slice(tile.first(), tile.elements()))
                    : Optional.empty();
            Optional<Tensor> beside = kinds.hasMasters() ? Optional.of(besideWeights(memory, tile)) : Optional.empty();
            return kinds.masters(tile.unit(), tile.inUnit(), owned, beside);
        }
        long first = state * partBytes(kinds.stateType(), tile.elements());
        Tensor tensor = memory.tensor(kinds.stateType(), first, tile.elements());
        return kinds.state(state, tile.unit(), tile.inUnit(), tensor);
    }

    private Tensor besideWeights(HostTensor memory, Tile tile) {
        long first = states() * partBytes(kinds.stateType(), tile.elements());
        return memory.tensor(kinds.masterType(), first, tile.elements());
    }

    @Override
    public void awaitUpdates() {
        ring.forEach(frame -> frame.ticket.await());
        transfers.await();
        next = 0;
        requested = 0;
    }

    @Override
    public void publish(int unit) {
        if (kinds.publishes()) {
            letGo();
            HostTensor memory = ring.getFirst().memory;
            for (Tile tile : tiles.ofUnit(unit)) {
                file.read(tile.number(), memory.bytes()).await();
                publish(tile, memory);
                backend.computeStream().synchronize();
            }
            transfers.published();
        }
    }

    @Override
    public Tensor master(int unit) {
        if (!kinds.hasMasters()) {
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
        visit(state, unit, first, target, false);
    }

    @Override
    public void write(int state, int unit, long first, MemorySegment source) {
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
        boolean inFile = state != MASTER || kinds.hasMasters();
        HostTensor memory = ring.getFirst().memory;
        UnitLayout.Range wanted = new UnitLayout.Range(first, first + host.byteSize() / Float.BYTES);
        for (Tile tile : tiles.ofUnit(unit)) {
            UnitLayout.Range common = wanted.intersect(tile.range());
            if (!common.isEmpty()) {
                if (inFile && held != tile.number()) {
                    letGo();
                    file.read(tile.number(), memory.bytes()).await();
                    held = tile.number();
                }
                MemorySegment part =
                        host.asSlice((common.first() - first) * Float.BYTES, common.elements() * Float.BYTES);
                StoredElements numbers =
                        numbers(memory, tile, state).slice(common.first() - tile.first(), common.elements());
                if (write) {
                    write(part, numbers);
                    changed |= inFile;
                } else {
                    part.copyFrom(loaded(numbers).host());
                }
            }
        }
    }

    private Tensor loaded(StoredElements numbers) {
        Tensor values = numbers.load(kernels, gradient.tensor(DType.F32, 0, numbers.elements()));
        backend.computeStream().synchronize();
        return values;
    }

    private void write(MemorySegment source, StoredElements numbers) {
        Tensor values = gradient.tensor(DType.F32, 0, numbers.elements());
        values.host().copyFrom(source);
        numbers.set(kernels, values);
        backend.computeStream().synchronize();
    }

    @Override
    public void close() {
        forget();
        SwapThreads.settle(ring.stream().map(frame -> frame.ticket).toList());
        file.close();
        transfers.close();
        ring.forEach(frame -> frame.memory.close());
        gradient.close();
        scratch.forEach(tensor -> tensor.ifPresent(HostTensor::close));
    }
}
