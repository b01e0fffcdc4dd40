#!/usr/bin/env python3
"""What PyTorch makes of the same training step, three ways, beside which bench_packing's figures stand.

  eager     a plain loop: bf16 autocast, channels_last, augmentation on the GPU as batched operations
  compile   the same with torch.compile, mode reduce-overhead, augmentation compiled too
  graphs    augmentation, forward, loss, backward and update compiled and captured as one CUDA graph a trial,
            K trials on K streams; with --parts 4 these are in turn on four parts of the GPU, divided as occam
            divides it

--weights bf16 has weights in bf16 and fp32 masters, updated in one compiled function, in place of autocast.
Network, loss, batch and augmentation are occam's: ResNet-18 with the 3x3 stem, eight-layer head, InfoNCE
or rotation prediction, crop, flip, jitter and gray. Images are random bytes on the GPU. Prints JSON lines.

  peers.py --batch 32,2048 --loss contrastive --kinds eager,compile,graphs --trials 1,8
  peers.py --kinds graphs --trials 8 --parts 4 --weights bf16
"""
import argparse
import ctypes
import importlib.util
import json
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--loss", default="contrastive", choices=["contrastive", "rotation"])
parser.add_argument("--batch", default="32", help="comma-separated (default: 32)")
parser.add_argument("--kinds", default="eager,compile,graphs",
                    help="comma-separated, of those above (default: eager,compile,graphs)")
parser.add_argument("--trials", default="1,8", help="comma-separated: graphs at once (default: 1,8)")
parser.add_argument("--parts", default="1", help="of the GPU, for graphs (default: 1)")
parser.add_argument("--weights", default="fp32", choices=["fp32", "bf16"])
options = parser.parse_args()
for kind in options.kinds.split(","):
    if kind not in ("eager", "compile", "graphs"):
        parser.error(f"--kinds '{kind}' is none of: eager, compile, graphs")
for name in ("batch", "trials", "parts"):
    for number in getattr(options, name).split(","):
        if not number.isdecimal() or int(number) < 1:
            parser.error(f"--{name} '{number}' is no number of at least 1")
PARTS = int(options.parts)
if PARTS > 1 and (options.kinds != "graphs" or min(map(int, options.trials.split(","))) < PARTS):
    parser.error("--parts is for --kinds graphs with as many --trials or more")
if not importlib.util.find_spec("torch"):
    parser.exit(2, f"{parser.prog}: this Python has no torch; run it with that of a CUDA build of PyTorch\n")

import torch  # noqa: E402  after the arguments, for --help
import torch.nn as nn  # noqa: E402
import torch.nn.functional as F  # noqa: E402

if not torch.cuda.is_available():
    parser.exit(2, f"{parser.prog}: torch sees no GPU\n")

DEVICE = "cuda"
TO_YIQ = torch.tensor([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]], device=DEVICE)
FROM_YIQ = torch.linalg.inv(TO_YIQ)


class Block(nn.Module):
    def __init__(self, inside, out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inside, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.short = None
        if stride != 1 or inside != out:
            self.short = nn.Sequential(nn.Conv2d(inside, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x):
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(out + (x if self.short is None else self.short(x)))


class Network(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU())
        blocks, channels = [], 64
        for stage in range(4):
            for i in range(2):
                out = 64 << stage
                blocks.append(Block(channels, out, 2 if stage and i == 0 else 1))
                channels = out
        self.blocks = nn.Sequential(*blocks)
        head = []
        for _ in range(8):
            head += [nn.Linear(512, 512, bias=False), nn.BatchNorm1d(512), nn.ReLU()]
        self.head = nn.Sequential(*head, nn.Linear(512, outputs, bias=False))

    def forward(self, x):
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))


def gray_of(x):
    return 0.2989 * x[:, 0:1] + 0.5870 * x[:, 1:2] + 0.1140 * x[:, 2:3]


