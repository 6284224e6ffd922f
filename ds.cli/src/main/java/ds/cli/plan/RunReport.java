package ds.cli.plan;

import ds.cli.train.RunPlan;
import ds.models.gpt.GptConfig;
import ds.zero.config.BatchConfig;
import ds.zero.config.ByteSize;
import ds.zero.config.Precision;
import ds.zero.config.ZeroStage;
import ds.zero.plan.Alternatives.Option;
import ds.zero.plan.MemoryPlan;
import ds.zero.plan.ModelStates;
import ds.zero.plan.RankMemory;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Function;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The plan of a configured run, and of the same training with other settings.
 *
 * @param run what is planned
 * @param plan of it
 * @param stages the same training at every stage, without and with recomputation
 * @param fewestRanks by stage, on how many ranks it would fit in {@code ds.memory_limit}; none without one, nor where no number of
 *     ranks is enough
 */
public record RunReport(RunPlan run, MemoryPlan plan, List<Option> stages, Map<ZeroStage, Option> fewestRanks) {
    private static final int BAR = 24; // columns of what is all of the memory

    /** {@return the report of a run, planned now} */
    public static RunReport of(RunPlan run) {
        Map<ZeroStage, Option> fewest = new EnumMap<>(ZeroStage.class);
        if (run.rankMemory().limitBytes().isPresent()) {
            for (ZeroStage stage : run.zero().stages()) {
                run.fewestRanks().at(stage).ifPresent(option -> fewest.put(stage, option));
            }
        }
        return new RunReport(run, run.plan(), run.alternatives().stages(), fewest);
    }

    /** Prints it for people. */
    public void print(PrintWriter out) {
        printRun(out);
        out.println();
        printKinds(out);
        printProcess(out);
        out.println();
        run.statePlaces(plan).ifPresent(places -> {
            StatePlacesReport.print(places.fitting(), out);
            out.println();
        });
        printStages(out);
    }

    private void printRun(PrintWriter out) {
        GptConfig shape = run.shape();
        BatchConfig batch = run.zero().batch();
        out.printf(
                Locale.ROOT,
                "model     %s parameters: %d layers, %d channels, %d heads, vocabulary %d%n",
                Amounts.count(shape.parameters()),
                shape.layers(),
                shape.channels(),
                shape.heads(),
                shape.vocabulary());
        out.printf(
                Locale.ROOT,
                "training  %s%s, ZeRO stage %d, %s; %s of %s, %s a step%n",
                Amounts.of(ranks(), "rank"),
                tensorParallel() == 1 ? "" : ", each layer split over " + tensorParallel(),
                run.zero().zero().stage().number(),
                dtype(),
                Amounts.of(batch.microBatchSize(), "sequence"),
                Amounts.of(run.sequenceLength(), "token"),
                Amounts.of(batch.gradientAccumulationSteps(), "micro-batch"));
        out.printf(
                Locale.ROOT,
                "sent      %s elements by each rank in a step, %s%n",
                Amounts.count(plan.sentPerStep().elements()),
                ByteSize.inBinary(plan.sentPerStep().bytes()));
    }

    private int tensorParallel() {
        return run.zero().tensorParallel().size();
    }

    private int ranks() {
        return run.zero().batch().worldSize() * tensorParallel();
    }

    private String dtype() {
        return Precision.nameOf(run.zero().precision().weights());
    }

    private void printKinds(PrintWriter out) {
        plan.onDevice().ifPresent(device -> {
            Account account = new Account(device.atPeak(), device.memory().peakBytes(), device.trainingPeakBytes());
            account.print("on " + device.device(), out);
            run.deviceLimitBytes().ifPresent(limit -> {
                String key = "ds.backend_options.memory_limit_bytes";
                out.println("  " + verdict(device.memory().peakBytes(), limit, key));
            });
            out.println();
        });
        Account host = new Account(plan.atPeak(), plan.peakBytes(), plan.trainingPeakBytes());
        host.print(plan.onDevice().isPresent() ? "on the host" : "one rank's peak", out);
    }

