package ds.cli.plan;

import ds.zero.config.ByteSize;
import ds.zero.config.ZeroStage;
import ds.zero.plan.ModelStates;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import java.util.OptionalLong;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Weights, gradients and optimizer states of a number of parameters, by the formulas; what activations and buffers take comes on
 * top, and needs a configuration.
 *
 * @param parameters Ψ
 * @param ranks N
 * @param stages in question, at least one
 * @param states bytes of a parameter
 * @param dtype its name, for the reader
 * @param memoryBytes of one rank, if what fits is asked for
 */
public record StatesReport(
        long parameters,
        int ranks,
        List<ZeroStage> stages,
        ModelStates states,
        String dtype,
        OptionalLong memoryBytes) {
    /** Prints it for people, in powers of 1000 as the paper does. */
    public void print(PrintWriter out) {
        out.printf(
                Locale.ROOT,
                "%s parameters on %s, %s;%n%d + %d + %d bytes of weight, gradient and optimizer states for each%n",
                Amounts.count(parameters),
                Amounts.of(ranks, "rank"),
                dtype,
                states.weightBytes(),
                states.gradientBytes(),
                states.optimizerBytes());
        out.println();
        out.printf(
                Locale.ROOT,
                "%-7s %10s %10s %10s %11s %11s%n",
                "stage",
                "weights",
                "gradients",
                "optimizer",
                "on a rank",
                "less by");
        long whole = states.perRank(parameters, ranks, ZeroStage.DISABLED).total();
        for (ZeroStage stage : stages) {
            ModelStates.PerRank bytes = states.perRank(parameters, ranks, stage);
            out.printf(
                    Locale.ROOT,
                    "%-7d %10s %10s %10s %11s %10.1fx%n",
                    stage.number(),
                    ByteSize.inDecimal(bytes.weights()),
                    ByteSize.inDecimal(bytes.gradients()),
                    ByteSize.inDecimal(bytes.optimizer()),
                    ByteSize.inDecimal(bytes.total()),
                    (double) whole / bytes.total());
        }
        memoryBytes.ifPresent(memory -> printFit(out, memory));
        out.println();
        out.printf(Locale.ROOT, "Activations and buffers come on top: `ds plan --config FILE` plans a whole run.%n");
    }

    private void printFit(PrintWriter out, long memory) {
        out.println();
        String given = ByteSize.inDecimal(memory);
        out.printf(
                Locale.ROOT,
                "%-7s %10s %26s %22s%n",
                "stage",
                "in " + given,
                "this model needs at least",
                "largest on " + Amounts.of(ranks, "rank"));
        for (ZeroStage stage : stages) {
            long total = states.perRank(parameters, ranks, stage).total();
            long fewest = states.fewestRanks(parameters, memory, stage);
            out.printf(
                    Locale.ROOT,
                    "%-7d %10s %26s %22s%n",
                    stage.number(),
                    total <= memory ? "fits" : "no",
                    fewest == 0 ? "more memory" : Amounts.of(fewest, "rank"),
                    Amounts.count(states.mostParameters(memory, ranks, stage)));
        }
    }

    /** {@return the same as JSON; of one stage its numbers stand at the top} */
    public String toJson() {
        ObjectNode root = JsonMapper.shared().createObjectNode();
        root.put("parameters", parameters);
        root.put("ranks", ranks);
        root.put("dtype", dtype);
        memoryBytes.ifPresent(memory -> root.put("memory_bytes", memory));
        if (stages.size() == 1) {
            describe(root, stages.getFirst());
        } else {
            ArrayNode all = root.putArray("stages");
            stages.forEach(stage -> describe(all.addObject(), stage));
        }
        return JsonMapper.shared().writerWithDefaultPrettyPrinter().writeValueAsString(root);
    }

    private void describe(ObjectNode node, ZeroStage stage) {
        ModelStates.PerRank bytes = states.perRank(parameters, ranks, stage);
        node.put("stage", stage.number());
        node.put("model_state_bytes_per_rank", bytes.total());
        node.put("weight_bytes", bytes.weights());
        node.put("gradient_bytes", bytes.gradients());
        node.put("optimizer_bytes", bytes.optimizer());
        memoryBytes.ifPresent(memory -> {
            node.put("fits", bytes.total() <= memory);
            node.put("fewest_ranks", states.fewestRanks(parameters, memory, stage));
            node.put("most_parameters", states.mostParameters(memory, ranks, stage));
        });
    }
}
