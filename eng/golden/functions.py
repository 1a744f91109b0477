"""Losses, pointwise functions at awkward points, and reductions with ties, zeros and NaN."""
import math
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from golden.record import INF, NAN, F64, Draw, indices, numbers, store, vjp


def loss(case, call, f, inputs, **params):
    """One case for all reductions: y with g and gradients for 'none'; y_mean, gx_mean and y_sum, gx_sum for upstream 1."""
    reduced = {}
    for reduction in ("mean", "sum"):
        leaves = {name: v.clone() for name, v in inputs.items()}
        x = leaves["x"].requires_grad_()
        y = f(*leaves.values(), reduction=reduction)
        reduced |= {"y_" + reduction: y, "gx_" + reduction: torch.autograd.grad(y, x)[0]}
    vjp("losses", case, call, partial(f, reduction="none"), inputs, params | reduced)


def losses():
    n, c = 5, 3
    draw = Draw("losses")
    x, target, weight = draw.normal(n, c) * 2, draw.integers(c, n), draw.uniform(0.5, 2, c)
    ignoring = target.clone()
    ignoring[1] = ignoring[3] = -100
    soft = torch.softmax(draw.normal(n, c), 1)
    hard, masked, probable = dict(x=x, target=target), dict(x=x, target=ignoring), dict(x=x, target=soft)
    ce = F.cross_entropy
    loss("cross_entropy", "F.cross_entropy(x, target)", ce, hard)
    loss("cross_entropy_weight", "F.cross_entropy(x, target, weight); the mean divides by the weights met",
         partial(ce, weight=weight), hard, weight=weight)
    loss("cross_entropy_ignore", "F.cross_entropy(x, target, ignore_index=-100); the mean divides by the targets kept",
         ce, masked, ignore_index=-100)
    loss("cross_entropy_smooth", "F.cross_entropy(x, target, label_smoothing=0.1)",
         partial(ce, label_smoothing=0.1), hard, label_smoothing=0.1)
    loss("cross_entropy_all", "F.cross_entropy(x, target, weight, ignore_index=-100, label_smoothing=0.1)",
         partial(ce, weight=weight, label_smoothing=0.1), masked, weight=weight, ignore_index=-100, label_smoothing=0.1)
    loss("cross_entropy_soft", "F.cross_entropy(x, target=probabilities); the mean divides by n", ce, probable)
    loss("cross_entropy_soft_smooth", "F.cross_entropy(x, target=probabilities, label_smoothing=0.2)",
         partial(ce, label_smoothing=0.2), probable, label_smoothing=0.2)
    loss("cross_entropy_image", "F.cross_entropy(x[n, c, length], target[n, length])", ce,
         dict(x=draw.normal(2, c, 3), target=draw.integers(c, 2, 3)))
    logp = torch.log_softmax(draw.normal(n, c), 1)
    loss("nll", "F.nll_loss(x, target)", F.nll_loss, dict(x=logp, target=target))
    loss("nll_weight_ignore", "F.nll_loss(x, target, weight, ignore_index=-100)", partial(F.nll_loss, weight=weight),
         dict(x=logp, target=ignoring), weight=weight, ignore_index=-100)
    z, t = draw.normal(3, c) * 3, draw.uniform(0, 1, 3, c)
    z[0, 0], z[0, 1], z[0, 2], t[0, 0], t[0, 1] = 100.0, -100.0, 0.0, 0.0, 1.0
    pos, each = draw.uniform(0.5, 3, c), draw.uniform(0.5, 2, 3, c)
    bce = F.binary_cross_entropy_with_logits
    loss("bce", "F.binary_cross_entropy_with_logits(x, target)", bce, dict(x=z, target=t))
    loss("bce_weight", "F.binary_cross_entropy_with_logits(x, target, weight, pos_weight=pos_weight); the mean divides by the count",
         partial(bce, weight=each, pos_weight=pos), dict(x=z, target=t), weight=each, pos_weight=pos)
    a, b = draw.normal(3, c), draw.normal(3, c)
    b[1] = a[1]
    loss("mse", "F.mse_loss(x, target)", F.mse_loss, dict(x=a, target=b))
    loss("l1", "F.l1_loss(x, target); gradient 0 where equal", F.l1_loss, dict(x=a, target=b))
    p = soft.clone()
    p[0] = numbers(1, 0, 0)
    loss("kl", "F.kl_div(x, target=probabilities): target * (log target - x), 0 where target is 0; the mean divides by n * c",
         partial(F.kl_div, target=p), dict(x=logp), target=p)  # no gradient for a zero target: PyTorch's is NaN there
    loss("kl_log", "F.kl_div(x, target=log probabilities, log_target=True)", partial(F.kl_div, log_target=True),
         dict(x=logp, target=soft.log()))
    vjp("losses", "kl_batchmean", "F.kl_div(x, target, reduction='batchmean'): the sum divided by n",
        partial(F.kl_div, reduction="batchmean"), dict(x=logp, target=soft))
    softmaxes()


