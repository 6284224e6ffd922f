/**
 * What others implement and {@link java.util.ServiceLoader} finds: providers of backends, communicators and optimizers.
 * {@link ds.api.spi.Providers} looks them up by name.
 */
package ds.api.spi;
