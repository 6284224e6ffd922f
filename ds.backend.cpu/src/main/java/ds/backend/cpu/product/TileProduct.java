package ds.backend.cpu.product;

import ds.api.DType;
import ds.backend.cpu.core.Panels;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.dnnl.IntMemoryMap;
import org.bytedeco.dnnl.global.dnnl;
import org.bytedeco.dnnl.matmul;
import org.bytedeco.dnnl.memory;
import org.bytedeco.dnnl.post_ops;
import org.bytedeco.dnnl.primitive_attr;
import org.bytedeco.dnnl.stream;
import org.bytedeco.javacpp.Pointer;

/** One tile of a matrix product, as a primitive of oneDNN that is compiled once and used with other addresses every time. */
public final class TileProduct implements AutoCloseable {
    /**
     * How a matrix lies in memory: elements from one row, and from one column, to the next; one of the two is 1.
     *
     * @param rowStride 0 stands for panels of {@code columnStride} columns, as {@link Panels} makes them
     */
    public record Layout(DType dtype, long rowStride, long columnStride) {
        /** {@return the layout of panels} */
        static Layout of(Panels.Format panels) {
            return new Layout(panels.dtype(), 0, panels.width());
        }

        /** {@return the layout of a matrix whose rows, or columns if transposed, are {@code stride} elements apart} */
        public static Layout of(DType dtype, boolean transposed, long stride) {
            return transposed ? new Layout(dtype, 1, stride) : new Layout(dtype, stride, 1);
        }

        /** {@return how many bytes after the matrix the element at (i, j) begins; not for panels} */
        long byteOffset(long i, long j) {
            return (i * rowStride + j * columnStride) * dtype.byteSize();
        }
    }

    /**
     * What is computed: {@code c = a · b}, plus what was in c, plus a bias for each column.
     *
     * @param bias whether a bias in F32 is added
     * @param add whether c is added to
     */
    public record Shape(long m, long n, long k, Layout a, Layout b, Layout c, boolean bias, boolean add) {}

    private final List<Pointer> owned = new ArrayList<>();
    private final matmul primitive;
    private final long scratchpadBytes;
    private final Arguments[] arguments;

    /** Compiles it, for as many threads as may run it at a time. */
    public TileProduct(OneDnn library, Shape shape, int workers) {
        library.useCallingThreadAlone();
        memory.desc a = own(describe(shape.m(), shape.k(), shape.a()));
        memory.desc b = own(describe(shape.k(), shape.n(), shape.b()));
        memory.desc c = own(describe(shape.m(), shape.n(), shape.c()));
        memory.desc bias = own(describe(1, shape.n(), Layout.of(DType.F32, false, shape.n())));
        primitive_attr attributes = own(attributes(shape));
        matmul.primitive_desc description = own(
                shape.bias()
                        ? new matmul.primitive_desc(library.engine(), a, b, bias, c, attributes, false)
                        : new matmul.primitive_desc(library.engine(), a, b, c, attributes, false));
        primitive = own(new matmul(description));
        memory.desc scratchpad = own(description.scratchpad_desc());
        scratchpadBytes = scratchpad.get_size();
        arguments = new Arguments[workers];
        for (int i = 0; i < workers; i++) {
            arguments[i] = new Arguments(library, new memory.desc[] {a, b, bias, c, scratchpad});
        }
    }

    private static memory.desc describe(long rows, long columns, Layout layout) {
        long[] dims = {rows, columns};
        return layout.rowStride() == 0
                ? new memory.desc(dims, type(layout.dtype()), panels(layout.dtype(), layout.columnStride()))
                : new memory.desc(dims, type(layout.dtype()), new long[] {layout.rowStride(), layout.columnStride()});
    }

    private static memory.format_tag panels(DType dtype, long width) {
        return switch (dtype + " " + width) {
            case "F32 32" -> memory.format_tag.BA16a32b;
            case "F32 48" -> memory.format_tag.BA16a48b;
            case "BF16 64" -> memory.format_tag.BA16a64b2a;
            default -> throw new IllegalArgumentException("panels of " + width + " columns in " + dtype);
        };
    }

    private static memory.data_type type(DType dtype) {
        return switch (dtype) {
            case F32 -> memory.data_type.f32;
            case BF16 -> memory.data_type.bf16;
            case F16, F64, I32 -> throw new IllegalArgumentException("matrix products in " + dtype);
        };
    }

    private primitive_attr attributes(Shape shape) {
        primitive_attr attributes = new primitive_attr();
        attributes.set_scratchpad_mode(dnnl.scratchpad_mode.user); // the library's own is not for several threads
        attributes.set_deterministic(true);
        if (shape.add()) {
            post_ops operations = own(new post_ops());
            operations.append_sum();
            attributes.set_post_ops(operations);
        }
        return attributes;
    }

    private <P extends Pointer> P own(P pointer) {
        owned.add(pointer);
        return pointer;
    }

    /** {@return bytes of working memory that {@link #run} needs} */
    public long scratchpadBytes() {
        return scratchpadBytes;
    }

    /**
     * Computes one tile in the calling thread.
     *
     * @param worker no other thread uses the same one meanwhile
     * @param addresses of a, b, bias, c and the scratchpad
     */
    public void run(OneDnn library, int worker, long... addresses) {
        library.useCallingThreadAlone();
        arguments[worker].run(addresses);
    }

    @Override
    public void close() {
        for (Arguments each : arguments) {
            each.close();
        }
        owned.reversed().forEach(Pointer::close);
    }

    /** What one thread gives to the primitive. */
    private final class Arguments implements AutoCloseable {
        private static final int[] NAMES = {
            dnnl.DNNL_ARG_SRC, dnnl.DNNL_ARG_WEIGHTS, dnnl.DNNL_ARG_BIAS, dnnl.DNNL_ARG_DST, dnnl.DNNL_ARG_SCRATCHPAD
        };

        private final stream order;
        private final memory[] memories = new memory[NAMES.length];
        private final IntMemoryMap byName = new IntMemoryMap();
        private final OneDnn.Address address = new OneDnn.Address();

        Arguments(OneDnn library, memory.desc[] descriptions) {
            order = new stream(library.engine());
            for (int i = 0; i < NAMES.length; i++) {
                memories[i] = new memory(descriptions[i], library.engine(), address);
                byName.put(NAMES[i], memories[i]);
            }
        }

        void run(long[] addresses) {
            for (int i = 0; i < NAMES.length; i++) {
                memories[i].set_data_handle(address.at(addresses[i]));
            }
            primitive.execute(order, byName);
        }

        @Override
        public void close() {
            byName.close();
            for (memory each : memories) {
                each.close();
            }
            order.close();
        }
    }
}
