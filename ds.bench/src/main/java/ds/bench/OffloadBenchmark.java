package ds.bench;

import ds.api.DType;
import ds.api.OutOfDeviceMemoryException;
import ds.api.comm.Rendezvous;
import ds.api.layer.Batch;
import ds.bench.measure.Statistics;
import ds.models.gpt.Gpt;
import ds.zero.ZeroEngine;
import ds.zero.config.ByteSize;
import ds.zero.config.Known;
import ds.zero.config.Precision;
import ds.zero.config.ZeroConfig;
import ds.zero.plan.MemoryPlan;
import ds.zero.plan.RankMemory;
import ds.zero.run.Stack;
import ds.zero.run.StepResult;
import ds.zero.run.SwapTraffic;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Locale;
import java.util.function.Consumer;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Training of a GPT whose optimizer states and weights are in files (ZeRO-Infinity): what a step takes, and what the same reads
 * and writes take on the same disk when nothing is computed.
 */
public final class OffloadBenchmark {
    /** Requests under way at once, as many as the engine has. */
    private static final int DISK_THREADS = 3;

    private final OffloadSetup setup;
    private final Rendezvous rendezvous;
    private final Consumer<String> progress;

    private OffloadBenchmark(OffloadSetup setup, Rendezvous rendezvous, Consumer<String> progress) {
        this.setup = setup;
        this.rendezvous = rendezvous;
        this.progress = progress;
    }

