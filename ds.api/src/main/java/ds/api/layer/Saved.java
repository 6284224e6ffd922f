package ds.api.layer;

import ds.api.Tensor;

/**
 * What the backward pass needs of the forward pass: a stack. Layers push in the forward pass; the backward pass visits them in
 * reverse order, and each pops what it pushed, last first.
 */
public final class Saved {
    private Tensor[] stack = new Tensor[64];
    private int size;

    /** Makes an empty stack. */
    public Saved() {}

    /** Puts a tensor on the stack. */
    public void push(Tensor tensor) {
        if (size == stack.length) {
            stack = java.util.Arrays.copyOf(stack, 2 * size);
        }
        stack[size++] = tensor;
    }

    /**
     * {@return the tensor pushed last, taken off the stack}
     *
     * @throws IllegalStateException if there is none: a layer pops more than it pushed
     */
    public Tensor pop() {
        if (size == 0) {
            throw new IllegalStateException(
                    "nothing is saved: a layer pops more in backward than it pushed in forward");
        }
        Tensor tensor = stack[--size];
        stack[size] = null;
        return tensor;
    }

    /** {@return how many tensors are on the stack} */
    public int size() {
        return size;
    }

    /** Forgets everything. */
    public void clear() {
        java.util.Arrays.fill(stack, 0, size, null);
        size = 0;
    }
}
