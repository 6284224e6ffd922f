package ds.comm.tcp;

import ds.api.Event;

/** Done once every rank has announced it: there is nothing else to move. */
final class Barrier extends Operation {
    Barrier(Group group, Descriptor descriptor, Event after) {
        super(group, descriptor, after);
    }

    @Override
    void prepare() {}
}