    /**
     * {@return one line of JSON; all ranks run it, and rank 0's line is the result}
     *
     * @param progress is told what happens, a line at a time
     * @throws OutOfDeviceMemoryException if the plan is above the limit, before anything is allocated
     */
    public static String run(OffloadSetup setup, Rendezvous rendezvous, Consumer<String> progress) {
        try {
            return new OffloadBenchmark(setup, rendezvous, progress).measure();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private ZeroConfig config() {
        ObjectNode root = JsonMapper.shared().createObjectNode();
        root.put("train_micro_batch_size_per_gpu", setup.microBatch());
        root.putObject("bf16").put("enabled", setup.dtype() == DType.BF16);
        root.putObject("fp16").put("enabled", setup.dtype() == DType.F16);
        String folder = setup.folder().toString();
        ObjectNode zero = root.putObject("zero_optimization").put("stage", 3);
        // A layer and the next are in memory; a layer read for its forward pass is read again for its backward pass.
        long layer = 12 * setup.shape().channels() * setup.shape().channels();
        zero.put("stage3_max_reuse_distance", 0);
        zero.put("stage3_prefetch_bucket_size", layer + layer / 8);
        zero.put("stage3_max_live_parameters", 3 * layer);
        zero.putObject("offload_optimizer").put("device", "nvme").put("nvme_path", folder);
        zero.putObject("offload_param").put("device", "nvme").put("nvme_path", folder);
        root.putObject("activation_checkpointing")
                .put("number_checkpoints", setup.shape().layers());
        ObjectNode optimizer = root.putObject("optimizer").put("type", "AdamW");
        optimizer.putObject("params").put("lr", setup.learningRate());
        ObjectNode own = root.putObject("ds");
        own.put("backend", setup.backend()).put("communicator", setup.communicator());
        setup.memoryLimit().ifPresent(limit -> own.put("memory_limit", limit));
        return ZeroConfig.parse(root.toString(), Known.ofWorld(rendezvous.worldSize()))
                .value();
    }

    private long plannedBytes(ZeroConfig config) {
        MemoryPlan plan = MemoryPlan.of(
                new Gpt(setup.shape()).layers(),
                config,
                new MemoryPlan.Loop(
                        backend -> RandomTokens.batch(
                                backend,
                                0,
                                setup.microBatch(),
                                setup.time(),
                                setup.shape().vocabulary()),
                        MemoryPlan.Checkpoints.NONE));
        long needed = RankMemory.needed(plan.trainingPeakBytes());
        RankMemory limit = RankMemory.of(config.runtime());
        if (!limit.fits(plan.trainingPeakBytes())) {
            throw new OutOfDeviceMemoryException("--memory-limit "
                    + ByteSize.inBinary(limit.limitBytes().orElseThrow())
                    + ": a rank would need " + ByteSize.inBinary(needed)
                    + "; raise the limit, or use more --ranks, shorter sequences, or a smaller model");
        }
        return needed;
    }

    private String measure() throws IOException {
        ZeroConfig config = config();
        ObjectNode node = JsonMapper.shared().createObjectNode();
        long planned = plannedBytes(config);
        say(String.format(Locale.ROOT, "planned %s a rank", ByteSize.inBinary(planned)));
        describe(node);
        RankMemory.of(config.runtime()).limitBytes().ifPresent(limit -> node.put("memory_limit_bytes", limit));
        node.put("planned_bytes", planned);
        SwapTraffic step;
        try (Stack stack = Stack.open(config.runtime(), rendezvous)) {
            step = train(stack, config, node);
        }
        rawDisk(step, node);
        return node.toString();
    }

    private void describe(ObjectNode node) {
        node.put("parameters", setup.shape().parameters());
        node.put("layers", setup.shape().layers());
        node.put("hidden", setup.shape().channels());
        node.put("heads", setup.shape().heads());
        node.put("ranks", rendezvous.worldSize());
        node.put("dtype", Precision.nameOf(setup.dtype()));
        node.put("micro_batch", setup.microBatch());
        node.put("seq", setup.time());
    }

    /** {@return what the last step has read and written} */
    private SwapTraffic train(Stack stack, ZeroConfig config, ObjectNode node) {
        long start = System.nanoTime();
        try (ZeroEngine engine =
                ZeroEngine.initialize(new Gpt(setup.shape()).layers(), config, stack.backend(), stack.communicator())) {
            double initialised = (System.nanoTime() - start) * 1e-9;
            say(String.format(
                    Locale.ROOT,
                    "initialised in %.1f s, %.1f GB written",
                    initialised,
                    1e-9 * engine.swapTraffic().bytesWritten()));
            node.put("initialise_seconds", initialised);
            Batch batch = RandomTokens.batch(
                    stack.backend(),
                    rendezvous.rank(),
                    setup.microBatch(),
                    setup.time(),
                    setup.shape().vocabulary());
            double[] seconds = new double[setup.steps()];
            ArrayNode losses = node.putArray("losses");
            SwapTraffic moved = SwapTraffic.NONE;
            for (int i = 0; i < setup.steps(); i++) {
                SwapTraffic before = engine.swapTraffic();
                long stepStart = System.nanoTime();
                StepResult result = engine.trainBatch(micro -> batch);
                seconds[i] = (System.nanoTime() - stepStart) * 1e-9;
                moved = engine.swapTraffic().since(before);
                losses.add(result.loss());
                say(String.format(
                        Locale.ROOT,
                        "step %d: loss %.4f, %.1f s (forward %.1f, backward %.1f, update %.1f), %.1f GB read, %.1f GB written",
                        i + 1,
                        result.loss(),
                        seconds[i],
                        result.timing().forwardNanos() * 1e-9,
                        result.timing().backwardNanos() * 1e-9,
                        result.timing().updateNanos() * 1e-9,
                        1e-9 * moved.bytesRead(),
                        1e-9 * moved.bytesWritten()));
            }
            ArrayNode all = node.putArray("step_seconds");
            for (double second : seconds) {
                all.add(second);
            }
            double median = Statistics.median(seconds);
            node.put("step_seconds_median", median);
            node.put("bytes_read_per_step", moved.bytesRead());
            node.put("bytes_written_per_step", moved.bytesWritten());
            node.put("disk_bytes_per_second", (moved.bytesRead() + moved.bytesWritten()) / median);
            node.put("peak_bytes", stack.backend().memory().peakBytes());
            ResidentMemory.maxBytes().ifPresent(bytes -> node.put("max_rss_bytes", bytes));
            return moved;
        }
    }

    /** The same reads and writes, by themselves: first each kind, then both at once as a step has them. */
    private void rawDisk(SwapTraffic step, ObjectNode node) throws IOException {
        long block = (step.bytesRead() + step.bytesWritten()) / (step.reads() + step.writes());
        ObjectNode raw = node.putObject("raw_disk");
        raw.put("block_bytes", block);
        try (RawDisk disk = new RawDisk(
                setup.folder().resolve("rank-%05d-raw.bench".formatted(rendezvous.rank())), block, DISK_THREADS)) {
            double written = disk.write(step.bytesWritten());
            say(String.format(
                    Locale.ROOT, "raw disk, blocks of %.1f MB: %.2f GB/s written", 1e-6 * block, 1e-9 * written));
            double read = disk.read(step.bytesWritten());
            say(String.format(Locale.ROOT, "raw disk: %.2f GB/s read", 1e-9 * read));
            double seconds = disk.mixedSeconds(step.bytesRead(), step.bytesWritten(), step.bytesWritten());
            double fraction = seconds / node.get("step_seconds_median").asDouble();
            say(String.format(
                    Locale.ROOT,
                    "raw disk: the reads and writes of a step in %.1f s; the step reaches %.0f %% of that",
                    seconds,
                    100 * fraction));
            raw.put("write_bytes_per_second", written);
            raw.put("read_bytes_per_second", read);
            raw.put("step_seconds", seconds);
            raw.put("bytes_per_second", (step.bytesRead() + step.bytesWritten()) / seconds);
            node.put("fraction_of_raw_disk", fraction);
        }
    }

    private void say(String message) {
        if (rendezvous.rank() == 0) {
            progress.accept(message);
        }
    }
}
