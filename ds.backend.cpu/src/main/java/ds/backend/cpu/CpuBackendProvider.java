package ds.backend.cpu;

import ds.api.TensorBackend;
import ds.api.spi.Availability;
import ds.api.spi.ProviderException;
import ds.api.spi.ProviderOptions;
import ds.api.spi.TensorBackendProvider;
import ds.backend.cpu.product.OneDnn;
import java.lang.management.ManagementFactory;
import java.util.Locale;
import java.util.Optional;

/**
 * The provider named "cpu". Options: {@code threads}, how many threads compute, this rank's own included (by default one for
 * each processor: give the ranks of one machine their share; a rehearsal has one more for a while); {@code
 * memory_limit_bytes}, what the buffers may take together (by default the machine's memory).
 */
public final class CpuBackendProvider implements TensorBackendProvider {
    static final String NAME = "cpu";

    /** Loads nothing. */
    public CpuBackendProvider() {}

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public Availability availability() {
        String system = System.getProperty("os.name").toLowerCase(Locale.ROOT);
        String architecture = System.getProperty("os.arch");
        if (!system.equals("linux") || !architecture.equals("amd64")) {
            return new Availability.Unavailable("oneDNN is bundled for linux on amd64, and this is " + system + " on "
                    + architecture + "; use such a machine, or another ds.backend");
        }
        if (ModuleLayer.boot().findModule("jdk.incubator.vector").isEmpty()) {
            return new Availability.Unavailable(
                    "module jdk.incubator.vector is not resolved; start java with --add-modules jdk.incubator.vector");
        }
        try {
            OneDnn library = new OneDnn();
            return new Availability.Available("oneDNN " + library.version() + " for " + library.instructions() + ", "
                    + processors() + " processors");
        } catch (LinkageError | RuntimeException e) {
            return new Availability.Unavailable("oneDNN does not load: " + reason(e)
                    + "; put the jars of org.bytedeco dnnl, opencl and javacpp with classifier linux-x86_64 on the module"
                    + " path, and see that the folder ~/.javacpp/cache can be written");
        }
    }

    private static String reason(Throwable e) {
        StringBuilder reason = new StringBuilder(e.toString());
        for (Throwable cause = e.getCause(); cause != null; cause = cause.getCause()) {
            reason.append(", because of ").append(cause);
        }
        return reason.toString();
    }

    @Override
    public TensorBackend open(int localRank, ProviderOptions options) {
        long threads = options.integer("threads", processors());
        long limit = options.integer("memory_limit_bytes", machineBytes());
        options.rejectUnknown();
        if (threads < 1 || threads > 1024) {
            throw new ProviderException("ds.backend cpu: threads = " + threads + ": must be from 1 to 1024; "
                    + processors() + " is the default");
        }
        if (limit < 1) {
            throw new ProviderException("ds.backend cpu: memory_limit_bytes = " + limit + ": must be positive; "
                    + machineBytes() + " is the default");
        }
        return new CpuBackend(new OneDnn(), (int) threads, limit);
    }

    @Override
    public Optional<TensorBackend> openForRehearsal() {
        return Optional.of(new CpuBackend(new OneDnn(), 1, machineBytes()));
    }

    private static int processors() {
        return Runtime.getRuntime().availableProcessors();
    }

    private static long machineBytes() {
        return ManagementFactory.getPlatformMXBean(com.sun.management.OperatingSystemMXBean.class)
                .getTotalMemorySize();
    }
}
