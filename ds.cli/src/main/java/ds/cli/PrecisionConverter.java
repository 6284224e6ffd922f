package ds.cli;

import ds.api.DType;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** {@code --dtype}: fp32, bf16 or fp16. */
final class PrecisionConverter implements ITypeConverter<DType> {
    @Override
    public DType convert(String value) {
        return switch (value) {
            case "fp32" -> DType.F32;
            case "bf16" -> DType.BF16;
            case "fp16" -> DType.F16;
            default -> throw new TypeConversionException("'" + value + "' is not fp32, bf16 or fp16");
        };
    }
}
