/**
 * Matrix products by oneDNN. Read in this order: {@link ds.backend.cpu.product.MatrixProducts} (one product, shared by threads),
 * {@link ds.backend.cpu.product.Factors} (in which form it gets its factors), {@link ds.backend.cpu.product.Blocking} (how it is cut),
 * {@link ds.backend.cpu.product.TileProduct} (what one thread computes at a time), {@link ds.backend.cpu.product.OneDnn} (the library).
 */
package ds.backend.cpu.product;
