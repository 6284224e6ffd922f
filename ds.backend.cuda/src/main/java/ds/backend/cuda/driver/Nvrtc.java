package ds.backend.cuda.driver;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import ds.cuda.CudaException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** The compiler of CUDA C++. Needs neither a device nor a driver. */
public final class Nvrtc {
    private static final int COMPILATION = 6;

    private final NvrtcLibrary library;

    /**
     * Loads it.
     *
     * @param majors versions of CUDA, in order of preference
     * @throws LinkageError if there is none
     */
    public Nvrtc(List<Integer> majors) {
        List<String> names = new ArrayList<>();
        majors.forEach(major -> names.add("libnvrtc.so." + major));
        library = new NvrtcLibrary(names);
    }

    /** {@return the version, such as {@code "13.0"}} */
    public String version() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment numbers = arena.allocate(JAVA_INT, 2);
            check(library.version(numbers.address(), numbers.address() + 4), "nvrtcVersion", "");
            return numbers.getAtIndex(JAVA_INT, 0) + "." + numbers.getAtIndex(JAVA_INT, 1);
        }
    }

    /**
     * {@return machine code}
     *
     * @param name of the source, for messages
     * @param source CUDA C++, without includes
     * @param options such as {@code "--gpu-architecture=sm_90"}
     * @throws CudaException with the compiler's messages if it does not compile
     */
    public byte[] compile(String name, String source, List<String> options) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment handle = arena.allocate(JAVA_LONG);
            long text = arena.allocateFrom(source).address();
            long file = arena.allocateFrom(name).address();
            check(library.createProgram(handle.address(), text, file, 0, 0, 0), "nvrtcCreateProgram", "");
            long program = handle.get(JAVA_LONG, 0);
            try {
                MemorySegment list = arena.allocate(ADDRESS, options.size());
                for (int i = 0; i < options.size(); i++) {
                    list.setAtIndex(ADDRESS, i, arena.allocateFrom(options.get(i)));
                }
                int status = library.compileProgram(program, options.size(), list.address());
                check(status, "compiling " + name + " with " + options, log(arena, program));
                return image(arena, program);
            } finally {
                check(library.destroyProgram(handle.address()), "nvrtcDestroyProgram", "");
            }
        }
    }

    private String log(Arena arena, long program) {
        MemorySegment size = arena.allocate(JAVA_LONG);
        check(library.getProgramLogSize(program, size.address()), "nvrtcGetProgramLogSize", "");
        MemorySegment log = arena.allocate(size.get(JAVA_LONG, 0) + 1);
        check(library.getProgramLog(program, log.address()), "nvrtcGetProgramLog", "");
        return log.getString(0);
    }

    private byte[] image(Arena arena, long program) {
        MemorySegment size = arena.allocate(JAVA_LONG);
        check(library.getCubinSize(program, size.address()), "nvrtcGetCUBINSize", "");
        MemorySegment image = arena.allocate(size.get(JAVA_LONG, 0));
        check(library.getCubin(program, image.address()), "nvrtcGetCUBIN", "");
        return image.toArray(JAVA_BYTE);
    }

    private static void check(int status, String call, String log) {
        if (status != 0) {
            String name = status == COMPILATION ? "it does not compile" : "status " + status;
            String remedy = status == 5 ? "; this NVRTC does not know the device: install another version of CUDA" : "";
            throw new CudaException(
                    "NVRTC: " + call + ": " + name + remedy + (log.isBlank() ? "" : "\n" + log), status);
        }
    }
}
