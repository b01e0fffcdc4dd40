"""The recipe as a plain PyTorch script, to compare occam with. It shares no code with occam.

  peer.py replay FOLDER        repeats a training that `occam-worker record CONFIG.json --keep FOLDER` wrote
                               down, batch by batch, and compares losses, weights and running statistics
  peer.py train DATA           trains on its own random streams: reads trials as lines of JSON, {"class": 3, "seed": 1,
                               "batch_size": 64, "steps": 100, ...} with the fields of a spec, and prints each
                               with the AUROC of every classifier (scikit-learn's), as bench/peer_sweep.py asks

Needs torch, numpy and scikit-learn (Debian: python3-torch, python3-sklearn). Formulas: Sohn et al., ICLR
2021, as released in google-research/deep_representation_one_class.
"""

import argparse
import gzip
import importlib.util
import json
import math
import pathlib
import sys

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
commands = parser.add_subparsers(dest="command", required=True)
again = commands.add_parser("replay")
again.add_argument("folder", type=pathlib.Path)
again.add_argument("--free", action="store_true", help="from one's own weights, not every step from occam's")
one = commands.add_parser("train")
one.add_argument("data", type=pathlib.Path, help="folder of Fashion-MNIST's four files")
one.add_argument("--device", default="cpu", help="cuda: in bf16 by autocast, each step a graph")
options = parser.parse_args()
for needed in ("numpy", "torch") if options.command == "replay" else ("numpy", "torch", "scipy", "sklearn"):
    if not importlib.util.find_spec(needed):
        parser.exit(2, f"{parser.prog}: this Python has no {needed}; Debian's python3-torch and python3-sklearn bring "
                       "it\n")
if options.command == "replay" and not (options.folder / "recipe.json").is_file():
    parser.exit(2, f"{parser.prog}: {options.folder} holds no recipe.json; `occam-worker record CONFIG.json --keep "
                   f"{options.folder}` writes it\n")
if options.command == "train" and not (options.data / "train-images-idx3-ubyte.gz").is_file():
    parser.exit(2, f"{parser.prog}: {options.data} holds no train-images-idx3-ubyte.gz; name the folder of "
                   "Fashion-MNIST's four files\n")

import numpy  # noqa: E402  after the arguments, for --help
import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

if options.command == "train" and options.device != "cpu" and not torch.cuda.is_available():
    parser.exit(2, f"{parser.prog}: torch sees no GPU; leave --device {options.device} out\n")


class Block(nn.Module):
    def __init__(self, inside, outside, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.shortcut = None
        if stride != 1 or inside != outside:
            self.shortcut = nn.Conv2d(inside, outside, 1, stride, bias=False)
            self.shortcut_bn = nn.BatchNorm2d(outside)

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if self.shortcut is None else self.shortcut_bn(self.shortcut(x))))


