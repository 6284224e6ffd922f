package ds.comm.tcp;

import ds.tck.comm.CommunicatorContract;
import ds.tck.comm.CommunicatorFailureContract;
import ds.tck.comm.RankBody;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.io.TempDir;

/** The contract, within TLS. */
class TlsCommunicatorTest {
    @TempDir
    private static Path folder;

    private static TestAuthority authority;

    @BeforeAll
    static void certify() throws Exception {
        authority = new TestAuthority(folder.resolve("ours")).certify("rank", "EC", "-1d");
    }

    private static Map<String, ?> options(int worldSize) {
        Map<String, Object> options = new HashMap<>(authority.pem("rank"));
        options.put("shared_memory", false);
        if (worldSize == 4) {
            options.put("inbox_bytes", 1); // the smallest there is
        }
        return options;
    }

    @Nested
    class Works extends CommunicatorContract {
        @Override
        public void run(int worldSize, RankBody body) throws Exception {
            Loopback.run(worldSize, options(worldSize), body);
        }
    }

    @Nested
    class Fails extends CommunicatorFailureContract {
        @Override
        public void run(int worldSize, RankBody body) throws Exception {
            Loopback.run(worldSize, options(worldSize), body);
        }
    }

    @AfterEach
    void nothingIsLeftRunning() {
        Loopback.assertNoThreads();
    }
}
