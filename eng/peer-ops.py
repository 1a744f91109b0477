#!/usr/bin/env python3
"""The rows of `native bench ops` in PyTorch, on this machine, at PyTorch's best setting for each row.

    native bench ops --json ours.json
    python3 eng/peer-ops.py ours.json [--only LIST] [--seconds S] [--json FILE] [--device cuda]

The rows, their names and sizes come from the file, so both sides compute the same. PyTorch's own threads fight with those of its BLAS, and the BLAS
reads its settings when it is loaded: every setting is a process of its own. Rows run with one thread and with as many as Native had; matrix products
also with the threads given to OpenBLAS, and with its kernels for AVX-512 where the processor has that. The fastest median is what is reported.
Compare files of one sitting on a quiet machine; the ratio of minima suffers less from neighbours than that of medians.

With --device cuda there is one setting (cuDNN may choose its algorithms; tf32 if the file's side had it), and times are the device's, by events; where the
file's calls were in a CUDA graph these are too. A row that PyTorch cannot capture is timed without, and says so.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time


def measure(run, budget_s):
    """(median, minimum) in seconds per call: a warm-up, then samples of about 200 us as Native takes them, at least five."""
    deadline, once = time.perf_counter() + 0.1, float("inf")
    for i in range(1_000_000):
        start = time.perf_counter()
        run()
        once = min(once, time.perf_counter() - start)
        if i >= 2 and time.perf_counter() > deadline:
            break
    calls = max(1, min(10_000, int(200e-6 / max(once, 1e-9))))
    samples, deadline = [], time.perf_counter() + budget_s
    while len(samples) < 5 or time.perf_counter() < deadline:
        start = time.perf_counter()
        for _ in range(calls):
            run()
        samples.append((time.perf_counter() - start) / calls)
    return statistics.median(samples), min(samples)


def measure_cuda(run, budget_s, in_graph):
    """The same on a GPU: (median, minimum, setting). A sample is as many calls as make a millisecond, between two events."""
    import torch

    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)

    def sample(queue):
        torch.cuda.synchronize()
        begin.record()
        queue()
        end.record()
        end.synchronize()
        return 1e-3 * begin.elapsed_time(end)

    once = min(sample(run) for _ in range(10))
    calls = max(1, min(500, int(1e-3 / max(once, 1e-7))))

    def several():
        for _ in range(calls):
            run()

    queue, setting = several, "eager"
    if in_graph:
        try:
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                several()
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                several()
            queue, setting = graph.replay, "graph"
        except Exception as error:  # what cannot be captured is timed as it can be
            torch.cuda.synchronize()
            setting = f"eager; no graph: {str(error).splitlines()[0][:60]}"
    for _ in range(3):
        sample(queue)
    samples, deadline = [], time.perf_counter() + budget_s
    while len(samples) < 5 or time.perf_counter() < deadline:
        samples.append(sample(queue) / calls)
    return statistics.median(samples), min(samples), setting


def makers():
    """Kind of row -> function of its sizes that returns the candidates by name: ways to write the same in PyTorch."""
    import torch
    import torch.nn.functional as F

    def rand(*shape):
        return torch.rand(*shape) * 2 - 1

    def matmul(letters):
        def make(m, k, n):
            # Into a result that is there: the product alone, without a page fault per call.
            a = rand(m, k) if letters[0] == "n" else rand(k, m).T
            b = rand(k, n) if letters[1] == "n" else rand(n, k).T
            out = torch.empty(m, n)
            return {"": lambda: torch.mm(a, b, out=out)}
        return make

    def conv(member):
        def make(n, c, h, o, k, s, p):
            side = (h + 2 * p - k) // s + 1
            x, w, gy, bias = rand(n, c, h, h), rand(o, c, k, k), rand(n, o, side, side), rand(c)
            rest = (h + 2 * p - k) % s

            def backward(*mask):
                return torch.ops.aten.convolution_backward(gy, x, w, None, [s, s], [p, p], [1, 1], False, [0, 0], 1, mask)

            return {"": {
                "forward": lambda: F.conv2d(x, w, None, s, p),
                "data-grad": lambda: backward(True, False, False),
                "weight-grad": lambda: backward(False, True, False),
                "transposed": lambda: F.conv_transpose2d(gy, w, bias, s, p, rest),
            }[member]}
        return make

    def batchnorm(order):
        def make(*shape):
            c = shape[1]
            x, w, b, g = rand(*shape), rand(c), rand(c), rand(*shape)
            if order == 0:
                return {"": lambda: F.batch_norm(x, None, None, w, b, True)}
            inputs = [t.requires_grad_() for t in (x, w, b)]
            y = F.batch_norm(x, None, None, w, b, True)
            if order == 1:
                return {"": lambda: torch.autograd.grad(y, inputs, g, retain_graph=True)}
            g.requires_grad_()
            first = torch.autograd.grad(y, inputs, g, create_graph=True)
            directions = [rand(*shape), rand(c), rand(c)]
            return {"": lambda: torch.autograd.grad(first, [x, w, g], directions, retain_graph=True)}
        return make

    def softmax(forward, backward):
        def make(*shape):
            x, target = rand(*shape), torch.randint(0, shape[-1], shape[:1])
            if not backward:
                return {"": lambda: forward(x, target)}
            x.requires_grad_()
            y = forward(x, target)
            g = rand(*y.shape) if y.dim() else rand(1)[0]
            return {"": lambda: torch.autograd.grad(y, x, g, retain_graph=True)}
        return make

    def pointwise(inputs, body):
        def make(n):
            xs = [rand(n) for _ in range(inputs)]
            return {"": lambda: body(*xs)}
        return make

    def optimizer(make_one):
        def make(*counts):
            def candidate(foreach):
                parameters = [rand(n).requires_grad_() for n in counts]
                for p in parameters:
                    p.grad = 2 * p.detach()
                return make_one(parameters, foreach).step
            return {"one by one": candidate(False), "foreach": candidate(True)}
        return make

    def chain(x):
        for _ in range(10):
            x = torch.tanh(x)
        return x

    def dispatch(body):
        def make(n):
            x, other = rand(n).requires_grad_(), rand(n)
            return {"": lambda: body(x, other)}
        return make

    losses = {
        "softmax": lambda x, t: torch.softmax(x, -1), "log-softmax": lambda x, t: torch.log_softmax(x, -1), "cross-entropy": F.cross_entropy,
    }
    return {
        **{f"matmul-{t}": matmul(t) for t in ("nn", "nt", "tn", "tt")},
        **{f"conv-{m}": conv(m) for m in ("forward", "data-grad", "weight-grad", "transposed")},
        **{f"batchnorm-{i}": batchnorm(i) for i in (0, 1, 2)},
        **{f"{name}-{d}": softmax(f, d == "backward") for name, f in losses.items() for d in ("forward", "backward")},
        "add": pointwise(2, lambda a, b: a + b),
        "relu": pointwise(1, torch.relu),
        "tanh": pointwise(1, torch.tanh),
        "exp": pointwise(1, torch.exp),
        "mul-add": pointwise(3, lambda a, b, c: torch.addcmul(c, a, b)),
        "sigmoid-gate": pointwise(2, lambda a, b: torch.sigmoid(a) * b),
        "masked-weight": pointwise(2, lambda a, b: torch.sigmoid(4 * a) * b),
        "sgd-momentum": optimizer(lambda p, foreach: torch.optim.SGD(p, 1e-3, 0.9, foreach=foreach)),
        "adam": optimizer(lambda p, foreach: torch.optim.Adam(p, 1e-3, foreach=foreach, capturable=p[0].is_cuda)),
        "recorded-add": dispatch(lambda x, other: x + other),
        "tanh-chain-forward": dispatch(lambda x, _: chain(x)),
        "tanh-chain-forward-backward": dispatch(lambda x, g: torch.autograd.grad(chain(x), x, g)),
    }


def child():
    """Times the rows on standard input under the settings of this process; a line of JSON for each on standard output."""
    import torch

    job = json.load(sys.stdin)
    torch.manual_seed(0)
    cuda = job["device"] != "cpu"
    if cuda:
        torch.set_default_device(job["device"])
        torch.backends.cudnn.benchmark = True
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = job["tf32"]
    kinds = makers()
    print(json.dumps({"torch": torch.__version__}), flush=True)
    for row in job["rows"]:
        if row["kind"] not in kinds:
            print(json.dumps({"op": row["op"], "missing": row["kind"]}), flush=True)
            continue
        best = None
        for way, run in kinds[row["kind"]](*row["sizes"]).items():
            for threads in job["threads"]:
                if cuda:
                    median, minimum, setting = measure_cuda(run, job["seconds"], job["graph"])
                else:
                    torch.set_num_threads(threads)
                    median, minimum = measure(run, job["seconds"])
                    setting = f"{threads} threads"
                if best is None or median < best["median"]:
                    best = {"op": row["op"], "median": median, "minimum": minimum, "setting": f"{setting}{', ' + way if way else ''}"}
        print(json.dumps(best), flush=True)


def settings(threads):
    """(name, environment, families): what a process can be told before it loads PyTorch."""
    yield "", {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": "1"}, None
    blas = {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    yield f"OpenBLAS {threads} threads", blas, "matmul"
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as info:
            wide = "avx512vl" in info.read()
    except OSError:
        wide = False
    if wide:
        # A BLAS older than the processor takes its AVX2 kernels; on a processor without AVX-512 this setting would crash.
        yield f"OpenBLAS SkylakeX {threads} threads", {**blas, "OPENBLAS_CORETYPE": "SkylakeX"}, "matmul"
        yield "OpenBLAS SkylakeX 1 thread", {**blas, "OPENBLAS_NUM_THREADS": "1", "OPENBLAS_CORETYPE": "SkylakeX"}, "matmul"


def run_child(environment, rows, threads, seconds, best, name, device="cpu", graph=False, tf32=False):
    """Runs one setting; keeps the faster of it and what is known of each row. The peer's version."""
    job = {"rows": [{k: r[k] for k in ("op", "kind", "sizes")} for r in rows], "threads": threads, "seconds": seconds, "device": device, "graph": graph, "tf32": tf32}
    process = subprocess.Popen([sys.executable, os.path.abspath(__file__), "--child"], env={**os.environ, **environment}, text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    process.stdin.write(json.dumps(job))
    process.stdin.close()
    version, missing = None, []
    for line in process.stdout:
        got = json.loads(line)
        if "torch" in got:
            version = got["torch"]
        elif "missing" in got:
            missing.append(got["missing"])
        elif got["op"] not in best or got["median"] < best[got["op"]]["median"]:
            best[got["op"]] = {**got, "setting": got["setting"] + (f", {name}" if name else "")}
    if process.wait() != 0 or version is None:
        sys.exit(f"peer-ops: PyTorch ended with {process.returncode} under {environment}. Can {sys.executable} import torch?")
    if missing:
        sys.exit(f"peer-ops: no PyTorch for rows of kind {', '.join(sorted(set(missing)))}. Add them to makers().")
    return version


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", help="what native bench ops --json wrote")
    parser.add_argument("--only", help="only rows whose name contains, or whose workload is, one of these, separated by commas")
    parser.add_argument("--seconds", type=float, default=0.2, help="time for each row and setting (default: 0.2)")
    parser.add_argument("--json", help="write the figures of both sides to this file")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu); the file must be of the same kind of device")
    options = parser.parse_args()
    with open(options.file, encoding="utf-8") as file:
        ours = json.load(file)
    parts = options.only.split(",") if options.only else [""]
    rows = [r for r in ours["ops"] if any(p in r["op"] or p in r["workloads"] for p in parts)]
    if not rows:
        sys.exit(f"peer-ops: no row of {options.file} is selected by {options.only}.")

    threads, best, version = ours["threads"], {}, None
    if options.device.split(":")[0] != ours["device"].split(":")[0]:
        sys.exit(f"peer-ops: {options.file} was measured on {ours['device']}, and --device is {options.device}. Compare like with like.")
    if options.device != "cpu":
        version = run_child({}, rows, [1], options.seconds, best, "", options.device, ours.get("graph", False), ours.get("tf32", False))
    for name, environment, family in (settings(threads) if options.device == "cpu" else ()):
        chosen = [r for r in rows if family in (None, r["family"])]
        if chosen:
            print(f"{len(chosen)} rows with {' '.join(f'{k}={v}' for k, v in environment.items())}", file=sys.stderr, flush=True)
            version = run_child(environment, chosen, sorted({1, threads}), options.seconds, best, name)

    native = f"{threads} threads" if options.device == "cpu" else ours["deviceName"] + (", in graphs" if ours.get("graph") else "")
    print(f"PyTorch {version} at its best setting for each row; Native with {native}. Times as fast: PyTorch's time over Native's.")
    print(f"{'op':40} {'PyTorch us':>11} {'Native us':>11} {'by medians':>10} {'by minima':>10}  PyTorch's setting")
    for r in rows:
        peer = best[r["op"]]
        peer["ratio"], peer["ratio_of_minima"] = peer["median"] / r["medianSeconds"], peer["minimum"] / r["minimumSeconds"]
        print(f"{r['op']:40} {1e6 * peer['median']:11.2f} {1e6 * r['medianSeconds']:11.2f} {peer['ratio']:10.2f} {peer['ratio_of_minima']:10.2f}  {peer['setting']}")
    families = {}
    for r in rows:
        families.setdefault(r["family"], []).append(best[r["op"]]["ratio_of_minima"])
    for family, ratios in families.items():
        slower = sum(ratio < 1 for ratio in ratios)
        print(f"{family}: {statistics.geometric_mean(ratios):.2f} times as fast by minima (geometric mean; lowest {min(ratios):.2f}); {slower} of {len(ratios)} rows slower")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"torch": version, "threads": threads, "native": ours["engine"], "ops": {r["op"]: {**best[r["op"]], "native_median": r["medianSeconds"], "native_minimum": r["minimumSeconds"]} for r in rows}}, file, indent=1)


if __name__ == "__main__":
    child() if sys.argv[1:] == ["--child"] else main()
