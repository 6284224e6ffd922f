package ds.api.spi;

import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;

/**
 * An optimizer whose direction for a hidden matrix is a function of the whole matrix, such as Muon. {@link #update} is for all
 * other parameters, elementwise as ever. For a matrix the caller asks for directions shard by shard, brings those of a whole
 * matrix together, has it transformed on one rank, and applies the result shard by shard.
 */
public interface MatrixOptimizer extends Optimizer {
    /**
     * {@return whether a parameter is a matrix for this optimizer}
     *
     * @param shape of the parameter
     * @param hidden whether it belongs to a layer between the model's first and last
     */
    boolean transforms(Shape shape, boolean hidden);

    /**
     * Takes the gradient into the states and computes the direction, elementwise; leaves the weights.
     *
     * @param shard of a matrix
     * @param direction F32 {@code [n]}; overwritten
     */
    void direction(Kernels kernels, Shard shard, Step step, Tensor direction);

    /** {@return how many F32 elements {@link #transform} needs for a matrix beside its own} */
    long scratchElements(Shape matrix);

    /**
     * Transforms the direction of a whole matrix. The same matrix gives the same bits on every rank.
     *
     * @param matrix F32 {@code [rows, columns]}; overwritten
     */
    void transform(Kernels kernels, Tensor matrix, Scratch scratch);

    /** Updates the weights of a shard of a matrix with its transformed direction, F32 {@code [n]}; elementwise. */
    void apply(Kernels kernels, Tensor weights, Tensor direction, Step step);

    /**
     * Memory for {@link #transform}, with any contents.
     *
     * @param elements F32, at least {@link #scratchElements}
     * @param sum F64, one element
     */
    record Scratch(Tensor elements, Tensor sum) {}
}
