package ds.zero.checkpoint;

import ds.api.Shape;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Where everything is: {@code index.json}. Every kind of every parameter is covered by pieces, without a gap and without an overlap.
 *
 * @param writer version that wrote it
 * @param worldSize how many ranks wrote it
 * @param chunkBytes each piece has a checksum for every so many bytes, the last ones for the rest
 * @param kinds {@link Piece#MASTER} and the optimizer's states
 * @param parameters shapes by name, in the model's order
 * @param files all files beside the index
 * @param pieces sorted by kind, parameter and first element
 */
record Index(
        String writer,
        int worldSize,
        long chunkBytes,
        List<String> kinds,
        Map<String, Shape> parameters,
        List<StoredFile> files,
        List<Stored> pieces) {
    /** The file's name. */
    static final String FILE = "index.json";

    private static final Comparator<Stored> ORDER =
            Comparator.comparing(Stored::kind).thenComparing(Stored::parameter).thenComparingLong(Stored::first);

    Index {
        pieces = pieces.stream().sorted(ORDER).toList();
    }

    /**
     * A file of the checkpoint.
     *
     * @param name in the checkpoint's folder
     * @param byteSize of the whole file
     * @param checkedBytes how many of its first bytes the checksum is for: the header of a shard, all of another file
     * @param checksum CRC-32C
     */
    record StoredFile(String name, long byteSize, long checkedBytes, int checksum) {
        boolean isShard() {
            return name.startsWith("shard-");
        }
    }

    /**
     * A piece in a file.
     *
     * @param kind as of {@link Piece#kind}
     * @param parameter its name
     * @param first element of the parameter
     * @param end behind the last element
     * @param file its number in the index
     * @param checksums CRC-32C of each chunk
     */
    record Stored(String kind, String parameter, long first, long end, int file, List<Integer> checksums) {
        /** {@return the tensor's name in the file} */
        String tensor() {
            return tensor(kind, parameter, first, end);
        }

        static String tensor(String kind, String parameter, long first, long end) {
            return kind + "/" + parameter + "@[" + first + "," + end + ")";
        }

        long elements() {
            return end - first;
        }

        long byteSize() {
            return elements() * Float.BYTES;
        }
    }

    /** {@return elements in one chunk} */
    long chunkElements() {
        return chunkBytes / Float.BYTES;
    }

    /** {@return the pieces of one kind of one parameter, in the order of elements} */
    List<Stored> pieces(String kind, String parameter) {
        int from = lowerBound(new Stored(kind, parameter, -1, 0, 0, List.of()));
        int to = lowerBound(new Stored(kind, parameter, Long.MAX_VALUE, 0, 0, List.of()));
        return pieces.subList(from, to);
    }

    private int lowerBound(Stored key) {
        int low = 0;
        int high = pieces.size();
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (ORDER.compare(pieces.get(middle), key) < 0) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    /** {@return bytes of all pieces} */
    long byteSize() {
        return pieces.stream().mapToLong(Stored::byteSize).sum();
    }

    /**
     * Checks that every element is there once, and every chunk has its checksum.
     *
     * @param file for messages
     * @throws CheckpointException naming the first tensor with a gap or an overlap
     */
    Index requireWhole(Path file) {
        for (String kind : kinds) {
            parameters.forEach((name, shape) -> requireWhole(file, kind, name, shape.elements()));
        }
        long expected = (long) kinds.size() * elements() * Float.BYTES;
        if (byteSize() != expected) {
            throw new CheckpointException(
                    file,
                    "its pieces have " + byteSize() + " bytes, the kinds " + kinds + " of its parameters take "
                            + expected + "; restore the file from a copy");
        }
        for (Stored piece : pieces) {
            if (piece.file() < 0
                    || piece.file() >= files.size()
                    || piece.checksums().size() != Math.ceilDiv(piece.byteSize(), chunkBytes)) {
                throw CheckpointException.ofTensor(
                        file,
                        piece.tensor(),
                        "file number " + piece.file() + " of " + files.size() + ", and "
                                + piece.checksums().size() + " checksums for " + piece.byteSize()
                                + " bytes in chunks of "
                                + chunkBytes + ", do not fit; restore the file from a copy");
            }
        }
        return this;
    }

    private long elements() {
        return parameters.values().stream().mapToLong(Shape::elements).sum();
    }

    private void requireWhole(Path file, String kind, String name, long elements) {
        long covered = 0;
        for (Stored piece : pieces(kind, name)) {
            if (piece.first() != covered || piece.end() <= piece.first()) {
                throw CheckpointException.ofTensor(
                        file,
                        piece.tensor(),
                        "follows elements up to " + covered
                                + ": every element must be there exactly once; the ranks that"
                                + " saved did not share the parameter evenly, or the file is damaged");
            }
            covered = piece.end();
        }
        if (covered != elements) {
            throw CheckpointException.ofTensor(
                    file,
                    kind + "/" + name,
                    "has elements up to " + covered + " of " + elements
                            + "; a rank did not contribute its part, or the file is damaged");
        }
    }

    /** What one rank has written, as the part of an index. */
    record Fragment(StoredFile file, List<Stored> pieces) {}

    /** {@return the pieces of all ranks, each with its file's number; files are numbered in the order of ranks} */
    static List<Stored> merge(List<Fragment> fragments) {
        List<Stored> all = new ArrayList<>();
        Map<String, String> names = new HashMap<>(); // each name once in memory, not once for every piece
        for (int rank = 0; rank < fragments.size(); rank++) {
            for (Stored piece : fragments.get(rank).pieces()) {
                String parameter = names.computeIfAbsent(piece.parameter(), name -> name);
                all.add(new Stored(piece.kind(), parameter, piece.first(), piece.end(), rank, piece.checksums()));
            }
        }
        return all;
    }
}
