/** The native libraries, one class each: the C prototype above every call, every status checked in one place. */
package ds.comm.nccl.driver;