class Network(nn.Module):
    """ResNet of basic blocks without max-pool; a head of [linear, batch norm, ReLU], then what the loss reads."""

    def __init__(self, loss, depth, width, head_layers, head_width, embedding):
        super().__init__()
        self.loss = loss
        self.conv = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        self.bn = nn.BatchNorm2d(64)
        counts = {10: (1, 1, 1, 1), 18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}[depth]
        channels, stages = 64, []
        for stage, count in enumerate(counts):
            outside = round(64 * width) * 2**stage
            for i in range(count):
                stages.append((f"layer{stage + 1}.{i}", Block(channels, outside, 2 if stage > 0 and i == 0 else 1)))
                channels = outside
        self.names = [name for name, _ in stages]
        self.blocks = nn.ModuleList(block for _, block in stages)
        rotation = loss == "rotation"
        normed = head_layers - 1 if rotation and head_layers > 0 else head_layers
        self.linears, self.norms = nn.ModuleList(), nn.ModuleList()
        for _ in range(normed):
            self.linears.append(nn.Linear(channels, head_width, bias=False))
            self.norms.append(nn.BatchNorm1d(head_width))
            channels = head_width
        self.embed = self.classify = None
        if not rotation:
            self.embed = nn.Linear(channels, embedding, bias=False)
        else:
            if head_layers > 0:
                self.embed = nn.Linear(channels, head_width)
                channels = head_width
            self.classify = nn.Linear(channels, 4)

    def forward(self, x):
        x = F.relu(self.bn(self.conv(x)))
        for block in self.blocks:
            x = block(x)
        pool = x.mean((2, 3))
        x = pool
        for linear, norm in zip(self.linears, self.norms):
            x = F.relu(norm(linear(x)))
        if self.embed is not None:
            x = self.embed(x)
        return pool, x, None if self.classify is None else self.classify(x)

    def by_name(self):
        """Parameters under the names that occam writes beside its flat buffer."""
        named = {"stem": self.conv.weight, "stem.bn.gamma": self.bn.weight, "stem.bn.beta": self.bn.bias}
        for name, block in zip(self.names, self.blocks):
            for part in ("conv1", "conv2", "shortcut"):
                if getattr(block, part, None) is not None:
                    named[f"{name}.{part}"] = getattr(block, part).weight
            for part in ("bn1", "bn2", "shortcut_bn"):
                if hasattr(block, part):
                    named[f"{name}.{part}.gamma"] = getattr(block, part).weight
                    named[f"{name}.{part}.beta"] = getattr(block, part).bias
        for i, (linear, norm) in enumerate(zip(self.linears, self.norms)):
            named[f"head.{i}.weight"] = linear.weight
            named[f"head.{i}.bn.gamma"], named[f"head.{i}.bn.beta"] = norm.weight, norm.bias
        last = "head.rotation_embed" if self.loss == "rotation" else "head.embed"
        for name, layer in ((last, self.embed), ("head.rotation", self.classify)):
            if layer is not None:
                named[name + ".weight"] = layer.weight
                if layer.bias is not None:
                    named[name + ".bias"] = layer.bias
        return named


def initialise(network, generator):
    """Keras: convolutions by variance scaling over fan-out, truncated at two deviations; dense by Glorot."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.out_channels * module.kernel_size[0] ** 2
            drawn = torch.randn(module.weight.shape, generator=generator)
            while bool((outside := drawn.abs() > 2).any()):
                drawn[outside] = torch.randn(int(outside.sum()), generator=generator)
            module.weight.data = drawn * math.sqrt(2 / fan_out) / 0.87962566103423978
        elif isinstance(module, nn.Linear):
            limit = math.sqrt(6 / (module.in_features + module.out_features))
            module.weight.data = (2 * torch.rand(module.weight.shape, generator=generator) - 1) * limit
            if module.bias is not None:
                module.bias.data.zero_()


def in_float32(output):
    """At least: what a network in bf16 gives, so that its loss is as exact as any."""
    return output.float() if output.dtype == torch.bfloat16 else output


def loss_of(recipe, network, images):
    _, embed, logits = network(images)
    rows = len(images) // (4 if recipe["loss"] == "rotation" else 2)
    if recipe["loss"] == "rotation":
        return F.cross_entropy(in_float32(logits), torch.arange(4, device=images.device).repeat_interleave(rows))
    unit = F.normalize(in_float32(embed), dim=1)
    one, two = unit[:rows], unit[rows:]
    if recipe["loss"] == "contrastive":  # one-directional: view 1 against the views 2
        size = recipe["negatives"] + 1 if recipe["negatives"] else rows
        groups = [(one[i:i + size] @ two[i:i + size].T) / recipe["temperature"] for i in range(0, rows, size)]
        return F.cross_entropy(torch.cat(groups), torch.arange(size, device=images.device).repeat(rows // size))
    similar = unit @ unit.T / recipe["temperature"]
    similar = similar - torch.diag(torch.full((2 * rows,), math.inf, device=images.device))
    return F.cross_entropy(similar, torch.arange(2 * rows, device=images.device).roll(-rows))


def learning_rate(recipe, epoch, epochs):
    released = 64 if recipe["loss"] == "rotation" else 32
    scale = {"none": 1, "linear": recipe["batch_size"] / released,
             "sqrt": math.sqrt(recipe["batch_size"] / released)}[recipe["learning_rate_scaling"]]
    shape = {"cosine": 0.5 * (1 + math.cos(math.pi * epoch / epochs)), "constant": 1,
             "step": 0.01 if epoch >= 0.75 * epochs else 0.1 if epoch >= 0.5 * epochs else 1}[recipe["schedule"]]
    return recipe["learning_rate"] * scale * shape


class Sgd:
    """Keras' momentum, in which the rate is part of the velocity; weight decay on everything."""

    def __init__(self, recipe, parameters):
        self.recipe, self.parameters = recipe, list(parameters)
        self.velocities = [torch.zeros_like(p) for p in self.parameters]

    @torch.no_grad()
    def step(self, rate):
        for weight, velocity in zip(self.parameters, self.velocities):
            gradient = weight.grad + self.recipe["weight_decay"] * weight
            velocity.mul_(self.recipe["momentum"]).sub_(rate * gradient)
            weight.add_(velocity)
            weight.grad = None


