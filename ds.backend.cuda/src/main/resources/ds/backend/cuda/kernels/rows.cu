// Reductions, and rows by index. No atomics: the order of each sum is a function of the sizes alone.

// op: a code of Reduction. One block for each row, and so on.
KERNEL reduce_rows(int op, const void* x, int xt, void* y, int yt, i64 rows, i64 columns) {
    __shared__ float shared[32];
    for (i64 r = blockIdx.x; r < rows; r += gridDim.x) {
        float value = op == 0 ? 0.0f : of_bits(0xff800000u); // -infinity
        for (i64 c = threadIdx.x; c < columns; c += blockDim.x) {
            float v = load1(x, xt, r * columns + c);
            value = op == 0 ? value + v : max_of(value, v);
        }
        value = op == 0 ? block_sum(value, shared) : block_max(value, shared);
        if (threadIdx.x == 0) store1(y, yt, r, value);
    }
}

// Blocks of 32 by 8 threads: 128 columns, and the rows of one chunk. partial is [chunks, columns].
KERNEL sum_columns(const void* x, int xt, float* partial, i64 rows, i64 columns, i64 chunkRows) {
    __shared__ float sums[8][128];
    i64 c = 128 * (i64)blockIdx.x + 4 * threadIdx.x;
    int count = c < columns ? count4(c, columns) : 0;
    bool quad = quads(x, xt) && columns % 4 == 0;
    i64 end = chunkRows * (blockIdx.y + 1) < rows ? chunkRows * (blockIdx.y + 1) : rows;
    float sum[4] = {0, 0, 0, 0};
    if (count > 0) {
        for (i64 r = chunkRows * blockIdx.y + threadIdx.y; r < end; r += 8) {
            float v[4];
            load4(x, xt, quad, r * columns + c, count, v);
#pragma unroll
            for (int k = 0; k < 4; k++) sum[k] += v[k];
        }
    }
#pragma unroll
    for (int k = 0; k < 4; k++) sums[threadIdx.y][4 * threadIdx.x + k] = sum[k];
    __syncthreads();
    int mine = 32 * threadIdx.y + threadIdx.x;
    if (mine < 128 && 128 * (i64)blockIdx.x + mine < columns) {
        float all = 0;
        for (int w = 0; w < 8; w++) all += sums[w][mine];
        partial[blockIdx.y * columns + 128 * (i64)blockIdx.x + mine] = all;
    }
}

// y = sum over the chunks, in a fixed order, + y if add. Blocks of 32 by 8 threads: 32 columns, each eighth chunk.
KERNEL add_partials(const float* partial, int chunks, i64 columns, void* y, int yt, int add) {
    __shared__ float sums[8][32];
    i64 c = 32 * (i64)blockIdx.x + threadIdx.x;
    float sum = 0;
    for (int k = threadIdx.y; c < columns && k < chunks; k += 8) sum += partial[k * columns + c];
    sums[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && c < columns) {
        for (int w = 1; w < 8; w++) sum += sums[w][threadIdx.x];
        store1(y, yt, c, add ? sum + load1(y, yt, c) : sum);
    }
}

// Elements of the table outside [first, end) count as 0.
KERNEL gather_rows(const void* table, int tt, i64 first, i64 end, const int* index, void* y, int yt, i64 count, i64 columns) {
    for (i64 r = blockIdx.x; r < count; r += gridDim.x) {
        i64 from = index[r] * columns, to = r * columns;
        for (i64 c = threadIdx.x; c < columns; c += blockDim.x) {
            bool counts = from + c >= first && from + c < end;
            store1(y, yt, to + c, counts ? load1(table, tt, from + c) : 0.f);
        }
    }
}

// Rows with equal indices are equal: whichever block comes last writes the same.
KERNEL scatter_rows(const void* x, int xt, const int* index, void* table, int tt, i64 count, i64 columns) {
    for (i64 r = blockIdx.x; r < count; r += gridDim.x) {
        i64 from = r * columns, to = index[r] * columns;
        for (i64 c = threadIdx.x; c < columns; c += blockDim.x) store1(table, tt, to + c, load1(x, xt, from + c));
    }
}

// y[b, t, :] = tokens[index[b, t], :] + positions[t, :]
KERNEL embedding(
        const int* index, const void* tokens, const void* positions, int tt, void* y, int yt, i64 rows, i64 time, i64 columns) {
    bool quad = columns % 4 == 0;
    bool tq = quad && quads(tokens, tt), pq = quad && quads(positions, tt), yq = quad && quads(y, yt);
    for (i64 r = blockIdx.x; r < rows; r += gridDim.x) {
        i64 token = index[r] * columns, position = r % time * columns;
        for (i64 c = 4 * threadIdx.x; c < columns; c += 4 * blockDim.x) {
            float v[4], w[4];
            int count = count4(c, columns);
            load4(tokens, tt, tq, token + c, count, v);
            load4(positions, tt, pq, position + c, count, w);
#pragma unroll
            for (int k = 0; k < 4; k++) v[k] += w[k];
            store4(y, yt, yq, r * columns + c, count, v);
        }
    }
}

// positions[t, :] += sum over b of dy[b, t, :]; n = T · C
KERNEL add_positions(const void* dy, int dt, float* positions, i64 batch, i64 n) {
    bool dq = quads(dy, dt) && n % 4 == 0, pq = quads(positions, F32);
    FOR_QUADS(i, n) {
        float sum[4], v[4];
        int count = count4(i, n);
        load4(positions, F32, pq, i, count, sum);
        for (i64 b = 0; b < batch; b++) {
            load4(dy, dt, dq, b * n + i, count, v);
#pragma unroll
            for (int k = 0; k < 4; k++) sum[k] += v[k];
        }
        store4(positions, F32, pq, i, count, sum);
    }
}

KERNEL squares(const void* x, int xt, double* partial, i64 n) {
    __shared__ double shared[32];
    bool xq = quads(x, xt);
    double sum = 0;
    FOR_QUADS(i, n) {
        float v[4];
        int count = count4(i, n);
        load4(x, xt, xq, i, count, v);
#pragma unroll
        for (int k = 0; k < 4; k++) sum += (double)v[k] * v[k];
    }
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}
// One block.
KERNEL add_squares(const double* partial, int count, double* y) {
    __shared__ double shared[32];
    double sum = 0;
    for (int i = threadIdx.x; i < count; i += blockDim.x) sum += partial[i];
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) *y += sum;
}
