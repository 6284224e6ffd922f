package ds.comm.tcp.group;

import ds.comm.tcp.frame.Descriptor;
import ds.comm.tcp.frame.Header;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;

/**
 * Operations of a group that run one after the other: its collectives; or what goes to one member; or what comes from one.
 * Every operation waits for the START of all its peers, so that a peer is at most one operation ahead: what it announces and sends
 * early is kept until this rank gets there. On the thread of the {@link Job}.
 */
public final class Lane {
    private final Group group;
    private final int[] peers;
    private final ArrayDeque<Operation> queue = new ArrayDeque<>();
    private final Announcement[][] announcements;
    private Operation current;
    private long nextSequence;

    /**
     * Starts empty.
     *
     * @param peers members of the group whose part it takes
     */
    Lane(Group group, int... peers) {
        this.group = group;
        this.peers = peers;
        announcements = new Announcement[2][group.size()];
    }

    int[] peers() {
        return peers;
    }

    boolean idle() {
        return current == null && queue.isEmpty();
    }

    /** {@return the operation under way, or null} */
    public Operation current() {
        return current;
    }

    public void enqueue(Operation operation) {
        queue.add(operation);
        advance();
    }

    /** Begins the next operation, if the last one is done. */
    public void advance() {
        while (current == null || current.done()) {
            if (current != null) {
                for (int peer : peers) {
                    announcement(current.sequence(), peer).clear();
                }
                current = null;
            }
            if (queue.isEmpty() || !queue.peek().ready()) {
                return;
            }
            current = queue.remove();
            begin(current);
        }
    }

    private void begin(Operation operation) {
        long sequence = nextSequence++;
        operation.begin(this, sequence);
        for (int peer : peers) {
            Announcement announcement = announcement(sequence, peer);
            if (announcement.holds(sequence) && announcement.complete()) {
                meet(operation, peer, announcement);
            } else if (group.left(peer)) {
                group.job().fail(group.name(peer) + " has left the group, but is needed in " + operation);
            }
        }
    }

    private void meet(Operation operation, int peer, Announcement announcement) {
        if (current == null) {
            return; // all has failed
        }
        Descriptor theirs = announcement.descriptor();
        if (!operation.descriptor().matches(theirs)) {
            group.job()
                    .fail("the ranks disagree at #" + operation.sequence() + group.suffix() + ": " + group.name(peer)
                            + " calls " + theirs + ", rank " + group.job().rank() + " calls "
                            + operation.descriptor());
        } else if (announcement.inline().byteSize() != operation.expectedInline(peer)) {
            group.job()
                    .fail(group.name(peer) + " sent " + announcement.inline().byteSize() + " bytes with its START, not "
                            + operation.expectedInline(peer) + ", in " + operation);
        } else {
            operation.peerBegan(peer, announcement);
            takeEarly(peer, announcement.early());
        }
    }

    /** Has what came early where it belongs. */
    private void takeEarly(int peer, EarlyBytes early) {
        for (MemorySegment piece = early.take(); piece.byteSize() > 0 && current != null; piece = early.take()) {
            if (!current.receive(peer, piece)) {
                group.job().fail(group.name(peer) + " sent bytes that nothing here expects, in " + current);
                return;
            }
        }
    }

    /** {@return where the body of a piece goes that comes before this rank has begun its operation, or null if it cannot be one} */
    public MemorySegment openEarly(Header piece, int peer) {
        Announcement announcement = announcement(piece.sequence(), peer);
        boolean announced = announcement.holds(piece.sequence()) && announcement.complete();
        return announced ? announcement.early().open(piece) : null;
    }

    /**
     * A piece is complete; if it has come early, this rank may have begun meanwhile.
     *
     * @return whether it has come early
     */
    public boolean receivedEarly(Header piece, int peer) {
        Announcement announcement = announcement(piece.sequence(), peer);
        boolean early = announcement.early().received(piece.bodyBytes());
        if (early && operation(piece.sequence()) != null) {
            takeEarly(peer, announcement.early());
        }
        return early;
    }

    private Announcement announcement(long sequence, int peer) {
        int slot = (int) (sequence & 1);
        if (announcements[slot][peer] == null) {
            announcements[slot][peer] = new Announcement(group.arena(), group.earlyBytes());
        }
        return announcements[slot][peer];
    }

    /** {@return where the body of a START goes, or null if it cannot be one} */
    public MemorySegment open(Header start, int peer) {
        long first = current == null ? nextSequence : current.sequence();
        Announcement announcement = announcement(start.sequence(), peer);
        boolean expected = start.sequence() >= first && start.sequence() <= first + 1;
        return expected && !announcement.holds(start.sequence()) ? announcement.open(start) : null;
    }

    /** A START is complete. */
    public void announced(Header start, int peer) {
        Announcement announcement = announcement(start.sequence(), peer);
        announcement.setComplete();
        if (current != null && current.sequence() == start.sequence()) {
            meet(current, peer, announcement);
        }
    }

    /** {@return the operation that a frame belongs to, or null} */
    public Operation operation(long sequence) {
        return current != null && current.sequence() == sequence ? current : null;
    }

    /** A peer has left, in good order: what it has not sent by now will not come. */
    void left(int peer) {
        boolean concerned = false;
        for (int p : peers) {
            concerned |= p == peer;
        }
        if (concerned && current != null && !current.done() && current.awaits(peer)) {
            group.job().fail(group.name(peer) + " has left the group, but is needed in " + current.report());
        }
    }

    /** Ends all operations. */
    public void fail(String cause) {
        if (current != null) {
            fail(current, cause);
            current = null;
        }
        queue.forEach(operation -> fail(operation, cause));
        queue.clear();
    }

    private void fail(Operation operation, String cause) {
        operation.work().fail("rank " + group.job().rank() + ": " + operation + ": " + cause);
    }
}
