package ds.zero.checkpoint;

import ds.api.layer.Parameter;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/**
 * Consecutive elements of what this rank holds of a parameter ({@link Parameter#slice}), of its weights or of one of its optimizer
 * states. Values travel as F32 in
 * host memory, whatever type and device they have. Calls come from one thread at a time, and are done when they return.
 */
public interface Piece {
    /** The {@link #kind} of weights in full precision. */
    String MASTER = "master";

    /** {@return {@link #MASTER}, or the name of an optimizer state, such as {@code exp_avg}} */
    String kind();

    /** {@return of which parameter} */
    Parameter parameter();

    /** {@return the first element, counted in what this rank holds of the parameter} */
    long first();

    /** {@return how many elements it has, at least one} */
    long elements();

    /**
     * Reads elements.
     *
     * @param offset of the first one, counted in this piece
     * @param target F32 in native byte order; its size says how many; overwritten
     */
    void download(long offset, MemorySegment target);

    /**
     * {@return all elements where they are, if that is host memory and they are F32 there: whoever is about to change them says so
     * before ({@link Checkpointer#aboutToChange})}
     */
    default Optional<MemorySegment> resident() {
        return Optional.empty();
    }

    /**
     * Replaces elements.
     *
     * @param offset of the first one, counted in this piece
     * @param source F32 in native byte order; its size says how many
     */
    void upload(long offset, MemorySegment source);
}
