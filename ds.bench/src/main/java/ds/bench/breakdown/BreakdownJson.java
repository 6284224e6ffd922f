package ds.bench.breakdown;

import ds.bench.breakdown.Breakdown.Line;
import java.util.Locale;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** A breakdown as JSON: seconds, bytes, FLOP/s, fractions of 1. */
final class BreakdownJson {
    private final Breakdown breakdown;

    BreakdownJson(Breakdown breakdown) {
        this.breakdown = breakdown;
    }

    void addTo(ObjectNode node) {
        double step = breakdown.stepSeconds();
        node.put("step_seconds", step);
        node.put("model_flops_per_second", breakdown.modelFlops() / step);
        addLimits(node.putObject("limits"));
        ObjectNode fractions = node.putObject("model_flops_of_best_product");
        breakdown
                .limits()
                .products()
                .keySet()
                .forEach(dtype -> fractions.put(dtype.toString(), breakdown.ofMatrixRate(dtype)));
        ObjectNode phases = node.putObject("phases");
        breakdown
                .phases()
                .forEach((phase, seconds) ->
                        phases.putObject(name(phase)).put("seconds", seconds[0]).put("kernel_seconds", seconds[1]));
        node.put("communication_exposed_seconds", breakdown.communicationSeconds());
        node.put("outside_kernels_seconds", breakdown.outsideSeconds());
        ArrayNode kernels = node.putArray("kernels");
        breakdown.lines().forEach(line -> add(kernels.addObject(), line, step));
    }

    private void addLimits(ObjectNode node) {
        MachineLimits limits = breakdown.limits();
        node.put("definition", MachineLimits.DEFINITION);
        ObjectNode best = node.putObject("products_flops_per_second");
        limits.products().keySet().forEach(dtype -> best.put(dtype.toString(), limits.matrixRate(dtype)));
        MemoryBandwidth memory = limits.memory();
        node.putObject("memory_bytes_per_second")
                .put("read", memory.read())
                .put("write", memory.write())
                .put("copy", memory.copy())
                .put("update", memory.update());
        if (Double.isFinite(limits.exponentialsPerSecond())) {
            node.put("exponentials_per_second", limits.exponentialsPerSecond());
        }
        node.put("call_overhead_seconds", breakdown.callSeconds());
        ArrayNode products = node.putArray("products");
        limits.products()
                .values()
                .forEach(measured -> measured.forEach(each -> products.addObject()
                        .put("product", each.product().toString())
                        .put("flops_per_second", each.flopsPerSecond())));
    }

    private void add(ObjectNode node, Line line, double step) {
        KernelCall work = line.work();
        node.put("phase", name(line.key().phase()));
        node.put("kernel", line.key().kernel());
        node.put("operands", line.key().shape());
        node.put("calls", line.calls());
        node.put("seconds", line.seconds());
        node.put("fraction_of_step", line.seconds() / step);
        node.put("flops_per_second", work.flops() / line.seconds());
        node.put("bytes_per_second", work.moved().total() / line.seconds());
        node.put("exponentials_per_second", work.exponentials() / line.seconds());
        node.put("limit", breakdown.limits().resource(work).toString().toLowerCase(Locale.ROOT));
        node.put("fraction_of_limit", line.ofLimit());
        node.put("needs_reason", breakdown.needsReason(line));
    }

    private static String name(Phase phase) {
        return phase.toString().toLowerCase(Locale.ROOT);
    }
}
