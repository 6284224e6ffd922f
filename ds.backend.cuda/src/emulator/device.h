// CUDA C++ for the host, as far as the kernels of ds.backend.cuda use it: each thread of a block is a coroutine of one host thread, which
// stops at barriers and where lanes of a warp exchange values. Blocks run one after the other, every second one with its threads in reverse
// order, so that what depends on the order of threads shows. For tests of the kernels' arithmetic; it says nothing about speed.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "warpgroup.h"

#define DS_EMULATED 1
#define __device__
#define __launch_bounds__(...)
#define __align__(n) alignas(n)
#define __shared__ static
#define KERNEL extern "C" DS_GLOBAL void
#define DYNAMIC_SHARED(name) unsigned char* name = emulated::dynamic_shared

namespace emulated {
struct Dim {
    unsigned x, y, z;
};

// Done when its group is waited for, and not before.
struct Copy {
    void* to;
    const void* from;
    int bytes;
};

// A coroutine: its stack pointer is all that has to be kept.
struct Thread {
    Dim index;
    void* stack_pointer;
    char* stack;
    bool done;
    uint64_t barriers, exchanges;
    std::vector<std::vector<Copy>> copies; // groups, the newest last and open
    bool unpublished;                      // has copied what the tensor cores do not see
    std::vector<Product> products;         // begun
};
struct Warp {
    unsigned arrived;
    uint64_t generation;
    alignas(16) unsigned char slots[2][32][64];
};

inline Dim grid, block, current_block;
inline std::vector<Thread> threads;
inline std::vector<Warp> warps;
inline Thread* current;
inline void* scheduler;
inline unsigned arrived;
inline uint64_t generation;
inline unsigned turn_arrived;
inline uint64_t turns;
inline int votes[2];
inline void (*body)(void*);
inline void* body_argument;

[[noreturn]] inline void fail(const char* what) {
    fprintf(stderr, "emulated device: %s\n", what);
    abort();
}

extern "C" void emulated_switch(void** from, void* to);
asm(R"(
.text
.local emulated_switch
.type emulated_switch, @function
emulated_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size emulated_switch, .-emulated_switch
)");

inline void yield() {
    emulated_switch(&current->stack_pointer, scheduler);
}

inline void entry() {
    body(body_argument);
    if (!current->products.empty()) fail("a thread has ended before its products");
    current->done = true;
    yield();
    fail("a thread went on after its end");
}

inline unsigned linear(const Thread& t) {
    return t.index.x + block.x * (t.index.y + block.y * t.index.z);
}

inline void barrier(int vote) {
    uint64_t own = generation;
    votes[own % 2] |= vote;
    current->barriers++;
    if (++arrived == threads.size()) {
        arrived = 0;
        votes[(own + 1) % 2] = 0;
        generation++;
    }
    while (generation == own) yield();
}

// Each lane hands over bytes, and reads those of others afterwards.
inline const unsigned char (*exchange(const void* bytes, size_t size))[64] {
    unsigned number = linear(*current);
    Warp& warp = warps[number / 32];
    unsigned lanes = threads.size() - number / 32 * 32 < 32 ? threads.size() - number / 32 * 32 : 32;
    uint64_t own = warp.generation;
    memcpy(warp.slots[own % 2][number % 32], bytes, size);
    current->exchanges++;
    if (++warp.arrived == lanes) {
        warp.arrived = 0;
        warp.generation++;
    }
    while (warp.generation == own) yield();
    return warp.slots[own % 2];
}

inline void run_block() {
    arrived = 0;
    generation = 0;
    turn_arrived = 0;
    turns = 0;
    votes[0] = votes[1] = 0;
    for (auto& warp : warps) warp.arrived = warp.generation = 0;
    size_t n = threads.size();
    for (size_t i = 0; i < n; i++) {
        Thread& t = threads[i];
        t.index = {(unsigned)(i % block.x), (unsigned)(i / block.x % block.y), (unsigned)(i / block.x / block.y)};
        t.done = false;
        t.barriers = t.exchanges = 0;
        t.copies.assign(1, {});
        t.unpublished = false;
        t.products.clear();
        void** top = (void**)(t.stack + (96 << 10)) - 1; // a function begins 8 bytes below a multiple of 16
        *--top = (void*)entry;
        top -= 6;
        memset(top, 0, 6 * sizeof(void*));
        t.stack_pointer = top;
    }
    bool reversed = (current_block.x + current_block.y) % 2 != 0;
    size_t running = n;
    for (uint64_t before = ~0ull; running > 0;) {
        uint64_t progress = 0;
        for (size_t i = 0; i < n; i++) {
            Thread& t = threads[reversed ? n - 1 - i : i];
            if (t.done) continue;
            current = &t;
            emulated_switch(&scheduler, t.stack_pointer);
            if (t.done) running--;
        }
        for (auto& t : threads) progress += t.barriers + t.exchanges + t.done;
        if (progress == before) fail("threads wait for each other: a barrier or an exchange that not all of them reach");
        before = progress;
    }
    if (turn_arrived != 0) fail("a turn has been passed that nobody took");
    for (auto& t : threads)
        if (t.barriers != threads[0].barriers) fail("threads of a block have passed different numbers of barriers");
}

template <class... A, size_t... I>
void call(void (*kernel)(A...), void** p, std::index_sequence<I...>) {
    kernel(*(A*)p[I]...);
}

template <class... A>
void launch(void (*kernel)(A...), void** parameters, const unsigned* dims, unsigned shared_bytes) {
    grid = {dims[0], dims[1], dims[2]};
    block = {dims[3], dims[4], dims[5]};
    struct Call {
        void (*kernel)(A...);
        void** parameters;
    } call_of = {kernel, parameters};
    body_argument = &call_of;
    body = [](void* argument) {
        Call* c = (Call*)argument;
        call(c->kernel, c->parameters, std::index_sequence_for<A...>());
    };
    size_t n = (size_t)block.x * block.y * block.z;
    if (n == 0 || n > 1024) fail("a block of 0 threads, or of more than 1024");
    size_t had = threads.size();
    for (size_t i = n; i < had; i++) free(threads[i].stack);
    threads.resize(n);
    for (size_t i = had; i < n; i++) threads[i].stack = (char*)aligned_alloc(64, 96 << 10);
    warps.resize((n + 31) / 32);
    dynamic_shared = (unsigned char*)aligned_alloc(64, (shared_bytes + 63) / 64 * 64 + 64);
    memset(dynamic_shared, 0xa5, (shared_bytes + 63) / 64 * 64 + 64);
    for (unsigned z = 0; z < grid.z; z++)
        for (unsigned y = 0; y < grid.y; y++)
            for (unsigned x = 0; x < grid.x; x++) {
                current_block = {x, y, z};
                run_block();
            }
    for (unsigned i = 0; i < 64; i++)
        if (dynamic_shared[shared_bytes + i] != 0xa5) fail("wrote behind the dynamic shared memory");
    free(dynamic_shared);
}
} // namespace emulated

