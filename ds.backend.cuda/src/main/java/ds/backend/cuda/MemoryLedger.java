package ds.backend.cuda;

import ds.api.MemoryUse;
import ds.api.OutOfDeviceMemoryException;
import java.util.Map;
import java.util.TreeMap;

/** Counts the bytes of all buffers in one memory by label, and refuses what exceeds the limit. */
final class MemoryLedger {
    /** Bytes under one label. */
    private static final class Account {
        private long live;
        private long peak;
    }

    private final String memory;
    private final long limitBytes;
    private final Map<String, Account> accounts = new TreeMap<>();
    private long live;
    private long peak;

    /** Counts for a memory of this name, of which so much may be taken. */
    MemoryLedger(String memory, long limitBytes) {
        this.memory = memory;
        this.limitBytes = limitBytes;
    }

    /** Books bytes that are about to be allocated. */
    synchronized void take(long bytes, String label) {
        if (bytes > limitBytes - live) {
            throw outOfMemory(bytes, label, "exceeds the limit of " + limitBytes + " bytes");
        }
        Account account = accounts.computeIfAbsent(label, _ -> new Account());
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

    synchronized MemoryUse use() {
        Map<String, MemoryUse.Label> labels = new TreeMap<>();
        accounts.forEach((label, account) -> labels.put(label, new MemoryUse.Label(account.live, account.peak)));
        return new MemoryUse(labels, live, peak);
    }

    /** {@return what to throw when {@code bytes} more cannot be had} */
    synchronized OutOfDeviceMemoryException outOfMemory(long bytes, String label, String why) {
        StringBuilder message = new StringBuilder(memory + ": allocating " + bytes + " bytes of '" + label
                + "' on top of " + live + " live bytes " + why + "; live by label:");
        accounts.forEach((other, account) ->
                message.append(' ').append(other).append('=').append(account.live));
        message.append("; use a smaller micro-batch, a higher ZeRO stage, more ranks or offload_optimizer");
        return new OutOfDeviceMemoryException(message.toString());
    }
}
