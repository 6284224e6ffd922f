package ds.zero.onebit;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Signs;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.Work;
import java.util.ArrayList;
import java.util.List;

/**
 * The mean of vectors over ranks, of which each rank sends one bit an element, twice: its own signs to those that sum them, and the
 * signs of a sum to all. What signs do not say stays behind as an error and is added the next time: every rank's in its {@link
 * #workerError}, and that of a shard's sum in the {@link #serverError} of the shard's rank (Tang et al., arXiv:2102.02888, Algorithm 1).
 *
 * <pre>
 * rank i:  x = value + workerError;  scale, sign of each block of x;   workerError = x - scale · sign;  shard r to rank r
 * rank r:  y = (sum over i of scale · sign) / N + serverError;         serverError = y - scale · sign;  shard r to all
 * </pre>
 *
 * <p>S being the bytes of a vector in F32, a rank sends 2(S/32)(N−1)/N and a 128th of it for scales: a 32nd of an allReduce. Vectors go in
 * chunks, each a part of every shard: while one travels the next is compressed and the one before is summed, and buffers have the size of a
 * chunk. Where an element takes no part, mean and errors are 0. Of a single rank the mean is the value, but for a rounding.
 */
public final class CompressedAllReduce implements AutoCloseable {
    /** The most elements that a chunk has in all shards: 8 MiB in F32, 256 KiB of bits. */
    private static final long CHUNK_ELEMENTS = 1 << 21;

    /** A chunk is compressed and summed into one set of buffers while the one before is in the other. */
    private static final int SLOTS = 2;

    private final Communicator communicator;
    private final Kernels kernels;
    private final Exchange exchange;
    private final List<Buffer> buffers = new ArrayList<>();
    private final List<Tensor> workerErrors = new ArrayList<>();
    private final List<Tensor> serverErrors = new ArrayList<>();
    private final List<Chunk> chunks = new ArrayList<>();
    private final int[] chunksUntil; // the end of each vector
    private final boolean alone;
    private final int lag; // of the sum of a chunk behind its compression, and of its arrival behind the sum
    private final Work[] onTheWay = new Work[SLOTS];
    private final Work[] onTheWayBack = new Work[SLOTS];
    private double alpha;
    private float beta;
    private int tick;
    private int arrived;

    /**
     * One vector.
     *
     * @param name for the labels of collectives
     * @param active F32 {@code [N * shard]}: where it is above 0 an element takes part; the same on all ranks, borrowed
     * @param mean F32 {@code [N * shard]}; the mean goes there; borrowed
     */
    public record Vector(String name, Tensor active, Tensor mean) {}

    /** Allocates errors, all 0, and buffers. */
    public CompressedAllReduce(
            TensorBackend backend, Communicator communicator, List<Vector> vectors, Exchange exchange) {
        this(backend, communicator, vectors, exchange, CHUNK_ELEMENTS);
    }

    CompressedAllReduce(
            TensorBackend backend,
            Communicator communicator,
            List<Vector> vectors,
            Exchange exchange,
            long chunkElements) {
        this.communicator = communicator;
        this.kernels = backend.kernels(backend.computeStream());
        this.exchange = exchange;
        this.alone = communicator.worldSize() == 1;
        this.lag = exchange.overlap() && !alone ? 1 : 0;
        this.chunksUntil = new int[vectors.size()];
        int ranks = communicator.worldSize();
        long most = Math.max(1, chunkElements / ranks / Signs.BLOCK) * Signs.BLOCK;
        long largest = vectors.stream()
                .mapToLong(vector -> Math.min(most, vector.mean().elements() / ranks))
                .max()
                .orElse(0);
        List<Messages> slots = new ArrayList<>();
        for (int i = 0; i < SLOTS; i++) {
            long words = ranks * Signs.words(largest);
            slots.add(new Messages(
                    allocate(backend, DType.I32, words, "signs"),
                    allocate(backend, DType.I32, words, "signs"),
                    allocate(backend, DType.I32, words, "signs")));
        }
        for (int number = 0; number < vectors.size(); number++) {
            Vector vector = vectors.get(number);
            long shard = vector.mean().elements() / ranks;
            workerErrors.add(allocate(backend, DType.F32, ranks * shard, "compressionErrors"));
            serverErrors.add(allocate(backend, DType.F32, shard, "compressionErrors"));
            for (long first = 0; first < shard; first += most) {
                Messages slot = slots.get(chunks.size() % SLOTS);
                chunks.add(chunk(number, vector, first, Math.min(most, shard - first), slot));
            }
            chunksUntil[number] = chunks.size();
        }
    }

    private Tensor allocate(TensorBackend backend, DType dtype, long elements, String label) {
        Tensor tensor = backend.allocate(dtype, Shape.of(elements), label);
        buffers.add(tensor.buffer());
        return tensor;
    }

    /**
     * Buffers of a chunk, I32: a message for each rank, side by side.
     *
     * @param sent of this rank's signs
     * @param received of all ranks' signs of this rank's shard
     * @param sums of the signs of all sums
     */
    private record Messages(Tensor sent, Tensor received, Tensor sums) {}

    /** Views of what the messages of a chunk hold, and of what they are about. */
    private record Chunk(String label, Messages messages, List<Piece> pieces, Tensor serverError, Piece own) {}

