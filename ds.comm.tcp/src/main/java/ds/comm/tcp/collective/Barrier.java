package ds.comm.tcp.collective;

import ds.api.comm.Call;
import ds.comm.tcp.frame.Descriptor;
import ds.comm.tcp.group.Group;
import ds.comm.tcp.group.Operation;

/** Done once every rank has announced it: there is nothing else to move. */
final class Barrier extends Operation {
    Barrier(Group group, Descriptor descriptor, Call call) {
        super(group, descriptor, call);
    }

    @Override
    protected void prepare() {}
}
