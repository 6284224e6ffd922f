package ds.models.gpt;

import ds.api.CounterRandom;
import ds.api.Dropout;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.layer.Initializer;
import ds.api.layer.Layer;
import ds.api.layer.Parameter;
import ds.api.layer.Pass;
import ds.api.layer.Saved;
import java.util.List;

/** Token plus position embedding, with dropout: token ids {@code [B, T]} to {@code [B, T, C]}. */
final class TokenEmbedding implements Layer {
    private static final long DROPOUT_SITE = CounterRandom.part("embedding");

    private final GptConfig config;
    private final Parameter tokenTable;
    private final Parameter positionTable;

    TokenEmbedding(GptConfig config) {
        this.config = config;
        Initializer normal = new Initializer.Normal(0, 0.02);
        this.tokenTable = new Parameter("wte.weight", Shape.of(config.vocabulary(), config.channels()), normal);
        this.positionTable = new Parameter("wpe.weight", Shape.of(config.positions(), config.channels()), normal);
    }

    /** {@return {@code [V, C]}; the head projects with it as well} */
    Parameter tokenTable() {
        return tokenTable;
    }

    @Override
    public String name() {
        return "embedding";
    }

    @Override
    public List<Parameter> parameters() {
        return List.of(tokenTable, positionTable);
    }

    @Override
    public List<Parameter> readInBackward() {
        return List.of();
    }

    @Override
    public Tensor forward(Pass pass, Tensor tokens, Saved saved) {
        long time = tokens.shape().columns();
        if (time > config.positions()) {
            throw new IllegalArgumentException("sequences of " + time + " tokens, but the model has "
                    + config.positions() + " positions; shorten the sequences or build the model with more positions");
        }
        Tensor y = pass.keep(tokens.shape().rows(), time, config.channels());
        pass.kernels().embedding(tokens, pass.weight(tokenTable), pass.weight(positionTable), y);
        Dropout dropout = dropout(pass, time);
        if (dropout.active()) {
            pass.kernels().dropout(y, dropout, y);
        }
        return y;
    }

    @Override
    public Tensor backward(Pass pass, Tensor dy, Saved saved) {
        Tensor tokens = pass.batch().inputs();
        Dropout dropout = dropout(pass, tokens.shape().columns());
        if (dropout.active()) {
            pass.kernels().dropout(dy, dropout, dy);
        }
        pass.kernels().embeddingBackward(dy, tokens, pass.gradient(tokenTable), pass.gradient(positionTable));
        return dy;
    }

    /** Embeds new tokens of sequences that already have {@code past} ones, for generation. */
    Tensor decode(Pass pass, Tensor tokens, long past) {
        Tensor positions = pass.weight(positionTable).rows(past, tokens.shape().columns());
        Tensor y = pass.keep(tokens.shape().rows(), tokens.shape().columns(), config.channels());
        pass.kernels().embedding(tokens, pass.weight(tokenTable), positions, y);
        return y;
    }

    private Dropout dropout(Pass pass, long time) {
        return pass.dropout(config.dropout().embedding(), DROPOUT_SITE, time * config.channels());
    }
}
