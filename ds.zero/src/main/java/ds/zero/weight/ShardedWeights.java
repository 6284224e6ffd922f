package ds.zero.weight;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Device;
import ds.api.Event;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Stream;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import ds.api.layer.Parameter;
import ds.zero.config.Stage3;
import ds.zero.host.HostShards;
import ds.zero.run.Stack;
import ds.zero.timing.StepTimer;
import ds.zero.unit.InFlight;
import ds.zero.unit.UnitBuffers;
import ds.zero.unit.UnitBuffers.Lease;
import ds.zero.unit.UnitGather;
import ds.zero.unit.UnitLayout;
import ds.zero.unit.Units;
import ds.zero.unit.Visit;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Optional;

/**
 * Stage 3: a rank keeps its shards only (the paper's P_os+g+p). A unit is gathered for the visits that need it, ahead of them
 * as far as {@link Stage3} allows, and given up after. It sends up to 2Ψ(N−1)/N elements a micro-batch. Small units are
 * persistent: they stay gathered, as at the other stages.
 *
 * <p>What is read outside of the planned visits, such as for generation, is gathered when it is asked for.
 */
final class ShardedWeights implements WeightStage {
    /** How many units that were asked for stay at least: a layer may read a unit of its own and a tied one. */
    private static final int ASKED_FOR_KEPT = 2;

    private final Units units;
    private final Communicator communicator;
    private final Kernels kernels;
    private final Stream stream;
    private final Stage3 limits;
    private final UnitGather exchange;
    private final InFlight changes;
    private final StepTimer timer;
    private final UnitBuffers buffers;
    private final Device device;
    private final Optional<ShardFile> file;
    private final Optional<HostShards> onHost;
    private final List<Tensor> owned = new ArrayList<>();
    private final List<Buffer> ownedBuffers = new ArrayList<>();
    private final boolean[] persistent;
    private final Lease[] gathered;
    private final boolean[] fetching; // from the file
    private final boolean[] arriving;
    private final IdentityHashMap<List<Visit>, GatherPlan> plans = new IdentityHashMap<>();
    private final Deque<Integer> askedFor = new ArrayDeque<>();

    private GatherPlan plan;
    private int visit;
    private long liveElements;
    private long arrivingElements;

    /**
     * Allocates the shards that are kept on the device.
     *
     * @param changes of persistent units, under way
     * @param gathering its exchange is owned
     */
    ShardedWeights(Units units, Stack stack, DType dtype, InFlight changes, Gathering gathering, ShardHome home) {
        TensorBackend backend = stack.backend();
        this.units = units;
        this.communicator = stack.communicator();
        this.stream = backend.computeStream();
        this.kernels = backend.kernels(stream);
        this.limits = gathering.limits();
        this.exchange = gathering.exchange();
        this.changes = changes;
        this.timer = changes.timer();
        this.buffers = new UnitBuffers(units, backend, dtype, "gatheredWeights");
        this.device = backend.device();
        this.file = home.file();
        this.onHost = home.onHost();
        this.fetching = new boolean[units.count()];
        this.plan = new GatherPlan(units, List.of());
        this.persistent = new boolean[units.count()];
        this.gathered = new Lease[units.count()];
        this.arriving = new boolean[units.count()];
        if (home.isDevice()) {
            allocate(backend, dtype);
        }
        for (int unit = 0; unit < units.count() && onHost.isPresent(); unit++) {
            owned.add(onHost.get().shard(unit));
        }
    }

    private void allocate(TensorBackend backend, DType dtype) {
        long budget = limits.modelPersistenceElements();
        for (int unit = 0; unit < units.count(); unit++) {
            UnitLayout layout = units.layout(unit);
            boolean small = layout.elements() <= limits.persistenceElements() && layout.elements() <= budget;
            persistent[unit] = small || communicator.worldSize() == 1;
            budget -= small ? layout.elements() : 0;
            long elements = persistent[unit] ? layout.paddedElements() : layout.shardElements();
            Tensor own = backend.allocate(dtype, Shape.of(elements), "weights");
            ownedBuffers.add(own.buffer());
            if (persistent[unit]) {
                gathered[unit] = new Lease(own, Units.views(layout, own));
                own = shardOf(unit, own);
            }
            owned.add(own);
        }
    }

