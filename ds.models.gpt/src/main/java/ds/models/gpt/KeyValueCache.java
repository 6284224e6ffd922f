package ds.models.gpt;

import ds.api.Tensor;

/**
 * Keys and values of the positions already seen, of one block.
 *
 * @param keys {@code [B, P, C]}
 * @param values {@code [B, P, C]}
 * @param past positions filled
 */
record KeyValueCache(Tensor keys, Tensor values, long past) {}
