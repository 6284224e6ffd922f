package ds.comm.tcp.meet;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.code_intelligence.jazzer.junit.FuzzTest;
import ds.api.comm.Secret;
import ds.comm.tcp.fuzz.Mutations;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/**
 * Whatever a stranger says, nothing but a refusal comes of it. By itself {@code -Dcount=10000000}; guided by coverage with
 * {@code JAZZER_FUZZ=1} in the environment.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class HandshakeFuzzTest {
    private static final long SEED = 5;
    private static final byte[] NONCE = new byte[Protocol.NONCE_BYTES];

    private final Handshake handshake = new Handshake(
            0, 2, new Proof(Optional.of(Secret.of("0123456789abcdef0123456789abcdef"))), Optional.empty());

    private static List<byte[]> right() {
        byte[] hello = Hello.of(2, 1, 0, 4711, Protocol.SECRET, NONCE).bytes().array();
        byte[] table = {4, 127, 0, 0, 1, 0, 0, 18, 103, 4, 10, 0, 0, 7, 0, 0, 0, 0};
        byte[] wide = new byte[21];
        wide[0] = 16;
        return List.of(
                Arrays.copyOf(hello, Hello.BYTES + Proof.BYTES),
                Welcome.of(2, 0, Protocol.SECRET, NONCE).bytes().array(),
                table,
                wide);
    }

    @FuzzTest(maxExecutions = 10_000_000, maxDuration = "60m")
    void strangersAreRefused(byte[] said) {
        hear(said);
        welcome(said);
        table(said);
    }

    @Test
    void mutationsOfWhatRanksSayAreRefused() {
        Mutations mutations = new Mutations(right(), Long.getLong("seed", SEED));
        for (long i = 0; i < Mutations.count(); i++) {
            strangersAreRefused(mutations.next());
        }
    }

    /** What the acceptor does with it: the nonce that a proof has to be about is new each time. */
    private void hear(byte[] said) {
        if (said.length < Hello.BYTES) {
            return; // it waits for more, until the time is up
        }
        try {
            Hello hello = Hello.read(ByteBuffer.wrap(said, 0, Hello.BYTES).slice());
            Handshake.Hearing hearing = handshake.new Hearing(hello, new byte[0]);
            assertTrue(hearing.answer().remaining() == Welcome.BYTES + Proof.BYTES);
            hearing.checkVersion();
            byte[] proof = Arrays.copyOf(Arrays.copyOfRange(said, Hello.BYTES, said.length), Proof.BYTES);
            assertFalse(hearing.proved(proof), "let in");
        } catch (Refused e) {
            // That is what it deserves.
        }
    }

    private static void welcome(byte[] said) {
        if (said.length >= Welcome.BYTES) {
            Welcome.read(ByteBuffer.wrap(said, 0, Welcome.BYTES).slice());
            Handshake.Verdict.of(ByteBuffer.wrap(said).getInt(Welcome.BYTES - 4));
        }
    }

    private static void table(byte[] said) {
        try {
            assertTrue(Table.read(ByteBuffer.wrap(said)).size() <= said.length / 9);
        } catch (IOException e) {
            // It is no table.
        }
    }
}