def softmaxes():
    x3 = Draw("softmax").normal(2, 3, 2) * 3
    holes = numbers([-INF, 1, 2, -INF], [0, -INF, -INF, -INF], [1000, 999, -1000, 1000])
    for name, f in [("softmax", torch.softmax), ("log_softmax", torch.log_softmax), ("logsumexp", torch.logsumexp)]:
        for dim in (0, 1, -1):
            vjp("losses", f"{name}_dim{dim}".replace("-", "m"), f"torch.{name}(x, dim={dim})", lambda x: f(x, dim),
                dict(x=x3), dict(dim=dim), second=True)
        vjp("losses", f"{name}_holes", f"torch.{name}(x, dim=1) with -inf and huge entries", lambda x: f(x, 1), dict(x=holes), dict(dim=1))
        extreme = numbers([-INF, -INF, -INF], [INF, 0, 1], [NAN, 0, 1])
        store("losses", f"{name}_extreme", f"torch.{name}(x, dim=1) of all -inf, one +inf, one NaN; values only",
              x=extreme, dim=1, y=f(extreme, 1))


EVERYWHERE = [0.0, -0.0, 1e-300, -1e-300, 1e-30, -1e-30, 1e-8, -1e-8, 1e-4, -1e-4, 0.5, -0.5, 1, -1, 3, -3, 20, -20, 40, -40,
              INF, -INF, NAN]
POSITIVE = [0.0, 1e-300, 1e-30, 1e-8, 1e-4, 0.5, 1 - 1e-12, 1, 1 + 1e-12, 3, 1e8, 1e300, INF, NAN]
SMOOTH = [-3, -0.5, -1e-4, 0.0, 1e-4, 0.5, 3]
SMOOTH_POSITIVE = [1e-4, 0.5, 1, 3, 40]


