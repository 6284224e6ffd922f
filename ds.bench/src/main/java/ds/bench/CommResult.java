package ds.bench;

import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * What one operation on one size took.
 *
 * @param bytes of the whole buffer
 * @param seconds of one call on the slowest rank: the median of all timings
 * @param secondsMin the least of them
 * @param secondsMax the most
 * @param calls that were timed
 * @param cpuSeconds of one call, of all ranks together: processor time of their processes
 */
public record CommResult(
        Collective operation,
        String dtype,
        long bytes,
        int ranks,
        double seconds,
        double secondsMin,
        double secondsMax,
        long calls,
        double cpuSeconds) {
    /** {@return bytes over the bus, as nccl-tests counts: comparable between operations and numbers of ranks} */
    public double busBytesPerSecond() {
        return bytes * operation.busFactor(ranks) / seconds;
    }

    /** {@return one line of JSON} */
    public String json() {
        ObjectNode node = JsonMapper.shared().createObjectNode();
        node.put("op", operation.toString());
        node.put("bytes", bytes);
        node.put("ranks", ranks);
        node.put("dtype", dtype);
        node.put("seconds", seconds);
        node.put("bus_bytes_per_second", busBytesPerSecond());
        node.put("seconds_min", secondsMin);
        node.put("seconds_max", secondsMax);
        node.put("calls", calls);
        node.put("cpu_seconds", cpuSeconds);
        node.put("verified", true); // else there is no result
        return node.toString();
    }

    /** {@return the heading of {@link #row}} */
    public static String heading() {
        return "%-14s %12s %12s %12s %14s %14s".formatted("operation", "bytes", "µs", "µs min", "bus MB/s", "cpu µs");
    }

    /** {@return one line for people} */
    public String row() {
        return "%-14s %12d %12.1f %12.1f %14.1f %14.1f"
                .formatted(
                        operation,
                        bytes,
                        seconds * 1e6,
                        secondsMin * 1e6,
                        busBytesPerSecond() * 1e-6,
                        cpuSeconds * 1e6);
    }
}
