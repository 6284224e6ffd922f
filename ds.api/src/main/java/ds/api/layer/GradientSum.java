package ds.api.layer;

import ds.api.Tensor;

/**
 * Where a kernel puts its contribution to a parameter's gradient: {@code sum = contribution + beta · sum}. So the first one of a
 * step is written rather than added, and gradients need not be cleared before.
 *
 * @param sum with the parameter's dims, of the type that the method says from which it comes
 * @param beta 0 for the first contribution, which has to write every element, since they are undefined; 1 for the others
 */
public record GradientSum(Tensor sum, float beta) {}
