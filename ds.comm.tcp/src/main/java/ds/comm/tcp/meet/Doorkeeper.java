package ds.comm.tcp.meet;

import ds.api.comm.CommunicatorException;
import ds.comm.tcp.wire.Deadline;
import java.io.IOException;
import java.io.InputStream;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * Listens while a job forms, and lets in who proves to belong to it. {@link Strangers} cost it little: a connection that has not
 * proved itself has a few seconds, a few bytes and one of a few places.
 */
final class Doorkeeper implements AutoCloseable {
    private static final Duration PATIENCE = Duration.ofSeconds(5);
    /** Different reasons that are kept for the message: some are made of what strangers say. */
    private static final int REASONS = 16;

    private static final String OTHER = "had other reasons not to be let in";
    /** What a stranger may still say after it was refused: closing earlier would take the answer from it. */
    private static final int LAST_WORDS = 1 << 16;

    private static final int LAST_WORDS_MILLIS = 300;

    private final ServerSocketChannel listener;
    private final Handshake handshake;
    private final int rank;
    private final int worldSize;
    private final LinkedBlockingQueue<Arrival> arrivals = new LinkedBlockingQueue<>();
    private final Strangers strangers;
    private final Map<Integer, String> ranks = new HashMap<>();
    private final Map<String, Integer> refused = new TreeMap<>();
    private boolean closed;

    private Doorkeeper(ServerSocketChannel listener, Handshake handshake, int rank, int worldSize) {
        this.listener = listener;
        this.handshake = handshake;
        this.rank = rank;
        this.worldSize = worldSize;
        strangers = new Strangers(worldSize, PATIENCE);
    }

    /** What the one who waits at the door learns. */
    sealed interface Arrival {
        /** A rank is in; the link is handed over. */
        record Joined(Link link) implements Arrival {}

        /** A process that knows the secret, but with which this job cannot form. */
        record Misfit(String message) implements Arrival {}
    }

    /**
     * Listens from now on.
     *
     * @param port 0 for any
     * @throws CommunicatorException if the port is in use or the address is not this host's
     */
    static Doorkeeper open(InetAddress host, int port, Handshake handshake, int rank, int worldSize)
            throws IOException {
        ServerSocketChannel listener = ServerSocketChannel.open();
        try {
            listener.setOption(StandardSocketOptions.SO_REUSEADDR, true); // not while another process listens
            listener.bind(new InetSocketAddress(host, port), Strangers.places(worldSize));
        } catch (BindException e) {
            listener.close();
            String where = host.getHostAddress() + ":" + port;
            throw new CommunicatorException(
                    "rank " + rank + ": cannot listen on " + where + ": " + e.getMessage()
                            + ": MASTER_PORT must be free and MASTER_ADDR an address of this host; end the process that"
                            + " uses port " + port + ", or choose another MASTER_PORT",
                    e);
        }
        Doorkeeper door = new Doorkeeper(listener, handshake, rank, worldSize);
        Thread.ofVirtual().name("ds.comm.tcp door of rank " + rank).start(door::listen);
        return door;
    }

    int port() throws IOException {
        return ((InetSocketAddress) listener.getLocalAddress()).getPort();
    }

    private void listen() {
        while (true) {
            try {
                SocketChannel channel = listener.accept();
                if (strangers.enter(channel)) {
                    Thread.ofVirtual().start(() -> hear(channel));
                }
            } catch (IOException e) {
                if (!listener.isOpen()) {
                    return;
                }
            }
        }
    }

    private void hear(SocketChannel channel) {
        try {
            channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
            Handshake.Caller caller = handshake.accept(channel, Deadline.in(PATIENCE));
            admit(caller, channel);
        } catch (Refused e) {
            count(e.getMessage());
            hearOut(channel);
            strangers.leave(channel);
        } catch (IOException e) {
            count("said nothing that proves anything");
            discard(channel);
            strangers.leave(channel);
        }
    }

