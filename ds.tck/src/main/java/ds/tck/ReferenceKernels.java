package ds.tck;

import ds.api.CounterRandom;
import ds.api.Kernels;
import ds.api.Stream;
import ds.api.Tensor;
import ds.api.TensorBackend;
import java.util.function.DoubleBinaryOperator;

/**
 * The core kernels, each one straight loop over elements: computed in double, rounded once to the type of the output. All that
 * a backend must have; everything else in {@link Kernels} is inherited, composed of these. A faster backend starts from a class
 * like this one and overrides whatever its device does better.
 */
public final class ReferenceKernels implements Kernels {
    private final TensorBackend backend;
    private final Stream stream;

    /** Computes on tensors of {@code backend}, whose memory is the host's. */
    public ReferenceKernels(TensorBackend backend, Stream stream) {
        this.backend = backend;
        this.stream = stream;
    }

    @Override
    public TensorBackend backend() {
        return backend;
    }

    @Override
    public Stream stream() {
        return stream;
    }

    @Override
    public void fill(Tensor y, double value) {
        Elements to = Elements.of(y);
        for (long i = 0; i < to.count(); i++) {
            to.set(i, value);
        }
    }

    @Override
    public void copy(Tensor x, Tensor y) {
        require(x.elements() == y.elements(), "copy", x, y);
        copyRows(new Rows(x, 0, x.elements()), new Rows(y, 0, y.elements()), 1, x.elements());
    }

    @Override
    public void copyRows(Rows x, Rows y, long rows, long columns) {
        Elements from = Elements.of(x.tensor());
        Elements to = Elements.of(y.tensor());
        for (long i = 0; i < rows; i++) {
            for (long j = 0; j < columns; j++) {
                to.set(y.first() + i * y.stride() + j, from.get(x.first() + i * x.stride() + j));
            }
        }
    }

    @Override
    public void matmul(Operand a, Operand b, Tensor c, float beta) {
        require(a.columns() == b.rows() && c.elements() == a.rows() * b.columns(), "matmul", a, b, c);
        Elements left = Elements.of(a.tensor());
        Elements right = Elements.of(b.tensor());
        Elements to = Elements.of(c);
        long k = a.columns();
        long n = b.columns();
        for (long i = 0; i < a.rows(); i++) {
            for (long j = 0; j < n; j++) {
                double sum = beta == 0 ? 0 : beta * to.get(i * n + j);
                for (long l = 0; l < k; l++) {
                    double x = left.get(a.transposed() ? l * a.rows() + i : i * k + l);
                    double y = right.get(b.transposed() ? j * k + l : l * n + j);
                    sum += x * y;
                }
                to.set(i * n + j, sum);
            }
        }
    }

    @Override
    public void unary(Unary op, Tensor x, Tensor y) {
        require(x.elements() == y.elements(), op, x, y);
        Elements from = Elements.of(x);
        Elements to = Elements.of(y);
        for (long i = 0; i < to.count(); i++) {
            to.set(i, apply(op, from.get(i)));
        }
    }

    private static double apply(Unary op, double x) {
        return switch (op) {
            case EXP -> Math.exp(x);
            case LOG -> Math.log(x);
            case TANH -> Math.tanh(x);
            case SQRT -> Math.sqrt(x);
            case RECIPROCAL -> 1 / x;
            case SQUARE -> x * x;
        };
    }

    @Override
    public void binary(Binary op, Tensor a, Tensor b, Broadcast broadcast, Tensor y) {
        long columns = a.shape().columns();
        long expected = switch (broadcast) {
            case NONE -> a.elements();
            case SCALAR -> 1;
            case ROW -> columns;
            case COLUMN -> a.shape().rows();
        };
        require(a.elements() == y.elements() && b.elements() == expected, op + " " + broadcast, a, b, y);
        Elements left = Elements.of(a);
        Elements right = Elements.of(b);
        Elements to = Elements.of(y);
        for (long i = 0; i < to.count(); i++) {
            long j = switch (broadcast) {
                case NONE -> i;
                case SCALAR -> 0;
                case ROW -> i % columns;
                case COLUMN -> i / columns;
            };
            to.set(i, apply(op, left.get(i), right.get(j)));
        }
    }

