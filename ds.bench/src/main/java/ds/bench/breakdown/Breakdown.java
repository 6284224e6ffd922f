package ds.bench.breakdown;

import ds.api.DType;
import ds.api.Device;
import ds.api.TensorBackend;
import ds.bench.breakdown.KernelTimes.Step;
import ds.bench.measure.Statistics;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.ToDoubleFunction;
import tools.jackson.databind.node.ObjectNode;

/** The kernels of a step beside this machine's limits. All times are medians over the steps, in seconds. */
public final class Breakdown {
    /** Below this share of its limit, a kernel that takes over 2 % of the step is marked. */
    static final double ENOUGH = 0.7;

    private static final double NOTABLE = 0.02;

    private final List<Step> steps;
    private final MachineLimits limits;
    private final double modelFlops;
    private final double callSeconds;

    private Breakdown(List<Step> steps, MachineLimits limits, double modelFlops, double callSeconds) {
        this.steps = steps;
        this.limits = limits;
        this.modelFlops = modelFlops;
        this.callSeconds = callSeconds;
    }

    /**
     * Measures the machine's limits, right after the steps.
     *
     * @param times of at least one step
     * @param backend that computed them, not the one that watched
     * @param modelFlops of a step of this rank, by the model's formula
     */
    public static Breakdown of(KernelTimes times, TensorBackend backend, double modelFlops) {
        if (times.steps().isEmpty()) {
            throw new IllegalArgumentException("a breakdown of 0 steps; at least one is needed");
        }
        Map<DType, List<MatrixRate.Measured>> products = MatrixRate.measure(backend, times.products());
        if (backend.device().equals(Device.HOST)) {
            MachineLimits limits =
                    new MachineLimits(products, MemoryBandwidth.measure(backend), ExponentialRate.measure());
            return new Breakdown(times.steps(), limits, modelFlops, 0);
        }
        MachineLimits limits =
                new MachineLimits(products, DeviceBandwidth.measure(backend), MachineLimits.NOT_MEASURED);
        return new Breakdown(times.steps(), limits, modelFlops, DeviceBandwidth.callSeconds(backend));
    }

    /**
     * One kernel in one phase.
     *
     * @param key what it is
     * @param calls in a step
     * @param seconds of a step
     * @param work all calls of a step together
     * @param limitSeconds the shortest time in which this machine could do it
     */
    record Line(KernelTimes.Key key, int calls, double seconds, KernelCall work, double limitSeconds) {
        double ofLimit() {
            return limitSeconds / seconds;
        }
    }

    /** {@return kernels, longest first} */
    List<Line> lines() {
        Set<KernelTimes.Key> keys = new LinkedHashSet<>();
        steps.forEach(step -> keys.addAll(step.kernels().keySet()));
        return keys.stream()
                .map(this::line)
                .sorted(Comparator.comparingDouble(Line::seconds).reversed())
                .toList();
    }

    private Line line(KernelTimes.Key key) {
        KernelTimes.Sums last = steps.reversed().stream()
                .filter(step -> step.kernels().containsKey(key))
                .map(step -> step.kernels().get(key))
                .findFirst()
                .orElseThrow();
        double seconds = median(step ->
                step.kernels().containsKey(key) ? step.kernels().get(key).seconds() : 0);
        KernelCall work = last.total();
        return new Line(key, last.calls(), seconds, work, limits.seconds(work));
    }

    private double median(ToDoubleFunction<Step> value) {
        return Statistics.median(steps.stream().mapToDouble(value).toArray());
    }

    double stepSeconds() {
        return median(Step::seconds);
    }

    double communicationSeconds() {
        return median(Step::communicationSeconds);
    }

    /** {@return the time in which this thread is neither in a kernel nor waiting for a collective: Java, and other waiting} */
    double outsideSeconds() {
        return median(step -> step.seconds() - step.communicationSeconds() - kernelSeconds(step, null));
    }

    /** {@return wall-clock time of the phases, and how much of each its kernels take} */
    Map<Phase, double[]> phases() {
        Map<Phase, double[]> result = new EnumMap<>(Phase.class);
        for (Phase phase : Phase.values()) {
            result.put(phase, new double[] {
                median(step -> step.phaseSeconds().getOrDefault(phase, 0.0)), median(step -> kernelSeconds(step, phase))
            });
        }
        return result;
    }

    private static double kernelSeconds(Step step, Phase phase) {
        return step.kernels().entrySet().stream()
                .filter(entry -> phase == null || entry.getKey().phase() == phase)
                .mapToDouble(entry -> entry.getValue().seconds())
                .sum();
    }

    /** {@return model FLOP/s of the step divided by the best product's of this type} */
    double ofMatrixRate(DType dtype) {
        return modelFlops / stepSeconds() / limits.matrixRate(dtype);
    }

    /** {@return whether a line takes over 2 % of the step and less than 70 % of its limit: it needs a reason} */
    boolean needsReason(Line line) {
        return line.seconds() > NOTABLE * stepSeconds() && line.ofLimit() < ENOUGH;
    }

    /** {@return by how much the time of each call of a device's kernel is too long, since it is waited for; 0 for the host's} */
    double callSeconds() {
        return callSeconds;
    }

    double modelFlops() {
        return modelFlops;
    }

    MachineLimits limits() {
        return limits;
    }

    /** {@return for people: lines of text} */
    public String table() {
        return new BreakdownTable(this).text();
    }

    /** Adds everything measured to a JSON object. */
    public void addTo(ObjectNode node) {
        new BreakdownJson(this).addTo(node);
    }
}
