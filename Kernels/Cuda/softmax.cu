// Softmax, log-softmax and log-sum-exp along one dim, their gradients, and the cross-entropy that is fused with them. A tensor is lines of n elements
// that are `inner` apart; a team of threads walks each line. The maximum is subtracted first, so nothing overflows; lines of infinities and NaN come
// out as on the CPU, which says how in SoftmaxKernels.cs. Exponentials are formed twice rather than stored.

struct SoftmaxArgs
{
    T* out;
    const T *a, *b;
    int lines, n, inner;
    Team team;
};

// Either operand when one is NaN: the sum of exponentials that follows carries it.
struct Larger
{
    __device__ __forceinline__ T operator()(T a, T b) const { return a > b ? a : b; }
};

// This thread's part of its team's line: elements first, first + step, ... below n. A team without a line has n = 0, and walks with the others to every
// reduction.
struct Line
{
    int base, inner, first, step, n, number;
    bool exists;

    __device__ __forceinline__ Line(Team team, int lines, int count, int distance)
    {
        inner = distance;
        number = nat_team(team);
        first = nat_team_rank(team);
        step = nat_team_size(team);
        exists = number < lines;
        n = exists ? count : 0;
        base = exists ? number / inner * count * inner + number % inner : 0;
    }

    __device__ __forceinline__ int at(int i) const { return base + i * inner; }
};

__device__ __forceinline__ T nat_line_max(const T* x, const Line& l, Team team)
{
    T max = -nat_inf<T>();
    for (int i = l.first; i < l.n; i += l.step)
        max = Larger()(max, x[l.at(i)]);
    return nat_team_reduce(max, team, Larger());
}

__device__ __forceinline__ T nat_line_sum_exp(const T* x, T shift, const Line& l, Team team)
{
    T sum = T(0);
    for (int i = l.first; i < l.n; i += l.step)
        sum += nat_exp(x[l.at(i)] - shift);
    return nat_team_reduce(sum, team, NatSum());
}

// out = exp(a) / sum of exp(a).
KERNEL_SYNC(softmax_forward, SoftmaxArgs)
{
    Line l(args.team, args.lines, args.n, args.inner);
    T max = nat_line_max(args.a, l, args.team), sum = nat_line_sum_exp(args.a, max, l, args.team);
    for (int i = l.first; i < l.n; i += l.step)
        args.out[l.at(i)] = nat_exp(args.a[l.at(i)] - max) / sum;
}

// out = a - log(sum of exp(a)).
KERNEL_SYNC(softmax_log_forward, SoftmaxArgs)
{
    Line l(args.team, args.lines, args.n, args.inner);
    T max = nat_line_max(args.a, l, args.team), log = nat_log(nat_line_sum_exp(args.a, max, l, args.team));
    for (int i = l.first; i < l.n; i += l.step)
        args.out[l.at(i)] = args.a[l.at(i)] - max - log;
}

// out [lines] = log(sum of exp(a)).
KERNEL_SYNC(softmax_logsumexp, SoftmaxArgs)
{
    Line l(args.team, args.lines, args.n, args.inner);
    T max = nat_line_max(args.a, l, args.team);
    // An infinite maximum is its own answer, or NaN's: subtracting it would only make NaN.
    T shift = nat_abs(max) < nat_inf<T>() ? max : T(0);
    T sum = nat_line_sum_exp(args.a, shift, l, args.team);
    if (l.exists && l.first == 0)
        args.out[l.number] = shift + nat_log(sum);
}

// From g = a and the output y = b of softmax: out = y (g - sum of g y).
KERNEL_SYNC(softmax_grad, SoftmaxArgs)
{
    Line l(args.team, args.lines, args.n, args.inner);
    T sum = T(0);
    for (int i = l.first; i < l.n; i += l.step)
        sum += args.a[l.at(i)] * args.b[l.at(i)];
    sum = nat_team_reduce(sum, args.team, NatSum());
    for (int i = l.first; i < l.n; i += l.step)
        args.out[l.at(i)] = args.b[l.at(i)] * (args.a[l.at(i)] - sum);
}

