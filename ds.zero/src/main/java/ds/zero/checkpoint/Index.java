package ds.zero.checkpoint;

import ds.api.Shape;
import ds.api.layer.Slice;
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

    private static final Comparator<Stored> ORDER = Comparator.comparing(Stored::kind)
            .thenComparing(Stored::parameter)
            .thenComparingInt(stored -> stored.runs().part())
            .thenComparingLong(Stored::first);

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
     * Of which elements of a parameter a piece is: a part of every period, as in {@link ds.api.layer.Slice}.
     *
     * @param period elements; 0 where the parameter was not split, which is one part
     * @param run elements of a period that a part has
     * @param parts in how many the parameter was split
     * @param part which one
     */
    record Runs(long period, long run, int parts, int part) {
        static final Runs ALL = new Runs(0, 0, 1, 0);

        static Runs of(Slice slice) {
            return slice.isAll() ? ALL : new Runs(slice.period(), slice.run(), slice.parts(), slice.part());
        }

        Slice in(Shape whole) {
            return parts == 1 ? Slice.all(whole) : Slice.ofPeriods(whole, period, run, parts, part);
        }
    }

    /**
     * A piece in a file.
     *
     * @param kind as of {@link Piece#kind}
     * @param parameter its name
     * @param runs of which elements of the parameter
     * @param first element, counted in these
     * @param end behind the last element
     * @param file its number in the index
     * @param checksums CRC-32C of each chunk
     */
    record Stored(String kind, String parameter, Runs runs, long first, long end, int file, List<Integer> checksums) {
        /** {@return the tensor's name in the file} */
        String tensor() {
            String place = kind + "/" + parameter + "@[" + first + "," + end + ")";
            return runs.parts() == 1
                    ? place
                    : place + " of part " + runs.part() + " of " + runs.parts() + ", " + runs.run() + " of every "
                            + runs.period();
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

    /** {@return which elements of its parameter a piece is counted in} */
    Slice slice(Stored piece) {
        return piece.runs().in(parameters.get(piece.parameter()));
    }

    /** {@return the pieces of one kind of one parameter, part by part, each in the order of elements} */
    List<Stored> pieces(String kind, String parameter) {
        int from = lowerBound(new Stored(kind, parameter, Runs.ALL, -1, 0, 0, List.of()));
        Runs last = new Runs(0, 0, Integer.MAX_VALUE, Integer.MAX_VALUE);
        int to = lowerBound(new Stored(kind, parameter, last, Long.MAX_VALUE, 0, 0, List.of()));
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
            parameters.forEach((name, shape) -> requireWhole(file, kind, name, shape));
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

    private void requireWhole(Path file, String kind, String name, Shape shape) {
        List<Stored> all = pieces(kind, name);
        Runs runs = all.isEmpty() ? Runs.ALL : all.getFirst().runs();
        for (int part = 0; part < runs.parts(); part++) {
            Runs expected = new Runs(runs.period(), runs.run(), runs.parts(), part);
            int number = part;
            requireWhole(
                    file,
                    all.stream().filter(piece -> piece.runs().part() == number).toList(),
                    kind + "/" + name,
                    expected.in(shape).elements());
            all.stream()
                    .filter(piece ->
                            piece.runs().part() == number && !piece.runs().equals(expected))
                    .findFirst()
                    .ifPresent(piece -> {
                        throw CheckpointException.ofTensor(
                                file,
                                piece.tensor(),
                                "other pieces are in " + runs.parts() + " parts, " + runs.run() + " of every "
                                        + runs.period() + "; restore the file from a copy");
                    });
        }
    }

    private static void requireWhole(Path file, List<Stored> pieces, String tensor, long elements) {
        long covered = 0;
        for (Stored piece : pieces) {
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
                    tensor,
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
                all.add(new Stored(
                        piece.kind(), parameter, piece.runs(), piece.first(), piece.end(), rank, piece.checksums()));
            }
        }
        return all;
    }
}
