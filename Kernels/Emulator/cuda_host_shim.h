// Runs the text of a CUDA kernel on the host, so that every kernel can be tested where there is no GPU. Included before the family's text by a host
// compiler. A kernel without barriers is two loops, over blocks and over threads. A kernel with barriers gives each thread of a block a stack of its
// own and switches between them at every barrier and shuffle; a barrier that not all threads reach is reported, as is a shuffle not all lanes join.
// Not thread-safe: the caller runs one kernel of a library at a time.
#include <cmath>
#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

#define NAT_EMULATED 1
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __restrict__
#define __launch_bounds__(...)
#define __constant__ static const
// All shared memory lies in one section, which is filled with 0xFF (NaN) before every block: nothing may be taken over from the block before. What
// templates declare comes there by the linker's script, shared_memory.ld.
#define NAT_SHARED static __attribute__((section("nat_shared")))
#define __shared__ NAT_SHARED

struct nat_dim3 { unsigned x, y, z; };
static nat_dim3 gridDim, blockDim, blockIdx, threadIdx;

struct float2 { float x, y; };
struct float4 { float x, y, z, w; };
struct double2 { double x, y; };
struct int4 { int x, y, z, w; };

template <class To, class From> static inline To nat_cast(From x)
{
    To r;
    static_assert(sizeof r == sizeof x, "a cast keeps the bits");
    memcpy(&r, &x, sizeof r);
    return r;
}
static inline unsigned __float_as_uint(float x) { return nat_cast<unsigned>(x); }
static inline float __uint_as_float(unsigned x) { return nat_cast<float>(x); }
static inline int __float_as_int(float x) { return nat_cast<int>(x); }
static inline float __int_as_float(int x) { return nat_cast<float>(x); }
static inline long long __double_as_longlong(double x) { return nat_cast<long long>(x); }
static inline double __longlong_as_double(long long x) { return nat_cast<double>(x); }
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) { return (unsigned long long)(((unsigned __int128)a * b) >> 64); }
static inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)(((unsigned long long)a * b) >> 32); }
using std::sqrt;
static inline int min(int a, int b) { return a < b ? a : b; }
static inline int max(int a, int b) { return a > b ? a : b; }
template <class V> static inline V __ldg(const V* p) { return *p; }

// What the driver passes for one launch; C# has its twin.
struct nat_launch
{
    unsigned grid[3], block;
    const void* arguments;
    int reversed;      // threads and blocks in descending order: the result must not depend on it
    const char* error; // set by the kernel
};

