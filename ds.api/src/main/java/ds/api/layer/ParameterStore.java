package ds.api.layer;

import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * Whole parameters, in and out as F32 in host memory: how files and a model meet, wherever the model's memory is. Where
 * parameters are spread over ranks, every rank makes the same calls in the same order.
 */
public interface ParameterStore {
    /** {@return the parameters, each once} */
    List<Parameter> parameters();

    /**
     * Reads the values of a parameter.
     *
     * @param target F32 in native byte order, as many elements as the {@linkplain Parameter#whole whole} parameter has; overwritten
     */
    void read(Parameter parameter, MemorySegment target);

    /**
     * Replaces the values of a parameter.
     *
     * @param source F32 in native byte order, as many elements as the {@linkplain Parameter#whole whole} parameter has
     */
    void write(Parameter parameter, MemorySegment source);
}
