"""Normalisation, convolution, pooling and indexing."""
import math
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from golden.record import INF, NAN, F64, Draw, indices, numbers, store, vjp


def normalisation():
    shapes = [("2d", (3, 3, 4, 2)), ("1d", (6, 3)), ("1d_length", (3, 3, 4))]
    for suffix, shape in shapes:
        for mode in ("train", "eval"):
            case = f"{mode}_{suffix}"
            draw, training = Draw(case), mode == "train"
            mean, var = draw.normal(3), draw.uniform(0.5, 2.0, 3)
            x, w, b = draw.normal(*shape) * 1.5 + 0.7, draw.uniform(0.5, 1.5, 3), draw.normal(3)
            new_mean, new_var = mean.clone(), var.clone()
            params = dict(eps=1e-5, momentum=0.1, running_mean=mean.clone(), running_var=var.clone())
            F.batch_norm(x, new_mean, new_var, w, b, training, 0.1, 1e-5)
            if training:
                params |= dict(new_running_mean=new_mean, new_running_var=new_var)
            vjp("batchnorm", case, f"F.batch_norm(x, running_mean, running_var, w, b, training={training}, momentum, eps)",
                lambda x, w, b: F.batch_norm(x, mean.clone(), var.clone(), w, b, training, 0.1, 1e-5),
                dict(x=x, w=w, b=b), params, second=True)
    draw = Draw("cumulative")
    layer, batches = nn.BatchNorm2d(2, momentum=None).double(), draw.normal(3, 2, 2, 3, 3) * 2 + 1
    means, variances, outputs = [], [], []
    for x in batches:
        outputs.append(layer(x).detach())
        means.append(layer.running_mean.clone())
        variances.append(layer.running_var.clone())
    outputs.append(layer.eval()(batches[0]).detach())
    store("batchnorm", "cumulative", "nn.BatchNorm2d(2, momentum=None): statistics after each of the batches x[i]; y[3] is eval of x[0]",
          x=batches, eps=1e-5, y=outputs, new_running_mean=means, new_running_var=variances)

    for case, shape, dims in [("last", (4, 6), (6,)), ("last_two", (2, 3, 4), (3, 4)), ("image", (2, 2, 3, 3), (2, 3, 3))]:
        draw = Draw("layernorm_" + case)
        vjp("layernorm", case, f"F.layer_norm(x, {list(dims)}, w, b, eps)", lambda x, w, b: F.layer_norm(x, dims, w, b, 1e-5),
            dict(x=draw.normal(*shape) * 2 + 1, w=draw.normal(*dims), b=draw.normal(*dims)),
            dict(normalized_shape=list(dims), eps=1e-5), second=True)
    for case, shape, groups in [("one", (2, 4, 3, 2), 1), ("two", (2, 4, 3, 2), 2), ("instance", (2, 4, 3, 2), 4), ("flat", (5, 6), 3)]:
        draw = Draw("groupnorm_" + case)
        vjp("groupnorm", case, f"F.group_norm(x, {groups}, w, b, eps)", lambda x, w, b: F.group_norm(x, groups, w, b, 1e-5),
            dict(x=draw.normal(*shape) * 2 + 1, w=draw.normal(shape[1]), b=draw.normal(shape[1])),
            dict(groups=groups, eps=1e-5), second=True)


