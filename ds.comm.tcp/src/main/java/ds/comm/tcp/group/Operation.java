package ds.comm.tcp.group;

import ds.api.Event;
import ds.api.comm.Call;
import ds.comm.tcp.flow.Inflow;
import ds.comm.tcp.flow.Memory;
import ds.comm.tcp.flow.Outflow;
import ds.comm.tcp.flow.Parts;
import ds.comm.tcp.frame.Descriptor;
import ds.comm.tcp.frame.FrameKind;
import ds.comm.tcp.frame.Header;
import ds.comm.tcp.frame.Subject;
import ds.comm.tcp.pace.LinkRate;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * One operation on this rank: announced to its peers, done when they all have announced theirs and every byte has moved. What
 * moves where is the subclass's; who waits for whom is the {@link Lane}'s. On the thread of the {@link Job}.
 */
public abstract class Operation {
    protected static final MemorySegment NOTHING = MemorySegment.NULL;

    private final Group group;
    private final Descriptor descriptor;
    private final Call call;
    private final TcpWork work;
    private final CollectiveEvent event = new CollectiveEvent();
    private final Flows flows;
    private final boolean[] begun;
    private Lane lane;
    private Subject subject; // once it has begun
    private final List<Runnable> followers = new ArrayList<>();
    private Operation whole;
    private int awaited;
    private int missing;
    private int unfinished;
    private boolean ready;
    private int streams; // of members on other hosts, which meet here
    private long bytesPerSecond; // in which they should come together; 0: as many as they can
    private long missingBytes; // of them all
    private long lastProgressNanos;

    protected Operation(Group group, Descriptor descriptor, Call call) {
        this.group = group;
        this.descriptor = descriptor;
        this.call = call;
        work = new TcpWork(group.job());
        flows = new Flows(group.size());
        begun = new boolean[group.size()];
    }

    /** Creates the flows; the operands are ready. */
    protected abstract void prepare();

    /** {@return the small operand that travels to a member with the START} */
    protected MemorySegment inline(int member) {
        return NOTHING;
    }

    /** {@return how many bytes a member's START must bring} */
    protected long expectedInline(int member) {
        return 0;
    }

    /** Takes what a member's START has brought; valid until {@link #finish}. */
    protected void take(int member, MemorySegment inline) {}

    /** {@return how many pieces a member may send before it is granted more; 0 if all} */
    protected int credit() {
        return 0;
    }

    /** {@return in how many KiB per second a member should send now; 0 if in as many as it can} */
    final int pace(int member) {
        if (bytesPerSecond == 0 || missingBytes == 0 || !group.isFar(member)) {
            return 0;
        }
        return (int) (LinkRate.share(bytesPerSecond, streams, missingBytes(member), missingBytes) >> 10);
    }

    /** {@return what has not come of the flows of a member that meet others here} */
    private long missingBytes(int member) {
        long bytes = 0;
        for (FrameKind kind : Flows.KINDS) {
            Inflow inflow = inflow(kind, member);
            bytes += inflow != null && meetsOthers(kind) ? inflow.total() - inflow.received() : 0;
        }
        return bytes;
    }

    /** A piece has arrived. */
    protected void arrived(FrameKind kind, int member) {}

    /** All peers have begun. */
    protected void met() {}

    /** Everything has arrived and left. */
    protected void finish() {}

    /** Something besides the flows has to be done; {@link #finished} says that it is. */
    protected final void hold() {
        unfinished++;
    }

    /** Makes it a step of a larger operation, which begins when so many others are done. */
    public final void isPartOf(Operation larger, int others) {
        whole = larger;
        awaited = others;
        ready = others == 0;
    }

    /** One of the others is done. */
    public final void oneIsDone() {
        if (--awaited == 0) {
            ready = true;
            group.job().advance(group.lane(descriptor.operation(), 0));
        }
    }

    /** Does something when it is done, which it must not be yet. */
    public final void then(Runnable next) {
        if (done()) {
            throw new IllegalStateException(this + " is done: what follows it would never begin");
        }
        followers.add(next);
    }

    protected final void inflow(FrameKind kind, int member, Inflow inflow) {
        unfinished++;
        flows.add(kind, member, inflow);
    }

    protected final void outflow(FrameKind kind, int member, Parts source, long available) {
        unfinished++;
        Outflow outflow =
                new Outflow(subject, kind, source, call.urgent(), available, bytes -> sent(kind, member, bytes));
        group.connection(member).add(outflow);
        flows.add(kind, member, outflow);
    }

    /** {@return the flow of a frame, or null if there is none} */
    public final Inflow inflow(FrameKind kind, int member) {
        return flows.from(member, kind);
    }

    public final Outflow outflow(FrameKind kind, int member) {
        return flows.to(member, kind);
    }

    /** Announces itself to all peers. */
    final void begin(Lane itsLane, long sequence) {
        lane = itsLane;
        subject = new Subject(descriptor, group.id(), sequence);
        progress();
        unfinished = lane.peers().length;
        missing = lane.peers().length;
        prepare();
        countStreams();
        if (streams > 0) {
            bytesPerSecond = group.job().linkRate().begin(streams);
        }
        for (int peer : lane.peers()) {
            group.start(peer, this, inline(peer));
            keepTo(group.askedBy(peer), peer);
            if (outflow(FrameKind.DATA, peer) != null) {
                grant(FrameKind.DATA, peer, group.earlyBytes());
            }
        }
        if (missing == 0) {
            work.start();
        }
        if (unfinished == 0) {
            complete();
        }
    }

