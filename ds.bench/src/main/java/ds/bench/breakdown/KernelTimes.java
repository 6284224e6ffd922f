package ds.bench.breakdown;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.SequencedSet;

/**
 * The times of several steps' kernels. Calls count between {@link #beginStep} and {@link #endStep}, and only those of the thread
 * that began the step: what other threads do meanwhile hides behind it.
 */
public final class KernelTimes {
    private final List<Step> steps = new ArrayList<>();
    private final SequencedSet<Product> products = new LinkedHashSet<>();
    private volatile Thread stepThread;
    private Map<Key, Sums> kernels = Map.of();
    private Map<Phase, Double> phases = Map.of();
    private Phase phase = Phase.FORWARD;
    private long phaseStart;

    /** What is one line of a breakdown. */
    record Key(Phase phase, String kernel, String shape) {}

    /**
     * One step.
     *
     * @param kernels what each kernel did and took
     * @param phaseSeconds wall-clock time of the phases
     * @param communicationSeconds of these, waiting for collectives
     */
    record Step(Map<Key, Sums> kernels, Map<Phase, Double> phaseSeconds, double communicationSeconds) {
        double seconds() {
            return phaseSeconds.values().stream()
                    .mapToDouble(Double::doubleValue)
                    .sum();
        }
    }

    /** Calls of one kernel in one step, added up. */
    static final class Sums {
        private final KernelCall first;
        private int calls;
        private long nanos;
        private double flops;
        private double exponentials;
        private Moved moved = Moved.NOTHING;

        private Sums(KernelCall first) {
            this.first = first;
        }

        private void add(KernelCall call, long nanos) {
            calls++;
            this.nanos += nanos;
            flops += call.flops();
            exponentials += call.exponentials();
            moved = moved.plus(call.moved());
        }

        int calls() {
            return calls;
        }

        double seconds() {
            return nanos * 1e-9;
        }

        /** {@return all calls as one: a call that does what they did together} */
        KernelCall total() {
            return new KernelCall(
                    first.kernel(), first.shape(), first.dtype(), first.product(), flops, exponentials, moved);
        }
    }

    /** Begins a step on the calling thread, in its forward phase. */
    public void beginStep() {
        kernels = new LinkedHashMap<>();
        phases = new EnumMap<>(Phase.class);
        phase = Phase.FORWARD;
        stepThread = Thread.currentThread();
        phaseStart = System.nanoTime();
    }

    /** Ends one phase and begins another, or the same one of the next micro-batch. */
    public void begin(Phase next) {
        long now = System.nanoTime();
        phases.merge(phase, (now - phaseStart) * 1e-9, Double::sum);
        phase = next;
        phaseStart = now;
    }

    /**
     * Ends the step.
     *
     * @param communicationNanos of it, spent waiting for collectives
     */
    public void endStep(long communicationNanos) {
        begin(phase);
        stepThread = null;
        steps.add(new Step(kernels, phases, communicationNanos * 1e-9));
    }

    /** Forgets all steps so far, but not which products there were: for those that warm the machine up. */
    public void forgetSteps() {
        steps.clear();
    }

    void add(KernelCall call, long nanos) {
        if (Thread.currentThread() == stepThread) {
            kernels.computeIfAbsent(new Key(phase, call.kernel(), call.shape()), key -> new Sums(call))
                    .add(call, nanos);
            call.product().ifPresent(products::add);
        }
    }

    List<Step> steps() {
        return List.copyOf(steps);
    }

    /** {@return every product that any step had, in the order of their first calls} */
    List<Product> products() {
        return List.copyOf(products);
    }
}
