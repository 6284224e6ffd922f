package ds.zero.checkpoint;

import java.io.Serial;
import java.nio.file.Path;

/**
 * A checkpoint that could not be written, or that is damaged, or of another model or optimizer. The message has the file, the
 * tensor, what was expected and found, and a remedy; where a rank failed to write, its number, on all ranks.
 */
public final class CheckpointException extends RuntimeException {
    @Serial
    private static final long serialVersionUID = 1;

    /** Takes what is wrong with a file or folder. */
    CheckpointException(Path path, String message) {
        super(path + ": " + message);
    }

    /** Takes what is wrong with a file or folder, and what was caught. */
    CheckpointException(Path path, String message, Throwable cause) {
        super(path + ": " + message, cause);
    }

    /** {@return one about a tensor of a file} */
    static CheckpointException ofTensor(Path file, String tensor, String message) {
        return new CheckpointException(file, "tensor \"" + tensor + "\": " + message);
    }
}
