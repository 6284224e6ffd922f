package ds.backend.cuda.launch;

import ds.api.CoreKernels.Binary;
import ds.api.CoreKernels.Broadcast;
import ds.api.CoreKernels.Reduction;
import ds.api.CoreKernels.Unary;
import ds.api.DType;

/** The numbers by which the kernels know types and operations. */
public final class Codes {
    private Codes() {}

    public static int of(DType dtype) {
        return switch (dtype) {
            case F32 -> 0;
            case BF16 -> 1;
            case F16 -> 2;
            case F64 -> 3;
            case I32 -> 4;
        };
    }

    public static int of(Unary op) {
        return switch (op) {
            case EXP -> 0;
            case LOG -> 1;
            case TANH -> 2;
            case SQRT -> 3;
            case RECIPROCAL -> 4;
            case SQUARE -> 5;
        };
    }

    public static int of(Binary op) {
        return switch (op) {
            case ADD -> 0;
            case SUBTRACT -> 1;
            case MULTIPLY -> 2;
            case DIVIDE -> 3;
            case MAX -> 4;
            case GREATER_EQUAL -> 5;
        };
    }

    public static int of(Broadcast broadcast) {
        return switch (broadcast) {
            case NONE -> 0;
            case SCALAR -> 1;
            case ROW -> 2;
            case COLUMN -> 3;
        };
    }

    public static int of(Reduction op) {
        return switch (op) {
            case SUM -> 0;
            case MAX -> 1;
        };
    }
}
