package ds.models.gpt;

import ds.api.layer.Layer;
import ds.api.layer.Sequential;
import java.util.ArrayList;
import java.util.List;

/**
 * A GPT as a sequence of layers: embedding, blocks, head. Each is a unit of sharding.
 *
 * <p>A batch's inputs and targets are token ids I32 {@code [B, T]}, each in [0, V); whoever makes batches checks that.
 */
public final class Gpt {
    private final GptConfig config;
    private final TokenEmbedding embedding;
    private final List<TransformerBlock> blocks;
    private final LanguageModelHead head;

    /** Describes the model; nothing is allocated. */
    public Gpt(GptConfig config) {
        this.config = config;
        this.embedding = new TokenEmbedding(config);
        this.blocks = new ArrayList<>();
        for (int i = 0; i < config.layers(); i++) {
            blocks.add(new TransformerBlock(config, i));
        }
        this.head = new LanguageModelHead(config, embedding.tokenTable());
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
