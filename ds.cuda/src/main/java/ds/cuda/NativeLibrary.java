package ds.cuda;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A shared library of the system or of a CUDA toolkit. Looked for under its name by the system's loader first (its cache, and {@code
 * LD_LIBRARY_PATH}), then in the folders of {@code DS_CUDA_LIBRARIES}, {@code CUDA_HOME} and of the usual installations. Stays loaded: a
 * CUDA library cannot be unloaded safely.
 *
 * <p>A library found in a folder may load others by their names alone, which the system's loader then does not find: NVRTC as pip
 * installs it does so with its builtins. It takes them, however, where they are loaded already; {@link #load(String, List, String)}
 * does that.
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
        return load(what, names, "");
    }

    /**
     * Loads the first that is found, and before it what lies beside it under another name.
     *
     * @param what it is, for the message
     * @param names in order of preference
     * @param companions how names of libraries begin that it loads by itself; empty for none
     * @throws UnsatisfiedLinkError naming what was looked for, where, and what could not be loaded
     */
    public static NativeLibrary load(String what, List<String> names, String companions) {
        return load(what, names, companions, folders(System.getenv()));
    }

    static NativeLibrary load(String what, List<String> names, String companions, List<Path> folders) {
        List<Path> broken = new ArrayList<>();
        for (String name : names) {
            try {
                return new NativeLibrary(name, SymbolLookup.libraryLookup(name, Arena.global()));
            } catch (IllegalArgumentException absent) { // not known to the system's loader
                for (Path folder : folders) {
                    Path file = folder.resolve(name);
                    if (!Files.isReadable(file)) {
                        continue;
                    }
                    try {
                        companionsOf(file, companions);
                        return new NativeLibrary(file.toString(), SymbolLookup.libraryLookup(file, Arena.global()));
                    } catch (IllegalArgumentException unusable) { // of another machine, or what it needs is missing
                        broken.add(file);
                    }
                }
            }
        }
        throw new UnsatisfiedLinkError(what + ": no " + String.join(" or ", names) + " on the loader's path"
                + (folders.isEmpty() ? "" : " nor in " + folders)
                + (broken.isEmpty() ? "" : ", but for " + broken + ", which cannot be loaded (see ldd)")
                + "; install it, or name its folder in DS_CUDA_LIBRARIES");
    }

    /** Loads what lies beside a library and begins with such a name; the loader knows it by its own name from then on. */
    private static void companionsOf(Path library, String begin) {
        if (begin.isEmpty()) {
            return;
        }
        try (DirectoryStream<Path> beside = Files.newDirectoryStream(library.getParent(), begin + "*")) {
            for (Path file : beside) {
                SymbolLookup.libraryLookup(file.toAbsolutePath(), Arena.global());
            }
        } catch (IOException e) {
            throw new IllegalArgumentException(library + ": its folder cannot be read", e);
        }
    }

    /** {@return folders that exist, of those in which CUDA's libraries usually are} */
    static List<Path> folders(Map<String, String> environment) {
        List<Path> candidates = new ArrayList<>();
        for (String folder : environment.getOrDefault("DS_CUDA_LIBRARIES", "").split(":", -1)) {
            if (!folder.isBlank()) {
                candidates.add(Path.of(folder));
            }
        }
        for (String home : homes(environment)) {
            if (!home.isBlank()) {
                candidates.add(Path.of(home, "lib64"));
                candidates.add(Path.of(home, "targets", "x86_64-linux", "lib"));
            }
        }
        return candidates.stream()
                .map(Path::toAbsolutePath) // the loader takes no others
                .filter(Files::isDirectory)
                .distinct()
                .toList();
    }

    /** The toolkit's, and where a driver is that is lent to a container. */
    private static List<String> homes(Map<String, String> environment) {
        return List.of(
                environment.getOrDefault("CUDA_HOME", ""),
                environment.getOrDefault("CUDA_PATH", ""),
                "/usr/local/cuda",
                "/opt/cuda",
                "/usr/local/nvidia");
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