    /** What is live in one memory when most is. */
    private record Account(Map<String, Long> atPeak, long peakBytes, long trainingPeakBytes) {
        void print(String where, PrintWriter out) {
            Map<Kind, Map<String, Long>> byKind = new TreeMap<>();
            atPeak.forEach((label, bytes) -> {
                if (bytes > 0) {
                    byKind.computeIfAbsent(Kind.of(label), kind -> new TreeMap<>())
                            .put(label, bytes);
                }
            });
            String when = trainingPeakBytes == peakBytes
                    ? "while it trains"
                    : "while weights are saved; " + ByteSize.inBinary(trainingPeakBytes) + " while it trains";
            out.printf(Locale.ROOT, "%-18s %10s  %s%n", where, ByteSize.inBinary(peakBytes), when);
            byKind.forEach((kind, labels) -> {
                long bytes = labels.values().stream().mapToLong(Long::longValue).sum();
                String bar = "█".repeat((int) Math.max(1, Math.round((double) BAR * bytes / peakBytes)));
                out.printf(
                        Locale.ROOT, "  %-16s %10s  %-24s  %s%n", kind, ByteSize.inBinary(bytes), bar, details(labels));
            });
        }
    }

    /** {@return the labels of a kind, with their bytes if there are several} */
    private static String details(Map<String, Long> labels) {
        if (labels.size() == 1) {
            return labels.keySet().iterator().next();
        }
        List<String> parts = new ArrayList<>();
        labels.forEach((label, bytes) -> parts.add(label + " " + ByteSize.inBinary(bytes)));
        return String.join(", ", parts);
    }

    private void printProcess(PrintWriter out) {
        out.printf(
                Locale.ROOT,
                "%-18s %10s  Java machine, heap, native libraries%n",
                "beside tensors",
                ByteSize.inBinary(RankMemory.RESERVED_BYTES));
        long needed = RankMemory.needed(plan.peakBytes());
        String verdict = "no ds.memory_limit";
        if (run.rankMemory().limitBytes().isPresent()) {
            long limit = run.rankMemory().limitBytes().getAsLong();
            verdict = verdict(needed, limit, "ds.memory_limit");
        }
        out.printf(Locale.ROOT, "%-18s %10s  %s%n", "process", ByteSize.inBinary(needed), verdict);
    }

    private static String verdict(long needed, long limit, String key) {
        return "of " + ByteSize.inBinary(limit) + " (" + key + "): "
                + (needed <= limit
                        ? "fits, " + ByteSize.inBinary(limit - needed) + " to spare"
                        : "does not fit, by " + ByteSize.inBinary(needed - limit));
    }

    private void printStages(PrintWriter out) {
        plan.onDevice().ifPresent(device -> {
            String title = device.device() + " at";
            printStages(title, out, option -> mark(option) + onDevice(option));
            out.println();
        });
        printStages("process at", out, this::cell);
        boolean limited = run.rankMemory().limitBytes().isPresent();
        out.printf(Locale.ROOT, "  > as configured%s%n", limited ? "; ! does not fit" : "");
        if (limited) {
            out.println();
            printFewestRanks(out);
        }
    }

    private void printFewestRanks(PrintWriter out) {
        BatchConfig batch = run.zero().batch();
        out.printf(
                Locale.ROOT,
                "%-18s %22s  %s each, activations as configured%n",
                "fewest ranks",
                "",
                Amounts.of((long) batch.microBatchSize() * batch.gradientAccumulationSteps(), "sequence"));
        for (ZeroStage stage : run.zero().stages()) {
            String found = Optional.ofNullable(fewestRanks.get(stage))
                    .map(option -> "%22s  %s".formatted(Amounts.of(option.ranks(), "rank"), cell(option)))
                    .orElse("%22s".formatted("none is enough"));
            out.printf(Locale.ROOT, "  %-16s %s%n", "stage " + stage.number(), found);
        }
    }

    private static String onDevice(Option option) {
        return option.plan()
                .onDevice()
                .map(device -> ByteSize.inBinary(device.memory().peakBytes()))
                .orElseThrow();
    }

    private void printStages(String title, PrintWriter out, Function<Option, String> cell) {
        out.printf(Locale.ROOT, "%-18s %22s %22s%n", title, "activations kept", "recomputed");
        for (int i = 0; i < stages.size(); i += 2) {
            out.printf(
                    Locale.ROOT,
                    "  %-16s %22s %22s%n",
                    "stage " + stages.get(i).stage().number(),
                    cell.apply(stages.get(i)),
                    cell.apply(stages.get(i + 1)));
        }
    }

    private String mark(Option option) {
        return option.config().equals(run.zero()) ? "> " : "";
    }