    private Tensor shardOf(int unit, Tensor whole) {
        UnitLayout.Range shard = units.shard(unit);
        return whole.slice(shard.first(), shard.elements());
    }

    @Override
    public Tensor value(Parameter parameter) {
        int unit = units.unitOf(parameter);
        if (gathered[unit] == null) {
            askFor(unit);
        }
        awaitArrival(unit);
        return gathered[unit].views().get(parameter);
    }

    private void askFor(int unit) {
        while (askedFor.size() >= ASKED_FOR_KEPT && !hasRoomFor(unit)) {
            giveUp(askedFor.removeFirst());
        }
        gather(unit);
        askedFor.addLast(unit);
    }

    @Override
    public Tensor owned(int unit) {
        if (file.isPresent()) {
            throw new IllegalStateException("weights of " + units.layout(unit).name() + " are in a file");
        }
        return owned.get(unit);
    }

    @Override
    public Device home() {
        return onHost.isPresent() ? Device.HOST : device;
    }

    @Override
    public Optional<ShardFile> file() {
        return file;
    }

    @Override
    public DType dtype() {
        return buffers.dtype();
    }

    @Override
    public void begin(List<Visit> visits) {
        giveUpAll();
        plan = plans.computeIfAbsent(visits, given -> new GatherPlan(units, given));
        visit = -1;
    }

    @Override
    public void enter(Visit entered) {
        visit++;
        if (visit >= plan.count() || !plan.visit(visit).equals(entered)) {
            throw new IllegalStateException("rank " + communicator.rank() + ": " + entered.direction() + " of layer "
                    + entered.layer().name() + " comes out of order as visit " + visit + " of " + plan.count());
        }
        for (int unit : plan.needed(visit)) {
            if (gathered[unit] == null) {
                makeRoomFor(unit);
                gather(unit);
            }
        }
        prefetch();
        plan.needed(visit).forEach(this::awaitArrival);
    }

    /** Begins to gather what the next visits need, as much as may be under way and alive at once. */
    private void prefetch() {
        for (int next = visit + 1; next < plan.count(); next++) {
            for (int unit : plan.needed(next)) {
                if (gathered[unit] == null) {
                    long elements = units.layout(unit).paddedElements();
                    if (arrivingElements + elements > limits.prefetchElements() || !hasRoomFor(unit)) {
                        return;
                    }
                    gather(unit);
                }
            }
        }
    }

    @Override
    public void leave() {
        for (int unit : plan.needed(visit)) {
            if (!persistent[unit] && !plan.staysAfter(visit, unit, limits.maxReuseDistanceElements())) {
                giveUp(unit);
            }
        }
    }

    private boolean hasRoomFor(int unit) {
        return liveElements + units.layout(unit).paddedElements() <= limits.maxLiveElements();
    }

    /** Gives up units that stayed for a later visit, the latest first, until one more is within the limit. */
    private void makeRoomFor(int wanted) {
        while (!hasRoomFor(wanted)) {
            int latest = -1;
            int use = visit;
            for (int unit = 0; unit < gathered.length; unit++) {
                boolean stays = gathered[unit] != null && !persistent[unit] && !isArriving(unit);
                if (stays && !plan.needed(visit).contains(unit) && plan.nextUse(unit, visit) > use) {
                    latest = unit;
                    use = plan.nextUse(unit, visit);
                }
            }
            if (latest < 0) {
                return; // the visit itself needs more than the limit: it cannot do with less
            }
            giveUp(latest);
        }
    }

