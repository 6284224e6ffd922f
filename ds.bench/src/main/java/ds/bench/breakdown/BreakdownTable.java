package ds.bench.breakdown;

import ds.api.DType;
import ds.bench.breakdown.Breakdown.Line;
import java.util.Formatter;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** A breakdown as text. */
final class BreakdownTable {
    private static final double SHOWN = 0.001; // of the step; what is less is added up

    private final Breakdown breakdown;
    private final double step;
    private final Formatter text = new Formatter(Locale.ROOT);

    BreakdownTable(Breakdown breakdown) {
        this.breakdown = breakdown;
        this.step = breakdown.stepSeconds();
    }

    String text() {
        limits();
        phases();
        kernels();
        return text.toString();
    }

    private void limits() {
        MachineLimits limits = breakdown.limits();
        MemoryBandwidth memory = limits.memory();
        limits.products()
                .forEach((dtype, products) -> text.format(
                        "limit  products %-4s %8.1f GFLOP/s  the best of %d, medians of at least 7 runs%n",
                        dtype, limits.matrixRate(dtype) * 1e-9, products.size()));
        text.format(
                "limit  memory        %8.1f GB/s     update in place; copy %.1f, read %.1f, write %.1f%n",
                memory.update() * 1e-9, memory.copy() * 1e-9, memory.read() * 1e-9, memory.write() * 1e-9);
        if (Double.isFinite(limits.exponentialsPerSecond())) {
            text.format(
                    "limit  e^x           %8.2f G/s      F32, in the first cache%n",
                    limits.exponentialsPerSecond() * 1e-9);
        } else {
            text.format(
                    "limit  e^x           none: not counted for a device. Each call's time includes %.1f us of launching and"
                            + " waiting%n",
                    breakdown.callSeconds() * 1e6);
        }
        text.format("%s%n", MachineLimits.DEFINITION);
        text.format("%n");
    }

    private void phases() {
        text.format("%-34s %10s %7s %12s%n", "phase", "seconds", "% step", "in kernels");
        for (Map.Entry<Phase, double[]> phase : breakdown.phases().entrySet()) {
            double[] seconds = phase.getValue();
            text.format(
                    "%-34s %10.4f %7.2f %12.4f%n", name(phase.getKey()), seconds[0], percent(seconds[0]), seconds[1]);
        }
        share("waiting for collectives", breakdown.communicationSeconds());
        share("outside of kernels and collectives", breakdown.outsideSeconds());
        share("step", step);
        for (DType dtype : breakdown.limits().products().keySet()) {
            text.format(
                    "model FLOP/s                       %10.1f GFLOP/s: %.1f %% of the best product in %s%n",
                    breakdown.modelFlops() / step * 1e-9, 100 * breakdown.ofMatrixRate(dtype), dtype);
        }
        text.format("%n");
    }

    private void kernels() {
        text.format(
                "%-8s %-18s %-52s %6s %9s %7s %16s %9s %s%n",
                "phase", "kernel", "operands", "calls", "seconds", "% step", "rate", "% limit", "limit");
        List<Line> lines = breakdown.lines();
        List<Line> shown =
                lines.stream().filter(each -> each.seconds() >= SHOWN * step).toList();
        for (Line each : shown) {
            text.format(
                    "%-8s %-18s %-52s %6d %9.4f %7.2f %16s %9.1f %s%s%n",
                    name(each.key().phase()),
                    each.key().kernel(),
                    each.key().shape(),
                    each.calls(),
                    each.seconds(),
                    percent(each.seconds()),
                    rate(each),
                    100 * each.ofLimit(),
                    breakdown.limits().resource(each.work()).toString().toLowerCase(Locale.ROOT),
                    breakdown.needsReason(each) ? "  < 70 %" : "");
        }
        double rest = lines.subList(shown.size(), lines.size()).stream()
                .mapToDouble(Line::seconds)
                .sum();
        text.format(
                "%-80s %6d %9.4f %7.2f%n",
                "kernels that take less than 0.1 % each", lines.size() - shown.size(), rest, percent(rest));
    }

    private static String rate(Line line) {
        KernelCall work = line.work();
        return work.flops() > 0
                ? String.format(Locale.ROOT, "%.1f GFLOP/s", work.flops() / line.seconds() * 1e-9)
                : String.format(Locale.ROOT, "%.1f GB/s", work.moved().total() / line.seconds() * 1e-9);
    }

    private void share(String what, double seconds) {
        text.format("%-34s %10.4f %7.2f%n", what, seconds, percent(seconds));
    }

    private double percent(double seconds) {
        return 100 * seconds / step;
    }

    private static String name(Phase phase) {
        return phase.toString().toLowerCase(Locale.ROOT);
    }
}
