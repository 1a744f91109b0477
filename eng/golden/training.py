"""Optimisers, clipping, schedules, initialisers, Gumbel noise, and gradients of gradients."""
import math
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from golden.record import INF, NAN, F64, Draw, indices, numbers, store, vjp


def optimiser(file, case, call, make, state, rates, scale=1.0, **params):
    """Five steps on one parameter with prescribed gradients; `w` and the state after every step. lr[i] is the rate of step i."""
    draw = Draw(case)
    w0, grads = draw.normal(6), draw.normal(len(rates), 6) * scale
    grads[:, 5] = 0.0  # a weight that never sees a gradient: only decay moves it, and Adam divides by epsilon alone
    w = w0.clone().requires_grad_()
    optimizer = make([w])
    history = {name: [] for name in ("w", *state)}
    for rate, grad in zip(rates, grads):
        optimizer.param_groups[0]["lr"] = rate
        w.grad = grad.clone()
        optimizer.step()
        history["w"].append(w.detach().clone())
        for name, key in state.items():
            history[name].append(optimizer.state[w][key].clone())
    store(file, case, call, w0=w0, grads=grads, lr=rates, **params, **history)


def optimisers():
    steady, varying = [0.1] * 5, [0.1, 0.1, 0.01, 0.01, 0.2]
    for case, momentum, decay, nesterov, rates in [
        ("plain", 0.0, 0.0, False, steady), ("plain_decay", 0.0, 0.01, False, steady),
        ("momentum", 0.9, 0.01, False, steady), ("nesterov", 0.9, 0.01, True, steady),
        ("momentum_varying_lr", 0.9, 0.01, False, varying), ("nesterov_varying_lr", 0.9, 0.01, True, varying),
    ]:
        optimiser("sgd", case, f"optim.SGD(lr, momentum={momentum}, dampening=0, weight_decay={decay}, nesterov={nesterov})",
                  partial(torch.optim.SGD, lr=0.1, momentum=momentum, weight_decay=decay, nesterov=nesterov),
                  {"buffer": "momentum_buffer"} if momentum else {}, rates,
                  momentum=momentum, weight_decay=decay, nesterov=int(nesterov))
    for case, betas, eps, decay, rates, scale in [
        ("default", (0.9, 0.999), 1e-8, 0.0, [1e-3] * 5, 1.0), ("decay", (0.9, 0.999), 1e-8, 0.01, [1e-2] * 5, 1.0),
        ("gan_betas", (0.5, 0.9), 1e-8, 0.0, [1e-3] * 5, 1.0), ("large_eps", (0.9, 0.999), 0.1, 0.01, [1e-2] * 5, 1.0),
        ("small_gradients", (0.9, 0.999), 1e-8, 0.0, [1e-3] * 5, 1e-8),
        ("varying_lr", (0.9, 0.999), 1e-8, 0.0, varying, 1.0),
    ]:
        optimiser("adam", case, f"optim.Adam(lr, betas={betas}, eps={eps}, weight_decay={decay}, amsgrad=False)",
                  partial(torch.optim.Adam, lr=1e-3, betas=betas, eps=eps, weight_decay=decay),
                  {"m": "exp_avg", "v": "exp_avg_sq"}, rates, scale,
                  beta1=betas[0], beta2=betas[1], eps=eps, weight_decay=decay)


def clipping():
    for case, limit, kind, scale in [("norm_active", 1.0, 2.0, 1.0), ("norm_inactive", 100.0, 2.0, 1.0),
                                     ("norm_tiny", 1e-6, 2.0, 1e-6), ("norm_one", 1.0, 1.0, 1.0), ("norm_inf", 0.5, INF, 1.0)]:
        draw = Draw(case)
        ga, gb = draw.normal(3, 4) * scale, draw.normal(5) * scale
        a, b = torch.zeros(3, 4, dtype=F64, requires_grad=True), torch.zeros(5, dtype=F64, requires_grad=True)
        a.grad, b.grad = ga.clone(), gb.clone()
        total = nn.utils.clip_grad_norm_([a, b], limit, norm_type=kind)
        store("clip", case, f"nn.utils.clip_grad_norm_([a, b], {limit}, norm_type={kind})", ga=ga, gb=gb, max_norm=limit,
              norm_type=kind, total_norm=total, clipped_ga=a.grad, clipped_gb=b.grad)
    ga = numbers(-3, -0.5, -0.1, 0, 0.5, 0.7, INF, NAN)
    a = torch.zeros(8, dtype=F64, requires_grad=True)
    a.grad = ga.clone()
    nn.utils.clip_grad_value_([a], 0.5)
    store("clip", "value", "nn.utils.clip_grad_value_([a], 0.5); NaN stays NaN", ga=ga, clip_value=0.5, clipped_ga=a.grad)


