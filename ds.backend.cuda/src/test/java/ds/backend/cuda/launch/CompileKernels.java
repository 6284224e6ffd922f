package ds.backend.cuda.launch;

import ds.backend.cuda.driver.Nvrtc;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/** Fills a folder of compiled kernels, for a device that is elsewhere: {@code CompileKernels FOLDER sm_90…}. No test. */
final class CompileKernels {
    private CompileKernels() {}

    public static void main(String[] arguments) {
        KernelCache cache = new KernelCache(Path.of(arguments[0]), new Nvrtc(List.of(13, 12)));
        for (String architecture : Arrays.asList(arguments).subList(1, arguments.length)) {
            KernelSource.NAMES.stream()
                    .filter(name -> KernelSource.of(name).compilesFor(architecture))
                    .forEach(name -> cache.image(name, architecture));
        }
    }
}
