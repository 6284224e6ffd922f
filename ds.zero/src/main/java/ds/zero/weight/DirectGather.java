package ds.zero.weight;

import ds.api.Event;
import ds.api.Stream;
import ds.api.Tensor;
import ds.api.comm.Communicator;
import ds.api.comm.Work;
import ds.zero.run.Stack;
import ds.zero.unit.InFlight;
import ds.zero.unit.UnitGather;
import ds.zero.unit.Units;

/** Weights gathered as they are. */
final class DirectGather implements UnitGather {
    private final Communicator communicator;
    private final Stream stream;
    private final InFlight inFlight;
    private final Work[] works;

    /**
     * Begins nothing yet.
     *
     * @param stack borrowed
     * @param inFlight names units, and knows who is told of waits
     */
    DirectGather(Units units, Stack stack, InFlight inFlight) {
        this.communicator = stack.communicator();
        this.stream = stack.backend().computeStream();
        this.inFlight = inFlight;
        this.works = new Work[units.count()];
    }

    @Override
    public void begin(int unit, Tensor shard, Tensor whole, Event ready) {
        works[unit] = communicator.allGather(shard, whole, inFlight.call("weights", unit, ready));
    }

    @Override
    public void finish(int unit) {
        inFlight.timer().await(works[unit], stream);
        works[unit] = null;
    }

    @Override
    public void close() {
        for (Work work : works) {
            if (work != null) {
                work.await();
            }
        }
    }
}
