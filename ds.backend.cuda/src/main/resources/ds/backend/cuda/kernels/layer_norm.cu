// Layer normalisation: ds.api.LayerNorm. All tensors of one type T but the statistics and the gradients of parameters, which are F32.

// One block for each row, and so on. If there is a residual, sum = x + residual is stored, and normalised as it was rounded. What a
// thread reads again is what it has read or written itself, mostly from the cache.
template <class T, int N>
__device__ inline void layer_norm_rows(
        const T* x, const T* residual, T* sum, const T* weight, const T* bias, float* mean, float* rstd, T* y, float epsilon,
        i64 rows, int columns) {
    __shared__ float shared[32];
    for (i64 r = blockIdx.x; r < rows; r += gridDim.x) {
        const T* in = x + r * columns;
        float total = 0;
        for (int c = N * threadIdx.x; c < columns; c += N * blockDim.x) {
            float v[N];
            load(in + c, v);
            if (residual) {
                float w[N];
                load(residual + r * columns + c, w);
#pragma unroll
                for (int k = 0; k < N; k++) v[k] = to_float(from_float<T>(v[k] + w[k]));
                store(sum + r * columns + c, v);
            }
#pragma unroll
            for (int k = 0; k < N; k++) total += v[k];
        }
        if (residual) in = sum + r * columns;
        float m = block_sum(total, shared) / columns;
        float squares = 0;
        for (int c = N * threadIdx.x; c < columns; c += N * blockDim.x) {
            float v[N];
            load(in + c, v);
#pragma unroll
            for (int k = 0; k < N; k++) squares = fmaf(v[k] - m, v[k] - m, squares);
        }
        float s = 1.0f / sqrtf(block_sum(squares, shared) / columns + epsilon);
        for (int c = N * threadIdx.x; c < columns; c += N * blockDim.x) {
            float v[N], w[N], b[N];
            load(in + c, v);
            load(weight + c, w);
            load(bias + c, b);
#pragma unroll
            for (int k = 0; k < N; k++) v[k] = fmaf((v[k] - m) * s, w[k], b[k]);
            store(y + r * columns + c, v);
        }
        if (threadIdx.x == 0) {
            mean[r] = m;
            rstd[r] = s;
        }
    }
}

template <class T>
__device__ inline void layer_norm(
        const T* x, const T* residual, T* sum, const T* weight, const T* bias, float* mean, float* rstd, T* y, float epsilon,
        i64 rows, int columns) {
    const int n = Wide<T>::N;
    if (columns % n == 0 && aligned(x, 16) && aligned(residual, 16) && aligned(sum, 16) && aligned(weight, 16)
        && aligned(bias, 16) && aligned(y, 16))
        layer_norm_rows<T, n>(x, residual, sum, weight, bias, mean, rstd, y, epsilon, rows, columns);
    else
        layer_norm_rows<T, 1>(x, residual, sum, weight, bias, mean, rstd, y, epsilon, rows, columns);
}

// dx += rstd (g - mean(g) - n mean(g n)), g = dy weight, n = (x - mean) rstd
template <class T, int N>
__device__ inline void layer_norm_backward_rows(
        const T* dy, const T* x, const T* weight, const float* mean, const float* rstd, T* dx, i64 rows, int columns) {
    __shared__ float shared[32];
    for (i64 r = blockIdx.x; r < rows; r += gridDim.x) {
        float m = mean[r], s = rstd[r], sum = 0, product = 0;
        for (int c = N * threadIdx.x; c < columns; c += N * blockDim.x) {
            float d[N], v[N], w[N];
            load(dy + r * columns + c, d);
            load(x + r * columns + c, v);
            load(weight + c, w);
#pragma unroll
            for (int k = 0; k < N; k++) {
                float g = d[k] * w[k];
                sum += g;
                product = fmaf(g, (v[k] - m) * s, product);
            }
        }
        sum = block_sum(sum, shared) / columns;
        product = block_sum(product, shared) / columns;
        for (int c = N * threadIdx.x; c < columns; c += N * blockDim.x) {
            float d[N], v[N], w[N], o[N];
            load(dy + r * columns + c, d);
            load(x + r * columns + c, v);
            load(weight + c, w);
            load(dx + r * columns + c, o);
#pragma unroll
            for (int k = 0; k < N; k++) o[k] += s * (d[k] * w[k] - sum - (v[k] - m) * s * product);
            store(dx + r * columns + c, o);
        }
    }
}
template <class T>
__device__ inline void layer_norm_backward(
        const T* dy, const T* x, const T* weight, const float* mean, const float* rstd, T* dx, i64 rows, int columns) {
    const int n = Wide<T>::N;
    if (columns % n == 0 && aligned(dy, 16) && aligned(x, 16) && aligned(weight, 16) && aligned(dx, 16))
        layer_norm_backward_rows<T, n>(dy, x, weight, mean, rstd, dx, rows, columns);
    else
        layer_norm_backward_rows<T, 1>(dy, x, weight, mean, rstd, dx, rows, columns);
}

