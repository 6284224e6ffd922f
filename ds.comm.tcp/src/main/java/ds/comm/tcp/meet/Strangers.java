package ds.comm.tcp.meet;

import java.io.IOException;
import java.net.InetAddress;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Connections that have proved nothing yet: a few places, and a few seconds for each. When all places are taken, the oldest one
 * of the address that has most of them goes, so that no single host can drive out the ranks of others. For many threads.
 */
final class Strangers implements AutoCloseable {
    private static final int LEAST_PLACES = 64;
    private static final int MOST_PLACES = 512;
    private static final Duration SWEEP = Duration.ofMillis(100);

    private record Stranger(InetAddress from, long untilNanos) {}

    private final int places;
    private final Duration patience;
    private final Map<SocketChannel, Stranger> present = new LinkedHashMap<>();
    private boolean closed;

    /**
     * Begins to watch the time.
     *
     * @param worldSize of the job: all of its ranks may call at once
     * @param patience after which a connection is closed, whatever it is doing
     */
    Strangers(int worldSize, Duration patience) {
        this.patience = patience;
        places = places(worldSize);
        Thread.ofVirtual().start(this::sweep);
    }

    /** {@return how many there may be at a time} */
    static int places(int worldSize) {
        return Math.clamp(2L * worldSize, LEAST_PLACES, MOST_PLACES);
    }

    /** {@return whether it may stay} Another one may have to go. */
    synchronized boolean enter(SocketChannel channel) throws IOException {
        if (closed) {
            channel.close();
            return false;
        }
        if (present.size() >= places) {
            close(mostCrowded()); // whoever reads from it sees that
        }
        InetAddress from = channel.socket().getInetAddress();
        if (from == null) {
            channel.close(); // it has gone already
            return false;
        }
        present.put(channel, new Stranger(from, System.nanoTime() + patience.toNanos()));
        return true;
    }

    private SocketChannel mostCrowded() {
        Map<InetAddress, List<SocketChannel>> byAddress = present.keySet().stream()
                .collect(Collectors.groupingBy(channel -> present.get(channel).from()));
        return byAddress.values().stream()
                .max(Comparator.comparingInt(List::size))
                .orElseThrow()
                .getFirst();
    }

    /** It has proved itself, or is gone. */
    synchronized void leave(SocketChannel channel) {
        present.remove(channel);
    }

    private void close(SocketChannel channel) {
        present.remove(channel);
        try {
            channel.close();
        } catch (IOException e) {
            // A socket that cannot be closed is closed already.
        }
    }

    private synchronized void sweep() {
        while (!closed) {
            long now = System.nanoTime();
            List<SocketChannel> late = present.entrySet().stream()
                    .filter(entry -> now - entry.getValue().untilNanos() >= 0)
                    .map(Map.Entry::getKey)
                    .toList();
            late.forEach(this::close);
            try {
                wait(SWEEP.toMillis());
            } catch (InterruptedException e) {
                return; // nobody interrupts it
            }
        }
    }

    @Override
    public synchronized void close() {
        closed = true;
        List.copyOf(present.keySet()).forEach(this::close);
        notifyAll();
    }
}
