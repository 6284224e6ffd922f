// The core kernels on elements, of whatever types: ds.api.CoreKernels.

KERNEL convert(const void* x, int xt, void* y, int yt, i64 n) {
    bool xq = quads(x, xt), yq = quads(y, yt);
    FOR_QUADS(i, n) {
        float v[4];
        int count = count4(i, n);
        load4(x, xt, xq, i, count, v);
        store4(y, yt, yq, i, count, v);
    }
}

KERNEL fill8(u64* y, u64 value, i64 n) {
    for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (i64)gridDim.x * blockDim.x) y[i] = value;
}

// One block for each row, and so on; of the same type, bits are copied as they are.
KERNEL copy_rows(
        const void* x, int xt, i64 xFirst, i64 xStride, void* y, int yt, i64 yFirst, i64 yStride, i64 rows, i64 columns) {
    for (i64 r = blockIdx.x; r < rows; r += gridDim.x) {
        i64 from = xFirst + r * xStride, to = yFirst + r * yStride;
        for (i64 c = threadIdx.x; c < columns; c += blockDim.x) {
            if (xt != yt)
                store1(y, yt, to + c, load1(x, xt, from + c));
            else if (xt == BF16 || xt == F16)
                ((u16*)y)[to + c] = ((const u16*)x)[from + c];
            else if (xt == F64)
                ((u64*)y)[to + c] = ((const u64*)x)[from + c];
            else
                ((u32*)y)[to + c] = ((const u32*)x)[from + c];
        }
    }
}

// op: a code of Unary.
__device__ inline float apply(int op, float x) {
    switch (op) {
        case 0:
            return expf(x);
        case 1:
            return logf(x);
        case 2:
            return tanhf(x);
        case 3:
            return sqrtf(x);
        case 4:
            return 1.0f / x;
        default:
            return x * x;
    }
}
KERNEL unary(int op, const void* x, int xt, void* y, int yt, i64 n) {
    bool xq = quads(x, xt), yq = quads(y, yt);
    FOR_QUADS(i, n) {
        float v[4];
        int count = count4(i, n);
        load4(x, xt, xq, i, count, v);
#pragma unroll
        for (int k = 0; k < 4; k++) v[k] = apply(op, v[k]);
        store4(y, yt, yq, i, count, v);
    }
}

// op: a code of Binary.
__device__ inline float apply(int op, float a, float b) {
    switch (op) {
        case 0:
            return a + b;
        case 1:
            return a - b;
        case 2:
            return a * b;
        case 3:
            return a / b;
        case 4:
            return max_of(a, b);
        default:
            return a >= b ? 1.0f : 0.0f;
    }
}
// broadcast: a code of Broadcast.
KERNEL binary(
        int op, int broadcast, const void* a, int at, const void* b, int bt, void* y, int yt, i64 n, i64 columns) {
    bool aq = quads(a, at), bq = quads(b, bt), yq = quads(y, yt);
    FOR_QUADS(i, n) {
        float v[4], w[4];
        int count = count4(i, n);
        load4(a, at, aq, i, count, v);
        if (broadcast == 0) {
            load4(b, bt, bq, i, count, w);
        } else {
#pragma unroll
            for (int k = 0; k < 4; k++) {
                i64 at4 = i + k < n ? i + k : n - 1;
                i64 other = broadcast == 1 ? 0 : broadcast == 2 ? at4 % columns : at4 / columns;
                w[k] = load1(b, bt, other);
            }
        }
#pragma unroll
        for (int k = 0; k < 4; k++) v[k] = apply(op, v[k], w[k]);
        store4(y, yt, yq, i, count, v);
    }
}

KERNEL axpby(float alpha, const void* x, int xt, float beta, void* y, int yt, i64 n) {
    bool xq = quads(x, xt), yq = quads(y, yt);
    FOR_QUADS(i, n) {
        float v[4], w[4];
        int count = count4(i, n);
        load4(x, xt, xq, i, count, v);
        if (beta != 0.0f) {
            load4(y, yt, yq, i, count, w);
#pragma unroll
            for (int k = 0; k < 4; k++) v[k] = fmaf(alpha, v[k], beta * w[k]);
        } else {
#pragma unroll
            for (int k = 0; k < 4; k++) v[k] *= alpha;
        }
        store4(y, yt, yq, i, count, v);
    }
}
// Of sums in F64, such as squared norms.
KERNEL axpby_f64(double alpha, const double* x, double beta, double* y, i64 n) {
    for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (i64)gridDim.x * blockDim.x)
        y[i] = alpha * x[i] + (beta != 0.0 ? beta * y[i] : 0.0);
}

KERNEL uniform(u64 key, u64 first, void* y, int yt, i64 n) {
    bool yq = quads(y, yt);
    FOR_QUADS(i, n) {
        float v[4];
#pragma unroll
        for (int k = 0; k < 4; k++) v[k] = uniform_of(key, first + i + k);
        store4(y, yt, yq, i, count4(i, n), v);
    }
}

KERNEL dropout(const void* x, int xt, u64 key, u64 first, float rate, float scale, void* y, int yt, i64 n) {
    bool xq = quads(x, xt), yq = quads(y, yt);
    FOR_QUADS(i, n) {
        float v[4];
        int count = count4(i, n);
        load4(x, xt, xq, i, count, v);
#pragma unroll
        for (int k = 0; k < 4; k++) v[k] = dropped(v[k], key, first + i + k, rate, scale);
        store4(y, yt, yq, i, count, v);
    }
}
