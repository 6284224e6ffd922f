// ds.api.Quantization: scales of a row's blocks, then groups of 16 words; word w of a group has the codes of elements w, w + 16, …

// Threads of a block of the grid take the elements and the words of one block of numbers.
KERNEL quantize(
        const void* x, int xt, u32* words, i64 first, i64 stride, i64 rows, i64 columns, int bits, int blockElements) {
    __shared__ float shared[32];
    int perWord = 32 / bits, group = 16 * perWord;
    i64 blocks = (columns + blockElements - 1) / blockElements;
    for (i64 b = blockIdx.x; b < rows * blocks; b += gridDim.x) {
        i64 row = b / blocks, block = b % blocks;
        i64 from = row * columns + block * blockElements;
        i64 rest = columns - block * blockElements;
        int n = rest < blockElements ? (int)rest : blockElements;
        float largest = 0;
        for (int i = threadIdx.x; i < n; i += blockDim.x) largest = max_of(largest, fabsf(load1(x, xt, from + i)));
        largest = block_max(largest, shared);
        float scale = largest <= 3.402823466e38f ? fmaxf(largest / (float)((1 << (bits - 1)) - 1), 1.175494351e-38f)
                                                 : of_bits(0x7fc00000u); // not finite: NaN is not less, either
        float inverse = 1.0f / scale;
        u32* to = words + first + row * stride;
        if (threadIdx.x == 0) to[block] = bits_of(scale);
        to += blocks + block * (blockElements / perWord);
        int count = (n + group - 1) / group * 16;
        for (int w = threadIdx.x; w < count; w += blockDim.x) {
            u32 codes = 0;
            for (int k = 0; k < perWord; k++) {
                int i = w / 16 * group + k * 16 + w % 16;
                float v = i < n ? load1(x, xt, from + i) : 0.0f;
                codes |= (bits_of(v * inverse + 12582912.0f) & ((1u << bits) - 1)) << (k * bits);
            }
            to[w] = codes;
        }
    }
}

// y = sum over so many rows for each of `sums`; sums lie at a stride of `sumStride` words, and of `columns` numbers.
KERNEL dequantize(
        const u32* words, i64 first, i64 stride, i64 rows, i64 sumStride, i64 sums, void* y, int yt, i64 columns, int bits,
        int blockElements) {
    int perWord = 32 / bits, group = 16 * perWord;
    i64 blocks = (columns + blockElements - 1) / blockElements;
    for (i64 at = (i64)blockIdx.x * blockDim.x + threadIdx.x; at < sums * columns; at += (i64)gridDim.x * blockDim.x) {
        i64 column = at % columns, block = column / blockElements;
        int i = (int)(column % blockElements);
        i64 word = blocks + block * (blockElements / perWord) + i / group * 16 + i % 16;
        int shift = 32 - (i % group / 16 + 1) * bits;
        const u32* row = words + first + at / columns * sumStride;
        float sum = 0;
        for (i64 r = 0; r < rows; r++, row += stride) {
            int code = (int)(row[word] << shift) >> (32 - bits);
            sum += (float)code * of_bits(row[block]);
        }
        store1(y, yt, at, sum);
    }
}
