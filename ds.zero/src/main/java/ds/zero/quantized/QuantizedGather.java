package ds.zero.quantized;

import ds.api.CoreKernels.Rows;
import ds.api.Event;
import ds.api.Kernels;
import ds.api.Quantization;
import ds.api.Stream;
import ds.api.Tensor;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.Work;
import ds.zero.run.Stack;
import ds.zero.unit.InFlight;
import ds.zero.unit.UnitGather;
import ds.zero.unit.Units;

/**
 * Weights gathered in 8 bits (ZeRO++'s qwZ): each rank quantizes its shard, and makes numbers of all of them, its own included, so that
 * every rank computes with the same weights. They differ from the shards by at most half a step, which is the largest magnitude of a
 * block divided by 127. Where hosts have several ranks, shards first go to the ranks of the same place on other hosts, and then to
 * those of the host: Ψ(H−1)/H bytes leave each of H hosts.
 */
public final class QuantizedGather implements UnitGather {
    /** Its scales add less than a hundredth to the codes. */
    static final Quantization BLOCKS = new Quantization(8, 512);

    private final HostGroups groups;
    private final Kernels kernels;
    private final Stream stream;
    private final InFlight inFlight;
    private final WordBuffers buffers;
    private final Pending[] pending;

    private record Pending(Tensor words, Tensor whole, Work work) {}

    /**
     * Forms the groups among which shards travel; all ranks call it.
     *
     * @param stack borrowed
     * @param ranksPerHost as configured; 0 for what the communicator knows
     * @param inFlight names units, and knows who is told of waits
     */
    public QuantizedGather(Units units, Stack stack, int ranksPerHost, InFlight inFlight) {
        this.groups = HostGroups.of(stack.communicator(), ranksPerHost, inFlight.timer());
        this.stream = stack.backend().computeStream();
        this.kernels = stack.backend().kernels(stream);
        this.inFlight = inFlight;
        this.buffers = new WordBuffers(stack.backend(), "quantizedWeights");
        this.pending = new Pending[units.count()];
    }

    /** The row of rank (host h, place p) is p·H + h: what a place has of all hosts is one piece. */
    @Override
    public void begin(int unit, Tensor shard, Tensor whole, Event ready) {
        stream.await(ready);
        long row = BLOCKS.words(shard.elements());
        Tensor words = buffers.lease((long) groups.perHost() * groups.hosts() * row);
        Tensor rail = rail(words);
        Tensor own = rail.slice(groups.host() * row, row);
        kernels.quantize(
                shard.reshape(1, shard.elements()),
                BLOCKS,
                new Rows(words, (groups.place() * (long) groups.hosts() + groups.host()) * row, row));
        Call call = inFlight.call("weights", unit);
        Work work = groups.acrossHosts()
                .map(others -> others.allGather(own, rail, call))
                .orElseGet(() -> groups.inHost().allGather(own, words, call));
        pending[unit] = new Pending(words, whole, work);
    }

    /** {@return what this rank's place has of all hosts} */
    private Tensor rail(Tensor words) {
        long elements = words.elements() / groups.perHost();
        return words.slice(groups.place() * elements, elements);
    }

    @Override
    public void finish(int unit) {
        Tensor words = pending[unit].words();
        Tensor whole = pending[unit].whole();
        inFlight.timer().await(pending[unit].work(), stream);
        pending[unit] = null;
        if (groups.acrossHosts().isPresent()) {
            Communicator inHost = groups.inHost();
            Work work = inHost.allGather(rail(words), words, inFlight.call("weights in the host", unit));
            inFlight.timer().await(work, stream);
        }
        long ofHost = whole.elements() / groups.hosts();
        long row = words.elements() / groups.perHost() / groups.hosts();
        for (int host = 0; host < groups.hosts(); host++) {
            Tensor part = whole.slice(host * ofHost, groups.perHost(), ofHost / groups.perHost());
            kernels.dequantize(new Rows(words, host * row, groups.hosts() * row), BLOCKS, part);
        }
        buffers.giveBack(words);
    }

    @Override
    public void close() {
        try {
            for (Pending one : pending) {
                if (one != null) {
                    one.work().await();
                }
            }
            groups.close();
        } finally {
            buffers.close();
        }
    }
}
