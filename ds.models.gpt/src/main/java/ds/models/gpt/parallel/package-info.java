/**
 * Layers split over ranks, as Megatron-LM splits them (Shoeybi et al., arXiv:1909.08053; sequence parallelism: Korthikanti et al.,
 * arXiv:2205.05198). Read in this order: {@link ds.models.gpt.parallel.TensorAxis} (the ranks, and what each holds),
 * {@link ds.models.gpt.parallel.TokenRows} (where activations are between products), {@link ds.models.gpt.parallel.Linear},
 * {@link ds.models.gpt.parallel.Vocabulary} (the table of tokens), {@link ds.models.gpt.parallel.SplitCrossEntropy}. On one rank
 * all of it is nothing, and the same kernels run as if it were not there.
 */
package ds.models.gpt.parallel;
