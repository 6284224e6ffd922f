package ds.api;

/**
 * The operations of which layers are made. Each has a default that composes the {@link CoreKernels}, slow and with temporary
 * buffers, so that a new backend is complete on its first day; a fast backend overrides each by one fused kernel. Fused and
 * composed agree within the bound that the contract suite in {@code ds.tck} states for the type.
 *
 * <p>Letters: B batch, T sequence, C channels, V vocabulary, NH heads; m stands for B·T rows. Gradients of parameters are
 * always F32 and always added to.
 */
public interface Kernels extends CoreKernels {
    /** {@code y = x · w + bias}: x {@code [m, k]}, w {@code [k, n]}, bias {@code [n]}, y {@code [m, n]}. */
    default void linear(Tensor x, Tensor w, Tensor bias, Tensor y) {
        matmul(Operand.of(x), Operand.of(w), y, 0);
        binary(Binary.ADD, y, bias, Broadcast.ROW, y);
    }

    /**
     * {@code y = gelu(x + bias)}, GELU in its tanh form (Hendrycks &amp; Gimpel, arXiv:1606.08415):
     * {@code 0.5 u (1 + tanh(sqrt(2 / pi) (u + 0.044715 u³)))}.
     *
     * @param x {@code [m, n]}
     * @param bias {@code [n]}
     * @param y {@code [m, n]}; may be {@code x}
     */
    default void biasGelu(Tensor x, Tensor bias, Tensor y) {
        ComposedElementwise.biasGelu(this, x, bias, y);
    }

    /**
     * {@code dx = dy · gelu'(x + bias)} and {@code dBias += sum of dx over rows}.
     *
     * @param dy {@code [m, n]}
     * @param x as in {@link #biasGelu}
     * @param bias as in {@link #biasGelu}
     * @param dx {@code [m, n]}; may be {@code dy}
     * @param dBias F32 {@code [n]}; added to
     */
    default void biasGeluBackward(Tensor dy, Tensor x, Tensor bias, Tensor dx, Tensor dBias) {
        ComposedElementwise.biasGeluBackward(this, dy, x, bias, dx, dBias);
    }

    /**
     * {@code y = gelu(x · w + bias)}, and what {@link #geluLinearBackward} needs of it: which numbers these are is the backend's own
     * matter.
     *
     * @param x {@code [m, k]}
     * @param w {@code [k, n]}
     * @param bias {@code [n]}
     * @param inner {@code [m, n]}; overwritten
     * @param y {@code [m, n]}
     */
    default void linearGelu(Tensor x, Tensor w, Tensor bias, Tensor inner, Tensor y) {
        matmul(Operand.of(x), Operand.of(w), inner, 0);
        biasGelu(inner, bias, y);
    }

    /**
     * The gradient in front of a GELU whose result was multiplied: {@code dInner = (dOut · wᵀ) · gelu'(..)} and {@code dBias += sum of
     * dInner over rows}.
     *
     * @param dOut {@code [m, k]}: of what the GELU's result times w is
     * @param w {@code [n, k]}: by which the GELU's result was multiplied
     * @param inner as {@link #linearGelu} of the same types and shapes has left it, {@code [m, n]}
     * @param bias as in {@link #linearGelu}, {@code [n]}
     * @param dInner {@code [m, n]}; overwritten
     * @param dBias F32 {@code [n]}; added to
     */
    default void geluLinearBackward(Tensor dOut, Tensor w, Tensor inner, Tensor bias, Tensor dInner, Tensor dBias) {
        matmul(Operand.of(dOut), Operand.transposed(w), dInner, 0);
        biasGeluBackward(dInner, inner, bias, dInner, dBias);
    }

    /** {@code y = dropout(x)}, and on a gradient its backward pass; {@code y} may be {@code x}. */
    default void dropout(Tensor x, Dropout dropout, Tensor y) {
        ComposedElementwise.dropout(this, x, dropout, y);
    }

    /** Layer normalisation of x {@code [m, C]} into y {@code [m, C]}; see {@link LayerNorm}. */
    default void layerNorm(Tensor x, LayerNorm norm, Tensor y) {
        ComposedLayerNorm.forward(this, x, norm, y);
    }

