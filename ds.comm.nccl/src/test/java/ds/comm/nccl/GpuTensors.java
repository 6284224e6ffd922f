package ds.comm.nccl;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Device;
import ds.api.Shape;
import ds.api.Tensor;
import ds.cuda.CudaDevice;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/** F32 tensors on the emulated GPU, whose memory the host reaches as well. */
final class GpuTensors implements AutoCloseable {
    private final CudaDevice gpu;
    private final int device;
    private final List<Long> addresses = new ArrayList<>();

    GpuTensors(int device) {
        this.gpu = CudaDevice.open(device);
        this.device = device;
    }

    Tensor of(DType dtype, int... values) {
        long bytes = (long) values.length * dtype.byteSize();
        long address = gpu.allocate(bytes);
        addresses.add(address);
        Tensor tensor = new Tensor(new OnGpu(address, bytes, device), dtype, Shape.of(values.length));
        MemorySegment memory = memory(tensor);
        for (int i = 0; i < values.length; i++) {
            if (dtype == DType.F32) {
                memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, values[i]);
            } else {
                memory.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) (Float.floatToIntBits(values[i]) >>> 16));
            }
        }
        return tensor;
    }

    static int[] read(Tensor tensor) {
        MemorySegment memory = memory(tensor);
        int[] values = new int[Math.toIntExact(tensor.elements())];
        for (int i = 0; i < values.length; i++) {
            values[i] = (int)
                    (tensor.dtype() == DType.F32
                            ? memory.getAtIndex(ValueLayout.JAVA_FLOAT, i)
                            : Float.intBitsToFloat(memory.getAtIndex(ValueLayout.JAVA_SHORT, i) << 16));
        }
        return values;
    }

    @SuppressWarnings("restricted") // the emulated GPU's memory is the host's
    private static MemorySegment memory(Tensor tensor) {
        return MemorySegment.ofAddress(tensor.address()).reinterpret(tensor.byteSize());
    }

    @Override
    public void close() {
        addresses.forEach(gpu::free);
        gpu.close();
    }

    private record OnGpu(long address, long byteSize, int number) implements Buffer {
        @Override
        public Device device() {
            return new Device("cuda", number);
        }

        @Override
        public String label() {
            return "test";
        }

        @Override
        public MemorySegment host() {
            throw new IllegalStateException("on a GPU");
        }

        @Override
        public void close() {}
    }
}
