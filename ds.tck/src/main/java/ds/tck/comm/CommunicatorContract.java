package ds.tck.comm;

/**
 * What a group of ranks does when all goes well, for a provider whose communicators accept host tensors; what it does when
 * not stands in {@link CommunicatorFailureContract}. The parts are interfaces, to be read one by one.
 */
public abstract class CommunicatorContract implements ReduceContract, MoveContract, GroupContract, TrafficContract {
    /** For subclasses. */
    protected CommunicatorContract() {}
}
