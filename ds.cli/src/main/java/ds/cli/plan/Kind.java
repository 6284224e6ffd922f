package ds.cli.plan;

/** What memory is for, as the ZeRO paper groups it. */
enum Kind {
    WEIGHTS("weights"),
    GRADIENTS("gradients"),
    OPTIMIZER("optimizer states"),
    ACTIVATIONS("activations"),
    CHECKPOINTS("checkpoint copy"),
    /** Whatever is of no other kind. */
    WORK("work memory");

    private final String words;

    Kind(String words) {
        this.words = words;
    }

    /** {@return the kind of buffers with this label} */
    static Kind of(String label) {
        return switch (label) {
            case "weights", "gatheredWeights", "secondaryWeights", "quantizedWeights" -> WEIGHTS;
            case "gradients", "gradientBuckets", "communicationBuckets", "signs", "quantizedGradients" -> GRADIENTS;
            case "masterWeights", "optimizerStates", "swapBuffers", "offloadBuffers", "compressionErrors" -> OPTIMIZER;
            case "activations", "recomputed", "offloadedActivations" -> ACTIVATIONS;
            case "checkpoint" -> CHECKPOINTS;
            default -> WORK;
        };
    }

    @Override
    public String toString() {
        return words;
    }
}
