package ds.comm.tcp;

import ds.comm.tcp.meet.Link;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;

/** The link to one other rank, for all groups: what arrives and what leaves. On the thread of the {@link Mesh}. */
final class Connection {
    private final Mesh mesh;
    private final Link link;
    private final SocketChannel channel;
    private final FrameReader reader;
    private final FrameWriter writer;
    private final SelectionKey key;
    private boolean left;
    private boolean ended;

    Connection(Mesh mesh, Link link, Selector selector) throws IOException {
        this.mesh = mesh;
        this.link = link;
        channel = link.channel();
        channel.configureBlocking(false);
        reader = new FrameReader(channel);
        writer = new FrameWriter(channel);
        key = channel.register(selector, SelectionKey.OP_READ, this);
    }

    int peer() {
        return link.rank();
    }

    /** {@return the peer's rank, host and port, for messages} */
    String name() {
        return link.name();
    }

    /** {@return whether the peer has left in good order} */
    boolean left() {
        return left;
    }

    void setLeft() {
        left = true;
    }

    /** {@return whether nothing will arrive any more} */
    boolean ended() {
        return ended;
    }

    int start(Operation operation, MemorySegment inline) {
        wake();
        return writer.start(operation, inline);
    }

    void credit(Operation operation, long bytes) {
        writer.credit(operation, bytes);
        wake();
    }

    void bye(Group group) {
        writer.bye(group);
        wake();
    }

    void add(Outflow outflow) {
        writer.add(outflow);
    }

    void wake() {
        mesh.wake(this);
    }

    /** Reads what is there; a bounded amount, for the sake of the other connections. */
    void read() {
        try {
            if (!reader.read(mesh.dispatcher(), this)) {
                end();
                mesh.lost(this, "the connection was closed");
            }
        } catch (Header.BadFrame e) {
            mesh.fail(name() + " sent a bad frame: " + e.getMessage()
                    + ": something else writes to this connection, or it runs another release of ds");
        } catch (IOException e) {
            end();
            mesh.lost(this, String.valueOf(e.getMessage()));
        }
    }

    /** Writes what can be written. */
    void flush() {
        if (ended) {
            return;
        }
        try {
            FrameWriter.Progress progress = writer.flush();
            boolean blocked = progress == FrameWriter.Progress.BLOCKED;
            int interest = SelectionKey.OP_READ | (blocked ? SelectionKey.OP_WRITE : 0);
            if (key.interestOps() != interest) {
                key.interestOps(interest);
            }
            if (progress == FrameWriter.Progress.MORE) {
                wake();
            } else if (progress == FrameWriter.Progress.LAST) {
                channel.shutdownOutput();
            }
        } catch (IOException e) {
            end();
            mesh.lost(this, String.valueOf(e.getMessage()));
        }
    }

    /** Says that this rank leaves in good order; nothing is sent afterwards. */
    void leave() {
        reader.discard();
        writer.leave();
        wake();
    }

    /** Says that the job has failed; nothing is sent afterwards, and no operand is touched any more. */
    void abort(String cause) {
        reader.discard();
        writer.abort(cause);
        wake();
    }

    /** {@return whether bytes of an operand are on their way to the socket} */
    boolean holdsOperand() {
        return !ended && writer.holdsOperand();
    }

    private void end() {
        ended = true;
        key.cancel();
        link.close();
    }

    void close() {
        link.close();
    }
}
