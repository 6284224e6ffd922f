package ds.backend.cuda.launch;

import ds.cuda.CudaDriver;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The kernels of attention on tensor cores for one size of heads, and the shapes that they are compiled with: as many blocks at once as a
 * multiprocessor has registers for while hardly any is spilt.
 *
 * @param headSize elements of a head; smaller ones are padded to it
 */
public record FlashKernels(Units units, int headSize, Shape forward, Shape queries, Shape keys) {
    /** How sources are named. */
    static final String MODULE = "flash_attention_";

    private static final String WGMMA = "wgmma_";
    private static final String WARPGROUP_ARCHITECTURE = "sm_90";
    private static final int ELEMENT_BYTES = 2;

    /** Which tensor cores multiply. */
    public enum Units {
        /** By warps: mma, sm_80 and later. A tile's rows have 8 elements more, so that they begin in different banks. */
        WARPS("warp_products", 8, 0),
        /** By warpgroups: wgmma, sm_90 alone. Tiles begin at multiples of 1024 bytes. */
        WARPGROUPS("warpgroup_products", 0, 1024);

        private final String file;
        private final int padding;
        private final int slackBytes;

        Units(String file, int padding, int slackBytes) {
            this.file = file;
            this.padding = padding;
            this.slackBytes = slackBytes;
        }
    }

    /**
     * Of one kernel.
     *
     * @param warps of a block
     * @param fragments of 16 rows of a warp
     * @param otherRows of a tile of the other side
     * @param stages tiles of the other side's two operands at a time
     * @param kept whether the own side is kept in registers
     * @param blocks of a multiprocessor
     */
    public record Shape(int warps, int fragments, int otherRows, int stages, boolean kept, int blocks) {
        /** {@return rows of the own side that a block has} */
        public int rows() {
            return 16 * fragments * warps;
        }

        /** {@return threads of a block} */
        public int threads() {
            return 32 * warps;
        }

        private String defines(String kernel, int sharedBytes) {
            return "#define " + kernel + "_SHAPE Shape<" + warps + ", " + fragments + ", " + otherRows + ", " + stages
                    + ", " + kept + ", " + sharedBytes + ">\n#define " + kernel + "_BLOCKS " + blocks + "\n";
        }
    }

    /**
     * All of them, those of the faster units first, and of these the smaller ones. What a warp reads of the other side serves 32 of its rows
     * where registers suffice.
     */
    static final List<FlashKernels> ALL = List.of(
            new FlashKernels(
                    Units.WARPGROUPS,
                    64,
                    new Shape(8, 1, 64, 2, true, 2),
                    new Shape(8, 1, 64, 2, false, 2),
                    new Shape(8, 1, 64, 2, true, 1)),
            new FlashKernels(
                    Units.WARPGROUPS,
                    128,
                    new Shape(8, 1, 64, 2, false, 1),
                    new Shape(8, 1, 64, 2, false, 1),
                    new Shape(8, 1, 64, 2, false, 1)),
            new FlashKernels(
                    Units.WARPS,
                    64,
                    new Shape(4, 2, 64, 2, false, 2),
                    new Shape(4, 2, 32, 2, false, 2),
                    new Shape(4, 2, 32, 2, false, 2)),
            new FlashKernels(
                    Units.WARPS,
                    96,
                    new Shape(4, 1, 64, 2, false, 3),
                    new Shape(4, 1, 32, 2, false, 3),
                    new Shape(4, 1, 32, 2, false, 2)),
            new FlashKernels(
                    Units.WARPS,
                    128,
                    new Shape(4, 1, 64, 2, false, 2),
                    new Shape(4, 1, 32, 2, false, 2),
                    new Shape(4, 1, 32, 2, false, 2)),
            new FlashKernels(
                    Units.WARPS,
                    160,
                    new Shape(4, 1, 64, 1, false, 2), // twice the tiles are more than some devices have
                    new Shape(4, 1, 32, 2, false, 2),
                    new Shape(4, 1, 32, 2, false, 1)));

    /**
     * {@return those that a device can run; the first that is large enough is the best}
     *
     * @param warpgroups whether by warpgroups too, of a device that {@link #haveWarpgroups has them}
     */
    public static List<FlashKernels> of(CudaDriver.Properties device, boolean warpgroups) {
        return ALL.stream()
                .filter(kernels -> kernels.units == Units.WARPS ? device.major() >= 8 : warpgroups)
                .toList();
    }

    /** {@return whether a device multiplies by warpgroups} */
    public static boolean haveWarpgroups(CudaDriver.Properties device) {
        return device.architecture().equals(WARPGROUP_ARCHITECTURE);
    }

    /** {@return those of a module} */
    static Optional<FlashKernels> named(String module) {
        return ALL.stream().filter(kernels -> kernels.module().equals(module)).findFirst();
    }

    /** {@return whether there is machine code of them for an architecture such as {@code sm_90}; older ones get an empty module} */
    boolean compilesFor(String architecture) {
        return units == Units.WARPS || architecture.equals(WARPGROUP_ARCHITECTURE);
    }

    /** {@return the architecture by the name under which the compiler knows all its instructions} */
    String target(String architecture) {
        return units == Units.WARPS ? architecture : architecture + "a";
    }

    /** {@return the source's name} */
    public String module() {
        return MODULE + suffix();
    }

    /**
     * {@return the name of a kernel}
     *
     * @param type as the names of kernels end, such as {@code "_bf16"}
     */
    public String kernel(String pass, String type) {
        return "flash_" + pass + type + "_" + suffix();
    }

    private String suffix() {
        return (units == Units.WARPGROUPS ? WGMMA : "") + headSize;
    }

    /** {@return the sources that they are made of, in this order} */
    Stream<String> files() {
        return Stream.of("common.cuh", "attention.cuh", "tensor_cores.cuh", units.file + ".cuh", "flash_attention.cu");
    }

    /** {@return what is put before them} */
    String defines() {
        return "#define HEAD_SIZE " + headSize + "\n#define SUFFIX " + suffix() + "\n"
                + forward.defines("FORWARD", forwardBytes()) + queries.defines("QUERIES", backwardBytes(queries))
                + keys.defines("KEYS", backwardBytes(keys));
    }

    /** {@return the dynamic shared memory of a block of the forward pass} */
    public int forwardBytes() {
        return sharedBytes(forward, 1);
    }

    /** {@return that of a block of one of the kernels of the backward pass} */
    public int backwardBytes(Shape shape) {
        return sharedBytes(shape, 2);
    }

    /** With so many operands of the own side; the kernels check that it suffices. */
    private int sharedBytes(Shape shape, int own) {
        int rows = own * shape.rows() + 2 * shape.stages() * shape.otherRows();
        return rows * (headSize + units.padding) * ELEMENT_BYTES + units.slackBytes;
    }
}
