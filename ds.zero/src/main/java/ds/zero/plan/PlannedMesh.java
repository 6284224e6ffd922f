package ds.zero.plan;

import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import ds.api.comm.Traffic;
import ds.zero.Mesh;
import ds.zero.config.ZeroConfig;
import java.util.List;
import java.util.Optional;

/**
 * The groups of rank 0 in a mesh of which there are no other ranks.
 *
 * @param world all ranks
 * @param data those that hold the same part of the model; {@code world} where it is not split
 * @param tensor those that share a model
 */
record PlannedMesh(PlanningCommunicator world, PlanningCommunicator data, Optional<Communicator> tensor) {
    static PlannedMesh of(ZeroConfig config, PlannedMachine machine) {
        int data = config.batch().worldSize();
        int tensor = config.tensorParallel().size();
        int perHost = config.zero().plusPlus().plannedRanksPerHost();
        PlanningCommunicator shards = new PlanningCommunicator(0, data, perHost, machine.reached());
        if (tensor == 1) {
            return new PlannedMesh(shards, shards, Optional.empty());
        }
        return new PlannedMesh(
                new PlanningCommunicator(0, data * tensor, 1, machine.reached()),
                shards,
                Optional.of(new PlanningCommunicator(0, tensor)));
    }

    Mesh on(TensorBackend backend) {
        return Mesh.ofGroups(backend, world, data, tensor);
    }

    /** {@return what was sent, over all groups} */
    Traffic traffic() {
        return tensor.map(group -> sum(List.of(world.traffic(), data.traffic(), group.traffic())))
                .orElse(world.traffic());
    }

    private static Traffic sum(List<Traffic> parts) {
        return parts.stream().reduce(Traffic.NONE, Traffic::plus);
    }
}
