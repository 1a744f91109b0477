// cuBLAS by its documentation: the functions under their names and with the prototypes of cublas_v2.h, as plain loops on host memory, column-major.
// What a test compares with it went through the real binding.
#include <cstddef>

#ifndef FAKE_VERSION
#define FAKE_VERSION 12040
#endif

struct Handle { void* stream; int math, pointers; void* workspace; size_t bytes; int compute, algorithm; };

#define API extern "C" __attribute__((visibility("default"))) int

API cublasGetProperty(int property, int* value) { *value = property == 0 ? FAKE_VERSION / 1000 : FAKE_VERSION % 1000 / 10; return 0; }
API cublasCreate_v2(Handle** handle) { *handle = new Handle(); return 0; }
API cublasDestroy_v2(Handle* handle) { delete handle; return 0; }
API cublasSetStream_v2(Handle* handle, void* stream) { handle->stream = stream; return 0; }
API cublasSetMathMode(Handle* handle, int mode) { handle->math = mode; return 0; }
API cublasSetPointerMode_v2(Handle* handle, int mode) { handle->pointers = mode; return 0; }
API cublasSetWorkspace_v2(Handle* handle, void* workspace, size_t bytes) { handle->workspace = workspace; handle->bytes = bytes; return 0; }

template <class T> static int gemm(Handle* handle, int opA, int opB, int m, int n, int k, const T* alpha, const T* a, int lda, long long strideA,
    const T* b, int ldb, long long strideB, const T* beta, T* c, int ldc, long long strideC, int batch)
{
    if (!handle || lda < (opA ? k : m) || ldb < (opB ? n : k) || ldc < m) return 7;
    for (long long i = 0; i < batch; i++)
        for (long long column = 0; column < n; column++)
            for (long long row = 0; row < m; row++)
            {
                T sum = 0;
                for (long long p = 0; p < k; p++)
                    sum += a[i * strideA + (opA ? row * lda + p : p * lda + row)] * b[i * strideB + (opB ? p * ldb + column : column * ldb + p)];
                T* at = c + i * strideC + column * ldc + row;
                *at = *alpha * sum + (*beta == 0 ? 0 : *beta * *at);
            }
    return 0;
}

API cublasSgemm_v2(Handle* handle, int opA, int opB, int m, int n, int k, const float* alpha, const float* a, int lda, const float* b, int ldb,
    const float* beta, float* c, int ldc)
{
    return gemm(handle, opA, opB, m, n, k, alpha, a, lda, 0, b, ldb, 0, beta, c, ldc, 0, 1);
}
API cublasDgemm_v2(Handle* handle, int opA, int opB, int m, int n, int k, const double* alpha, const double* a, int lda, const double* b, int ldb,
    const double* beta, double* c, int ldc)
{
    return gemm(handle, opA, opB, m, n, k, alpha, a, lda, 0, b, ldb, 0, beta, c, ldc, 0, 1);
}
API cublasSgemmStridedBatched(Handle* handle, int opA, int opB, int m, int n, int k, const float* alpha, const float* a, int lda, long long strideA,
    const float* b, int ldb, long long strideB, const float* beta, float* c, int ldc, long long strideC, int batch)
{
    return gemm(handle, opA, opB, m, n, k, alpha, a, lda, strideA, b, ldb, strideB, beta, c, ldc, strideC, batch);
}
API cublasDgemmStridedBatched(Handle* handle, int opA, int opB, int m, int n, int k, const double* alpha, const double* a, int lda, long long strideA,
    const double* b, int ldb, long long strideB, const double* beta, double* c, int ldc, long long strideC, int batch)
{
    return gemm(handle, opA, opB, m, n, k, alpha, a, lda, strideA, b, ldb, strideB, beta, c, ldc, strideC, batch);
}


// Types and precision are arguments; only one type throughout is here: 0 float, 1 double; 68 f32, 70 f64, 77 f32 by tf32, which is not rounded here but noted.
API cublasGemmStridedBatchedEx(Handle* handle, int opA, int opB, int m, int n, int k, const void* alpha, const void* a, int typeA, int lda, long long strideA,
    const void* b, int typeB, int ldb, long long strideB, const void* beta, void* c, int typeC, int ldc, long long strideC, int batch, int compute, int algorithm)
{
    if (!handle) return 1;
    handle->compute = compute;
    handle->algorithm = algorithm;
    if (typeA == 0 && typeB == 0 && typeC == 0 && (compute == 68 || compute == 77))
        return gemm(handle, opA, opB, m, n, k, (const float*)alpha, (const float*)a, lda, strideA, (const float*)b, ldb, strideB, (const float*)beta, (float*)c, ldc, strideC, batch);
    if (typeA == 1 && typeB == 1 && typeC == 1 && compute == 70)
        return gemm(handle, opA, opB, m, n, k, (const double*)alpha, (const double*)a, lda, strideA, (const double*)b, ldb, strideB, (const double*)beta, (double*)c, ldc, strideC, batch);
    return 15;
}
API cublasGemmEx(Handle* handle, int opA, int opB, int m, int n, int k, const void* alpha, const void* a, int typeA, int lda, const void* b, int typeB, int ldb,
    const void* beta, void* c, int typeC, int ldc, int compute, int algorithm)
{
    return cublasGemmStridedBatchedEx(handle, opA, opB, m, n, k, alpha, a, typeA, lda, 0, b, typeB, ldb, 0, beta, c, typeC, ldc, 0, 1, compute, algorithm);
}

// What the setters left behind, for the test: stream, math mode, pointer mode, workspace, its size; then compute type and algorithm of the last
// product that named them.
extern "C" void fake_state(Handle* handle, long long* state)
{
    state[0] = (long long)handle->stream;
    state[1] = handle->math;
    state[2] = handle->pointers;
    state[3] = (long long)handle->workspace;
    state[4] = (long long)handle->bytes;
    state[5] = handle->compute;
    state[6] = handle->algorithm;
}