// Blocks of 32 by 8 threads: 128 columns, and the rows of one chunk; partial sums of dy · n, then of dy, each [chunks, columns].
template <class T>
__device__ inline void layer_norm_columns(
        const T* dy, const T* x, const float* mean, const float* rstd, float* weights, float* biases, i64 rows, int columns,
        i64 chunkRows) {
    __shared__ float sums[2][8][128];
    int c = 128 * blockIdx.x + 4 * threadIdx.x;
    bool quad = columns % 4 == 0 && aligned(dy, 4 * sizeof(T)) && aligned(x, 4 * sizeof(T));
    i64 end = chunkRows * (blockIdx.y + 1) < rows ? chunkRows * (blockIdx.y + 1) : rows;
    float w[4] = {0, 0, 0, 0}, b[4] = {0, 0, 0, 0};
    for (i64 r = chunkRows * blockIdx.y + threadIdx.y; c < columns && r < end; r += 8) {
        float m = mean[r], s = rstd[r], d[4], v[4];
        if (quad) {
            load(dy + r * columns + c, d);
            load(x + r * columns + c, v);
        } else {
#pragma unroll
            for (int k = 0; k < 4; k++) {
                d[k] = c + k < columns ? to_float(dy[r * columns + c + k]) : 0.0f;
                v[k] = c + k < columns ? to_float(x[r * columns + c + k]) : 0.0f;
            }
        }
#pragma unroll
        for (int k = 0; k < 4; k++) {
            w[k] = fmaf(d[k], (v[k] - m) * s, w[k]);
            b[k] += d[k];
        }
    }
#pragma unroll
    for (int k = 0; k < 4; k++) {
        sums[0][threadIdx.y][4 * threadIdx.x + k] = w[k];
        sums[1][threadIdx.y][4 * threadIdx.x + k] = b[k];
    }
    __syncthreads();
    int mine = 32 * threadIdx.y + threadIdx.x;
    int column = 128 * blockIdx.x + mine % 128;
    if (column < columns) {
        float all = 0;
        for (int y = 0; y < 8; y++) all += sums[mine / 128][y][mine % 128];
        (mine < 128 ? weights : biases)[blockIdx.y * (i64)columns + column] = all;
    }
}

#define INSTANCES(T, NAME)                                                                                              \
    KERNEL layer_norm_##NAME(                                                                                           \
            const T* x, const T* residual, T* sum, const T* weight, const T* bias, float* mean, float* rstd, T* y,      \
            float epsilon, i64 rows, int columns) {                                                                     \
        layer_norm(x, residual, sum, weight, bias, mean, rstd, y, epsilon, rows, columns);                              \
    }                                                                                                                   \
    KERNEL layer_norm_backward_##NAME(                                                                                  \
            const T* dy, const T* x, const T* weight, const float* mean, const float* rstd, T* dx, i64 rows,            \
            int columns) {                                                                                              \
        layer_norm_backward(dy, x, weight, mean, rstd, dx, rows, columns);                                              \
    }                                                                                                                   \
    KERNEL layer_norm_columns_##NAME(                                                                                   \
            const T* dy, const T* x, const float* mean, const float* rstd, float* weights, float* biases, i64 rows,     \
            int columns, i64 chunkRows) {                                                                               \
        layer_norm_columns(dy, x, mean, rstd, weights, biases, rows, columns, chunkRows);                               \
    }
INSTANCES(float, f32)
INSTANCES(bf16, bf16)
INSTANCES(f16, f16)
