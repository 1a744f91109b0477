// A driver that does nothing but write down how it was called: the functions under the driver's names and with the prototypes of cuda.h, so that a
// test sees what arrives behind the binding. fake_log() gives the calls since the last fake_clear(); fake_fail() makes the next call fail.
#include <cstdarg>
#include <cstddef>
#include <cstdio>
#include <cstring>

#ifndef FAKE_VERSION
#define FAKE_VERSION 12040
#endif

typedef int CUresult;
typedef int CUdevice;
typedef unsigned long long CUdeviceptr;
typedef struct CUctx_st* CUcontext;
typedef struct CUmod_st* CUmodule;
typedef struct CUfunc_st* CUfunction;
typedef struct CUstream_st* CUstream;
typedef struct CUevent_st* CUevent;
typedef struct CUgraph_st* CUgraph;
typedef struct CUgraphExec_st* CUgraphExec;
typedef struct CUgraphNode_st* CUgraphNode;
typedef struct { int result; CUgraphNode errorNode, errorFromNode; } CUgraphExecUpdateResultInfo;

static char text[1 << 16];
static size_t used;
static CUresult failure;

static CUresult call(const char* format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    used += vsnprintf(text + used, sizeof text - used, format, arguments);
    va_end(arguments);
    used += snprintf(text + used, sizeof text - used, "\n");
    CUresult result = failure;
    failure = 0;
    return result;
}

template <class T> static void out(T* place, unsigned long long value) { *place = (T)value; }

#define API extern "C" __attribute__((visibility("default"))) CUresult

extern "C" const char* fake_log() { return text; }
extern "C" void fake_clear() { used = 0; text[0] = 0; }
extern "C" void fake_fail(int result) { failure = result; }

API cuInit(unsigned flags) { return call("cuInit %u", flags); }
API cuDriverGetVersion(int* version) { *version = FAKE_VERSION; return 0; }
API cuGetErrorName(CUresult error, const char** name) { if (error == 12345) return 1; *name = "CUDA_ERROR_FAKE"; return 0; }
API cuGetErrorString(CUresult error, const char** name) { if (error == 12345) return 1; *name = "a fake text"; return 0; }
API cuDeviceGet(CUdevice* device, int ordinal) { if (ordinal > 7) return 101; *device = 40 + ordinal; return 0; }
API cuDeviceGetCount(int* count) { *count = 2; return call("cuDeviceGetCount"); }
API cuDeviceGetName(char* name, int length, CUdevice device) { snprintf(name, length, "Fake %d", device); return call("cuDeviceGetName %d", device); }
API cuDeviceTotalMem_v2(size_t* bytes, CUdevice device) { *bytes = 151000000000ull; return call("cuDeviceTotalMem %d", device); }
API cuDeviceGetAttribute(int* value, int attribute, CUdevice device)
{
    *value = attribute == 75 ? 9 : attribute == 76 ? 0 : 32;
    return call("cuDeviceGetAttribute %d %d", attribute, device);
}
API cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice device) { out(context, 0x1122334455667788); return call("cuDevicePrimaryCtxRetain %d", device); }
API cuCtxSetCurrent(CUcontext context) { return call("cuCtxSetCurrent %p", context); }

API cuMemGetInfo_v2(size_t* free, size_t* total) { *free = 5000000000ull; *total = 6000000000ull; return call("cuMemGetInfo"); }
API cuMemAlloc_v2(CUdeviceptr* pointer, size_t bytes) { *pointer = 0x7f0123456789abcd; return call("cuMemAlloc %zu", bytes); }
API cuMemFree_v2(CUdeviceptr pointer) { return call("cuMemFree %llx", pointer); }
API cuMemAllocAsync(CUdeviceptr* pointer, size_t bytes, CUstream stream) { *pointer = 0x7f89abcdef012345; return call("cuMemAllocAsync %zu %p", bytes, stream); }
API cuMemFreeAsync(CUdeviceptr pointer, CUstream stream) { return call("cuMemFreeAsync %llx %p", pointer, stream); }
API cuMemHostAlloc(void** pointer, size_t bytes, unsigned flags) { out(pointer, 0x7fabcdef01234567); return call("cuMemHostAlloc %zu %u", bytes, flags); }
API cuMemFreeHost(void* pointer) { return call("cuMemFreeHost %p", pointer); }
API cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void* from, size_t bytes, CUstream stream) { return call("cuMemcpyHtoDAsync %llx %p %zu %p", to, from, bytes, stream); }
API cuMemcpyDtoHAsync_v2(void* to, CUdeviceptr from, size_t bytes, CUstream stream) { return call("cuMemcpyDtoHAsync %p %llx %zu %p", to, from, bytes, stream); }
API cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) { return call("cuMemcpyDtoDAsync %llx %llx %zu %p", to, from, bytes, stream); }
API cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t bytes, CUstream stream) { return call("cuMemsetD8Async %llx %u %zu %p", to, value, bytes, stream); }

