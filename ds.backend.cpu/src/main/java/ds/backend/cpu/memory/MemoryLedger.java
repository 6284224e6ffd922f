package ds.backend.cpu.memory;

import ds.api.MemoryUse;
import ds.api.OutOfDeviceMemoryException;
import java.util.Map;
import java.util.TreeMap;

/** Counts the bytes of all buffers by label, and refuses what exceeds the limit. */
public final class MemoryLedger {
    /** Bytes under one label. */
    private static final class Account {
        private long live;
        private long peak;
    }

    private final long limitBytes;
    private final Map<String, Account> accounts = new TreeMap<>();
    private long live;
    private long peak;

    /** Counts nothing yet, and refuses more than {@code limitBytes} at a time. */
    public MemoryLedger(long limitBytes) {
        this.limitBytes = limitBytes;
    }

    /** Books bytes that are about to be allocated. */
    synchronized void take(long bytes, String label) {
        if (bytes > limitBytes - live) {
            throw outOfMemory(bytes, label);
        }
        Account account = accounts.computeIfAbsent(label, l -> new Account());
        account.live += bytes;
        account.peak = Math.max(account.peak, account.live);
        live += bytes;
        peak = Math.max(peak, live);
    }

    /** Books bytes that are freed, or could not be allocated after all. */
    synchronized void giveBack(long bytes, String label) {
        accounts.get(label).live -= bytes;
        live -= bytes;
    }

    /** {@return what is in use now, and was at most} */
    public synchronized MemoryUse use() {
        Map<String, MemoryUse.Label> labels = new TreeMap<>();
        accounts.forEach((label, account) -> labels.put(label, new MemoryUse.Label(account.live, account.peak)));
        return new MemoryUse(labels, live, peak);
    }

    /** {@return what to throw when {@code bytes} more cannot be had} */
    synchronized OutOfDeviceMemoryException outOfMemory(long bytes, String label) {
        StringBuilder message = new StringBuilder("host memory: allocating " + bytes + " bytes of '" + label
                + "' on top of " + live + " live bytes exceeds the limit of " + limitBytes + " bytes; live by label:");
        accounts.forEach((other, account) ->
                message.append(' ').append(other).append('=').append(account.live));
        message.append("; use a smaller micro-batch, a higher ZeRO stage or more ranks, or raise memory_limit_bytes");
        return new OutOfDeviceMemoryException(message.toString());
    }
}
