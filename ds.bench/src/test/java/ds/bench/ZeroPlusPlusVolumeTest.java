package ds.bench;

import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import ds.api.comm.Rendezvous;
import ds.api.comm.Secret;
import ds.api.layer.Batch;
import ds.api.spi.ProviderOptions;
import ds.api.spi.Providers;
import ds.models.gpt.Gpt;
import ds.models.gpt.GptConfig;
import ds.tck.comm.RankThreads;
import ds.zero.ZeroEngine;
import ds.zero.config.Known;
import ds.zero.config.ZeroConfig;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/**
 * The volume law of ZeRO++, counted by the TCP communicator as bytes leave a host: 0.75Ψ numbers of 16 bits instead of 3Ψ, times
 * (H−1)/H. Four ranks on two hosts of two each.
 */
class ZeroPlusPlusVolumeTest {
    private static final int RANKS = 4;
    private static final int PER_HOST = 2;
    private static final int STEPS = 3;
    private static final int T = 64;
    private static final GptConfig SHAPE = GptConfig.of(512, T, 4, 128, 4);
    private static final String ALL =
            ", \"zero_quantized_weights\": true, \"zero_quantized_gradients\": true, \"zero_hpz_partition_size\": 2";

    /** What leaves the first host in a step. */
    private record Sent(long bytes, long parameters) {}

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    private static Communicator open(int rank, int port) {
        var rendezvous = new Rendezvous(
                rank, RANKS, rank, "127.0.0.1", port, Optional.of(Secret.of("0123456789abcdef0123456789abcdef")));
        Map<String, String> host = Map.of("host", "host " + rank / PER_HOST);
        return Providers.communicators().get("tcp").open(rendezvous, new ProviderOptions("ds.options", host));
    }

    private static Sent run(String zero) throws Exception {
        ZeroConfig config =
                ZeroConfig.parse("""
                        {"train_micro_batch_size_per_gpu": 1, "bf16": {"enabled": true},
                         "zero_optimization": {"stage": 3, "stage3_param_persistence_threshold": 0,
                                               "stage3_max_reuse_distance": 0%s}}
                        """.formatted(zero), Known.ofWorld(RANKS)).value();
        int port = freePort();
        AtomicLong bytes = new AtomicLong();
        AtomicLong parameters = new AtomicLong();
        RankThreads.run(RANKS, rank -> open(rank, port), communicator -> {
            Map<String, Long> oneThread = Map.of("threads", 1L);
            try (TensorBackend backend =
                            Providers.backends().get("cpu").open(0, new ProviderOptions("ds.backend", oneThread));
                    ZeroEngine engine = ZeroEngine.initialize(new Gpt(SHAPE).layers(), config, backend, communicator)) {
                Batch batch = RandomTokens.batch(backend, communicator.rank(), 1, T, SHAPE.vocabulary());
                engine.trainBatch(micro -> batch);
                long before = communicator.traffic().bytesAcrossHosts();
                for (int step = 1; step < STEPS; step++) {
                    engine.trainBatch(micro -> batch);
                }
                if (communicator.rank() < PER_HOST) {
                    bytes.addAndGet(communicator.traffic().bytesAcrossHosts() - before);
                }
                parameters.set(engine.parameterElements());
            }
        });
        return new Sent(bytes.get() / (STEPS - 1), parameters.get());
    }

    /**
     * Scales are 4 bytes for 512 weights and for 256 gradients, 1.6 % of 0.75Ψ; the rest of the 3 % is padding of shards, headers and
     * norms of a small model.
     */
    @Test
    void aQuarterLeavesTheHost() throws Exception {
        Sent plain = run("");
        Sent quantized = run(ALL);
        double numbers = plain.parameters() * Short.BYTES * (RANKS / PER_HOST - 1.0) / (RANKS / PER_HOST);
        System.out.println("leave a host of 2 ranks in a step, in Ψ(H−1)/H numbers of 16 bits: "
                + plain.bytes() / numbers + ", with ZeRO++ " + quantized.bytes() / numbers);
        assertTrue(plain.bytes() >= 3 * numbers, plain + ": shards are not gathered host by host");
        assertTrue(quantized.bytes() >= 0.75 * numbers, quantized + " is less than possible");
        assertTrue(quantized.bytes() <= 1.03 * 0.75 * numbers, quantized + ", 0.75 of " + numbers);
    }
}
