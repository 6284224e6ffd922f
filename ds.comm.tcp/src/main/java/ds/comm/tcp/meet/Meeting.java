package ds.comm.tcp.meet;

import ds.api.comm.CommunicatorException;
import ds.api.comm.Rendezvous;
import ds.comm.tcp.tls.Tls;
import ds.comm.tcp.wire.Deadline;
import ds.comm.tcp.wire.Wire;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.net.UnknownHostException;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import java.util.concurrent.locks.LockSupport;

/**
 * Joins the ranks of a job. Rank 0 listens at the address that all know; every other rank calls it and says where it listens
 * itself; once all have come, rank 0 sends everyone the table of addresses, and every rank calls those below it. Nobody
 * listens any more when the meeting is over.
 */
public final class Meeting {
    private static final long RETRY_NANOS = Duration.ofMillis(50).toNanos();
    /** How much longer than rank 0 the others wait, so that its message, which names who is missing, reaches them. */
    private static final Duration GRACE = Duration.ofSeconds(5);

    private final Rendezvous rendezvous;
    private final Optional<String> listenHost;
    private final Duration timeout;
    private final Deadline deadline;
    private final boolean encrypted;
    private final Handshake handshake;
    private final List<Link> links = new ArrayList<>();

    /**
     * Prepares to join.
     *
     * @param listenHost where to listen, if not at the address that the others see
     * @param timeout for all ranks to come
     * @param tls by which connections are encrypted and certificates demanded
     */
    public Meeting(Rendezvous rendezvous, Optional<String> listenHost, Duration timeout, Optional<Tls> tls) {
        this.rendezvous = rendezvous;
        this.listenHost = listenHost;
        this.timeout = timeout;
        deadline = Deadline.in(timeout);
        encrypted = tls.isPresent();
        handshake = new Handshake(rendezvous.rank(), rendezvous.worldSize(), new Proof(rendezvous.secret()), tls);
    }

    /**
     * Meets all other ranks.
     *
     * @return a link to each, by rank; handed over
     * @throws CommunicatorException if not all come in time, or one does not belong to this job
     */
    public List<Link> join() {
        boolean joined = false;
        try {
            if (rendezvous.worldSize() > 1 && rendezvous.rank() == 0) {
                lead();
            } else if (rendezvous.worldSize() > 1) {
                follow();
            }
            links.sort(Comparator.comparingInt(Link::rank));
            joined = true;
            return links;
        } catch (IOException e) {
            throw new CommunicatorException(who() + "could not join the job: " + e, e);
        } finally {
            if (!joined) {
                links.forEach(Link::close);
            }
        }
    }

    private String who() {
        return "rank " + rendezvous.rank() + ": ";
    }

    private void lead() throws IOException {
        InetAddress host = resolve(listenHost.orElse(rendezvous.masterHost()));
        try (Doorkeeper door = door(host, rendezvous.masterPort())) {
            gather(
                    door,
                    rendezvous.worldSize() - 1,
                    "MASTER_ADDR = " + rendezvous.masterHost() + " and MASTER_PORT = " + rendezvous.masterPort());
            Table table = new Table(links);
            for (Link link : links) {
                table.send(link.wire());
            }
        } catch (CommunicatorException e) {
            for (Link link : links) {
                Table.refuse(link.wire(), e.getMessage());
            }
            throw e;
        }
    }

    private void follow() throws IOException {
        SocketChannel channel = dial(0, null);
        try (Doorkeeper door = doorBeside(channel)) {
            int port = door == null ? 0 : door.port();
            call(0, null, channel, port);
            List<InetSocketAddress> table = Table.receive(links.getFirst(), Deadline.in(timeout.plus(GRACE)), who());
            if (table.size() != rendezvous.worldSize() - 1) {
                throw new IOException(
                        "rank 0 told " + table.size() + " addresses for " + rendezvous.worldSize() + " ranks");
            }
            for (int peer = 1; peer < rendezvous.rank(); peer++) {
                InetSocketAddress address = table.get(peer - 1);
                call(peer, address, dial(peer, address), port);
            }
            if (door != null) {
                gather(
                        door,
                        rendezvous.worldSize() - 1 - rendezvous.rank(),
                        "a network in which all ranks reach each" + " other");
            }
        }
    }

