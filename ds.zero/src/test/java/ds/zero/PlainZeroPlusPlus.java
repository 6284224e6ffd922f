package ds.zero;

import ds.api.layer.Batch;
import ds.api.layer.Parameter;
import ds.api.layer.Sequential;
import ds.zero.unit.UnitLayout;
import ds.zero.unit.Units;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;

/**
 * Training with ZeRO++ as one reads it in the paper: all ranks in one loop, plain arrays, neither words nor groups nor buffers. An
 * engine of one rank, which exchanges nothing, tells losses and gradients at given weights. Gradient descent, clipped at norm 1.
 */
final class PlainZeroPlusPlus {
    private static final double CLIP = 1;

    private final Setup setup;
    private final ZeroEngine oracle;
    private final Units units;
    private final Map<Parameter, double[]> masters = new HashMap<>();

    /**
     * What is simulated.
     *
     * @param perHost how many ranks a host has; as many as there are ranks for an exchange in one step
     */
    record Setup(int ranks, int perHost, boolean weights, boolean gradients, double learningRate) {}

    /** Borrows the oracle. */
    PlainZeroPlusPlus(Setup setup, Sequential model, ZeroEngine oracle) {
        this.setup = setup;
        this.oracle = oracle;
        this.units = new Units(model, 0, setup.ranks(), true);
        for (Parameter parameter : units.parameters()) {
            masters.put(parameter, new double[(int) parameter.elements()]);
        }
    }

    private interface Exchange {
        void run(Parameter parameter, MemorySegment values);
    }

    private static void exchange(List<Parameter> parameters, Exchange each) {
        try (Arena arena = Arena.ofConfined()) {
            for (Parameter parameter : parameters) {
                each.run(parameter, arena.allocate(parameter.elements() * Float.BYTES, 64));
            }
        }
    }

    /** {@return the weights, by the parameters' names} */
    Map<String, double[]> weights() {
        Map<String, double[]> named = new HashMap<>();
        masters.forEach((parameter, values) -> named.put(parameter.name(), values));
        return named;
    }

    /**
     * {@return the mean loss of a step, which it takes}
     *
     * @param weights with which it begins, by the parameters' names
     * @param batches of each rank
     */
    double step(Map<String, List<Float>> weights, IntFunction<Batch> batches) {
        masters.forEach((parameter, master) ->
                Arrays.setAll(master, i -> weights.get(parameter.name()).get(i)));
        publish();
        double loss = 0;
        List<Map<String, double[]>> gradients = new ArrayList<>();
        for (int rank = 0; rank < setup.ranks(); rank++) {
            loss += oracle.forward(batches.apply(rank)).host().get(ValueLayout.JAVA_FLOAT, 0);
            oracle.backward();
            Map<String, double[]> ofRank = new HashMap<>();
            exchange(oracle.parameters(), (parameter, values) -> {
                oracle.readGradient(parameter, values);
                double[] gradient = new double[(int) parameter.elements()];
                for (int i = 0; i < gradient.length; i++) {
                    gradient[i] = values.getAtIndex(ValueLayout.JAVA_FLOAT, i);
                }
                ofRank.put(parameter.name(), gradient);
            });
            gradients.add(ofRank);
            oracle.step(); // whose weights are replaced before the next forward
            publish();
        }
        update(gradients);
        return loss / setup.ranks();
    }

    /** Gives the oracle the weights with which all ranks compute. */
    private void publish() {
        Map<String, double[]> published = new HashMap<>();
        for (int unit = 0; unit < units.count(); unit++) {
            double[] flat = flat(unit, masters);
            if (setup.weights()) {
                int shard = (int) units.layout(unit).shardElements();
                for (int first = 0; first < flat.length; first += shard) {
                    round(flat, first, first + shard, 512, 127);
                }
            }
            spread(unit, flat, published);
        }
        exchange(oracle.parameters(), (parameter, values) -> {
            double[] all = published.get(parameter.name());
            for (int i = 0; i < all.length; i++) {
                values.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) all[i]);
            }
            oracle.write(parameter, values);
        });
    }

    private void update(List<Map<String, double[]>> gradients) {
        double squares = 0;
        List<double[]> means = new ArrayList<>();
        for (int unit = 0; unit < units.count(); unit++) {
            double[] sum = sum(unit, gradients);
            for (int i = 0; i < sum.length; i++) {
                sum[i] /= setup.ranks();
                squares += sum[i] * sum[i];
            }
            means.add(sum);
        }
        double factor = Math.min(1, CLIP / (Math.sqrt(squares) + 1e-6)) * setup.learningRate();
        for (int unit = 0; unit < units.count(); unit++) {
            UnitLayout layout = units.layout(unit);
            for (Parameter parameter : layout.parameters()) {
                double[] master = masters.get(parameter);
                for (int i = 0; i < master.length; i++) {
                    master[i] -= factor * means.get(unit)[(int) layout.offset(parameter) + i];
                }
            }
        }
    }

    /** Host by host: what the ranks of a host have is rounded and summed; the hosts' sums are rounded and summed. */
    private double[] sum(int unit, List<Map<String, double[]>> gradients) {
        int shard = (int) units.layout(unit).shardElements();
        double[] sum = new double[shard * setup.ranks()];
        int hosts = setup.ranks() / setup.perHost();
        for (int host = 0; host < hosts; host++) {
            double[] ofHost = new double[sum.length];
            for (int place = 0; place < setup.perHost(); place++) {
                Map<Parameter, double[]> own = new HashMap<>();
                Map<String, double[]> named = gradients.get(host * setup.perHost() + place);
                units.parameters().forEach(parameter -> own.put(parameter, named.get(parameter.name())));
                add(roundedShards(flat(unit, own), shard), ofHost);
            }
            add(hosts > 1 ? roundedShards(ofHost, shard) : ofHost, sum);
        }
        return sum;
    }

    private double[] roundedShards(double[] flat, int shard) {
        for (int first = 0; setup.gradients() && first < flat.length; first += shard) {
            round(flat, first, first + shard, 256, 7);
        }
        return flat;
    }

    private static void add(double[] x, double[] sum) {
        for (int i = 0; i < sum.length; i++) {
            sum[i] = (float) (sum[i] + x[i]);
        }
    }

    private double[] flat(int unit, Map<Parameter, double[]> values) {
        UnitLayout layout = units.layout(unit);
        double[] flat = new double[(int) layout.paddedElements()];
        for (Parameter parameter : layout.parameters()) {
            double[] one = values.get(parameter);
            System.arraycopy(one, 0, flat, (int) layout.offset(parameter), one.length);
        }
        return flat;
    }

    private void spread(int unit, double[] flat, Map<String, double[]> named) {
        UnitLayout layout = units.layout(unit);
        for (Parameter parameter : layout.parameters()) {
            double[] one = new double[(int) parameter.elements()];
            System.arraycopy(flat, (int) layout.offset(parameter), one, 0, one.length);
            named.put(parameter.name(), one);
        }
    }

    /**
     * Every block to the nearest of its steps, of which its largest magnitude has so many. In F32: a host's sum of small multiples of two
     * scales often lies in the middle of two steps.
     */
    private static void round(double[] x, int first, int end, int block, int steps) {
        for (int from = first; from < end; from += block) {
            int to = Math.min(end, from + block);
            double largest = 0;
            for (int i = from; i < to; i++) {
                largest = Math.max(largest, Math.abs(x[i]));
            }
            float scale = Math.max((float) largest / steps, Float.MIN_NORMAL);
            for (int i = from; i < to; i++) {
                x[i] = (float) Math.rint((float) x[i] * (1 / scale)) * scale;
            }
        }
    }
}
