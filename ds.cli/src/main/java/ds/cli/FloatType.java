package ds.cli;

import ds.api.DType;
import java.util.Locale;

/** Floating types by the names that users know. */
enum FloatType {
    FP32(DType.F32),
    BF16(DType.BF16),
    FP16(DType.F16);

    private final DType dtype;

    FloatType(DType dtype) {
        this.dtype = dtype;
    }

    DType dtype() {
        return dtype;
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
