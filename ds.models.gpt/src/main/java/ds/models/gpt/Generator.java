package ds.models.gpt;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.layer.Batch;
import ds.api.layer.Pass;
import ds.api.layer.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntPredicate;

/**
 * Continues a text token by token, with the keys and values of earlier positions cached. When the model's positions are used
 * up, the later half of the text is read again and the rest is forgotten. Of a split model all ranks make the same calls, and get the
 * same tokens. Owns its memory.
 */
public final class Generator implements AutoCloseable {
    private final Gpt gpt;
    private final TensorBackend backend;
    private final Pass pass;
    private final DType dtype;
    private final List<Buffer> cache = new ArrayList<>();
    private final Arena arena = Arena.ofShared();
    private final MemorySegment host;
    private final Tensor tokenBuffer;
    private long past;

    /**
     * Allocates the cache: 2·L·P·C elements, shared by the ranks of a split model.
     *
     * @param weights of the model, borrowed for the generator's life
     * @param dtype of the weights, and of activations and cache
     */
    public Generator(Gpt gpt, TensorBackend backend, Weights weights, DType dtype) {
        GptConfig config = gpt.config();
        this.gpt = gpt;
        this.backend = backend;
        this.dtype = dtype;
        this.pass = new Pass(backend, dtype, weights);
        long bytes = config.positions() * gpt.attentionChannels() * dtype.byteSize();
        for (int i = 0; i < 2 * config.layers(); i++) {
            cache.add(backend.allocate(bytes, "keyValueCache"));
        }
        this.tokenBuffer = backend.allocate(DType.I32, Shape.of(1, config.positions()), "keyValueCache");
        this.host = arena.allocate(Math.max(config.positions(), config.vocabulary()) * Integer.BYTES, 64);
    }

    /**
     * Draws tokens until there are enough or {@code accept} ends it.
     *
     * @param prompt at least one token, each in [0, V)
     * @param most tokens to draw
     * @param accept gets each token as it is drawn; false ends the text after it
     * @return the tokens drawn
     */
    public int[] generate(int[] prompt, int most, Sampling sampling, IntPredicate accept) {
        if (prompt.length == 0) {
            throw new IllegalArgumentException(
                    "the prompt has no tokens; give at least one, such as the end-of-text token");
        }
        int[] text = Arrays.copyOf(prompt, prompt.length + most);
        int length = prompt.length;
        int positions = Math.toIntExact(gpt.config().positions());
        int read = Math.max(0, length - positions); // a prompt that is too long loses its beginning
        past = 0;
        while (length < text.length) {
            if (past == positions) {
                past = 0;
                read = length - Math.max(1, positions / 2);
            }
            float[] logits = decode(text, read, length);
            read = length;
            text[length] = sampling.draw(logits, length);
            length++;
            if (!accept.test(text[length - 1])) {
                break;
            }
        }
        return Arrays.copyOfRange(text, prompt.length, length);
    }

    /** {@return the logits that follow tokens [from, to), which are appended to the cache} */
    private float[] decode(int[] text, int from, int to) {
        int count = to - from;
        MemorySegment.copy(text, from, host, ValueLayout.JAVA_INT, 0, count);
        Tensor tokens = tokenBuffer.slice(0, 1, count);
        backend.upload(host.asSlice(0, tokens.byteSize()), tokens, backend.computeStream());
        pass.beginEvaluation(Batch.of(tokens));
        Tensor x = gpt.embedding().decode(pass, tokens, past);
        for (int i = 0; i < gpt.config().layers(); i++) {
            x = gpt.blocks().get(i).decode(pass, x, new KeyValueCache(cached(2 * i), cached(2 * i + 1), past));
        }
        Tensor logits = gpt.head().decode(pass, x);
        MemorySegment target = host.asSlice(0, logits.byteSize());
        backend.download(logits, target, backend.computeStream());
        backend.computeStream().synchronize();
        past += count;
        return target.toArray(ValueLayout.JAVA_FLOAT);
    }

    private Tensor cached(int i) {
        return new Tensor(cache.get(i), dtype, Shape.of(1, gpt.config().positions(), gpt.attentionChannels()));
    }

    @Override
    public void close() {
        pass.close();
        cache.forEach(Buffer::close);
        tokenBuffer.buffer().close();
        arena.close();
    }
}
