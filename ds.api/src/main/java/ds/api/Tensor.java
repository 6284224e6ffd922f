package ds.api;

import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * A typed view of a {@link Buffer}: row-major, contiguous, immutable as a view. It never owns its memory, and costs nothing
 * but a small object, so that views are made wherever they help to read.
 */
public final class Tensor {
    private final Buffer buffer;
    private final DType dtype;
    private final Shape shape;
    private final long byteOffset;

    /**
     * Views part of a buffer.
     *
     * @param byteOffset of the first element; a multiple of the element size
     * @throws IllegalArgumentException if the view does not lie inside the buffer
     */
    public Tensor(Buffer buffer, DType dtype, Shape shape, long byteOffset) {
        this.buffer = Objects.requireNonNull(buffer, "buffer");
        this.dtype = Objects.requireNonNull(dtype, "dtype");
        this.shape = Objects.requireNonNull(shape, "shape");
        this.byteOffset = byteOffset;
        if (byteOffset < 0 || byteOffset % dtype.byteSize() != 0 || byteSize() > buffer.byteSize() - byteOffset) {
            throw new IllegalArgumentException("a view " + dtype + shape + " of " + byteSize() + " bytes at byte "
                    + byteOffset + " does not lie inside buffer '" + buffer.label() + "' of " + buffer.byteSize()
                    + " bytes");
        }
    }

    /** Views a whole buffer, or its beginning. */
    public Tensor(Buffer buffer, DType dtype, Shape shape) {
        this(buffer, dtype, shape, 0);
    }

    /** {@return the memory that this tensor views} */
    public Buffer buffer() {
        return buffer;
    }

    /** {@return the element type} */
    public DType dtype() {
        return dtype;
    }

    /** {@return the dims} */
    public Shape shape() {
        return shape;
    }

    /** {@return where the first element lies in the buffer, in bytes} */
    public long byteOffset() {
        return byteOffset;
    }

    /** {@return how many elements there are} */
    public long elements() {
        return shape.elements();
    }

    /** {@return how many bytes the elements take} */
    public long byteSize() {
        return Math.multiplyExact(shape.elements(), (long) dtype.byteSize());
    }

    /** {@return the address of the first element, as the device counts; see {@link Buffer#address}} */
    public long address() {
        return buffer.address() + byteOffset;
    }

    /** {@return the bytes of this tensor in host memory, borrowed; see {@link Buffer#host}} */
    public MemorySegment host() {
        return buffer.host().asSlice(byteOffset, byteSize());
    }

    /**
     * {@return the same elements with other dims}
     *
     * @throws IllegalArgumentException if the number of elements differs
     */
    public Tensor reshape(long... dims) {
        Shape other = Shape.of(dims);
        if (other.elements() != elements()) {
            throw new IllegalArgumentException("cannot view " + this + " as " + other);
        }
        return new Tensor(buffer, dtype, other, byteOffset);
    }

    /**
     * {@return a view of consecutive elements}
     *
     * @param firstElement counted from this tensor's first
     * @param dims of the view
     * @throws IllegalArgumentException if it does not lie inside this tensor
     */
    public Tensor slice(long firstElement, long... dims) {
        Shape other = Shape.of(dims);
        if (firstElement < 0 || other.elements() > elements() - firstElement) {
            throw new IllegalArgumentException("elements " + firstElement + " to " + (firstElement + other.elements())
                    + " are not inside " + this);
        }
        return new Tensor(buffer, dtype, other, byteOffset + firstElement * dtype.byteSize());
    }

    /**
     * {@return a view of consecutive rows, where a row is one index of all dims but the last: {@code [count, columns]}}
     *
     * @throws IllegalArgumentException if they do not lie inside this tensor
     */
    public Tensor rows(long firstRow, long count) {
        return slice(firstRow * shape.columns(), count, shape.columns());
    }

    @Override
    public String toString() {
        return dtype + shape.toString() + " in '" + buffer.label() + "' on " + buffer.device();
    }
}
