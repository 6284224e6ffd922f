package ds.zero;

import ds.api.CoreKernels.Binary;
import ds.api.CoreKernels.Broadcast;
import ds.api.CoreKernels.Operand;
import ds.api.CoreKernels.Reduction;
import ds.api.CoreKernels.Unary;
import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.layer.Batch;
import ds.api.layer.GradientSum;
import ds.api.layer.Initializer;
import ds.api.layer.Layer;
import ds.api.layer.Parameter;
import ds.api.layer.Pass;
import ds.api.layer.Saved;
import ds.api.layer.Sequential;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** An auto-encoder of three layers with a tied weight, odd sizes, and a loss that is a mean over rows. */
public final class TinyModel {
    static final int WIDTH = 5;
    private static final int HIDDEN = 7;

    private TinyModel() {}

    public static Sequential build() {
        return build(HIDDEN);
    }

    /** {@return one with so many hidden channels} */
    static Sequential build(int hidden) {
        Parameter shared = new Parameter("shared", Shape.of(WIDTH, hidden), new Initializer.Normal(0, 0.5));
        return new Sequential(
                "tiny",
                List.of(
                        new Encode(shared),
                        new Hidden("hidden.0", hidden),
                        new Hidden("hidden.1", hidden),
                        new Decode(shared)));
    }

    /** Row g of the global batch of a step, whatever rank and micro-batch it falls to. */
    public static Batch batch(TensorBackend backend, long step, long firstRow, int rows) {
        Tensor inputs = backend.allocate(DType.F32, Shape.of(rows, WIDTH), "batch");
        Tensor targets = backend.allocate(DType.F32, Shape.of(rows, WIDTH), "batch");
        float[] sines = new float[rows * WIDTH];
        float[] cosines = new float[rows * WIDTH];
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < WIDTH; c++) {
                double phase = 0.7 * step + 1.3 * (firstRow + r) + 2.1 * c;
                sines[r * WIDTH + c] = (float) Math.sin(phase);
                cosines[r * WIDTH + c] = (float) Math.cos(phase);
            }
        }
        backend.upload(MemorySegment.ofArray(sines), inputs, backend.computeStream());
        backend.upload(MemorySegment.ofArray(cosines), targets, backend.computeStream());
        return Batch.of(inputs, targets, firstRow);
    }

    private record Encode(Parameter weight) implements Layer {
        @Override
        public String name() {
            return "encode";
        }

        @Override
        public List<Parameter> readInBackward() {
            return List.of();
        }

        @Override
        public List<Parameter> parameters() {
            return List.of(weight);
        }

        @Override
        public Tensor forward(Pass pass, Tensor x, Saved saved) {
            Tensor input = pass.keep(x.shape().rows(), WIDTH);
            pass.kernels().copy(x, input);
            Tensor y = pass.keep(x.shape().rows(), weight.shape().columns());
            pass.kernels().matmul(Operand.of(input), Operand.of(pass.weight(weight)), y, 0);
            saved.push(input);
            return y;
        }

        @Override
        public Tensor backward(Pass pass, Tensor dy, Saved saved) {
            Tensor x = saved.pop();
            pass.kernels().matmul(Operand.transposed(x), Operand.of(dy), pass.gradient(weight), 1);
            return dy;
        }
    }

    private static final class Hidden implements Layer {
        private final String name;
        private final Parameter weight;
        private final Parameter bias;

        Hidden(String name, int channels) {
            this.name = name;
            double deviation = 0.4 * Math.sqrt((double) HIDDEN / channels);
            this.weight =
                    new Parameter(name + ".weight", Shape.of(channels, channels), new Initializer.Normal(0, deviation));
            this.bias = new Parameter(name + ".bias", Shape.of(channels), new Initializer.Constant(0.1f));
        }

        @Override
        public String name() {
            return name;
        }

        @Override
        public List<Parameter> parameters() {
            return List.of(bias, weight);
        }

        @Override
        public Tensor forward(Pass pass, Tensor x, Saved saved) {
            Tensor u = pass.keep(x.shape().rows(), bias.elements());
            pass.kernels().matmul(Operand.of(x), Operand.of(pass.weight(weight)), u, 0);
            Tensor y = pass.keep(x.shape().rows(), bias.elements());
            pass.kernels().biasGelu(u, pass.weight(bias), y);
            saved.push(x);
            saved.push(u);
            return y;
        }

        @Override
        public Tensor backward(Pass pass, Tensor dy, Saved saved) {
            Tensor u = saved.pop();
            Tensor x = saved.pop();
            pass.kernels().biasGeluBackward(dy, u, pass.weight(bias), dy, pass.gradient(bias));
            GradientSum whole = pass.wholeGradient(weight);
            pass.kernels().matmul(Operand.transposed(x), Operand.of(dy), whole.sum(), whole.beta());
            Tensor dx = pass.keep(x.shape().rows(), bias.elements());
            pass.kernels().matmul(Operand.of(dy), Operand.transposed(pass.weight(weight)), dx, 0);
            return dx;
        }
    }

    /** Half the squared distance between x · weightᵀ and the target, mean over rows. */
    private record Decode(Parameter weight) implements Layer {
        @Override
        public String name() {
            return "decode";
        }

        @Override
        public List<Parameter> parameters() {
            return List.of(weight);
        }

        @Override
        public Tensor forward(Pass pass, Tensor x, Saved saved) {
            long rows = x.shape().rows();
            Tensor y = pass.keep(rows, WIDTH);
            pass.kernels().matmul(Operand.of(x), Operand.transposed(pass.weight(weight)), y, 0);
            pass.kernels().binary(Binary.SUBTRACT, y, pass.batch().targets().orElseThrow(), Broadcast.NONE, y);
            Tensor squares = pass.keep(DType.F32, 1, rows * WIDTH);
            pass.kernels().unary(Unary.SQUARE, y, squares);
            Tensor loss = pass.keep(DType.F32, 1);
            pass.kernels().reduceRows(Reduction.SUM, squares, loss);
            pass.kernels().axpby(0.5 / rows, loss, 0, loss);
            saved.push(x);
            saved.push(y);
            return loss;
        }

        @Override
        public Tensor backward(Pass pass, Tensor dy, Saved saved) {
            Tensor difference = saved.pop();
            Tensor x = saved.pop();
            pass.kernels().axpby(pass.lossScale() / x.shape().rows(), difference, 0, difference);
            GradientSum sum = pass.gradientSum(weight);
            pass.kernels().matmul(Operand.transposed(difference), Operand.of(x), sum.sum(), sum.beta());
            Tensor dx = pass.keep(x.shape().rows(), weight.shape().columns());
            pass.kernels().matmul(Operand.of(difference), Operand.of(pass.weight(weight)), dx, 0);
            return dx;
        }
    }
}
