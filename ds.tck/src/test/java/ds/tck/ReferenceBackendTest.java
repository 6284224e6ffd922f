package ds.tck;

import ds.api.TensorBackend;

/** The suite against the reference itself: its tests can pass, and the reference keeps the rules of memory and streams. */
class ReferenceBackendTest extends TensorBackendContract {
    @Override
    protected TensorBackend open() {
        return new ReferenceBackend();
    }
}