namespace nat
{
enum State { Ready, AtBlock, AtWarp, Done };
struct Fiber
{
#if defined(__x86_64__)
    void* sp;
#else
    ucontext_t context;
#endif
    State state;
    nat_dim3 at;
    const char* where;
    alignas(16) unsigned char exchange[24];
    std::vector<char> stack;
};
enum { StackBytes = 64 << 10 };
static std::vector<Fiber> fibers;
static int current, order;
static void (*body)(const void*);
static const void* arguments;
#if defined(__x86_64__)
static void* scheduler;
extern "C" __attribute__((visibility("hidden"))) void nat_switch(void** save, void* to);
asm(R"(
.text
.globl nat_switch
.hidden nat_switch
nat_switch:
  pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp
  ret
)");
static void leave(Fiber& f) { nat_switch(&f.sp, scheduler); }
static void enter(Fiber& f) { nat_switch(&scheduler, f.sp); }
#else
static ucontext_t scheduler;
static void leave(Fiber& f) { swapcontext(&f.context, &scheduler); }
static void enter(Fiber& f) { swapcontext(&scheduler, &f.context); }
#endif
static void wait(State s, const char* where)
{
    Fiber& f = fibers[current];
    f.state = s;
    f.where = where;
    leave(f);
    threadIdx = f.at;
}
static void start()
{
    threadIdx = fibers[current].at;
    body(arguments);
    fibers[current].state = Done;
    leave(fibers[current]);
}
static void prepare(Fiber& f)
{
    f.state = Ready;
    f.stack.resize(StackBytes);
#if defined(__x86_64__)
    void** top = (void**)(((uintptr_t)f.stack.data() + StackBytes) & ~(uintptr_t)15) - 2;
    *top = (void*)start;
    top[1] = nullptr;
    f.sp = top - 6;
    memset(f.sp, 0, 6 * sizeof(void*));
#else
    getcontext(&f.context);
    f.context.uc_stack.ss_sp = f.stack.data();
    f.context.uc_stack.ss_size = StackBytes;
    f.context.uc_link = nullptr;
    makecontext(&f.context, start, 0);
#endif
}
// Lanes of a warp that wait at a warp-wide operation go on together, once all that still run have come to the same one.
static bool release_warp(int w, int end, const char** error)
{
    int waiting = 0, elsewhere = 0;
    const char* where = nullptr;
    for (int i = w; i < end; i++)
    {
        if (fibers[i].state == AtWarp)
        {
            if (where && where != fibers[i].where)
            {
                *error = "lanes of a warp wait at different shuffles";
                return false;
            }
            where = fibers[i].where;
            waiting++;
        }
        else
            elsewhere += fibers[i].state != Done;
    }
    if (waiting == 0 || elsewhere > 0)
        return false;
    if (waiting != end - w)
    {
        *error = "a shuffle over the whole warp, but some of its lanes have left the kernel";
        return false;
    }
    for (int i = w; i < end; i++)
        fibers[i].state = Ready;
    return true;
}
static bool run_block(int n, const char** error)
{
    for (int i = 0; i < n; i++)
        prepare(fibers[i]);
    for (;;)
    {
        // A warp runs as far as it can before the next one starts, so that what only a barrier would keep apart does meet.
        for (int k = 0; k < n; k += 32)
        {
            int w = order ? (n - 1) / 32 * 32 - k : k, end = min(n, w + 32);
            do
            {
                for (int i = w; i < end; i++)
                {
                    current = order ? end - 1 - (i - w) : i;
                    if (fibers[current].state == Ready)
                        enter(fibers[current]);
                }
            } while (release_warp(w, end, error));
            if (*error)
                return false;
        }
        int done = 0, barrier = 0;
        const char* where = nullptr;
        bool same = true;
        for (int i = 0; i < n; i++)
        {
            done += fibers[i].state == Done;
            if (fibers[i].state == AtBlock)
            {
                same &= !where || where == fibers[i].where;
                where = fibers[i].where;
                barrier++;
            }
        }
        if (done == n)
            return true;
        if (barrier == n && same)
        {
            for (int i = 0; i < n; i++)
                fibers[i].state = Ready;
            continue;
        }
        *error = "a barrier that some threads of the block do not reach: they have left the kernel or wait elsewhere";
        return false;
    }
}
// Shuffles exchange through the fibers: put mine, wait until all have put theirs, take, wait until all have taken.
template <class V> static V exchange(V v, int source, const char* where)
{
    static_assert(sizeof(V) <= 16, "a shuffled value has at most 16 bytes");
    memcpy(fibers[current].exchange, &v, sizeof v);
    wait(AtWarp, where);
    V r;
    memcpy(&r, fibers[source].exchange, sizeof r);
    wait(AtWarp, where + 1);
    return r;
}
} // namespace nat

#define NAT_STRING_(x) #x
#define NAT_STRING(x) NAT_STRING_(x)
#define NAT_HERE __FILE__ ":" NAT_STRING(__LINE__)
#define __syncthreads() nat::wait(nat::AtBlock, NAT_HERE)
#define __syncwarp() nat::wait(nat::AtWarp, NAT_HERE)
#define __shfl_down_sync(mask, v, o) nat::shfl_down(mask, v, o, NAT_HERE)
#define __shfl_xor_sync(mask, v, o) nat::shfl_xor(mask, v, o, NAT_HERE)
#define __shfl_sync(mask, v, lane) nat::shfl(mask, v, lane, NAT_HERE)
namespace nat
{
template <class V> static V shfl_down(unsigned, V v, int o, const char* where)
{
    int lane = current & 31;
    return exchange(v, lane + o < 32 && current + o < (int)blockDim.x ? current + o : current, where);
}
template <class V> static V shfl_xor(unsigned, V v, int o, const char* where) { return exchange(v, (current & ~31) | ((current & 31) ^ o), where); }
template <class V> static V shfl(unsigned, V v, int lane, const char* where) { return exchange(v, (current & ~31) | (lane & 31), where); }

// The tensor core's d += a b; nat_mma_tf32 says which lane has what. Of an operand's bits it takes the upper 19, rounded or not.
static float tf32(int lane, int index)
{
    float operands[6];
    memcpy(operands, fibers[(current & ~31) | lane].exchange, sizeof operands);
    return __uint_as_float(__float_as_uint(operands[index]) & ~0x1FFFu);
}
static void mma_tf32(float (&d)[4], const float (&a)[4], const float (&b)[2], const char* where)
{
    memcpy(fibers[current].exchange, a, sizeof a);
    memcpy(fibers[current].exchange + sizeof a, b, sizeof b);
    wait(AtWarp, where);
    int group = (current & 31) >> 2, t = current & 3;
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 8; k++)
            d[i] += tf32(group * 4 + k % 4, i / 2 + k / 4 * 2) * tf32((2 * t + i % 2) * 4 + k % 4, 4 + k / 4);
    wait(AtWarp, where + 1);
}
} // namespace nat

