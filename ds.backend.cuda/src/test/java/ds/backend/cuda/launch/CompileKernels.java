package ds.backend.cuda.launch;

import ds.backend.cuda.driver.Nvrtc;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/**
 * Fills a folder of compiled kernels, for a device that is elsewhere: {@code CompileKernels FOLDER sm_90…}; or one of their sources, each
 * as it is compiled: {@code CompileKernels --sources FOLDER}. No test.
 */
final class CompileKernels {
    private CompileKernels() {}

    public static void main(String[] arguments) throws IOException {
        if (arguments[0].equals("--sources")) {
            for (String name : KernelSource.NAMES) {
                Files.writeString(
                        Path.of(arguments[1], name + ".cu"),
                        KernelSource.of(name).text());
            }
            return;
        }
        KernelCache cache = new KernelCache(Path.of(arguments[0]), new Nvrtc(List.of(13, 12)));
        for (String architecture : Arrays.asList(arguments).subList(1, arguments.length)) {
            KernelSource.NAMES.stream()
                    .filter(name -> KernelSource.of(name).compilesFor(architecture))
                    .forEach(name -> cache.image(name, architecture));
        }
    }
}