def augment(x):
    """Random crop and resize, flip, jitter, gray; one draw an image. x: float n x 3 x 32 x 32."""
    n = x.shape[0]
    u = torch.rand(n, 10, device=x.device)
    size = 0.5 + 0.5 * u[:, 0]
    theta = torch.zeros(n, 2, 3, device=x.device)
    theta[:, 0, 0] = torch.where(u[:, 3] < 0.5, -size, size)  # the flip goes with the crop
    theta[:, 1, 1] = size
    theta[:, 0, 2] = (2 * u[:, 1] - 1) * (1 - size)
    theta[:, 1, 2] = (2 * u[:, 2] - 1) * (1 - size)
    x = F.grid_sample(x, F.affine_grid(theta, x.shape, align_corners=False), align_corners=False)
    one = lambda i: u[:, i].view(n, 1, 1, 1)
    x = x + (2 * one(4) - 1) * 0.4
    mean = x.mean((2, 3), keepdim=True)
    x = (x - mean) * (1 + (2 * one(5) - 1) * 0.4) + mean
    # Saturation and hue as rotations and scalings in YIQ: cheaper than HSV, in the peer's favour.
    y = gray_of(x)
    x = y + (x - y) * (1 + (2 * one(6) - 1) * 0.4)
    angle = (2 * one(7) - 1) * 0.4 * 2 * 3.14159265
    c = torch.einsum("ij,njhw->nihw", TO_YIQ, x)
    i, q = c[:, 1:2] * angle.cos() - c[:, 2:3] * angle.sin(), c[:, 1:2] * angle.sin() + c[:, 2:3] * angle.cos()
    x = torch.einsum("ij,njhw->nihw", FROM_YIQ, torch.cat([c[:, 0:1], i, q], 1))
    return torch.where(one(8) < 0.2, gray_of(x).expand_as(x), x)


def info_nce(embed):
    a, b = F.normalize(embed.float()).chunk(2)
    return F.cross_entropy(a @ b.T / 0.2, torch.arange(a.shape[0], device=a.device))


def update(masters, momenta, weights, gradients):
    gradients = [gradient.float() for gradient in gradients]
    torch._foreach_add_(gradients, masters, alpha=3e-4)
    torch._foreach_mul_(momenta, 0.9)
    torch._foreach_add_(momenta, gradients)
    torch._foreach_add_(masters, momenta, alpha=-0.01)
    torch._foreach_copy_(weights, masters)


class MasterSGD:
    """SGD with momentum of masters in fp32, which the network's weights follow."""

    def __init__(self, weights):
        self.weights = weights
        self.masters = [weight.detach().float().clone() for weight in weights]
        self.momenta = [torch.zeros_like(master) for master in self.masters]
        self.update = torch.compile(update)

    def zero_grad(self, set_to_none):
        for weight in self.weights:
            weight.grad = None

    def step(self):
        with torch.no_grad():
            self.update(self.masters, self.momenta, [weight.detach() for weight in self.weights],
                        [weight.grad for weight in self.weights])


class Trial:
    """One training: bytes on the GPU, a batch drawn on the GPU, one update a step."""

    def __init__(self, loss, batch, compiled, halves=False):
        self.loss, self.batch = loss, batch
        self.network = Network(128 if loss == "contrastive" else 4).to(DEVICE, memory_format=torch.channels_last)
        self.images = torch.randint(0, 256, (24000, 3, 32, 32), dtype=torch.uint8, device=DEVICE)
        if halves:
            for module in self.network.modules():
                if isinstance(module, (nn.Conv2d, nn.Linear)):
                    module.bfloat16()
            self.optimizer = MasterSGD(list(self.network.parameters()))
        else:
            self.optimizer = torch.optim.SGD(self.network.parameters(), lr=0.01, momentum=0.9, weight_decay=3e-4,
                                             fused=True)
        self.autocast = not halves
        self.work = torch.compile(self.forward_loss, mode=compiled) if compiled else self.forward_loss
        self.views = 2 if loss == "contrastive" else 4

    def forward_loss(self, rows):
        x = self.images[rows].float() / 255
        if self.loss == "contrastive":
            x = torch.cat([augment(x), augment(x)])
        else:
            x = torch.cat([torch.rot90(augment(x), k, (2, 3)) for k in range(4)])
        x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast(DEVICE, torch.bfloat16, enabled=self.autocast):
            out = self.network(x if self.autocast else x.bfloat16())
        if self.loss == "contrastive":
            return info_nce(out)
        return F.cross_entropy(out.float(), torch.arange(4, device=DEVICE).repeat_interleave(self.batch))

    def step(self):
        rows = torch.randint(0, self.images.shape[0], (self.batch,), device=DEVICE)
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.work(rows)
        loss.backward()
        self.optimizer.step()
        return loss


