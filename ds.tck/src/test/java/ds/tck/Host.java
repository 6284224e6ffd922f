package ds.tck;

import ds.api.DType;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.layer.Initializer;
import java.util.Arrays;

/** The reference backend with tensors from and to arrays. Owns all of them. */
final class Host implements AutoCloseable {
    final ReferenceBackend backend = new ReferenceBackend();
    final Kernels kernels = backend.kernels(backend.computeStream());
    private int seed;

    Tensor of(DType dtype, double[] values, long... dims) {
        Tensor tensor = backend.allocate(dtype, Shape.of(dims), "test");
        Elements elements = Elements.of(tensor);
        for (int i = 0; i < values.length; i++) {
            elements.set(i, values[i]);
        }
        return tensor;
    }

    Tensor f32(double[] values, long... dims) {
        return of(DType.F32, values, dims);
    }

    Tensor zeros(long... dims) {
        return backend.allocate(DType.F32, Shape.of(dims), "test");
    }

    /** {@return normally distributed numbers, exact in F32} */
    double[] normal(int count) {
        double[] values = new double[count];
        int key = ++seed;
        Arrays.setAll(values, i -> new Initializer.Normal(0, 1).value(key, i));
        return values;
    }

    static double[] read(Tensor tensor) {
        Elements elements = Elements.of(tensor);
        double[] values = new double[(int) tensor.elements()];
        Arrays.setAll(values, elements::get);
        return values;
    }

    static double dot(double[] a, double[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += a[i] * b[i];
        }
        return sum;
    }

    @Override
    public void close() {
        backend.close();
    }
}
