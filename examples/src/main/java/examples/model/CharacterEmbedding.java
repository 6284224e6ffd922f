package examples.model;

import ds.api.Shape;
import ds.api.Tensor;
import ds.api.layer.Initializer;
import ds.api.layer.Layer;
import ds.api.layer.Parameter;
import ds.api.layer.Pass;
import ds.api.layer.Saved;
import java.util.List;

/** From characters I32 {@code [B, T]} to their vectors side by side, {@code [B, T·C]}. */
final class CharacterEmbedding implements Layer {
    private final Parameter table; // [V, C]

    CharacterEmbedding(int vocabulary, int channels) {
        this.table = new Parameter("embedding.table", Shape.of(vocabulary, channels), new Initializer.Normal(0, 1));
    }

    @Override
    public String name() {
        return "embedding";
    }

    @Override
    public List<Parameter> parameters() {
        return List.of(table);
    }

    @Override
    public Tensor forward(Pass pass, Tensor characters, Saved saved) {
        long b = characters.shape().rows();
        long t = characters.shape().columns();
        Tensor y = pass.keep(b * t, table.shape().columns());
        pass.kernels().gatherRows(pass.weight(table), characters, y);
        saved.push(characters);
        return y.reshape(b, t * table.shape().columns());
    }

    @Override
    public Tensor backward(Pass pass, Tensor dy, Saved saved) {
        Tensor characters = saved.pop();
        Tensor rows = dy.reshape(characters.elements(), table.shape().columns());
        pass.kernels().scatterAddRows(rows, characters, pass.gradient(table));
        return dy;
    }
}
