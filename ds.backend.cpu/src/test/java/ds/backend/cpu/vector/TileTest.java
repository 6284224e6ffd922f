package ds.backend.cpu.vector;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TileTest {
    @ParameterizedTest
    @CsvSource({"4, 1, 1, false", "8, 2, 7, false", "4, 3, 64, false", "12, 5, 33, true", "4, 4, 2, true"})
    void addsTheProduct(int m, int vectors, int k, boolean transposed) {
        int n = vectors * Lanes.COUNT;
        Random random = new Random(m + n + k);
        float[] a = integers(random, 3 + m * (k + 1) + k * (m + 2));
        float[] b = integers(random, 5 + k * (n + 3));
        float[] c = integers(random, 7 + m * (n + 1));
        float[] before = c.clone();
        Tile left = transposed ? new Tile(a, 3, m + 2).transpose() : new Tile(a, 3, k + 1);
        Tile.multiply(left, new Tile(b, 5, n + 3), new Tile(c, 7, n + 1), m, n, k);
        for (int i = 0; i < m; i++) {
            for (int j = 0; j < n; j++) {
                float sum = before[7 + i * (n + 1) + j]; // integers: exact in F32
                for (int l = 0; l < k; l++) {
                    float x = transposed ? a[3 + l * (m + 2) + i] : a[3 + i * (k + 1) + l];
                    sum += x * b[5 + l * (n + 3) + j];
                }
                assertEquals(sum, c[7 + i * (n + 1) + j], "row " + i + ", column " + j);
            }
            assertEquals(before[7 + i * (n + 1) + n], c[7 + i * (n + 1) + n], "beyond row " + i);
        }
    }

    private static float[] integers(Random random, int n) {
        float[] values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = random.nextInt(21) - 10;
        }
        return values;
    }
}
