package ds.tck.comm;

import ds.api.DType;
import ds.api.Tensor;
import ds.api.comm.ReduceOp;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** The arithmetic of collectives, element by element; for reading and comparing, not for speed. */
final class Combine {
    private Combine() {}

    /** Writes the combination of all inputs to every output; {@code shards} 1 for all of it, N for a shard each. */
    static void reduce(List<Contribution> ranks, ReduceOp op, int shards) {
        long count = ranks.getFirst().input().elements() / shards;
        for (int shard = 0; shard < shards; shard++) {
            for (long i = 0; i < count; i++) {
                double value = element(ranks, op, shard * count + i);
                if (shards == 1) {
                    for (Contribution rank : ranks) {
                        HostTensors.set(rank.output(), i, value);
                    }
                } else {
                    HostTensors.set(ranks.get(shard).output(), i, value);
                }
            }
        }
    }

    private static double element(List<Contribution> ranks, ReduceOp op, long index) {
        double value = HostTensors.get(ranks.getFirst().input(), index);
        for (Contribution rank : ranks.subList(1, ranks.size())) {
            Tensor input = rank.input();
            value = combine(input.dtype(), op, value, HostTensors.get(input, index));
        }
        return value;
    }

    private static double combine(DType dtype, ReduceOp op, double a, double b) {
        return switch (op) {
            case MAX -> Math.max(a, b);
            case SUM ->
                switch (dtype) {
                    case F32, BF16, F16 -> (float) a + (float) b;
                    case F64 -> a + b;
                    case I32 -> (int) a + (int) b;
                };
        };
    }

    static void allGather(List<Contribution> ranks) {
        for (int r = 0; r < ranks.size(); r++) {
            Tensor shard = ranks.get(r).input();
            for (Contribution rank : ranks) {
                copy(shard, rank.output().slice(r * shard.elements(), shard.elements()));
            }
        }
    }

    static void broadcast(List<Contribution> ranks, int root) {
        for (Contribution rank : ranks) {
            copy(ranks.get(root).input(), rank.output());
        }
    }

    static void copy(Tensor source, Tensor target) {
        MemorySegment.copy(source.host(), 0, target.host(), 0, source.byteSize());
    }
}
