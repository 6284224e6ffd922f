package ds.zero.optimizer;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.ReduceOp;
import ds.api.spi.LayerwiseOptimizer;
import ds.api.spi.Optimizer;
import ds.zero.optimizer.Tiles.Tile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * Parameter by parameter, scaled by norms of the whole parameter. Each rank sums the squares of its shard, whatever it owns, in
 * F64; one all-reduce for all parameters of the model makes them norms. So every stage adds the same numbers in the same order.
 * Directions are computed twice, for their norms and for the step, rather than kept: that saves one F32 for each element.
 */
final class LayerwiseUpdate implements UnitUpdate {
    private final LayerwiseOptimizer optimizer;
    private final TensorBackend backend;
    private final Communicator communicator;
    private final Kernels kernels;
    private final Tiles tiles;
    private final List<List<Part>> partsOfUnit = new ArrayList<>();
    private final List<Tensor> gradients = new ArrayList<>();
    private final Tensor direction;
    private final Tensor sums;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment hostSums;

    /**
     * What this rank has of one parameter.
     *
     * @param number of the parameter in the model
     * @param owned what it updates
     * @param shard what it sums
     */
    private record Part(int number, List<Tile> owned, List<Tile> shard) {}

    /** Owns the tiles. */
    LayerwiseUpdate(
            LayerwiseOptimizer optimizer,
            TensorBackend backend,
            Communicator communicator,
            List<OwnedUnit> units,
            Tiles tiles) {
        this.optimizer = optimizer;
        this.backend = backend;
        this.communicator = communicator;
        this.kernels = backend.kernels(backend.computeStream());
        this.tiles = tiles;
        int parameters = 0;
        for (OwnedUnit unit : units) {
            List<Part> parts = new ArrayList<>();
            for (OwnedUnit.Placed placed : unit.parameters()) {
                Part part = part(parameters, unit, placed);
                parts.add(part);
                gradients.addAll(Tiles.gradients(part.owned()));
                parameters++;
            }
            partsOfUnit.add(parts);
        }
        this.direction = backend.allocate(DType.F32, Shape.of(tiles.largest()), "scratch");
        this.sums = backend.allocate(DType.F64, Shape.of(2L * parameters), "scratch");
        this.hostSums = arena.allocate(sums.byteSize(), 64);
    }

    private Part part(int number, OwnedUnit unit, OwnedUnit.Placed placed) {
        boolean decays = placed.parameter().decays();
        long shardEnd = unit.shardFirst() + unit.elements() / communicator.worldSize();
        return new Part(
                number,
                tiles.cut(unit, placed.first(), placed.end(), decays),
                tiles.cut(unit, Math.max(placed.first(), unit.shardFirst()), Math.min(placed.end(), shardEnd), decays));
    }

    @Override
    public void prepare(Optimizer.Step step) {
        tiles.expect(gradients);
        kernels.fill(sums, 0);
        for (List<Part> parts : partsOfUnit) {
            for (Part part : parts) {
                part.owned().forEach(tile -> takeGradient(tile, step));
                part.shard().forEach(tile -> addSquares(part.number(), tile, step));
            }
        }
        Call call = new Call(
                "norms of weights and directions", backend.computeStream().record());
        communicator.allReduce(sums, ReduceOp.SUM, call).await(backend.computeStream());
        backend.download(sums, hostSums, backend.computeStream());
        backend.computeStream().synchronize();
    }

    private void takeGradient(Tile tile, Optimizer.Step step) {
        optimizer.update(kernels, tiles.load(tile), tile.step(step));
        tiles.storeStates(tile, step);
    }

    private void addSquares(int parameter, Tile tile, Optimizer.Step step) {
        tiles.loadKept(tile);
        kernels.sumOfSquares(tile.shard().weights(), sums.slice(2L * parameter, 1));
        kernels.sumOfSquares(direction(tile, step), sums.slice(2L * parameter + 1, 1));
    }

    private Tensor direction(Tile tile, Optimizer.Step step) {
        Tensor target = direction.slice(0, tile.elements());
        optimizer.direction(kernels, tile.shard(), tile.step(step), target);
        return target;
    }

    @Override
    public void update(int unit, Optimizer.Step step) {
        for (Part part : partsOfUnit.get(unit)) {
            double rate = optimizer.rate(step, norm(2L * part.number()), norm(2L * part.number() + 1));
            for (Tile tile : part.owned()) {
                Tensor weights = tiles.loadKept(tile).weights();
                kernels.axpby(-rate, direction(tile, step), 1, weights);
                tiles.storeWeights(tile, step);
            }
        }
    }

    private double norm(long sum) {
        return Math.sqrt(hostSums.getAtIndex(ValueLayout.JAVA_DOUBLE, sum));
    }

    @Override
    public void close() {
        List.of(direction.buffer(), sums.buffer()).forEach(Buffer::close);
        tiles.close();
        arena.close();
    }
}