    private synchronized void count(String reason) {
        if (!closed) {
            refused.merge(refused.containsKey(reason) || refused.size() < REASONS ? reason : OTHER, 1, Integer::sum);
        }
    }

    /** Closes in such a way that what was answered arrives. */
    private static void hearOut(SocketChannel channel) {
        try {
            channel.shutdownOutput();
            Deadline deadline = Deadline.in(Duration.ofMillis(LAST_WORDS_MILLIS));
            InputStream in = channel.socket().getInputStream();
            byte[] words = new byte[4096];
            for (int heard = 0, n = 0; heard < LAST_WORDS && n >= 0; heard += n) {
                channel.socket().setSoTimeout(deadline.remainingMillis());
                n = in.read(words);
            }
        } catch (IOException e) {
            // It has had its time.
        }
        discard(channel);
    }

    private static void discard(SocketChannel channel) {
        try {
            channel.close();
        } catch (IOException e) {
            // A socket that cannot be closed is closed already.
        }
    }

    private synchronized void admit(Handshake.Caller caller, SocketChannel channel) throws IOException {
        InetSocketAddress address = (InetSocketAddress) channel.getRemoteAddress();
        Link link = new Link(caller.rank(), address, caller.listenPort(), caller.wire());
        String first = ranks.get(caller.rank());
        if (closed) {
            channel.close();
        } else if (caller.worldSize() != worldSize) {
            misfit(
                    link,
                    Handshake.Verdict.OTHER_WORLD_SIZE,
                    link.name() + " has WORLD_SIZE = " + caller.worldSize() + ", this rank " + worldSize
                            + ": start all ranks with the same WORLD_SIZE");
        } else if (caller.called() != rank || caller.rank() <= rank || caller.rank() >= worldSize) {
            misfit(
                    link,
                    Handshake.Verdict.WRONG_RANK,
                    link.name() + " called rank " + caller.called() + ": RANK must be in 0.." + (worldSize - 1)
                            + ", and different on all");
        } else if (first != null) {
            misfit(
                    link,
                    Handshake.Verdict.DUPLICATE_RANK,
                    "two processes have RANK = " + caller.rank() + ": " + first + " and " + link.name());
        } else {
            handshake.decide(caller.wire(), Handshake.Verdict.WELCOME);
            ranks.put(caller.rank(), link.name());
            arrivals.add(new Arrival.Joined(link));
        }
        strangers.leave(channel);
    }

    private void misfit(Link link, Handshake.Verdict verdict, String message) throws IOException {
        handshake.decide(link.wire(), verdict);
        hearOut(link.wire().socket());
        arrivals.add(new Arrival.Misfit(message));
    }

    /**
     * Waits for the next rank.
     *
     * @return handed over
     * @throws CommunicatorException at the deadline, with {@code missing}; and if the job cannot form
     */
    Link next(Deadline deadline, String missing) {
        try {
            Arrival arrival = arrivals.poll(Math.max(0, deadline.remainingNanos()), TimeUnit.NANOSECONDS);
            return switch (arrival) {
                case null -> throw new CommunicatorException("rank " + rank + ": " + missing + notLetIn());
                case Arrival.Joined(Link link) -> link;
                case Arrival.Misfit(String message) -> throw new CommunicatorException("rank " + rank + ": " + message);
            };
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CommunicatorException("rank " + rank + ": interrupted while it waited for other ranks", e);
        }
    }

    private synchronized String notLetIn() {
        StringBuilder text = new StringBuilder();
        refused.forEach((reason, count) -> text.append("; ")
                .append(count)
                .append(count == 1 ? " connection " : " connections ")
                .append(reason));
        return text.toString();
    }

    @Override
    public void close() {
        synchronized (this) {
            closed = true;
            arrivals.forEach(arrival -> {
                if (arrival instanceof Arrival.Joined(Link link)) {
                    link.close();
                }
            });
        }
        try {
            listener.close();
        } catch (IOException e) {
            // A socket that cannot be closed is closed already.
        }
        strangers.close();
    }
}
