package ds.backend.cuda.launch;

import static java.util.stream.Collectors.joining;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * CUDA C++ of this module's resources.
 *
 * @param name of the file, without {@code .cu}; or that of {@link FlashKernels}
 * @param text what all kernels share, and the file
 */
record KernelSource(String name, String text) {
    /** All of them. Attention on tensor cores has one for each size of heads, since these take longest to compile. */
    static final List<String> NAMES = Stream.concat(
                    Stream.of(
                            "attention",
                            "cross_entropy",
                            "elementwise",
                            "gelu",
                            "layer_norm",
                            "layer_norm_gradients",
                            "optimizers",
                            "product",
                            "quantization",
                            "rows",
                            "scatter_add"),
                    FlashKernels.ALL.stream().map(FlashKernels::module))
            .sorted()
            .toList();

    private static final String FOLDER = "/ds/backend/cuda/kernels/";

    /** {@return a source} */
    static KernelSource of(String name) {
        Optional<FlashKernels> flash = FlashKernels.named(name);
        Stream<String> files = flash.map(FlashKernels::files).orElseGet(() -> files(name));
        String text =
                files.map(file -> "#line 1 \"" + file + "\"\n" + read(file)).collect(joining("\n"));
        return new KernelSource(name, flash.map(FlashKernels::defines).orElse("") + text);
    }

    private static Stream<String> files(String name) {
        return name.equals("attention")
                ? Stream.of("common.cuh", "attention.cuh", "attention.cu")
                : Stream.of("common.cuh", name + ".cu");
    }

    /** {@return whether it is for devices of this architecture, such as {@code sm_90}} */
    boolean compilesFor(String architecture) {
        return FlashKernels.named(name)
                .map(flash -> flash.compilesFor(architecture))
                .orElse(true);
    }

    /** {@return what the compiler is told; contracting products and sums is left to {@code fmaf}} */
    List<String> options(String architecture) {
        String target = FlashKernels.named(name)
                .map(flash -> flash.target(architecture))
                .orElse(architecture);
        return List.of("--gpu-architecture=" + target, "--std=c++17", "--fmad=false");
    }

    private static String read(String file) {
        try (InputStream in = KernelSource.class.getResourceAsStream(FOLDER + file)) {
            if (in == null) {
                throw new IllegalStateException("no resource " + FOLDER + file + " in module ds.backend.cuda");
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException("reading resource " + FOLDER + file, e);
        }
    }
}
