package ds.models.gpt;

import ds.api.CoreKernels.Binary;
import ds.api.CoreKernels.Broadcast;
import ds.api.CounterRandom;
import ds.api.Dropout;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.layer.Batch;
import ds.api.layer.GradientRows;
import ds.api.layer.Initializer;
import ds.api.layer.Layer;
import ds.api.layer.Parameter;
import ds.api.layer.Pass;
import ds.api.layer.Saved;
import ds.models.gpt.parallel.TensorAxis;
import ds.models.gpt.parallel.TokenRows;
import ds.models.gpt.parallel.Vocabulary;
import java.util.List;
import java.util.Optional;

/** Token plus position embedding, with dropout: token ids {@code [B, T]} to {@code [B·T, C]}. */
final class TokenEmbedding implements Layer {
    private static final long DROPOUT_SITE = CounterRandom.part("embedding");

    private final GptConfig config;
    private final Vocabulary vocabulary;
    private final Parameter positionTable;

    TokenEmbedding(GptConfig config, TensorAxis axis) {
        this.config = config;
        this.vocabulary = Vocabulary.of(axis, "wte.weight", config.vocabulary(), config.channels());
        this.positionTable = new Parameter(
                "wpe.weight", Shape.of(config.positions(), config.channels()), new Initializer.Normal(0, 0.02));
    }

    /** {@return {@code [V, C]}; the head projects with it as well} */
    Vocabulary vocabulary() {
        return vocabulary;
    }

    @Override
    public String name() {
        return "embedding";
    }

    @Override
    public List<Parameter> parameters() {
        return List.of(vocabulary.table(), positionTable);
    }

    @Override
    public List<Parameter> readInBackward() {
        return List.of();
    }

    @Override
    public Optional<GradientRows> gradientRows(Batch batch) {
        return vocabulary.axis().isSplit()
                ? Optional.empty() // rows of a part of the table
                : Optional.of(new GradientRows(vocabulary.table(), batch.inputs()));
    }

    @Override
    public Tensor forward(Pass pass, Tensor tokens, Saved saved) {
        long time = tokens.shape().columns();
        if (time > config.positions()) {
            throw new IllegalArgumentException("sequences of " + time + " tokens, but the model has "
                    + config.positions() + " positions; shorten the sequences or build the model with more positions");
        }
        TokenRows rows = vocabulary.axis().rowsOf(tokens.elements());
        Tensor y = pass.keep(rows.own(), config.channels());
        embed(pass, tokens, rows, y);
        Dropout dropout = dropout(pass, rows, time);
        if (dropout.active()) {
            pass.kernels().dropout(y, dropout, y);
        }
        return y;
    }

    private void embed(Pass pass, Tensor tokens, TokenRows rows, Tensor y) {
        if (!rows.axis().isSplit()) {
            pass.kernels().embedding(tokens, pass.weight(vocabulary.table()), pass.weight(positionTable), y);
            return;
        }
        long mark = pass.mark();
        Tensor sum = embedOwn(pass, tokens, rows);
        pass.kernels().copy(rows.part(sum), y);
        pass.release(mark);
        addPositions(pass, rows, tokens.shape().columns(), 0, y);
    }

    /** {@return the sum over the ranks of the rows that each has of the table, in scratch memory} */
    private Tensor embedOwn(Pass pass, Tensor tokens, TokenRows rows) {
        Tensor sum = pass.scratch(rows.all(), config.channels());
        vocabulary.lookUp(pass, vocabulary.own(pass, tokens), sum);
        TokenRows.await(pass, rows.sum(pass, sum, "token embedding"));
        return sum;
    }

    /** Adds the positions of this rank's rows, which may begin and end within a sequence. */
    private void addPositions(Pass pass, TokenRows rows, long time, long past, Tensor y) {
        Tensor positions = pass.weight(positionTable);
        for (long row = 0; row < rows.own(); ) {
            long position = (rows.first() + row) % time;
            long count = Math.min(time - position, rows.own() - row);
            Tensor some = y.rows(row, count);
            pass.kernels().binary(Binary.ADD, some, positions.rows(past + position, count), Broadcast.NONE, some);
            row += count;
        }
    }

    @Override
    public Tensor backward(Pass pass, Tensor dy, Saved saved) {
        Tensor tokens = pass.batch().inputs();
        TokenRows rows = vocabulary.axis().rowsOf(tokens.elements());
        Dropout dropout = dropout(pass, rows, tokens.shape().columns());
        if (dropout.active()) {
            pass.kernels().dropout(dy, dropout, dy);
        }
        if (!rows.axis().isSplit()) {
            pass.kernels()
                    .embeddingBackward(dy, tokens, pass.gradient(vocabulary.table()), pass.gradient(positionTable));
            return dy;
        }
        long mark = pass.mark();
        Tensor all = dy;
        if (rows.areDealt()) {
            all = pass.scratch(rows.all(), config.channels());
            pass.kernels().copy(dy, rows.part(all));
            rows.gather(pass, all, "token embedding gradient");
        }
        long time = tokens.shape().columns();
        for (long row = 0; row < rows.all(); row += time) { // on every rank, so that all have the same gradient
            pass.kernels()
                    .axpby(
                            1,
                            all.rows(row, time),
                            1,
                            pass.gradient(positionTable).rows(0, time));
        }
        vocabulary.addGradient(pass, vocabulary.own(pass, tokens), all);
        pass.release(mark);
        return dy;
    }

    /** Embeds new tokens of sequences that already have {@code past} ones, for generation; every rank has all rows. */
    Tensor decode(Pass pass, Tensor tokens, long past) {
        long time = tokens.shape().columns();
        Tensor y = pass.keep(tokens.shape().rows(), time, config.channels());
        TokenRows rows = vocabulary.axis().repeatedRows(tokens.elements());
        if (!rows.axis().isSplit()) {
            Tensor positions = pass.weight(positionTable).rows(past, time);
            pass.kernels().embedding(tokens, pass.weight(vocabulary.table()), positions, y);
            return y;
        }
        long mark = pass.mark();
        pass.kernels().copy(embedOwn(pass, tokens, rows), y);
        pass.release(mark);
        addPositions(pass, rows, time, past, y);
        return y;
    }

    private Dropout dropout(Pass pass, TokenRows rows, long time) {
        return pass.dropout(config.dropout().embedding(), DROPOUT_SITE, time * config.channels())
                .from(rows.first() * config.channels());
    }
}
