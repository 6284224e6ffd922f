package ds.comm.tcp.collective;

import ds.api.comm.Call;
import ds.comm.tcp.flow.Memory;
import ds.comm.tcp.frame.Descriptor;
import ds.comm.tcp.frame.OperationKind;
import ds.comm.tcp.group.Group;
import ds.comm.tcp.group.Operation;
import java.lang.foreign.MemorySegment;

/**
 * A large allGather where several ranks share a host: each rank gets the shards of the ranks in its place on the other hosts, while those
 * that are there spread in each host, in memory. Per host S(H−1)/H bytes are sent and received for S bytes over H hosts, which is
 * the least possible; around a ring of all N ranks it is S(N−1)/N, which is half as much again for two hosts of two ranks, and a
 * sixth for four.
 */
final class HierarchicalGather extends Hierarchical {
    private final MemorySegment input;
    private final MemorySegment[] outputs;

    /**
     * Gathers.
     *
     * @param outputs where the shard of each member goes
     */
    HierarchicalGather(
            Group group,
            Hierarchy hierarchy,
            Descriptor descriptor,
            Call call,
            MemorySegment input,
            MemorySegment[] outputs) {
        super(group, hierarchy, descriptor, call);
        this.input = input;
        this.outputs = outputs;
    }

    /** All ranks are there, and want the same. */
    @Override
    protected void met() {
        MemorySegment own = outputs[group().rank()];
        Memory.copy(input, own);
        MemorySegment[] chunks = chunks(own, hierarchy().gatherChunkBytes());
        consistsOf(chunks.length * hierarchy().hosts());
        long at = 0;
        for (int chunk = 0; chunk < chunks.length; chunk++) {
            gather(chunk, at, chunks[chunk]);
            at += chunks[chunk].byteSize();
        }
    }

    private void gather(int chunk, long at, MemorySegment own) {
        Group rail = hierarchy().rail(chunk);
        MemorySegment[] ofHosts = new MemorySegment[rail.size()];
        for (int host = 0; host < ofHosts.length; host++) {
            ofHosts[host] = shard(host, hierarchy().inHost().rank(), at, own.byteSize());
        }
        Descriptor part = part(OperationKind.ALL_GATHER, own.byteSize() * ofHosts.length);
        Operation across = Exchange.allGather(rail, part, call(), own, ofHosts);
        for (int host = 0; host < ofHosts.length; host++) {
            boolean here = host == rail.rank();
            Operation spread = spread(here ? hierarchy().inHost() : hierarchy().backInHost(), host, at, ofHosts[host]);
            spread.then(this::partIsDone);
            if (!here) {
                across.then(spread::oneIsDone);
            }
            queue(spread, here ? 0 : 1);
        }
        queue(across, 0);
    }

    /** What this rank and the others of its host have of a host's shards. */
    private Operation spread(Group inHost, int host, long at, MemorySegment own) {
        MemorySegment[] ofRanks = new MemorySegment[inHost.size()];
        for (int i = 0; i < ofRanks.length; i++) {
            ofRanks[i] = shard(host, i, at, own.byteSize());
        }
        Descriptor part = part(OperationKind.ALL_GATHER, own.byteSize() * ofRanks.length);
        return Exchange.allGather(inHost, part, call(), own, ofRanks);
    }

    /** @param place of a rank in its host */
    private MemorySegment shard(int host, int place, long at, long bytes) {
        return outputs[group().ring().member(host * hierarchy().perHost() + place)].asSlice(at, bytes);
    }
}
