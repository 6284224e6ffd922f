package ds.cli;

import ds.api.DType;
import ds.cli.plan.RunReport;
import ds.cli.plan.StatesReport;
import ds.cli.terminal.Console;
import ds.cli.train.RunConfig;
import ds.cli.train.RunPlan;
import ds.zero.config.ByteSize;
import ds.zero.config.Precision;
import ds.zero.config.StatePrecision;
import ds.zero.config.ZeroStage;
import ds.zero.plan.ModelStates;
import java.math.BigDecimal;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** Says what memory a run needs, before anything is allocated. */
@Command(
        name = "plan",
        header = "Show what memory a run needs, and what fits.",
        description = {
            "Shows what memory each rank of a run needs: the training loop is run dry, with buffers that have a size and no"
                    + " memory. Works for models and ranks that no machine at hand could hold. Where the configuration has a"
                    + " ds.memory_limit, also on how few ranks the run fits, at every stage.",
            "With --parameters instead of a configuration: weights, gradients and optimizer states by the formulas of the ZeRO"
                    + " paper."
        },
        footer = {
            "",
            "Examples:",
            "  ds plan --config my.json --ranks 4",
            "  ds plan --parameters 7.5e9 --ranks 64",
            "  ds plan --parameters 7.5e9 --ranks 64 --memory 32GB",
            "  ds plan --parameters 7.5e9 --ranks 64 --stage 1 --json"
        })
final class PlanCommand implements Runnable {
    private final Console console;

    @Spec
    private CommandSpec spec;

    @ArgGroup(exclusive = true, multiplicity = "1")
    private Subject subject = new Subject();

    /** What is planned: one of the two. */
    static final class Subject {
        @Option(
                names = "--config",
                paramLabel = "FILE",
                description = "The configuration of a run; data may be absent.")
        private Path config;

        @Option(
                names = "--parameters",
                paramLabel = "N",
                converter = Count.class,
                description = "A number of parameters, such as 7.5e9, 7.5B or 124M.")
        private Long parameters;
    }

    @Option(names = "--ranks", paramLabel = "N", defaultValue = "1", description = "Default ${DEFAULT-VALUE}.")
    private int ranks;

    @Option(names = "--stage", paramLabel = "S", description = "ZeRO stage; default: all of them. With --parameters.")
    private Optional<Integer> stage = Optional.empty();

    @Option(
            names = "--dtype",
            paramLabel = "TYPE",
            converter = PrecisionConverter.class,
            description = "fp32, bf16 or fp16; default: mixed precision, as bf16 and fp16 are. With --parameters.")
    private Optional<DType> dtype = Optional.empty();

    @Option(
            names = "--master-weights",
            paramLabel = "TYPE",
            description = "fp32, split or bf16, as ds.states.master_weights; default: fp32. With --parameters.")
    private Optional<String> masterWeights = Optional.empty();

    @Option(
            names = "--optimizer-states",
            paramLabel = "TYPE",
            description = "fp32 or bf16, as ds.states.optimizer_states; default: fp32. With --parameters.")
    private Optional<String> optimizerStates = Optional.empty();

    @Option(
            names = "--memory",
            paramLabel = "SIZE",
            description = "Memory of one rank, such as 32GB: adds what fits in it. With --parameters.")
    private Optional<String> memory = Optional.empty();

    @Option(names = "--json", description = "Print one JSON object.")
    private boolean json;

    PlanCommand(Console console) {
        this.console = console;
    }

    @Override
    public void run() {
        if (ranks < 1) {
            throw usage("--ranks = " + ranks + ": must be at least 1");
        }
        if (subject.config != null) {
            planRun();
        } else {
            planStates();
        }
    }

