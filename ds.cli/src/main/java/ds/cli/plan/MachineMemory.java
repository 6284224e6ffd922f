package ds.cli.plan;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/** What this machine could still give. */
public final class MachineMemory {
    private static final Path MEMINFO = Path.of("/proc/meminfo");
    private static final String LOCAL_RANKS = "LOCAL_WORLD_SIZE";

    private MachineMemory() {}

    /** {@return bytes that processes can still get, page cache included that would make way; never more than a container's} */
    public static long availableBytes() {
        OperatingSystemMXBean system = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
        try (var lines = Files.lines(MEMINFO)) {
            long available = lines.filter(line -> line.startsWith("MemAvailable:"))
                    .mapToLong(line -> 1024 * Long.parseLong(line.replaceAll("\\D", "")))
                    .findFirst()
                    .orElse(system.getFreeMemorySize());
            return Math.min(available, system.getTotalMemorySize());
        } catch (IOException e) { // no Linux: what is free has to do
            return system.getFreeMemorySize();
        }
    }

    /** {@return how many ranks share the machine, as far as their launcher says; otherwise 1} */
    public static int localRanks(Map<String, String> environment) {
        String text = environment.getOrDefault(LOCAL_RANKS, "1");
        return text.matches("[1-9][0-9]{0,5}") ? Integer.parseInt(text) : 1;
    }
}
