package ds.api;

/**
 * The operands of layer normalisation over the last dim (Ba, Kiros, Hinton, arXiv:1607.06450):
 * {@code y = (x - mean) * rstd * weight + bias}, {@code rstd = 1 / sqrt(variance + epsilon)} with the biased variance.
 *
 * @param weight {@code [C]}
 * @param bias {@code [C]}
 * @param mean F32 {@code [rows]}; written by the forward pass, read by the backward pass
 * @param rstd F32 {@code [rows]}; written by the forward pass, read by the backward pass
 * @param epsilon added to the variance
 */
public record LayerNorm(Tensor weight, Tensor bias, Tensor mean, Tensor rstd, float epsilon) {
    /**
     * Where the backward pass adds the gradients of the two parameters.
     *
     * @param weight F32 {@code [C]}; added to
     * @param bias F32 {@code [C]}; added to
     */
    public record Gradients(Tensor weight, Tensor bias) {}
}
