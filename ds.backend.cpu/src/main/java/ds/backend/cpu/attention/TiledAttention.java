package ds.backend.cpu.attention;

import ds.api.Attention;
import ds.api.DType;
import ds.api.Tensor;
import ds.api.spi.HostBuffer;
import ds.backend.cpu.attention.AttentionProducts.Block;
import ds.backend.cpu.attention.AttentionProducts.HeadShape;
import ds.backend.cpu.memory.WorkMemory;
import ds.backend.cpu.product.OneDnn;
import ds.backend.cpu.product.TileProduct;
import ds.backend.cpu.threads.Part;
import ds.backend.cpu.threads.WorkerPool;
import ds.backend.cpu.vector.AttentionRows;
import ds.backend.cpu.vector.Elements;
import ds.backend.cpu.vector.HeadRows;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongFunction;

/**
 * Causal self-attention with the matrix products of oneDNN: each thread takes heads, and of a head one block of queries after the
 * other. Scores exist for the block at hand only (Dao et al., arXiv:2205.14135); since a block sees whole rows of them, nothing
 * has to be corrected afterwards. The backward pass computes probabilities again from logSumExp.
 *
 * <p>With P the probabilities, F the factors of dropout:
 *
 * <pre>
 * dV = (P F)ᵀ dY      dP = (dY Vᵀ) F      dS = P (dP - sum of P dP over the row)
 * dQ = dS K / √D      dK = dSᵀ Q / √D
 * </pre>
 *
 * <p>In BF16 the products take P and dS rounded to BF16, and add in F32. Where oneDNN has no fast products of a type,
 * {@link ds.backend.cpu.vector.AttentionKernel} is used, which multiplies in F32 itself.
 */
public final class TiledAttention implements AutoCloseable {
    private static final long NO_BIAS = 0;

    private final OneDnn library;
    private final WorkerPool pool;
    private final WorkMemory[] memories;
    private final Map<HeadShape, AttentionProducts> byShape = new ConcurrentHashMap<>();

    /**
     * Allocates nothing yet.
     *
     * @param pool whose threads share the heads; borrowed
     * @param allocator of working memory
     */
    public TiledAttention(OneDnn library, WorkerPool pool, LongFunction<HostBuffer> allocator) {
        this.library = library;
        this.pool = pool;
        this.memories = new WorkMemory[pool.threads()];
        for (int i = 0; i < memories.length; i++) {
            memories[i] = new WorkMemory(allocator);
        }
    }

    /** {@return whether it is the faster way for tensors of this type, all of them} */
    public boolean takes(Tensor... tensors) {
        DType dtype = tensors[0].dtype();
        for (Tensor each : tensors) {
            if (each.dtype() != dtype) {
                return false;
            }
        }
        return switch (dtype) {
            case F32 -> library.hasAvx512();
            case BF16 -> library.hasBf16();
            case F16, F64, I32 -> false;
        };
    }

    /** See {@link ds.api.Kernels#attention}. One call at a time. */
    public synchronized void forward(Tensor qkv, Attention attention, Tensor y, Tensor logSumExp) {
        Heads heads = new Heads(qkv, attention);
        pool.run(heads.number(), 1, (part, worker) -> {
            Worker own = new Worker(heads, part, worker);
            int time = heads.shape.time();
            for (long head = part.first(); head < part.last(); head++) {
                own.forward(head, qkv, y);
                Elements.of(logSumExp).write(own.rows.logSumExp(), 0, head * time, time);
            }
        });
    }

    /** See {@link ds.api.Kernels#attentionBackward}. One call at a time. */
    public synchronized void backward(Tensor dy, Tensor qkv, Attention attention, Tensor logSumExp, Tensor dqkv) {
        Heads heads = new Heads(qkv, attention);
        pool.run(heads.number(), 1, (part, worker) -> {
            Worker own = new Worker(heads, part, worker);
            int time = heads.shape.time();
            for (long head = part.first(); head < part.last(); head++) {
                Elements.of(logSumExp).read(head * time, own.rows.logSumExp(), 0, time);
                own.backward(head, new Operands(dy, qkv, dqkv));
            }
        });
    }

    @Override
    public void close() {
        byShape.values().forEach(AttentionProducts::close);
        for (WorkMemory memory : memories) {
            memory.close();
        }
    }

    private record Operands(Tensor dy, Tensor qkv, Tensor dqkv) {}

