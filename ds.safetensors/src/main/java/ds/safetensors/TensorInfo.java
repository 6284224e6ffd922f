package ds.safetensors;

import ds.api.DType;
import ds.api.Shape;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * What a header says of one tensor. A file may hold tensors that this project has no dtype or no shape for, such as the
 * {@code U8} or {@code BOOL} masks in older GPT-2 files: they are listed, and only {@link #dtype} and {@link #shape} refuse.
 *
 * @param file where it lies
 * @param name unique in its file
 * @param storedDtype the dtype's name in the header, such as {@code "F32"} or {@code "I64"}
 * @param dims outermost first; empty for a scalar; a dim may be 0, and the tensor then has no bytes
 * @param offset first byte, counted from the start of the file; a multiple of the element size only if the writer saw to it
 * @param byteSize how many bytes; dtype × dims
 */
public record TensorInfo(Path file, String name, String storedDtype, List<Long> dims, long offset, long byteSize) {
    /** Copies the dims. */
    public TensorInfo {
        dims = List.copyOf(dims);
    }

    /** {@return the dtype, or nothing if this project does not compute with {@link #storedDtype}} */
    public Optional<DType> knownDtype() {
        return StoredType.named(storedDtype).flatMap(StoredType::dtype);
    }

    /**
     * {@return the dtype}
     *
     * @throws SafetensorsException if this project does not compute with {@link #storedDtype}
     */
    public DType dtype() {
        return knownDtype()
                .orElseThrow(() -> SafetensorsException.ofTensor(
                        file,
                        name,
                        "dtype " + storedDtype + " is none of " + Arrays.toString(DType.values())
                                + "; convert the tensor to one of these before saving, or do not load it"));
    }

    /**
     * {@return the shape}
     *
     * @throws SafetensorsException if a dim is 0
     */
    public Shape shape() {
        if (dims.contains(0L)) {
            throw SafetensorsException.ofTensor(
                    file, name, "shape " + dims + " has no elements; save the file without it, or do not load it");
        }
        return Shape.of(dims.stream().mapToLong(Long::longValue).toArray());
    }
}
