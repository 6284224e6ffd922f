package ds.safetensors;

import java.io.Serial;
import java.nio.file.Path;

/** A safetensors file that cannot be read, or written. The message has the path, the tensor, the value and a remedy. */
public final class SafetensorsException extends RuntimeException {
    @Serial
    private static final long serialVersionUID = 1;

    SafetensorsException(Path path, String message) {
        super(path + ": " + message);
    }

    SafetensorsException(Path path, String message, Throwable cause) {
        super(path + ": " + message, cause);
    }

    static SafetensorsException ofTensor(Path path, String tensor, String message) {
        return new SafetensorsException(path, "tensor \"" + tensor + "\": " + message);
    }
}
