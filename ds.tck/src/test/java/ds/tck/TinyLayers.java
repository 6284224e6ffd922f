package ds.tck;

import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.layer.Initializer;
import ds.api.layer.Layer;
import ds.api.layer.Parameter;
import ds.api.layer.Pass;
import ds.api.layer.Saved;
import java.util.List;

/** Small layers, right and wrong ones. */
final class TinyLayers {
    private TinyLayers() {}

    /** {@code y = dropout(gelu(x + bias))}; the gradient of the bias is multiplied by {@code factor}: 1 is right. */
    record Gelu(Parameter bias, double factor, double rate) implements Layer {
        static Gelu of(long columns, double factor, double rate) {
            return new Gelu(new Parameter("bias", Shape.of(columns), new Initializer.Constant(0)), factor, rate);
        }

        @Override
        public String name() {
            return "gelu";
        }

        @Override
        public List<Parameter> parameters() {
            return List.of(bias);
        }

        @Override
        public Tensor forward(Pass pass, Tensor x, Saved saved) {
            saved.push(x);
            Tensor y = pass.keep(x.shape().rows(), x.shape().columns());
            pass.kernels().biasGelu(x, pass.weight(bias), y);
            pass.kernels().dropout(y, pass.dropout(rate, 1, x.shape().columns()), y);
            return y;
        }

        @Override
        public Tensor backward(Pass pass, Tensor dy, Saved saved) {
            Tensor x = saved.pop();
            long mark = pass.mark();
            Tensor dBias = pass.scratch(DType.F32, bias.elements());
            pass.kernels().fill(dBias, 0);
            pass.kernels().dropout(dy, pass.dropout(rate, 1, x.shape().columns()), dy);
            pass.kernels().biasGeluBackward(dy, x, pass.weight(bias), dy, dBias);
            pass.kernels().axpby(factor, dBias, 1, pass.gradient(bias));
            pass.release(mark);
            return dy;
        }
    }

    /** Embeds tokens, and predicts the next: the logits are the embedded rows times the table again, a tied weight. */
    record Bigram(Parameter table, Parameter positions) implements Layer {
        static Bigram of(long vocabulary, long time, long channels) {
            return new Bigram(
                    new Parameter("table", Shape.of(vocabulary, channels), new Initializer.Normal(0, 0.5)),
                    new Parameter("positions", Shape.of(time, channels), new Initializer.Normal(0, 0.5)));
        }

        @Override
        public String name() {
            return "bigram";
        }

        @Override
        public List<Parameter> parameters() {
            return List.of(table, positions);
        }

        @Override
        public Tensor forward(Pass pass, Tensor tokens, Saved saved) {
            long rows = tokens.elements();
            long vocabulary = table.shape().dim(0);
            Tensor h = pass.keep(rows, table.shape().dim(1));
            pass.kernels().embedding(tokens, pass.weight(table), pass.weight(positions), h);
            Tensor logits = pass.keep(rows, vocabulary);
            pass.kernels().matmul(operand(h, false), operand(pass.weight(table), true), logits, 0);
            Tensor losses = pass.keep(DType.F32, 1, rows);
            Tensor targets = pass.batch().targets().orElseThrow();
            pass.kernels().crossEntropy(logits, targets, vocabulary, pass.lossScale() / rows, losses);
            Tensor loss = pass.keep(DType.F32, 1);
            pass.kernels().reduceRows(ds.api.CoreKernels.Reduction.SUM, losses, loss);
            pass.kernels().axpby(1.0 / rows, loss, 0, loss);
            // The head knows its gradients already.
            pass.kernels().matmul(operand(logits, true), operand(h, false), pass.gradient(table), 1);
            pass.kernels().matmul(operand(logits, false), operand(pass.weight(table), false), h, 0);
            saved.push(tokens);
            saved.push(h);
            return loss;
        }

        private static ds.api.CoreKernels.Operand operand(Tensor tensor, boolean transposed) {
            return new ds.api.CoreKernels.Operand(tensor, transposed);
        }

        @Override
        public Tensor backward(Pass pass, Tensor dy, Saved saved) {
            Tensor dh = saved.pop();
            pass.kernels().embeddingBackward(dh, saved.pop(), pass.gradient(table), pass.gradient(positions));
            return dy;
        }
    }

    /** {@code y = calls · x}: what a layer must not do, keep a state. */
    record Counting(java.util.concurrent.atomic.AtomicInteger calls) implements Layer {
        @Override
        public String name() {
            return "counting";
        }

        @Override
        public List<Parameter> parameters() {
            return List.of();
        }

        @Override
        public Tensor forward(Pass pass, Tensor x, Saved saved) {
            pass.kernels().axpby(calls.incrementAndGet(), x, 0, x);
            return x;
        }

        @Override
        public Tensor backward(Pass pass, Tensor dy, Saved saved) {
            pass.kernels().axpby(calls.get(), dy, 0, dy);
            return dy;
        }
    }

    /** {@code y = x²}; the careless one overwrites x although it saved it. */
    record Square(boolean careless) implements Layer {
        @Override
        public String name() {
            return "square";
        }

        @Override
        public List<Parameter> parameters() {
            return List.of();
        }

        @Override
        public Tensor forward(Pass pass, Tensor x, Saved saved) {
            saved.push(x);
            Tensor y = careless ? x : pass.keep(x.shape().rows(), x.shape().columns());
            pass.kernels().unary(ds.api.CoreKernels.Unary.SQUARE, x, y);
            return y;
        }

        @Override
        public Tensor backward(Pass pass, Tensor dy, Saved saved) {
            pass.kernels()
                    .binary(ds.api.CoreKernels.Binary.MULTIPLY, dy, saved.pop(), ds.api.CoreKernels.Broadcast.NONE, dy);
            pass.kernels().axpby(2, dy, 0, dy);
            return dy;
        }
    }
}
