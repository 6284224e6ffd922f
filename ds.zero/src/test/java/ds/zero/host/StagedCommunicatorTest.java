package ds.zero.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.DType;
import ds.api.Device;
import ds.api.Tensor;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.CommunicatorException;
import ds.api.comm.ReduceOp;
import ds.tck.DetachedBackend;
import ds.tck.comm.CommunicatorContract;
import ds.tck.comm.CommunicatorFailureContract;
import ds.tck.comm.HostTensors;
import ds.tck.comm.InProcessCommunicators;
import ds.tck.comm.RankBody;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** The contract of communicators, for tensors that have to be brought to the communicator's memory; in small chunks. */
class StagedCommunicatorTest {
    private static final long BUFFER = 64 << 10;

    /** Tensors of a device around a communicator that accepts the host's. */
    private static void onDevice(int worldSize, RankBody body) throws Exception {
        InProcessCommunicators.run(worldSize, inner -> {
            try (DetachedBackend device = new DetachedBackend();
                    Communicator staged = StagedCommunicator.forDevice(device, inner, BUFFER);
                    Communicator both = new OnDevice(device, staged)) {
                body.run(both);
            }
        });
    }

    /** Tensors of the host around a communicator that accepts a device's alone. */
    private static void onHost(int worldSize, RankBody body) throws Exception {
        InProcessCommunicators.run(worldSize, inner -> {
            try (DetachedBackend device = new DetachedBackend();
                    Communicator staged = StagedCommunicator.forDevice(device, inner, BUFFER);
                    Communicator deviceOnly = new DeviceOnly(staged);
                    Communicator both = StagedCommunicator.forHost(device, deviceOnly, BUFFER)) {
                body.run(both);
            }
        });
    }

    @Nested
    class DeviceTensors extends CommunicatorContract {
        @Override
        public void run(int worldSize, RankBody body) throws Exception {
            onDevice(worldSize, body);
        }
    }

    @Nested
    class FailsWithDeviceTensors extends CommunicatorFailureContract {
        @Override
        public void run(int worldSize, RankBody body) throws Exception {
            onDevice(worldSize, body);
        }
    }

    @Nested
    class HostTensorsThroughADevice extends CommunicatorContract {
        @Override
        public void run(int worldSize, RankBody body) throws Exception {
            onHost(worldSize, body);
        }
    }

    @Test
    void acceptsBothMemories() throws Exception {
        InProcessCommunicators.run(1, inner -> {
            try (DetachedBackend device = new DetachedBackend();
                    Communicator staged = StagedCommunicator.forDevice(device, inner)) {
                assertTrue(staged.accepts(DetachedBackend.DEVICE));
                assertTrue(staged.accepts(Device.HOST));
                assertFalse(staged.accepts(new Device("detached", 1)));
                assertFalse(inner.accepts(DetachedBackend.DEVICE));
            }
        });
    }

    /** A tensor of the host in between must not overtake those of the device that were passed before. */
    @Test
    void operationsKeepTheirOrderWhateverTheirMemory() throws Exception {
        InProcessCommunicators.run(3, inner -> {
            try (DetachedBackend device = new DetachedBackend();
                    Communicator staged = StagedCommunicator.forDevice(device, inner, BUFFER);
                    HostTensors host = new HostTensors()) {
                Tensor large = device.allocate(DType.F32, ds.api.Shape.of(100_000), "test");
                Tensor small = host.of(DType.F32, staged.rank());
                device.kernels(device.computeStream()).fill(large, 2);
                Call call = new Call("large", device.computeStream().record());
                for (int i = 0; i < 5; i++) {
                    staged.allReduce(large, ReduceOp.MAX, call);
                    staged.allReduce(small, ReduceOp.MAX, Call.now("small"));
                }
                staged.barrier(Call.now("end")).await();
                assertEquals(2, HostTensors.get(small, 0));
            }
        });
    }

    @Test
    void ranksThatCutOtherwiseAreTold() throws Exception {
        InProcessCommunicators.run(2, inner -> {
            try (DetachedBackend device = new DetachedBackend();
                    Communicator staged = StagedCommunicator.forDevice(device, inner, BUFFER)) {
                long elements = 100_000 + 16_384L * inner.rank(); // equal chunks, one more of them on rank 1
                Tensor data = device.allocate(DType.F32, ds.api.Shape.of(elements), "test");
                Call call = new Call("weights", device.computeStream().record());
                var e = assertThrows(
                        CommunicatorException.class,
                        () -> staged.allReduce(data, ReduceOp.SUM, call).await());
                assertTrue(e.getMessage().contains("of F32[116384]"), e.getMessage());
            }
        });
    }
}
