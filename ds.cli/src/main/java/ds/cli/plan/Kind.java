package ds.cli.plan;

import java.util.Set;

/** What memory is for, as the ZeRO paper groups it; each kind has the labels of its buffers. */
enum Kind {
    WEIGHTS("weights", Set.of("weights", "gatheredWeights")),
    GRADIENTS("gradients", Set.of("gradients", "gradientBuckets", "communicationBuckets")),
    OPTIMIZER("optimizer states", Set.of("masterWeights", "optimizerStates", "swapBuffers")),
    ACTIVATIONS("activations", Set.of("activations", "recomputed", "offloadedActivations")),
    CHECKPOINTS("checkpoint copy", Set.of("checkpoint")),
    /** Whatever is of no other kind. */
    WORK("work memory", Set.of());

    private final String words;
    private final Set<String> labels;

    Kind(String words, Set<String> labels) {
        this.words = words;
        this.labels = labels;
    }

    static Kind of(String label) {
        for (Kind kind : values()) {
            if (kind.labels.contains(label)) {
                return kind;
            }
        }
        return WORK;
    }

    @Override
    public String toString() {
        return words;
    }
}
