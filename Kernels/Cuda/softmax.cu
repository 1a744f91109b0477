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

// out = exp(a) / sum of exp(a).
KERNEL_SYNC(softmax_forward, SoftmaxArgs)
{
    Line l(args.team, args.lines, args.n, args.inner);
    T max = nat_line_max(args.a, l, args.team), sum = nat_line_sum_exp(args.a, max, l, args.team);
    l.map(args.out, args.a, [&](T a, int) { return nat_exp(a - max) / sum; });
}

// out = a - log(sum of exp(a)).
KERNEL_SYNC(softmax_log_forward, SoftmaxArgs)
{
    Line l(args.team, args.lines, args.n, args.inner);
    T max = nat_line_max(args.a, l, args.team), log = nat_log(nat_line_sum_exp(args.a, max, l, args.team));
    l.map(args.out, args.a, [&](T a, int) { return a - max - log; });
}

// out [lines] = log(sum of exp(a)).
KERNEL_SYNC(softmax_logsumexp, SoftmaxArgs)
{
    Line l(args.team, args.lines, args.n, args.inner);
    T max = nat_line_max(args.a, l, args.team);
    // An infinite maximum is its own answer, or NaN's: subtracting it would only make NaN.
    T shift = nat_abs(max) < nat_inf<T>() ? max : T(0);
    T sum = nat_line_sum_exp(args.a, shift, l, args.team);
    if (l.leads())
        args.out[l.number] = shift + nat_log(sum);
}

// From g = a and the output y = b of softmax: out = y (g - sum of g y).
KERNEL_SYNC(softmax_grad, SoftmaxArgs)
{
    Line l(args.team, args.lines, args.n, args.inner);
    T sum = T(0);
    l.each(args.a, args.b, [&](T g, T y, int) { sum += g * y; });
    sum = nat_team_reduce(sum, args.team, NatSum());
    l.map(args.out, args.a, args.b, [&](T g, T y, int) { return y * (g - sum); });
}

// From g = a and the output y = b of log-softmax: out = g - exp(y) sum of g.
KERNEL_SYNC(softmax_log_grad, SoftmaxArgs)
{
    Line l(args.team, args.lines, args.n, args.inner);
    T sum = T(0);
    l.each(args.a, [&](T g, int) { sum += g; });
    sum = nat_team_reduce(sum, args.team, NatSum());
    l.map(args.out, args.a, args.b, [&](T g, T y, int) { return g - nat_exp(y) * sum; });
}

struct GumbelArgs
{
    T *out, *soft;
    const T *a, *b;
    double tau;
    int lines, n, inner, hard;
    Team team;
};

struct Smaller
{
    __device__ __forceinline__ int operator()(int a, int b) const { return a < b ? a : b; }
};

// From logits a and noise b: soft = softmax((a + b) / tau), and if hard out = the one-hot of its largest (the first of equals; of NaN only, the first).
KERNEL_SYNC(softmax_gumbel, GumbelArgs)
{
    Line l(args.team, args.lines, args.n, args.inner);
    T tau = (T)args.tau, max = -nat_inf<T>(), sum = T(0);
    l.each(args.a, args.b, [&](T a, T b, int) { max = Larger()(max, (a + b) / tau); });
    max = nat_team_reduce(max, args.team, Larger());
    l.each(args.a, args.b, [&](T a, T b, int) { sum += nat_exp((a + b) / tau - max); });
    sum = nat_team_reduce(sum, args.team, NatSum());
    T most = -nat_inf<T>();
    l.map(args.soft, args.a, args.b, [&](T a, T b, int) {
        T y = nat_exp((a + b) / tau - max) / sum;
        most = Larger()(most, y);
        return y;
    });
    if (!args.hard)
        return;
    most = nat_team_reduce(most, args.team, Larger());
    // Each thread reads what it wrote itself.
    int best = args.n;
    l.each(args.soft, [&](T y, int i) { best = y == most ? min(best, i) : best; });
    best = nat_team_reduce(best, args.team, Smaller());
    best = best == args.n ? 0 : best;
    l.map(args.out, args.soft, [&](T, int i) { return i == best ? T(1) : T(0); });
}

// From g = a and soft = b: out = soft (g - sum of g soft) / tau.
KERNEL_SYNC(softmax_gumbel_grad, GumbelArgs)
{
    Line l(args.team, args.lines, args.n, args.inner);
    T sum = T(0), tau = (T)args.tau;
    l.each(args.a, args.b, [&](T g, T y, int) { sum += g * y; });
    sum = nat_team_reduce(sum, args.team, NatSum());
    l.map(args.out, args.a, args.b, [&](T g, T y, int) { return y * (g - sum) / tau; });
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
        l.each(args.x, [&](T x, int) { mean += x - max; });
        mean = nat_team_reduce(mean, args.team, NatSum()) / T(args.classes);
    }
    if (!l.leads())
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
    l.map(args.out, args.x, [&](T x, int i) {
        T less = i == target ? T(1) - smoothing + spread : spread;
        return counts ? (nat_exp(x - max) / sum - less) * scale : otherwise;
    });
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
