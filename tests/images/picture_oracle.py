#!/usr/bin/env python3
"""Small images and what others make of them; writes tests/golden/pictures.json.

Files by Pillow (JPEG, PNG), NumPy (.npy); decoded by Pillow; resized by OpenCV (INTER_AREA) and Pillow
(Image.resize); the released CelebA and Cats-vs-Dogs steps as
deep_representation_one_class/script/prepare_celeba.py:48-56 and prepare_dogvscat.py:41-60 have them.

  python3 -m venv venv && venv/bin/pip install numpy pillow opencv-python-headless
  venv/bin/python tests/images/picture_oracle.py > tests/golden/pictures.json
"""

import base64
import io
import json

import cv2
import numpy
from PIL import Image, ImageOps


def text(data):
    return base64.b64encode(bytes(data)).decode()


def pattern(height, width):
    """Smooth colours with some edges, so that a JPEG is close and a resize has work to do."""
    y, x = numpy.mgrid[0:height, 0:width]
    red = 128 + 100 * numpy.sin(x / 5.0) * numpy.cos(y / 7.0)
    green = (255 * x) // max(1, width - 1)
    blue = numpy.where((x // 6 + y // 4) % 2 == 0, 40, 220)
    return numpy.stack([red, green, blue], -1).clip(0, 255).astype(numpy.uint8)


def file_of(image, **how):
    out = io.BytesIO()
    image.save(out, **how)
    return out.getvalue()


def decoded(name, data):
    pixels = numpy.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    return {"name": name, "file": text(data), "height": pixels.shape[0], "width": pixels.shape[1],
            "rgb": text(pixels.tobytes())}


def files():
    picture = Image.fromarray(pattern(13, 17))
    yield decoded("colour.jpg", file_of(picture, format="JPEG", quality=90))
    yield decoded("subsampled.JPEG", file_of(picture, format="JPEG", quality=60, subsampling=2))
    yield decoded("progressive.jpg", file_of(picture, format="JPEG", quality=80, progressive=True))
    yield decoded("gray.jpg", file_of(picture.convert("L"), format="JPEG", quality=90))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif.endian = "<>"[orientation % 2]
        exif[0x010F] = "a maker, so that the orientation stands second"
        exif[0x0112] = orientation
        data = file_of(picture, format="JPEG", quality=90, exif=exif.tobytes())
        yield decoded(f"turned-{orientation}.jpg", data)
        # OpenCV turns pictures when it reads them, without being asked.
        turned = numpy.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data)))).astype(int)
        assert abs(cv2.imdecode(numpy.frombuffer(data, numpy.uint8), 1)[..., ::-1] - turned).max() <= 2
    yield decoded("colour.png", file_of(picture, format="PNG"))
    yield decoded("gray.png", file_of(picture.convert("L"), format="PNG"))
    yield decoded("palette.png", file_of(picture.quantize(16), format="PNG"))
    alpha = picture.convert("RGBA")
    alpha.putalpha(Image.fromarray(pattern(13, 17)[..., 0]))
    yield decoded("alpha.png", file_of(alpha, format="PNG"))
    for name, pixels in (("colour.npy", pattern(5, 4)), ("gray.npy", pattern(5, 4)[..., 1])):
        out = io.BytesIO()
        numpy.save(out, numpy.ascontiguousarray(pixels))
        three = pixels if pixels.ndim == 3 else numpy.repeat(pixels[..., None], 3, -1)
        yield {"name": name, "file": text(out.getvalue()), "height": 5, "width": 4,
               "rgb": text(three.tobytes())}


def inks():
    return text(file_of(Image.fromarray(pattern(8, 8)).convert("CMYK"), format="JPEG"))


def resized():
    for height, width, new_height, new_width in (
            (30, 40, 10, 10), (31, 43, 16, 16), (70, 64, 64, 64), (17, 100, 16, 94), (13, 9, 16, 16),
            (40, 20, 40, 16), (12, 30, 16, 40), (64, 64, 32, 32), (100, 75, 21, 16)):
        pixels = pattern(height, width)
        area = cv2.resize(pixels, (new_width, new_height), interpolation=cv2.INTER_AREA)
        bicubic = numpy.asarray(Image.fromarray(pixels).resize((new_width, new_height)))
        yield {"height": height, "width": width, "new_height": new_height, "new_width": new_width,
               "rgb": text(pixels.tobytes()), "area": text(area.tobytes()),
               "bicubic": text(bicubic.tobytes())}


def short_side_and_centre(pixels, side):
    height, width = pixels.shape[:2]
    new_height = new_width = side
    if height > width:
        new_height = int(side * height / width)
    else:
        new_width = int(side * width / height)
    made = cv2.resize(pixels, (new_width, new_height), interpolation=cv2.INTER_AREA)
    top, left = (new_height - side) // 2, (new_width - side) // 2
    return made[top:top + side, left:left + side]


def centred():
    for height, width in ((50, 37), (37, 50), (32, 32), (10, 12), (33, 200)):
        pixels = pattern(height, width)
        yield {"height": height, "width": width, "rgb": text(pixels.tobytes()), "side": 16,
               "made": text(numpy.ascontiguousarray(short_side_and_centre(pixels, 16)).tobytes())}


def celeba():
    data = file_of(Image.fromarray(pattern(218, 178)), format="JPEG", quality=60)
    pixels = numpy.asarray(Image.open(io.BytesIO(data)))
    made = numpy.asarray(Image.fromarray(pixels[40:-20, 10:-10]).resize((64, 64)))
    return {"file": text(data), "made": text(made.tobytes())}


def permutations():
    numpy.random.seed(0)
    return [numpy.random.permutation(n).tolist() for n in (7, 1, 40, 12)]


def cats_vs_dogs():
    """The first train cat, the first train dog and the last test dog of the released split."""
    cats, dogs = (sorted(f"train/{kind}.{i}.jpg" for i in range(12500)) for kind in ("cat", "dog"))
    numpy.random.seed(0)
    of_cats, of_dogs = numpy.random.permutation(12500), numpy.random.permutation(12500)
    return [cats[of_cats[0]], dogs[of_dogs[0]], dogs[of_dogs[-1]]]


if __name__ == "__main__":
    parts = {"files": list(files()), "resized": list(resized()), "centred": list(centred()),
             "celeba": celeba(), "inks": inks(), "permutations": permutations(), "cats_vs_dogs": cats_vs_dogs()}
    print("{\n" + ",\n".join(f"{json.dumps(name)}: {json.dumps(part)}" for name, part in parts.items()) + "\n}")
