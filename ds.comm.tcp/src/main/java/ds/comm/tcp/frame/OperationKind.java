package ds.comm.tcp.frame;

/** The operations. */
public enum OperationKind {
    ALL_REDUCE(1, "allReduce"),
    REDUCE_SCATTER(2, "reduceScatter"),
    ALL_GATHER(3, "allGather"),
    BROADCAST(4, "broadcast"),
    BARRIER(5, "barrier"),
    SEND(6, "send"),
    RECEIVE(7, "receive"),
    REDUCE(8, "reduce"),
    GATHER(9, "gather"),
    ALL_TO_ALL(10, "allToAll");

    private final int code;
    private final String text;

    OperationKind(int code, String text) {
        this.code = code;
        this.text = text;
    }

    /** {@return its number on the wire} */
    public int code() {
        return code;
    }

    /** {@return whether it is one of a sender and a receiver, not of a whole group} */
    public boolean pair() {
        return this == SEND || this == RECEIVE;
    }

    /** {@return what the peer has to call} */
    public OperationKind counterpart() {
        return switch (this) {
            case SEND -> RECEIVE;
            case RECEIVE -> SEND;
            default -> this;
        };
    }

    @Override
    public String toString() {
        return text;
    }
}