    /** {@return where ranks above this one call, on the way that leads to rank 0; null for the last} Closes the channel if it fails. */
    private Doorkeeper doorBeside(SocketChannel channel) throws IOException {
        try {
            InetAddress local = listenHost.isPresent()
                    ? resolve(listenHost.get())
                    : ((InetSocketAddress) channel.getLocalAddress()).getAddress();
            return rendezvous.rank() == rendezvous.worldSize() - 1 ? null : door(local, 0);
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    private Doorkeeper door(InetAddress host, int port) throws IOException {
        if (rendezvous.secret().isEmpty() && !encrypted && !host.isLoopbackAddress()) {
            throw new CommunicatorException(
                    who() + "MASTER_ADDR = " + rendezvous.masterHost() + " is not a loopback"
                            + " address (" + host.getHostAddress()
                            + "), and without a secret or TLS ds listens on nothing"
                            + " else: start the ranks with `ds launch`, or set DS_SECRET to the same random text on all of them");
        }
        return Doorkeeper.open(host, port, handshake, rendezvous.rank(), rendezvous.worldSize());
    }

    /** Waits until {@code count} ranks above this one have called. */
    private void gather(Doorkeeper door, int count, String remedy) {
        TreeSet<Integer> missing = new TreeSet<>();
        for (int peer = rendezvous.worldSize() - count; peer < rendezvous.worldSize(); peer++) {
            missing.add(peer);
        }
        while (!missing.isEmpty()) {
            Link link = door.next(
                    deadline,
                    "ranks " + missing + " of " + rendezvous.worldSize() + " have not arrived within "
                            + timeout.toMillis() + " ms: start them with " + remedy);
            links.add(link);
            missing.remove(link.rank());
        }
    }

    /** Calls a rank until it answers. */
    private void call(int peer, InetSocketAddress address, SocketChannel first, int listenPort) throws IOException {
        SocketChannel channel = first;
        while (true) {
            InetSocketAddress remote = (InetSocketAddress) channel.getRemoteAddress();
            String name = Link.name(peer, remote);
            boolean answered = false;
            try {
                Wire wire = handshake.connect(channel, peer, listenPort, name, deadline);
                links.add(new Link(peer, remote, 0, wire));
                answered = true;
                return;
            } catch (IOException e) {
                if (deadline.remainingNanos() <= 0) {
                    throw new CommunicatorException(
                            who() + name + " did not answer within " + timeout.toMillis() + " ms: " + e, e);
                }
            } finally {
                if (!answered) {
                    channel.close();
                }
            }
            pause();
            channel = dial(peer, address);
        }
    }

    /** Connects, again and again until somebody listens; rank 0's address is looked up every time. */
    private SocketChannel dial(int peer, InetSocketAddress address) throws IOException {
        while (true) {
            SocketChannel channel = SocketChannel.open();
            try {
                InetSocketAddress target = address != null
                        ? address
                        : new InetSocketAddress(
                                InetAddress.getByName(rendezvous.masterHost()), rendezvous.masterPort());
                channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
                channel.socket().connect(target, deadline.remainingMillis());
                return channel;
            } catch (IOException e) {
                channel.close();
                if (deadline.remainingNanos() <= RETRY_NANOS) {
                    throw new CommunicatorException(
                            who() + "rank " + peer + " does not listen on "
                                    + (address != null
                                            ? address
                                            : rendezvous.masterHost() + ":" + rendezvous.masterPort())
                                    + " within " + timeout.toMillis() + " ms (" + e
                                    + "): is it running, and are MASTER_ADDR and MASTER_PORT the same on all ranks?",
                            e);
                }
            }
            pause();
        }
    }

    private void pause() {
        LockSupport.parkNanos(RETRY_NANOS);
        if (Thread.currentThread().isInterrupted()) {
            throw new CommunicatorException(who() + "interrupted while it tried to reach other ranks");
        }
    }

    private InetAddress resolve(String host) {
        try {
            return InetAddress.getByName(host);
        } catch (UnknownHostException e) {
            throw new CommunicatorException(
                    who() + "MASTER_ADDR = " + host + ": no such host: " + e.getMessage()
                            + ": set it to a name or address of rank 0's host",
                    e);
        }
    }
}
