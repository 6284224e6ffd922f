/**
 * Who may take part where a network is hostile: {@link ds.comm.tcp.tls.TlsOptions} reads certificates and keys,
 * {@link ds.comm.tcp.tls.Tls} makes engines that speak TLS 1.3 and nothing else, and demand a certificate of the other end.
 */
package ds.comm.tcp.tls;