    private static double apply(Binary op, double a, double b) {
        return switch (op) {
            case ADD -> a + b;
            case SUBTRACT -> a - b;
            case MULTIPLY -> a * b;
            case DIVIDE -> a / b;
            case MAX -> Math.max(a, b);
            case GREATER_EQUAL -> a >= b ? 1 : 0;
        };
    }

    @Override
    public void axpby(double alpha, Tensor x, double beta, Tensor y) {
        require(x.elements() == y.elements(), "axpby", x, y);
        Elements from = Elements.of(x);
        Elements to = Elements.of(y);
        for (long i = 0; i < to.count(); i++) {
            double scaled = alpha * from.get(i);
            to.set(i, beta == 0 ? scaled : scaled + beta * to.get(i));
        }
    }

    @Override
    public void reduceRows(Reduction op, Tensor x, Tensor y) {
        require(y.elements() == x.shape().rows(), op, x, y);
        Elements from = Elements.of(x);
        Elements to = Elements.of(y);
        long columns = x.shape().columns();
        for (long i = 0; i < to.count(); i++) {
            double result = from.get(i * columns);
            for (long j = 1; j < columns; j++) {
                double next = from.get(i * columns + j);
                result = switch (op) {
                    case SUM -> result + next;
                    case MAX -> Math.max(result, next);
                };
            }
            to.set(i, result);
        }
    }

    @Override
    public void sumColumns(Tensor x, Tensor y, float beta) {
        require(y.elements() == x.shape().columns(), "sumColumns", x, y);
        Elements from = Elements.of(x);
        Elements to = Elements.of(y);
        for (long j = 0; j < to.count(); j++) {
            double sum = beta == 0 ? 0 : beta * to.get(j);
            for (long i = 0; i < x.shape().rows(); i++) {
                sum += from.get(i * to.count() + j);
            }
            to.set(j, sum);
        }
    }

    @Override
    public void gatherRowsWithin(Tensor table, long first, long end, Tensor index, Tensor y) {
        long columns = table.shape().columns();
        require(y.elements() == index.elements() * columns, "gatherRows", table, index, y);
        Elements from = Elements.of(table);
        Elements rows = Elements.of(index);
        Elements to = Elements.of(y);
        for (long i = 0; i < rows.count(); i++) {
            long row = rows.index(i, table.shape().rows());
            for (long j = 0; j < columns; j++) {
                long element = row * columns + j;
                to.set(i * columns + j, first <= element && element < end ? from.get(element) : 0);
            }
        }
    }

    @Override
    public void scatterAddRows(Tensor x, Tensor index, Tensor table) {
        scatter("scatterAddRows", x, index, table, Double::sum);
    }

    @Override
    public void scatterRows(Tensor x, Tensor index, Tensor table) {
        scatter("scatterRows", x, index, table, (before, given) -> given);
    }

    private static void scatter(String call, Tensor x, Tensor index, Tensor table, DoubleBinaryOperator into) {
        long columns = table.shape().columns();
        require(x.elements() == index.elements() * columns, call, x, index, table);
        Elements from = Elements.of(x);
        Elements rows = Elements.of(index);
        Elements to = Elements.of(table);
        for (long i = 0; i < rows.count(); i++) {
            long row = rows.index(i, table.shape().rows());
            for (long j = 0; j < columns; j++) {
                long element = row * columns + j;
                to.set(element, into.applyAsDouble(to.get(element), from.get(i * columns + j)));
            }
        }
    }

    @Override
    public void uniform(CounterRandom random, Tensor y) {
        Elements to = Elements.of(y);
        for (long i = 0; i < to.count(); i++) {
            to.set(i, random.uniform(i));
        }
    }

    @Override
    public void sumOfSquares(Tensor x, Tensor y) {
        Elements from = Elements.of(x);
        Elements to = Elements.of(y);
        double sum = to.get(0);
        for (long i = 0; i < from.count(); i++) {
            sum += from.get(i) * from.get(i);
        }
        to.set(0, sum);
    }

    private static void require(boolean fits, Object call, Object... operands) {
        if (!fits) {
            throw new IllegalArgumentException(
                    call + ": the dims of its operands do not fit together: " + java.util.Arrays.toString(operands));
        }
    }
}
