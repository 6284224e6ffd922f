package ds.zero.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.Device;
import ds.api.MemoryUse;
import ds.api.layer.Batch;
import ds.api.layer.Parameter;
import ds.tck.DetachedBackend;
import ds.tck.ReferenceBackend;
import ds.tck.comm.InProcessCommunicators;
import ds.zero.TinyModel;
import ds.zero.ZeroEngine;
import ds.zero.config.Known;
import ds.zero.config.ZeroConfig;
import ds.zero.plan.MemoryPlan.Checkpoints;
import ds.zero.plan.MemoryPlan.Loop;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The plan of a run on a device is what a run takes there and on the host, label by label, to the byte. */
class DevicePlanTest {
    private static final int ROWS = 8;

    @TempDir
    private Path folder;

    private ZeroConfig config(int ranks, int stage, String optimizer, double ratio, String parameters) {
        String path = ", \"nvme_path\": \"%s\"".formatted(folder);
        String states =
                "\"offload_optimizer\": {\"device\": \"%s\", \"ratio\": %s %s}".formatted(optimizer, ratio, path);
        String weights = "\"offload_param\": {\"device\": \"%s\" %s}".formatted(parameters, path);
        return ZeroConfig.parse("""
                        {"train_micro_batch_size_per_gpu": %d, "bf16": {"enabled": true},
                         "zero_optimization": {"stage": %d, "stage3_param_persistence_threshold": 0, "sub_group_size": 24,
                                               %s, %s}}
                        """.formatted(ROWS, stage, states, weights), Known.ofWorld(ranks))
                .value();
    }

    @ParameterizedTest
    @CsvSource({
        "2,0,none,1,none",
        "2,2,none,1,none",
        "1,1,cpu,1,none",
        "2,2,cpu,1,none",
        "2,2,cpu,0.5,none",
        "2,2,nvme,0.5,none",
        "2,3,cpu,1,cpu",
        "1,3,cpu,0.5,cpu",
        "2,3,none,1,cpu",
        "2,3,nvme,1,nvme"
    })
    void planIsWhatARunTakes(int ranks, int stage, String optimizer, double ratio, String parameters) throws Exception {
        ZeroConfig config = config(ranks, stage, optimizer, ratio, parameters);
        Loop loop = new Loop(backend -> TinyModel.batch(backend, 0, 0, ROWS), Checkpoints.NONE);
        PlannedMachine machine = new PlannedMachine(DetachedBackend.DEVICE, Device.HOST::equals);
        MemoryPlan plan = MemoryPlan.of(tensor -> TinyModel.build(), config, loop, machine);
        InProcessCommunicators.run(ranks, communicator -> {
            try (DetachedBackend backend = new DetachedBackend();
                    ReferenceBackend host = new ReferenceBackend();
                    ZeroEngine engine = ZeroEngine.initialize(TinyModel.build(), config, backend, host, communicator)) {
                Batch batch = TinyModel.batch(backend, 0, 0, ROWS);
                for (int step = 0; step < 3; step++) {
                    engine.trainBatch(micro -> batch);
                }
                engine.evaluate(batch);
                for (Parameter parameter : engine.parameters()) {
                    try (Arena arena = Arena.ofConfined()) {
                        engine.read(parameter, arena.allocate(parameter.elements() * Float.BYTES, 4));
                    }
                }
                if (communicator.rank() == 0) {
                    MemoryPlan.OnDevice onDevice = plan.onDevice().orElseThrow();
                    assertEquals(DetachedBackend.DEVICE, onDevice.device());
                    assertEquals(peaks(backend.memory()), peaks(onDevice.memory()));
                    Map<String, Long> onHost = peaks(backend.hostMemory());
                    peaks(host.memory()).forEach((label, bytes) -> onHost.merge(label, bytes, Long::sum));
                    assertEquals(onHost, peaks(plan.memory()));
                    assertTrue(onHost.containsKey("communicationStaging"), onHost.toString());
                }
            }
        });
    }

    /** Without what composed kernels take for themselves, and what an export would. */
    private static Map<String, Long> peaks(MemoryUse use) {
        Map<String, Long> peaks = new TreeMap<>();
        use.labels().forEach((label, bytes) -> peaks.put(label, bytes.peakBytes()));
        peaks.remove("temporary");
        peaks.remove(MemoryPlan.EXPORT);
        return peaks;
    }
}
