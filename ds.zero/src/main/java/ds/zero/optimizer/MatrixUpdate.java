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
import ds.api.spi.MatrixOptimizer;
import ds.api.spi.Optimizer;
import ds.zero.optimizer.MatrixPlan.Matrix;
import ds.zero.optimizer.Tiles.Tile;
import java.util.ArrayList;
import java.util.List;

/**
 * Hidden matrices as a whole, all other parameters elementwise. Unit by unit the directions of the shards are gathered, each rank
 * transforms the matrices that are dealt to it, and a sum of results and zeros, which is exact, brings every rank its shard of
 * them: Ψ + Ψ elements of F32 in a step beside those of the stage, times (N−1)/N. At stage 0 directions are everywhere already,
 * and the sum is an all-reduce.
 */
final class MatrixUpdate implements UnitUpdate {
    private final MatrixOptimizer optimizer;
    private final TensorBackend backend;
    private final Communicator communicator;
    private final Kernels kernels;
    private final List<OwnedUnit> units;
    private final MatrixPlan plan;
    private final Tiles tiles;
    private final List<Work> workOfUnit = new ArrayList<>();
    private final List<Tensor> gradients = new ArrayList<>();
    private final Tensor directions;
    private final MatrixOptimizer.Scratch scratch;

    /**
     * What is done in a unit.
     *
     * @param matrices tiles of matrices
     * @param others tiles of all else
     */
    private record Work(List<Tile> matrices, List<Tile> others) {}

    /** Owns the tiles. */
    MatrixUpdate(
            MatrixOptimizer optimizer,
            TensorBackend backend,
            Communicator communicator,
            List<OwnedUnit> units,
            Tiles tiles) {
        this.optimizer = optimizer;
        this.backend = backend;
        this.communicator = communicator;
        this.kernels = backend.kernels(backend.computeStream());
        this.units = List.copyOf(units);
        this.plan = new MatrixPlan(optimizer, communicator.worldSize(), units);
        this.tiles = tiles;
        for (int unit = 0; unit < units.size(); unit++) {
            Work work = work(unit);
            workOfUnit.add(work);
            gradients.addAll(Tiles.gradients(work.others()));
            gradients.addAll(Tiles.gradients(work.matrices()));
        }
        this.directions = allocate(DType.F32, plan.largestUnit());
        this.scratch = new MatrixOptimizer.Scratch(allocate(DType.F32, plan.scratchElements()), allocate(DType.F64, 1));
    }

    private Work work(int number) {
        Work work = new Work(new ArrayList<>(), new ArrayList<>());
        OwnedUnit unit = units.get(number);
        for (OwnedUnit.Placed placed : unit.parameters()) {
            boolean matrix =
                    plan.matrices(number).stream().anyMatch(m -> m.placed().equals(placed));
            (matrix ? work.matrices : work.others)
                    .addAll(tiles.cut(
                            unit,
                            placed.first(),
                            placed.end(),
                            placed.parameter().decays()));
        }
        return work;
    }

    private Tensor allocate(DType dtype, long elements) {
        return backend.allocate(
                dtype, Shape.of(Math.max(1, elements)), "scratch"); // none of its units may have a matrix
    }

    @Override
    public void prepare(Optimizer.Step step) {
        tiles.expect(gradients); // units need nothing of each other
    }

    @Override
    public void update(int unit, Optimizer.Step step) {
        Work work = workOfUnit.get(unit);
        for (Tile tile : work.others()) {
            optimizer.update(kernels, tiles.load(tile), tile.step(step));
            tiles.storeStates(tile, step);
            tiles.storeWeights(tile, step);
        }
        if (!plan.matrices(unit).isEmpty()) {
            OwnedUnit owned = units.get(unit);
            Tensor all = directions.slice(0, owned.elements());
            kernels.fill(all, 0);
            for (Tile tile : work.matrices()) {
                Tensor part = all.slice(tile.first(), tile.elements());
                optimizer.direction(kernels, tiles.load(tile), tile.step(step), part);
                tiles.storeStates(tile, step);
            }
            transform(owned, all, plan.matrices(unit));
            for (Tile tile : work.matrices()) {
                Tensor part = all.slice(tile.first(), tile.elements());
                optimizer.apply(kernels, tiles.loadKept(tile).weights(), part, tile.step(step));
                tiles.storeWeights(tile, step);
            }
        }
    }

    private void transform(OwnedUnit unit, Tensor all, List<Matrix> matrices) {
        Tensor shard = all.slice(unit.shardFirst(), unit.elements() / communicator.worldSize());
        if (unit.sharded()) {
            communicator.allGather(shard, all, call("directions", unit)).await(backend.computeStream());
        }
        for (Matrix matrix : matrices) {
            Tensor whole = matrix.in(all);
            if (matrix.rank() == communicator.rank()) {
                optimizer.transform(kernels, whole, scratch);
            } else {
                kernels.fill(whole, 0);
            }
        }
        Call call = call("transformed directions", unit);
        if (unit.sharded()) {
            communicator.reduceScatter(all, shard, ReduceOp.SUM, call).await(backend.computeStream());
        } else {
            communicator.allReduce(all, ReduceOp.SUM, call).await(backend.computeStream());
        }
    }

    private Call call(String what, OwnedUnit unit) {
        return new Call(what + " of " + unit.name(), backend.computeStream().record());
    }

    @Override
    public void close() {
        List.of(directions.buffer(), scratch.elements().buffer(), scratch.sum().buffer())
                .forEach(Buffer::close);
        tiles.close();
    }
}
