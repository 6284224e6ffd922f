package ds.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A shared library of the system or of a CUDA toolkit. Looked for under its name by the system's loader first (its cache, and {@code
 * LD_LIBRARY_PATH}), then in the folders of {@code DS_CUDA_LIBRARIES}, {@code CUDA_HOME} and of the usual installations. Stays loaded: a
 * CUDA library cannot be unloaded safely.
 */
@SuppressWarnings("restricted")
public final class NativeLibrary {
    private static final Linker LINKER = Linker.nativeLinker();

    private final String name;
    private final SymbolLookup symbols;

    private NativeLibrary(String name, SymbolLookup symbols) {
        this.name = name;
        this.symbols = symbols;
    }

    /**
     * Loads the first that is found.
     *
     * @param what it is, for the message, such as {@code "the CUDA driver"}
     * @param names in order of preference, such as {@code "libnvrtc.so.13"}
     * @throws UnsatisfiedLinkError naming what was looked for, and where
     */
    public static NativeLibrary load(String what, List<String> names) {
        List<Path> folders = folders(System.getenv());
        for (String name : names) {
            try {
                return new NativeLibrary(name, SymbolLookup.libraryLookup(name, Arena.global()));
            } catch (IllegalArgumentException absent) { // not known to the system's loader
                for (Path folder : folders) {
                    Path file = folder.resolve(name);
                    if (Files.isReadable(file)) {
                        return new NativeLibrary(file.toString(), SymbolLookup.libraryLookup(file, Arena.global()));
                    }
                }
            }
        }
        throw new UnsatisfiedLinkError(what + ": no " + String.join(" or ", names) + " on the loader's path"
                + (folders.isEmpty() ? "" : " nor in " + folders)
                + "; install it, or name its folder in DS_CUDA_LIBRARIES");
    }

    /** {@return folders that exist, of those in which CUDA's libraries usually are} */
    static List<Path> folders(Map<String, String> environment) {
        List<Path> candidates = new ArrayList<>();
        for (String folder : environment.getOrDefault("DS_CUDA_LIBRARIES", "").split(":", -1)) {
            if (!folder.isBlank()) {
                candidates.add(Path.of(folder));
            }
        }
        for (String home : new String[] {environment.getOrDefault("CUDA_HOME", ""), "/usr/local/cuda", "/opt/cuda"}) {
            if (!home.isBlank()) {
                candidates.add(Path.of(home, "lib64"));
                candidates.add(Path.of(home, "targets", "x86_64-linux", "lib"));
            }
        }
        return candidates.stream().filter(Files::isDirectory).distinct().toList();
    }

    /** {@return its name, or the path under which it was found} */
    public String name() {
        return name;
    }

    /**
     * {@return a function that returns an int}
     *
     * @throws UnsatisfiedLinkError if this version of the library has no such function
     */
    public MethodHandle function(String symbol, MemoryLayout... parameters) {
        return function(symbol, FunctionDescriptor.of(ValueLayout.JAVA_INT, parameters));
    }

    /**
     * {@return a function}
     *
     * @throws UnsatisfiedLinkError if this version of the library has no such function
     */
    public MethodHandle function(String symbol, FunctionDescriptor descriptor) {
        return LINKER.downcallHandle(
                symbols.find(symbol)
                        .orElseThrow(() -> new UnsatisfiedLinkError(
                                name + " has no function " + symbol + ": another version of it is needed")),
                descriptor);
    }

    /** {@return the error that a downcall cannot throw} */
    public static AssertionError unexpected(Throwable e) {
        return new AssertionError("a native call has thrown", e);
    }
}
