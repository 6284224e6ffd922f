package ds.cli;

import ds.bench.Collective;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** {@code --ops}: names of operations. */
final class CollectiveConverter implements ITypeConverter<Collective> {
    @Override
    public Collective convert(String value) {
        try {
            return Collective.of(value);
        } catch (IllegalArgumentException e) {
            throw new TypeConversionException(e.getMessage());
        }
    }
}
