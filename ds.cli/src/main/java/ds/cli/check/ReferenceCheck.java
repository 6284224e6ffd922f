package ds.cli.check;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Call;
import ds.api.comm.ReduceOp;
import ds.api.comm.Rendezvous;
import ds.api.layer.Batch;
import ds.api.layer.Parameter;
import ds.models.gpt.Gpt;
import ds.models.gpt.GptConfig;
import ds.models.gpt.HuggingFace;
import ds.safetensors.SafetensorsFile;
import ds.zero.Mesh;
import ds.zero.ZeroEngine;
import ds.zero.config.Known;
import ds.zero.config.LearningRateSchedule;
import ds.zero.config.ZeroConfig;
import ds.zero.run.Stack;
import ds.zero.run.StepResult;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Repeats the run of a reference folder on this rank's part of every step, and measures the differences.
 *
 * <p>The {@code B * accumulation} sequences of a step are dealt to the ranks in blocks, so that the ranks must divide them; each
 * rank cuts its block into as many equal micro-batches as divide both it and the reference's accumulation.
 */
public final class ReferenceCheck {
    private final CheckSetup setup;
    private final Reference reference;
    private final GptConfig shape;
    private final int[][] tokens;
    private final TensorBackend backend;
    private final Mesh mesh;

    private ReferenceCheck(CheckSetup setup, Reference reference, TensorBackend backend, Mesh mesh) {
        this.setup = setup;
        this.reference = reference;
        this.shape = HuggingFace.readConfig(setup.folder()).withDropout(GptConfig.Rates.NONE);
        this.tokens = reference.tokens();
        this.backend = backend;
        this.mesh = mesh;
        checkTokens();
    }

    /**
     * Runs on one rank of a job; all ranks run it.
     *
     * @return rank 0: a line of JSON, and whether all is within the bounds; on other ranks the line is for nobody
     */
    public static Outcome run(CheckSetup setup, Rendezvous rendezvous) {
        Reference reference = Reference.read(setup.folder());
        int split = setup.tensorParallel();
        if (split < 1 || rendezvous.worldSize() % split != 0) {
            throw new IllegalArgumentException("--tensor-parallel = " + split + ": must divide the "
                    + rendezvous.worldSize() + " ranks; start a multiple of it by --ranks");
        }
        int dealt = rendezvous.worldSize() / split;
        if (reference.sequencesPerStep() % dealt != 0) {
            throw new IllegalArgumentException("--ranks = " + rendezvous.worldSize() + ": must"
                    + (split == 1 ? "" : ", divided by --tensor-parallel = " + split + ",") + " divide the "
                    + reference.sequencesPerStep() + " sequences of a step (B = " + reference.batch()
                    + ", accumulation = "
                    + reference.accumulation() + ")");
        }
        ZeroConfig first = config(setup, reference, rendezvous.worldSize(), 1, 1);
        try (Stack stack = Stack.open(first.runtime(), rendezvous);
                Mesh mesh = Mesh.of(stack, first.tensorParallel())) {
            CheckResult result = new ReferenceCheck(setup, reference, stack.backend(), mesh).measure();
            return new Outcome(result.toJson(setup, rendezvous.worldSize()), result.ok(setup.dtype()));
        }
    }

    /**
     * What a check found.
     *
     * @param json one line
     * @param ok whether all is within the bounds
     */
    public record Outcome(String json, boolean ok) {}

    private void checkTokens() {
        int largest = Arrays.stream(tokens).flatMapToInt(Arrays::stream).max().orElse(0);
        if (largest >= shape.vocabulary()) {
            throw new IllegalArgumentException(setup.folder() + ": tokens.safetensors has token " + largest
                    + ", the model's vocabulary is " + shape.vocabulary());
        }
    }

