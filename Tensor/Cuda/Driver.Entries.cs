namespace Native;

/// <content>
/// The entry points, under the names of the binary interface: where an entry changed since CUDA 3.2 its name ends in _v2, and the plain name, which
/// is still exported, means the old one.
/// </content>
internal sealed unsafe partial class Driver
{
    private readonly delegate* unmanaged<uint, CudaResult> _init;
    private readonly delegate* unmanaged<int*, CudaResult> _driverGetVersion, _deviceGetCount;
    private readonly delegate* unmanaged<CudaResult, byte**, CudaResult> _getErrorName, _getErrorString;
    private readonly delegate* unmanaged<int*, int, CudaResult> _deviceGet;
    private readonly delegate* unmanaged<byte*, int, int, CudaResult> _deviceGetName;
    private readonly delegate* unmanaged<nuint*, int, CudaResult> _deviceTotalMem;
    private readonly delegate* unmanaged<int*, CudaAttribute, int, CudaResult> _deviceGetAttribute;
    private readonly delegate* unmanaged<nint*, int, CudaResult> _devicePrimaryCtxRetain;
    private readonly delegate* unmanaged<nint, CudaResult> _ctxSetCurrent;

    private readonly delegate* unmanaged<nuint*, nuint*, CudaResult> _memGetInfo;
    private readonly delegate* unmanaged<nint*, nuint, CudaResult> _memAlloc;
    private readonly delegate* unmanaged<nint*, nuint, nint, CudaResult> _memAllocAsync;
    private readonly delegate* unmanaged<nint, nint, CudaResult> _memFreeAsync;
    private readonly delegate* unmanaged<nint*, nuint, uint, CudaResult> _memHostAlloc;
    private readonly delegate* unmanaged<nint, CudaResult> _memFree, _memFreeHost;
    private readonly delegate* unmanaged<nint, void*, nuint, nint, CudaResult> _memcpyHtoD;
    private readonly delegate* unmanaged<void*, nint, nuint, nint, CudaResult> _memcpyDtoH;
    private readonly delegate* unmanaged<nint, nint, nuint, nint, CudaResult> _memcpyDtoD;
    private readonly delegate* unmanaged<nint, byte, nuint, nint, CudaResult> _memsetD8;

    private readonly delegate* unmanaged<nint*, void*, CudaResult> _moduleLoadData;
    private readonly delegate* unmanaged<nint, CudaResult> _moduleUnload;
    private readonly delegate* unmanaged<nint*, nint, byte*, CudaResult> _moduleGetFunction;
    private readonly delegate* unmanaged<int*, CudaFunctionAttribute, nint, CudaResult> _funcGetAttribute;
    private readonly delegate* unmanaged<nint, CudaFunctionAttribute, int, CudaResult> _funcSetAttribute;
    private readonly delegate* unmanaged<int*, nint, int, nuint, CudaResult> _occupancy;
    private readonly delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, CudaResult> _launchKernel;

    private readonly delegate* unmanaged<nint*, uint, CudaResult> _streamCreate, _eventCreate;
    private readonly delegate* unmanaged<nint, CudaResult> _streamDestroy, _streamSynchronize, _eventDestroy, _eventQuery, _eventSynchronize;
    private readonly delegate* unmanaged<nint, nint, uint, CudaResult> _streamWaitEvent;
    private readonly delegate* unmanaged<nint, nint, CudaResult> _eventRecord;
    private readonly delegate* unmanaged<float*, nint, nint, CudaResult> _eventElapsedTime;

