package ds.backend.cuda.launch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ds.backend.cuda.driver.Nvrtc;
import ds.cuda.CudaException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every kernel for every architecture, by a real NVRTC: that of profile {@code nvrtc}, or of an installed toolkit. Needs no GPU. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class KernelCompilationTest {
    private static final String ELF = "\u007fELF";

    private Nvrtc compiler;

    @BeforeAll
    void needsCompiler() {
        try {
            compiler = new Nvrtc(List.of(12, 13));
        } catch (LinkageError absent) {
            assumeTrue(false, absent.getMessage());
        }
        assumeTrue(image("product", newest()).startsWith(ELF), "the emulated compiler makes no machine code");
    }

    /** V100 (until CUDA 12), A100, H100, B200. */
    private Stream<String> architectures() {
        Stream<String> later = Stream.of("sm_80", "sm_90", "sm_100");
        return compiler.version().startsWith("12.") ? Stream.concat(Stream.of("sm_70"), later) : later;
    }

    private static String newest() {
        return "sm_90";
    }

    private String image(String name, String architecture) {
        KernelSource source = KernelSource.of(name);
        byte[] image = compiler.compile(name + ".cu", source.text(), source.options(architecture));
        return new String(image, StandardCharsets.ISO_8859_1);
    }

    private Stream<List<String>> everyKernelOnEveryArchitecture() {
        return architectures()
                .flatMap(arch -> KernelSource.NAMES.stream()
                        .filter(name -> KernelSource.of(name).compilesFor(arch))
                        .map(name -> List.of(name, arch)));
    }

    @ParameterizedTest
    @MethodSource
    void everyKernelOnEveryArchitecture(List<String> nameAndArchitecture) {
        String name = nameAndArchitecture.getFirst();
        String architecture = nameAndArchitecture.getLast();
        String image = image(name, architecture);
        assertTrue(image.startsWith(ELF), "machine code");
        if (name.startsWith(FlashKernels.MODULE)) { // left out where there are no such tensor cores
            String kernel = "flash_forward_bf16_" + name.substring(FlashKernels.MODULE.length());
            assertEquals(!architecture.equals("sm_70"), image.contains(kernel), architecture);
        }
    }

    @Test
    void whatDoesNotCompileIsShownWithTheCompilersMessage() {
        CudaException wrong = assertThrows(
                CudaException.class,
                () -> compiler.compile(
                        "wrong.cu", "__global__ void k() { undeclared = 1; }", List.of("--gpu-architecture=sm_90")));
        assertTrue(wrong.getMessage().contains("undeclared"), wrong.getMessage());
        assertTrue(wrong.getMessage().contains("wrong.cu"), wrong.getMessage());
    }

    @Test
    void compiledOnceAndReadFromTheFolderAfterwards(@TempDir Path folder) throws Exception {
        KernelCache cache = new KernelCache(folder, compiler);
        byte[] image = cache.image("product", newest());
        List<Path> files;
        try (Stream<Path> list = Files.list(folder)) {
            files = list.toList();
        }
        assertEquals(1, files.size(), files.toString());
        Files.write(files.getFirst(), new byte[] {1, 2, 3}); // to see where the next one comes from
        assertEquals(3, cache.image("product", newest()).length);
        assertTrue(image.length > 1000, "machine code");
    }
}
