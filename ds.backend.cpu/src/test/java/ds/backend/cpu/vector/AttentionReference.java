package ds.backend.cpu.vector;

import ds.api.Attention;
import ds.api.Tensor;

/**
 * Causal attention and its gradient from the definition, in double, one score at a time. The mean of dP over a row is dY · Y
 * with Y as it was stored, since its rounding is the forward pass's.
 */
final class AttentionReference {
    final double[] y;
    final double[] logSumExp;
    final double[] dqkv;

    private final double[] x;
    private final double[] dy;
    private final double[] stored;
    private final Attention attention;
    private final int time;
    private final int channels;
    private final int size;

    AttentionReference(Tensor qkv, Tensor dy, Tensor stored, Attention attention) {
        this.x = HostTensors.values(qkv);
        this.dy = HostTensors.values(dy);
        this.stored = HostTensors.values(stored);
        this.attention = attention;
        this.time = (int) qkv.shape().dim(1);
        this.channels = (int) qkv.shape().dim(2) / 3;
        this.size = channels / attention.heads();
        int batch = (int) qkv.shape().dim(0);
        this.y = new double[batch * time * channels];
        this.logSumExp = new double[batch * attention.heads() * time];
        this.dqkv = new double[x.length];
        for (int b = 0; b < batch; b++) {
            for (int h = 0; h < attention.heads(); h++) {
                for (int i = 0; i < time; i++) {
                    row(b, h, i);
                }
            }
        }
    }

    private int at(int b, int t, int part, int h) {
        return (b * time + t) * 3 * channels + part * channels + h * size;
    }

    private void row(int b, int h, int i) {
        double[] p = softmax(b, h, i);
        double[] factor = factors(b, h, i);
        double[] dp = new double[i + 1];
        int out = (b * time + i) * channels + h * size;
        double mean = 0;
        for (int d = 0; d < size; d++) {
            mean += dy[out + d] * stored[out + d];
        }
        for (int j = 0; j <= i; j++) {
            for (int d = 0; d < size; d++) {
                double v = x[at(b, j, 2, h) + d];
                y[out + d] += p[j] * factor[j] * v;
                dqkv[at(b, j, 2, h) + d] += p[j] * factor[j] * dy[out + d];
                dp[j] += factor[j] * dy[out + d] * v;
            }
        }
        for (int j = 0; j <= i; j++) {
            double ds = p[j] * (dp[j] - mean) / Math.sqrt(size);
            for (int d = 0; d < size; d++) {
                dqkv[at(b, i, 0, h) + d] += ds * x[at(b, j, 1, h) + d];
                dqkv[at(b, j, 1, h) + d] += ds * x[at(b, i, 0, h) + d];
            }
        }
    }

    private double[] softmax(int b, int h, int i) {
        double[] p = new double[i + 1];
        double sum = 0;
        for (int j = 0; j <= i; j++) {
            double score = 0;
            for (int d = 0; d < size; d++) {
                score += x[at(b, i, 0, h) + d] * x[at(b, j, 1, h) + d];
            }
            p[j] = Math.exp(score / Math.sqrt(size));
            sum += p[j];
        }
        logSumExp[(b * attention.heads() + h) * time + i] = Math.log(sum);
        for (int j = 0; j <= i; j++) {
            p[j] /= sum;
        }
        return p;
    }

    private double[] factors(int b, int h, int i) {
        double[] factors = new double[i + 1];
        for (int j = 0; j <= i; j++) {
            long element = (((long) b * attention.heads() + h) * time + i) * time + j;
            boolean kept = attention.dropout().random().uniform(element)
                    >= attention.dropout().rate();
            factors[j] = kept ? 1 / (1.0 - attention.dropout().rate()) : 0;
        }
        return factors;
    }
}
