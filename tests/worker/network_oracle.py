#!/usr/bin/env python3
"""The whole network of a narrow trial in NumPy, in float64, as worker/model/network.h describes it.

Writes tests/golden/network.json: for both losses the parameters' names and shapes, the outputs of
one forward in training mode, the running statistics after it and the outputs in inference mode.
Weights are weight(i) of their place in the flat buffer and pixels are pixel(i).

  network_oracle.py > tests/golden/network.json
"""

import json

import numpy

STEM, WIDTHS, HEAD_WIDTH, EMBEDDING = 64, (2, 4, 8, 16), 12, 10  # width 1/32
IMAGES, SIDE = 3, 16


def weight(i):
    return 0.1 + 0.5 * numpy.sin(0.7 * i)


def pixel(i):
    return 0.5 + 0.5 * numpy.sin(0.37 * i + 0.00011 * i * i)


class Parameters:
    """Hands out the flat buffer in the order of asking; running statistics start at 0 and 1."""

    def __init__(self):
        self.shapes, self.values, self.next = [], {}, 0
        self.means, self.variances = {}, {}

    def get(self, name, *shape):
        if name not in self.values:
            count = int(numpy.prod(shape))
            self.values[name] = weight(numpy.arange(self.next, self.next + count)).reshape(shape)
            self.shapes.append([name, list(shape)])
            self.next += count
        return self.values[name]


def convolve(x, kernel, stride):
    side = kernel.shape[-1]
    padded = numpy.pad(x, ((0, 0), (0, 0), (side // 2,) * 2, (side // 2,) * 2))
    windows = numpy.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(2, 3))
    return numpy.einsum("nchwij,ocij->nohw", windows[:, :, ::stride, ::stride], kernel)


def normalise(p, name, x, training):
    gamma, beta = p.get(name + ".gamma", x.shape[1]), p.get(name + ".beta", x.shape[1])
    axes = (0, 2, 3)[:x.ndim - 1]
    column = (1, -1, 1, 1)[:x.ndim]
    mean, variance = p.means.get(name, 0.0 * gamma), p.variances.get(name, 0.0 * gamma + 1)
    if training:
        count = x.size // x.shape[1]
        batch_mean, batch_variance = x.mean(axes), x.var(axes)
        p.means[name] = 0.9 * mean + 0.1 * batch_mean
        p.variances[name] = 0.9 * variance + 0.1 * batch_variance * count / (count - 1)
        mean, variance = batch_mean, batch_variance
    scale = gamma / numpy.sqrt(variance + 1e-5)
    return (x - mean.reshape(column)) * scale.reshape(column) + beta.reshape(column)


def relu(x):
    return numpy.maximum(x, 0)


def block(p, name, x, out, stride, training):
    into = x.shape[1]
    y = convolve(x, p.get(name + ".conv1", out, into, 3, 3), stride)
    y = relu(normalise(p, name + ".bn1", y, training))
    y = convolve(y, p.get(name + ".conv2", out, out, 3, 3), 1)
    y = normalise(p, name + ".bn2", y, training)
    if stride != 1 or into != out:
        x = convolve(x, p.get(name + ".shortcut", out, into, 1, 1), stride)
        x = normalise(p, name + ".shortcut_bn", x, training)
    return relu(x + y)


def dense(p, name, x, out, has_bias):
    x = x @ p.get(name + ".weight", out, x.shape[1]).T
    return x + p.get(name + ".bias", out) if has_bias else x


def forward(p, images, loss, training):
    x = convolve(images, p.get("stem", STEM, 3, 3, 3), 1)
    x = relu(normalise(p, "stem.bn", x, training))
    for stage, width in enumerate(WIDTHS):
        x = block(p, f"layer{stage + 1}.0", x, width, 2 if stage > 0 else 1, training)
    outputs = {"pool": x.mean((2, 3))}
    x = outputs["pool"]
    # Two head layers: under rotation the second is linear with a bias, and is `embed`.
    for i in range(2 if loss == "contrastive" else 1):
        x = dense(p, f"head.{i}", x, HEAD_WIDTH, False)
        x = relu(normalise(p, f"head.{i}.bn", x, training))
    if loss == "contrastive":
        outputs["embed"] = dense(p, "head.embed", x, EMBEDDING, False)
    else:
        outputs["embed"] = dense(p, "head.rotation_embed", x, HEAD_WIDTH, True)
        outputs["logits"] = dense(p, "head.rotation", outputs["embed"], 4, True)
    return outputs


def rounded(values):
    return [float(f"{v:.7g}") for v in numpy.ravel(values)]


def golden(loss):
    p = Parameters()
    images = pixel(numpy.arange(IMAGES * 3 * SIDE * SIDE)).reshape(IMAGES, 3, SIDE, SIDE)
    trained = forward(p, images, loss, training=True)
    statistics = numpy.concatenate([*p.means.values(), *p.variances.values()])
    inferred = forward(p, images, loss, training=False)
    return {"loss": loss, "parameters": p.shapes, "statistics": rounded(statistics),
            "training": {name: rounded(value) for name, value in trained.items()},
            "inference": {name: rounded(value) for name, value in inferred.items()}}


if __name__ == "__main__":
    print("[\n" + ",\n".join(json.dumps(golden(loss)) for loss in ("contrastive", "rotation")) + "\n]")
