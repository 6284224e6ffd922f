package ds.zero.optimizer;

import ds.api.Shape;
import ds.api.Tensor;
import ds.api.spi.MatrixOptimizer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** Which parameters are matrices for an optimizer, and which rank transforms which: arithmetic alone. */
final class MatrixPlan {
    private final List<List<Matrix>> matrices = new ArrayList<>();
    private long largestUnit;
    private long scratchElements;

    /**
     * One matrix.
     *
     * @param placed where it lies
     * @param rank that transforms it
     */
    record Matrix(OwnedUnit.Placed placed, int rank) {
        /** {@return its view in a flat buffer of its unit} */
        Tensor in(Tensor unit) {
            Shape shape = placed.parameter().shape();
            return unit.slice(placed.first(), shape.rows(), shape.columns());
        }
    }

    /**
     * Deals the matrices of each unit, the most expensive first, each to the rank that has least to do so far.
     *
     * @throws IllegalArgumentException if no parameter is a matrix
     */
    MatrixPlan(MatrixOptimizer optimizer, int worldSize, List<OwnedUnit> units) {
        for (OwnedUnit unit : units) {
            List<OwnedUnit.Placed> found = unit.parameters().stream()
                    .filter(placed -> optimizer.transforms(placed.parameter().shape(), placed.hidden()))
                    .toList();
            matrices.add(deal(found, worldSize));
            for (OwnedUnit.Placed placed : found) {
                largestUnit = Math.max(largestUnit, unit.elements());
                scratchElements = Math.max(
                        scratchElements,
                        optimizer.scratchElements(placed.parameter().shape()));
            }
        }
        if (largestUnit == 0) {
            throw new IllegalArgumentException("optimizer.type: none of the model's " + units.size()
                    + " units has a matrix for it to transform, between the first layer and the last; use AdamW");
        }
    }

    private static List<Matrix> deal(List<OwnedUnit.Placed> found, int worldSize) {
        double[] load = new double[worldSize];
        List<OwnedUnit.Placed> byCost = found.stream()
                .sorted(Comparator.comparingDouble(MatrixPlan::cost).reversed())
                .toList(); // a stable sort: the same on every rank
        List<Matrix> dealt = new ArrayList<>();
        for (OwnedUnit.Placed placed : byCost) {
            int least = 0;
            for (int rank = 1; rank < worldSize; rank++) {
                least = load[rank] < load[least] ? rank : least;
            }
            load[least] += cost(placed);
            dealt.add(new Matrix(placed, least));
        }
        return dealt;
    }

    private static double cost(OwnedUnit.Placed placed) {
        Shape shape = placed.parameter().shape();
        return (double) shape.elements() * Math.min(shape.rows(), shape.columns());
    }

    /** {@return the matrices of a unit} */
    List<Matrix> matrices(int unit) {
        return matrices.get(unit);
    }

    /** {@return elements of the largest unit that has matrices, with padding} */
    long largestUnit() {
        return largestUnit;
    }

    /** {@return the most scratch that a matrix needs} */
    long scratchElements() {
        return scratchElements;
    }
}
