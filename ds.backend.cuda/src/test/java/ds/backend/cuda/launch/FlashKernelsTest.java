package ds.backend.cuda.launch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.backend.cuda.launch.FlashKernels.Units;
import ds.cuda.CudaDriver;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which kernels of attention a device gets. */
class FlashKernelsTest {
    private static final int SM_86_SHARED_BYTES = 99 << 10; // the least of all devices that have such tensor cores
    private static final int SM_90_SHARED_BYTES = 227 << 10;

    private static CudaDriver.Properties device(int major, int minor) {
        return new CudaDriver.Properties(0, "any", 1L << 34, major, minor, 80);
    }

    /** V100 has none; A100, H100 and B200 those of warps; H100 those of warpgroups before them, if they are wanted. */
    @ParameterizedTest
    @CsvSource({
        "7, 0, false, ''",
        "8, 0, false, 64 96 128 160",
        "10, 0, false, 64 96 128 160",
        "9, 0, true, 64 128 64 96 128 160"
    })
    void aDeviceGetsWhatItCanRun(int major, int minor, boolean warpgroups, String sizes) {
        List<FlashKernels> kernels = FlashKernels.of(device(major, minor), warpgroups);
        List<String> found =
                kernels.stream().map(one -> Integer.toString(one.headSize())).toList();
        assertEquals(sizes, String.join(" ", found));
        assertEquals(warpgroups, kernels.stream().anyMatch(one -> one.units() == Units.WARPGROUPS));
        assertEquals(major == 9, FlashKernels.haveWarpgroups(device(major, minor)));
    }

    /** What is too much fails at the launch, on a device that is not at hand. */
    @Test
    void blocksFitIntoSharedMemory() {
        for (FlashKernels kernels : FlashKernels.ALL) {
            int most = kernels.units() == Units.WARPS ? SM_86_SHARED_BYTES : SM_90_SHARED_BYTES;
            for (FlashKernels.Shape shape : List.of(kernels.queries(), kernels.keys())) {
                assertTrue(kernels.backwardBytes(shape) <= most, kernels.module());
            }
            assertTrue(kernels.forwardBytes() <= most, kernels.module());
        }
    }
}