def schedules():
    s = torch.optim.lr_scheduler
    for case, call, make, params in [
        ("step", "StepLR(step_size=6, gamma=0.5)", lambda o: s.StepLR(o, 6, 0.5), dict(step_size=6, gamma=0.5)),
        ("multistep", "MultiStepLR(milestones=[3, 10, 10, 15], gamma=0.1); a milestone named twice counts twice",
         lambda o: s.MultiStepLR(o, [3, 10, 10, 15], 0.1), dict(milestones=[3, 10, 10, 15], gamma=0.1)),
        ("exponential", "ExponentialLR(gamma=0.9)", lambda o: s.ExponentialLR(o, 0.9), dict(gamma=0.9)),
        ("cosine", "CosineAnnealingLR(T_max=19, eta_min=0.01)", lambda o: s.CosineAnnealingLR(o, 19, 0.01),
         dict(t_max=19, eta_min=0.01)),
        ("cosine_beyond", "CosineAnnealingLR(T_max=8, eta_min=0): beyond T_max the rate rises again",
         lambda o: s.CosineAnnealingLR(o, 8), dict(t_max=8, eta_min=0.0)),
        ("warmup", "LambdaLR(lambda t: min(1, (t + 1) / 5))", lambda o: s.LambdaLR(o, lambda t: min(1.0, (t + 1) / 5)),
         dict(warmup=5)),
    ]:
        w = torch.zeros(1, dtype=F64, requires_grad=True)
        optimizer = torch.optim.SGD([w], lr=0.4)
        scheduler, rates = make(optimizer), []
        for _ in range(20):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        store("schedule", case, f"lr_scheduler.{call}; lr[t] is the rate used by step t", base_lr=0.4, **params,
              lr=rates)


