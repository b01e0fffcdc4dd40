#!/usr/bin/env python3
"""Augmented views in NumPy, an independent reading of what worker/data/augment.cc promises.

Writes tests/golden/augmentations.json: cases (trial fields, row, epoch, view, turns) with the
pixels that they must give. Draws are Philox4x32-10 numbers of (seed, purpose, epoch, row, view);
the formulas are those of TensorFlow's image operations, in float64 and through HSV.

  augmentation_oracle.py > tests/golden/augmentations.json
"""

import json

import numpy

PURPOSE_AUGMENTATION, PURPOSE_JITTER_ORDER = 3, 4
(CROP_SIDE, CROP_Y, CROP_X, FLIP, BRIGHTNESS, CONTRAST, SATURATION, HUE, GRAY, BLUR,
 SIGMA, ORDER) = range(12)
VFLIP, SHIFT_Y, SHIFT_X = 14, 15, 16  # the order takes three
RELEASED = "cnr0.5+hflip+jitter_b0.4_c0.4_s0.4_h0.4+gray0.2"


class Draws:
    def __init__(self, seed, purpose, a, b=0, c=0):
        self.key, self.counter = (seed, purpose), (a, b, c)

    def bits(self, i):
        x = [i // 4, *self.counter]
        key = list(self.key)
        for _ in range(10):
            p0, p1 = 0xD2511F53 * x[0], 0xCD9E8D57 * x[2]
            x = [(p1 >> 32) ^ x[1] ^ key[0], p1 & 0xFFFFFFFF,
                 (p0 >> 32) ^ x[3] ^ key[1], p0 & 0xFFFFFFFF]
            key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
        return x[i % 4]

    def uniform(self, i, low=0.0, high=1.0):
        return low + (high - low) * ((self.bits(i) >> 8) / 2**24)

    def below(self, i, count):
        return self.bits(i) * count >> 32


def source_image(index, channels, side):
    """Bytes as side x side x channels; the test makes the same by the same formula."""
    y, x, p = numpy.meshgrid(range(side), range(side), range(channels), indexing="ij")
    return (37 * p * p + 91 * x * y + 13 * x + 7 * y * y + 53 * p * x + 29 * index + 11 * p * y) % 256


def crop_and_resize(image, top, left, crop_side):
    """tf.image.resize, bilinear, without antialiasing: half-pixel centres, edges repeated."""
    side = image.shape[0]
    crop = image[top:top + crop_side, left:left + crop_side]
    centres = (numpy.arange(side) + 0.5) * crop_side / side - 0.5
    low = numpy.floor(centres).astype(int)
    weight = centres - low
    clamp = lambda i: numpy.clip(i, 0, crop_side - 1)
    rows = (crop[clamp(low)] * (1 - weight)[:, None, None]
            + crop[clamp(low + 1)] * weight[:, None, None])
    return (rows[:, clamp(low)] * (1 - weight)[None, :, None]
            + rows[:, clamp(low + 1)] * weight[None, :, None])


def rgb_to_hsv(image):
    red, green, blue = numpy.moveaxis(image, -1, 0)
    value, least = image.max(-1), image.min(-1)
    spread = value - least
    some = numpy.where(spread > 0, spread, 1)
    hue = numpy.where(red == value, (green - blue) / some,
                      numpy.where(green == value, 2 + (blue - red) / some, 4 + (red - green) / some))
    hue = numpy.where(spread > 0, hue / 6 % 1, 0)
    saturation = numpy.where(value > 0, spread / numpy.where(value > 0, value, 1), 0)
    return hue, saturation, value


def hsv_to_rgb(hue, saturation, value):
    return numpy.stack([value - value * saturation * numpy.clip(numpy.minimum(k, 4 - k), 0, 1)
                        for k in ((n + 6 * hue) % 6 for n in (5, 3, 1))], axis=-1)


def adjust_hue(image, turns):
    """Of colours out of range as TensorFlow's kernel: largest and smallest channel stay."""
    least = image.min(-1, keepdims=True)
    hue, saturation, value = rgb_to_hsv(image - least)
    return hsv_to_rgb((hue + turns) % 1, saturation, value) + least


def adjust_saturation(image, factor):
    hue, saturation, value = rgb_to_hsv(image)
    return hsv_to_rgb(hue, numpy.clip(saturation * factor, 0, 1), value)


def blur(image, sigma):
    side = image.shape[0]
    radius = int((side // 10) / 2)
    offsets = numpy.arange(-radius, radius + 1)
    kernel = numpy.exp(-offsets**2 / (2 * sigma**2))
    kernel /= kernel.sum()
    padded = numpy.pad(image, ((radius, radius), (radius, radius), (0, 0)))
    return sum(kernel[i] * kernel[j] * padded[i:i + side, j:j + side]
               for i in range(2 * radius + 1) for j in range(2 * radius + 1))


def shift(image, draws):
    """tf.pad with mode REFLECT by an eighth of the side, then a crop of the old size anywhere."""
    side = image.shape[0]
    pad = int(0.125 * side)
    padded = numpy.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode="reflect")
    top, left = draws.below(SHIFT_Y, 2 * pad + 1), draws.below(SHIFT_X, 2 * pad + 1)
    return padded[top:top + side, left:left + side]


def to_gray(image):
    return numpy.repeat((image @ [0.2989, 0.5870, 0.1140])[..., None], 3, axis=-1)


def jitter_order(draws, first):
    order = [0, 1, 2, 3]
    for i in (3, 2, 1):
        j = draws.below(first + i - 1, i + 1)
        order[i], order[j] = order[j], order[i]
    return order


def jitter(image, amounts, order, draws):
    b, c, s, h = (amounts.get(name, 0) for name in "bcsh")
    for change in order:
        if change == 0 and b:
            image = image + draws.uniform(BRIGHTNESS, -b, b)
        elif change == 1 and c:
            mean = image.mean((0, 1))
            image = (image - mean) * draws.uniform(CONTRAST, 1 - c, 1 + c) + mean
        elif change == 2 and s:
            image = adjust_saturation(image, draws.uniform(SATURATION, 1 - s, 1 + s))
        elif change == 3 and h:
            image = adjust_hue(image, draws.uniform(HUE, -h, h))
    return image


def copies(name):
    """Distribution augmentation: the instances of one image, in the order of the enlarged set."""
    same, flip = (lambda x: x), (lambda x: x[:, ::-1])
    turned = lambda k: lambda x: numpy.rot90(x, k)
    if name == "none":
        return [same]
    if name == "rotation":
        return [turned(k) for k in range(4)]
    if name in ("hflip", "vflip"):
        return [same, flip if name == "hflip" else (lambda x: x[::-1])]
    all_eight = [turned(0), flip]
    for k in (1, 2, 3):
        all_eight += [turned(k), lambda x, k=k: flip(numpy.rot90(x, k))]
    return all_eight[:int(name)]


def view(case, images):
    row, channels, side = case["row"], case["channels"], case["side"]
    image = source_image(row % images, channels, side) / 255.0
    image = numpy.repeat(image, 3, axis=-1) if channels == 1 else image
    image = copies(case["distribution_augmentation"])[row // images](image)
    draws = Draws(case["seed"], PURPOSE_AUGMENTATION, case["epoch"], row, case["view"])
    for word in case["augmentations"].split("+"):
        if word.startswith("cnr"):
            least = int(float(word[3:]) * side)
            crop_side = least + draws.below(CROP_SIDE, side - least + 1)
            image = crop_and_resize(image, draws.below(CROP_Y, side - crop_side + 1),
                                    draws.below(CROP_X, side - crop_side + 1), crop_side)
        elif word == "hflip":
            image = image[:, ::-1] if draws.uniform(FLIP) < 0.5 else image
        elif word == "vflip":
            image = image[::-1] if draws.uniform(VFLIP) < 0.5 else image
        elif word == "shift":
            image = shift(image, draws)
        elif word.startswith("rotate"):
            image = numpy.rot90(image, int(word[6:]) // 90)
        elif word.startswith("jitter"):
            parts = word.split("_")[1:]
            amounts = {part[0]: float(part[1:]) for part in parts if part != "shuffled"}
            of_run = Draws(case["seed"], PURPOSE_JITTER_ORDER, case["view"])
            order = jitter_order(draws, ORDER) if "shuffled" in parts else jitter_order(of_run, 1)
            image = jitter(image, amounts, order, draws)
        elif word.startswith("gray"):
            image = to_gray(image) if draws.uniform(GRAY) < float(word[4:]) else image
        elif word.startswith("blur"):
            if draws.uniform(BLUR) < float(word[4:]):
                image = blur(image, draws.uniform(SIGMA, 0.1, 2.0))
    return numpy.rot90(image, case["turns"])


def cases():
    usual = {"augmentations": "none", "distribution_augmentation": "none", "channels": 3, "side": 8,
             "seed": 1, "epoch": 0, "row": 0, "view": 0, "turns": 0}
    for word in ("none", "cnr0.5", "cnr0.3", "hflip", "jitter_b0.4", "jitter_c0.4", "jitter_s0.4",
                 "jitter_s1", "jitter_h0.4", "jitter_h0.5", "gray1", "vflip", "rotate90", "rotate180", "rotate270"):
        for row in (0, 1) if word == "none" else (0, 1, 2):
            yield dict(usual, augmentations=word, row=row, view=row % 2)
    yield dict(usual, augmentations="blur1", side=20)
    yield dict(usual, augmentations="blur1", side=20, channels=1, row=1)
    for row in range(3):
        yield dict(usual, augmentations="shift", side=16, row=row)
    yield dict(usual, augmentations="shift+rotate90+vflip+cnr0.5", side=20, channels=1, row=2, turns=1)
    for turns in (1, 2, 3):
        yield dict(usual, turns=turns)
    for name, count in (("rotation", 4), ("hflip", 2), ("vflip", 2), ("8", 8)):
        for copy in range(count):
            yield dict(usual, distribution_augmentation=name, row=3 * copy + 1)
    for row in range(4):
        yield dict(usual, augmentations="jitter_b0.4_c0.4_s0.4_h0.4_shuffled", row=row % 3, epoch=row // 2)
    for channels in (1, 3):
        for step in range(4):
            yield dict(usual, augmentations=RELEASED, channels=channels, seed=1 + step, epoch=5,
                       row=2 + 3 * step, view=step, turns=step,
                       distribution_augmentation="rotation")


if __name__ == "__main__":
    lines = []
    for case in cases():
        pixels = numpy.moveaxis(view(case, images=3), -1, 0).ravel()
        lines.append(json.dumps({**case, "pixels": [round(float(v), 6) for v in pixels]}))
    print("[\n" + ",\n".join(lines) + "\n]")
