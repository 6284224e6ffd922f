package ds.zero.config;

import ds.api.DType;
import ds.zero.config.json.Block;
import java.util.List;

/**
 * In which types gradients are kept and sent. Layers always add in F32 within a micro-batch, and sums over ranks are formed in
 * F32; what is kept over micro-batches, and what travels, is rounded to these.
 *
 * @param accumulation {@code data_types.grad_accum_dtype}: of the gradients that are kept until the update
 * @param communication {@code communication_data_type}: of the gradients that travel
 */
public record GradientTypes(DType accumulation, DType communication) {
    private static final List<String> NAMES = List.of("fp32", "bf16", "fp16");

    /** {@return one type for both} */
    public static GradientTypes of(DType dtype) {
        return new GradientTypes(dtype, dtype);
    }

    /** Both are the model's type unless they are given, as with DeepSpeed's ZeRO. */
    static GradientTypes read(Block root, DType model) {
        DType accumulation = type(root.block("data_types"), "grad_accum_dtype", model);
        return new GradientTypes(accumulation, type(root, "communication_data_type", accumulation));
    }

    private static DType type(Block block, String key, DType fallback) {
        return switch (block.oneOf(key, Precision.nameOf(fallback), NAMES)) {
            case "fp32" -> DType.F32;
            case "bf16" -> DType.BF16;
            default -> DType.F16;
        };
    }
}
