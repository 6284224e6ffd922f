// The part of cuBLASLt that ds.backend.cuda calls, on the host: column-major products in F32, with a bias for each row of the result, GELU
// and its gradient as epilogues. Checks what the library would: sizes of layouts against each other, types, known attributes. Who asks for
// several algorithms gets three, which add in different orders, and of which the second is fastest by far.
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {
enum { SUCCESS = 0, INVALID_VALUE = 7, NOT_SUPPORTED = 15 };
enum { R_32F = 0, R_16F = 2, R_16BF = 14 };

struct Desc {
    int compute, scale, transA, transB, epilogue, bias_type;
    const void* bias;
    void* aux;
    int64_t aux_ld;
};
enum { EPILOGUE_NONE = 1, EPILOGUE_BIAS = 4, EPILOGUE_GELU_AUX_BIAS = 164, EPILOGUE_DGELU = 192 };
struct Layout {
    int type;
    uint64_t rows, columns;
    int64_t ld;
};
struct Preference {
    uint64_t workspace;
    uint32_t alignment[4], reduction;
};

// What is in a cublasLtMatmulAlgo_t of 64 bytes.
struct Algorithm {
    uint32_t alignment[4]; // compared with the operands' addresses
    uint32_t index, micros; // which it is, and how long it idles
};
enum { ALGORITHMS = 3, RESULT_BYTES = 96 };
const uint32_t MICROS[ALGORITHMS] = {1000, 0, 400};

float get(const void* p, int type, int64_t i) {
    if (type == R_32F) return ((const float*)p)[i];
    uint16_t bits = ((const uint16_t*)p)[i];
    if (type == R_16F) {
        _Float16 half;
        memcpy(&half, &bits, 2);
        return half;
    }
    uint32_t wide = (uint32_t)bits << 16;
    float x;
    memcpy(&x, &wide, 4);
    return x;
}
void put(void* p, int type, int64_t i, float x) {
    if (type == R_32F) {
        ((float*)p)[i] = x;
    } else if (type == R_16F) {
        _Float16 half = (_Float16)x;
        memcpy((uint16_t*)p + i, &half, 2);
    } else {
        uint32_t bits;
        memcpy(&bits, &x, 4);
        ((uint16_t*)p)[i] = x != x ? bits >> 16 | 0x40 : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    }
}
} // namespace

