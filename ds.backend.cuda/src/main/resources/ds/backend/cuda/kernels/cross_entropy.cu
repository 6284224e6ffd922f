// Cross-entropy of softmax and its gradient in place: ds.api.Kernels.crossEntropy. One block for each row, and so on.

// Of what is at most 0: the larger the error of its product with log2 e, the less it counts in a sum whose largest term is 1.
__device__ inline float exp_of(float x) {
    return exp2_of(x * LOG2_E);
}

template <class T, int N>
__device__ inline void cross_entropy_rows(
        T* logits, const int* targets, float* losses, i64 rows, i64 padded, i64 vocabulary, float scale) {
    __shared__ float shared[32];
    for (i64 r = blockIdx.x; r < rows; r += gridDim.x) {
        T* row = logits + r * padded;
        int target = targets[r];
        float chosen = to_float(row[target]);
        float max = of_bits(0xff800000u), sum = 0; // -infinity; the sum of exp(x - max) of what this thread has seen
        for (i64 c = N * (i64)threadIdx.x; c < vocabulary; c += N * (i64)blockDim.x) {
            float v[N];
            load(row + c, v);
            float larger = max;
#pragma unroll
            for (int k = 0; k < N; k++) larger = c + k < vocabulary ? fmaxf(larger, v[k]) : larger;
            if (larger > max) {
                sum *= exp_of(max - larger);
                max = larger;
            }
#pragma unroll
            for (int k = 0; k < N; k++)
                if (c + k < vocabulary) sum += v[k] == max ? 1.0f : exp_of(v[k] - max);
        }
        float all = block_max(max, shared);
        sum = block_sum(sum > 0.0f || sum != sum ? sum * exp_of(max - all) : 0.0f, shared); // after it all have read `chosen`
        if (threadIdx.x == 0) losses[r] = logf(sum) - (chosen - all);
        if (scale == 0.0f) continue;
        float inverse = 1.0f / sum;
        for (i64 c = N * (i64)threadIdx.x; c < padded; c += N * (i64)blockDim.x) {
            float v[N];
            load(row + c, v);
#pragma unroll
            for (int k = 0; k < N; k++) {
                float p = exp_of(v[k] - all) * inverse;
                v[k] = c + k >= vocabulary ? 0.0f : (c + k == target ? p - 1.0f : p) * scale;
            }
            store(row + c, v);
        }
    }
}
template <class T>
__device__ inline void cross_entropy(
        T* logits, const int* targets, float* losses, i64 rows, i64 padded, i64 vocabulary, float scale) {
    const int n = Wide<T>::N;
    if (padded % n == 0 && aligned(logits, 16))
        cross_entropy_rows<T, n>(logits, targets, losses, rows, padded, vocabulary, scale);
    else
        cross_entropy_rows<T, 1>(logits, targets, losses, rows, padded, vocabulary, scale);
}

#define INSTANCES(T, NAME)                                                                                              \
    KERNEL __launch_bounds__(1024) cross_entropy_##NAME(                                                                \
            T* logits, const int* targets, float* losses, i64 rows, i64 padded, i64 vocabulary, float scale) {          \
        cross_entropy(logits, targets, losses, rows, padded, vocabulary, scale);                                        \
    }
INSTANCES(float, f32)
INSTANCES(bf16, bf16)
INSTANCES(f16, f16)
