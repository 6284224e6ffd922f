package ds.backend.cuda;

import ds.api.DType;
import ds.api.LayerNorm;
import ds.api.Tensor;

/** What kernels ask of their operands before anything is launched: on the device a wrong size would be a wrong address. */
final class Checks {
    private Checks() {}

    static void equal(Object call, String what, long expected, long actual) {
        if (expected != actual) {
            throw new IllegalArgumentException(
                    call + ": " + expected + " " + what + " expected, but there are " + actual);
        }
    }

    /** Rejects tensors that are not F32. */
    static void f32(String call, Tensor... tensors) {
        for (Tensor tensor : tensors) {
            if (tensor.dtype() != DType.F32) {
                throw new IllegalArgumentException(call + ": F32 expected, not " + tensor);
            }
        }
    }

    /** Rejects tensors of another number of elements than the first. */
    static void sameElements(String call, Tensor first, Tensor... others) {
        for (Tensor other : others) {
            equal(call, "elements", first.elements(), other.elements());
        }
    }

    static void rows(String call, Tensor x, Tensor perColumn, Tensor y) {
        equal(call, "elements, one for each column,", x.shape().columns(), perColumn.elements());
        equal(call, "elements", x.elements(), y.elements());
    }

    static void statistics(LayerNorm norm, Tensor x) {
        f32("layerNorm", norm.mean(), norm.rstd());
        equal("layerNorm", "means", x.shape().rows(), norm.mean().elements());
        equal("layerNorm", "rstd", x.shape().rows(), norm.rstd().elements());
    }

    static void indices(String call, Tensor index) {
        if (index.dtype() != DType.I32) {
            throw new IllegalArgumentException(call + ": indices are I32, not " + index);
        }
    }

    /** {@return whether all are of the same type, and it is one that fused kernels are made for} */
    static boolean sameType(Tensor first, Tensor... others) {
        for (Tensor other : others) {
            if (other.dtype() != first.dtype()) {
                return false;
            }
        }
        return switch (first.dtype()) {
            case F32, BF16, F16 -> true;
            case F64, I32 -> false;
        };
    }

    /** {@return how kernels of a type are named} */
    static String suffix(Tensor tensor) {
        return switch (tensor.dtype()) {
            case F32 -> "_f32";
            case BF16 -> "_bf16";
            case F16 -> "_f16";
            case F64, I32 -> throw new IllegalArgumentException("no kernel computes on " + tensor);
        };
    }
}