    /** The part of a chunk that is in one shard. */
    private record Piece(
            Travellers.Span span,
            Tensor workerError,
            Tensor active,
            Tensor mean,
            Signs sent,
            Signs received,
            Signs sum) {}

    private Chunk chunk(int number, Vector vector, long first, long elements, Messages slot) {
        int ranks = communicator.worldSize();
        long shard = vector.mean().elements() / ranks;
        long words = Signs.words(elements);
        Messages messages = new Messages(
                slot.sent().slice(0, ranks * words),
                slot.received().slice(0, ranks * words),
                slot.sums().slice(0, ranks * words));
        List<Piece> pieces = new ArrayList<>();
        for (int rank = 0; rank < ranks; rank++) {
            long at = rank * shard + first;
            pieces.add(new Piece(
                    new Travellers.Span(number, at, elements),
                    workerErrors.get(number).slice(at, elements),
                    vector.active().slice(at, elements),
                    vector.mean().slice(at, elements),
                    Signs.in(messages.sent().slice(rank * words, words), elements),
                    Signs.in(messages.received().slice(rank * words, words), elements),
                    Signs.in(messages.sums().slice(rank * words, words), elements)));
        }
        return new Chunk(
                first == 0 ? vector.name() : vector.name() + " from " + first,
                messages,
                pieces,
                serverErrors.get(number).slice(first, elements),
                pieces.get(communicator.rank()));
    }

    /** {@return what this rank has not sent of a vector yet: F32 {@code [N * shard]}} */
    public Tensor workerError(int vector) {
        return workerErrors.get(vector);
    }

    /** {@return what has not been sent yet of the sum of this rank's shard: F32 {@code [shard]}} */
    public Tensor serverError(int vector) {
        return serverErrors.get(vector);
    }

    /** {@return the pieces in which vectors are handed to {@link Travellers}} */
    public List<Travellers.Span> spans() {
        return chunks.stream()
                .flatMap(chunk -> chunk.pieces().stream())
                .map(Piece::span)
                .toList();
    }

    /**
     * Begins with the first vector; what was under way has arrived.
     *
     * @param newAlpha a vector becomes {@code alpha · mean + beta · vector}
     * @param newBeta of what is in the vector; it is not read if this is 0
     */
    public void begin(double newAlpha, float newBeta) {
        alpha = newAlpha;
        beta = newBeta;
        tick = 0;
        arrived = 0;
    }

    /**
     * Goes on until a vector has arrived; others after it may be on their way then. All ranks call it for all vectors, in order.
     *
     * @param vector its number
     */
    public void await(int vector, Travellers travellers) {
        while (arrived < chunksUntil[vector]) {
            if (tick < chunks.size()) {
                start(tick, travellers);
            }
            if (tick >= lag && tick - lag < chunks.size()) {
                sum(tick - lag);
            }
            if (tick >= 2 * lag) {
                receive(tick - 2 * lag, travellers);
                arrived++;
            }
            tick++;
        }
    }

    private void start(int number, Travellers travellers) {
        Chunk chunk = chunks.get(number);
        for (Piece piece : chunk.pieces()) {
            travellers.send(piece.span());
            kernels.takeSigns(piece.workerError(), piece.active(), piece.sent());
        }
        if (!alone) {
            Messages messages = chunk.messages();
            onTheWay[number % SLOTS] =
                    communicator.allToAll(messages.sent(), messages.received(), call("signs of ", chunk));
        }
    }

    private void sum(int number) {
        if (alone) {
            return;
        }
        Chunk chunk = chunks.get(number);
        await(onTheWay, number);
        double mean = 1.0 / communicator.worldSize();
        for (Piece piece : chunk.pieces()) {
            kernels.addSigns(mean, piece.received(), chunk.own().active(), 1, chunk.serverError());
        }
        kernels.takeSigns(chunk.serverError(), chunk.own().active(), chunk.own().sum());
        Tensor sums = chunk.messages().sums();
        long words = sums.elements() / communicator.worldSize();
        Tensor own = sums.slice(communicator.rank() * words, words);
        onTheWayBack[number % SLOTS] = communicator.allGather(own, sums, call("signs of the sum of ", chunk));
    }

    private void receive(int number, Travellers travellers) {
        Chunk chunk = chunks.get(number);
        if (!alone) {
            await(onTheWayBack, number);
        }
        for (Piece piece : chunk.pieces()) {
            if (alone) {
                kernels.addSigns(1, piece.sent(), piece.active(), 1, piece.workerError());
                kernels.axpby(alpha, piece.workerError(), beta, piece.mean());
                kernels.fill(piece.workerError(), 0);
            } else {
                kernels.addSigns(alpha, piece.sum(), piece.active(), beta, piece.mean());
            }
            travellers.arrived(piece.span());
        }
    }

    private void await(Work[] works, int number) {
        Work work = works[number % SLOTS];
        works[number % SLOTS] = null;
        exchange.timer().await(work, kernels.stream());
    }

    private Call call(String what, Chunk chunk) {
        return new Call(what + chunk.label(), kernels.stream().record());
    }

    /** Forgets what has not been sent. */
    public void clearErrors() {
        workerErrors.forEach(errors -> kernels.fill(errors, 0));
        serverErrors.forEach(errors -> kernels.fill(errors, 0));
    }

    @Override
    public void close() {
        buffers.forEach(Buffer::close);
    }
}
