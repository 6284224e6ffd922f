package ds.backend.cuda;

import ds.api.TensorBackend;
import ds.api.spi.Availability;
import ds.api.spi.ProviderException;
import ds.api.spi.ProviderOptions;
import ds.api.spi.TensorBackendProvider;
import ds.backend.cuda.driver.CublasLt;
import ds.backend.cuda.driver.Nvrtc;
import ds.backend.cuda.launch.FlashKernels;
import ds.backend.cuda.launch.KernelCache;
import ds.backend.cuda.launch.KernelModules;
import ds.backend.cuda.product.AlgorithmChoice;
import ds.backend.cuda.product.AlgorithmFile;
import ds.backend.cuda.product.Products;
import ds.cuda.CudaDevice;
import ds.cuda.CudaDriver;
import ds.cuda.CudaException;
import java.nio.file.Path;
import java.util.List;

/**
 * The provider named "cuda". Options: {@code device}, which of the GPUs that the process sees (by default the local rank); {@code tf32},
 * whether products of F32 may round their factors to 10 bits (false); {@code gelu_epilogue}, whether cuBLASLt computes GELU with products
 * of 16-bit numbers (true); {@code wgmma_attention}, whether attention on sm_90 multiplies by warpgroups (false: this has not run on any
 * device); {@code product_candidates}, of how many of cuBLASLt's algorithms a product takes the fastest, which is measured once and kept
 * beside the kernels (1: its heuristics' first, and nothing is measured); {@code memory_limit_bytes}, what the buffers may take together
 * (by default the device's memory); {@code kernel_cache}, the folder of compiled kernels (by default {@code ds/kernels} in the user's
 * cache).
 */
public final class CudaBackendProvider implements TensorBackendProvider {
    static final String NAME = "cuda";
    private static final int MAX_CANDIDATES = 32;

    /** Loads nothing. */
    public CudaBackendProvider() {}

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public String deviceType() {
        return CudaBackend.TYPE;
    }

    @Override
    public Availability availability() {
        try {
            CudaDriver driver = new CudaDriver();
            List<CudaDriver.Properties> devices = driver.devices();
            if (devices.isEmpty()) {
                return new Availability.Unavailable(
                        "the CUDA driver sees no GPU; see nvidia-smi, and CUDA_VISIBLE_DEVICES");
            }
            CudaDriver.Properties first = devices.getFirst();
            List<Integer> majors = majors(driver.version(), first);
            String compiler = new Nvrtc(majors).version();
            new CublasLt(majors).close();
            return new Availability.Available(devices.size() + " × " + first.name() + ", " + first.architecture() + ", "
                    + (first.memoryBytes() >> 30) + " GiB; driver for CUDA " + version(driver.version()) + ", NVRTC "
                    + compiler);
        } catch (LinkageError | RuntimeException e) {
            return new Availability.Unavailable(e.getMessage() == null ? e.toString() : e.getMessage());
        }
    }

    /**
     * {@return the versions of CUDA whose libraries fit, the best first}: none newer than the driver, and none that has dropped the device
     */
    static List<Integer> majors(int driverVersion, CudaDriver.Properties device) {
        boolean dropped = device.major() * 10 + device.minor() < 75; // CUDA 13 begins with Turing
        return driverVersion >= 13000 && !dropped ? List.of(13, 12) : List.of(12);
    }

    private static String version(int number) {
        return number / 1000 + "." + number % 1000 / 10;
    }

    @Override
    public TensorBackend open(int localRank, ProviderOptions options) {
        long ordinal = options.integer("device", localRank);
        Products.Precision precision =
                new Products.Precision(options.flag("tf32", false), options.flag("gelu_epilogue", true));
        long candidates = options.integer("product_candidates", 1);
        long limit = options.integer("memory_limit_bytes", 0);
        boolean wgmma = options.flag("wgmma_attention", false);
        String folder = options.text("kernel_cache", "");
        options.rejectUnknown();
        if (limit < 0) {
            throw new ProviderException("ds.backend cuda: memory_limit_bytes = " + limit + ": must be positive");
        }
        if (candidates < 1 || candidates > MAX_CANDIDATES) {
            throw new ProviderException("ds.backend cuda: product_candidates = " + candidates + ": must be from 1 to "
                    + MAX_CANDIDATES + "; 1 takes cuBLASLt's first algorithm and measures nothing");
        }
        try {
            CudaDriver driver = new CudaDriver();
            List<CudaDriver.Properties> devices = driver.devices();
            if (ordinal < 0 || ordinal >= devices.size()) {
                throw new ProviderException("ds.backend cuda: device = " + ordinal + " for local rank " + localRank
                        + ", but the process sees " + devices.size() + " GPUs; start fewer ranks on this host, or see"
                        + " CUDA_VISIBLE_DEVICES");
            }
            CudaDriver.Properties properties = devices.get((int) ordinal);
            if (wgmma && !FlashKernels.haveWarpgroups(properties)) {
                throw new ProviderException("ds.backend cuda: wgmma_attention = true: " + properties.name() + " is "
                        + properties.architecture() + ", and only sm_90 multiplies by warpgroups; leave it out");
            }
            List<Integer> majors = majors(driver.version(), properties);
            Path cache = folder.isEmpty() ? userCache() : Path.of(folder);
            Nvrtc compiler = new Nvrtc(majors);
            CublasLt library = new CublasLt(majors);
            AlgorithmFile kept = new AlgorithmFile(cache, properties, library.version());
            CudaDevice device = new CudaDevice(driver, properties);
            return new CudaBackend(
                    device,
                    new KernelModules(device, new KernelCache(cache, compiler), FlashKernels.of(properties, wgmma)),
                    new Products(device, library, precision, new AlgorithmChoice((int) candidates, kept)),
                    limit == 0 ? properties.memoryBytes() : limit);
        } catch (LinkageError | CudaException e) {
            throw new ProviderException("ds.backend = cuda: " + e.getMessage(), e);
        }
    }

    private static Path userCache() {
        String cache = System.getenv("XDG_CACHE_HOME");
        return cache == null || cache.isBlank()
                ? Path.of(System.getProperty("user.home"), ".cache", "ds", "kernels")
                : Path.of(cache, "ds", "kernels");
    }
}