extern "C" {
size_t cublasLtGetVersion() {
    return 130000;
}
int cublasLtCreate(void** handle) {
    *handle = malloc(1);
    return SUCCESS;
}
int cublasLtDestroy(void* handle) {
    free(handle);
    return SUCCESS;
}
int cublasLtMatmulDescCreate(Desc** desc, int compute, int scale) {
    *desc = new Desc{compute, scale, 0, 0, 1, -1, nullptr, nullptr, 0};
    return SUCCESS;
}
int cublasLtMatmulDescDestroy(Desc* desc) {
    delete desc;
    return SUCCESS;
}
int cublasLtMatmulDescSetAttribute(Desc* desc, int attribute, const void* value, size_t size) {
    size_t expected = attribute == 8 || attribute == 11 || attribute == 12 ? 8 : 4;
    if (size != expected) return INVALID_VALUE;
    switch (attribute) {
        case 3:
            memcpy(&desc->transA, value, 4);
            return SUCCESS;
        case 4:
            memcpy(&desc->transB, value, 4);
            return SUCCESS;
        case 7:
            memcpy(&desc->epilogue, value, 4);
            return SUCCESS;
        case 8:
            memcpy(&desc->bias, value, 8);
            return SUCCESS;
        case 11:
            memcpy(&desc->aux, value, 8);
            return SUCCESS;
        case 12:
            memcpy(&desc->aux_ld, value, 8);
            return SUCCESS;
        case 26:
            memcpy(&desc->bias_type, value, 4);
            return SUCCESS;
        default:
            return INVALID_VALUE;
    }
}
int cublasLtMatrixLayoutCreate(Layout** layout, int type, uint64_t rows, uint64_t columns, int64_t ld) {
    if (ld < (int64_t)rows) return INVALID_VALUE;
    *layout = new Layout{type, rows, columns, ld};
    return SUCCESS;
}
int cublasLtMatrixLayoutDestroy(Layout* layout) {
    delete layout;
    return SUCCESS;
}
int cublasLtMatmulPreferenceCreate(Preference** preference) {
    *preference = new Preference{0, {256, 256, 256, 256}, 7};
    return SUCCESS;
}
int cublasLtMatmulPreferenceDestroy(Preference* preference) {
    delete preference;
    return SUCCESS;
}
int cublasLtMatmulPreferenceSetAttribute(Preference* preference, int attribute, const void* value, size_t size) {
    if (attribute == 1 && size == 8) {
        memcpy(&preference->workspace, value, 8);
    } else if (attribute == 3 && size == 4) {
        memcpy(&preference->reduction, value, 4);
    } else if (attribute >= 5 && attribute <= 8 && size == 4) {
        memcpy(&preference->alignment[attribute - 5], value, 4);
    } else {
        return INVALID_VALUE;
    }
    return SUCCESS;
}
int cublasLtMatmulAlgoGetHeuristic(
        void*, Desc* desc, Layout* a, Layout* b, Layout* c, Layout* d, Preference* preference, int requested, char* results, int* returned) {
    if (requested < 1 || a->type != b->type || c->type != d->type) return INVALID_VALUE;
    bool auxiliary = desc->epilogue == EPILOGUE_GELU_AUX_BIAS || desc->epilogue == EPILOGUE_DGELU;
    bool biased = desc->epilogue == EPILOGUE_BIAS || desc->epilogue == EPILOGUE_GELU_AUX_BIAS;
    if (biased && !desc->bias) return INVALID_VALUE; // its value is what says how it will be aligned
    if (biased && a->rows % 13 == 0) return INVALID_VALUE; // as of an epilogue that it does not know for these sizes
    if (auxiliary && (!desc->aux || (uintptr_t)desc->aux % 16 || desc->aux_ld % 8 || desc->aux_ld < (int64_t)d->rows))
        return NOT_SUPPORTED;
    bool none = a->rows % 7 == 0 && a->columns % 5 == 0; // so that callers have to have another way
    *returned = none ? 0 : requested < ALGORITHMS ? requested : ALGORITHMS;
    for (int i = 0; i < *returned; i++) {
        Algorithm algorithm{{}, (uint32_t)i, requested > 1 ? MICROS[i] : 0};
        memcpy(algorithm.alignment, preference->alignment, sizeof algorithm.alignment);
        char* result = results + i * RESULT_BYTES;
        memset(result, 0, RESULT_BYTES);
        memcpy(result, &algorithm, sizeof algorithm);
        uint64_t workspace = 64;
        memcpy(result + 64, &workspace, 8);
    }
    return *returned ? SUCCESS : NOT_SUPPORTED;
}
int cublasLtMatmul(
        void*, Desc* desc, const float* alpha, const void* a, Layout* la, const void* b, Layout* lb, const float* beta,
        const void* c, Layout* lc, void* d, Layout* ld, const Algorithm* algorithm, void* workspace, size_t workspace_bytes, void*) {
    uint64_t m = desc->transA ? la->columns : la->rows, depth = desc->transA ? la->rows : la->columns;
    uint64_t n = desc->transB ? lb->rows : lb->columns, other = desc->transB ? lb->columns : lb->rows;
    if (depth != other || ld->rows != m || ld->columns != n || lc->rows != m || lc->columns != n) return INVALID_VALUE;
    if (workspace_bytes < 64 || !workspace) return INVALID_VALUE;
    if (algorithm->index >= ALGORITHMS) return INVALID_VALUE;
    const void* operands[4] = {a, b, c, d};
    for (int i = 0; i < 4; i++)
        if ((uintptr_t)operands[i] % algorithm->alignment[i]) return INVALID_VALUE;
    bool gelu = desc->epilogue == EPILOGUE_GELU_AUX_BIAS, gradient = desc->epilogue == EPILOGUE_DGELU;
    bool bias = desc->epilogue == EPILOGUE_BIAS || gelu;
    if (!bias && !gradient && desc->epilogue != EPILOGUE_NONE) return NOT_SUPPORTED;
    if ((gelu || gradient) && ((uintptr_t)desc->aux < 4096 || (uintptr_t)desc->aux % 16)) return INVALID_VALUE;
    if (getenv("DS_EMULATED_IDLE")) return SUCCESS;
    auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(algorithm->micros);
    while (std::chrono::steady_clock::now() < until) {
    }
    for (uint64_t column = 0; column < n; column++)
        for (uint64_t row = 0; row < m; row++) {
            float sum = 0;
            for (uint64_t i = 0; i < depth; i++) {
                uint64_t k = algorithm->index == 0 ? i : algorithm->index == 1 ? depth - 1 - i : (i + depth / 2) % depth;
                float left = get(a, la->type, desc->transA ? k + row * la->ld : row + k * la->ld);
                float right = get(b, lb->type, desc->transB ? column + k * lb->ld : k + column * lb->ld);
                sum += left * right;
            }
            sum *= *alpha;
            if (*beta != 0) sum += *beta * get(c, lc->type, row + column * lc->ld);
            if (bias) sum += get(desc->bias, desc->bias_type < 0 ? ld->type : desc->bias_type, row);
            if (gelu) {
                put(desc->aux, ld->type, row + column * desc->aux_ld, sum);
                sum = 0.5f * sum * (1 + tanhf(0.7978845608f * (sum + 0.044715f * sum * sum * sum)));
            } else if (gradient) {
                float u = get(desc->aux, ld->type, row + column * desc->aux_ld);
                float h = tanhf(0.7978845608f * (u + 0.044715f * u * u * u));
                sum *= 0.5f * (1 + h) + 0.5f * u * (1 - h * h) * 0.7978845608f * (1 + 3 * 0.044715f * u * u);
            }
            put(d, ld->type, row + column * ld->ld, sum);
        }
    return SUCCESS;
}
}
