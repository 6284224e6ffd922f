package ds.tck;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import ds.api.Attention;
import ds.api.CoreKernels.Rows;
import ds.api.CounterRandom;
import ds.api.DType;
import ds.api.Dropout;
import ds.tck.SideBySide.Twin;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Causal attention in both directions, its dropout, and attention to a cache. In the bounds, score s = q · k / sqrt(size) errs by
 * {@code size + 4} roundings of its largest partial sum S, exp(s) by as much relatively, and a row of probabilities by T more:
 * they err by {@code r} roundings of F32, and by one of the type, since a kernel may multiply them in it.
 */
public interface AttentionContract extends BackendContract {
    /** The operands of one call, on both sides. */
    record Case(long batch, long time, int heads, long size, Attention attention) {
        static Case of(long batch, long time, int heads, long size, float rate) {
            CounterRandom random = new CounterRandom(CounterRandom.key(11, time), 1000003);
            return new Case(batch, time, heads, size, new Attention(heads, new Dropout(rate, random)));
        }

        long channels() {
            return heads * size;
        }

        double keepScale() {
            return 1 / (1.0 - attention.dropout().rate());
        }

        /** {@return how many roundings of F32 a probability errs by, relatively, where scores are at most S} */
        double roundings(double largestScore) {
            return 2 * (size + 4) * largestScore + time + Bound.FUNCTION;
        }
    }

