package ds.bench.breakdown;

import ds.api.Attention;
import ds.api.CoreKernels.Operand;
import ds.api.DType;
import ds.api.Kernels;
import ds.api.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What one call of a kernel has to do, whoever does it. Calls with the same name and shape are the same kernel in a breakdown.
 *
 * @param kernel name of the method of {@link Kernels}
 * @param shape types and dims of its operands, for people; a vector's length is left out, since flat buffers come in pieces
 * @param dtype of the operands; of a product, of its factors
 * @param product the matrix product that it is; empty for other kernels
 * @param flops floating-point operations of matrix products: 2mnk each. Of causal attention, those on and below the diagonal:
 *     half of what the model's FLOP formula counts
 * @param exponentials values of e to the x
 * @param moved bytes
 */
record KernelCall(
        String kernel,
        String shape,
        DType dtype,
        Optional<Product> product,
        double flops,
        double exponentials,
        Moved moved) {

    /** {@return a kernel without products} */
    static KernelCall elementwise(String kernel, Tensor of, List<Tensor> inputs, List<Tensor> outputs) {
        return elementwise(kernel, of, Moved.between(inputs, outputs));
    }

    /** {@return a kernel without products that moves so much} */
    static KernelCall elementwise(String kernel, Tensor of, Moved moved) {
        return new KernelCall(kernel, describe(of), of.dtype(), Optional.empty(), 0, 0, moved);
    }

    /** {@return this call, with so many values of e to the x} */
    KernelCall withExponentials(double count) {
        return new KernelCall(kernel, shape, dtype, product, flops, count, moved);
    }

    /** {@return this call, which writes another result} */
    KernelCall alsoWriting(Tensor result) {
        Moved more = moved.plus(new Moved(0, result.byteSize(), 0));
        return new KernelCall(kernel, shape, dtype, product, flops, exponentials, more);
    }

    /**
     * {@return a matrix product}
     *
     * @param added what else is read: the bias, or the result if it is added to
     */
    static KernelCall product(String kernel, Operand a, Operand b, Tensor c, List<Tensor> added) {
        Product product = new Product(
                a.rows(),
                b.columns(),
                a.columns(),
                a.transposed(),
                b.transposed(),
                a.tensor().dtype(),
                c.dtype(),
                added.contains(c));
        List<Tensor> inputs = new ArrayList<>(List.of(a.tensor(), b.tensor()));
        inputs.addAll(added);
        return new KernelCall(
                kernel,
                product.toString(),
                product.dtype(),
                Optional.of(product),
                product.flops(),
                0,
                Moved.between(inputs, List.of(c)));
    }

    /** {@return the forward pass of attention: scores and weighted values} */
    static KernelCall attention(Tensor qkv, Attention attention, Tensor y, Tensor logSumExp) {
        return attention("attention", 2, qkv, attention, Moved.between(List.of(qkv), List.of(y, logSumExp)));
    }

    /** {@return its backward pass: scores again, and the gradients of probabilities, queries, keys and values} */
    static KernelCall attentionBackward(
            Tensor dy, Tensor qkv, Attention attention, Tensor y, Tensor logSumExp, Tensor dqkv) {
        Moved moved = Moved.between(List.of(dy, qkv, y, logSumExp), List.of(dqkv));
        return attention("attentionBackward", 5, qkv, attention, moved);
    }

    private static KernelCall attention(String kernel, int products, Tensor qkv, Attention attention, Moved moved) {
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
                moved);
    }

    private static String describe(Tensor tensor) {
        return tensor.dtype()
                + (tensor.shape().dimCount() < 2 ? "[n]" : tensor.shape().toString());
    }
}