    private void planRun() {
        if (stage.isPresent() || dtype.isPresent() || memory.isPresent() || givesStates()) {
            throw usage("--stage, --dtype, --master-weights, --optimizer-states and --memory go with --parameters; the"
                    + " configuration has keys of its own for them: zero_optimization.stage, bf16, fp16, ds.states,"
                    + " ds.memory_limit");
        }
        RunReport report = RunReport.of(
                RunPlan.of(RunConfig.parseForPlan(subject.config, ranks).value()));
        if (json) {
            console.out().println(report.toJson());
        } else {
            report.print(console.out());
        }
    }

    private void planStates() {
        StatesReport report = new StatesReport(
                subject.parameters,
                ranks,
                stage.map(number -> List.of(stage(number))).orElse(List.of(ZeroStage.values())),
                givesStates()
                        ? ModelStates.of(bf16())
                        : dtype.map(ModelStates::of).orElse(ModelStates.MIXED),
                dtype.map(Precision::nameOf).orElse("mixed precision"),
                memory.map(text -> OptionalLong.of(bytes(text))).orElse(OptionalLong.empty()));
        if (json) {
            console.out().println(report.toJson());
        } else {
            report.print(console.out());
        }
    }

    private boolean givesStates() {
        return masterWeights.isPresent() || optimizerStates.isPresent();
    }

    private Precision bf16() {
        if (dtype.isPresent() && dtype.get() != DType.BF16) {
            throw usage("--dtype = " + Precision.nameOf(dtype.get())
                    + ": --master-weights and --optimizer-states need bf16");
        }
        String masters = masterWeights.orElse("fp32");
        String states = optimizerStates.orElse("fp32");
        if (!List.of("fp32", "split", "bf16").contains(masters)) {
            throw usage("--master-weights = " + masters + ": must be fp32, split or bf16");
        }
        if (!List.of("fp32", "bf16").contains(states)) {
            throw usage("--optimizer-states = " + states + ": must be fp32 or bf16");
        }
        return new Precision.Bf16(
                true,
                new StatePrecision(
                        StatePrecision.MasterWeights.valueOf(masters.toUpperCase(Locale.ROOT)),
                        states.equals("bf16") ? DType.BF16 : DType.F32,
                        StatePrecision.Rounding.STOCHASTIC));
    }

    private ZeroStage stage(int number) {
        for (ZeroStage candidate : ZeroStage.values()) {
            if (candidate.number() == number) {
                return candidate;
            }
        }
        throw usage("--stage = " + number + ": must be 0, 1, 2 or 3");
    }

    private long bytes(String text) {
        try {
            return ByteSize.parse(text);
        } catch (IllegalArgumentException e) {
            throw usage("--memory = " + e.getMessage());
        }
    }

    private ParameterException usage(String message) {
        return new ParameterException(spec.commandLine(), message);
    }

    /** A count as the field writes it: {@code 7.5e9}, {@code 7.5B}, {@code 124M}. */
    static final class Count implements ITypeConverter<Long> {
        private static final Pattern TEXT = Pattern.compile("(\\d+(?:\\.\\d+)?(?:[eE]\\+?\\d{1,2})?)([KMBT]?)");
        private static final Map<String, Integer> POWERS = Map.of("", 0, "K", 3, "M", 6, "B", 9, "T", 12);

        @Override
        public Long convert(String value) {
            Matcher matcher = TEXT.matcher(value);
            try {
                if (matcher.matches()) {
                    long count = new BigDecimal(matcher.group(1))
                            .scaleByPowerOfTen(POWERS.get(matcher.group(2)))
                            .longValueExact();
                    if (count > 0 && count <= MOST) {
                        return count;
                    }
                }
            } catch (ArithmeticException e) {
                throw new TypeConversionException("'" + value + "' is no whole number of parameters");
            }
            throw new TypeConversionException(
                    "'" + value + "' is no number of parameters, such as 7.5e9, 7.5B or 124M, up to 1e17");
        }

        /** So that 16 bytes for each still are a {@code long}. */
        private static final long MOST = 100_000_000_000_000_000L;
    }
}
