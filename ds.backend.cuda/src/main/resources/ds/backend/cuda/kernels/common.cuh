// What all kernels share; put before each of them, so that no header has to be found at run time.
// Arithmetic is F32. Products and sums are contracted only where fmaf is written: the same bits in vectors and in tails.

typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

#ifndef DS_EMULATED
#define KERNEL extern "C" __global__ void
#define DYNAMIC_SHARED(name) extern __shared__ __align__(16) unsigned char name[]
#endif

// As ds.backend.cuda.launch.Codes numbers them.
enum { F32, BF16, F16, F64, I32 };

struct bf16 {
    u16 bits;
};
struct f16 {
    u16 bits;
};

__device__ inline u32 bits_of(float x) {
    return __float_as_uint(x);
}
__device__ inline float of_bits(u32 x) {
    return __uint_as_float(x);
}

__device__ inline float to_float(float x) {
    return x;
}
__device__ inline float to_float(bf16 x) {
    return of_bits((u32)x.bits << 16);
}
__device__ inline float to_float(f16 x) {
#ifdef DS_EMULATED
    return emulated_half_to_float(x.bits);
#else
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
    return y;
#endif
}

// To nearest even; NaN stays NaN.
__device__ inline u16 bf16_bits(float x) {
    u32 bits = bits_of(x);
    if (x != x) return (u16)(bits >> 16 | 0x40);
    return (u16)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
__device__ inline u16 f16_bits(float x) {
#ifdef DS_EMULATED
    return emulated_float_to_half(x);
#else
    u16 y;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y) : "f"(x));
    return y;
#endif
}

template <class T>
__device__ inline T from_float(float x);
template <>
__device__ inline float from_float<float>(float x) {
    return x;
}
template <>
__device__ inline bf16 from_float<bf16>(float x) {
#if !defined(DS_EMULATED) && __CUDA_ARCH__ >= 800
    bf16 y; // the same bits in one instruction, but for NaN, of which there is only one then
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
#else
    bf16 y = {bf16_bits(x)};
#endif
    return y;
}
template <>
__device__ inline f16 from_float<f16>(float x) {
    f16 y = {f16_bits(x)};
    return y;
}

#define LOG2_E 1.4426950408889634f
// 2^x to 22 bits; what is below the smallest normal number is 0.
__device__ inline float exp2_of(float x) {
#ifdef DS_EMULATED
    return exp2f(x);
#else
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#endif
}

// N elements that one instruction loads.
template <class T, int N>
struct __align__(sizeof(T) * N) Pack {
    T v[N];
};
template <class T>
struct Wide {
    static const int N = 16 / sizeof(T);
};

__device__ inline bool aligned(const void* p, u32 bytes) {
    return (u64)p % bytes == 0;
}

template <class T, int N>
__device__ inline void load(const T* p, float (&x)[N]) {
    Pack<T, N> pack = *reinterpret_cast<const Pack<T, N>*>(p);
#pragma unroll
    for (int k = 0; k < N; k++) x[k] = to_float(pack.v[k]);
}
template <class T, int N>
__device__ inline void store(T* p, const float (&x)[N]) {
    Pack<T, N> pack;
#pragma unroll
    for (int k = 0; k < N; k++) pack.v[k] = from_float<T>(x[k]);
    *reinterpret_cast<Pack<T, N>*>(p) = pack;
}

// One element of a type that is known at run time only: the same for all threads, so that no branch diverges.
__device__ inline float load1(const void* p, int type, i64 i) {
    switch (type) {
        case BF16:
            return to_float(((const bf16*)p)[i]);
        case F16:
            return to_float(((const f16*)p)[i]);
        case F64:
            return (float)((const double*)p)[i];
        case I32:
            return (float)((const int*)p)[i];
        default:
            return ((const float*)p)[i];
    }
}
__device__ inline void store1(void* p, int type, i64 i, float x) {
    switch (type) {
        case BF16:
            ((bf16*)p)[i] = from_float<bf16>(x);
            break;
        case F16:
            ((f16*)p)[i] = from_float<f16>(x);
            break;
        case F64:
            ((double*)p)[i] = x;
            break;
        case I32:
            ((int*)p)[i] = (int)x;
            break;
        default:
            ((float*)p)[i] = x;
    }
}

