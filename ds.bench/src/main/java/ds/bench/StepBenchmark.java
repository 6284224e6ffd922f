package ds.bench;

import ds.api.MemoryUse;
import ds.api.TensorBackend;
import ds.api.comm.Rendezvous;
import ds.api.comm.Traffic;
import ds.api.layer.Batch;
import ds.bench.breakdown.MatrixRate;
import ds.bench.measure.Statistics;
import ds.models.gpt.Gpt;
import ds.models.gpt.GptConfig;
import ds.zero.Mesh;
import ds.zero.ZeroEngine;
import ds.zero.config.Precision;
import ds.zero.config.ZeroConfig;
import ds.zero.plan.MemoryPlan;
import ds.zero.plan.ModelStates;
import ds.zero.run.Stack;
import ds.zero.run.StepResult;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.DoubleSupplier;
import java.util.function.ToLongFunction;
import java.util.stream.DoubleStream;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Full training steps of a GPT on random tokens: forward, backward, communication, clipping, AdamW. */
public final class StepBenchmark {
    /** Labels of what the ZeRO paper counts. */
    private static final List<String> MODEL_STATES =
            List.of("weights", "gradients", "masterWeights", "optimizerStates");

    private final StepSetup setup;
    private final GptConfig shape;

    private StepBenchmark(StepSetup setup) {
        this.setup = setup;
        this.shape = setup.shape();
    }

    /**
     * {@return one line of JSON; all ranks run it, and rank 0's line is the result}
     *
     * @param requests asks for the steps, each rank by itself and all alike; without it they follow each other
     * @param timeline gets the Chrome trace of all ranks
     */
    public static String run(
            StepSetup setup, Rendezvous rendezvous, Optional<RequestedSteps> requests, Optional<Path> timeline) {
        return new StepBenchmark(setup).measure(rendezvous, requests, timeline);
    }

    private String measure(Rendezvous rendezvous, Optional<RequestedSteps> requests, Optional<Path> timeline) {
        ZeroConfig config = setup.config(rendezvous.worldSize());
        try (Stack stack = Stack.open(config.runtime(), rendezvous);
                Mesh mesh = Mesh.of(stack, config.tensorParallel());
                ZeroEngine engine = ZeroEngine.initialize(new Gpt(shape, mesh.tensor()).layers(), config, mesh)) {
            Batch batch = RandomTokens.batch(
                    stack.backend(), engine.dataParallelRank(), setup.microBatch(), setup.time(), shape.vocabulary());
            List<StepResult> results = new ArrayList<>();
            List<Double> losses = new ArrayList<>();
            DoubleSupplier step = () -> {
                long start = System.nanoTime();
                results.add(engine.trainBatch(micro -> batch));
                losses.add(results.getLast().loss());
                return (System.nanoTime() - start) * 1e-9;
            };
            double[] warmUp =
                    DoubleStream.generate(step).limit(setup.warmUp() - 1L).toArray();
            engine.awaitWeights();
            Traffic before = stack.communicator().traffic();
            double last =
                    step.getAsDouble(); // finds all weights there; the next ones wait for those of the step before
            results.clear();
            timeline.ifPresent(file -> engine.startTimeline());
            double[] seconds = requests.map(asked -> asked.run(step, () -> matrixRate(stack.backend())))
                    .orElseGet(() ->
                            DoubleStream.generate(step).limit(setup.steps()).toArray());
            engine.awaitWeights();
            Traffic sent = stack.communicator().traffic().since(before);
            ObjectNode result =
                    result(seconds, rendezvous.worldSize(), stack.backend().memory());
            int counted = seconds.length + 1;
            result.put("elements_sent_per_step", sent.elements() / counted);
            result.put("bytes_sent_per_step", sent.bytes() / counted);
            double across = engine.sumOverRanks(sent.bytesAcrossHosts());
            result.put("all_ranks_bytes_across_hosts_per_step", Math.round(across / counted));
            ArrayNode all = result.putArray("all_step_seconds"); // the first ones too, which warm up
            Arrays.stream(warmUp).forEach(all::add);
            all.add(last);
            Arrays.stream(seconds).forEach(all::add);
            result.put("parameters", engine.parameterElements());
            result.put("loss", losses.getLast());
            result.put("gradient_norm", results.getLast().gradientNorm());
            ArrayNode everyLoss = result.putArray("all_losses"); // the first ones too: of one batch, again and again
            losses.forEach(everyLoss::add);
            addPhases(result.putObject("last_step_seconds"), results.getLast().timing());
            addMeans(result.putObject("mean_step_seconds"), results);
            timeline.ifPresent(engine::writeTimeline);
            addMemory(result, stack, engine, MemoryPlan.of(tensor -> new Gpt(shape, tensor).layers(), config, loop()));
            return result.toString();
        }
    }

