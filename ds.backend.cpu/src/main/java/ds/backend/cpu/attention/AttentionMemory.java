package ds.backend.cpu.attention;

import ds.api.DType;
import ds.backend.cpu.attention.AttentionProducts.HeadShape;
import ds.backend.cpu.memory.WorkMemory;
import ds.backend.cpu.vector.AttentionRows;
import ds.backend.cpu.vector.Elements;
import ds.backend.cpu.vector.Lanes;
import java.lang.foreign.MemorySegment;

/**
 * What one thread needs beside the tensors for a head: some rows of scores and of their gradient, and sums in F32. Linear in T.
 * In F32 probabilities take the place of the scores they are made of.
 *
 * @param scores F32 {@code [QUERIES, T]}
 * @param probabilities of the tensors' type
 * @param dProbabilities F32 {@code [QUERIES, T]}
 * @param dScores of the tensors' type
 * @param rows F32 {@code [QUERIES, D]}
 * @param dKeys F32 {@code [T, D]}
 * @param dValues F32 {@code [T, D]}
 * @param scratchpad of oneDNN
 */
record AttentionMemory(
        MemorySegment scores,
        Elements probabilities,
        MemorySegment dProbabilities,
        Elements dScores,
        MemorySegment rows,
        MemorySegment dKeys,
        MemorySegment dValues,
        MemorySegment scratchpad) {
    private static final long LINE = 64;

    /** {@return memory for heads of this shape} */
    static AttentionMemory of(HeadShape head, long scratchpadBytes, WorkMemory memory) {
        long block = (long) AttentionRows.QUERIES * Lanes.padded(head.time());
        long sums = (long) head.time() * head.size() * Float.BYTES;
        long[] bytes = {
            block * Float.BYTES,
            head.dtype() == DType.F32 ? 0 : block * head.dtype().byteSize(),
            block * Float.BYTES,
            head.dtype() == DType.F32 ? 0 : block * head.dtype().byteSize(),
            (long) AttentionRows.QUERIES * head.size() * Float.BYTES,
            sums,
            sums,
            scratchpadBytes
        };
        long total = 0;
        for (long each : bytes) {
            total += roundUp(each);
        }
        MemorySegment all = memory.memory(total);
        MemorySegment[] parts = new MemorySegment[bytes.length];
        long at = 0;
        for (int i = 0; i < parts.length; i++) {
            parts[i] = all.asSlice(at, bytes[i]);
            at += roundUp(bytes[i]);
        }
        return new AttentionMemory(
                parts[0],
                new Elements(bytes[1] == 0 ? parts[0] : parts[1], head.dtype()),
                parts[2],
                new Elements(bytes[3] == 0 ? parts[2] : parts[3], head.dtype()),
                parts[4],
                parts[5],
                parts[6],
                parts[7]);
    }

    private static long roundUp(long bytes) {
        return Math.ceilDiv(bytes, LINE) * LINE;
    }

    AttentionRows.Gradients gradients() {
        return new AttentionRows.Gradients(scores, dProbabilities, probabilities, dScores);
    }
}