    /** All heads of one call. Memory is reserved for every worker: which of them get a head is chance, what is allocated is not. */
    private final class Heads {
        private final Attention attention;
        private final HeadShape shape;
        private final long batch;
        private final AttentionProducts products;
        private final AttentionMemory[] ofWorker = new AttentionMemory[memories.length];

        Heads(Tensor qkv, Attention attention) {
            this.attention = attention;
            this.batch = qkv.shape().dim(0);
            int time = Math.toIntExact(qkv.shape().dim(1));
            long channels = qkv.shape().dim(2) / 3;
            shape = new HeadShape(qkv.dtype(), time, Math.toIntExact(channels / attention.heads()), channels);
            products = byShape.computeIfAbsent(shape, s -> new AttentionProducts(library, s, pool.threads()));
            for (int worker = 0; worker < memories.length; worker++) {
                ofWorker[worker] = AttentionMemory.of(shape, products.scratchpadBytes(), memories[worker]);
            }
        }

        long number() {
            return batch * attention.heads();
        }

        /** {@return a head's rows of queries (0), keys (1) or values (2)} */
        HeadRows rows(Tensor qkv, long head, int which) {
            return rows(qkv, head, which * shape.channels(), 3 * shape.channels());
        }

        /** {@return a head's rows of results} */
        HeadRows results(Tensor y, long head) {
            return rows(y, head, 0, shape.channels());
        }

        private HeadRows rows(Tensor tensor, long head, long column, long stride) {
            long first = head / attention.heads() * shape.time() * stride;
            long own = head % attention.heads() * shape.size();
            return new HeadRows(Elements.of(tensor), first + column + own, stride, shape.size());
        }
    }

    /** One thread, at one head after the other. */
    private final class Worker {
        private final Heads heads;
        private final AttentionMemory memory;
        private final AttentionRows rows;
        private final int number;
        private final float[] sums = new float[AttentionRows.QUERIES]; // of exponentials, of a block's queries

        Worker(Heads heads, Part part, int number) {
            this.heads = heads;
            this.memory = heads.ofWorker[number];
            this.rows = new AttentionRows(heads.attention, heads.shape.time(), heads.shape.size(), part.scratch());
            this.number = number;
        }

        void forward(long head, Tensor qkv, Tensor y) {
            HeadRows q = heads.rows(qkv, head, 0);
            long keys = heads.rows(qkv, head, 1).address(0);
            long values = heads.rows(qkv, head, 2).address(0);
            for (Block block : heads.products.blocks()) {
                AttentionRows.Block at = block.of(head);
                multiply(block.scores(), q.address(block.first()), keys, memory.scores());
                rows.softmax(at, memory.scores(), memory.probabilities(), sums);
                multiply(block.results(), memory.probabilities().memory().address(), values, memory.rows());
                rows.writeResults(at, memory.rows(), sums, heads.results(y, head));
            }
        }

        void backward(long head, Operands tensors) {
            HeadRows q = heads.rows(tensors.qkv, head, 0);
            HeadRows dy = heads.results(tensors.dy, head);
            long keys = heads.rows(tensors.qkv, head, 1).address(0);
            long values = heads.rows(tensors.qkv, head, 2).address(0);
            long p = memory.probabilities().memory().address();
            long ds = memory.dScores().memory().address();
            for (Block block : heads.products.blocks().reversed()) {
                AttentionRows.Block at = block.of(head);
                long queries = q.address(block.first());
                long dResults = dy.address(block.first());
                multiply(block.scores(), queries, keys, memory.scores());
                multiply(block.dProbabilities(), dResults, values, memory.dProbabilities());
                rows.softmaxBackward(at, memory.gradients());
                multiply(block.dValues(), p, dResults, memory.dValues());
                multiply(block.dKeys(), ds, queries, memory.dKeys());
                multiply(block.dQueries(), ds, keys, memory.rows());
                rows.writeQueries(at, memory.rows(), heads.rows(tensors.dqkv, head, 0));
            }
            rows.writeKeys(memory.dKeys(), heads.rows(tensors.dqkv, head, 1));
            rows.writeValues(memory.dValues(), heads.rows(tensors.dqkv, head, 2));
        }

        private void multiply(TileProduct product, long left, long right, MemorySegment result) {
            product.run(
                    library,
                    number,
                    left,
                    right,
                    NO_BIAS,
                    result.address(),
                    memory.scratchpad().address());
        }
    }
}
