package ds.bench;

import ds.api.comm.Rendezvous;
import ds.api.layer.Batch;
import ds.bench.breakdown.Breakdown;
import ds.bench.breakdown.KernelTimes;
import ds.bench.breakdown.Phase;
import ds.bench.breakdown.TimedBackend;
import ds.models.gpt.Gpt;
import ds.models.gpt.GptConfig;
import ds.zero.Mesh;
import ds.zero.ZeroEngine;
import ds.zero.config.Precision;
import ds.zero.config.ZeroConfig;
import ds.zero.run.Stack;
import ds.zero.run.StepResult;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * The step of {@link StepBenchmark}, kernel by kernel, beside what the machine could do. Every kernel is timed by the thread that
 * calls it; that costs some tenths of a microsecond a call.
 *
 * @param table for people
 * @param json one line
 */
public record StepBreakdown(String table, String json) {
    /** {@return what one rank measured; all ranks run it at once, and rank 0's is the result} */
    public static StepBreakdown run(StepSetup setup, Rendezvous rendezvous) {
        ZeroConfig config = setup.config(rendezvous.worldSize());
        GptConfig shape = setup.shape();
        KernelTimes times = new KernelTimes();
        try (Stack stack = Stack.open(config.runtime(), rendezvous);
                TimedBackend timed = new TimedBackend(stack.backend(), times);
                Mesh mesh = Mesh.of(new Stack(timed, stack.communicator()), config.tensorParallel());
                ZeroEngine engine = ZeroEngine.initialize(new Gpt(shape, mesh.tensor()).layers(), config, mesh)) {
            Batch batch = RandomTokens.batch(
                    stack.backend(), engine.dataParallelRank(), setup.microBatch(), setup.time(), shape.vocabulary());
            for (int i = -setup.warmUp(); i < setup.steps(); i++) {
                if (i == 0) {
                    times.forgetSteps();
                }
                step(engine, batch, setup.accumulation(), times);
            }
            engine.sumOverRanks(0); // no rank measures its machine while another one trains
            double tokens = (double) setup.microBatch() * setup.accumulation() * setup.time() / setup.tensorParallel();
            Breakdown breakdown = Breakdown.of(times, stack.backend(), tokens * shape.flopsPerToken(setup.time()));
            engine.sumOverRanks(0);
            ObjectNode node = describe(setup, rendezvous.worldSize());
            breakdown.addTo(node);
            return new StepBreakdown(breakdown.table(), node.toString());
        }
    }

    private static void step(ZeroEngine engine, Batch batch, int microBatches, KernelTimes times) {
        times.beginStep();
        for (int i = 0; i < microBatches - 1; i++) {
            times.begin(Phase.FORWARD);
            engine.forward(batch);
            times.begin(Phase.BACKWARD);
            engine.backward();
            engine.step();
        }
        times.begin(Phase.FORWARD);
        engine.forward(batch);
        times.begin(Phase.BACKWARD);
        engine.backward();
        times.begin(Phase.UPDATE);
        StepResult result = engine.step().orElseThrow();
        times.endStep(result.timing().communicationNanos());
    }

    private static ObjectNode describe(StepSetup setup, int ranks) {
        return JsonMapper.shared()
                .createObjectNode()
                .put("model", setup.model().preset())
                .put("layers", setup.shape().layers())
                .put("ranks", ranks)
                .put("threads", Runtime.getRuntime().availableProcessors())
                .put("stage", setup.stage())
                .put("dtype", Precision.nameOf(setup.dtype()))
                .put("micro_batch", setup.microBatch())
                .put("accumulation", setup.accumulation())
                .put("seq", setup.time())
                .put("steps", setup.steps());
    }
}
