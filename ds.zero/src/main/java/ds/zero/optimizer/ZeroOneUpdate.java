package ds.zero.optimizer;

import ds.api.Buffer;
import ds.api.CoreKernels.Binary;
import ds.api.CoreKernels.Broadcast;
import ds.api.DType;
import ds.api.Kernels;
import ds.api.Lamb;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.spi.Optimizer;
import ds.zero.config.OptimizerConfig;
import ds.zero.onebit.CompressedAllReduce;
import ds.zero.onebit.Exchange;
import ds.zero.onebit.Travellers;
import ds.zero.optimizer.Tiles.Tile;
import ds.zero.run.Stack;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/**
 * 0/1 Adam (Lu et al., arXiv:2202.06009, with DeepSpeed's intervals), w being masters that all ranks have alike, g the sum of gradients
 * over ranks and g' one rank's own, c1 and c2 the corrections of the moments' bias, keep = 1 − rate · weightDecay:
 *
 * <pre>
 * refresh:   m = beta1 m + (1 - beta1) g;   v = beta2 v + (1 - beta2) g²;  w = keep w - rate c1 m / (sqrt(c2 v) + epsilon)
 * between:   m = beta1 m + (1 - beta1) mean of the signs of g';            w as above
 * v frozen:  m = beta1 m + (1 - beta1) g';  a = a + rate c1 m;             the model computes with kept · w - a / (sqrt(c2 v) + epsilon)
 * exchange:  m = mean of the signs of a / sum of rate c1;                  w = kept · w - that mean / (sqrt(c2 v) + epsilon);  a = 0
 * </pre>
 *
 * <p>kept is the product of all keeps since the last exchange. Masters rest between exchanges, where DeepSpeed takes back what it has
 * subtracted: so that they stay the same on all ranks, to the bit. Errors begin anew when v is frozen, since they are of other numbers then.
 */
final class ZeroOneUpdate implements UnitUpdate, Travellers {
    private static final int MOMENTUM = 0;
    private static final int VARIANCE = 1;

    private final OptimizerConfig.Adam config;
    private final ZeroOneSchedule schedule;
    private final Kernels kernels;
    private final List<OwnedUnit> units;
    private final Tiles tiles;
    private final FrozenAdam frozen;
    private final Tensor taken; // of a tile's gradient, what takes part
    private final CompressedAllReduce mean;
    private final List<Tensor> accumulated = new ArrayList<>();
    private final Tensor leastVariance;
    private final Map<Span, List<Own>> ownOfSpan = new HashMap<>();
    private final List<List<Own>> ownOfUnit = new ArrayList<>();
    private final List<Tensor> gradients = new ArrayList<>();
    private Optimizer.Step step;
    private long varianceUpdates;
    private double accumulatedRate; // sum of rate · c1 since the last exchange
    private double kept = 1; // of decaying masters

    /**
     * Allocates what ranks have apart, errors, and buffers.
     *
     * @param stack borrowed
     * @param tiles owned
     */
    ZeroOneUpdate(
            OptimizerConfig.ZeroOneAdam config, Stack stack, List<OwnedUnit> units, Tiles tiles, Exchange exchange) {
        this.config = config.adam();
        this.schedule = new ZeroOneSchedule(config);
        this.kernels = stack.backend().kernels(stack.backend().computeStream());
        this.units = units;
        this.tiles = tiles;
        this.frozen = new FrozenAdam(config.adam(), stack.backend(), tiles);
        this.taken = stack.backend().allocate(DType.F32, Shape.of(tiles.largest()), "scratch");
        this.leastVariance = stack.backend().allocate(DType.F32, Shape.of(1), "scratch");
        kernels.fill(leastVariance, Float.MIN_NORMAL);
        List<CompressedAllReduce.Vector> vectors = new ArrayList<>();
        for (OwnedUnit unit : units) {
            requireWholeInF32(config.type(), unit);
            vectors.add(new CompressedAllReduce.Vector(unit.name(), state(unit, VARIANCE), state(unit, MOMENTUM)));
            accumulated.add(stack.backend().allocate(DType.F32, Shape.of(unit.elements()), "optimizerStates"));
            List<Own> all = cut(new Span(ownOfUnit.size(), 0, unit.elements()));
            ownOfUnit.add(all);
            gradients.addAll(Tiles.gradients(all.stream().map(Own::tile).toList()));
        }
        this.mean = new CompressedAllReduce(stack.backend(), stack.communicator(), vectors, exchange);
        for (Span span : mean.spans()) {
            ownOfSpan.put(span, cut(span));
        }
    }