// Whether four elements at a multiple of four can be loaded at once.
__device__ inline bool quads(const void* p, int type) {
    return type == F32 ? aligned(p, 16) : (type == BF16 || type == F16) && aligned(p, 8);
}
// count elements from i on, at most four; all at once if four are there and `quad`.
__device__ inline void load4(const void* p, int type, bool quad, i64 i, int count, float (&x)[4]) {
    if (quad && count == 4) {
        switch (type) {
            case BF16:
                load((const bf16*)p + i, x);
                return;
            case F16:
                load((const f16*)p + i, x);
                return;
            default:
                load((const float*)p + i, x);
                return;
        }
    }
#pragma unroll
    for (int k = 0; k < 4; k++) x[k] = k < count ? load1(p, type, i + k) : 0.0f;
}
__device__ inline void store4(void* p, int type, bool quad, i64 i, int count, const float (&x)[4]) {
    if (quad && count == 4) {
        switch (type) {
            case BF16:
                store((bf16*)p + i, x);
                return;
            case F16:
                store((f16*)p + i, x);
                return;
            default:
                store((float*)p + i, x);
                return;
        }
    }
#pragma unroll
    for (int k = 0; k < 4; k++)
        if (k < count) store1(p, type, i + k, x[k]);
}

__device__ inline int count4(i64 i, i64 n) {
    return n - i < 4 ? (int)(n - i) : 4;
}
// i is the first of four elements of this thread.
#define FOR_QUADS(i, n)                                                                                  \
    for (i64 i = 4 * ((i64)blockIdx.x * blockDim.x + threadIdx.x); i < (n); i += 4 * (i64)gridDim.x * blockDim.x)

template <class T>
__device__ inline T warp_sum(T x) {
#pragma unroll
    for (int offset = 16; offset > 0; offset /= 2) x += __shfl_xor_sync(0xffffffffu, x, offset);
    return x;
}
__device__ inline float warp_max(float x) {
#pragma unroll
    for (int offset = 16; offset > 0; offset /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, offset));
    return x;
}

// Sum over the block, the same in every thread; the block is whole warps, `shared` has an element for each.
template <class T>
__device__ inline T block_sum(T x, T* shared) {
    int warps = blockDim.x / 32;
    x = warp_sum(x);
    __syncthreads(); // `shared` may still be read
    if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = x;
    __syncthreads();
    T sum = shared[0];
    for (int w = 1; w < warps; w++) sum += shared[w];
    return sum;
}
// NaN where any is: fmaxf drops it.
__device__ inline float max_of(float a, float b) {
    return a != a ? a : b != b ? b : fmaxf(a, b);
}
__device__ inline float block_max(float x, float* shared) {
    int warps = blockDim.x / 32;
#pragma unroll
    for (int offset = 16; offset > 0; offset /= 2) x = max_of(x, __shfl_xor_sync(0xffffffffu, x, offset));
    __syncthreads();
    if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = x;
    __syncthreads();
    float max = shared[0];
    for (int w = 1; w < warps; w++) max = max_of(max, shared[w]);
    return max;
}

// ds.api.CounterRandom.
#define GAMMA 0x9E3779B97F4A7C15ull
__device__ inline u64 mix(u64 z) {
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ z >> 27) * 0x94D049BB133111EBull;
    return z ^ z >> 31;
}
// The number of a counter, in [0, 1).
__device__ inline float uniform_of(u64 key, u64 counter) {
    return (float)(u32)(mix(key + (counter + 1) * GAMMA) >> 40) * 0x1p-24f;
}
__device__ inline u32 bits16_of(u64 key, u64 counter) {
    return (u32)(mix(key + ((counter >> 2) + 1) * GAMMA) >> 16 * (counter & 3)) & 0xffff;
}

// x · kept / (1 − rate), or 0.
__device__ inline float dropped(float x, u64 key, u64 counter, float rate, float scale) {
    return uniform_of(key, counter) >= rate ? x * scale : 0.0f;
}