    /** {@code sum = x + residual}, then {@code y = layerNorm(sum)}; all {@code [m, C]}; {@code sum} may be one of the inputs. */
    default void residualLayerNorm(Tensor x, Tensor residual, Tensor sum, LayerNorm norm, Tensor y) {
        binary(Binary.ADD, x, residual, Broadcast.NONE, sum);
        layerNorm(sum, norm, y);
    }

    /**
     * {@code dx += d(layerNorm)/dx · dy}, and the gradients of weight and bias are added to.
     *
     * @param dy {@code [m, C]}
     * @param x what was normalised, {@code [m, C]}
     * @param norm with mean and rstd of the forward pass
     * @param gradients of weight and bias
     * @param dx {@code [m, C]}; added to, since a residual branch has usually left its gradient there
     */
    default void layerNormBackward(Tensor dy, Tensor x, LayerNorm norm, LayerNorm.Gradients gradients, Tensor dx) {
        ComposedLayerNorm.backward(this, dy, x, norm, gradients, dx);
    }

    /**
     * {@code y[b, t, :] = tokenTable[tokens[b, t], :] + positionTable[t, :]}.
     *
     * @param tokens I32 {@code [B, T]}, each in [0, V)
     * @param tokenTable {@code [V, C]}
     * @param positionTable {@code [at least T, C]}
     * @param y {@code [B, T, C]}
     */
    default void embedding(Tensor tokens, Tensor tokenTable, Tensor positionTable, Tensor y) {
        long t = tokens.shape().columns();
        gatherRows(tokenTable, tokens, y);
        for (long b = 0; b < tokens.shape().rows(); b++) {
            Tensor rows = y.rows(b * t, t);
            binary(Binary.ADD, rows, positionTable.rows(0, t), Broadcast.NONE, rows);
        }
    }

    /** Adds dy {@code [B, T, C]} to the rows of both tables' gradients, in a fixed order; shapes as in {@link #embedding}. */
    default void embeddingBackward(Tensor dy, Tensor tokens, Tensor dTokenTable, Tensor dPositionTable) {
        long t = tokens.shape().columns();
        scatterAddRows(dy, tokens, dTokenTable);
        for (long b = 0; b < tokens.shape().rows(); b++) {
            axpby(1, dy.rows(b * t, t), 1, dPositionTable.rows(0, t));
        }
    }

    /**
     * Causal self-attention.
     *
     * @param qkv queries, keys, values side by side, each with its heads side by side: {@code [B, T, 3C]}
     * @param attention heads and dropout
     * @param y {@code [B, T, C]}
     * @param logSumExp of each row of scores, for the backward pass: F32 {@code [B, NH, T]}
     */
    default void attention(Tensor qkv, Attention attention, Tensor y, Tensor logSumExp) {
        ComposedAttention.forward(this, qkv, attention, y, logSumExp);
    }

    /**
     * The backward pass of {@link #attention}.
     *
     * @param dy {@code [B, T, C]}
     * @param qkv as in the forward pass
     * @param attention as in the forward pass
     * @param y the forward pass's result
     * @param logSumExp the forward pass's result
     * @param dqkv {@code [B, T, 3C]}; overwritten
     */
    default void attentionBackward(
            Tensor dy, Tensor qkv, Attention attention, Tensor y, Tensor logSumExp, Tensor dqkv) {
        ComposedAttention.backward(this, dy, qkv, attention, y, logSumExp, dqkv);
    }

    /**
     * Attention of T new positions to themselves and to all earlier ones, for generation: appends the new keys and values to
     * the cache, which then holds {@code past + T}.
     *
     * @param qkv of the new positions, {@code [B, T, 3C]}
     * @param keys {@code [B, at least past + T, C]}
     * @param values {@code [B, at least past + T, C]}
     * @param past positions that the cache holds already
     * @param heads NH
     * @param y {@code [B, T, C]}
     */
    default void cachedAttention(Tensor qkv, Tensor keys, Tensor values, long past, int heads, Tensor y) {
        ComposedCachedAttention.run(this, qkv, keys, values, past, heads, y);
    }

