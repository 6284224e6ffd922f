package ds.comm.nccl;

import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import ds.api.layer.Batch;
import ds.api.layer.Parameter;
import ds.models.gpt.Gpt;
import ds.models.gpt.GptConfig;
import ds.zero.ZeroEngine;
import ds.zero.config.Known;
import ds.zero.config.ZeroConfig;
import ds.zero.run.StepResult;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * A GPT of two layers with one head of 64, as flash attention has them, trained on sequences of 40 tokens; the same at every call.
 *
 * @param keys of a configuration, beside batch sizes and the optimizer
 * @param dropout of everything
 * @param sequences of the whole batch
 */
record GpuTraining(String keys, double dropout, int sequences) {
    private static final int TIME = 40;
    private static final int VOCABULARY = 97;
    private static final int STEPS = 4;

    /** What a run leaves. */
    record Outcome(List<Double> losses, List<Double> norms, Map<String, Integer> bitsOfWeights) {}

    /** {@return the resolved configuration} */
    ZeroConfig config(int ranks) {
        return ZeroConfig.parse("""
                        {"train_batch_size": %d, "gradient_clipping": 0.5, %s
                         "optimizer": {"type": "AdamW", "params": {"lr": 1e-3, "eps": 1e-4, "weight_decay": 0.01}}}
                        """.formatted(sequences, keys.isEmpty() ? "" : keys + ","), Known.ofWorld(ranks))
                .value();
    }

    /** {@return an engine, handed over} */
    ZeroEngine engine(TensorBackend device, TensorBackend host, Communicator communicator) {
        GptConfig shape = GptConfig.of(VOCABULARY, TIME, 2, 64, 1).withDropout(GptConfig.Rates.all(dropout));
        return ZeroEngine.initialize(
                new Gpt(shape).layers(), config(communicator.worldSize()), device, host, communicator);
    }

    /** {@return what this rank's run leaves} */
    Outcome run(TensorBackend device, TensorBackend host, Communicator communicator) {
        try (ZeroEngine engine = engine(device, host, communicator)) {
            return train(engine, device, communicator, 0, STEPS);
        }
    }

    /** {@return what steps from {@code first} to before {@code end} leave} */
    Outcome train(ZeroEngine engine, TensorBackend device, Communicator communicator, int first, int end) {
        List<StepResult> results = new ArrayList<>();
        for (int step = first; step < end; step++) {
            Batch batch = batch(device, step, communicator);
            results.add(engine.trainBatch(micro -> batch));
        }
        engine.awaitWeights();
        Map<String, Integer> bits = new TreeMap<>();
        for (Parameter parameter : engine.parameters()) {
            bits.put(parameter.name(), bits(engine, parameter));
        }
        return new Outcome(
                results.stream().map(StepResult::loss).toList(),
                results.stream().map(StepResult::gradientNorm).toList(),
                bits);
    }

    private static int bits(ZeroEngine engine, Parameter parameter) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment values = arena.allocate(parameter.elements() * Float.BYTES, 4);
            engine.read(parameter, values);
            return Arrays.hashCode(values.toArray(ValueLayout.JAVA_INT));
        }
    }

    /** {@return this rank's part of a step's batch, in memory that lives as long as the device} */
    Batch batch(TensorBackend device, int step, Communicator communicator) {
        int own = sequences / communicator.worldSize();
        int first = own * communicator.rank();
        Tensor inputs = device.allocate(DType.I32, Shape.of(own, TIME), "batch");
        Tensor targets = device.allocate(DType.I32, Shape.of(own, TIME), "batch");
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment host = arena.allocate(inputs.byteSize(), 64);
            for (int ahead = 0; ahead < 2; ahead++) {
                for (int i = 0; i < own * TIME; i++) {
                    long place = (long) (first + i / TIME) * 1000 + i % TIME + ahead;
                    host.setAtIndex(ValueLayout.JAVA_INT, i, (int) ((place * place + 31L * step) % VOCABULARY));
                }
                device.upload(host, ahead == 0 ? inputs : targets, device.computeStream());
                device.computeStream().synchronize();
            }
        }
        return Batch.of(inputs, targets, first);
    }
}