    /** A tile, and what this rank's own steps on it have added up to. */
    private record Own(Tile tile, Tensor accumulated) {}

    private List<Own> cut(Span span) {
        OwnedUnit unit = units.get(span.vector());
        return tiles.cut(unit, span.first(), span.first() + span.elements()).stream()
                .map(tile -> new Own(tile, accumulated.get(span.vector()).slice(tile.first(), tile.elements())))
                .toList();
    }

    private static void requireWholeInF32(String type, OwnedUnit unit) {
        boolean f32 = unit.owned().states().stream().allMatch(StoredElements::isF32)
                && unit.owned().weights().isF32();
        if (unit.sharded() || !f32 || unit.owned().published().isEmpty()) {
            throw new IllegalArgumentException("optimizer.type = " + type + ": unit " + unit.name()
                    + " is not updated as a whole on this rank, with masters and states in fp32 beside the weights; set"
                    + " zero_optimization.stage to 0 and remove ds.states");
        }
    }

    private static Tensor state(OwnedUnit unit, int state) {
        return unit.owned().states().get(state).published();
    }

    @Override
    public boolean takesOwnGradients(long update) {
        return schedule.isLocal(update) || !schedule.isRefresh(update);
    }

    @Override
    public List<ExtraState> extraStates() {
        return List.of( // errors of gradients and steps, not of momenta as 1-bit Adam's: names that it does not know
                new ExtraState("zero_one_server_error", false, all(mean::serverError), schedule::hasErrors),
                new ExtraState("zero_one_worker_error", true, all(mean::workerError), schedule::hasErrors),
                new ExtraState("accumulated", true, accumulated, schedule::isApart),
                new ExtraState(
                        "exp_avg_of_rank",
                        true,
                        all(unit -> state(units.get(unit), MOMENTUM)),
                        Optional.of("exp_avg"),
                        schedule::isApart));
    }

    private List<Tensor> all(IntFunction<Tensor> ofUnit) {
        return IntStream.range(0, units.size()).mapToObj(ofUnit).toList();
    }

    @Override
    public Map<String, Double> numbers() {
        return Map.of("variance_updates", (double) varianceUpdates, "accumulated_rate", accumulatedRate, "kept", kept);
    }

    /** Without numbers it was Adam that was saved, whose variance sees every gradient. */
    @Override
    public void restore(Map<String, Double> numbers, long updates) {
        varianceUpdates =
                numbers.getOrDefault("variance_updates", (double) updates).longValue();
        accumulatedRate = numbers.getOrDefault("accumulated_rate", 0.0);
        kept = numbers.getOrDefault("kept", 1.0);
        if (schedule.isApart(updates)) {
            ownOfUnit.forEach(ofUnit -> ofUnit.forEach(this::publishOwn));
            kernels.stream().synchronize();
        }
    }

    @Override
    public void prepare(Optimizer.Step next) {
        step = next;
        long number = next.number();
        if (number == schedule.config().varFreezeStep() + 1) {
            mean.clearErrors();
        }
        if (!takesOwnGradients(number)) {
            varianceUpdates++;
            tiles.expect(gradients);
        } else if (!schedule.isLocal(number)) {
            mean.begin(1 - frozen.beta1(step), (float) frozen.beta1(step));
        } else {
            accumulatedRate += next.learningRate() * frozen.correction(step);
            kept *= 1 - next.learningRate() * next.weightDecay();
            if (schedule.isExchange(number)) {
                mean.begin(accumulatedRate == 0 ? 1 : 1 / accumulatedRate, 0);
            }
        }
    }