    /** {@return whether flows of this kind meet others at their receiver} */
    protected boolean meetsOthers(FrameKind kind) {
        return kind == FrameKind.DATA;
    }

    /** Sends to a member no faster than it asks. */
    private void keepTo(long itsBytesPerSecond, int member) {
        for (FrameKind kind : Flows.KINDS) {
            if (outflow(kind, member) != null && meetsOthers(kind)) {
                outflow(kind, member).keepTo(itsBytesPerSecond);
            }
        }
    }

    /** Finds out which members of other hosts send this rank large operands, and how much in all. */
    private void countStreams() {
        for (int peer : lane.peers()) {
            if (group.isFar(peer)) {
                streams += inflow(FrameKind.DATA, peer) != null ? 1 : 0;
                missingBytes += missingBytes(peer);
            }
        }
    }

    /** A peer has announced its part, which matches. */
    final void peerBegan(int member, Announcement announcement) {
        progress();
        begun[member] = true;
        missing--;
        take(member, announcement.inline());
        keepTo(announcement.bytesPerSecond(), member);
        if (outflow(FrameKind.DATA, member) != null) {
            group.asks(member, announcement.bytesPerSecond());
            grant(FrameKind.DATA, member, announcement.granted());
        }
        if (outflow(FrameKind.RESULT, member) != null) {
            grant(FrameKind.RESULT, member, Long.MAX_VALUE);
        }
        if (missing == 0) {
            work.start();
            met();
        }
        finished();
    }

    /** A member has room for so much of its operand, and says anew how fast it should come. */
    public final void credited(int member, long bytes, long itsBytesPerSecond) {
        keepTo(itsBytesPerSecond, member);
        grant(FrameKind.DATA, member, bytes);
    }

    public final void grant(FrameKind kind, int member, long bytes) {
        outflow(kind, member).grant(bytes);
        group.connection(member).wake();
    }

    protected final void makeAvailable(FrameKind kind, int member, long bytes) {
        outflow(kind, member).makeAvailable(bytes);
        group.connection(member).wake();
    }

    /**
     * Takes a piece of a member's operand that came before this rank had begun.
     *
     * @return whether it was expected
     */
    final boolean receive(int member, MemorySegment piece) {
        Inflow inflow = inflow(FrameKind.DATA, member);
        MemorySegment target = inflow == null ? null : inflow.accept(inflow.received(), (int) piece.byteSize());
        if (target == null) {
            return false;
        }
        Memory.copy(piece, target);
        progress();
        add(FrameKind.DATA, member, (int) piece.byteSize()); // says nothing about the link: it was there already
        return true;
    }

    public final void received(FrameKind kind, int member, int bytes) {
        progress();
        if (group.isFar(member)) {
            group.job().linkRate().arrived();
        }
        add(kind, member, bytes);
    }

    private void add(FrameKind kind, int member, int bytes) {
        Inflow inflow = inflow(kind, member);
        inflow.add(bytes);
        if (meetsOthers(kind) && group.isFar(member)) {
            missingBytes -= bytes;
        }
        arrived(kind, member);
        if (inflow.complete()) {
            finished();
        }
    }

    private void sent(FrameKind kind, int member, int bytes) {
        progress();
        group.count(member, bytes / descriptor.dtype().byteSize(), bytes + Header.BYTES);
        if (outflow(kind, member).complete()) {
            finished();
        }
    }

    /** One of the things that were waited for has come. */
    protected final void finished() {
        if (--unfinished == 0) {
            complete();
        }
    }

    private void complete() {
        finish();
        work.complete();
        if (whole == null) {
            event.done(descriptor, work.queuedNanos());
        }
        followers.forEach(Runnable::run);
        group.job().advance(lane);
    }

    final boolean done() {
        return subject != null && unfinished == 0;
    }

    final boolean begun(int member) {
        return begun[member];
    }

    /** {@return the members that take part, besides this rank} */
    protected final int[] peers() {
        return lane.peers();
    }

    /** {@return whether anything of this member has not arrived} */
    public final boolean awaits(int member) {
        return !begun[member] || flows.awaits(member);
    }

    private void progress() {
        lastProgressNanos = System.nanoTime();
        if (whole != null) {
            whole.progress();
        }
    }

    public final long lastProgressNanos() {
        return lastProgressNanos;
    }

    public final Group group() {
        return group;
    }

    public final Descriptor descriptor() {
        return descriptor;
    }

    /** {@return what its frames are about, once it has begun} */
    final Subject subject() {
        return subject;
    }

    final long sequence() {
        return subject.sequence();
    }

    /** {@return the call that it answers, as do its parts} */
    protected final Call call() {
        return call;
    }

    public final Event after() {
        return call.after();
    }

    public final TcpWork work() {
        return work;
    }

    final boolean ready() {
        return ready;
    }

    public final void setReady() {
        ready = true;
    }

    /** {@return what is still missing, for reports} */
    public final String report() {
        List<Integer> absent = new ArrayList<>();
        List<Integer> slow = new ArrayList<>();
        for (int peer : lane.peers()) {
            if (!begun[peer]) {
                absent.add(group.worldRank(peer));
            } else if (awaits(peer)) {
                slow.add(group.worldRank(peer));
            }
        }
        return this
                + (absent.isEmpty() ? "" : ": ranks " + absent + " have not arrived there")
                + (slow.isEmpty() ? "" : ": waits for data of ranks " + slow)
                + " (" + flows.progress(lane.peers()) + ")";
    }

    @Override
    public final String toString() {
        return descriptor + (subject == null ? "" : " #" + subject.sequence()) + group.suffix();
    }
}