def pointwise():
    softplus = "F.softplus(x); PyTorch switches to y = x above 20, so no point lies where that shows in double precision (20 to 37)"
    for name, call, f, points, smooth, outside in [
        ("exp", "torch.exp(x)", torch.exp, EVERYWHERE + [700, -700, 710, -750], SMOOTH, None),
        ("expm1", "torch.expm1(x)", torch.expm1, EVERYWHERE + [700, -700, 710], SMOOTH, None),
        ("log", "torch.log(x)", torch.log, POSITIVE, SMOOTH_POSITIVE, [-0.0, -1, -INF]),
        ("log1p", "torch.log1p(x)", torch.log1p, [p for p in EVERYWHERE if not p < -0.9] + [-1 + 1e-12, -1],
         [-0.5, *SMOOTH[2:]], [-1.5, -INF]),
        ("sqrt", "torch.sqrt(x)", torch.sqrt, POSITIVE, SMOOTH_POSITIVE, [-0.0, -1, -INF]),
        ("rsqrt", "torch.rsqrt(x)", torch.rsqrt, POSITIVE, SMOOTH_POSITIVE, [-0.0, -1, -INF]),
        ("sin", "torch.sin(x)", torch.sin, EVERYWHERE + [math.pi, 1e5, 1e15], SMOOTH, None),
        ("cos", "torch.cos(x)", torch.cos, EVERYWHERE + [math.pi / 2, 1e5, 1e15], SMOOTH, None),
        ("cosh", "torch.cosh(x)", torch.cosh, EVERYWHERE + [700, -700, 711], SMOOTH, None),
        ("tanh", "torch.tanh(x)", torch.tanh, EVERYWHERE, SMOOTH, None),
        ("sigmoid", "torch.sigmoid(x)", torch.sigmoid, EVERYWHERE + [700, -700], SMOOTH, None),
        ("softplus", softplus, F.softplus, EVERYWHERE + [700, -700], SMOOTH, None),
        ("erf", "torch.erf(x)", torch.erf, EVERYWHERE + [6, -6], SMOOTH, None),
        ("floor", "torch.floor(x); gradient 0 everywhere", torch.floor, EVERYWHERE + [1.5, -1.5, 2.0**53], None, None),
        ("sign", "torch.sign(x), 0 for -0 and NaN; gradient 0 everywhere", torch.sign, EVERYWHERE, None, None),
        ("abs", "torch.abs(x); gradient 0 at 0", torch.abs, EVERYWHERE, None, None),
        ("relu", "torch.relu(x), -0 stays -0; gradient 0 at 0", torch.relu, EVERYWHERE, SMOOTH, None),
        ("leaky_relu", "F.leaky_relu(x, 0.2); slope 0.2 at 0", partial(F.leaky_relu, negative_slope=0.2), EVERYWHERE, SMOOTH, None),
        ("clamp", "torch.clamp(x, -1, 3); gradient 1 on the bounds", partial(torch.clamp, min=-1, max=3), EVERYWHERE, None, None),
        ("clamp_crossed", "torch.clamp(x, 3, -1): the upper bound wins; value only", partial(torch.clamp, min=3, max=-1),
         None, None, EVERYWHERE),
    ]:
        if points:
            x = torch.tensor(points, dtype=F64, requires_grad=True)
            y = f(x)
            store("pointwise", name, f"{call}; gx = dy/dx", x=x, y=y, gx=torch.autograd.grad(y.sum(), x)[0])
        if smooth:
            x = torch.tensor(smooth, dtype=F64, requires_grad=True)
            gx, = torch.autograd.grad(f(x).sum(), x, create_graph=True)
            ggx, = torch.autograd.grad(gx.sum(), x) if gx.requires_grad else (torch.zeros_like(x),)
            store("pointwise", f"{name}_second", f"{call.split(';')[0]}; gx = dy/dx, hx = d2y/dx2", x=x, gx=gx, hx=ggx)
        if outside:
            x = torch.tensor(outside, dtype=F64)
            store("pointwise", f"{name}_outside", f"{call.split(';')[0]}; values only", x=x, y=f(x))

    def two(case, call, f, a, b):
        a, b = (torch.tensor(v, dtype=F64, requires_grad=True) for v in (a, b))
        y = f(a, b)
        ga, gb = torch.autograd.grad(y.sum(), (a, b))
        store("pointwise", case, call, a=a, b=b, y=y, ga=ga, gb=gb)

    pairs = [(0, 0), (0, 1), (0, 2), (0, 0.5), (0, -1), (-0.0, -1), (-0.0, -2), (-0.0, 3), (-2, 3), (-2, 2), (-2, -3), (-2, 0),
             (-2, 1), (2, 0.5), (2, 0), (2, -2), (1, 7)]
    two("pow", "torch.pow(a, b): gradient for a is 0 where b = 0; for b it is 0 where a = 0 and b >= 0, NaN where a < 0",
        torch.pow, *zip(*pairs))
    a, b = numbers(*[(-2, 0.5), (1, NAN), (NAN, 0), (NAN, 1), (INF, 0), (INF, -1), (-INF, 3), (-INF, -3), (0, INF), (0, -INF), (2, INF),
                     (0.5, INF), (1, INF), (-1, INF)]).T.contiguous()
    store("pointwise", "pow_extreme", "torch.pow(a, b); values only", a=a, b=b, y=torch.pow(a, b))
    base = [0.0, -0.0, -2, -0.5, 1, 3, INF, -INF, NAN]
    for exponent in (0, 1, 2, 3, -1, 0.5):
        x = torch.tensor(base, dtype=F64, requires_grad=True)
        y = torch.pow(x, exponent)
        inside = None if exponent == 0.5 else torch.autograd.grad(y.sum(), x)[0]
        store("pointwise", f"pow_scalar_{exponent}".replace("-", "m").replace(".", "_"), f"torch.pow(x, {exponent})",
              x=x, exponent=float(exponent), y=y, gx=inside)
    for name, f in [("maximum", torch.maximum), ("minimum", torch.minimum)]:
        two(name, f"torch.{name}(a, b): a tie gives each half; NaN in either is NaN (its gradient is not a convention)", f,
            [1, 2, 3, 0, -0.0, INF, -INF, NAN, 1, NAN], [2, 1, 3, -0.0, 0, INF, 1, 1, NAN, NAN])


