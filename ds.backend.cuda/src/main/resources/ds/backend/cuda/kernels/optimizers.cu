// The steps of optimizers on flat shards in F32, and F32 kept in less: in the order of operations of ds.api's compositions, each
// element by itself, so that a shard's boundaries change no bit.
#define LOAD(p, x)                                                                                                      \
    float x[4];                                                                                                         \
    load4(p, F32, quad, i, count, x)
#define STORE(p, x) store4(p, F32, quad, i, count, x)

// rounded is 0 if the new weights are wanted in F32 alone
KERNEL adam(
        float* weights, const void* gradient, int gradientType, float* first, float* second, void* rounded, int roundedType,
        i64 n, float scale, float decay, float beta1, float rest1, float beta2, float rest2, float secondCorrection,
        float epsilon, float rate, float keep) {
    bool quad = aligned(weights, 16) && quads(gradient, gradientType) && aligned(first, 16) && aligned(second, 16)
            && quads(rounded, roundedType);
    FOR_QUADS(i, n) {
        int count = count4(i, n);
        LOAD(weights, w);
        float g[4];
        load4(gradient, gradientType, quad, i, count, g);
        LOAD(first, m);
        LOAD(second, v);
#pragma unroll
        for (int k = 0; k < 4; k++) {
            float d = scale * g[k];
            if (decay != 0.0f) d += decay * w[k];
            m[k] = rest1 * d + beta1 * m[k];
            v[k] = rest2 * (d * d) + beta2 * v[k];
            w[k] = keep * w[k] - rate * (m[k] / (sqrtf(secondCorrection * v[k]) + epsilon));
        }
        STORE(weights, w);
        STORE(first, m);
        STORE(second, v);
        if (rounded) store4(rounded, roundedType, quad, i, count, w);
    }
}

KERNEL lion(
        float* weights, const float* gradient, float* momentum, i64 n, float scale1, float beta1, float scale2, float beta2,
        float rate, float keep) {
    bool quad = aligned(weights, 16) && aligned(gradient, 16) && aligned(momentum, 16);
    FOR_QUADS(i, n) {
        int count = count4(i, n);
        LOAD(weights, w);
        LOAD(gradient, g);
        LOAD(momentum, m);
#pragma unroll
        for (int k = 0; k < 4; k++) {
            float d = scale1 * g[k] + beta1 * m[k];
            float sign = d > 0.0f ? 1.0f : d < 0.0f ? -1.0f : d; // 0, or NaN, which must not get lost
            w[k] = keep * w[k] - rate * sign;
            m[k] = scale2 * g[k] + beta2 * m[k];
        }
        STORE(weights, w);
        STORE(momentum, m);
    }
}

KERNEL adagrad(
        float* weights, const float* gradient, float* squares, i64 n, float scale, float decay, float epsilon, float rate) {
    bool quad = aligned(weights, 16) && aligned(gradient, 16) && aligned(squares, 16);
    FOR_QUADS(i, n) {
        int count = count4(i, n);
        LOAD(weights, w);
        LOAD(gradient, g);
        LOAD(squares, s);
#pragma unroll
        for (int k = 0; k < 4; k++) {
            float d = scale * g[k];
            if (decay != 0.0f) d += decay * w[k];
            s[k] += d * d;
            w[k] -= rate * (d / (sqrtf(s[k]) + epsilon));
        }
        STORE(weights, w);
        STORE(squares, s);
    }
}

KERNEL sgd(
        float* weights, const float* gradient, float* velocity, i64 n, float scale, float decay, float momentum, float undamped,
        int nesterov, int begins, float rate) {
    bool quad = aligned(weights, 16) && aligned(gradient, 16) && aligned(velocity, 16);
    FOR_QUADS(i, n) {
        int count = count4(i, n);
        LOAD(weights, w);
        LOAD(gradient, g);
        float v[4];
        if (!begins) load4(velocity, F32, quad, i, count, v);
#pragma unroll
        for (int k = 0; k < 4; k++) {
            float d = scale * g[k];
            if (decay != 0.0f) d += decay * w[k];
            v[k] = begins ? d : undamped * d + momentum * v[k];
            w[k] -= rate * (nesterov ? d + momentum * v[k] : v[k]);
        }
        STORE(weights, w);
        STORE(velocity, v);
    }
}

KERNEL lamb_moments(
        const float* gradient, float* first, float* second, i64 n, float scale, float beta1, float rest1, float beta2,
        float rest2) {
    bool quad = aligned(gradient, 16) && aligned(first, 16) && aligned(second, 16);
    FOR_QUADS(i, n) {
        int count = count4(i, n);
        LOAD(gradient, g);
        LOAD(first, m);
        LOAD(second, v);
#pragma unroll
        for (int k = 0; k < 4; k++) {
            float d = scale * g[k];
            m[k] = rest1 * d + beta1 * m[k];
            v[k] = rest2 * (d * d) + beta2 * v[k];
        }
        STORE(first, m);
        STORE(second, v);
    }
}

KERNEL lamb_direction(
        const float* weights, const float* first, const float* second, float* direction, i64 n, float firstCorrection,
        float secondCorrection, float epsilon, int inRoot, float decay) {
    bool quad = aligned(weights, 16) && aligned(first, 16) && aligned(second, 16) && aligned(direction, 16);
    FOR_QUADS(i, n) {
        int count = count4(i, n);
        LOAD(weights, w);
        LOAD(first, m);
        LOAD(second, v);
#pragma unroll
        for (int k = 0; k < 4; k++) {
            float corrected = secondCorrection * v[k];
            float root = inRoot ? sqrtf(corrected + epsilon) : sqrtf(corrected) + epsilon;
            v[k] = decay * w[k] + firstCorrection * (m[k] / root);
        }
        STORE(direction, v);
    }
}

// ds.api.Bf16.
KERNEL round_stochastically(const float* x, u64 key, u64 first, u16* y, i64 n) {
    for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (i64)gridDim.x * blockDim.x) {
        u32 bits = bits_of(x[i]);
        y[i] = (u16)(x[i] != x[i] ? bits >> 16 | 0x40 : (bits + bits16_of(key, first + i)) >> 16);
    }
}
KERNEL split(const float* x, u16* nearest, u16* rest, i64 n) {
    for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (i64)gridDim.x * blockDim.x) {
        u16 upper = bf16_bits(x[i]);
        int distance = (int)(bits_of(x[i]) - ((u32)upper << 16));
        nearest[i] = upper;
        rest[i] = (u16)(distance > 32767 ? 32767 : distance < -32768 ? -32768 : distance);
    }
}
KERNEL join(const u16* nearest, const u16* rest, float* x, i64 n) {
    for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (i64)gridDim.x * blockDim.x)
        x[i] = of_bits(((u32)nearest[i] << 16) + (u32)(int)(short)rest[i]);
}
