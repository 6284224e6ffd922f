// GELU in its tanh form, of x + bias, or of x where bias is null: ds.api.Kernels.biasGelu and linearGelu. All tensors of one type T but the
// gradient of the bias.
#define SQRT_2_OVER_PI 0.7978845608028654f
#define CUBIC 0.044715f

__device__ inline float gelu(float u) {
    float h = tanhf(SQRT_2_OVER_PI * (u + CUBIC * u * u * u));
    return 0.5f * u * (1.0f + h);
}
// 0.5 (1 + h) + 0.5 u (1 - h²) inner'; where 1 - h² is 0, u² may be infinite.
__device__ inline float gelu_slope(float u) {
    float h = tanhf(SQRT_2_OVER_PI * (u + CUBIC * u * u * u));
    float sech2 = 1.0f - h * h;
    float inner = SQRT_2_OVER_PI * (1.0f + 3.0f * CUBIC * u * u);
    return 0.5f * (1.0f + h) + (sech2 > 0.0f ? 0.5f * u * sech2 * inner : 0.0f);
}

template <class T, int N>
__device__ inline void bias_gelu_of(const T* x, const T* bias, T* y, i64 n, int columns) {
    for (i64 i = N * ((i64)blockIdx.x * blockDim.x + threadIdx.x); i < n; i += N * (i64)gridDim.x * blockDim.x) {
        float v[N], b[N];
        load(x + i, v);
        if (bias) load(bias + i % columns, b);
#pragma unroll
        for (int k = 0; k < N; k++) v[k] = gelu(bias ? v[k] + b[k] : v[k]);
        store(y + i, v);
    }
}
template <class T>
__device__ inline void bias_gelu(const T* x, const T* bias, T* y, i64 n, int columns) {
    const int wide = Wide<T>::N;
    if (columns % wide == 0 && aligned(x, 16) && aligned(bias, 16) && aligned(y, 16))
        bias_gelu_of<T, wide>(x, bias, y, n, columns);
    else
        bias_gelu_of<T, 1>(x, bias, y, n, columns);
}

// Blocks of 32 by 8 threads: 128 columns, and the rows of one chunk. partial is [chunks, columns].
template <class T>
__device__ inline void bias_gelu_backward(
        const T* dy, const T* x, const T* bias, T* dx, float* partial, i64 rows, int columns, i64 chunkRows) {
    __shared__ float sums[8][128];
    int c = 128 * blockIdx.x + 4 * threadIdx.x;
    bool quad = columns % 4 == 0 && aligned(dy, 4 * sizeof(T)) && aligned(x, 4 * sizeof(T)) && aligned(dx, 4 * sizeof(T));
    i64 end = chunkRows * (blockIdx.y + 1) < rows ? chunkRows * (blockIdx.y + 1) : rows;
    float sum[4] = {0, 0, 0, 0}, b[4];
#pragma unroll
    for (int k = 0; k < 4; k++) b[k] = bias && c + k < columns ? to_float(bias[c + k]) : 0.0f;
    for (i64 r = chunkRows * blockIdx.y + threadIdx.y; c < columns && r < end; r += 8) {
        i64 at = r * columns + c;
        float d[4], v[4];
        if (quad) {
            load(dy + at, d);
            load(x + at, v);
        } else {
#pragma unroll
            for (int k = 0; k < 4; k++) {
                d[k] = c + k < columns ? to_float(dy[at + k]) : 0.0f;
                v[k] = c + k < columns ? to_float(x[at + k]) : 0.0f;
            }
        }
#pragma unroll
        for (int k = 0; k < 4; k++) {
            d[k] *= gelu_slope(v[k] + b[k]);
            sum[k] += d[k];
        }
        if (quad) {
            store(dx + at, d);
        } else {
#pragma unroll
            for (int k = 0; k < 4; k++)
                if (c + k < columns) dx[at + k] = from_float<T>(d[k]);
        }
    }
#pragma unroll
    for (int k = 0; k < 4; k++) sums[threadIdx.y][4 * threadIdx.x + k] = sum[k];
    __syncthreads();
    int mine = 32 * threadIdx.y + threadIdx.x;
    if (mine < 128 && 128 * blockIdx.x + mine < columns) {
        float all = 0;
        for (int y = 0; y < 8; y++) all += sums[y][mine];
        partial[blockIdx.y * (i64)columns + 128 * blockIdx.x + mine] = all;
    }
}

#define INSTANCES(T, NAME)                                                                                              \
    KERNEL bias_gelu_##NAME(const T* x, const T* bias, T* y, i64 n, int columns) {                                      \
        bias_gelu(x, bias, y, n, columns);                                                                              \
    }                                                                                                                   \
    KERNEL bias_gelu_backward_##NAME(                                                                                   \
            const T* dy, const T* x, const T* bias, T* dx, float* partial, i64 rows, int columns, i64 chunkRows) {      \
        bias_gelu_backward(dy, x, bias, dx, partial, rows, columns, chunkRows);                                         \
    }
INSTANCES(float, f32)
INSTANCES(bf16, bf16)
INSTANCES(f16, f16)
