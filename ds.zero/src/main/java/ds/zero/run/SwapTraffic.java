package ds.zero.run;

/**
 * What has gone between memory and the files of offloaded states, on one rank.
 *
 * @param reads requests
 * @param bytesRead with the padding of blocks
 * @param writes requests
 * @param bytesWritten with the padding of blocks
 */
public record SwapTraffic(long reads, long bytesRead, long writes, long bytesWritten) {
    /** Nothing: that of a run without files. */
    public static final SwapTraffic NONE = new SwapTraffic(0, 0, 0, 0);

    /** {@return what has gone since an earlier reading} */
    public SwapTraffic since(SwapTraffic earlier) {
        return new SwapTraffic(
                reads - earlier.reads,
                bytesRead - earlier.bytesRead,
                writes - earlier.writes,
                bytesWritten - earlier.bytesWritten);
    }
}