    @ParameterizedTest
    @CsvSource({
        "1, 1, 1, 4, 0",
        "2, 7, 3, 16, 0",
        "1, 65, 2, 64, 0",
        "1, 130, 1, 80, 0",
        "1, 1090, 1, 8, 0",
        "1, 70, 2, 128, 0",
        "2, 67, 1, 152, 0",
        "3, 16, 2, 5, 0",
        "1, 33, 5, 1, 0",
        "2, 7, 3, 16, 0.3",
        "1, 65, 2, 32, 0.1",
        "1, 130, 1, 8, 0.5",
        "1, 300, 1, 64, 0",
        "1, 260, 1, 64, 0.2",
        "1, 300, 1, 128, 0.2",
        "1, 200, 2, 20, 0",
        "1, 69, 1, 128, 0.2"
    })
    default void attentionInBothDirections(long batch, long time, int heads, long size, float rate) {
        Case c = Case.of(batch, time, heads, size, rate);
        for (DType dtype : floats()) {
            try (SideBySide sides = new SideBySide(backend())) {
                attention(sides, c, sides.normal(dtype, 0, 1, batch, time, 3 * c.channels()));
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 7, 2, 16", "1, 65, 1, 64"})
    default void largeScoresDoNotOverflow(long batch, long time, int heads, long size) {
        Case c = Case.of(batch, time, heads, size, 0);
        try (SideBySide sides = new SideBySide(backend())) {
            attention(sides, c, sides.normal(DType.F32, 0, 50, batch, time, 3 * c.channels())); // scores of about 1e4
        }
    }

    private void attention(SideBySide sides, Case c, Twin qkv) {
        DType dtype = qkv.tested().dtype();
        Twin y = sides.output(dtype, c.batch(), c.time(), c.channels());
        Twin lse = sides.output(DType.F32, c.batch(), c.heads(), c.time());
        sides.run((k, s) -> k.attention(s.of(qkv), c.attention(), s.of(y), s.of(lse)));
        double r = c.roundings(lse.largest()); // which is at least the largest score
        sides.check("logSumExp " + dtype, lse, Bound.EXACT.rounded(DType.F32, 4).summed(DType.F32, r, 1));
        double v = qkv.largest() * c.keepScale();
        Bound bound = Bound.EXACT.rounded(dtype, 1).summed(DType.F32, r, v).summed(dtype, 1, v);
        sides.check("attention " + dtype, y, bound);

        sides.share(y);
        sides.share(lse);
        Twin dy = sides.normal(dtype, 0, 1, c.batch(), c.time(), c.channels());
        Twin dqkv = sides.output(dtype, c.batch(), c.time(), 3 * c.channels());
        sides.run((k, s) -> k.attentionBackward(s.of(dy), s.of(qkv), c.attention(), s.of(y), s.of(lse), s.of(dqkv)));
        for (int part = 0; part < 3; part++) {
            checkGradient(sides, c, new Twin[] {qkv, dy, lse, dqkv}, part);
        }
    }

    /**
     * Queries, keys and values by themselves. Terms of a sum over T err independently, so that the sum errs by the root of T
     * times what one term does; a kernel may multiply p and dS in the type, and make the mean of dp from the rounded y. With
     * D = max |dy · v| and scores up to S, dS is the difference of two numbers up to D: where they cancel, as in the first row,
     * what is left is their error; for scores so large that p errs by r, that of p.
     */
    private static void checkGradient(SideBySide sides, Case c, Twin[] t, int part) {
        DType dtype = t[0].tested().dtype();
        Twin gradient = sides.output(dtype, c.batch() * c.time(), c.channels());
        sides.run((k, s) -> k.copyRows(
                new Rows(s.of(t[3]), part * c.channels(), 3 * c.channels()),
                new Rows(s.of(gradient), 0, c.channels()),
                c.batch() * c.time(),
                c.channels()));
        double score = t[2].largest();
        double r = c.roundings(score);
        double d = Bound.partial(c.size(), t[0].largest() / 3) * c.keepScale();
        double cancelled = 2 * d / Math.sqrt(c.size()) * t[0].largest();
        boolean large = score > 100;
        Bound bound = Bound.EXACT
                .rounded(dtype, 8)
                .rounded(DType.F32, r * (1 + Math.sqrt(c.time())))
                .summed(DType.F32, large ? r : c.size() + 4 + 4 * score, part == 2 && !large ? 0 : cancelled);
        sides.check("attentionBackward " + dtype + ", part " + part, gradient, bound);
        sides.checkGuards("attentionBackward", t[3].tested());
    }

    /** With unit vectors as values, y is the matrix of probabilities; with unit vectors as dy, the values' gradient is it too. */
    @ParameterizedTest
    @CsvSource({"1, 5, 1, 5, 0.5", "2, 7, 3, 16, 0.3", "1, 70, 2, 80, 0.1"})
    default void attentionDropsWhatCounterRandomSays(long batch, long time, int heads, long size, float rate) {
        Case c = Case.of(batch, time, heads, size, rate);
        for (DType dtype : floats()) {
            try (SideBySide sides = new SideBySide(backend())) {
                Twin qkv = sides.normal(dtype, 0, 0.3, batch, time, 3 * c.channels());
                Twin units = sides.values(dtype, units(c), batch, time, c.channels());
                sides.run((k, s) -> k.copyRows(
                        new Rows(s.of(units), 0, c.channels()),
                        new Rows(s.of(qkv), 2 * c.channels(), 3 * c.channels()),
                        batch * time,
                        c.channels()));
                Twin y = sides.output(dtype, batch, time, c.channels());
                Twin lse = sides.output(DType.F32, batch, heads, time);
                Twin dqkv = sides.output(dtype, batch, time, 3 * c.channels());
                sides.run((k, s) -> {
                    k.attention(s.of(qkv), c.attention(), s.of(y), s.of(lse));
                    k.attentionBackward(s.of(units), s.of(qkv), c.attention(), s.of(y), s.of(lse), s.of(dqkv));
                });
                checkMask(c, sides.tested(y), sides.tested(dqkv));
            }
        }
    }

    /** {@return {@code [B, T, NH, size]} with element t of head h of position t equal to 1, all others 0} */
    private static double[] units(Case c) {
        double[] units = new double[(int) (c.batch() * c.time() * c.channels())];
        for (int row = 0; row < c.batch() * c.time(); row++) {
            for (int h = 0; h < c.heads(); h++) {
                units[(int) (row * c.channels() + h * c.size() + row % c.time())] = 1;
            }
        }
        return units;
    }

    private static void checkMask(Case c, double[] y, double[] dqkv) {
        Dropout dropout = c.attention().dropout();
        long element = 0;
        for (long b = 0; b < c.batch(); b++) {
            for (long h = 0; h < c.heads(); h++) {
                for (long i = 0; i < c.time(); i++) {
                    for (long j = 0; j < c.time(); j++, element++) {
                        boolean kept = j <= i && dropout.random().uniform(element) >= dropout.rate();
                        String where = "b " + b + ", head " + h + ", query " + i + ", key " + j;
                        double p = y[(int) ((b * c.time() + i) * c.channels() + h * c.size() + j)];
                        assertEquals(kept, p != 0, "forward kept " + where);
                        double dv = dqkv[
                                (int) ((b * c.time() + j) * 3 * c.channels() + 2 * c.channels() + h * c.size() + i)];
                        assertEquals(kept, dv != 0, "backward kept " + where);
                    }
                }
            }
        }
    }

    @Test
    default void attentionRepeatsBitForBit() {
        Case c = Case.of(2, 65, 3, 16, 0.1f);
        try (SideBySide sides = new SideBySide(backend())) {
            Twin qkv = sides.normal(DType.F32, 0, 1, 2, 65, 3 * c.channels());
            Twin dy = sides.normal(DType.F32, 0, 1, 2, 65, c.channels());
            Twin y = sides.output(DType.F32, 2, 65, c.channels());
            Twin lse = sides.output(DType.F32, 2, 3, 65);
            Twin dqkv = sides.output(DType.F32, 2, 65, 3 * c.channels());
            double[][] first = null;
            for (int round = 0; round < 2; round++) {
                sides.run((k, s) -> {
                    k.attention(s.of(qkv), c.attention(), s.of(y), s.of(lse));
                    k.attentionBackward(s.of(dy), s.of(qkv), c.attention(), s.of(y), s.of(lse), s.of(dqkv));
                });
                double[][] now = {sides.tested(y), sides.tested(dqkv)};
                if (first != null) {
                    assertArrayEquals(first, now);
                }
                first = now;
            }
        }
    }

    /** Position by position, and in chunks, as all at once. */
    @ParameterizedTest
    @CsvSource({"1, 1, 1, 4", "2, 9, 3, 16", "1, 40, 2, 33"})
    default void cachedAttentionEqualsTheWhole(long batch, long time, int heads, long size) {
        Case c = Case.of(batch, time, heads, size, 0);
        for (DType dtype : floats()) {
            try (SideBySide sides = new SideBySide(backend())) {
                Twin qkv = sides.normal(dtype, 0, 1, batch, time, 3 * c.channels());
                Twin whole = sides.output(dtype, batch, time, c.channels());
                Twin lse = sides.output(DType.F32, batch, heads, time);
                sides.runReference((k, s) -> k.attention(s.of(qkv), c.attention(), s.of(whole), s.of(lse)));
                sides.share(whole);
                Twin y = sides.output(dtype, batch, time, c.channels());
                Twin keys = sides.zeros(dtype, batch, time + 3, c.channels());
                Twin values = sides.zeros(dtype, batch, time + 3, c.channels());
                double v = qkv.largest();
                double r = c.roundings(Math.pow(v / 3, 2) * Bound.DEVIATIONS);
                Bound bound =
                        Bound.EXACT.rounded(dtype, 1).summed(DType.F32, r, v).summed(dtype, 1, v);
                long chunk = 1;
                for (long past = 0; past < time; past += chunk, chunk++) {
                    long count = Math.min(chunk, time - past);
                    Twin out = cached(sides, c, new long[] {past, count}, new Twin[] {qkv, keys, values, y});
                    sides.check("cachedAttention of " + count + " after " + past + " " + dtype, out, bound);
                }
                sides.check("cachedAttention " + dtype, y, bound);
                sides.check("cached keys " + dtype, keys, Bound.EXACT);
                sides.check("cached values " + dtype, values, Bound.EXACT);
                sides.runReference((k, s) -> k.copy(s.of(whole), s.of(y)));
                sides.check("cachedAttention against the whole " + dtype, y, bound);
            }
        }
    }

    /** {@return the result for some positions, which is also put where it belongs in the result for all} */
    private static Twin cached(SideBySide sides, Case c, long[] pastAndCount, Twin[] t) {
        long past = pastAndCount[0];
        long count = pastAndCount[1];
        long columns = c.channels();
        DType dtype = t[0].tested().dtype();
        Twin part = sides.output(dtype, c.batch(), count, 3 * columns);
        Twin out = sides.output(dtype, c.batch(), count, columns);
        sides.run((k, s) -> {
            for (long b = 0; b < c.batch(); b++) {
                Rows from = new Rows(s.of(t[0]), (b * c.time() + past) * 3 * columns, 3 * columns);
                k.copyRows(from, new Rows(s.of(part), b * count * 3 * columns, 3 * columns), count, 3 * columns);
            }
            k.cachedAttention(s.of(part), s.of(t[1]), s.of(t[2]), past, c.heads(), s.of(out));
            for (long b = 0; b < c.batch(); b++) {
                Rows to = new Rows(s.of(t[3]), (b * c.time() + past) * columns, columns);
                k.copyRows(new Rows(s.of(out), b * count * columns, columns), to, count, columns);
            }
        });
        return out;
    }
}