#define threadIdx emulated::current->index
#define blockIdx emulated::current_block
#define blockDim emulated::block
#define gridDim emulated::grid

inline void __syncthreads() {
    emulated::barrier(0);
}
inline int __syncthreads_or(int predicate) {
    uint64_t own = emulated::generation;
    emulated::barrier(predicate != 0);
    return emulated::votes[own % 2];
}
inline void __syncwarp() {
    char nothing = 0;
    emulated::exchange(&nothing, 1);
}
template <class T>
T __shfl_sync(unsigned, T value, int lane) {
    auto all = emulated::exchange(&value, sizeof(T));
    T result;
    memcpy(&result, all[lane % 32], sizeof(T));
    return result;
}
template <class T>
T __shfl_xor_sync(unsigned, T value, int mask) {
    auto all = emulated::exchange(&value, sizeof(T));
    T result;
    memcpy(&result, all[emulated::linear(*emulated::current) % 32 ^ mask], sizeof(T));
    return result;
}
inline unsigned __ballot_sync(unsigned, int predicate) {
    auto all = emulated::exchange(&predicate, sizeof(int));
    unsigned ballot = 0;
    for (int lane = 0; lane < 32; lane++) {
        int other;
        memcpy(&other, all[lane], sizeof(int));
        ballot |= (unsigned)(other != 0) << lane;
    }
    return ballot;
}
inline int __popc(unsigned x) {
    return __builtin_popcount(x);
}
inline unsigned __float_as_uint(float x) {
    unsigned bits;
    memcpy(&bits, &x, 4);
    return bits;
}
inline float __uint_as_float(unsigned bits) {
    float x;
    memcpy(&x, &bits, 4);
    return x;
}
inline float emulated_half_to_float(unsigned short bits) {
    _Float16 half;
    memcpy(&half, &bits, 2);
    return (float)half;
}
inline unsigned shared_address(const void* p) {
    return emulated::shared_offset(p);
}
inline unsigned short emulated_float_to_half(float x) {
    _Float16 half = (_Float16)x;
    unsigned short bits;
    memcpy(&bits, &half, 2);
    return bits;
}

