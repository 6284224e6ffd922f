package ds.comm.tcp.mesh;

import ds.comm.tcp.connection.Connection;
import ds.comm.tcp.connection.Receiver;
import ds.comm.tcp.flow.Inflow;
import ds.comm.tcp.frame.FrameKind;
import ds.comm.tcp.frame.Header;
import ds.comm.tcp.frame.Header.BadFrame;
import ds.comm.tcp.group.Group;
import ds.comm.tcp.group.Job;
import ds.comm.tcp.group.Lane;
import ds.comm.tcp.group.Operation;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;

/**
 * Says where the body of an arriving frame goes, and whom it concerns once it is complete. Whatever a frame claims is checked
 * against what this rank expects. On the thread of the {@link Mesh}.
 */
final class Dispatcher implements Receiver {
    private final Job job;
    private final Groups groups;

    Dispatcher(Job job, Groups groups) {
        this.job = job;
        this.groups = groups;
    }

    @Override
    public MemorySegment open(Connection connection, Header header) throws BadFrame {
        return switch (header.kind()) {
            case CREDIT, BYE, ALIVE -> MemorySegment.NULL;
            case ABORT -> scratch(header);
            case START -> {
                Group group = groups.get(header.group());
                if (group == null) { // closed here already: our BYE tells the peer so
                    yield scratch(header);
                }
                int member = member(group, connection, header);
                yield expected(lane(group, member, header).open(header, member), header);
            }
            case DATA, RESULT -> {
                Group group = groups.get(header.group());
                if (group == null && groups.hasLeft(header.group())) { // early, of a peer that has not read our BYE
                    yield scratch(header);
                }
                int member = member(expected(group, header), connection, header);
                Lane lane = lane(group, member, header);
                Operation operation = lane.operation(header.sequence());
                yield expected(
                        operation == null && header.kind() == FrameKind.DATA
                                ? lane.openEarly(header, member)
                                : place(expected(operation, header), member, header),
                        header);
            }
        };
    }

    private static MemorySegment scratch(Header header) {
        return MemorySegment.ofArray(new byte[header.bodyBytes()]);
    }

    private static MemorySegment place(Operation operation, int member, Header header) {
        Inflow inflow = operation.inflow(header.kind(), member);
        return inflow == null ? null : inflow.accept(header.value(), header.bodyBytes());
    }

    @Override
    public void arrived(Connection connection, Header header, MemorySegment body) throws BadFrame {
        Group group = groups.get(header.group());
        switch (header.kind()) {
            case START -> {
                if (group != null) {
                    int member = member(group, connection, header);
                    lane(group, member, header).announced(header, member);
                }
            }
            case DATA, RESULT -> {
                if (group == null && groups.hasLeft(header.group())) {
                    return;
                }
                int member = member(expected(group, header), connection, header);
                Lane lane = lane(group, member, header);
                if (!lane.receivedEarly(header, member)) {
                    expected(lane.operation(header.sequence()), header)
                            .received(header.kind(), member, header.bodyBytes());
                }
            }
            case CREDIT -> credit(connection, header);
            case ALIVE -> {
                if (header.value() == 1) {
                    connection.alive(false);
                }
            }
            case BYE -> bye(connection, header, group);
            case ABORT -> job.failAs(new String(body.toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8));
        }
    }

    private void credit(Connection connection, Header header) throws BadFrame {
        Operation operation = operation(connection, header);
        int member = member(operation.group(), connection, header);
        if (expected(operation.outflow(FrameKind.DATA, member), header).total() > 0) {
            operation.credited(member, header.value(), header.bytesPerSecond());
        }
    }

    private void bye(Connection connection, Header header, Group group) throws BadFrame {
        if (header.group() == 0) {
            left(connection);
        } else if (group != null) {
            group.setLeft(member(group, connection, header));
        }
    }

    /** A peer has left the job in good order. */
    private void left(Connection connection) {
        connection.setLeft();
        groups.forEach(group -> {
            int member = group.members().member(connection.peer());
            if (member >= 0) {
                group.setLeft(member);
            }
        });
    }

    @Override
    public void bad(Connection connection, BadFrame frame) {
        job.fail(connection.name() + " sent a bad frame: " + frame.getMessage()
                + ": something else writes to this connection, or it runs another release of ds");
    }

    @Override
    public void lost(Connection connection, String how) {
        if (!connection.left()) {
            job.fail("lost " + connection.name() + " (" + how + ") " + groups.during());
        }
    }

    private Operation operation(Connection connection, Header header) throws BadFrame {
        Group group = expected(groups.get(header.group()), header);
        int member = member(group, connection, header);
        return expected(lane(group, member, header).operation(header.sequence()), header);
    }

    private static int member(Group group, Connection connection, Header header) throws BadFrame {
        int member = group.members().member(connection.peer());
        if (member < 0) {
            throw new BadFrame("not a member of the group of " + header);
        }
        return member;
    }

    private static Lane lane(Group group, int member, Header header) {
        return group.lane(header.operation().counterpart(), member);
    }

    private static <T> T expected(T found, Header header) throws BadFrame {
        if (found == null) {
            throw new BadFrame("nothing here expects " + header);
        }
        return found;
    }
}
