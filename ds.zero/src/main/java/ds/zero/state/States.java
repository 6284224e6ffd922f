package ds.zero.state;

import ds.api.DType;
import ds.api.TensorBackend;
import ds.api.spi.Optimizer;
import ds.zero.config.Offload;
import ds.zero.config.ZeroConfig;
import ds.zero.gradient.GradientStage;
import ds.zero.host.HostTransfers;
import ds.zero.host.Machine;
import ds.zero.host.WeightDownloads;
import ds.zero.offload.Swapping;
import ds.zero.onebit.Exchange;
import ds.zero.optimizer.Optimizers;
import ds.zero.optimizer.Transfers;
import ds.zero.optimizer.UnitUpdate;
import ds.zero.unit.Share;
import ds.zero.unit.Tiles;
import ds.zero.unit.Units;
import ds.zero.weight.WeightStage;
import java.util.function.BiFunction;

/** Where masters and optimizer states are kept and updated: on the device, on the host, in files, or a part of them in each. */
public record States(Units units, WeightStage weights, GradientStage gradients, Machine machine, Exchange exchange) {
    /**
     * {@return what the configuration asks for, handed over}
     *
     * @param swapping asked for if something is kept in files
     */
    public UpdatedStates of(ZeroConfig config, BiFunction<Machine, Offload.Nvme, Swapping> swapping) {
        Optimizer optimizer = Optimizers.of(config.optimizer());
        Offload offload = config.zero().offloadOptimizer();
        boolean stays = offload instanceof Offload.Cpu && !machine.isDivided();
        Share away = stays ? Share.ofElements(units, 0) : awayShare(optimizer, offload.ratio());
        if (away.isEmpty()) {
            return inMemory(
                    config, optimizer, Share.whole(units), machine.stack().backend());
        }
        UpdatedStates offloaded = offload instanceof Offload.Nvme nvme
                ? inFiles(config, optimizer, away, swapping.apply(machine, nvme))
                : inMemory(config, optimizer, away, machine.host());
        Share here = away.rest(units);
        if (here.isEmpty()) {
            return offloaded;
        }
        UpdatedStates rest = inMemory(config, optimizer, here, machine.stack().backend());
        return new DividedStates(offloaded, away, rest, units, machine.host());
    }

    /** Norms and matrices are of whole parameters: then a unit is in one place. */
    private Share awayShare(Optimizer optimizer, double ratio) {
        return UnitUpdate.isElementwise(optimizer) ? Share.ofElements(units, ratio) : Share.ofUnits(units, ratio);
    }

    private StateKinds kinds(ZeroConfig config, Optimizer optimizer, TensorBackend updating) {
        return new StateKinds(
                units, weights, config.precision().states(), config.runtime().seed(), optimizer, updating.device());
    }

    private UpdatedStates inMemory(ZeroConfig config, Optimizer optimizer, Share share, TensorBackend updating) {
        long tile = Math.min(UnitUpdate.TILE_ELEMENTS, share.mostElements());
        return new OwnedStates(
                kinds(config, optimizer, updating),
                share,
                gradients,
                machine.on(updating),
                transfers(tile, updating),
                exchange);
    }

    private UpdatedStates inFiles(ZeroConfig config, Optimizer optimizer, Share share, Swapping swapping) {
        Tiles tiles = Tiles.ofFiles(units, share, config.zero());
        return new SwappedStates(
                tiles,
                kinds(config, optimizer, machine.host()),
                gradients,
                swapping,
                transfers(tiles.mostElements(), machine.host()));
    }

    private Transfers transfers(long tileElements, TensorBackend updating) {
        TensorBackend device = machine.stack().backend();
        DType dtype = weights.dtype();
        if (machine.isDivided() && updating.equals(machine.host())) {
            var tile = new HostTransfers.Tile(tileElements, gradients.reduced(0).dtype(), dtype);
            return new HostTransfers(device, updating, tile);
        }
        if (weights.inMemory() && !weights.home().equals(updating.device())) {
            return new WeightDownloads(updating, tileElements, dtype);
        }
        return Transfers.local(updating.kernels(updating.computeStream()));
    }
}
