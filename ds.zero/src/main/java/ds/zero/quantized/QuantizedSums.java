package ds.zero.quantized;

import ds.api.CoreKernels.Rows;
import ds.api.DType;
import ds.api.Kernels;
import ds.api.Quantization;
import ds.api.Shape;
import ds.api.Stream;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import ds.zero.run.Stack;
import ds.zero.unit.InFlight;
import ds.zero.unit.ShardSums;
import ds.zero.unit.Units;

/**
 * Gradients summed in 4 bits (ZeRO++'s qgZ). Every rank quantizes a unit and sends each rank of its host what lies in the shards of that
 * rank's place; who receives sums in F32, quantizes the host's sum, and sends it to the owners, which sum over the hosts: Ψ/2 · (H−1)/H
 * bytes leave each of H hosts. On one host, or with one rank on each, there is the first of the two steps alone.
 *
 * <p>Every rounding errs by at most half a step, the largest magnitude of a block divided by 7; sums are formed in the order of places,
 * then of hosts, each shard on its owner: the same bits every time. What is not finite comes out as NaN.
 */
public final class QuantizedSums implements ShardSums {
    /** Small, since gradients of one layer differ by orders of magnitude; scales add a thirty-second to the codes. */
    static final Quantization BLOCKS = new Quantization(4, 256);

    private final HostGroups groups;
    private final Kernels kernels;
    private final Stream stream;
    private final InFlight inFlight;
    private final WordBuffers buffers;
    private final Tensor sums; // of the kernel calls at hand: one shard

    /**
     * Forms the groups among which gradients travel; all ranks call it.
     *
     * @param stack borrowed
     * @param ranksPerHost as configured; 0 for what the communicator knows
     * @param inFlight the sums under way
     */
    public QuantizedSums(Units units, Stack stack, int ranksPerHost, InFlight inFlight) {
        TensorBackend backend = stack.backend();
        this.groups = HostGroups.of(stack.communicator(), ranksPerHost, inFlight.timer());
        this.stream = backend.computeStream();
        this.kernels = backend.kernels(stream);
        this.inFlight = inFlight;
        this.buffers = new WordBuffers(backend, "quantizedGradients");
        long largest = 0;
        for (int unit = 0; unit < units.count(); unit++) {
            largest = Math.max(largest, units.layout(unit).shardElements());
        }
        this.sums = backend.allocate(DType.F32, Shape.of(largest), "quantizedGradients");
    }

    /** Always: what travels is a copy. */
    @Override
    public boolean converts(DType dtype) {
        return true;
    }

    /** What goes to a place of this host is one piece: the shards of that place on every host. */
    @Override
    public void sumToOwner(int unit, Tensor gradients, ShardSink done) {
        int hosts = groups.hosts();
        int perHost = groups.perHost();
        long n = gradients.elements() / hosts / perHost;
        long row = BLOCKS.words(n);
        Tensor out = buffers.lease((long) hosts * perHost * row);
        Tensor in = buffers.lease((long) hosts * perHost * row);
        for (int host = 0; host < hosts; host++) {
            Tensor ofHost = gradients.slice((long) host * perHost * n, perHost, n);
            kernels.quantize(ofHost, BLOCKS, new Rows(out, host * row, hosts * row));
        }
        Tensor sum = sums.slice(0, n);
        var work = groups.inHost().allToAll(out, in, inFlight.call("gradients", unit));
        Runnable last = () -> {
            kernels.sumQuantized(new Rows(in, 0, row), hosts > 1 ? hosts : perHost, BLOCKS, sum);
            buffers.giveBack(out);
            buffers.giveBack(in);
            done.accept(sum);
        };
        if (groups.acrossHosts().isEmpty()) {
            inFlight.add(work, gradients.elements(), last);
            return;
        }
        // In the host it takes little: so the long way begins at once, and goes on while the next layer goes back.
        inFlight.timer().await(work, stream);
        for (int host = 0; host < hosts; host++) {
            kernels.sumQuantized(new Rows(in, host * row, hosts * row), perHost, BLOCKS, sum);
            kernels.quantize(sum.reshape(1, n), BLOCKS, new Rows(out, host * row, row));
        }
        Communicator others = groups.acrossHosts().get();
        Tensor sent = out.slice(0, hosts * row);
        Tensor received = in.slice(0, hosts * row);
        var across = others.allToAll(sent, received, inFlight.call("gradients across hosts", unit));
        inFlight.add(across, gradients.elements(), last);
    }

    @Override
    public void awaitAll() {
        inFlight.awaitAll();
    }

    @Override
    public void close() {
        try {
            groups.close();
        } finally {
            buffers.close();
            sums.buffer().close();
        }
    }
}
