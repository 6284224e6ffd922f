package ds.zero.plan;

import ds.api.DType;
import ds.zero.config.Offload;
import ds.zero.config.Precision;
import ds.zero.config.StatePrecision;
import ds.zero.config.StatePrecision.MasterWeights;
import ds.zero.config.ZeroConfig;
import ds.zero.config.ZeroOptimization;
import ds.zero.config.ZeroStage;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

/**
 * In which precision masters and optimizer states could be kept, and which part of them on the host, so that a training fits a device and
 * the host beside it. What is on either grows evenly with the part, but for buffers; so the plans without and with everything offloaded
 * say which part to try, and its own plan decides.
 *
 * @param config as given; of a backend on a device of its own
 * @param planner plans a configuration
 * @param deviceBytes what may be on the device
 * @param host what may be on the host
 */
public record StatePlaces(
        ZeroConfig config, Function<ZeroConfig, MemoryPlan> planner, long deviceBytes, RankMemory host) {
    private static final int PARTS = 20; // a ratio is so many times a twentieth

    /**
     * One that fits.
     *
     * @param states their precision
     * @param ratio {@code zero_optimization.offload_optimizer.ratio}, the smallest that fits; 0 for nothing offloaded
     * @param config which has them
     * @param plan of it
     */
    public record Place(StatePrecision states, double ratio, ZeroConfig config, MemoryPlan plan) {
        /** {@return what is on the device at most} */
        public long deviceBytes() {
            return plan.onDevice().orElseThrow().memory().peakBytes();
        }
    }

    /** {@return for every precision of states for which there is one, the place with least on the host; most exact first} */
    public List<Place> fitting() {
        List<Place> places = new ArrayList<>();
        for (StatePrecision states : precisions()) {
            smallest(states).ifPresent(places::add);
        }
        return places;
    }

    private Set<StatePrecision> precisions() {
        StatePrecision given = config.precision().states();
        Set<StatePrecision> all = new LinkedHashSet<>(List.of(given));
        if (config.precision() instanceof Precision.Bf16) {
            for (MasterWeights masters : MasterWeights.values()) {
                for (DType states : new DType[] {DType.F32, DType.BF16}) {
                    all.add(new StatePrecision(masters, states, given.rounding()));
                }
            }
        }
        return all;
    }

    private Optional<Place> smallest(StatePrecision states) {
        Place none = place(states, 0);
        if (fits(none)) {
            return Optional.of(none);
        }
        if (states.masterWeights() == MasterWeights.SPLIT || config.optimizer().exchangesMomenta()) {
            return Optional.empty(); // split masters need the weights beside them, and momenta that travel stay
        }
        double over = none.deviceBytes() - deviceBytes;
        double moved = none.deviceBytes() - place(states, 1).deviceBytes();
        for (int part = Math.max(1, (int) Math.ceil(PARTS * over / moved)); moved > 0 && part <= PARTS; part++) {
            Place some = place(states, (double) part / PARTS);
            if (fits(some)) {
                return Optional.of(some);
            }
            if (!host.fits(some.plan().peakBytes())) {
                return Optional.empty();
            }
        }
        return Optional.empty();
    }

    private Place place(StatePrecision states, double ratio) {
        ZeroOptimization zero = config.zero();
        if (ratio > 0 && zero.stage() == ZeroStage.DISABLED) {
            zero = zero.withStage(ZeroStage.OPTIMIZER_STATES);
        }
        Offload offload = ratio > 0 ? new Offload.Cpu(ratio) : new Offload.None();
        ZeroConfig changed = config.withMemorySettings(
                        zero.withOptimizerStates(offload), config.checkpointing(), config.batch())
                .withStates(states);
        return new Place(states, ratio, changed, planner.apply(changed));
    }

    private boolean fits(Place place) {
        return place.deviceBytes() <= deviceBytes && host.fits(place.plan().peakBytes());
    }
}