API cuModuleLoadData(CUmodule* module, const void* image) { out(module, 0xa1); return call("cuModuleLoadData %s", (const char*)image); }
API cuModuleUnload(CUmodule module) { return call("cuModuleUnload %p", module); }
API cuModuleGetFunction(CUfunction* function, CUmodule module, const char* name) { out(function, 0xb2); return call("cuModuleGetFunction %p %s", module, name); }
API cuFuncGetAttribute(int* value, int attribute, CUfunction function) { *value = 77; return call("cuFuncGetAttribute %d %p", attribute, function); }
API cuFuncSetAttribute(CUfunction function, int attribute, int value) { return call("cuFuncSetAttribute %p %d %d", function, attribute, value); }
API cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, CUfunction function, int threads, size_t shared)
{
    *blocks = 12;
    return call("cuOccupancyMaxActiveBlocksPerMultiprocessor %p %d %zu", function, threads, shared);
}

// The argument struct of the test, by value as a kernel would have it.
struct Arguments { CUdeviceptr pointer; double scale; int count; float small; long long last; };

API cuLaunchKernel(CUfunction function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, CUstream stream,
    void** parameters, void** extra)
{
    Arguments a;
    memcpy(&a, parameters[0], sizeof a);
    return call("cuLaunchKernel %p grid %u %u %u block %u %u %u shared %u stream %p extra %d arguments %llx %g %d %g %lld",
        function, gx, gy, gz, bx, by, bz, shared, stream, extra != nullptr, a.pointer, a.scale, a.count, a.small, a.last);
}

API cuStreamCreate(CUstream* stream, unsigned flags) { out(stream, 0xc3); return call("cuStreamCreate %u", flags); }
API cuStreamDestroy_v2(CUstream stream) { return call("cuStreamDestroy %p", stream); }
API cuStreamSynchronize(CUstream stream) { return call("cuStreamSynchronize %p", stream); }
API cuStreamWaitEvent(CUstream stream, CUevent event, unsigned flags) { return call("cuStreamWaitEvent %p %p %u", stream, event, flags); }
API cuEventCreate(CUevent* event, unsigned flags) { out(event, 0xd4); return call("cuEventCreate %u", flags); }
API cuEventDestroy_v2(CUevent event) { return call("cuEventDestroy %p", event); }
API cuEventRecord(CUevent event, CUstream stream) { return call("cuEventRecord %p %p", event, stream); }
API cuEventQuery(CUevent event) { return call("cuEventQuery %p", event); }
API cuEventSynchronize(CUevent event) { return call("cuEventSynchronize %p", event); }
API cuEventElapsedTime(float* milliseconds, CUevent start, CUevent end) { *milliseconds = 2.5f; return call("cuEventElapsedTime %p %p", start, end); }

API cuStreamBeginCapture_v2(CUstream stream, int mode) { return call("cuStreamBeginCapture %p %d", stream, mode); }
API cuStreamEndCapture(CUstream stream, CUgraph* graph) { out(graph, 0xe5); return call("cuStreamEndCapture %p", stream); }
API cuStreamIsCapturing(CUstream stream, int* status) { *status = stream ? 2 : 0; return call("cuStreamIsCapturing %p", stream); }
#ifndef FAKE_WITHOUT_INSTANTIATE
API cuGraphInstantiateWithFlags(CUgraphExec* executable, CUgraph graph, unsigned long long flags)
{
    out(executable, 0xf6);
    return call("cuGraphInstantiateWithFlags %p %llu", graph, flags);
}
#endif
#if FAKE_VERSION >= 12000
API cuGraphExecUpdate_v2(CUgraphExec executable, CUgraph graph, CUgraphExecUpdateResultInfo* info)
{
    info->result = 1;
    info->errorNode = info->errorFromNode = (CUgraphNode)~0ull;
    return call("cuGraphExecUpdate_v2 %p %p", executable, graph);
}
#endif
API cuGraphExecUpdate(CUgraphExec executable, CUgraph graph, CUgraphNode* node, int* verdict)
{
    *node = (CUgraphNode)~0ull;
    *verdict = 1;
    return call("cuGraphExecUpdate %p %p", executable, graph);
}
API cuGraphLaunch(CUgraphExec executable, CUstream stream) { return call("cuGraphLaunch %p %p", executable, stream); }
API cuGraphExecDestroy(CUgraphExec executable) { return call("cuGraphExecDestroy %p", executable); }
API cuGraphDestroy(CUgraph graph) { return call("cuGraphDestroy %p", graph); }
API cuGraphGetNodes(CUgraph graph, CUgraphNode* nodes, size_t* count) { *count = 3000000000ull; return call("cuGraphGetNodes %p %d", graph, nodes == nullptr); }