def part_streams(count, parts):
    """So many streams, in turn on so many parts of the GPU's multiprocessors, divided as occam divides them."""
    driver = ctypes.CDLL("libcuda.so.1")

    def call(name, *arguments):
        if result := getattr(driver, name)(*arguments):
            raise RuntimeError(f"{name} failed ({result})")

    torch.cuda.synchronize()  # makes the context
    sm_count_at, sm_resources, default_stream, non_blocking = 96, 1, 1, 1  # as cuda.h has them
    resource = ctypes.c_byte * 144
    device, groups = ctypes.c_int(), ctypes.c_uint(parts)
    whole, rest, divided = resource(), resource(), (resource * parts)()
    call("cuDeviceGet", ctypes.byref(device), 0)
    call("cuDeviceGetDevResource", device, ctypes.byref(whole), sm_resources)
    size = torch.cuda.get_device_properties(0).multi_processor_count // parts // 8 * 8
    call("cuDevSmResourceSplitByCount", divided, ctypes.byref(groups), ctypes.byref(whole), ctypes.byref(rest), 0, size)
    if groups.value < parts:
        raise RuntimeError(f"this GPU has only {groups.value} parts of {size} multiprocessors")
    has_rest = 0 < ctypes.c_uint.from_buffer(rest, sm_count_at).value <= size // 3
    contexts = []
    for part in range(parts):
        mine, description, context = (resource * 2)(divided[part], rest), ctypes.c_void_p(), ctypes.c_void_p()
        joined = part == 0 and has_rest and not driver.cuDevResourceGenerateDesc(ctypes.byref(description), mine, 2)
        if not joined:
            call("cuDevResourceGenerateDesc", ctypes.byref(description), mine, 1)
        call("cuGreenCtxCreate", ctypes.byref(context), description, device, default_stream)
        contexts.append(context)
    streams = []
    for i in range(count):
        stream = ctypes.c_void_p()
        call("cuGreenCtxStreamCreate", ctypes.byref(stream), contexts[i % parts], non_blocking, 0)
        streams.append(torch.cuda.ExternalStream(stream.value))
    return streams


def graph_of(make, stream):
    """Of a new trial, in a thread of its own: cuDNN's choices are a thread's, and made on the stream's part."""
    def capture():
        with torch.cuda.stream(stream):
            trial = make()
            for _ in range(3):
                trial.step()
            torch.cuda.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=stream):
                trial.step()
        torch.cuda.synchronize()
        return graph, trial
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(capture).result()


def rate_of_graphs(graphs, streams, images_a_step, seconds=1.5, repeats=3):
    """Each graph again and again by itself, as fast as it can beside the others."""
    def replay(graph, stream):
        steps, began = 0, time.perf_counter()
        with torch.cuda.stream(stream):
            while time.perf_counter() - began < seconds:
                for _ in range(8):
                    graph.replay()
                stream.synchronize()
                steps += 8
        return steps * images_a_step / (time.perf_counter() - began)
    torch.cuda.synchronize()
    with ThreadPoolExecutor(len(graphs)) as threads:
        return statistics.median(sum(threads.map(replay, graphs, streams)) for _ in range(repeats))


def rate(advance, images_a_round, seconds=1.5, repeats=3):
    found = []
    for _ in range(repeats):
        torch.cuda.synchronize()
        began, rounds = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            advance()
            rounds += 1
            if rounds % 8 == 0:
                torch.cuda.synchronize()
        torch.cuda.synchronize()
        found.append(rounds * images_a_round / (time.perf_counter() - began))
    return statistics.median(found)


def measure(kind, loss, batch, trials):
    halves = options.weights == "bf16"
    if kind == "graphs":
        streams = part_streams(trials, PARTS) if PARTS > 1 else [torch.cuda.Stream() for _ in range(trials)]
        made = [graph_of(lambda: Trial(loss, batch, "default", halves), stream) for stream in streams]
        return rate_of_graphs([graph for graph, _ in made], streams, made[0][1].views * batch)
    trial = Trial(loss, batch, "reduce-overhead" if kind == "compile" else None, halves)
    for _ in range(5):
        trial.step()
    return rate(trial.step, trial.views * batch)


def main():
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    for batch in map(int, options.batch.split(",")):
        for kind in options.kinds.split(","):
            for trials in map(int, options.trials.split(",")) if kind == "graphs" else [1]:
                found = measure(kind, options.loss, batch, trials)
                print(json.dumps({"peer": kind, "loss": options.loss, "batch": batch, "trials": trials,
                                  "parts": PARTS, "weights": options.weights,
                                  "images_per_second": round(found)}), flush=True)
                torch._dynamo.reset()
                torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
