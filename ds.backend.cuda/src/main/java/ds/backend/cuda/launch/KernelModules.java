package ds.backend.cuda.launch;

import ds.cuda.CudaDevice;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The kernels, loaded module by module when the first of its kernels is asked for. */
public final class KernelModules implements AutoCloseable {
    private final CudaDevice device;
    private final KernelCache cache;
    private final List<FlashKernels> flash;
    private final Map<String, Long> modules = new HashMap<>();
    private final Map<String, Long> functions = new HashMap<>();

    /** With those of attention on tensor cores that the device can run, the first choice first. */
    public KernelModules(CudaDevice device, KernelCache cache, List<FlashKernels> flash) {
        this.device = device;
        this.cache = cache;
        this.flash = flash;
    }

    /** {@return the kernels of attention on tensor cores for heads of a size; empty if there are none} */
    public Optional<FlashKernels> flash(int headSize) {
        for (FlashKernels kernels : flash) {
            if (headSize <= kernels.headSize()) {
                return Optional.of(kernels);
            }
        }
        return Optional.empty();
    }

    /**
     * {@return the handle of a kernel}
     *
     * @param module name of its source
     * @param sharedBytes of dynamic shared memory with which it will be launched
     */
    public synchronized long function(String module, String name, int sharedBytes) {
        Long function = functions.get(name);
        if (function == null) {
            Long loaded = modules.get(module);
            if (loaded == null) {
                loaded = device.loadModule(
                        cache.image(module, device.properties().architecture()));
                modules.put(module, loaded);
            }
            function = device.function(loaded, name);
            device.permitShared(function, sharedBytes);
            functions.put(name, function);
        }
        return function;
    }

    @Override
    public synchronized void close() {
        modules.values().forEach(device::unloadModule);
        modules.clear();
        functions.clear();
    }
}