def reductions():
    tied = numbers([1, 3, 3, 2], [5, 5, 5, 5], [4, 1, 2, 0])

    def reduce(case, call, f, x, second=False, **params):
        vjp("pointwise", case, call, f, dict(x=x), params, second)

    for name, f, pick in [("max", torch.amax, torch.max), ("min", torch.amin, torch.min)]:
        reduce(f"a{name}_ties", f"torch.a{name}(x, dim=1): a tie spreads evenly", lambda x: f(x, 1), tied, dim=1)
        reduce(f"{name}_dim_ties", f"torch.{name}(x, dim=1): the gradient goes to index, the first of a tie", lambda x: pick(x, 1)[0], tied,
               dim=1, index=pick(tied, 1)[1])
        reduce(f"{name}_all_ties", f"torch.{name}(x): a tie over the whole tensor spreads evenly", pick, tied)
        hole = numbers([1, NAN, 3], [NAN, NAN, 0], [-INF, INF, 2])
        store("pointwise", f"{name}_dim_nan", f"torch.{name}(x, dim=1) with NaN; the first NaN is chosen",
              x=hole, dim=1, y=pick(hole, 1)[0], index=pick(hole, 1)[1])
    for zeros, x in enumerate([[1.5, -2, 3], [1.5, 0, 3], [0, -2, 0], [0, 0, 0]]):
        reduce(f"prod_{zeros}_zeros", "torch.prod(x)", torch.prod, numbers(*x), second=True)
    reduce("prod_dim", "torch.prod(x, dim=1)", lambda x: torch.prod(x, 1), numbers([1, 2, 3], [0, 2, 3], [0, 0, 3]), second=True, dim=1)
    x = Draw("var").normal(3, 5) * 2 + 1
    for unbiased in (True, False):
        for name, f in [("var", torch.var), ("std", torch.std)]:
            suffix = "unbiased" if unbiased else "biased"
            reduce(f"{name}_{suffix}", f"torch.{name}(x, dim=1, unbiased={unbiased})", lambda x: f(x, 1, unbiased=unbiased), x,
                   second=name == "var", dim=1, unbiased=unbiased)  # for std, sum(gx * gx) does not depend on x
            reduce(f"{name}_all_{suffix}", f"torch.{name}(x, unbiased={unbiased})", lambda x: f(x, unbiased=unbiased), x, unbiased=unbiased)
    store("pointwise", "var_single", "torch.var of one element: unbiased is NaN, biased 0", x=numbers(2.0),
          unbiased=torch.var(numbers(2.0), unbiased=True), biased=torch.var(numbers(2.0), unbiased=False))
    reduce("std_constant", "torch.std(x, dim=1) of equal elements", lambda x: torch.std(x, 1), numbers([2, 2, 2], [1, 2, 4]), dim=1)
    reduce("norm", "torch.linalg.vector_norm(x, dim=1): gradient 0 at the zero vector", lambda x: torch.linalg.vector_norm(x, dim=1),
           numbers([0, 0, 0], [3, 0, 4], [-1, 2, 2]), dim=1)
    for dim in (0, 1):
        reduce(f"cumsum_dim{dim}", f"torch.cumsum(x, dim={dim})", lambda x: torch.cumsum(x, dim), x, dim=dim)