def network_of(recipe):
    return Network(recipe["loss"], recipe["depth"], recipe["width"], recipe["head_layers"],
                   recipe["head_width"] or 0, recipe["embedding"] or 0)


def replay(folder, restart):
    """With occam's initial weights and batches. With `restart` every step begins with the weights that occam met it
    with, the velocity being what the last step added to them: left to run, two programs part by rounding, which the
    recipe enlarges some tenfold a step at its learning rate."""
    about = json.loads((folder / "recipe.json").read_text())
    recipe = about["trial"]
    network = network_of(recipe).train().double()
    named = network.by_name()
    if {p["name"] for p in about["parameters"]} != set(named):
        raise SystemExit(f"the networks differ: {set(named) ^ {p['name'] for p in about['parameters']}}")
    sgd = Sgd(recipe, [named[p["name"]] for p in about["parameters"]])

    def parts(flat):
        start = 0
        for parameter in about["parameters"]:
            yield flat.as_strided(parameter["shape"], parameter["strides"], start).clone()
            start += math.prod(parameter["shape"])

    def distance(flat):
        squares = [float((weight.data - value).square().sum()) for weight, value in
                   zip(sgd.parameters, parts(flat))]
        return math.sqrt(sum(squares))

    losses = numpy.load(folder / "losses.npy")
    read = lambda name: torch.from_numpy(numpy.load(folder / name))
    met = [read(f"weights.{step}.npy") for step in range(len(losses))] + [read("trained.npy")]
    worst_loss = worst_weights = worst_change = 0.0
    for step, their_loss in enumerate(losses):
        if restart or step == 0:
            for weight, value in zip(sgd.parameters, parts(met[step])):
                weight.data = value
            sgd.velocities = list(parts(met[step] - met[step - 1] if step > 0 else torch.zeros_like(met[0])))
        loss = loss_of(recipe, network, read(f"images.{step}.npy").double())
        loss.backward()
        sgd.step(learning_rate(recipe, step // about["steps_per_epoch"], about["epochs"]))
        difference = distance(met[step + 1])
        worst_loss = max(worst_loss, abs(float(loss) - float(their_loss)))
        worst_weights = max(worst_weights, difference / float(met[step + 1].norm()))
        worst_change = max(worst_change, difference / float((met[step + 1] - met[step]).norm()))
    norms = [module for module in network.modules() if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d))]
    statistics = torch.cat([norm.running_mean for norm in norms] + [norm.running_var for norm in norms])
    theirs = read("statistics.npy")
    worst_statistics = float((statistics - theirs).norm() / theirs.norm())
    print(json.dumps({"loss": recipe["loss"], "steps": len(losses),
                      "largest_loss_difference": worst_loss, "largest_relative_weight_difference": worst_weights,
                      "the_same_relative_to_the_step": worst_change,
                      "relative_statistics_difference": worst_statistics,
                      "first_loss": float(losses[0]), "last_loss": float(losses[-1])}), flush=True)
    return worst_loss <= 1e-4 and worst_weights <= 1e-3 and worst_statistics <= 1e-3


# ---- on its own random streams ----

