package ds.zero.host;

import ds.api.DType;
import ds.api.Event;
import ds.api.Stream;
import ds.api.Tensor;
import ds.api.comm.Work;

/**
 * One operation, cut along its elements into chunks that fit a buffer.
 *
 * @param dtype of the operands
 * @param elements along which it is cut
 * @param width how many elements of the buffer each of them takes: the world size, where a chunk has a part of every shard
 * @param fetch enqueues the copies of a chunk's operands into a buffer
 * @param inner starts the operation on a buffer
 * @param put enqueues the copies of a chunk's results out of it
 */
record Staging(DType dtype, long elements, int width, Copy fetch, Inner inner, Copy put) {
    /** A chunk's copies. */
    @FunctionalInterface
    interface Copy {
        /** None. */
        Copy NOTHING = (chunk, buffer, stream) -> {};

        void enqueue(Chunk chunk, Tensor buffer, Stream stream);
    }

    /** The operation itself. */
    @FunctionalInterface
    interface Inner {
        Work start(Chunk chunk, Tensor buffer, Event ready);
    }

    /**
     * A chunk.
     *
     * @param first of its elements
     * @param count of them
     * @param of how many there are in all
     * @param whole what all of them are, for messages
     */
    record Chunk(long first, long count, long of, String whole) {
        /** {@return a label by which ranks that cut otherwise notice} */
        String label(String operation) {
            return count == of
                    ? operation
                    : operation + ", elements " + first + " to " + (first + count) + " of " + whole;
        }

        /** {@return the part of a shard that lies in the chunk} */
        Tensor of(Tensor tensor, int shard) {
            return tensor.slice(shard * of + first, count);
        }

        /** {@return the place of a shard's part in the buffer} */
        Tensor in(Tensor buffer, int shard) {
            return buffer.slice(shard * count, count);
        }
    }
}
