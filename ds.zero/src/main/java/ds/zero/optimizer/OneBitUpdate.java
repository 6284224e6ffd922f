package ds.zero.optimizer;

import ds.api.Kernels;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import ds.api.spi.Optimizer;
import ds.zero.config.OptimizerConfig;
import ds.zero.onebit.CompressedAllReduce;
import ds.zero.onebit.Exchange;
import ds.zero.onebit.Travellers;
import ds.zero.optimizer.Tiles.Tile;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/**
 * 1-bit Adam (Tang et al., arXiv:2102.02888, Algorithm 1). The first {@code freeze_step} updates are Adam's, from gradients that were
 * summed over the ranks. Then the variance stays as it is, each rank takes its own gradient into the momentum, and of these momenta the
 * ranks form the mean by {@link CompressedAllReduce}: all go on with the same one. An element whose variance is 0 by then has had no
 * gradient, and is no part of any of it: its momentum stays 0.
 */
final class OneBitUpdate implements UnitUpdate, Travellers {
    /** Places among the states. */
    private static final int MOMENTUM = 0;

    private static final int VARIANCE = 1;

    private final OptimizerConfig.OneBitAdam config;
    private final Kernels kernels;
    private final List<OwnedUnit> units;
    private final UnitUpdate warmUp;
    private final FrozenAdam frozen;
    private final CompressedAllReduce mean;
    private final Map<Span, List<Tile>> tilesOf = new HashMap<>();
    private Optimizer.Step step;
    private long varianceUpdates;

    /**
     * Allocates errors and buffers.
     *
     * @param warmUp of the first updates; owned
     * @param tiles the warm-up's; borrowed
     */
    OneBitUpdate(
            OptimizerConfig.OneBitAdam config,
            TensorBackend backend,
            Communicator communicator,
            List<OwnedUnit> units,
            UnitUpdate warmUp,
            Tiles tiles,
            Exchange exchange) {
        this.config = config;
        this.kernels = backend.kernels(backend.computeStream());
        this.units = units;
        this.warmUp = warmUp;
        this.frozen = new FrozenAdam(config.adam(), backend, tiles);
        List<CompressedAllReduce.Vector> vectors = new ArrayList<>();
        for (OwnedUnit unit : units) {
            requireWholeInF32(unit);
            vectors.add(new CompressedAllReduce.Vector(unit.name(), state(unit, VARIANCE), state(unit, MOMENTUM)));
        }
        this.mean = new CompressedAllReduce(backend, communicator, vectors, exchange);
        for (Span span : mean.spans()) {
            OwnedUnit unit = units.get(span.vector());
            tilesOf.put(span, tiles.cut(unit, span.first(), span.first() + span.elements()));
        }
    }

    private void requireWholeInF32(OwnedUnit unit) {
        if (unit.sharded() || unit.owned().states().stream().anyMatch(state -> !state.isF32())) {
            throw new IllegalArgumentException("optimizer.type = " + config.type() + ": unit " + unit.name()
                    + " is not updated as a whole on this rank, or its states are not fp32; set zero_optimization.stage to 0"
                    + " and remove ds.states.optimizer_states");
        }
    }

    private static Tensor state(OwnedUnit unit, int state) {
        return unit.owned().states().get(state).published();
    }

    @Override
    public boolean takesOwnGradients(long update) {
        return update > config.freezeStep();
    }

    @Override
    public List<ExtraState> extraStates() {
        return List.of(
                new ExtraState("server_error", false, all(mean::serverError), this::hasErrors),
                new ExtraState("worker_error", true, all(mean::workerError), this::hasErrors));
    }

    private List<Tensor> all(IntFunction<Tensor> ofUnit) {
        return IntStream.range(0, units.size()).mapToObj(ofUnit).toList();
    }

    private boolean hasErrors(long updates) {
        return updates > config.freezeStep();
    }

    @Override
    public Map<String, Double> numbers() {
        return Map.of("variance_updates", (double) varianceUpdates);
    }

    /** Without numbers it was Adam that was saved, whose variance sees every gradient. */
    @Override
    public void restore(Map<String, Double> numbers, long updates) {
        varianceUpdates =
                numbers.getOrDefault("variance_updates", (double) updates).longValue();
    }

    @Override
    public void prepare(Optimizer.Step next) {
        step = next;
        if (takesOwnGradients(next.number())) {
            mean.begin(1, 0);
        } else {
            varianceUpdates = next.number();
            warmUp.prepare(next);
        }
    }

    @Override
    public void update(int unit, Optimizer.Step next) {
        if (takesOwnGradients(next.number())) {
            mean.await(unit, this);
        } else {
            warmUp.update(unit, next);
        }
    }

    @Override
    public void send(Span span) {
        OwnedUnit unit = units.get(span.vector());
        Tensor unsent = mean.workerError(span.vector()).slice(span.first(), span.elements());
        double beta1 = step.momentumOr(config.adam().beta1());
        kernels.axpby(beta1, state(unit, MOMENTUM).slice(span.first(), span.elements()), 1, unsent);
        Tensor gradient = unit.owned().gradient().slice(span.first(), span.elements());
        kernels.axpby((1 - beta1) * step.gradientScale(), gradient, 1, unsent);
    }

    @Override
    public void arrived(Span span) {
        tilesOf.get(span).forEach(tile -> frozen.update(tile, step, varianceUpdates));
    }

    @Override
    public void close() {
        mean.close();
        frozen.close();
        warmUp.close();
    }
}