def crop(images, smallest, draw):
    """Squares of a uniform side, anywhere, made as large as the image by bilinear interpolation inside of them."""
    count, channels, side, _ = images.shape
    least = int(smallest * side)
    size = least + (draw() * (side + 1 - least)).floor()
    for dimension in (2, 3):
        start = (draw() * (side - size + 1)).floor()
        at = ((torch.arange(side, device=images.device) + 0.5) * size / side - 0.5).clamp(min=0).minimum(size - 1)
        low, high = at.floor(), (at.floor() + 1).minimum(size - 1)
        shape = (count, channels, side, side)
        place = lambda line: (line + start).long().view(
            count, 1, *((side, 1) if dimension == 2 else (1, side))).expand(shape)
        share = (at - low).view(count, 1, *((side, 1) if dimension == 2 else (1, side)))
        images = torch.lerp(images.gather(dimension, place(low)), images.gather(dimension, place(high)), share)
    return images


def augment(images, order):
    """cnr0.5+hflip+jitter_b0.4_c0.4_s0.4_h0.4+gray0.2 of gray images: hue and saturation change nothing."""
    draw = lambda: torch.rand(len(images), 1, 1, 1, device=images.device)
    images = crop(images, 0.5, draw)
    images = torch.where(draw() < 0.5, images.flip(-1), images)
    for change in order:
        if change == "brightness":
            images = images + 0.8 * draw() - 0.4
        elif change == "contrast":
            mean = images.mean((2, 3), keepdim=True)
            images = (images - mean) * (0.6 + 0.8 * draw()) + mean
    red, green, blue = images.unbind(1)
    gray = (0.2989 * red + 0.5870 * green + 0.1140 * blue)[:, None].expand_as(images)
    return torch.where(draw() < 0.2, gray, images)


def fashion_mnist(folder, part):
    with gzip.open(folder / f"{part}-images-idx3-ubyte.gz") as file:
        images = numpy.frombuffer(file.read(), numpy.uint8, offset=16).reshape(-1, 28, 28)
    with gzip.open(folder / f"{part}-labels-idx1-ubyte.gz") as file:
        labels = numpy.frombuffer(file.read(), numpy.uint8, offset=8)
    padded = numpy.pad(images, ((0, 0), (2, 2), (2, 2)))
    return torch.from_numpy(padded)[:, None].float().div(255).expand(-1, 3, -1, -1), torch.from_numpy(labels.copy())


@torch.no_grad()
def outputs(network, images):
    """Of the pooled features and, of a rotation head, the logits."""
    network.eval()
    made = [network(images[i:i + 250]) for i in range(0, len(images), 250)]
    return [None if one[0] is None else torch.cat(one).float().cpu().numpy()
            for one in zip(*((pool, logits) for pool, _, logits in made))]


def rotation_score(network, images):
    """In the order of one less the product of the probabilities that each turn of an image is that turn."""
    right = 0
    for turns in range(4):
        _, logits = outputs(network, torch.rot90(images, turns, (2, 3)))
        right = right + torch.from_numpy(logits).double().log_softmax(1)[:, turns]
    return -right.numpy()


class Step:
    """One update. On a GPU a graph of it, in bf16 by autocast, once it has run as it is."""

    def __init__(self, recipe, network, instances, orders):
        self.recipe, self.instances, self.orders = recipe, instances, orders
        self.forward = network  # the loss is in float32 in any case
        if instances.is_cuda:
            self.forward = torch.autocast("cuda", torch.bfloat16)(lambda images: network(images))
        self.sgd = Sgd(recipe, network.parameters())
        self.rows = torch.zeros(recipe["batch_size"], dtype=torch.long, device=instances.device)
        self.rate = torch.zeros((), device=instances.device)
        self.loss, self.graph, self.taken = None, None, 0

    def take(self):
        rotation = self.recipe["loss"] == "rotation"
        rows = self.instances[self.rows]
        views = [augment(rows, self.orders[i]) for i in range(4 if rotation else 2)]
        if rotation:
            views = [torch.rot90(view, i, (2, 3)) for i, view in enumerate(views)]
        loss = loss_of(self.recipe, self.forward, torch.cat(views).contiguous(memory_format=torch.channels_last))
        loss.backward()
        self.sgd.step(self.rate)
        return loss.detach()

    def __call__(self, rows, rate):
        self.rows.copy_(rows)
        self.rate.fill_(rate)
        self.taken += 1
        if self.graph:
            self.graph.replay()
        elif self.rows.is_cuda and self.taken > 3:
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):  # which runs nothing yet
                self.loss = self.take()
            self.graph.replay()
        elif self.rows.is_cuda:  # as graphs are prepared: on another stream
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                self.loss = self.take()
            torch.cuda.current_stream().wait_stream(stream)
        else:
            self.loss = self.take()


