package ds.cli.checkpoint;

import ds.api.layer.Parameter;
import ds.api.layer.ParameterStore;
import ds.models.gpt.Gpt;
import ds.models.gpt.GptConfig;
import ds.models.gpt.HuggingFace;
import ds.zero.checkpoint.Checkpoint;
import ds.zero.checkpoint.Piece;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.function.LongConsumer;

/** The weights of a GPT in a checkpoint, read when they are asked for. */
public final class CheckpointWeights implements ParameterStore {
    private static final String SHAPE = "model.json";

    private final Checkpoint checkpoint;
    private final GptConfig shape;
    private final List<Parameter> parameters;
    private final LongConsumer progress;
    private long elementsDone;

    /**
     * Weights of a checkpoint that {@code ds train} has saved.
     *
     * @param progress told elements read so far
     * @throws ds.zero.checkpoint.CheckpointException if it does not say what model it is
     */
    public CheckpointWeights(Checkpoint checkpoint, LongConsumer progress) {
        this.checkpoint = checkpoint;
        checkpoint.text(SHAPE); // verified: what is parsed below is what was written
        Path file = checkpoint.folder().resolve(SHAPE);
        this.shape = HuggingFace.readConfigFile(file);
        this.parameters = new Gpt(shape).layers().parameters();
        this.progress = progress;
        for (Parameter parameter : parameters) {
            if (!parameter.shape().equals(checkpoint.parameters().get(parameter.name()))) {
                throw new IllegalArgumentException(file + ": describes a model whose " + parameter
                        + " is not in the checkpoint; restore the file from a copy");
            }
        }
    }

    /** {@return the shape of the model} */
    public GptConfig shape() {
        return shape;
    }

    @Override
    public List<Parameter> parameters() {
        return parameters;
    }

    @Override
    public void read(Parameter parameter, MemorySegment target) {
        checkpoint.read(Piece.MASTER, parameter.name(), target);
        elementsDone += parameter.elements();
        progress.accept(elementsDone);
    }

    @Override
    public void write(Parameter parameter, MemorySegment source) {
        throw new UnsupportedOperationException(checkpoint.folder() + ": a checkpoint is not changed");
    }
}
