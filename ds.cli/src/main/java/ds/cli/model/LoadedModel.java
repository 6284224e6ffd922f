package ds.cli.model;

import ds.api.DType;
import ds.api.TensorBackend;
import ds.api.layer.LocalWeights;
import ds.models.gpt.Generator;
import ds.models.gpt.Gpt;
import ds.models.gpt.GptConfig;
import ds.models.gpt.HuggingFace;
import java.nio.file.Path;

/** A model of a folder, its weights on one device and without gradients. Owns the weights, borrows the backend. */
public final class LoadedModel implements AutoCloseable {
    private final Gpt gpt;
    private final TensorBackend backend;
    private final LocalWeights weights;
    private final DType dtype;

    private LoadedModel(Gpt gpt, TensorBackend backend, DType dtype) {
        this.gpt = gpt;
        this.backend = backend;
        this.dtype = dtype;
        this.weights =
                LocalWeights.withoutGradients(backend, dtype, gpt.layers().parameters());
    }

    /**
     * {@return the model; the caller closes it}
     *
     * @param folder in Hugging Face layout
     * @param dtype of the weights and of computation: F32 or BF16
     * @throws ds.models.gpt.ModelFileException if the folder's files cannot be used
     */
    public static LoadedModel open(Path folder, TensorBackend backend, DType dtype) {
        GptConfig config = HuggingFace.readConfig(folder).withDropout(GptConfig.Rates.NONE);
        var model = new LoadedModel(new Gpt(config), backend, dtype);
        try {
            HuggingFace.read(folder, model.weights);
            return model;
        } catch (RuntimeException e) {
            model.close();
            throw e;
        }
    }

    /** {@return its shape} */
    public GptConfig config() {
        return gpt.config();
    }

    /** {@return a generator, which the caller closes before this model} */
    public Generator generator() {
        return new Generator(gpt, backend, weights, dtype);
    }

    @Override
    public void close() {
        weights.close();
    }
}
