/**
 * Matrix products by oneDNN. Read in this order: {@link ds.backend.cpu.product.MatrixProducts} (one product, shared by threads),
 * {@link ds.backend.cpu.product.TileProduct} (what one thread computes at a time), {@link ds.backend.cpu.product.OneDnn} (the library).
 */
package ds.backend.cpu.product;