def scores(train, test):
    from scipy.special import logsumexp
    from sklearn.mixture import GaussianMixture
    from sklearn.preprocessing import normalize
    from sklearn.svm import OneClassSVM

    train, test = normalize(train.astype(numpy.float64)), normalize(test.astype(numpy.float64))
    gamma = 10 / (train.shape[1] * train.var())
    cosines = test @ train.T
    return {"nearest": 1 - cosines.max(1), "kde": -logsumexp(2 * gamma * cosines, axis=1) / gamma,
            "gde": -GaussianMixture(1, covariance_type="full").fit(train).score_samples(test),
            "oc-svm-rbf": -OneClassSVM(kernel="rbf", gamma=gamma).fit(train).score_samples(test)}


# What a spec's trial has when it does not say.
RELEASED = {"loss": "contrastive", "seed": 1, "batch_size": 32, "negatives": 0, "temperature": 0.2,
            "distribution_augmentation": "none", "learning_rate": 0.01, "learning_rate_scaling": "none",
            "schedule": "cosine", "momentum": 0.9, "weight_decay": 3e-4, "depth": 18, "width": 1, "head_layers": 8,
            "head_width": 512, "embedding": 128, "train_limit": 0, "test_limit": 0}


def train(asked, train_set, test_set, device):
    from sklearn.metrics import roc_auc_score

    if unknown := set(asked) - set(RELEASED) - {"class", "steps"}:
        raise SystemExit(f"peer.py knows no {', '.join(sorted(unknown))}")
    recipe = {**RELEASED, **asked}
    torch.manual_seed(recipe["seed"])
    generator = torch.Generator().manual_seed(recipe["seed"])
    images, labels = train_set
    inliers = images[labels == recipe["class"]]
    if recipe["train_limit"]:
        inliers = inliers[torch.randperm(len(inliers), generator=generator)[:recipe["train_limit"]]]
    # Every rotated copy is an instance; the classifiers are fitted on the images as they are.
    copies = 4 if recipe["distribution_augmentation"] == "rotation" else 1
    instances = torch.cat([torch.rot90(inliers, turns, (2, 3)) for turns in range(copies)])
    network = network_of(recipe)
    initialise(network, generator)
    network.to(device, memory_format=torch.channels_last)  # a third faster
    orders = [list(numpy.random.default_rng(recipe["seed"] + i).permutation(
        ["brightness", "contrast", "saturation", "hue"])) for i in range(4)]
    batch, steps = recipe["batch_size"], 0
    per_epoch = len(instances) // batch
    epochs = math.ceil(recipe["steps"] / per_epoch)
    network.train()
    step = Step(recipe, network, instances.to(device), orders)
    for epoch in range(epochs):
        order = torch.randperm(len(instances), generator=generator).to(device)
        for first in range(0, per_epoch * batch, batch):
            if steps == recipe["steps"]:
                break
            step(order[first:first + batch], learning_rate(recipe, epoch, epochs))
            steps += 1
    rows = torch.randperm(len(test_set[1]), generator=generator)[:recipe["test_limit"] or None]
    is_outlier = (test_set[1][rows] != recipe["class"]).numpy()
    test = test_set[0][rows].to(device)
    found = scores(outputs(network, inliers.to(device))[0], outputs(network, test)[0])
    if recipe["loss"] == "rotation":
        found["rotation"] = rotation_score(network, test)
    return {**asked, "last_loss": float(step.loss),
            **{name: roc_auc_score(is_outlier, one) for name, one in found.items()}}


def main():
    torch.set_num_threads(1)
    if options.command == "replay":
        if not replay(options.folder, not options.free):
            raise SystemExit("the trainings differ")
        return
    sets = [fashion_mnist(options.data, part) for part in ("train", "t10k")]
    for line in sys.stdin:
        print(json.dumps(train(json.loads(line), *sets, options.device)), flush=True)


if __name__ == "__main__":
    main()
