package ds.zero.config;

import ds.zero.config.json.Block;
import ds.zero.config.json.ConfigException;
import java.util.OptionalLong;

/**
 * What a run tells about its progress.
 *
 * @param stepsPerPrint optimizer steps between two lines of progress; empty where the configuration leaves it to the caller
 * @param wallClockBreakdown whether the phases of a step are timed and reported
 */
public record ReportConfig(OptionalLong stepsPerPrint, boolean wallClockBreakdown) {
    /** Rejects a period below one step. */
    public ReportConfig {
        if (stepsPerPrint.orElse(1) < 1) {
            throw new ConfigException(
                    "steps_per_print",
                    stepsPerPrint.getAsLong(),
                    "must be at least 1",
                    "remove the key to print nothing");
        }
    }

    static ReportConfig read(Block root) {
        return new ReportConfig(
                root.optionalInteger("steps_per_print", 1, Long.MAX_VALUE), root.flag("wall_clock_breakdown", false));
    }
}
