/**
 * Matrix products: {@link ds.backend.cuda.product.Products}, by cuBLASLt or by a kernel of our own; and with which of its algorithms, {@link
 * ds.backend.cuda.product.AlgorithmChoice}.
 */
package ds.backend.cuda.product;
