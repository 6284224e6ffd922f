/**
 * Memory of the host: {@link ds.backend.cpu.memory.HostMemory} (from Linux), {@link ds.backend.cpu.memory.WorkMemory} (kept from call to
 * call).
 */
package ds.backend.cpu.memory;
