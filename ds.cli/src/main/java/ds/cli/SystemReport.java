package ds.cli;

import ds.api.spi.Availability;
import ds.api.spi.Provider;
import ds.api.spi.Providers;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Versions, hardware, providers and environment, as plain values that print as text and as JSON. */
final class SystemReport {
    /** What decides how fast kernels can be. */
    private static final List<String> VECTOR_FEATURES = List.of(
            "avx2",
            "fma",
            "f16c",
            "avx512f",
            "avx512bw",
            "avx512_vnni",
            "avx512_bf16",
            "avx512_fp16",
            "amx_bf16",
            "asimd",
            "sve",
            "bf16");

    /** Variables that change what ds does. */
    private static final Pattern VARIABLES =
            Pattern.compile("DS_.*|(LOCAL_)?RANK|(LOCAL_)?WORLD_SIZE|MASTER_(ADDR|PORT)"
                    + "|SLURM_(PROCID|NTASKS|LOCALID)|OMPI_COMM_WORLD_.*|PMI_(RANK|SIZE)|OMP_.*|DNNL_.*|ONEDNN_.*|CUDA_.*|NVIDIA_.*"
                    + "|LD_LIBRARY_PATH|LD_PRELOAD|JAVA_HOME|JAVA_TOOL_OPTIONS|JDK_JAVA_OPTIONS");

    private static final Path CPU_INFO = Path.of("/proc/cpuinfo");

    private SystemReport() {}

    /** {@return the report of this process; nested maps and lists of texts and numbers, in the order to print} */
    static Map<String, Object> take(Map<String, String> environment) {
        var report = new LinkedHashMap<String, Object>();
        report.put("ds", Version.ofDs());
        report.put("java", Runtime.version() + ", " + System.getProperty("java.vendor"));
        report.put(
                "os",
                System.getProperty("os.name") + " " + System.getProperty("os.version") + ", "
                        + System.getProperty("os.arch"));
        report.put("cpu", cpu());
        report.put("memory", memory());
        report.put("providers", providers());
        report.put("environment", environment(environment));
        return report;
    }

    private static Map<String, Object> cpu() {
        Map<String, String> cpuInfo = cpuInfo();
        List<String> flags = Arrays.asList(cpuInfo.getOrDefault("flags", cpuInfo.getOrDefault("Features", ""))
                .split(" "));
        var cpu = new LinkedHashMap<String, Object>();
        cpu.put("model", cpuInfo.getOrDefault("model name", "unknown"));
        cpu.put("processors", Runtime.getRuntime().availableProcessors());
        cpu.put("features", VECTOR_FEATURES.stream().filter(flags::contains).toList());
        return cpu;
    }

    /** {@return what Linux says of the first processor} */
    private static Map<String, String> cpuInfo() {
        var values = new LinkedHashMap<String, String>();
        if (Files.isReadable(CPU_INFO)) {
            try (Stream<String> lines = Files.lines(CPU_INFO)) {
                lines.map(line -> line.split(":", 2))
                        .filter(pair -> pair.length == 2)
                        .forEach(pair -> values.putIfAbsent(pair[0].strip(), pair[1].strip()));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return values;
    }

    private static Map<String, Object> memory() {
        var system = ManagementFactory.getPlatformMXBean(com.sun.management.OperatingSystemMXBean.class);
        var memory = new LinkedHashMap<String, Object>();
        memory.put("total_bytes", system.getTotalMemorySize());
        memory.put("free_bytes", system.getFreeMemorySize());
        memory.put("java_heap_max_bytes", Runtime.getRuntime().maxMemory());
        return memory;
    }

    private static List<Map<String, Object>> providers() {
        var providers = new ArrayList<Map<String, Object>>();
        Providers.backends().all().forEach(provider -> providers.add(describe("backend", provider)));
        Providers.communicators().all().forEach(provider -> providers.add(describe("communicator", provider)));
        Providers.optimizers().all().forEach(provider -> providers.add(describe("optimizer", provider)));
        return providers;
    }

    private static Map<String, Object> describe(String kind, Provider provider) {
        var description = new LinkedHashMap<String, Object>();
        description.put("kind", kind);
        description.put("name", provider.name());
        description.put("origin", Providers.origin(provider));
        switch (provider.availability()) {
            case Availability.Available(String found) -> {
                description.put("available", true);
                description.put("detail", found);
            }
            case Availability.Unavailable(String reason) -> {
                description.put("available", false);
                description.put("detail", reason);
            }
        }
        return description;
    }

    /** Secrets are only said to be set. */
    private static Map<String, Object> environment(Map<String, String> environment) {
        var shown = new TreeMap<String, Object>();
        shown.put("DS_SECRET", "unset");
        environment.forEach((name, value) -> {
            if (VARIABLES.matcher(name).matches()) {
                shown.put(name, name.contains("SECRET") || name.equals("DS_TLS_PASSWORD") ? "set" : value);
            }
        });
        return shown;
    }

    /** Prints the report as text: a line for each value, indented below its group. */
    static void print(Map<String, Object> report, PrintWriter out) {
        report.forEach((key, value) -> {
            switch (value) {
                case Map<?, ?> group -> {
                    out.println(key);
                    group.forEach((name, x) -> out.printf("  %-22s %s%n", name, text(String.valueOf(name), x)));
                }
                case List<?> list -> {
                    out.println(key + (list.isEmpty() ? ": none found" : ""));
                    list.forEach(item -> out.println("  " + providerLine((Map<?, ?>) item)));
                }
                default -> out.printf("%-24s %s%n", key, value);
            }
        });
    }

    private static String text(String name, Object value) {
        return switch (value) {
            case Long bytes when name.endsWith("_bytes") -> String.format(Locale.ROOT, "%.1f GiB", bytes / 0x1p30);
            case List<?> list ->
                String.join(" ", list.stream().map(String::valueOf).toList());
            default -> value.toString();
        };
    }

    private static String providerLine(Map<?, ?> provider) {
        return "%-12s %-8s %s: %s (%s)"
                .formatted(
                        provider.get("kind"),
                        provider.get("name"),
                        Optional.of(provider.get("available"))
                                        .filter(Boolean.TRUE::equals)
                                        .isPresent()
                                ? "available"
                                : "not available",
                        provider.get("detail"),
                        provider.get("origin"));
    }
}
