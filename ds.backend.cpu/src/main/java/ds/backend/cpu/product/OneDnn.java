package ds.backend.cpu.product;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import org.bytedeco.dnnl.engine;
import org.bytedeco.dnnl.global.dnnl;
import org.bytedeco.javacpp.Pointer;

/** The library oneDNN, loaded through JavaCPP, and the OpenMP runtime that it brings along. */
@SuppressWarnings("restricted") // one C function, typed here
public final class OneDnn {
    /**
     * By default JavaCPP refuses to make an object once the process holds twice the Java heap's limit in physical memory. Our
     * tensors lie outside the heap, and would reach that soon.
     */
    private static final String PHYSICAL_LIMIT = "org.bytedeco.javacpp.maxPhysicalBytes";

    private final engine processor;
    private final MethodHandle ompSetNumThreads;
    private final int instructions;

    /**
     * Loads the native library.
     *
     * @throws LinkageError if it, or what it needs, is not there
     */
    public OneDnn() {
        if (System.getProperty(PHYSICAL_LIMIT) == null) {
            System.setProperty(PHYSICAL_LIMIT, "0");
        }
        processor = new engine(engine.kind.cpu, 0);
        instructions = dnnl.dnnl_get_effective_cpu_isa();
        // void omp_set_num_threads(int); the soname is that of the library which oneDNN has just loaded
        ompSetNumThreads = Linker.nativeLinker()
                .downcallHandle(
                        SymbolLookup.libraryLookup("libgomp.so.1", Arena.global())
                                .findOrThrow("omp_set_num_threads"),
                        FunctionDescriptor.ofVoid(JAVA_INT),
                        Linker.Option.critical(false));
    }

    engine engine() {
        return processor;
    }

    /** {@return the version, such as {@code "3.11.0"}} */
    public String version() {
        return dnnl.version().major() + "." + dnnl.version().minor() + "."
                + dnnl.version().patch();
    }

    /** {@return the widest instructions that it uses, by its own name for them} */
    public String instructions() {
        return dnnl.get_effective_cpu_isa().toString();
    }

    /** {@return whether its vectors have 512 bits} */
    public boolean hasAvx512() {
        return has(dnnl.dnnl_cpu_isa_avx512_core);
    }

    /** {@return whether the processor multiplies BF16 numbers itself} */
    public boolean hasBf16() {
        return has(dnnl.dnnl_cpu_isa_avx512_core_bf16);
    }

    private boolean has(int wanted) { // each value holds the bits of all that it includes
        return (instructions & wanted) == wanted;
    }

    /**
     * Makes oneDNN compute in the calling thread alone from now on: OpenMP keeps the number of threads for each thread that
     * calls it.
     */
    void useCallingThreadAlone() {
        try {
            ompSetNumThreads.invokeExact(1);
        } catch (Throwable e) { // the handle declares Throwable, and a C function throws nothing
            throw new IllegalStateException(e);
        }
    }

    /** An address as JavaCPP takes it; made once and moved, so that calls make no garbage. */
    static final class Address extends Pointer {
        Address() {
            super((Pointer) null);
        }

        Address at(long nativeAddress) {
            address = nativeAddress;
            return this;
        }
    }
}
