package ds.tck.comm;

import ds.api.DType;
import ds.api.Tensor;
import ds.api.comm.ReduceOp;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
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

    /** Writes the combination of all inputs to the root's, and its bits inverted to the others, which nobody may rely on. */
    static void reduceTo(List<Contribution> ranks, ReduceOp op, int root) {
        Tensor data = ranks.get(root).output();
        for (long i = 0; i < data.elements(); i++) {
            HostTensors.set(data, i, element(ranks, op, i));
        }
        for (Contribution rank : ranks) {
            if (rank.output() != data) {
                MemorySegment undefined = rank.output().host();
                for (long at = 0; at < undefined.byteSize(); at++) {
                    undefined.set(ValueLayout.JAVA_BYTE, at, (byte) ~undefined.get(ValueLayout.JAVA_BYTE, at));
                }
            }
        }
    }

    static void gather(List<Contribution> ranks, int root) {
        for (int r = 0; r < ranks.size(); r++) {
            Tensor shard = ranks.get(r).input();
            copy(shard, ranks.get(root).output().slice(r * shard.elements(), shard.elements()));
        }
    }

    static void allGather(List<Contribution> ranks) {
        for (int r = 0; r < ranks.size(); r++) {
            gather(ranks, r);
        }
    }

    static void allToAll(List<Contribution> ranks) {
        for (int r = 0; r < ranks.size(); r++) {
            Tensor output = ranks.get(r).output();
            long shard = output.elements() / ranks.size();
            for (int from = 0; from < ranks.size(); from++) {
                copy(ranks.get(from).input().slice(r * shard, shard), output.slice(from * shard, shard));
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
