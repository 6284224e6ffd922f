package ds.tck.comm;

import ds.api.Event;
import ds.api.Tensor;
import java.util.List;

/**
 * What one rank brings to an operation.
 *
 * @param operands the input first, then the output if it is another tensor; none for a barrier
 * @param color of a split
 * @param key of a split
 */
record Contribution(Operation operation, List<Tensor> operands, Event after, int color, int key) {
    Contribution(Operation operation, List<Tensor> operands, Event after) {
        this(operation, operands, after, 0, 0);
    }

    Tensor input() {
        return operands.getFirst();
    }

    Tensor output() {
        return operands.getLast();
    }
}