    private readonly delegate* unmanaged<nint, int, CudaResult> _streamBeginCapture;
    private readonly delegate* unmanaged<nint, nint*, CudaResult> _streamEndCapture;
    private readonly delegate* unmanaged<nint, int*, CudaResult> _streamIsCapturing;
    private readonly delegate* unmanaged<nint*, nint, ulong, CudaResult> _graphInstantiate;
    private readonly delegate* unmanaged<nint, nint, UpdateInfo*, CudaResult> _graphExecUpdate2;     // null before CUDA 12, which changed the signature
    private readonly delegate* unmanaged<nint, nint, nint*, int*, CudaResult> _graphExecUpdate;
    private readonly delegate* unmanaged<nint, nint, CudaResult> _graphLaunch;
    private readonly delegate* unmanaged<nint, CudaResult> _graphExecDestroy, _graphDestroy;
    private readonly delegate* unmanaged<nint, nint*, nuint*, CudaResult> _graphGetNodes;

    /// <summary>Binds every entry point; <paramref name="find"/> gives an address, or 0. <see cref="DeviceException"/> when one is missing.</summary>
    internal Driver(string source, Func<string, nint> find)
    {
        Source = source;
        // First, so that the message about a missing entry can name the version.
        _driverGetVersion = (delegate* unmanaged<int*, CudaResult>)Must("cuDriverGetVersion");
        _init = (delegate* unmanaged<uint, CudaResult>)Must("cuInit");
        _getErrorName = (delegate* unmanaged<CudaResult, byte**, CudaResult>)Must("cuGetErrorName");
        _getErrorString = (delegate* unmanaged<CudaResult, byte**, CudaResult>)Must("cuGetErrorString");
        _deviceGet = (delegate* unmanaged<int*, int, CudaResult>)Must("cuDeviceGet");
        _deviceGetCount = (delegate* unmanaged<int*, CudaResult>)Must("cuDeviceGetCount");
        _deviceGetName = (delegate* unmanaged<byte*, int, int, CudaResult>)Must("cuDeviceGetName");
        _deviceTotalMem = (delegate* unmanaged<nuint*, int, CudaResult>)Must("cuDeviceTotalMem_v2");
        _deviceGetAttribute = (delegate* unmanaged<int*, CudaAttribute, int, CudaResult>)Must("cuDeviceGetAttribute");
        _devicePrimaryCtxRetain = (delegate* unmanaged<nint*, int, CudaResult>)Must("cuDevicePrimaryCtxRetain");
        _ctxSetCurrent = (delegate* unmanaged<nint, CudaResult>)Must("cuCtxSetCurrent");

        _memGetInfo = (delegate* unmanaged<nuint*, nuint*, CudaResult>)Must("cuMemGetInfo_v2");
        _memAlloc = (delegate* unmanaged<nint*, nuint, CudaResult>)Must("cuMemAlloc_v2");
        _memFree = (delegate* unmanaged<nint, CudaResult>)Must("cuMemFree_v2");
        _memAllocAsync = (delegate* unmanaged<nint*, nuint, nint, CudaResult>)Must("cuMemAllocAsync");
        _memFreeAsync = (delegate* unmanaged<nint, nint, CudaResult>)Must("cuMemFreeAsync");
        _memHostAlloc = (delegate* unmanaged<nint*, nuint, uint, CudaResult>)Must("cuMemHostAlloc");
        _memFreeHost = (delegate* unmanaged<nint, CudaResult>)Must("cuMemFreeHost");
        _memcpyHtoD = (delegate* unmanaged<nint, void*, nuint, nint, CudaResult>)Must("cuMemcpyHtoDAsync_v2");
        _memcpyDtoH = (delegate* unmanaged<void*, nint, nuint, nint, CudaResult>)Must("cuMemcpyDtoHAsync_v2");
        _memcpyDtoD = (delegate* unmanaged<nint, nint, nuint, nint, CudaResult>)Must("cuMemcpyDtoDAsync_v2");
        _memsetD8 = (delegate* unmanaged<nint, byte, nuint, nint, CudaResult>)Must("cuMemsetD8Async");

        _moduleLoadData = (delegate* unmanaged<nint*, void*, CudaResult>)Must("cuModuleLoadData");
        _moduleUnload = (delegate* unmanaged<nint, CudaResult>)Must("cuModuleUnload");
        _moduleGetFunction = (delegate* unmanaged<nint*, nint, byte*, CudaResult>)Must("cuModuleGetFunction");
        _funcGetAttribute = (delegate* unmanaged<int*, CudaFunctionAttribute, nint, CudaResult>)Must("cuFuncGetAttribute");
        _funcSetAttribute = (delegate* unmanaged<nint, CudaFunctionAttribute, int, CudaResult>)Must("cuFuncSetAttribute");
        _occupancy = (delegate* unmanaged<int*, nint, int, nuint, CudaResult>)Must("cuOccupancyMaxActiveBlocksPerMultiprocessor");
        _launchKernel = (delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, CudaResult>)Must("cuLaunchKernel");

        _streamCreate = (delegate* unmanaged<nint*, uint, CudaResult>)Must("cuStreamCreate");
        _streamDestroy = (delegate* unmanaged<nint, CudaResult>)Must("cuStreamDestroy_v2");
        _streamSynchronize = (delegate* unmanaged<nint, CudaResult>)Must("cuStreamSynchronize");
        _streamWaitEvent = (delegate* unmanaged<nint, nint, uint, CudaResult>)Must("cuStreamWaitEvent");
        _eventCreate = (delegate* unmanaged<nint*, uint, CudaResult>)Must("cuEventCreate");
        _eventDestroy = (delegate* unmanaged<nint, CudaResult>)Must("cuEventDestroy_v2");
        _eventRecord = (delegate* unmanaged<nint, nint, CudaResult>)Must("cuEventRecord");
        _eventQuery = (delegate* unmanaged<nint, CudaResult>)Must("cuEventQuery");
        _eventSynchronize = (delegate* unmanaged<nint, CudaResult>)Must("cuEventSynchronize");
        // The same arguments; the second, of CUDA 12.8, is what CUDA 13 documents.
        _eventElapsedTime = (delegate* unmanaged<float*, nint, nint, CudaResult>)(find("cuEventElapsedTime_v2") is var later and not 0 ? later : Must("cuEventElapsedTime"));

        _streamBeginCapture = (delegate* unmanaged<nint, int, CudaResult>)Must("cuStreamBeginCapture_v2");
        _streamEndCapture = (delegate* unmanaged<nint, nint*, CudaResult>)Must("cuStreamEndCapture");
        _streamIsCapturing = (delegate* unmanaged<nint, int*, CudaResult>)Must("cuStreamIsCapturing");
        _graphInstantiate = (delegate* unmanaged<nint*, nint, ulong, CudaResult>)Must("cuGraphInstantiateWithFlags");
        _graphExecUpdate2 = (delegate* unmanaged<nint, nint, UpdateInfo*, CudaResult>)find("cuGraphExecUpdate_v2");
        if (_graphExecUpdate2 == null)
            _graphExecUpdate = (delegate* unmanaged<nint, nint, nint*, int*, CudaResult>)Must("cuGraphExecUpdate");
        _graphLaunch = (delegate* unmanaged<nint, nint, CudaResult>)Must("cuGraphLaunch");
        _graphExecDestroy = (delegate* unmanaged<nint, CudaResult>)Must("cuGraphExecDestroy");
        _graphDestroy = (delegate* unmanaged<nint, CudaResult>)Must("cuGraphDestroy");
        _graphGetNodes = (delegate* unmanaged<nint, nint*, nuint*, CudaResult>)Must("cuGraphGetNodes");

        nint Must(string name)
        {
            if (find(name) is var address and not 0)
                return address;
            string version = _driverGetVersion != null && DriverGetVersion(out int v) == CudaResult.Success ? $"a driver of CUDA {VersionText(v)}" : "a driver of unknown version";
            throw new DeviceException($"cuda: {source} is {version} and has no {name}. Install a driver of CUDA 11.4 (R470) or newer.");
        }
    }
}