    @Override
    public void update(int unit, Optimizer.Step next) {
        if (!takesOwnGradients(next.number())) {
            ownOfUnit.get(unit).forEach(this::refresh);
            return;
        }
        if (!schedule.isLocal(next.number())) {
            mean.await(unit, this);
            return;
        }
        if (!schedule.isExchange(next.number())) {
            for (Own own : ownOfUnit.get(unit)) {
                takeOwn(own);
                publishOwn(own);
            }
            return;
        }
        mean.await(unit, this);
        if (unit == units.size() - 1) {
            accumulatedRate = 0;
            kept = 1;
        }
    }

    private void refresh(Own own) {
        Optimizer.Shard shard = tiles.load(own.tile());
        Lamb moments =
                new Lamb(frozen.beta1(step), config.beta2(), 0, false, 0, false, step.number(), step.gradientScale());
        kernels.lambMoments(
                moments,
                shard.gradient(),
                shard.states().get(MOMENTUM),
                shard.states().get(VARIANCE));
        frozen.update(own.tile(), step, varianceUpdates);
    }

    /** A step of this rank's own, from its own gradient; where the variance is 0 there is none. */
    private void takeOwn(Own own) {
        Optimizer.Shard shard = own.tile().shard();
        Tensor gradient = taken.slice(0, own.tile().elements());
        kernels.binary(Binary.GREATER_EQUAL, shard.states().get(VARIANCE), leastVariance, Broadcast.SCALAR, gradient);
        kernels.binary(Binary.MULTIPLY, gradient, own.tile().stored().gradient(), Broadcast.NONE, gradient);
        Tensor momentum = shard.states().get(MOMENTUM);
        double beta1 = frozen.beta1(step);
        kernels.axpby((1 - beta1) * step.gradientScale(), gradient, beta1, momentum);
        kernels.axpby(step.learningRate() * frozen.correction(step), momentum, 1, own.accumulated());
    }

    /** Has the model compute with what this rank's own steps have made of the masters. */
    private void publishOwn(Own own) {
        Tensor masters = own.tile().shard().weights();
        Tensor moved = direction(own, own.accumulated(), 1 - kept);
        kernels.binary(
                Binary.SUBTRACT,
                masters,
                moved,
                Broadcast.NONE,
                own.tile().stored().published().orElseThrow());
    }

    private Tensor direction(Own own, Tensor x, double decay) {
        return frozen.direction(own.tile(), own.tile().shard(), x, decay, varianceUpdates);
    }

    @Override
    public void send(Span span) {
        Tensor unsent = mean.workerError(span.vector()).slice(span.first(), span.elements());
        OwnedUnit unit = units.get(span.vector());
        if (!schedule.isLocal(step.number())) {
            Tensor gradient = unit.owned().gradient().slice(span.first(), span.elements());
            kernels.axpby(step.gradientScale(), gradient, 1, unsent);
            return;
        }
        ownOfSpan.get(span).forEach(this::takeOwn);
        Tensor sent = accumulatedRate == 0
                ? state(unit, MOMENTUM) // nothing has moved, and momenta are what ranks have apart
                : accumulated.get(span.vector());
        kernels.axpby(1, sent.slice(span.first(), span.elements()), 1, unsent);
    }

    @Override
    public void arrived(Span span) {
        for (Own own : ownOfSpan.get(span)) {
            if (schedule.isLocal(step.number())) {
                comeTogether(own);
            } else {
                frozen.update(own.tile(), step, varianceUpdates);
            }
        }
    }

    private void comeTogether(Own own) {
        if (accumulatedRate > 0) {
            Optimizer.Shard shard = own.tile().shard();
            Tensor moved = direction(own, shard.states().get(MOMENTUM), (1 - kept) / accumulatedRate);
            kernels.axpby(-accumulatedRate, moved, 1, shard.weights());
        }
        kernels.fill(own.accumulated(), 0);
        tiles.storeWeights(own.tile(), step);
    }

    @Override
    public void close() {
        mean.close();
        frozen.close();
        tiles.close();
        List.of(taken.buffer(), leastVariance.buffer()).forEach(Buffer::close);
        accumulated.stream().map(Tensor::buffer).forEach(Buffer::close);
    }
}