// Matrix fragments as the PTX ISA states them: the part of a matrix that each lane of a warp holds.
template <bool TRANSPOSED>
void emulated_load_matrices(unsigned (&m)[4], const void* row) {
    if ((uintptr_t)row % 16 != 0) emulated::fail("ldmatrix of a row that is not aligned to 16 bytes");
    auto all = emulated::exchange(row, 16); // lane l brings row l % 8 of matrix l / 8
    unsigned lane = emulated::linear(*emulated::current) % 32;
    for (int matrix = 0; matrix < 4; matrix++) {
        unsigned value = 0;
        for (int half = 0; half < 2; half++) {
            int r = TRANSPOSED ? lane % 4 * 2 + half : lane / 4, c = TRANSPOSED ? lane / 4 : lane % 4 * 2 + half;
            unsigned short element;
            memcpy(&element, all[8 * matrix + r] + 2 * c, 2);
            value |= (unsigned)element << 16 * half;
        }
        m[matrix] = value;
    }
}
// What is copied is rubbish until it is waited for.
inline void copy_async(void* to, const void* from, int bytes) {
    if ((uintptr_t)to % 16 != 0 || (uintptr_t)from % 16 != 0) emulated::fail("cp.async of 16 bytes that are not aligned to them");
    memset(to, 0xa5, 16);
    emulated::current->copies.back().push_back({to, from, bytes});
}
inline void end_copies() {
    emulated::current->copies.push_back({});
}
template <int NEWEST>
void await_copies() {
    auto& groups = emulated::current->copies;
    while ((int)groups.size() - 1 > NEWEST) {
        emulated::current->unpublished |= !groups.front().empty();
        for (auto& copy : groups.front()) {
            memset(copy.to, 0, 16);
            memcpy(copy.to, copy.from, copy.bytes);
        }
        groups.erase(groups.begin());
    }
}
#define load_matrices emulated_load_matrices<false>
#define load_transposed emulated_load_matrices<true>

template <class T>
void mma(T, float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    unsigned own[6] = {a[0], a[1], a[2], a[3], b0, b1};
    auto all = emulated::exchange(own, sizeof(own));
    unsigned lane = emulated::linear(*emulated::current) % 32;
    auto element = [&](unsigned from, int register_, int half) {
        unsigned both;
        memcpy(&both, all[from] + 4 * register_, 4);
        T value;
        value.bits = (unsigned short)(both >> 16 * half);
        return to_float(value);
    };
    for (int e = 0; e < 4; e++) {
        int row = lane / 4 + e / 2 * 8, column = lane % 4 * 2 + e % 2;
        float sum = 0;
        for (int k = 0; k < 16; k++) {
            // a: registers 0 and 2 hold rows 0 to 7, 1 and 3 rows 8 to 15; 2 and 3 hold columns 8 to 15.
            float left = element(row % 8 * 4 + k % 8 / 2, row / 8 + k / 8 * 2, k % 2);
            float right = element(column * 4 + k % 8 / 2, 4 + k / 8, k % 2);
            sum += left * right;
        }
        c[e] += sum;
    }
}

// Products of warpgroups.
inline void arrive_at_turn() {
    emulated::current->exchanges++;
    if (++emulated::turn_arrived == 256) {
        emulated::turn_arrived = 0;
        emulated::turns++;
    }
}
inline void await_turn() {
    uint64_t own = emulated::turns;
    arrive_at_turn();
    while (emulated::turns == own) emulated::yield();
}
inline void fence_proxy_async() {
    emulated::current->unpublished = false;
}
inline void begin_products() {}
inline void end_products() {
    for (auto& product : emulated::current->products) product.committed = true;
}
template <int C>
void hold(float (&)[C][4]) {}
inline void emulated_begin(emulated::Product product) {
    for (auto& thread : emulated::threads)
        if (thread.unpublished) emulated::fail("tensor cores read a tile that a thread has copied and not published");
    emulated::current->products.push_back(product);
}
template <class T>
float emulated_value(unsigned short bits) {
    T value;
    value.bits = bits;
    return to_float(value);
}
template <class T, int C>
void wgmma(T, float (&c)[C][4], unsigned long long a, unsigned long long b, int add) {
    emulated_begin({c, C, false, false, add != 0, false, {}, a, b, emulated_value<T>});
}
template <bool TRANSPOSED, class T, int C>
void wgmma(T, float (&c)[C][4], const unsigned (&a)[4], unsigned long long b, int add) {
    emulated_begin({c, C, true, TRANSPOSED, add != 0, false, {a[0], a[1], a[2], a[3]}, 0, b, emulated_value<T>});
}
inline void await_all_products() {
    unsigned number = emulated::linear(*emulated::current);
    std::vector<emulated::Product> products = std::move(emulated::current->products);
    emulated::current->products.clear();
    for (auto& product : products) {
        if (!product.committed) emulated::fail("a product is waited for that was not committed");
        auto lanes = emulated::exchange(product.a_registers, sizeof(product.a_registers));
        product.run(number, lanes);
    }
}
