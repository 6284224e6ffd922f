package ds.cli.model;

import ds.api.DType;
import ds.api.layer.Parameter;
import ds.api.layer.ParameterStore;
import ds.models.gpt.ModelFileException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Weights as F32 in host memory, without any backend: from file to file. Owns its memory; zeros until they are written. */
public final class HostParameters implements ParameterStore, AutoCloseable {
    private final Arena arena = Arena.ofShared();
    private final List<Parameter> parameters;
    private final Map<Parameter, MemorySegment> values = new HashMap<>();

    /** Allocates 4 bytes per element. */
    public HostParameters(List<Parameter> parameters) {
        this.parameters = List.copyOf(parameters);
        for (Parameter parameter : parameters) {
            values.put(parameter, arena.allocate(parameter.elements() * Float.BYTES, 64));
        }
    }

    @Override
    public List<Parameter> parameters() {
        return parameters;
    }

    @Override
    public void read(Parameter parameter, MemorySegment target) {
        target.copyFrom(values.get(parameter));
    }

    @Override
    public void write(Parameter parameter, MemorySegment source) {
        values.get(parameter).copyFrom(source);
    }

    /** {@return a store that keeps nothing: what is written to it must be these values, rounded to {@code dtype}} */
    public ParameterStore comparison(DType dtype) {
        return new Comparison(dtype);
    }

    @Override
    public void close() {
        arena.close();
    }

    /** Checks what a file gives back. */
    private final class Comparison implements ParameterStore {
        private final DType dtype;

        Comparison(DType dtype) {
            this.dtype = dtype;
        }

        @Override
        public List<Parameter> parameters() {
            return parameters;
        }

        @Override
        public void read(Parameter parameter, MemorySegment target) {
            HostParameters.this.read(parameter, target);
        }

        @Override
        public void write(Parameter parameter, MemorySegment source) {
            MemorySegment expected = values.get(parameter);
            for (long i = 0; i < parameter.elements(); i++) {
                float x = expected.getAtIndex(ValueLayout.JAVA_FLOAT, i);
                float y = source.getAtIndex(ValueLayout.JAVA_FLOAT, i);
                if (!isRounded(x, y)) {
                    throw new ModelFileException("%s element %d is %s, and %s when read back as %s; %s"
                            .formatted(
                                    parameter.name(),
                                    i,
                                    x,
                                    y,
                                    dtype,
                                    Float.isInfinite(y) ? "it is out of this type's range" : "the file is damaged"));
                }
            }
        }

        /** Half a unit in the last place, and half of the smallest subnormal. */
        private boolean isRounded(float x, float y) {
            if (Float.compare(x, y) == 0) {
                return true;
            }
            return switch (dtype) {
                case BF16 -> Math.abs(x - y) <= Math.abs(x) * 0x1p-8f + 0x1p-134f;
                case F16 -> Math.abs(x - y) <= Math.abs(x) * 0x1p-11f + 0x1p-25f;
                case F32, F64, I32 -> false;
            };
        }
    }
}
