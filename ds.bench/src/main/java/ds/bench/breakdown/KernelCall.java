package ds.bench.breakdown;

import ds.api.Attention;
import ds.api.CoreKernels.Operand;
import ds.api.DType;
import ds.api.Kernels;
import ds.api.Tensor;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * What one call of a kernel has to do, whoever does it. Calls with the same name, shape and amounts are the same kernel in a
 * breakdown.
 *
 * @param kernel name of the method of {@link Kernels}
 * @param shape types and dims of its operands, for people; a vector's length is left out, since flat buffers come in pieces
 * @param dtype of the operands; of a product, of its factors
 * @param product the matrix product that it is; empty for other kernels
 * @param flops floating-point operations of matrix products: 2mnk each. Of causal attention, those on and below the diagonal:
 *     half of what the model's FLOP formula counts
 * @param exponentials values of e to the x
 * @param bytes what has to be read and written at least: each operand once, and once more if it is updated in place
 */
record KernelCall(
        String kernel,
        String shape,
        DType dtype,
        Optional<Product> product,
        double flops,
        double exponentials,
        double bytes) {

    /** {@return a kernel that is limited by its operands' way through memory} */
    static KernelCall elementwise(String kernel, Tensor of, Tensor... moved) {
        return new KernelCall(kernel, describe(of), of.dtype(), Optional.empty(), 0, 0, bytes(moved));
    }

    /** {@return this call, with so many values of e to the x} */
    KernelCall withExponentials(double count) {
        return new KernelCall(kernel, shape, dtype, product, flops, count, bytes);
    }

    /** {@return this call, moving so many bytes} */
    KernelCall withBytes(double count) {
        return new KernelCall(kernel, shape, dtype, product, flops, exponentials, count);
    }

    /**
     * {@return a matrix product}
     *
     * @param added what else is read: the bias, or the result if it is added to
     */
    static KernelCall product(String kernel, Operand a, Operand b, Tensor c, boolean add, Tensor... added) {
        Product product = new Product(
                a.rows(),
                b.columns(),
                a.columns(),
                a.transposed(),
                b.transposed(),
                a.tensor().dtype(),
                c.dtype(),
                add);
        double moved = bytes(a.tensor(), b.tensor(), c) + bytes(added);
        return new KernelCall(
                kernel, product.toString(), product.dtype(), Optional.of(product), product.flops(), 0, moved);
    }

    /** {@return the forward pass of attention: scores and weighted values} */
    static KernelCall attention(Tensor qkv, Attention attention, Tensor y, Tensor logSumExp) {
        return attention("attention", 2, qkv, attention, bytes(qkv, y, logSumExp));
    }

    /** {@return its backward pass: scores again, and the gradients of probabilities, queries, keys and values} */
    static KernelCall attentionBackward(
            Tensor dy, Tensor qkv, Attention attention, Tensor y, Tensor logSumExp, Tensor dqkv) {
        return attention("attentionBackward", 5, qkv, attention, bytes(dy, qkv, y, logSumExp, dqkv));
    }

    private static KernelCall attention(String kernel, int products, Tensor qkv, Attention attention, double bytes) {
        double b = qkv.shape().dim(0);
        double t = qkv.shape().dim(1);
        double c = qkv.shape().dim(2) / 3.0;
        double seen = b * t * (t + 1) / 2; // pairs of a query and a key that it may see
        return new KernelCall(
                kernel,
                describe(qkv) + ", " + attention.heads() + " heads",
                qkv.dtype(),
                Optional.empty(),
                products * 2 * seen * c,
                seen * attention.heads(),
                bytes);
    }

    private static String describe(Tensor tensor) {
        return tensor.dtype()
                + (tensor.shape().dimCount() < 2 ? "[n]" : tensor.shape().toString());
    }

    /** {@return the bytes of all of these together} */
    static double bytes(Tensor... tensors) {
        return Stream.of(tensors).mapToDouble(Tensor::byteSize).sum();
    }
}