    /**
     * Cross-entropy of softmax, in nats, and its gradient in place.
     *
     * @param logits {@code [m, at least V]}; columns from V on are padding: ignored, and their gradient is 0. Overwritten by
     *     the gradient {@code (softmax - one-hot) · gradientScale}, unless gradientScale is 0: then left as they are
     * @param targets I32 {@code [m]}, each in [0, V)
     * @param vocabulary V
     * @param gradientScale such as 1 / (B·T) for a mean; 0 for the loss alone
     * @param losses F32 {@code [m]}
     */
    default void crossEntropy(Tensor logits, Tensor targets, long vocabulary, double gradientScale, Tensor losses) {
        ComposedCrossEntropy.run(this, logits, targets, vocabulary, gradientScale, losses);
    }

    /**
     * {@code x[i, :] = exp(x[i, :] - logSumExp[i]) · scale}, in place: softmax where the sum of the exponentials is known, such as
     * from all ranks that have a part of the columns.
     *
     * @param x {@code [m, n]}
     * @param logSumExp F32 {@code [m]}
     */
    default void softmax(Tensor x, Tensor logSumExp, double scale) {
        ComposedCrossEntropy.softmax(this, x, logSumExp, scale);
    }

    /**
     * One step of Adam or AdamW on n elements.
     *
     * @param weights F32 {@code [n]}; overwritten
     * @param gradient F32 {@code [n]}
     * @param firstMoment F32 {@code [n]}, zero before step 1; overwritten
     * @param secondMoment F32 {@code [n]}, zero before step 1; overwritten
     */
    default void adam(Adam adam, Tensor weights, Tensor gradient, Tensor firstMoment, Tensor secondMoment) {
        ComposedAdam.run(this, adam, weights, gradient, firstMoment, secondMoment);
    }

    /**
     * One step of {@link #adam} from a gradient of any floating type, and the new weights rounded to the nearest numbers of
     * another type: what would be three passes over memory is one.
     *
     * @param weights F32 {@code [n]}; overwritten
     * @param gradient {@code [n]}
     * @param firstMoment F32 {@code [n]}, zero before step 1; overwritten
     * @param secondMoment F32 {@code [n]}, zero before step 1; overwritten
     * @param rounded {@code [n]}, of any floating type; overwritten
     */
    default void adam(
            Adam adam, Tensor weights, Tensor gradient, Tensor firstMoment, Tensor secondMoment, Tensor rounded) {
        try (Temporaries temporaries = new Temporaries(this)) {
            adam(adam, weights, temporaries.f32Copy(gradient), firstMoment, secondMoment);
            copy(weights, rounded);
        }
    }

    /**
     * One step of Lion on n elements; the direction is 0 where {@code beta1 · m + (1 - beta1) · g} is.
     *
     * @param weights F32 {@code [n]}; overwritten
     * @param gradient F32 {@code [n]}
     * @param momentum F32 {@code [n]}, zero before step 1; overwritten
     */
    default void lion(Lion lion, Tensor weights, Tensor gradient, Tensor momentum) {
        ComposedOptimizers.lion(this, lion, weights, gradient, momentum);
    }

    /**
     * One step of Adagrad on n elements.
     *
     * @param weights F32 {@code [n]}; overwritten
     * @param gradient F32 {@code [n]}
     * @param squares F32 {@code [n]}, zero before step 1; overwritten
     */
    default void adagrad(Adagrad adagrad, Tensor weights, Tensor gradient, Tensor squares) {
        ComposedOptimizers.adagrad(this, adagrad, weights, gradient, squares);
    }

    /**
     * One step of gradient descent with momentum on n elements.
     *
     * @param weights F32 {@code [n]}; overwritten
     * @param gradient F32 {@code [n]}
     * @param velocity F32 {@code [n]}; overwritten
     */
    default void sgd(Sgd sgd, Tensor weights, Tensor gradient, Tensor velocity) {
        ComposedOptimizers.sgd(this, sgd, weights, gradient, velocity);
    }

    /**
     * Takes n gradients into the moments of LAMB, which are Adam's.
     *
     * @param gradient F32 {@code [n]}
     * @param firstMoment F32 {@code [n]}, zero before step 1; overwritten
     * @param secondMoment F32 {@code [n]}, zero before step 1; overwritten
     */
    default void lambMoments(Lamb lamb, Tensor gradient, Tensor firstMoment, Tensor secondMoment) {
        ComposedOptimizers.lambMoments(this, lamb, gradient, firstMoment, secondMoment);
    }