    private void gather(int unit) {
        Lease lease = buffers.lease(unit);
        gathered[unit] = lease;
        liveElements += lease.flat().elements();
        arrivingElements += lease.flat().elements();
        Tensor shard = home().equals(device) && file.isEmpty() ? owned.get(unit) : shardOf(unit, lease.flat());
        if (!exchange.readsShard(unit)) {
            send(unit, shard, stream.record());
        } else if (file.isPresent()) {
            file.get().fetch(unit);
            fetching[unit] = true;
        } else {
            send(unit, shard, onHost.isPresent() ? onHost.get().upload(unit, shard) : stream.record());
        }
    }

    /** What was computed with the buffer's last contents comes before the point of the stream at which the shard is ready. */
    private void send(int unit, Tensor shard, Event ready) {
        exchange.begin(unit, shard, gathered[unit].flat(), ready);
        arriving[unit] = true;
    }

    private boolean isArriving(int unit) {
        return fetching[unit] || arriving[unit];
    }

    private void awaitArrival(int unit) {
        if (!isArriving(unit)) {
            return;
        }
        if (fetching[unit]) {
            // All ranks come here in the same order, as they must where they communicate; when a disk is done differs.
            Tensor shard = shardOf(unit, gathered[unit].flat());
            timer.waiting("file", () -> file.orElseThrow().finish(unit, shard));
            fetching[unit] = false;
            send(unit, shard, stream.record());
        }
        exchange.finish(unit);
        arriving[unit] = false;
        arrivingElements -= units.layout(unit).paddedElements();
    }

    private void giveUp(int unit) {
        awaitArrival(unit);
        buffers.giveBack(gathered[unit]);
        liveElements -= units.layout(unit).paddedElements();
        gathered[unit] = null;
    }

    private void giveUpAll() {
        askedFor.clear();
        for (int unit = 0; unit < gathered.length; unit++) {
            if (gathered[unit] != null && !persistent[unit]) {
                giveUp(unit);
            }
        }
    }

    @Override
    public void ownedChanged(int unit) {
        if (!persistent[unit]) {
            if (gathered[unit] != null) {
                askedFor.remove(unit);
                giveUp(unit);
            }
            exchange.changed(unit);
        } else if (communicator.worldSize() > 1) {
            Tensor whole = gathered[unit].flat();
            changes.add(
                    communicator.allGather(owned.get(unit), whole, changes.call("weights", unit)), whole.elements());
        }
    }

    @Override
    public void awaitChanges() {
        changes.awaitAll();
        file.ifPresent(ShardFile::awaitWrites);
    }

    @Override
    public void write(Parameter parameter, Tensor values, MemorySegment source) {
        int unit = units.unitOf(parameter);
        long offset = units.layout(unit).offset(parameter);
        UnitLayout.Range shard = units.shard(unit);
        UnitLayout.Range part = shard.intersect(new UnitLayout.Range(offset, offset + parameter.elements()));
        if (!part.isEmpty()) {
            long before = part.first() - offset;
            long first = part.first() - shard.first();
            if (home().equals(device) && file.isEmpty()) {
                kernels.copy(
                        values.slice(before, part.elements()), owned.get(unit).slice(first, part.elements()));
            } else {
                MemorySegment own = source.asSlice(before * Float.BYTES, part.elements() * Float.BYTES);
                file.ifPresent(shards -> shards.replace(unit, first, own));
                onHost.ifPresent(shards -> shards.write(unit, first, own));
            }
        }
        if (persistent[unit]) {
            kernels.copy(values, gathered[unit].views().get(parameter));
        } else if (gathered[unit] != null) {
            askedFor.remove(unit);
            giveUp(unit);
        }
        exchange.changed(unit);
    }

    @Override
    public void close() {
        exchange.close();
        file.ifPresent(ShardFile::close);
        onHost.ifPresent(HostShards::close);
        buffers.close();
        ownedBuffers.forEach(Buffer::close);
    }
}
