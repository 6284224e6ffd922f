/**
 * The GPT-2 family (Radford et al., 2019): pre-normalised transformer blocks, learned positions, an output projection tied to the
 * token embedding. Read in this order: {@link ds.models.gpt.GptConfig} (the shape), {@link ds.models.gpt.Gpt} (the model),
 * {@link ds.models.gpt.TransformerBlock} (both directions of a block), {@link ds.models.gpt.LanguageModelHead} (the loss),
 * {@link ds.models.gpt.Generator} (sampling), {@link ds.models.gpt.HuggingFace} (files).
 */
package ds.models.gpt;
