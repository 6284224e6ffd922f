// All gradients of a layer normalisation at once: dx as in layer_norm.cu, and those of weight and bias, the sums over the rows of dy · n and
// of dy. Reads dy, x and dx once and writes dx: 2 + 2 + 2 + 2 bytes an element of BF16 or F16, where the kernels apart move 12.

// What has been converted from x is converted again from here on, instead of being kept in twice the registers across a barrier.
template <class T, int N>
__device__ inline void convert_again(Pack<T, N>& x) {
#ifndef DS_EMULATED
#pragma unroll
    for (int i = 0; i < 4; i++) asm volatile("" : "+r"(reinterpret_cast<u32*>(&x)[i]));
#endif
}

// Adds the sums of the rows that a block has at once, in their order, and writes those of the block.
template <int N>
__device__ inline void write_sums(float (&sum)[N], float* to, int c, int columns) {
    __shared__ float rows[512 * N];
    if (blockDim.y > 1) {
        __syncthreads(); // the other gradient's may still be read
#pragma unroll
        for (int e = 0; e < N; e++) rows[(threadIdx.y * blockDim.x + threadIdx.x) * N + e] = sum[e];
        __syncthreads();
        for (int y = 1; threadIdx.y == 0 && y < blockDim.y; y++) {
#pragma unroll
            for (int e = 0; e < N; e++) sum[e] += rows[(y * blockDim.x + threadIdx.x) * N + e];
        }
    }
    if (threadIdx.y == 0 && c < columns) {
#pragma unroll
        for (int e = 0; e < N; e++) to[blockIdx.x * (i64)columns + c + e] = sum[e];
    }
}

// As many blocks as the device runs at once. Each has blockDim.y rows at once, more than one only in 512 threads, and then those that are
// gridDim.x · blockDim.y further on. A thread has N columns of each of its rows: what it has read of a row, and what its columns sum to,
// stays in registers. Sums of the block become row blockIdx.x of `weights` and of `biases`, [gridDim.x, columns].
template <class T>
__device__ inline void layer_norm_gradients(
        const T* dy, const T* x, const T* weight, const float* mean, const float* rstd, T* dx, float* weights, float* biases, i64 rows,
        int columns) {
    const int N = Wide<T>::N;
    typedef Pack<T, N> Wides;
    __shared__ float sums[2][32], products[2][32]; // by turns, so that one barrier a row is enough
    int warps = blockDim.x / 32, warp = threadIdx.y * warps, c = N * threadIdx.x;
    float ofWeight[N] = {}, ofBias[N] = {};
    Wides w = {};
    if (c < columns) w = *reinterpret_cast<const Wides*>(weight + c);
    int turn = 0;
    for (i64 first = (i64)blockIdx.x * blockDim.y; first < rows; first += (i64)gridDim.x * blockDim.y) {
        i64 r = first + threadIdx.y, at = r * columns + c;
        bool inside = r < rows && c < columns;
        Wides d = {}, v = {}, o = {}; // 0 outside, which adds nothing to any sum
        float m = 0, s = 0, sum = 0, product = 0;
        if (inside) {
            d = *reinterpret_cast<const Wides*>(dy + at);
            v = *reinterpret_cast<const Wides*>(x + at);
            o = *reinterpret_cast<const Wides*>(dx + at);
            m = mean[r];
            s = rstd[r];
        }
#pragma unroll
        for (int e = 0; e < N; e++) {
            float g = to_float(d.v[e]) * to_float(w.v[e]);
            sum += g;
            product = fmaf(g, (to_float(v.v[e]) - m) * s, product);
        }
        sum = warp_sum(sum);
        product = warp_sum(product);
        if (threadIdx.x % 32 == 0) {
            sums[turn][warp + threadIdx.x / 32] = sum;
            products[turn][warp + threadIdx.x / 32] = product;
        }
        __syncthreads();
        convert_again(d);
        convert_again(v);
        sum = product = 0;
        for (int i = 0; i < warps; i++) {
            sum += sums[turn][warp + i];
            product += products[turn][warp + i];
        }
        sum /= columns;
        product /= columns;
        turn ^= 1;
#pragma unroll
        for (int e = 0; e < N; e++) {
            float g = to_float(d.v[e]), n = (to_float(v.v[e]) - m) * s;
            ofWeight[e] = fmaf(g, n, ofWeight[e]);
            ofBias[e] += g;
            o.v[e] = from_float<T>(to_float(o.v[e]) + s * (g * to_float(w.v[e]) - sum - n * product));
        }
        if (inside) *reinterpret_cast<Wides*>(dx + at) = o;
    }
    write_sums(ofWeight, weights, c, columns);
    write_sums(ofBias, biases, c, columns);
}

// 64 registers: two blocks of 512 threads a multiprocessor.
#define INSTANCES(T, NAME)                                                                                              \
    KERNEL __launch_bounds__(1024) layer_norm_gradients_##NAME(                                                         \
            const T* dy, const T* x, const T* weight, const float* mean, const float* rstd, T* dx, float* weights,      \
            float* biases, i64 rows, int columns) {                                                                     \
        layer_norm_gradients(dy, x, weight, mean, rstd, dx, weights, biases, rows, columns);                            \
    }
INSTANCES(float, f32)
INSTANCES(bf16, bf16)
INSTANCES(f16, f16)
