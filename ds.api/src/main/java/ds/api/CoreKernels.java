package ds.api;

/**
 * The operations that every backend must have; all others ({@link Kernels}) default to compositions of these. Everything is
 * enqueued on one {@link Stream}. Tensors are contiguous, on this device, and must not overlap unless they are the same;
 * where input and output may be the same tensor, it is said. Inputs and outputs may have different floating types: each
 * element is computed in F32 (or better) and rounded once to the output's type, to nearest even.
 *
 * <p>A tensor {@code [.., n]} is seen as a matrix of {@link Shape#rows} times {@link Shape#columns}.
 */
public interface CoreKernels {
    /** Elementwise functions of one argument. */
    enum Unary {
        /** e to the x. */
        EXP,
        /** Natural logarithm. */
        LOG,
        /** Hyperbolic tangent. */
        TANH,
        /** Square root. */
        SQRT,
        /** One divided by x. */
        RECIPROCAL,
        /** x times x. */
        SQUARE
    }

    /** Elementwise functions of two arguments. */
    enum Binary {
        /** a + b. */
        ADD,
        /** a − b. */
        SUBTRACT,
        /** a · b. */
        MULTIPLY,
        /** a / b. */
        DIVIDE,
        /** The greater one. */
        MAX,
        /** 1 if a ≥ b, else 0. */
        GREATER_EQUAL
    }

    /** How the second argument is repeated to the first one's dims. */
    enum Broadcast {
        /** Same number of elements. */
        NONE,
        /** One element, for all. */
        SCALAR,
        /** {@code [n]}: one element for each column, repeated over the rows. */
        ROW,
        /** {@code [m]}: one element for each row, repeated over the columns. */
        COLUMN
    }

    /** Reductions of a row to one number. */
    enum Reduction {
        /** Sum. */
        SUM,
        /** Largest element. */
        MAX
    }

    /**
     * One factor of a matrix product.
     *
     * @param tensor seen as a matrix
     * @param transposed whether its transpose is the factor
     */
    record Operand(Tensor tensor, boolean transposed) {
        /** {@return the matrix as it is} */
        public static Operand of(Tensor tensor) {
            return new Operand(tensor, false);
        }

        /** {@return the matrix transposed} */
        public static Operand transposed(Tensor tensor) {
            return new Operand(tensor, true);
        }

        /** {@return rows of the factor} */
        public long rows() {
            return transposed ? tensor.shape().columns() : tensor.shape().rows();
        }

        /** {@return columns of the factor} */
        public long columns() {
            return transposed ? tensor.shape().rows() : tensor.shape().columns();
        }
    }

    /**
     * Part of a matrix inside a tensor: rows of consecutive elements at a fixed distance.
     *
     * @param tensor any dims
     * @param first element at which the first row begins
     * @param stride elements from the beginning of a row to that of the next
     */
    record Rows(Tensor tensor, long first, long stride) {}

    /** {@return the backend these kernels belong to} */
    TensorBackend backend();

    /** {@return the stream on which they are enqueued} */
    Stream stream();

    /** Sets every element, of any type. */
    void fill(Tensor y, double value);

    /** {@code y = x}, converting the type; as many elements on both sides. */
    void copy(Tensor x, Tensor y);

    /** Copies {@code rows} times {@code columns} elements from one part to another, converting the type. */
    void copyRows(Rows x, Rows y, long rows, long columns);

    /**
     * {@code c = a · b + beta · c}, summed in F32.
     *
     * @param a {@code [m, k]}
     * @param b {@code [k, n]}, of {@code a}'s type
     * @param c {@code [m, n]}, of any floating type
     * @param beta 0 (then {@code c} is not read) or 1
     */
    void matmul(Operand a, Operand b, Tensor c, float beta);

    /** {@code y = op(x)}; {@code y} may be {@code x}. */
    void unary(Unary op, Tensor x, Tensor y);

    /** {@code y = op(a, b)}; {@code y} may be {@code a}, and {@code b} if it is not repeated. */
    void binary(Binary op, Tensor a, Tensor b, Broadcast broadcast, Tensor y);

    /** {@code y = alpha · x + beta · y}; {@code y} is not read if beta is 0, and may be {@code x}. */
    void axpby(double alpha, Tensor x, double beta, Tensor y);

    /** {@code y[i] = op over j of x[i, j]}, where {@code y} is {@code [m]}. */
    void reduceRows(Reduction op, Tensor x, Tensor y);

    /** {@code y[j] = sum over i of x[i, j] + beta · y[j]}, where {@code y} is {@code [n]} and beta 0 or 1. */
    void sumColumns(Tensor x, Tensor y, float beta);

    /**
     * {@code y[i, :] = table[index[i], :]}.
     *
     * @param table {@code [v, n]}
     * @param index I32, m elements in [0, v); what lies outside is undefined, so whoever makes indices checks them
     * @param y {@code [m, n]}
     */
    default void gatherRows(Tensor table, Tensor index, Tensor y) {
        gatherRowsWithin(table, 0, table.elements(), index, y);
    }

    /**
     * As {@link #gatherRows} of a table whose other elements are 0, without their being so. A table that is a shard's.
     *
     * @param first of the table's elements, row by row, that counts
     * @param end behind the last one that counts
     */
    void gatherRowsWithin(Tensor table, long first, long end, Tensor index, Tensor y);

    /** {@code table[index[i], :] += x[i, :]}, in the order of i: the same bits every time. Shapes as in {@link #gatherRows}. */
    void scatterAddRows(Tensor x, Tensor index, Tensor table);

    /**
     * {@code table[index[i], :] = x[i, :]}: what {@link #gatherRows} takes out, put back. All other rows stay as they are. Shapes as
     * there.
     *
     * @param x rows of which those with equal indices are equal; otherwise it is undefined which one stays
     */
    void scatterRows(Tensor x, Tensor index, Tensor table);

    /** {@code y[i] = random.uniform(i)}. */
    void uniform(CounterRandom random, Tensor y);

    /**
     * {@code y += sum of x²}, in F64: for global norms, of which NaN and infinity must not get lost.
     *
     * @param y F64, one element
     */
    void sumOfSquares(Tensor x, Tensor y);
}
