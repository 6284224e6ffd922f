package ds.comm.tcp.share;

import ds.comm.tcp.meet.Link;
import ds.comm.tcp.wire.Deadline;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;

/**
 * Finds the ranks of this host and shares memory with each. Over every link, whose other end has proved to belong to the job,
 * both say where they run. Where that is the same, the lower rank makes a file that only its user may open, and the higher one
 * proves that it is the same file by telling what stands in it; then its name is removed. Whatever goes wrong on the way, the two
 * stay with their socket.
 *
 * <pre>
 * both        where 32
 * lower       name 16, bytes of a ring 8       zeros if it has no file
 * higher      content 32                       zeros if it has no such file
 * lower       verdict 1
 * </pre>
 */
public final class Neighbours {
    private static final Path FOLDER = Path.of("/dev/shm");
    private static final int WHERE_BYTES = 32;
    private static final int NAME_BYTES = 16;
    private static final int PROOF_BYTES = 32;
    private static final long MOST_RING_BYTES = 1L << 24;

    private final int rank;
    private final long ringBytes;
    private final Duration timeout;
    private final SecureRandom random = new SecureRandom();

    /**
     * Prepares to meet.
     *
     * @param ranks of the job: the more there are, the less memory has each pair
     * @param timeout for one message of a peer
     */
    public Neighbours(int rank, int ranks, Duration timeout) {
        this.rank = rank;
        this.timeout = timeout;
        ringBytes = Long.highestOneBit(Math.clamp((8L << 20) / Math.max(1, ranks - 1), 1 << 17, 1 << 20));
    }

    /**
     * Shares memory with whom it can. All ranks call it.
     *
     * @param links blocking, by rank
     * @param where this rank's host, as {@link #thisHost} says; empty if it shares with nobody
     * @return handed over
     * @throws IOException if a link breaks; thrown when all others are met, who would else take this rank for the lost one
     */
    public Neighbourhood meet(List<Link> links, String where) throws IOException {
        Neighbourhood found = new Neighbourhood(new ArrayList<>(), new HashMap<>());
        byte[][] places = new byte[links.size() + 1][];
        places[rank] = where.isEmpty() ? new byte[WHERE_BYTES] : digest(where);
        List<IOException> failures = new ArrayList<>();
        boolean met = false;
        try {
            forEach(links, failures, link -> write(link, places[rank]));
            forEach(links, failures, link -> {
                places[link.rank()] = read(link, WHERE_BYTES);
                if (!where.isEmpty() && Arrays.equals(places[rank], places[link.rank()])) {
                    Optional<SharedChannel> channel = rank < link.rank() ? offer(link) : accept(link);
                    channel.ifPresent(memory -> found.channels().put(link.rank(), memory));
                }
            });
            if (!failures.isEmpty()) {
                throw failures.getFirst();
            }
            for (int r = 0; r < places.length; r++) {
                found.hosts().add(host(places, r));
            }
            met = true;
            return found;
        } finally {
            if (!met) {
                found.close();
            }
        }
    }

    private interface Step {
        void with(Link link) throws IOException;
    }

    private static void forEach(List<Link> links, List<IOException> failures, Step step) {
        for (Link link : links) {
            try {
                step.with(link);
            } catch (IOException e) {
                failures.add(e);
            }
        }
    }

    /** {@return the lowest rank at the same place} A rank that does not say where it is, is alone. */
    private static int host(byte[][] places, int rank) {
        boolean silent = Arrays.equals(places[rank], new byte[WHERE_BYTES]);
        for (int lowest = 0; lowest < rank; lowest++) {
            if (!silent && Arrays.equals(places[lowest], places[rank])) {
                return lowest;
            }
        }
        return rank;
    }

    /**
     * {@return a name of this host that no other one has, as long as it runs; empty if it cannot share memory}
     *
     * <p>A network namespace counts as a host: what is between two of them is a network.
     */
    public static String thisHost() {
        try {
            if (!Files.isDirectory(FOLDER)) {
                return "";
            }
            String boot =
                    Files.readString(Path.of("/proc/sys/kernel/random/boot_id")).strip();
            return boot + " " + Files.readSymbolicLink(Path.of("/proc/self/ns/net"));
        } catch (IOException e) {
            return "";
        }
    }

