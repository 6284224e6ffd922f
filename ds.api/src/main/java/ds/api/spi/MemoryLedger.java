package ds.api.spi;

import ds.api.MemoryUse;
import ds.api.OutOfDeviceMemoryException;
import java.util.Map;
import java.util.TreeMap;

/** The accounts of one memory, for a backend: counts the bytes of all buffers by label, and refuses what exceeds the limit. */
public final class MemoryLedger {
    /** Bytes under one label. */
    private static final class Account {
        private long live;
        private long peak;
    }

    private final String memory;
    private final long limitBytes;
    private final String remedy;
    private final Map<String, Account> accounts = new TreeMap<>();
    private long live;
    private long peak;

    /**
     * Counts nothing yet.
     *
     * @param memory its name in messages, such as {@code "host memory"}
     * @param limitBytes more than this at a time is refused
     * @param remedy what helps where memory is short, for messages
     */
    public MemoryLedger(String memory, long limitBytes, String remedy) {
        this.memory = memory;
        this.limitBytes = limitBytes;
        this.remedy = remedy;
    }

    /**
     * Books bytes that are about to be allocated.
     *
     * @throws OutOfDeviceMemoryException if they exceed the limit
     */
    public synchronized void take(long bytes, String label) {
        if (bytes > limitBytes - live) {
            throw overLimit(bytes, label);
        }
        Account account = accounts.computeIfAbsent(label, _ -> new Account());
        account.live += bytes;
        account.peak = Math.max(account.peak, account.live);
        live += bytes;
        peak = Math.max(peak, live);
    }

    /** Books bytes that are freed, or could not be allocated after all. */
    public synchronized void giveBack(long bytes, String label) {
        accounts.get(label).live -= bytes;
        live -= bytes;
    }

    /** {@return what is in use now, and was at most} */
    public synchronized MemoryUse use() {
        Map<String, MemoryUse.Label> labels = new TreeMap<>();
        accounts.forEach((label, account) -> labels.put(label, new MemoryUse.Label(account.live, account.peak)));
        return new MemoryUse(labels, live, peak);
    }

    /** {@return what to throw when {@code bytes} more exceed the limit} */
    public OutOfDeviceMemoryException overLimit(long bytes, String label) {
        return outOfMemory(bytes, label, "exceeds the limit of " + limitBytes + " bytes");
    }

    /**
     * {@return what to throw when {@code bytes} more cannot be had}
     *
     * @param why continues "allocating so many bytes", such as {@code "is more than the device has left"}
     */
    public synchronized OutOfDeviceMemoryException outOfMemory(long bytes, String label, String why) {
        StringBuilder message = new StringBuilder(memory + ": allocating " + bytes + " bytes of '" + label
                + "' on top of " + live + " live bytes " + why + "; live by label:");
        accounts.forEach((other, account) ->
                message.append(' ').append(other).append('=').append(account.live));
        return new OutOfDeviceMemoryException(
                message.append("; ").append(remedy).toString());
    }
}