    private double matrixRate(TensorBackend backend) {
        long rows = (long) setup.microBatch() * setup.time();
        return MatrixRate.best(backend, MatrixRate.products(setup.dtype(), rows, shape));
    }

    private static void addPhases(ObjectNode node, StepResult.Timing timing) {
        node.put("forward", timing.forwardNanos() * 1e-9);
        node.put("backward", timing.backwardNanos() * 1e-9);
        node.put("communication", timing.communicationNanos() * 1e-9);
        node.put("update", timing.updateNanos() * 1e-9);
        node.put("hidden", timing.hiddenNanos() * 1e-9);
        node.put("idle", timing.idleNanos() * 1e-9);
    }

    /** Where the time of this rank went, over all measured steps. */
    private static void addMeans(ObjectNode node, List<StepResult> results) {
        Map<String, ToLongFunction<StepResult.Timing>> parts = new LinkedHashMap<>();
        parts.put("compute", StepResult.Timing::computeNanos);
        parts.put("exposed", StepResult.Timing::communicationNanos);
        parts.put("hidden", StepResult.Timing::hiddenNanos);
        parts.put("idle", StepResult.Timing::idleNanos);
        parts.forEach((name, part) -> node.put(
                name,
                results.stream()
                                .mapToLong(result -> part.applyAsLong(result.timing()))
                                .average()
                                .orElse(0)
                        * 1e-9));
    }

    private MemoryPlan.Loop loop() {
        return new MemoryPlan.Loop(
                backend -> RandomTokens.batch(backend, 0, setup.microBatch(), setup.time(), shape.vocabulary()),
                MemoryPlan.Checkpoints.NONE);
    }

    /** What was planned, what every rank has taken, and what the ZeRO paper's formulas say of the model's states. */
    private void addMemory(ObjectNode node, Stack stack, ZeroEngine engine, MemoryPlan plan) {
        Map<String, MemoryUse.Label> measured = stack.backend().memory().labels();
        ObjectNode planned = node.putObject("planned_bytes");
        plan.memory().labels().forEach((label, use) -> {
            if (measured.containsKey(label)) {
                planned.put(label, use.peakBytes());
            }
        });
        planned.put("total", plan.trainingPeakBytes());
        node.put(
                "model_state_bytes",
                MODEL_STATES.stream()
                        .filter(measured::containsKey)
                        .mapToLong(label -> measured.get(label).peakBytes())
                        .sum());
        node.put(
                "model_state_bytes_of_paper",
                ModelStates.of(setup.dtype())
                        .perRank(
                                Math.ceilDiv(engine.parameterElements(), setup.tensorParallel()),
                                engine.dataParallelSize(),
                                setup.config(engine.worldSize()).zero().stage())
                        .total());
        node.put("pinned_peak_bytes", stack.backend().hostMemory().peakBytes());
        ArrayNode peaks = node.putArray("ranks_peak_bytes");
        ArrayNode resident = node.putArray("ranks_max_rss_bytes");
        for (int rank = 0; rank < engine.worldSize(); rank++) {
            boolean own = rank == engine.rank();
            peaks.add((long) engine.sumOverRanks(own ? stack.backend().memory().peakBytes() : 0));
            resident.add(
                    (long) engine.sumOverRanks(own ? ResidentMemory.maxBytes().orElse(0) : 0));
        }
    }

    private ObjectNode result(double[] seconds, int ranks, MemoryUse memory) {
        double median = Statistics.median(seconds);
        double tokens =
                (double) setup.microBatch() * setup.accumulation() * setup.time() * ranks / setup.tensorParallel();
        ObjectNode node = JsonMapper.shared().createObjectNode();
        node.put("model", setup.model().preset());
        node.put("layers", shape.layers());
        node.put("channels", shape.channels());
        node.put("tensor_parallel", setup.tensorParallel());
        node.put("ranks", ranks);
        node.put("stage", setup.stage());
        node.put("keys", setup.keys());
        node.put("overlap", setup.overlap());
        node.put("dtype", Precision.nameOf(setup.dtype()));
        node.put("micro_batch", setup.microBatch());
        node.put("accumulation", setup.accumulation());
        node.put("seq", setup.time());
        node.put("step_seconds", median);
        node.put("step_seconds_min", Arrays.stream(seconds).min().orElseThrow());
        node.put("step_seconds_max", Arrays.stream(seconds).max().orElseThrow());
        node.put("tokens_per_second", tokens / median);
        node.put("model_flops_per_second", tokens / median * shape.flopsPerToken(setup.time()));
        ObjectNode peaks = node.putObject("peak_bytes");
        memory.labels().forEach((label, use) -> peaks.put(label, use.peakBytes()));
        peaks.put("total", memory.peakBytes());
        return node;
    }
}
