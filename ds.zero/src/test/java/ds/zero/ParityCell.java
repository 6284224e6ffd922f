package ds.zero;

import ds.zero.config.ZeroConfig;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * One combination of everything that the parity law is about.
 *
 * @param stage 0 to 3
 * @param ranks N
 * @param accumulation micro-batches of a step on each rank
 * @param type of weights and activations
 * @param offload what lies in files
 * @param checkpointing whether the hidden layers' activations are recomputed
 */
record ParityCell(int stage, int ranks, int accumulation, Type type, Offload offload, boolean checkpointing) {
    static final double LEARNING_RATE = 0.1;

    /** The precisions, and how much they round. */
    enum Type {
        FP32("", Math.scalb(72.0, -24)), // sums of 72 rows, in another order
        BF16("\"bf16\": {\"enabled\": true},", Math.scalb(1.0, -8)),
        FP16("\"fp16\": {\"enabled\": true, \"loss_scale\": 128},", Math.scalb(1.0, -11));

        private final String json;
        private final double rounding;

        Type(String json, double rounding) {
            this.json = json;
            this.rounding = rounding;
        }

        String json() {
            return json;
        }

        /** {@return the largest relative error of one rounding} */
        double rounding() {
            return rounding;
        }
    }

    /** What lies in files between its uses. */
    enum Offload {
        NONE,
        OPTIMIZER,
        OPTIMIZER_AND_PARAMETERS
    }

    /** {@return all combinations with this type, whether or not a configuration may have them} */
    static List<ParityCell> all(Type type) {
        List<ParityCell> cells = new ArrayList<>();
        for (int stage : new int[] {0, 1, 2, 3}) {
            for (int ranks : new int[] {1, 2, 3, 4}) {
                for (int accumulation : new int[] {1, 3}) {
                    for (Offload offload : Offload.values()) {
                        cells.add(new ParityCell(stage, ranks, accumulation, type, offload, false));
                        cells.add(new ParityCell(stage, ranks, accumulation, type, offload, true));
                    }
                }
            }
        }
        return cells;
    }

    /** {@return stage 0 on one rank, which makes a step of one micro-batch} */
    static ParityCell reference(Type type) {
        return new ParityCell(0, 1, 1, type, Offload.NONE, false);
    }

    /** {@return the paths of the keys for which a configuration is refused; none if the combination is valid} */
    List<String> refused() {
        List<String> keys = new ArrayList<>();
        if (offload != Offload.NONE
                && stage == 0) { // nothing is sharded: a rank would write what all others write, too
            keys.add("zero_optimization.offload_optimizer.device");
        }
        if (offload == Offload.OPTIMIZER_AND_PARAMETERS && stage < 3) { // whole weights are read all the time
            keys.add("zero_optimization.offload_param.device");
        }
        return keys;
    }

    /**
     * Cells of one name sum in the same order, and so have the same bits, whatever they offload or recompute. Without accumulation
     * a gradient is rounded, summed over ranks and rounded at every stage. With it stages 0 and 1 add a micro-batch's rows to the
     * sum of those before, and sum over ranks at the end; stages 2 and 3 begin each micro-batch with nothing, round
     * what it comes to, and add that over all ranks: another order even on one rank.
     */
    String order() {
        boolean ranksFirst = stage >= 2 && accumulation > 1;
        return ranks + " ranks, " + accumulation + " micro-batches, " + (ranksFirst ? "ranks first" : "ranks last");
    }

    /** {@return whether it sums in the order of the reference} */
    boolean sumsAsReference() {
        return order().equals(reference(type).order());
    }

    /** Cells of one name send the same: what is in files is the rank's own affair, what is recomputed is gathered again. */
    String traffic() {
        return "stage " + stage + ", " + ranks + " ranks, " + accumulation + " micro-batches"
                + (checkpointing && stage == 3 ? ", recomputed" : "");
    }

    /**
     * How far a gradient may be from the reference's, as a part of it. Each micro-batch's gradient is rounded when it is kept and
     * when it is added to others, each sum when it has travelled; twice in the reference. Weights that so come to round the other
     * way change what each of the three layers computes by a rounding of its input and one of its weight: six more.
     */
    double gradientBound() {
        return (2 * accumulation + 2 + 2 + 6) * type.rounding;
    }

    /** How far a weight may be: every step adds the error of a gradient, as a part of the learning rate. */
    double weightBound() {
        return ZeroRun.STEPS * LEARNING_RATE * gradientBound();
    }

    /** {@return the run's configuration, with an update as large as a rate says and files in a folder} */
    ZeroRun.Setup setup(double learningRate, Path folder) {
        String adam =
                "\"optimizer\": {\"type\": \"AdamW\", \"params\": {\"lr\": %s, \"eps\": 1, \"weight_decay\": 0.1}},"
                        .formatted(learningRate);
        String recomputed = checkpointing ? "\"activation_checkpointing\": {\"number_checkpoints\": 2}," : "";
        return new ZeroRun.Setup(stage, ranks, accumulation, adam + type.json + zero(folder) + recomputed);
    }

    /** Tiles of 24 elements: a unit's shard has several, and a parameter lies in two. At stage 3 nothing stays gathered. */
    private String zero(Path folder) {
        String nvme = "{\"device\": \"nvme\", \"nvme_path\": \"%s\", \"buffer_count\": 3}".formatted(folder);
        String files = switch (offload) {
            case NONE -> "";
            case OPTIMIZER -> ", \"offload_optimizer\": " + nvme;
            case OPTIMIZER_AND_PARAMETERS -> ", \"offload_optimizer\": " + nvme + ", \"offload_param\": " + nvme;
        };
        return """
                "zero_optimization": {"stage": %d, "stage3_param_persistence_threshold": 0, "stage3_max_reuse_distance": 0,
                 "sub_group_size": 24%s},
                """.formatted(stage, files);
    }

    /** {@return what the cell's configuration says; throws where it is refused} */
    ZeroConfig config(Path folder) {
        return setup(LEARNING_RATE, folder).config();
    }

    ZeroRun run(Path folder) throws Exception {
        return ZeroRun.of(setup(LEARNING_RATE, folder));
    }
}