    private static byte[] digest(String where) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(where.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("SHA-256 is missing from this Java runtime", e);
        }
    }

    private Optional<SharedChannel> offer(Link link) throws IOException {
        byte[] name = new byte[NAME_BYTES];
        random.nextBytes(name);
        byte[] content = new byte[PROOF_BYTES];
        random.nextBytes(content);
        Path path = path(name);
        Optional<SharedMemory> made = attempt(() -> SharedMemory.make(path, fileBytes(ringBytes), content));
        boolean agreed = false;
        try {
            ByteBuffer offer = ByteBuffer.allocate(NAME_BYTES + Long.BYTES);
            if (made.isPresent()) {
                offer.put(name).putLong(ringBytes);
            }
            write(link, offer.array());
            boolean proved = MessageDigest.isEqual(content, read(link, PROOF_BYTES)) && made.isPresent();
            made.ifPresent(memory -> memory.bytes().fill((byte) 0)); // before the other one may use it
            Files.deleteIfExists(path);
            write(link, new byte[] {(byte) (proved ? 1 : 0)});
            agreed = proved;
            return proved
                    ? made.map(memory ->
                            new SharedChannel(memory, true, link.wire().socket()))
                    : Optional.empty();
        } finally {
            Files.deleteIfExists(path);
            if (!agreed) {
                made.ifPresent(SharedMemory::close);
            }
        }
    }

    private Optional<SharedChannel> accept(Link link) throws IOException {
        ByteBuffer offer = ByteBuffer.wrap(read(link, NAME_BYTES + Long.BYTES));
        byte[] name = new byte[NAME_BYTES];
        offer.get(name);
        long bytes = offer.getLong();
        boolean plausible = bytes > 0 && bytes <= MOST_RING_BYTES && Long.bitCount(bytes) == 1;
        Optional<SharedMemory> opened =
                plausible ? attempt(() -> SharedMemory.open(path(name), fileBytes(bytes))) : Optional.empty();
        boolean agreed = false;
        try {
            write(link, opened.map(memory -> memory.content(PROOF_BYTES)).orElse(new byte[PROOF_BYTES]));
            agreed = read(link, 1)[0] == 1 && opened.isPresent();
            return agreed
                    ? opened.map(memory ->
                            new SharedChannel(memory, false, link.wire().socket()))
                    : Optional.empty();
        } finally {
            if (!agreed) {
                opened.ifPresent(SharedMemory::close);
            }
        }
    }

    private interface Attempt {
        SharedMemory run() throws IOException;
    }

    private static Optional<SharedMemory> attempt(Attempt attempt) {
        try {
            return Optional.of(attempt.run());
        } catch (IOException e) {
            return Optional.empty(); // the two stay with their socket
        }
    }

    /** The name is random, and made here of what may be anything: it cannot lead out of the folder. */
    private static Path path(byte[] name) {
        return FOLDER.resolve("ds-comm-" + HexFormat.of().formatHex(name));
    }

    private static long fileBytes(long ring) {
        return 2 * (Ring.HEADER_BYTES + ring);
    }

    private static void write(Link link, byte[] bytes) throws IOException {
        try {
            link.wire().send(ByteBuffer.wrap(bytes));
        } catch (IOException e) {
            throw broken(link, e);
        }
    }

    private byte[] read(Link link, int bytes) throws IOException {
        try {
            return link.wire().read(bytes, Deadline.in(timeout)).array();
        } catch (EOFException e) {
            throw new EOFException(link.name() + " has ended while the ranks met");
        } catch (IOException e) {
            throw broken(link, e);
        }
    }

    /** {@return the same, with the name of the rank} A rank that is killed resets a connection from which it has not read everything. */
    private static IOException broken(Link link, IOException e) {
        return new IOException(link.name() + ", while the ranks met: " + e.getMessage(), e);
    }
}
