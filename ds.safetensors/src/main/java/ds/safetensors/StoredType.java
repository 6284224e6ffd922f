package ds.safetensors;

import ds.api.DType;
import java.util.Optional;

/** The dtypes that the format defines, by their names in the header; ours are some of them. */
enum StoredType {
    BOOL(8),
    U8(8),
    I8(8),
    F8_E5M2(8),
    F8_E4M3(8),
    F8_E8M0(8),
    F4(4),
    F6_E2M3(6),
    F6_E3M2(6),
    I16(16),
    U16(16),
    F16(DType.F16),
    BF16(DType.BF16),
    I32(DType.I32),
    U32(32),
    F32(DType.F32),
    I64(64),
    U64(64),
    F64(DType.F64),
    C64(64);

    private final int bits;
    private final Optional<DType> dtype;

    StoredType(int bits) {
        this.bits = bits;
        this.dtype = Optional.empty();
    }

    StoredType(DType dtype) {
        this.bits = dtype.byteSize() * Byte.SIZE;
        this.dtype = Optional.of(dtype);
    }

    /** {@return the type of that name, if the format has one} */
    static Optional<StoredType> named(String name) {
        for (StoredType type : values()) {
            if (type.name().equals(name)) {
                return Optional.of(type);
            }
        }
        return Optional.empty();
    }

    /** {@return the name of this dtype in a header} */
    static String nameOf(DType dtype) {
        return switch (dtype) {
            case F32 -> "F32";
            case BF16 -> "BF16";
            case F16 -> "F16";
            case F64 -> "F64";
            case I32 -> "I32";
        };
    }

    /** {@return bits of one element; types below 8 are packed} */
    int bits() {
        return bits;
    }

    /** {@return ours, if we compute with it} */
    Optional<DType> dtype() {
        return dtype;
    }
}
