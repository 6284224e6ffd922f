package ds.zero;

import ds.api.CoreKernels.Operand;
import ds.api.CoreKernels.Reduction;
import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.layer.Batch;
import ds.api.layer.GradientRows;
import ds.api.layer.Initializer;
import ds.api.layer.Layer;
import ds.api.layer.Parameter;
import ds.api.layer.Pass;
import ds.api.layer.Saved;
import ds.api.layer.Sequential;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;

/** A language model without blocks to speak of: a table of tokens, looked up first and projected to last; odd sizes. */
final class TableModel {
    static final int TOKENS = 193;
    static final int WIDTH = 5;
    static final int POSITIONS = 3;

    private TableModel() {}

    static Sequential build() {
        return build(Optional.empty());
    }

    /**
     * {@return the model}
     *
     * @param told called by the head, if it is to tell when the table's gradient is complete, right after it has told
     */
    static Sequential build(Optional<Runnable> told) {
        Parameter table = new Parameter("table", Shape.of(TOKENS, WIDTH), new Initializer.Normal(0, 0.5));
        return new Sequential(
                "table", List.of(new LookUp(table), new Scale("scale.0"), new Scale("scale.1"), new Head(table, told)));
    }

    /** Sequences of tokens, of which some come several times, on one rank and on several. */
    static Batch batch(TensorBackend backend, long step, long firstSequence, int sequences) {
        Tensor inputs = backend.allocate(DType.I32, Shape.of(sequences, POSITIONS), "batch");
        Tensor targets = backend.allocate(DType.I32, Shape.of(sequences, POSITIONS), "batch");
        int[] tokens = new int[sequences * POSITIONS];
        int[] next = new int[tokens.length];
        for (int i = 0; i < tokens.length; i++) {
            long at = firstSequence * POSITIONS + i;
            tokens[i] = (int) (at % 4 == 0 ? 7 : (31 * at + 17 * step) % TOKENS);
            next[i] = (int) ((13 * at + step) % TOKENS);
        }
        backend.upload(MemorySegment.ofArray(tokens), inputs, backend.computeStream());
        backend.upload(MemorySegment.ofArray(next), targets, backend.computeStream());
        return Batch.of(inputs, targets, firstSequence);
    }

    private static final class LookUp implements Layer {
        private final Parameter table;
        private final Parameter positions =
                new Parameter("positions", Shape.of(POSITIONS, WIDTH), new Initializer.Normal(0, 0.5));

        LookUp(Parameter table) {
            this.table = table;
        }

        @Override
        public String name() {
            return "lookUp";
        }

        @Override
        public List<Parameter> parameters() {
            return List.of(table, positions);
        }

        @Override
        public Optional<GradientRows> gradientRows(Batch batch) {
            return Optional.of(new GradientRows(table, batch.inputs()));
        }

        @Override
        public Tensor forward(Pass pass, Tensor tokens, Saved saved) {
            Tensor y = pass.keep(tokens.elements(), WIDTH);
            pass.kernels().embedding(tokens, pass.weight(table), pass.weight(positions), y);
            return y;
        }

        @Override
        public Tensor backward(Pass pass, Tensor dy, Saved saved) {
            Tensor tokens = pass.batch().inputs();
            pass.kernels().embeddingBackward(dy, tokens, pass.gradient(table), pass.gradient(positions));
            return dy;
        }
    }

    private static final class Scale implements Layer {
        private final String name;
        private final Parameter weight;

        Scale(String name) {
            this.name = name;
            this.weight = new Parameter(name + ".weight", Shape.of(WIDTH, WIDTH), new Initializer.Normal(0, 0.5));
        }

        @Override
        public String name() {
            return name;
        }

        @Override
        public List<Parameter> parameters() {
            return List.of(weight);
        }

        @Override
        public Tensor forward(Pass pass, Tensor x, Saved saved) {
            Tensor y = pass.keep(x.shape().rows(), WIDTH);
            pass.kernels().matmul(Operand.of(x), Operand.of(pass.weight(weight)), y, 0);
            saved.push(x);
            return y;
        }

        @Override
        public Tensor backward(Pass pass, Tensor dy, Saved saved) {
            Tensor x = saved.pop();
            pass.kernels().matmul(Operand.transposed(x), Operand.of(dy), pass.gradient(weight), 1);
            Tensor dx = pass.keep(x.shape().rows(), WIDTH);
            pass.kernels().matmul(Operand.of(dy), Operand.transposed(pass.weight(weight)), dx, 0);
            return dx;
        }
    }

    /** Adds to the table's gradient as soon as it knows its loss. */
    private record Head(Parameter table, Optional<Runnable> told) implements Layer {
        @Override
        public String name() {
            return "head";
        }

        @Override
        public List<Parameter> parameters() {
            return List.of(table);
        }

        @Override
        public List<Parameter> readInBackward() {
            return List.of();
        }

        @Override
        public Tensor forward(Pass pass, Tensor x, Saved saved) {
            long rows = x.shape().rows();
            Tensor logits = pass.keep(rows, TOKENS);
            Tensor losses = pass.keep(DType.F32, 1, rows);
            Tensor weight = pass.weight(table);
            pass.kernels().matmul(Operand.of(x), Operand.transposed(weight), logits, 0);
            pass.kernels()
                    .crossEntropy(
                            logits, pass.batch().targets().orElseThrow(), TOKENS, pass.lossScale() / rows, losses);
            Tensor dx = pass.keep(rows, WIDTH);
            pass.kernels().matmul(Operand.transposed(logits), Operand.of(x), pass.gradient(table), 1);
            if (told.isPresent()) {
                pass.gradientDone(table);
                told.get().run();
            }
            pass.kernels().matmul(Operand.of(logits), Operand.of(weight), dx, 0);
            Tensor loss = pass.keep(DType.F32, 1);
            pass.kernels().reduceRows(Reduction.SUM, losses, loss);
            pass.kernels().axpby(1.0 / rows, loss, 0, loss);
            saved.push(dx);
            return loss;
        }

        @Override
        public Tensor backward(Pass pass, Tensor dy, Saved saved) {
            return saved.pop();
        }
    }
}