    private static ZeroConfig config(CheckSetup setup, Reference reference, int ranks, int micro, int accumulation) {
        Map<String, Object> values = new TreeMap<>();
        values.put("train_micro_batch_size_per_gpu", micro);
        values.put("gradient_accumulation_steps", accumulation);
        values.put("gradient_clipping", reference.clip());
        values.put("bf16", Map.of("enabled", setup.dtype() == DType.BF16));
        // A fixed scale: a dynamic one starts with steps that overflow and are skipped, which the trace has not.
        values.put("fp16", Map.of("enabled", setup.dtype() == DType.F16, "loss_scale", 128));
        // Of small references, too, stage 3 keeps nothing gathered.
        values.put(
                "zero_optimization",
                Map.of(
                        "stage",
                        setup.stage(),
                        "stage3_param_persistence_threshold",
                        0,
                        "stage3_max_reuse_distance",
                        0));
        values.put("tensor_parallel", Map.of("autotp_size", setup.tensorParallel()));
        values.put("ds", Map.of("backend", setup.backend(), "communicator", setup.communicator()));
        Map<String, Object> adam = Map.of(
                "lr", reference.trace().getFirst().learningRate(),
                "betas", List.of(reference.beta1(), reference.beta2()),
                "eps", reference.epsilon(),
                "weight_decay", reference.weightDecay());
        values.put("optimizer", Map.of("type", "AdamW", "params", adam));
        String json = tools.jackson.databind.json.JsonMapper.shared().writeValueAsString(values);
        ZeroConfig config = ZeroConfig.parse(json, Known.ofWorld(ranks)).value();
        return config.withSchedule(new LearningRateSchedule.Listed(
                reference.trace().stream().map(Reference.Step::learningRate).toList()));
    }

    private CheckResult measure() {
        double[] firstBatch = firstBatch();
        int perRank = reference.sequencesPerStep() / mesh.data().worldSize();
        int accumulation = BigInteger.valueOf(perRank)
                .gcd(BigInteger.valueOf(reference.accumulation()))
                .intValue();
        int micro = perRank / accumulation;
        try (ZeroEngine engine = engine(micro, accumulation);
                Tokens batch = new Tokens(backend, micro, reference.time())) {
            List<Double> losses = new ArrayList<>();
            double lossError = 0;
            double normError = 0;
            for (int step = 0; step < reference.trace().size(); step++) {
                int first = step * reference.sequencesPerStep() + mesh.data().rank() * perRank;
                StepResult result = engine.trainBatch(i -> batch.load(tokens, first + i * micro));
                Reference.Step expected = reference.trace().get(step);
                losses.add(result.loss());
                lossError = Math.max(lossError, Math.abs(result.loss() - expected.loss()));
                double norm = Math.abs(result.gradientNorm() - expected.gradientNorm()) / expected.gradientNorm();
                normError = Math.max(normError, norm);
            }
            double[] weights = weights(engine);
            return new CheckResult(firstBatch[0], firstBatch[1], weights[0], weights[1], lossError, normError, losses);
        }
    }

    private ZeroEngine engine(int micro, int accumulation) {
        ZeroConfig config = config(setup, reference, mesh.world().worldSize(), micro, accumulation);
        ZeroEngine engine = ZeroEngine.initialize(new Gpt(shape, mesh.tensor()).layers(), config, mesh);
        HuggingFace.read(setup.folder(), engine);
        return engine;
    }

