"""Medians and minima of single PyTorch operations on this machine, as JSON: the figures Native's own `bench` is set beside.

    OMP_NUM_THREADS=2 OPENBLAS_NUM_THREADS=1 python3 eng/peer-ops.py --threads 1,2

Every operation is timed under each thread setting, and the one with the smallest median is reported with its thread count, so
that PyTorch is shown at its best. PyTorch's own pool follows --threads; its BLAS keeps the count that the environment gave it
when it was loaded (OPENBLAS_NUM_THREADS), which is why one run cannot cover both and the output repeats the environment.
Times are nanoseconds of one call; a repetition runs as many calls as fill about a millisecond, so the clock is not measured.
"""
import argparse
import json
import os
import platform
import statistics
import time

import torch


def chain_of_ten_tanh():
    """Forward and backward: what a tape costs when the arithmetic is nothing. The gradient is cleared, as a training step would."""
    x = torch.randn(16, requires_grad=True)
    ones = torch.ones(16)

    def run():
        y = x
        for _ in range(10):
            y = torch.tanh(y)
        x.grad = None
        y.backward(ones)

    return run


def recorded_add():
    """One operation that goes on the tape and is dropped again."""
    a, b = torch.randn(16, requires_grad=True), torch.randn(16)
    return lambda: a + b


def matmul(m, k, n):
    """Into a preallocated result: the multiplication alone, without a page fault per call."""
    a, b, out = torch.randn(m, k), torch.randn(k, n), torch.empty(m, n)
    return lambda: torch.mm(a, b, out=out)


def pointwise(op, inputs):
    xs, out = [torch.randn(65536) for _ in range(inputs)], torch.empty(65536)
    return lambda: op(*xs, out=out)


OPERATIONS = {
    "tanh_chain10_forward_backward_16": (chain_of_ten_tanh, 0),
    "add_recorded_16": (recorded_add, 0),
    "matmul_64": (lambda: matmul(64, 64, 64), 2 * 64**3),
    "matmul_256": (lambda: matmul(256, 256, 256), 2 * 256**3),
    "matmul_1024": (lambda: matmul(1024, 1024, 1024), 2 * 1024**3),
    "matmul_2048": (lambda: matmul(2048, 2048, 2048), 2 * 2048**3),
    "matmul_10x784x400": (lambda: matmul(10, 784, 400), 2 * 10 * 784 * 400),
    "add_65536": (lambda: pointwise(torch.add, 2), 0),
    "tanh_65536": (lambda: pointwise(torch.tanh, 1), 0),
    "exp_65536": (lambda: pointwise(torch.exp, 1), 0),
}


def measure(run, budget_s):
    """(median, minimum, repetitions) in nanoseconds per call, within a time budget and at least five repetitions."""
    for _ in range(3):
        run()
    start = time.perf_counter_ns()
    run()
    calls = max(1, 1_000_000 // max(1, time.perf_counter_ns() - start))
    samples = []
    deadline = time.perf_counter() + budget_s
    while len(samples) < 5 or time.perf_counter() < deadline:
        start = time.perf_counter_ns()
        for _ in range(calls):
            run()
        samples.append((time.perf_counter_ns() - start) / calls)
    return statistics.median(samples), min(samples), len(samples)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", default="1,2", help="comma-separated thread settings to try (default: 1,2)")
    parser.add_argument("--seconds", type=float, default=0.5, help="time per operation and setting (default: 0.5)")
    options = parser.parse_args()
    settings = [int(t) for t in options.threads.split(",")]

    torch.manual_seed(0)
    results = {}
    for name, (make, flops) in OPERATIONS.items():
        rows = []
        for threads in settings:
            torch.set_num_threads(threads)
            median, minimum, count = measure(make(), options.seconds)
            rows.append({"threads": threads, "median_ns": round(median, 1), "min_ns": round(minimum, 1), "repetitions": count})
        best = dict(min(rows, key=lambda row: row["median_ns"]))
        if flops:
            best["gflops_at_median"] = round(flops / best["median_ns"], 1)
            best["gflops_at_min"] = round(flops / best["min_ns"], 1)
        best["all"] = rows
        results[name] = best

    environment = {key: os.environ.get(key) for key in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    print(json.dumps({"torch": torch.__version__, "python": platform.python_version(), "cores": os.cpu_count(),
                      "environment": environment, "dtype": "float32", "operations": results}, indent=1))


if __name__ == "__main__":
    main()
