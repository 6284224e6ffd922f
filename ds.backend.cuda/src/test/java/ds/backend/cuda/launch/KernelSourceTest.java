package ds.backend.cuda.launch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

/** The sources of kernels as resources. */
class KernelSourceTest {
    /** The libraries from which NVRTC comes have no headers. */
    @Test
    void everyKernelSourceIsThereAndIncludesNothing() {
        for (String name : KernelSource.NAMES) {
            String text = KernelSource.of(name).text();
            assertTrue(text.contains("KERNEL "), name);
            assertFalse(text.contains("#include"), name);
        }
        assertEquals(List.copyOf(KernelSource.NAMES).stream().sorted().toList(), KernelSource.NAMES);
    }
}