    /**
     * The direction of a LAMB step on n elements.
     *
     * @param weights F32 {@code [n]}
     * @param firstMoment F32 {@code [n]}, as {@link #lambMoments} left it
     * @param secondMoment F32 {@code [n]}, as {@link #lambMoments} left it
     * @param direction F32 {@code [n]}; overwritten
     */
    default void lambDirection(Lamb lamb, Tensor weights, Tensor firstMoment, Tensor secondMoment, Tensor direction) {
        ComposedOptimizers.lambDirection(this, lamb, weights, firstMoment, secondMoment, direction);
    }

    /**
     * Rounds each element to one of the two BF16 numbers beside it, such that the result is x on average; see {@link
     * Bf16#stochastic}, with {@link CounterRandom#bits16}.
     *
     * @param x F32 {@code [n]}
     * @param random whose first counter belongs to the tensors' element 0
     * @param y BF16 {@code [n]}; overwritten
     */
    default void roundStochastically(Tensor x, CounterRandom random, Tensor y) {
        ComposedBf16.roundStochastically(this, x, random, y);
    }

    /**
     * Splits each element into the nearest BF16 number and 16 more bits; see {@link Bf16}.
     *
     * @param x F32 {@code [n]}
     * @param nearest BF16 {@code [n]}; overwritten
     * @param rest {@code [n]} of a type of two bytes; overwritten by signed integers, which are no numbers of that type
     */
    default void split(Tensor x, Tensor nearest, Tensor rest) {
        ComposedBf16.split(this, x, nearest, rest);
    }

    /** Puts together what {@link #split} took apart; x is overwritten. */
    default void join(Tensor nearest, Tensor rest, Tensor x) {
        ComposedBf16.join(this, nearest, rest, x);
    }

    /**
     * Takes from every number its sign times the scale of its block, and leaves the rest: what is sent when a bit is sent for each
     * number, and the error of it. The scale is the root of the mean square of the block's numbers that take part, so that what is sent
     * has their norm; 0 counts as positive.
     *
     * @param x F32 {@code [n]}; overwritten by {@code x - scale · sign(x)}, and by 0 where it does not take part
     * @param active F32 {@code [n]}: where it is above 0 a number takes part; others count as 0
     * @param signs of n numbers; overwritten
     */
    default void takeSigns(Tensor x, Tensor active, Signs signs) {
        ComposedSigns.take(this, x, active, signs);
    }

    /**
     * {@code y = alpha · scale · sign + beta · y}, and 0 where a number does not take part.
     *
     * @param signs of n numbers, as {@link #takeSigns} left them
     * @param active F32 {@code [n]}: where it is above 0 a number takes part
     * @param beta of what is in {@code y}, which is not read if it is 0; product and sum are rounded once
     * @param y F32 {@code [n]}; overwritten
     */
    default void addSigns(double alpha, Signs signs, Tensor active, float beta, Tensor y) {
        ComposedSigns.add(this, alpha, signs, active, beta, y);
    }

    /**
     * Quantizes each row of x; see {@link Quantization}.
     *
     * @param x {@code [m, n]}
     * @param words I32, m rows of {@link Quantization#words}(n) consecutive words; overwritten
     */
    default void quantize(Tensor x, Quantization quantization, Rows words) {
        ComposedQuantization.quantize(this, x, quantization, words);
    }

    /**
     * Makes numbers of what {@link #quantize} has kept.
     *
     * @param words I32, m rows of {@link Quantization#words}(n) consecutive words
     * @param y {@code [m, n]}; overwritten
     */
    default void dequantize(Rows words, Quantization quantization, Tensor y) {
        ComposedQuantization.dequantize(this, words, quantization, y);
    }

    /**
     * {@code y[i] = sum over r of row r's number i}, in the order of the rows, in F32 and rounded once.
     *
     * @param words I32, rows of {@link Quantization#words}(n) consecutive words
     * @param rows how many, at least 1
     * @param y of n elements; overwritten
     */
    default void sumQuantized(Rows words, long rows, Quantization quantization, Tensor y) {
        ComposedQuantization.sum(this, words, rows, quantization, y);
    }
}
