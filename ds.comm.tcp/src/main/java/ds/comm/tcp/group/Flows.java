package ds.comm.tcp.group;

import ds.comm.tcp.flow.Inflow;
import ds.comm.tcp.flow.Outflow;
import ds.comm.tcp.frame.FrameKind;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/** What moves for one operation: at most one flow of each kind from each member, and one to each. */
final class Flows {
    static final List<FrameKind> KINDS = List.of(FrameKind.DATA, FrameKind.RESULT);

    private final int size;
    private final Map<FrameKind, Inflow[]> in = new EnumMap<>(FrameKind.class);
    private final Map<FrameKind, Outflow[]> out = new EnumMap<>(FrameKind.class);

    /**
     * Has none.
     *
     * @param size of the group
     */
    Flows(int size) {
        this.size = size;
    }

    void add(FrameKind kind, int member, Inflow inflow) {
        in.computeIfAbsent(kind, k -> new Inflow[size])[member] = inflow;
    }

    void add(FrameKind kind, int member, Outflow outflow) {
        out.computeIfAbsent(kind, k -> new Outflow[size])[member] = outflow;
    }

    /** {@return the flow from a member, or null if there is none} */
    Inflow from(int member, FrameKind kind) {
        Inflow[] members = in.get(kind);
        return members == null ? null : members[member];
    }

    /** {@return the flow to a member, or null if there is none} */
    Outflow to(int member, FrameKind kind) {
        Outflow[] members = out.get(kind);
        return members == null ? null : members[member];
    }

    /** {@return whether anything of a member has not arrived} */
    boolean awaits(int member) {
        for (FrameKind kind : KINDS) {
            Inflow inflow = from(member, kind);
            if (inflow != null && !inflow.complete()) {
                return true;
            }
        }
        return false;
    }

    /** {@return how many bytes have moved from and to these members, for reports} */
    String progress(int[] members) {
        long received = 0;
        long toReceive = 0;
        long sent = 0;
        long toSend = 0;
        for (int member : members) {
            for (FrameKind kind : KINDS) {
                Inflow inflow = from(member, kind);
                Outflow outflow = to(member, kind);
                received += inflow == null ? 0 : inflow.received();
                toReceive += inflow == null ? 0 : inflow.total();
                sent += outflow == null ? 0 : outflow.bytesSent();
                toSend += outflow == null ? 0 : outflow.total();
            }
        }
        return "received " + received + " of " + toReceive + " bytes, sent " + sent + " of " + toSend;
    }
}