def convolution():
    for case, x, w, stride, padding, dilation, groups in [
        ("plain", (2, 3, 5, 4), (4, 3, 3, 3), (1, 1), (0, 0), (1, 1), 1),
        ("padded", (2, 2, 4, 5), (3, 2, 3, 3), (1, 1), (1, 1), (1, 1), 1),
        ("stride2", (1, 2, 5, 6), (3, 2, 3, 3), (2, 2), (1, 1), (1, 1), 1),
        ("remainder", (1, 2, 8, 6), (2, 2, 3, 3), (3, 2), (0, 0), (1, 1), 1),
        ("mixed", (1, 2, 5, 7), (2, 2, 2, 4), (2, 1), (1, 2), (1, 2), 1),
        ("dilated", (1, 2, 6, 5), (2, 2, 3, 2), (1, 2), (2, 0), (2, 3), 1),
        ("grouped", (1, 4, 4, 5), (6, 2, 3, 3), (1, 1), (1, 1), (1, 1), 2),
        ("depthwise", (1, 3, 5, 5), (6, 1, 3, 3), (2, 2), (1, 1), (1, 1), 3),
        ("pointwise", (2, 3, 2, 3), (4, 3, 1, 1), (1, 1), (0, 0), (1, 1), 1),
        ("pointwise_stride", (1, 3, 5, 4), (2, 3, 1, 1), (2, 2), (0, 0), (1, 1), 1),
        ("wide_padding", (1, 1, 2, 3), (2, 1, 3, 3), (1, 1), (3, 2), (1, 1), 1),
    ]:
        draw = Draw("conv2d_" + case)
        vjp("conv", "conv2d_" + case, f"F.conv2d(x, w, b, stride={stride}, padding={padding}, dilation={dilation}, groups={groups})",
            lambda x, w, b: F.conv2d(x, w, b, stride, padding, dilation, groups),
            dict(x=draw.normal(*x), w=draw.normal(*w), b=draw.normal(w[0])),
            dict(stride=list(stride), padding=list(padding), dilation=list(dilation), groups=groups))
    for case, x, w, stride, padding, extra, dilation, groups in [
        ("plain", (2, 3, 3, 2), (3, 2, 3, 3), (1, 1), (0, 0), (0, 0), (1, 1), 1),
        ("stride2", (1, 2, 4, 3), (2, 3, 4, 4), (2, 2), (1, 1), (0, 0), (1, 1), 1),
        ("output_padding", (1, 2, 3, 4), (2, 2, 3, 3), (2, 2), (1, 1), (1, 1), (1, 1), 1),
        ("mixed", (1, 2, 3, 4), (2, 2, 2, 3), (3, 2), (1, 0), (2, 0), (1, 2), 1),
        ("grouped", (1, 4, 3, 3), (4, 3, 3, 2), (2, 1), (1, 0), (1, 0), (1, 1), 2),
        ("from_pixel", (2, 3, 1, 1), (3, 2, 4, 4), (1, 1), (0, 0), (0, 0), (1, 1), 1),
    ]:
        draw = Draw("conv_transpose2d_" + case)
        vjp("conv", "conv_transpose2d_" + case, f"F.conv_transpose2d(x, w, b, stride={stride}, padding={padding}, "
            f"output_padding={extra}, groups={groups}, dilation={dilation}); w is [in, out / groups, kh, kw]",
            lambda x, w, b: F.conv_transpose2d(x, w, b, stride, padding, extra, groups, dilation),
            dict(x=draw.normal(*x), w=draw.normal(*w), b=draw.normal(w[1] * groups)),
            dict(stride=list(stride), padding=list(padding), output_padding=list(extra), dilation=list(dilation), groups=groups))


def pooling():
    for case, shape, kernel, stride, padding, dilation in [
        ("plain", (2, 2, 4, 6), (2, 2), (2, 2), (0, 0), (1, 1)), ("overlap", (1, 2, 5, 6), (3, 3), (2, 2), (1, 1), (1, 1)),
        ("mixed", (1, 2, 6, 5), (2, 3), (1, 2), (1, 0), (2, 1)), ("ties", (1, 1, 6, 6), (3, 3), (1, 1), (1, 1), (1, 1)),
        ("nan", (1, 1, 4, 4), (2, 2), (1, 1), (0, 0), (1, 1)),
    ]:
        draw = Draw("max_" + case)
        x = draw.integers(3, *shape).double() - 1 if case == "ties" else draw.normal(*shape)
        if case == "nan":
            x[0, 0, 1, 2] = NAN
        pool = partial(F.max_pool2d, kernel_size=kernel, stride=stride, padding=padding, dilation=dilation)
        _, index = pool(x, return_indices=True)
        vjp("pool", "max_" + case, f"F.max_pool2d(x, {kernel}, stride={stride}, padding={padding}, dilation={dilation}); "
            "index = y * width + x of the chosen element", pool, dict(x=x),
            dict(kernel=list(kernel), stride=list(stride), padding=list(padding), dilation=list(dilation), index=index))
    for case, shape, kernel, stride, padding in [("plain", (1, 2, 6, 4), (2, 2), (2, 2), (0, 0)),
                                                 ("padded", (1, 2, 4, 5), (3, 3), (2, 2), (1, 1)),
                                                 ("mixed", (1, 2, 3, 5), (2, 3), (2, 1), (0, 1))]:
        for count in (True, False):
            name = f"avg_{case}_{'with' if count else 'without'}_pad"
            vjp("pool", name, f"F.avg_pool2d(x, {kernel}, stride={stride}, padding={padding}, count_include_pad={count})",
                lambda x: F.avg_pool2d(x, kernel, stride, padding, count_include_pad=count), dict(x=Draw(name).normal(*shape)),
                dict(kernel=list(kernel), stride=list(stride), padding=list(padding), count_include_pad=count))
    for case, shape, size in [("global", (2, 3, 4, 5), (1, 1)), ("uneven", (1, 2, 7, 5), (3, 2)), ("larger", (1, 1, 2, 3), (3, 5))]:
        vjp("pool", "adaptive_" + case, f"F.adaptive_avg_pool2d(x, {size})", lambda x: F.adaptive_avg_pool2d(x, size),
            dict(x=Draw("adaptive_" + case).normal(*shape)), dict(output_size=list(size)))
    vjp("pool", "upsample", "F.interpolate(x, scale_factor=2, mode='nearest')", partial(F.interpolate, scale_factor=2, mode="nearest"),
        dict(x=Draw("upsample").normal(2, 2, 3, 2)), dict(scale=2))