// A kernel that gives up: its launch fails. Here its threads go on to their ends, so it must be the last thing they do to memory.
namespace nat
{
static const char* trapped;
static bool fibered;
static jmp_buf outside; // where a kernel without barriers was called from
}
#define __trap() (void)(nat::trapped = "the kernel stopped itself (__trap), at " NAT_HERE)

// A GPU refuses an address that is no multiple of what is read or written there; a host's processor does not. The compiler asks at every access
// (-fsanitize=alignment) and calls this when it is not; the layout of what it passes is the compiler's.
struct nat_misaligned
{
    const char* file;
    unsigned line, column;
    const void* type;
    unsigned char log_alignment, kind;
};
extern "C" __attribute__((visibility("hidden"))) void __ubsan_handle_type_mismatch_v1(nat_misaligned* at, void*)
{
    static char text[200];
    snprintf(text, sizeof text, "an access whose address is no multiple of %d, at %s:%u", 1 << at->log_alignment, at->file, at->line);
    nat::trapped = text;
    // The access would end the process: its thread goes no further.
    if (!nat::fibered)
        longjmp(nat::outside, 1);
    nat::fibers[nat::current].state = nat::Done;
    nat::leave(nat::fibers[nat::current]);
}

static inline int atomicAdd(int* p, int v) { int o = *p; *p += v; return o; }
static inline int atomicMin(int* p, int v) { int o = *p; if (v < o) *p = v; return o; }
static inline int atomicMax(int* p, int v) { int o = *p; if (v > o) *p = v; return o; }

extern "C" char __start_nat_shared[] __attribute__((weak, visibility("hidden")));
extern "C" char __stop_nat_shared[] __attribute__((weak, visibility("hidden")));

static void nat_run_blocks(nat_launch* l, void (*kernel)(const void*))
{
    int n = (int)l->block;
    unsigned long long blocks = (unsigned long long)gridDim.x * gridDim.y * gridDim.z;
    for (unsigned long long b = 0; b < blocks; b++)
    {
        unsigned long long at = l->reversed ? blocks - 1 - b : b;
        blockIdx = {(unsigned)(at % gridDim.x), (unsigned)(at / gridDim.x % gridDim.y), (unsigned)(at / gridDim.x / gridDim.y)};
        if (nat::fibered)
        {
            if (__start_nat_shared)
                memset(__start_nat_shared, 0xFF, __stop_nat_shared - __start_nat_shared);
            if (!nat::run_block(n, &l->error))
                return;
            continue;
        }
        for (int t = 0; t < n; t++)
        {
            threadIdx = {(unsigned)(l->reversed ? n - 1 - t : t), 0, 0};
            kernel(l->arguments);
        }
    }
}

static void nat_run(nat_launch* l, void (*kernel)(const void*), bool sync)
{
    gridDim = {l->grid[0], l->grid[1], l->grid[2]};
    blockDim = {l->block, 1, 1};
    nat::body = kernel;
    nat::arguments = l->arguments;
    nat::order = l->reversed;
    nat::fibered = sync;
    l->error = nullptr;
    nat::trapped = nullptr;
    if (sync && nat::fibers.size() < l->block)
        nat::fibers.resize(l->block);
    for (unsigned i = 0; sync && i < l->block; i++)
        nat::fibers[i].at = {i, 0, 0};
    if (setjmp(nat::outside) == 0)
        nat_run_blocks(l, kernel);
    if (nat::trapped)
        l->error = nat::trapped;
}

#define NAT_KERNEL(name, Args, sync)                                                                              \
    static void NAT_JOIN(name, body)(const Args& args);                                                              \
    extern "C" __attribute__((visibility("default"))) void NAT_JOIN(name, NAT_NAME)(nat_launch * l)               \
    {                                                                                                             \
        nat_run(l, [](const void* p) { NAT_JOIN(name, body)(*(const Args*)p); }, sync);                           \
    }                                                                                                             \
    static void NAT_JOIN(name, body)(const Args& args)
#define KERNEL(name, Args) NAT_KERNEL(name, Args, false)
#define KERNEL_SYNC(name, Args) NAT_KERNEL(name, Args, true)