    /**
     * {@return errors of logits and gradients of the first B sequences}. They are dealt to the ranks if these divide them;
     * otherwise every rank takes all, which leaves the mean over ranks the same.
     */
    private double[] firstBatch() {
        boolean dealt = reference.batch() % mesh.data().worldSize() == 0;
        int micro = dealt ? reference.batch() / mesh.data().worldSize() : reference.batch();
        int first = dealt ? micro * mesh.data().rank() : 0;
        try (ZeroEngine engine = engine(micro, 1);
                Tokens batch = new Tokens(backend, micro, reference.time());
                SafetensorsFile expected = SafetensorsFile.open(setup.folder().resolve("first_batch.safetensors"))) {
            Batch loaded = batch.load(tokens, first);
            double logits = logitsError(engine, loaded, expected.data("logits"), first);
            engine.forward(loaded);
            engine.backward();
            double gradient = 0;
            for (Parameter parameter : engine.parameters()) {
                Difference difference = new Difference();
                try (Arena arena = Arena.ofConfined()) {
                    MemorySegment actual = arena.allocate(parameter.whole().elements() * Float.BYTES, 64);
                    engine.readGradient(parameter, actual);
                    difference.add(expected.data(stored("grad.", expected, parameter)), actual);
                }
                gradient = Math.max(gradient, difference.relative());
            }
            engine.step();
            return new double[] {largestOfRanks(logits), gradient};
        }
    }

    private double logitsError(ZeroEngine engine, Batch batch, MemorySegment expected, int first) {
        Tensor logits = engine.predict(Batch.of(batch.inputs()));
        long bytes = (long) reference.time() * shape.vocabulary() * Float.BYTES; // of one sequence
        Difference difference = new Difference();
        try (Arena arena = Arena.ofConfined();
                Tokens.Staging staging = new Tokens.Staging(backend, logits.shape())) {
            MemorySegment actual = arena.allocate(logits.elements() * Float.BYTES, 64);
            staging.download(logits, actual);
            difference.add(expected.asSlice(first * bytes, actual.byteSize()), actual);
        }
        return difference.relative();
    }

    private double[] weights(ZeroEngine engine) {
        double largest = 0;
        double rms = 0;
        try (SafetensorsFile expected = SafetensorsFile.open(setup.folder().resolve("after_training.safetensors"))) {
            for (Parameter parameter : engine.parameters()) {
                Difference difference = new Difference();
                try (Arena arena = Arena.ofConfined()) {
                    MemorySegment actual = arena.allocate(parameter.whole().elements() * Float.BYTES, 64);
                    engine.read(parameter, actual);
                    difference.add(expected.data(stored("", expected, parameter)), actual);
                }
                largest = Math.max(largest, difference.relative());
                rms = Math.max(rms, difference.relativeRms());
            }
        }
        return new double[] {largest, rms};
    }

    private static String stored(String prefix, SafetensorsFile file, Parameter parameter) {
        String full = prefix + "transformer." + parameter.name();
        return file.tensors().containsKey(full) ? full : prefix + parameter.name();
    }

    private double largestOfRanks(double value) {
        if (!mesh.world().accepts(backend.device())) {
            return largestThroughTheHost(value);
        }
        Tensor tensor = backend.allocate(DType.F64, Shape.of(1), "scratch");
        try (Arena arena = Arena.ofConfined();
                var buffer = tensor.buffer()) {
            MemorySegment host = arena.allocate(Double.BYTES, buffer.byteSize());
            host.set(ValueLayout.JAVA_DOUBLE, 0, value);
            backend.upload(host, tensor, backend.computeStream());
            mesh.world()
                    .allReduce(tensor, ReduceOp.MAX, Call.now("logits error"))
                    .await(backend.computeStream());
            backend.download(tensor, host, backend.computeStream());
            backend.computeStream().synchronize();
            return host.get(ValueLayout.JAVA_DOUBLE, 0);
        }
    }

    /** Where the communicator does not reach the backend's device. */
    private double largestThroughTheHost(double value) {
        try (Buffer buffer = backend.allocateHost(Double.BYTES, "scratch")) {
            buffer.host().set(ValueLayout.JAVA_DOUBLE, 0, value);
            Tensor tensor = new Tensor(buffer, DType.F64, Shape.of(1));
            mesh.world()
                    .allReduce(tensor, ReduceOp.MAX, Call.now("logits error"))
                    .await();
            return buffer.host().get(ValueLayout.JAVA_DOUBLE, 0);
        }
    }
}
