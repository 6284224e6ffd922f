// c = a b + beta c in F32, for what cuBLASLt has no algorithm: any types, alignment and transposition. 16 by 16 threads, an element each.
KERNEL product(
        const void* a, int at, i64 aRow, i64 aColumn, const void* b, int bt, i64 bRow, i64 bColumn, void* c, int ct, i64 m, i64 n,
        i64 depth, int add) {
    __shared__ float left[16][17];
    __shared__ float right[16][17];
    i64 row = 16 * (i64)blockIdx.y + threadIdx.y, column = 16 * (i64)blockIdx.x + threadIdx.x;
    float sum = 0;
    for (i64 first = 0; first < depth; first += 16) {
        i64 k = first + threadIdx.x, l = first + threadIdx.y;
        left[threadIdx.y][threadIdx.x] = row < m && k < depth ? load1(a, at, row * aRow + k * aColumn) : 0.0f;
        right[threadIdx.y][threadIdx.x] = l < depth && column < n ? load1(b, bt, l * bRow + column * bColumn) : 0.0f;
        __syncthreads();
#pragma unroll
        for (int e = 0; e < 16; e++) sum = fmaf(left[threadIdx.y][e], right[e][threadIdx.x], sum);
        __syncthreads();
    }
    if (row < m && column < n) {
        i64 to = row * n + column;
        store1(c, ct, to, add ? sum + load1(c, ct, to) : sum);
    }
}
