package ds.models.gpt;

import ds.api.comm.Communicator;
import ds.api.layer.Layer;
import ds.api.layer.Sequential;
import ds.models.gpt.parallel.TensorAxis;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A GPT as a sequence of layers: embedding, blocks, head. Each is a unit of sharding.
 *
 * <p>A batch's inputs and targets are token ids I32 {@code [B, T]}, each in [0, V); whoever makes batches checks that.
 */
public final class Gpt {
    private final GptConfig config;
    private final TensorAxis axis;
    private final TokenEmbedding embedding;
    private final List<TransformerBlock> blocks;
    private final LanguageModelHead head;

    /** Describes the model; nothing is allocated. */
    public Gpt(GptConfig config) {
        this(config, TensorAxis.UNSPLIT);
    }

    /**
     * Describes one rank's part of a model that is split over ranks; nothing is allocated. All of them see the same batches.
     *
     * @param tensorParallel the ranks, borrowed for the life of the layers; empty for a whole model
     * @throws IllegalArgumentException if there are too many ranks for the heads or the vocabulary
     */
    public Gpt(GptConfig config, Optional<Communicator> tensorParallel) {
        this(config, tensorParallel.map(TensorAxis::of).orElse(TensorAxis.UNSPLIT));
    }

    private Gpt(GptConfig config, TensorAxis axis) {
        config.requireSplits(axis.size());
        this.config = config;
        this.axis = axis;
        this.embedding = new TokenEmbedding(config, axis);
        this.blocks = new ArrayList<>();
        for (int i = 0; i < config.layers(); i++) {
            blocks.add(new TransformerBlock(config, axis, i));
        }
        this.head = new LanguageModelHead(config, embedding.vocabulary());
    }

    /** {@return its shape} */
    public GptConfig config() {
        return config;
    }

    /** {@return the layers, to be trained: the last one returns the loss, or logits for a batch without targets} */
    public Sequential layers() {
        List<Layer> layers = new ArrayList<>();
        layers.add(embedding);
        layers.addAll(blocks);
        layers.add(head);
        return new Sequential("gpt", layers);
    }

    /** {@return how many channels of keys and values this rank has} */
    long attentionChannels() {
        return axis.shareOf(config.heads()).count() * config.headSize();
    }

    TokenEmbedding embedding() {
        return embedding;
    }

    List<TransformerBlock> blocks() {
        return blocks;
    }

    LanguageModelHead head() {
        return head;
    }
}
