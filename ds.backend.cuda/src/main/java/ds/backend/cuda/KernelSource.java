package ds.backend.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * CUDA C++ of this module's resources.
 *
 * @param name of the file, without {@code .cu}
 * @param text what all kernels share, and the file
 */
record KernelSource(String name, String text) {
    /** All of them. */
    static final List<String> NAMES = List.of(
            "attention",
            "cross_entropy",
            "elementwise",
            "flash_attention",
            "gelu",
            "layer_norm",
            "optimizers",
            "product",
            "quantization",
            "rows");

    /** {@return a source} */
    static KernelSource of(String name) {
        return new KernelSource(name, read("common.cuh") + "\n#line 1 \"" + name + ".cu\"\n" + read(name + ".cu"));
    }

    /** {@return what the compiler is told; contracting products and sums is left to {@code fmaf}} */
    static List<String> options(String architecture) {
        return List.of("--gpu-architecture=" + architecture, "--std=c++17", "--fmad=false");
    }

    private static String read(String file) {
        try (InputStream in = KernelSource.class.getResourceAsStream("kernels/" + file)) {
            if (in == null) {
                throw new IllegalStateException("no resource kernels/" + file + " in module ds.backend.cuda");
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException("reading resource kernels/" + file, e);
        }
    }
}
