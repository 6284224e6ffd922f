package ds.zero.plan;

import ds.api.MemoryUse;
import java.util.Map;
import java.util.TreeMap;

/** The accounts of a backend that allocates nothing: as a real one's, and what each label had when the sum was largest. */
final class PlannedMemory {
    private final Map<String, MemoryUse.Label> labels = new TreeMap<>();
    private Map<String, Long> atPeak = Map.of();
    private long liveBytes;
    private long peakBytes;

    synchronized void add(String label, long bytes) {
        MemoryUse.Label before = labels.getOrDefault(label, new MemoryUse.Label(0, 0));
        long live = before.liveBytes() + bytes;
        labels.put(label, new MemoryUse.Label(live, Math.max(live, before.peakBytes())));
        liveBytes += bytes;
        if (liveBytes > peakBytes) {
            peakBytes = liveBytes;
            Map<String, Long> now = new TreeMap<>();
            labels.forEach((name, use) -> now.put(name, use.liveBytes()));
            atPeak = now;
        }
    }

    synchronized MemoryUse use() {
        return new MemoryUse(labels, liveBytes, peakBytes);
    }

    /** {@return live bytes by label when their sum was {@link MemoryUse#peakBytes}} */
    synchronized Map<String, Long> atPeak() {
        return atPeak;
    }
}
