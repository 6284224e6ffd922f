package ds.zero.weight;

import ds.api.DType;
import ds.zero.config.Offload;
import ds.zero.config.ZeroOptimization;
import ds.zero.host.HostShards;
import ds.zero.host.Machine;
import ds.zero.offload.Swapping;
import ds.zero.unit.Share;
import ds.zero.unit.Tiles;
import ds.zero.unit.Units;
import java.util.List;
import java.util.Optional;
import java.util.function.BiFunction;
import java.util.stream.IntStream;

/**
 * Where shards are between their uses: on the device, unless one of the two is there. Then nothing is persistent.
 *
 * @param file owned
 * @param onHost owned
 */
record ShardHome(Optional<ShardFile> file, Optional<HostShards> onHost) {
    /** On the device of the model. */
    static final ShardHome DEVICE = new ShardHome(Optional.empty(), Optional.empty());

    /** {@return what {@code offload_param} asks for} */
    static ShardHome of(
            ZeroOptimization zero,
            Units units,
            DType dtype,
            Machine machine,
            BiFunction<Machine, Offload.Nvme, Swapping> swapping) {
        return switch (zero.offloadParameters()) {
            case Offload.Nvme nvme -> {
                Tiles tiles = Tiles.ofFiles(units, Share.whole(units), zero);
                yield new ShardHome(
                        Optional.of(new ShardFile(tiles, dtype, swapping.apply(machine, nvme))), Optional.empty());
            }
            case Offload.Cpu _
            when machine.isDivided() -> {
                List<Long> elements = IntStream.range(0, units.count())
                        .mapToObj(unit -> units.layout(unit).shardElements())
                        .toList();
                HostShards shards = new HostShards(machine.stack().backend(), machine.host(), dtype, elements);
                yield new ShardHome(Optional.empty(), Optional.of(shards));
            }
            case Offload.None(), Offload.Cpu _ -> DEVICE;
        };
    }

    boolean isDevice() {
        return file.isEmpty() && onHost.isEmpty();
    }
}
