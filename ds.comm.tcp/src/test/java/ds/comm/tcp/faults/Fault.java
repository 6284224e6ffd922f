package ds.comm.tcp.faults;

/** What happens to a job. */
enum Fault {
    /** A process is killed. */
    KILLED(false),
    /** A process is killed while ranks may still be meeting. */
    KILLED_EARLY(false),
    /** A process does not run any more. */
    FROZEN(false),
    /** A process does not run for a while. */
    FROZEN_FOR_A_WHILE(true),
    /** A link passes nothing on any more. */
    LINK_SILENT(false),
    /** A link passes nothing on for a while. */
    LINK_SILENT_FOR_A_WHILE(true),
    /** The interface of a host goes down, on which there are all ranks but rank 0. */
    LINK_CUT(false),
    /** A connection is reset. */
    LINK_RESET(false),
    /** One direction of a connection is closed. */
    LINK_HALF_CLOSED(false);

    private final boolean recovers;

    Fault(boolean recovers) {
        this.recovers = recovers;
    }

    /** {@return whether the job has to go on as if nothing had been} */
    boolean recovers() {
        return recovers;
    }

    /** {@return whether it happens between rank 0 and others, whichever of them is named then} */
    boolean ofLink() {
        return switch (this) {
            case LINK_SILENT, LINK_SILENT_FOR_A_WHILE, LINK_CUT, LINK_RESET, LINK_HALF_CLOSED -> true;
            case KILLED, KILLED_EARLY, FROZEN, FROZEN_FOR_A_WHILE -> false;
        };
    }

    /**
     * {@return whether ranks find out by a deadline, and one that is not at the link may name another that waits: what all ranks say
     * together names the right one} Of a frozen process none of them has a sign of life.
     */
    boolean stalls() {
        return switch (this) {
            case LINK_SILENT, LINK_CUT -> true;
            case FROZEN,
                    KILLED,
                    KILLED_EARLY,
                    FROZEN_FOR_A_WHILE,
                    LINK_SILENT_FOR_A_WHILE,
                    LINK_RESET,
                    LINK_HALF_CLOSED -> false;
        };
    }
}
