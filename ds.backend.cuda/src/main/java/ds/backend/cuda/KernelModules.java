package ds.backend.cuda;

import ds.cuda.CudaDevice;
import java.util.HashMap;
import java.util.Map;

/** The kernels, loaded module by module when the first of its kernels is asked for. */
final class KernelModules implements AutoCloseable {
    private final CudaDevice device;
    private final KernelCache cache;
    private final Map<String, Long> modules = new HashMap<>();
    private final Map<String, Long> functions = new HashMap<>();

    KernelModules(CudaDevice device, KernelCache cache) {
        this.device = device;
        this.cache = cache;
    }

    /**
     * {@return the handle of a kernel}
     *
     * @param module name of its source
     * @param sharedBytes of dynamic shared memory with which it will be launched
     */
    synchronized long function(String module, String name, int sharedBytes) {
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
