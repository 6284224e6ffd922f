package ds.api;

import java.util.Arrays;
import java.util.stream.Collectors;

/**
 * Immutable dims of a tensor, row-major: the last one is contiguous. A shape without dims is a scalar of one element.
 */
public final class Shape {
    private final long[] dims;
    private final long elements;

    private Shape(long[] dims) {
        long product = 1;
        for (long dim : dims) {
            if (dim < 1) {
                throw new IllegalArgumentException("shape " + Arrays.toString(dims) + ": every dim must be at least 1");
            }
            product = Math.multiplyExact(product, dim);
        }
        this.dims = dims;
        this.elements = product;
    }

    /**
     * {@return the shape with these dims}
     *
     * @param dims outermost first
     * @throws IllegalArgumentException if one is below 1
     * @throws ArithmeticException if the product exceeds a long
     */
    public static Shape of(long... dims) {
        return new Shape(dims.clone());
    }

    /** {@return how many dims there are; 0 for a scalar} */
    public int dimCount() {
        return dims.length;
    }

    /**
     * {@return the size of one dim}
     *
     * @param index 0 is the outermost; negative counts from the end, so that −1 is the contiguous one
     */
    public long dim(int index) {
        return dims[index < 0 ? dims.length + index : index];
    }

    /** {@return the product of all dims} */
    public long elements() {
        return elements;
    }

    /** {@return the size of the contiguous dim; 1 for a scalar} */
    public long columns() {
        return dims.length == 0 ? 1 : dims[dims.length - 1];
    }

    /** {@return the product of all dims but the last: how many rows a kernel sees} */
    public long rows() {
        return elements / columns();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Shape that && Arrays.equals(dims, that.dims);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(dims);
    }

    @Override
    public String toString() {
        return Arrays.stream(dims).mapToObj(Long::toString).collect(Collectors.joining(", ", "[", "]"));
    }
}