def initialisers():
    torch.manual_seed(1)
    empty = partial(torch.empty, dtype=F64)

    def uniform(case, call, bound, sample, **params):
        assert 0.9 * bound < sample.abs().max() <= bound * (1 + 1e-6), case  # the formula written here is the one PyTorch follows
        store("init", case, f"{call}: uniform(-bound, bound)", bound=bound, sample_max=sample.abs().max(),
              sample_std=sample.std(), **params)

    def normal(case, call, std, sample, **params):
        assert abs(sample.std() / std - 1) < 0.02, case
        store("init", case, f"{call}: normal(0, std)", std=std,
              sample_mean=sample.mean(), sample_std=sample.std(), **params)

    linear, conv = nn.Linear(300, 40000).double(), nn.Conv2d(64, 512, (3, 5), groups=2).double()
    transposed = nn.ConvTranspose2d(512, 64, (3, 5), groups=2).double()
    fan = 32 * 15
    uniform("linear_weight", "nn.Linear(300, out).weight [out, 300]", 1 / math.sqrt(300), linear.weight[:1000], fan=300)
    uniform("linear_bias", "nn.Linear(300, out).bias", 1 / math.sqrt(300), linear.bias, fan=300)
    uniform("conv2d_weight", "nn.Conv2d(64, 512, (3, 5), groups=2).weight [512, 32, 3, 5]", 1 / math.sqrt(fan), conv.weight, fan=fan)
    uniform("conv2d_bias", "nn.Conv2d(64, 512, (3, 5), groups=2).bias", 1 / math.sqrt(fan), conv.bias, fan=fan)
    uniform("conv_transpose2d_weight", "nn.ConvTranspose2d(512, 64, (3, 5), groups=2).weight [512, 32, 3, 5]; "
            "fan_in counts dimension 1, the outputs", 1 / math.sqrt(fan), transposed.weight, fan=fan)
    uniform("conv_transpose2d_bias", "nn.ConvTranspose2d(512, 64, (3, 5), groups=2).bias", 1 / math.sqrt(fan), transposed.bias, fan=fan)
    fans = dict(fan_in=200, fan_out=800)
    for name, gain in [("linear", 1.0), ("relu", math.sqrt(2)), ("tanh", 5 / 3), ("leaky_relu", math.sqrt(2 / (1 + 0.2**2)))]:
        assert gain == nn.init.calculate_gain(name, 0.2 if name == "leaky_relu" else None)
        uniform(f"xavier_uniform_{name}", "nn.init.xavier_uniform_(w[800, 200], gain), fans 200 + 800", gain * math.sqrt(6 / 1000),
                nn.init.xavier_uniform_(empty(800, 200), gain), gain=gain)
        normal(f"xavier_normal_{name}", "nn.init.xavier_normal_(w[800, 200], gain), fans 200 + 800", gain * math.sqrt(2 / 1000),
               nn.init.xavier_normal_(empty(800, 200), gain), gain=gain)
    for mode, count in fans.items():
        normal(f"kaiming_normal_{mode}", f"nn.init.kaiming_normal_(w[800, 200], mode='{mode}', nonlinearity='relu')",
               math.sqrt(2 / count), nn.init.kaiming_normal_(empty(800, 200), mode=mode, nonlinearity="relu"), fan=count)
        uniform(f"kaiming_uniform_{mode}", f"nn.init.kaiming_uniform_(w[800, 200], mode='{mode}', nonlinearity='relu')",
                math.sqrt(6 / count), nn.init.kaiming_uniform_(empty(800, 200), mode=mode, nonlinearity="relu"), fan=count)
    normal("kaiming_normal_conv_fan_out", "nn.init.kaiming_normal_(w[128, 64, 3, 5], mode='fan_out', nonlinearity='relu')",
           math.sqrt(2 / (128 * 15)), nn.init.kaiming_normal_(empty(128, 64, 3, 5), mode="fan_out", nonlinearity="relu"),
           fan=128 * 15)
    normal("embedding", "nn.Embedding(1000, 200).weight", 1.0, nn.Embedding(1000, 200).double().weight)
    layer = nn.BatchNorm2d(3).double()
    store("init", "batchnorm", "nn.BatchNorm2d(3): initial weight, bias and statistics", weight=layer.weight, bias=layer.bias,
          running_mean=layer.running_mean, running_var=layer.running_var)


def gumbel():
    for tau in (1.0, 0.5, 0.1):
        case = f"tau_{tau}".replace(".", "_")
        draw = Draw(case)
        logits, noise = draw.normal(4, 5), -(-draw.uniform(0.01, 0.99, 4, 5).log()).log()
        vjp("gumbel", case + "_soft", "torch.softmax((logits + noise) / tau, -1)", lambda l: torch.softmax((l + noise) / tau, -1),
            dict(logits=logits), dict(noise=noise, tau=tau), second=True)

        def straight_through(l):
            soft = torch.softmax((l + noise) / tau, -1)
            hard = F.one_hot(soft.argmax(-1), 5).double()
            return hard - soft.detach() + soft

        vjp("gumbel", case + "_hard", "hard - soft.detach() + soft, hard = one_hot(argmax(soft)): the gradient is that of soft",
            straight_through, dict(logits=logits), dict(noise=noise, tau=tau))


