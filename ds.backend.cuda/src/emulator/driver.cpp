// The part of the CUDA driver API that ds.backend.cuda and ds.comm.nccl call, on the host: "device" memory is host memory, filled with
// rubbish when it is allocated, and work is done when it is enqueued. A module is the path of a shared library that nvrtc.cpp made. With
// DS_EMULATED_IDLE the device and cuBLASLt do nothing at all: what a step takes then is the host's part of it.
#include <atomic>
#include <cstdio>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <map>
#include <mutex>
#include <string>

namespace {
std::mutex lock;
std::map<uintptr_t, size_t> allocated;
const size_t TOTAL = 8ull << 30;
size_t used = 0;
std::atomic<long> synchronizations{0};
const bool IDLE = getenv("DS_EMULATED_IDLE") != nullptr;
thread_local void* context = nullptr;
char the_context;

enum { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_CONTEXT = 201, INVALID_IMAGE = 200, NOT_FOUND = 500 };

#define NEED_CONTEXT \
    if (context == nullptr) return INVALID_CONTEXT

bool inside(uintptr_t address, size_t bytes) {
    std::lock_guard<std::mutex> guard(lock);
    auto after = allocated.upper_bound(address);
    if (after == allocated.begin()) return false;
    auto& [begin, size] = *std::prev(after);
    return address + bytes <= begin + size;
}
} // namespace

