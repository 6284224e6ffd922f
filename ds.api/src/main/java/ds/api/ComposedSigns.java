package ds.api;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Kernels on {@link Signs}, one straight loop over the numbers of a block: through host memory, since the core has no bits. */
final class ComposedSigns {
    private ComposedSigns() {}

    /** What is done with a block in host memory. */
    @FunctionalInterface
    private interface Body {
        void run(Block block);
    }

    /** The numbers of a block, which of them take part, and their signs. */
    private record Block(int n, MemorySegment numbers, MemorySegment active, MemorySegment bits, MemorySegment scale) {
        float number(int i) {
            return takesPart(i) ? numbers.getAtIndex(ValueLayout.JAVA_FLOAT, i) : 0;
        }

        boolean takesPart(int i) {
            return active.getAtIndex(ValueLayout.JAVA_FLOAT, i) > 0;
        }

        boolean isPositive(int i) {
            return (bits.getAtIndex(ValueLayout.JAVA_INT, i / 32) >>> i & 1) == 1;
        }
    }

    static void take(CoreKernels k, Tensor x, Tensor active, Signs signs) {
        signs.requireOf("takeSigns", x, active);
        inBlocks(k, x, active, signs, true, block -> {
            double squares = 0;
            int count = 0;
            for (int i = 0; i < block.n(); i++) {
                squares += (double) block.number(i) * block.number(i);
                count += block.takesPart(i) ? 1 : 0;
            }
            float scale = count == 0 ? 0 : (float) Math.sqrt(squares / count);
            block.scale().set(ValueLayout.JAVA_FLOAT, 0, scale);
            block.bits().fill((byte) 0);
            for (int i = 0; i < block.n(); i++) {
                float number = block.number(i);
                if (number >= 0) {
                    int word = block.bits().getAtIndex(ValueLayout.JAVA_INT, i / 32);
                    block.bits().setAtIndex(ValueLayout.JAVA_INT, i / 32, word | 1 << i);
                }
                float sent = number >= 0 ? scale : -scale;
                block.numbers().setAtIndex(ValueLayout.JAVA_FLOAT, i, block.takesPart(i) ? number - sent : 0);
            }
        });
    }

    static void add(CoreKernels k, double alpha, Signs signs, Tensor active, float beta, Tensor y) {
        signs.requireOf("addSigns", y, active);
        inBlocks(k, y, active, signs, false, block -> {
            float magnitude = (float) (alpha * block.scale().get(ValueLayout.JAVA_FLOAT, 0));
            for (int i = 0; i < block.n(); i++) {
                float number = beta == 0 ? 0 : block.number(i);
                float sum = Math.fma(beta, number, block.isPositive(i) ? magnitude : -magnitude);
                block.numbers().setAtIndex(ValueLayout.JAVA_FLOAT, i, block.takesPart(i) ? sum : 0);
            }
        });
    }

    /** Blocks begin with a word of their own, since a block is a multiple of 32 numbers. */
    private static void inBlocks(CoreKernels k, Tensor x, Tensor active, Signs signs, boolean writesSigns, Body body) {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment numbers = arena.allocate(Signs.BLOCK * Float.BYTES, 64);
            MemorySegment mask = arena.allocate(Signs.BLOCK * Float.BYTES, 64);
            MemorySegment bits = arena.allocate(Signs.BLOCK / 8, 64);
            MemorySegment scale = arena.allocate(Float.BYTES, 64);
            for (long first = 0; first < x.elements(); first += Signs.BLOCK) {
                int n = (int) Math.min(Signs.BLOCK, x.elements() - first);
                Tensor words = signs.bits().slice(first / 32, Math.ceilDiv(n, 32));
                Tensor scaleOf = signs.scales().slice(first / Signs.BLOCK, 1);
                HostCopies.download(k, x.slice(first, n), numbers);
                HostCopies.download(k, active.slice(first, n), mask);
                if (!writesSigns) {
                    HostCopies.download(k, words, bits);
                    HostCopies.download(k, scaleOf, scale);
                }
                body.run(new Block(n, numbers, mask, bits, scale));
                HostCopies.upload(k, numbers, x.slice(first, n));
                if (writesSigns) {
                    HostCopies.upload(k, bits, words);
                    HostCopies.upload(k, scale, scaleOf);
                }
            }
        }
    }
}