// From g = a and the output y = b of log-softmax: out = g - exp(y) sum of g.
KERNEL_SYNC(softmax_log_grad, SoftmaxArgs)
{
    Line l(args.team, args.lines, args.n, args.inner);
    T sum = T(0);
    for (int i = l.first; i < l.n; i += l.step)
        sum += args.a[l.at(i)];
    sum = nat_team_reduce(sum, args.team, NatSum());
    for (int i = l.first; i < l.n; i += l.step)
        args.out[l.at(i)] = args.a[l.at(i)] - nat_exp(args.b[l.at(i)]) * sum;
}

struct CrossEntropyArgs
{
    T* out;
    const T *x, *scale;
    const long long* targets;
    long long ignored;
    double smoothing;
    int rows, classes;
    Team team;
};

// out[r] = log(sum of exp(x[r])) - (1 - smoothing) x[r, target] - smoothing mean(x[r]); 0 for the ignored target, NaN for one that is no class.
KERNEL_SYNC(softmax_cross_entropy, CrossEntropyArgs)
{
    Line l(args.team, args.rows, args.classes, 1);
    T max = nat_line_max(args.x, l, args.team), log = nat_log(nat_line_sum_exp(args.x, max, l, args.team)), mean = T(0);
    T smoothing = (T)args.smoothing;
    if (smoothing != T(0))
    {
        for (int i = l.first; i < l.n; i += l.step)
            mean += args.x[l.at(i)] - max;
        mean = nat_team_reduce(mean, args.team, NatSum()) / T(args.classes);
    }
    if (!l.exists || l.first != 0)
        return;
    long long target = args.targets[l.number];
    T loss = nat_nan<T>();
    if (target == args.ignored)
        loss = T(0);
    else if (target >= 0 && target < args.classes)
    {
        // Subtracting the maximum from the logit first keeps the digits that log-sum-exp would lose to a large maximum.
        T logit = args.x[l.at((int)target)] - max;
        loss = smoothing == T(0) ? log - logit : log - (T(1) - smoothing) * logit - smoothing * mean;
    }
    args.out[l.number] = loss;
}

// out = (softmax(x) - (1 - smoothing) onehot(target) - smoothing / classes) scale[r]; rows that are ignored or wrong as above.
KERNEL_SYNC(softmax_cross_entropy_grad, CrossEntropyArgs)
{
    Line l(args.team, args.rows, args.classes, 1);
    T max = nat_line_max(args.x, l, args.team), sum = nat_line_sum_exp(args.x, max, l, args.team);
    if (!l.exists)
        return;
    long long target = args.targets[l.number];
    bool counts = target >= 0 && target < args.classes && target != args.ignored;
    T otherwise = target == args.ignored ? T(0) : nat_nan<T>(), smoothing = (T)args.smoothing, spread = smoothing / T(args.classes), scale = args.scale[l.number];
    for (int i = l.first; i < l.n; i += l.step)
    {
        T less = i == target ? T(1) - smoothing + spread : spread;
        args.out[l.at(i)] = counts ? (nat_exp(args.x[l.at(i)] - max) / sum - less) * scale : otherwise;
    }
}

struct MeanArgs
{
    T *share, *mean;
    const long long* targets;
    long long ignored;
    int rows;
    Team team;
};

// One block. mean = the sum of the losses in share over the number of rows that count; then each loss becomes its row's share, 1 / number or 0.
KERNEL_SYNC(softmax_cross_entropy_mean, MeanArgs)
{
    T sum = T(0), number = T(0);
    for (int r = (int)threadIdx.x; r < args.rows; r += NAT_THREADS)
    {
        sum += args.share[r];
        number += args.targets[r] != args.ignored ? T(1) : T(0);
    }
    sum = nat_team_reduce(sum, args.team, NatSum());
    number = nat_team_reduce(number, args.team, NatSum());
    T share = T(1) / number;
    for (int r = (int)threadIdx.x; r < args.rows; r += NAT_THREADS)
        args.share[r] = args.targets[r] != args.ignored ? share : T(0);
    if (threadIdx.x == 0)
        *args.mean = sum / number;
}