    private String cell(Option option) {
        String mark = mark(option);
        String misfit = run.rankMemory().fits(option.plan().peakBytes()) ? "" : "! ";
        return mark + misfit + ByteSize.inBinary(RankMemory.needed(option.plan().peakBytes()));
    }

    /** {@return the same as JSON} */
    public String toJson() {
        BatchConfig batch = run.zero().batch();
        ObjectNode root = JsonMapper.shared().createObjectNode();
        root.put("parameters", plan.parameters());
        root.put("ranks", ranks());
        root.put("tensor_parallel", tensorParallel());
        root.put("stage", run.zero().zero().stage().number());
        root.put("dtype", dtype());
        root.put("micro_batch", batch.microBatchSize());
        root.put("accumulation", batch.gradientAccumulationSteps());
        root.put("sequence_length", run.sequenceLength());
        root.put("model_state_bytes_per_rank", modelStates().total());
        root.put("peak_bytes", plan.peakBytes());
        root.put("training_peak_bytes", plan.trainingPeakBytes());
        ObjectNode peaks = root.putObject("peak_bytes_by_label");
        plan.memory().labels().forEach((label, use) -> peaks.put(label, use.peakBytes()));
        ObjectNode atPeak = root.putObject("bytes_at_peak");
        new TreeMap<>(plan.atPeak()).forEach(atPeak::put);
        plan.onDevice().ifPresent(device -> addDevice(root.putObject("device"), device));
        run.statePlaces(plan)
                .ifPresent(places -> StatePlacesReport.addTo(root.putArray("state_places"), places.fitting()));
        root.put("reserved_bytes", RankMemory.RESERVED_BYTES);
        root.put("process_bytes", RankMemory.needed(plan.peakBytes()));
        run.rankMemory().limitBytes().ifPresent(limit -> {
            root.put("memory_limit_bytes", limit);
            root.put("fits", run.rankMemory().fits(plan.peakBytes()));
        });
        root.put("elements_sent_per_step", plan.sentPerStep().elements());
        root.put("bytes_sent_per_step", plan.sentPerStep().bytes());
        ArrayNode alternatives = root.putArray("alternatives");
        for (Option option : stages) {
            ObjectNode alternative = alternatives.addObject();
            option.plan()
                    .onDevice()
                    .ifPresent(device ->
                            alternative.put("device_peak_bytes", device.memory().peakBytes()));
            alternative
                    .put("stage", option.stage().number())
                    .put("recomputed", option.recomputed())
                    .put("peak_bytes", option.plan().peakBytes())
                    .put("process_bytes", RankMemory.needed(option.plan().peakBytes()));
        }
        if (run.rankMemory().limitBytes().isPresent()) {
            addFewestRanks(root.putArray("fewest_ranks"));
        }
        return JsonMapper.shared().writerWithDefaultPrettyPrinter().writeValueAsString(root);
    }

    /** 0 where no number of ranks is enough. */
    private void addFewestRanks(ArrayNode stagesNode) {
        for (ZeroStage stage : run.zero().stages()) {
            Optional<Option> found = Optional.ofNullable(fewestRanks.get(stage));
            ObjectNode node = stagesNode.addObject().put("stage", stage.number());
            node.put("ranks", found.map(Option::ranks).orElse(0));
            found.ifPresent(option ->
                    node.put("process_bytes", RankMemory.needed(option.plan().peakBytes())));
        }
    }

    private void addDevice(ObjectNode node, MemoryPlan.OnDevice device) {
        node.put("name", device.device().toString());
        node.put("peak_bytes", device.memory().peakBytes());
        run.deviceLimitBytes().ifPresent(limit -> {
            node.put("memory_limit_bytes", limit);
            node.put("fits", run.fitsDevice(plan));
        });
        node.put("training_peak_bytes", device.trainingPeakBytes());
        ObjectNode peaks = node.putObject("peak_bytes_by_label");
        device.memory().labels().forEach((label, use) -> peaks.put(label, use.peakBytes()));
        ObjectNode atPeak = node.putObject("bytes_at_peak");
        new TreeMap<>(device.atPeak()).forEach(atPeak::put);
    }

    private ModelStates.PerRank modelStates() {
        return ModelStates.of(run.zero().precision())
                .perRank(
                        Math.ceilDiv(plan.parameters(), tensorParallel()),
                        run.zero().batch().worldSize(),
                        run.zero().zero().stage());
    }
}