extern "C" {
// No driver has this: how often the host has waited for a device, for tests.
long emulatedSynchronizations() {
    return synchronizations;
}
int cuInit(unsigned) {
    return SUCCESS;
}
int cuDriverGetVersion(int* version) {
    *version = 13000;
    return SUCCESS;
}
int cuDeviceGetCount(int* count) {
    const char* devices = getenv("DS_EMULATED_DEVICES");
    *count = devices ? atoi(devices) : 4;
    return SUCCESS;
}
int cuDeviceGet(int* device, int ordinal) {
    *device = ordinal;
    return SUCCESS;
}
int cuDeviceGetName(char* name, int length, int) {
    snprintf(name, length, "emulated device");
    return SUCCESS;
}
int cuDeviceTotalMem_v2(size_t* bytes, int) {
    *bytes = TOTAL;
    return SUCCESS;
}
int cuDeviceGetAttribute(int* value, int attribute, int) {
    switch (attribute) {
        case 75: // compute capability, major
            *value = 9;
            return SUCCESS;
        case 76:
            *value = 0;
            return SUCCESS;
        case 16: // multiprocessors
            *value = 4;
            return SUCCESS;
        case 97: // shared memory of a block, with the attribute of the function
            *value = 232448;
            return SUCCESS;
        default:
            return INVALID_VALUE;
    }
}
int cuDevicePrimaryCtxRetain(void** result, int) {
    *result = &the_context;
    return SUCCESS;
}
int cuDevicePrimaryCtxRelease_v2(int) {
    return SUCCESS;
}
int cuCtxSetCurrent(void* other) {
    context = other;
    return SUCCESS;
}
int cuMemGetInfo_v2(size_t* free, size_t* total) {
    NEED_CONTEXT;
    *free = TOTAL - used;
    *total = TOTAL;
    return SUCCESS;
}
int cuMemAlloc_v2(uintptr_t* address, size_t bytes) {
    NEED_CONTEXT;
    std::lock_guard<std::mutex> guard(lock);
    if (bytes > TOTAL - used) return OUT_OF_MEMORY;
    void* memory = aligned_alloc(512, (bytes + 511) / 512 * 512);
    memset(memory, 0xa5, bytes);
    allocated[(uintptr_t)memory] = bytes;
    used += bytes;
    *address = (uintptr_t)memory;
    return SUCCESS;
}
int cuMemFree_v2(uintptr_t address) {
    std::lock_guard<std::mutex> guard(lock);
    auto found = allocated.find(address);
    if (found == allocated.end()) return INVALID_VALUE;
    used -= found->second;
    allocated.erase(found);
    free((void*)address);
    return SUCCESS;
}
int cuMemHostAlloc(void** address, size_t bytes, unsigned) {
    NEED_CONTEXT;
    *address = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    return *address ? SUCCESS : OUT_OF_MEMORY;
}
int cuMemFreeHost(void* address) {
    free(address);
    return SUCCESS;
}
int cuMemsetD8Async(uintptr_t address, unsigned char value, size_t n, void*) {
    NEED_CONTEXT;
    if (IDLE) return SUCCESS;
    if (!inside(address, n)) return INVALID_VALUE;
    memset((void*)address, value, n);
    return SUCCESS;
}
int cuMemsetD16Async(uintptr_t address, unsigned short value, size_t n, void*) {
    NEED_CONTEXT;
    if (IDLE) return SUCCESS;
    if (!inside(address, 2 * n) || address % 2) return INVALID_VALUE;
    for (size_t i = 0; i < n; i++) ((unsigned short*)address)[i] = value;
    return SUCCESS;
}
int cuMemsetD32Async(uintptr_t address, unsigned value, size_t n, void*) {
    NEED_CONTEXT;
    if (IDLE) return SUCCESS;
    if (!inside(address, 4 * n) || address % 4) return INVALID_VALUE;
    for (size_t i = 0; i < n; i++) ((unsigned*)address)[i] = value;
    return SUCCESS;
}
int cuMemcpyHtoDAsync_v2(uintptr_t to, const void* from, size_t bytes, void*) {
    NEED_CONTEXT;
    if (IDLE) return SUCCESS;
    if (!inside(to, bytes)) return INVALID_VALUE;
    memcpy((void*)to, from, bytes);
    return SUCCESS;
}
int cuMemcpyDtoHAsync_v2(void* to, uintptr_t from, size_t bytes, void*) {
    NEED_CONTEXT;
    if (IDLE) return SUCCESS;
    if (!inside(from, bytes)) return INVALID_VALUE;
    memcpy(to, (void*)from, bytes);
    return SUCCESS;
}
int cuMemcpyDtoDAsync_v2(uintptr_t to, uintptr_t from, size_t bytes, void*) {
    NEED_CONTEXT;
    if (IDLE) return SUCCESS;
    if (!inside(from, bytes) || !inside(to, bytes)) return INVALID_VALUE;
    memmove((void*)to, (void*)from, bytes);
    return SUCCESS;
}
int cuStreamCreate(void** stream, unsigned) {
    NEED_CONTEXT;
    *stream = malloc(1);
    return SUCCESS;
}
int cuStreamDestroy_v2(void* stream) {
    free(stream);
    return SUCCESS;
}
int cuStreamSynchronize(void*) {
    NEED_CONTEXT;
    synchronizations++;
    return SUCCESS;
}
int cuStreamWaitEvent(void*, void* event, unsigned) {
    return event ? SUCCESS : INVALID_VALUE;
}
int cuEventCreate(void** event, unsigned) {
    NEED_CONTEXT;
    *event = malloc(1);
    return SUCCESS;
}
int cuEventRecord(void* event, void*) {
    return event ? SUCCESS : INVALID_VALUE;
}
int cuEventQuery(void* event) {
    return event ? SUCCESS : INVALID_VALUE;
}
int cuEventSynchronize(void* event) {
    synchronizations++;
    return event ? SUCCESS : INVALID_VALUE;
}
int cuEventDestroy_v2(void* event) {
    free(event);
    return SUCCESS;
}
int cuModuleLoadData(void** module, const void* image) {
    NEED_CONTEXT;
    *module = dlopen((const char*)image, RTLD_NOW | RTLD_LOCAL);
    if (*module) return SUCCESS;
    fprintf(stderr, "emulated driver: %s\n", dlerror());
    return INVALID_IMAGE;
}
int cuModuleUnload(void*) {
    return SUCCESS;
}
int cuModuleGetFunction(void** function, void* module, const char* name) {
    *function = dlsym(module, (std::string("launch_") + name).c_str());
    return *function ? SUCCESS : NOT_FOUND;
}
int cuFuncSetAttribute(void*, int attribute, int) {
    return attribute == 8 ? SUCCESS : INVALID_VALUE; // dynamic shared memory
}
int cuLaunchKernel(
        void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, void*,
        void** parameters, void**) {
    NEED_CONTEXT;
    if (gx == 0 || gy == 0 || gz == 0 || gy > 65535 || gz > 65535 || bx * by * bz > 1024) return INVALID_VALUE;
    if (IDLE) return SUCCESS;
    std::lock_guard<std::mutex> guard(lock);
    unsigned dims[6] = {gx, gy, gz, bx, by, bz};
    ((void (*)(void**, const unsigned*, unsigned))function)(parameters, dims, shared);
    return SUCCESS;
}
int cuGetErrorName(int status, const char** name) {
    *name = status == OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY" : status == SUCCESS ? "CUDA_SUCCESS" : "CUDA_ERROR_EMULATED";
    return SUCCESS;
}
int cuGetErrorString(int, const char** text) {
    *text = "as the emulated driver says";
    return SUCCESS;
}
}
