package ds.backend.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * CUDA C++ of this module's resources.
 *
 * @param name of the file, without {@code .cu}; behind it the size of heads for which it is compiled, if it is for one
 * @param text what all kernels share, and the file
 */
record KernelSource(String name, String text) {
    /** How attention on tensor cores is named: a source for each size of heads, since they take longest to compile. */
    static final String FLASH_ATTENTION = "flash_attention_";

    /** All of them. */
    static final List<String> NAMES = List.of(
            "attention",
            "cross_entropy",
            "elementwise",
            "flash_attention_128",
            "flash_attention_160",
            "flash_attention_64",
            "flash_attention_96",
            "gelu",
            "layer_norm",
            "optimizers",
            "product",
            "quantization",
            "rows");

    /** {@return a source} */
    static KernelSource of(String name) {
        boolean sized = name.startsWith(FLASH_ATTENTION);
        String define = sized ? "#define HEAD_SIZE " + name.substring(FLASH_ATTENTION.length()) + "\n" : "";
        String file = (sized ? "flash_attention" : name) + ".cu";
        return new KernelSource(name, define + read("common.cuh") + "\n#line 1 \"" + file + "\"\n" + read(file));
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
