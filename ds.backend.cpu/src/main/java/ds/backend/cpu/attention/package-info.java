/**
 * Attention in the products of {@link ds.backend.cpu.product}, with the softmax of {@link ds.backend.cpu.vector.AttentionRows} between
 * them; begins at {@link ds.backend.cpu.attention.TiledAttention}.
 */
package ds.backend.cpu.attention;
