package ds.backend.cuda.driver;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import ds.cuda.NativeLibrary;
import java.lang.foreign.FunctionDescriptor;
import java.lang.invoke.MethodHandle;
import java.util.List;

/** libcublasLt, matrix products: the raw calls, which return a status. Addresses and handles are longs. */
final class CublasLtLibrary {
    private final MethodHandle version;
    private final MethodHandle create;
    private final MethodHandle destroy;
    private final MethodHandle descCreate;
    private final MethodHandle descDestroy;
    private final MethodHandle descSet;
    private final MethodHandle layoutCreate;
    private final MethodHandle layoutDestroy;
    private final MethodHandle preferenceCreate;
    private final MethodHandle preferenceDestroy;
    private final MethodHandle preferenceSet;
    private final MethodHandle heuristic;
    private final MethodHandle matmul;

    /** Loads the first that is found; throws {@link LinkageError} if there is none. */
    CublasLtLibrary(List<String> names) {
        NativeLibrary library = NativeLibrary.load("cuBLASLt", names);
        version = library.function("cublasLtGetVersion", FunctionDescriptor.of(JAVA_LONG));
        create = library.function("cublasLtCreate", JAVA_LONG);
        destroy = library.function("cublasLtDestroy", JAVA_LONG);
        descCreate = library.function("cublasLtMatmulDescCreate", JAVA_LONG, JAVA_INT, JAVA_INT);
        descDestroy = library.function("cublasLtMatmulDescDestroy", JAVA_LONG);
        descSet = library.function("cublasLtMatmulDescSetAttribute", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG);
        layoutCreate =
                library.function("cublasLtMatrixLayoutCreate", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG);
        layoutDestroy = library.function("cublasLtMatrixLayoutDestroy", JAVA_LONG);
        preferenceCreate = library.function("cublasLtMatmulPreferenceCreate", JAVA_LONG);
        preferenceDestroy = library.function("cublasLtMatmulPreferenceDestroy", JAVA_LONG);
        preferenceSet =
                library.function("cublasLtMatmulPreferenceSetAttribute", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG);
        heuristic = library.function(
                "cublasLtMatmulAlgoGetHeuristic",
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_INT,
                JAVA_LONG,
                JAVA_LONG);
        matmul = library.function(
                "cublasLtMatmul",
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG);
    }

    // size_t cublasLtGetVersion(void)
    long version() {
        try {
            return (long) version.invokeExact();
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle)
    int create(long handle) {
        try {
            return (int) create.invokeExact(handle);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle)
    int destroy(long handle) {
        try {
            return (int) destroy.invokeExact(handle);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* desc, int compute, cudaDataType_t scale)
    int descCreate(long desc, int compute, int scale) {
        try {
            return (int) descCreate.invokeExact(desc, compute, scale);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc)
    int descDestroy(long desc) {
        try {
            return (int) descDestroy.invokeExact(desc);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc, int attribute, const void* value, size_t
    // size)
    int descSet(long desc, int attribute, long value, long size) {
        try {
            return (int) descSet.invokeExact(desc, attribute, value, size);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType_t type, uint64_t rows,
    // uint64_t columns, int64_t ld)
    int layoutCreate(long layout, int type, long rows, long columns, long ld) {
        try {
            return (int) layoutCreate.invokeExact(layout, type, rows, columns, ld);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout)
    int layoutDestroy(long layout) {
        try {
            return (int) layoutDestroy.invokeExact(layout);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference)
    int preferenceCreate(long preference) {
        try {
            return (int) preferenceCreate.invokeExact(preference);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference)
    int preferenceDestroy(long preference) {
        try {
            return (int) preferenceDestroy.invokeExact(preference);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference, int attribute, const
    // void* value, size_t size)
    int preferenceSet(long preference, int attribute, long value, long size) {
        try {
            return (int) preferenceSet.invokeExact(preference, attribute, value, size);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc,
    // cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
    // cublasLtMatmulPreference_t preference, int requested, void* results, int* returned)
    int heuristic(
            long handle,
            long desc,
            long a,
            long b,
            long c,
            long d,
            long preference,
            int requested,
            long results,
            long returned) {
        try {
            return (int) heuristic.invokeExact(handle, desc, a, b, c, d, preference, requested, results, returned);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }

    // cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void* alpha, const void*
    // a, cublasLtMatrixLayout_t layoutA, const void* b, cublasLtMatrixLayout_t layoutB, const void* beta, const void*
    // c, cublasLtMatrixLayout_t layoutC, void* d, cublasLtMatrixLayout_t layoutD, const void* algorithm, void*
    // workspace, size_t workspaceBytes, cudaStream_t stream)
    int matmul(
            long handle,
            long desc,
            long alpha,
            long a,
            long layoutA,
            long b,
            long layoutB,
            long beta,
            long c,
            long layoutC,
            long d,
            long layoutD,
            long algorithm,
            long workspace,
            long workspaceBytes,
            long stream) {
        try {
            return (int) matmul.invokeExact(
                    handle,
                    desc,
                    alpha,
                    a,
                    layoutA,
                    b,
                    layoutB,
                    beta,
                    c,
                    layoutC,
                    d,
                    layoutD,
                    algorithm,
                    workspace,
                    workspaceBytes,
                    stream);
        } catch (Throwable e) {
            throw NativeLibrary.unexpected(e);
        }
    }
}