def indexing():
    draw = Draw("indexing")
    x = draw.normal(4, 3)

    def row(case, call, f, inputs, **params):
        vjp("indexing", case, call, f, inputs, params)

    for dim, index in [(0, indices([3, 0, 0], [3, 1, 2])), (1, indices([2, 0, 0, 1], [1, 1, 2, 0], [0, 0, 0, 0], [2, 1, 0, 2]))]:
        row(f"gather_dim{dim}", f"torch.gather(x, {dim}, index)", lambda x, i: torch.gather(x, dim, i), dict(x=x, index=index), dim=dim)
    row("scatter_add_dim0", "x.scatter_add(0, index, source); indices repeat", lambda x, i, s: x.scatter_add(0, i, s),
        dict(x=x, index=indices([1, 0, 1], [1, 3, 1]), source=draw.normal(2, 3)), dim=0)
    row("scatter_add_dim1", "x.scatter_add(1, index, source); indices repeat", lambda x, i, s: x.scatter_add(1, i, s),
        dict(x=x, index=indices([1, 1], [0, 2], [2, 2], [0, 1]), source=draw.normal(4, 2)), dim=1)
    for dim in (0, 1):
        index = indices(2, 0, 2, 1, 2)
        row(f"index_select_dim{dim}", f"torch.index_select(x, {dim}, index)", lambda x, i: torch.index_select(x, dim, i),
            dict(x=x, index=index), dim=dim)
        source = draw.normal(5, 3) if dim == 0 else draw.normal(4, 5)
        row(f"index_add_dim{dim}", f"x.index_add({dim}, index, source)", lambda x, i, s: x.index_add(dim, i, s),
            dict(x=x, index=index, source=source), dim=dim)
    labels = indices(2, 0, 3, 3)
    store("indexing", "one_hot", "F.one_hot(index, 5); here as int64", index=labels, classes=5, y=F.one_hot(labels, 5))
    table, tokens = draw.normal(6, 3), indices([1, 5, 1], [0, 2, 1])
    row("embedding", "F.embedding(index, w)", lambda w, i: F.embedding(i, w), dict(w=table, index=tokens))
    row("embedding_padding", "F.embedding(index, w, padding_idx=1): row 1 gets no gradient", lambda w, i: F.embedding(i, w, padding_idx=1),
        dict(w=table, index=tokens), padding_index=1)
    for mode in ("mean", "sum"):
        row(f"embedding_bag_{mode}", f"F.embedding_bag(index, w, offsets, mode='{mode}'); empty bags are zero rows",
            lambda w, i, o: F.embedding_bag(i, w, o, mode=mode),
            dict(w=table, index=indices(1, 5, 1, 0, 2, 1, 4), offsets=indices(0, 0, 3, 4, 4, 7)))
        row(f"embedding_bag_{mode}_table", f"F.embedding_bag(index[bags, length], w, mode='{mode}')",
            lambda w, i: F.embedding_bag(i, w, mode=mode), dict(w=table, index=tokens))
    row("roll", "torch.roll(x, (1, -2), (0, 1))", lambda x: torch.roll(x, (1, -2), (0, 1)), dict(x=x), shifts=[1, -2], dims=[0, 1])
    row("roll_flat", "torch.roll(x, 5): over the flattened tensor", lambda x: torch.roll(x, 5), dict(x=x), shifts=5)
    row("flip", "torch.flip(x, [0, 1])", lambda x: torch.flip(x, [0, 1]), dict(x=x), dims=[0, 1])
    row("pad", "F.pad(x, (1, 2, 0, 3), value=0.5): pairs (before, after) from the last dimension",
        lambda x: F.pad(x, (1, 2, 0, 3), value=0.5), dict(x=x), pad=[1, 2, 0, 3], value=0.5)
    row("pad_crop", "F.pad(x, (-1, 1, 2, -2)): negative crops", lambda x: F.pad(x, (-1, 1, 2, -2)), dict(x=x), pad=[-1, 1, 2, -2])