def higher_order():
    draw = Draw("hessian")
    x, shapes = draw.normal(5, 3), [(4, 3), (4,), (1, 4), (1,)]
    sizes = [math.prod(s) for s in shapes]
    target, theta = draw.normal(5, 1), draw.normal(sum(sizes)) * 0.7

    def mlp_loss(theta):
        w1, b1, w2, b2 = (part.view(shape) for part, shape in zip(theta.split(sizes), shapes))
        return F.mse_loss(F.linear(torch.tanh(F.linear(x, w1, b1)), w2, b2), target)

    v = draw.normal(sum(sizes))
    p = theta.clone().requires_grad_()
    gradient, = torch.autograd.grad(mlp_loss(p), p, create_graph=True)
    product, = torch.autograd.grad(gradient @ v, p, create_graph=True)
    third, = torch.autograd.grad(product @ v, p)
    store("autograd", "hessian", "mse(linear(tanh(linear(x, w1, b1)), w2, b2), target); theta = w1[4,3], b1, w2[1,4], b2 end to end; "
          "hvp = hessian @ v; third = gradient of v' hessian v", x=x, target=target, theta=theta, v=v,
          loss=mlp_loss(theta), gradient=gradient,
          hessian=torch.autograd.functional.hessian(mlp_loss, theta), hvp=product, third=third)

    draw = Draw("gradient_penalty")
    w1, b1, w2, b2, w3 = (draw.normal(*s).mul(0.5).requires_grad_() for s in [(3, 2, 3, 3), (3,), (2, 3, 3, 3), (2,), (1, 2 * 2 * 2)])
    x = draw.normal(3, 2, 6, 6).requires_grad_()
    h = F.leaky_relu(F.conv2d(x, w1, b1, stride=2, padding=1), 0.2)
    h = F.leaky_relu(F.conv2d(h, w2, b2, stride=2, padding=1), 0.2)
    score = F.linear(h.flatten(1), w3)
    slope, = torch.autograd.grad(score.sum(), x, create_graph=True)
    penalty = ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()
    grads = torch.autograd.grad(penalty, (w1, b1, w2, b2, w3, x), allow_unused=True)
    grads = [torch.zeros_like(t) if d is None else d for d, t in zip(grads, (w1, b1, w2, b2, w3, x))]
    store("autograd", "gradient_penalty", "critic = linear(flatten(lrelu(conv(lrelu(conv(x, w1, b1)), w2, b2))), w3), stride 2, "
          "padding 1, slope 0.2; penalty = mean((norm of d score / d x - 1)^2); g* are its gradients (biases only shift kinks: 0)",
          x=x, w1=w1, b1=b1, w2=w2, b2=b2, w3=w3, score=score, slope=slope, penalty=penalty,
          **{"g" + name: d for name, d in zip(["w1", "b1", "w2", "b2", "w3", "x"], grads)})

    draw = Draw("meta")
    x = draw.normal(6, 3).requires_grad_()
    labels, outer_x, outer_labels = indices(0, 1, 0, 1, 0, 1), draw.normal(8, 3), draw.integers(2, 8)
    start = [draw.normal(*s).mul(0.5).requires_grad_() for s in [(4, 3), (4,), (2, 4), (2,)]]
    rate, momentum = (torch.tensor(value, dtype=F64, requires_grad=True) for value in (0.3, 0.8))

    def forward(x, w1, b1, w2, b2):
        return F.linear(torch.tanh(F.linear(x, w1, b1)), w2, b2)

    weights, buffers, inner = start, [torch.zeros_like(w) for w in start], []
    for _ in range(3):
        loss = F.cross_entropy(forward(x, *weights), labels)
        inner.append(loss)
        grads = torch.autograd.grad(loss, weights, create_graph=True)
        buffers = [momentum * b + g for b, g in zip(buffers, grads)]
        weights = [w - rate * b for w, b in zip(weights, buffers)]
    outer = F.cross_entropy(forward(outer_x, *weights), outer_labels)
    names = ["w1", "b1", "w2", "b2"]
    meta = torch.autograd.grad(outer, [x, rate, momentum, *start])
    store("autograd", "meta", "three SGD steps (buffer = momentum * buffer + gradient; w -= lr * buffer) on "
          "cross_entropy(linear(tanh(linear(x, w1, b1)), w2, b2), labels), then outer = cross_entropy of the final weights on outer_x; "
          "g* are gradients of outer through all steps",
          x=x, labels=labels, outer_x=outer_x, outer_labels=outer_labels, lr=rate, momentum=momentum, **dict(zip(names, start)),
          inner=inner, outer=outer,
          **{"final_" + n: w for n, w in zip(names, weights)}, **{"g" + n: d for n, d in zip(["x", "lr", "momentum", *names], meta)})
