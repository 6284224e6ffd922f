package ds.tck;

/** The fused operations once more, in double and written from their definitions: what proves the oracle. */
final class Formulas {
    private Formulas() {}

    static double gelu(double u) {
        return 0.5 * u * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (u + 0.044715 * u * u * u)));
    }

    /** x {@code [m, n]}, weight and bias {@code [n]}. */
    static double[] layerNorm(double[] x, double[] weight, double[] bias, double epsilon) {
        int n = weight.length;
        double[] y = new double[x.length];
        for (int row = 0; row < x.length; row += n) {
            double mean = 0;
            double variance = 0;
            for (int j = 0; j < n; j++) {
                mean += x[row + j] / n;
            }
            for (int j = 0; j < n; j++) {
                variance += (x[row + j] - mean) * (x[row + j] - mean) / n;
            }
            for (int j = 0; j < n; j++) {
                y[row + j] = (x[row + j] - mean) / Math.sqrt(variance + epsilon) * weight[j] + bias[j];
            }
        }
        return y;
    }

    /** qkv {@code [B, T, 3, NH, size]}; the factors by which dropout multiplies probabilities, {@code [B, NH, T, T]}. */
    static double[] attention(double[] qkv, int[] dims, double[] factors) {
        int time = dims[1];
        int heads = dims[2];
        int size = dims[3];
        int c = heads * size;
        double[] y = new double[dims[0] * time * c];
        for (int b = 0; b < dims[0]; b++) {
            for (int h = 0; h < heads; h++) {
                for (int i = 0; i < time; i++) {
                    double[] p = new double[i + 1];
                    double sum = 0;
                    for (int j = 0; j <= i; j++) {
                        double score = 0;
                        for (int d = 0; d < size; d++) {
                            score += qkv[((b * time + i) * 3) * c + h * size + d]
                                    * qkv[((b * time + j) * 3 + 1) * c + h * size + d];
                        }
                        p[j] = Math.exp(score / Math.sqrt(size));
                        sum += p[j];
                    }
                    for (int j = 0; j <= i; j++) {
                        double kept = p[j] / sum * factors[((b * heads + h) * time + i) * time + j];
                        for (int d = 0; d < size; d++) {
                            y[(b * time + i) * c + h * size + d] +=
                                    kept * qkv[((b * time + j) * 3 + 2) * c + h * size + d];
                        }
                    }
                }
            }
        }
        return y;
    }

    static double crossEntropy(double[] logits, int target) {
        double sum = 0;
        for (double logit : logits) {
            sum += Math.exp(logit);
        }
        return Math.log(sum) - logits[target];
    }
}
