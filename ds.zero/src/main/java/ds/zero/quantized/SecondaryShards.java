package ds.zero.quantized;

import ds.api.Buffer;
import ds.api.Event;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Stream;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import ds.api.comm.Work;
import ds.zero.run.Stack;
import ds.zero.unit.InFlight;
import ds.zero.unit.UnitGather;
import ds.zero.unit.Units;
import java.util.Arrays;

/**
 * A second copy of the weights, divided among the ranks of a part of the job (ZeRO++'s hpZ): when a unit has been gathered from all ranks,
 * each keeps its part of what came, and until the unit is updated it is gathered from these. So of all gathers of a step the first one
 * alone leaves the host, if the part is no larger. Costs Ψ/P elements on each of P ranks.
 */
public final class SecondaryShards implements UnitGather {
    private final UnitGather primary;
    private final TensorBackend backend;
    private final Communicator part;
    private final Communicator observed;
    private final Kernels kernels;
    private final Stream stream;
    private final InFlight inFlight;
    private final Tensor[] shards;
    private final Tensor[] wholes;
    private final Work[] works;
    private final boolean[] current;

    /**
     * Forms the parts; all ranks call it. Allocates each shard when its unit comes first.
     *
     * @param primary gathers from all ranks; owned
     * @param partitionSize how many consecutive ranks are a part: a divisor of all
     * @param inFlight names units, and knows who is told of waits
     */
    public SecondaryShards(UnitGather primary, Units units, Stack stack, int partitionSize, InFlight inFlight) {
        this.primary = primary;
        this.backend = stack.backend();
        this.part = stack.communicator().split(rank -> rank / partitionSize);
        this.observed = inFlight.timer().observe(part);
        this.stream = backend.computeStream();
        this.kernels = backend.kernels(stream);
        this.inFlight = inFlight;
        this.shards = new Tensor[units.count()];
        this.wholes = new Tensor[units.count()];
        this.works = new Work[units.count()];
        this.current = new boolean[units.count()];
    }

    @Override
    public boolean readsShard(int unit) {
        return !current[unit];
    }

    @Override
    public void begin(int unit, Tensor shard, Tensor whole, Event ready) {
        wholes[unit] = whole;
        if (current[unit]) {
            works[unit] = observed.allGather(shards[unit], whole, inFlight.call("weights in the part", unit, ready));
        } else {
            primary.begin(unit, shard, whole, ready);
        }
    }

    @Override
    public void finish(int unit) {
        if (works[unit] != null) {
            inFlight.timer().await(works[unit], stream);
            works[unit] = null;
        } else {
            primary.finish(unit);
            keep(unit, wholes[unit]);
            current[unit] = true;
        }
    }

    private void keep(int unit, Tensor whole) {
        long elements = whole.elements() / observed.worldSize();
        if (shards[unit] == null) {
            shards[unit] = backend.allocate(whole.dtype(), Shape.of(elements), "secondaryWeights");
        }
        kernels.copy(whole.slice(observed.rank() * elements, elements), shards[unit]);
    }

    @Override
    public void changed(int unit) {
        current[unit] = false;
        primary.changed(unit);
    }

    @Override
    public void close() {
        try {
            for (Work work : works) {
                if (work != null) {
                    work.await();
                }
            }
            part.close();
            primary.close();
        } finally {
            Arrays.stream(shards)
                    .filter(shard -> shard != null)
                    .map(Tensor::buffer)
                    .forEach(Buffer::close);
        }
    }
}
