#pragma once

#include "images/picture.h"

namespace occam {

// Every output pixel is the mean of the input that it covers, by area, rounded half to even:
// OpenCV's INTER_AREA where both sides shrink or stay. Where a side grows OpenCV interpolates
// linearly between neighbours, with whole steps aligned to the left edge, and so does this.
Picture resize_area(const Picture& picture, int width, int height);

// Pillow's Image.resize as it is without further arguments: bicubic (a = -0.5) with the kernel
// stretched by the scale, in its fixed-point arithmetic, first along rows, then along columns.
Picture resize_bicubic(const Picture& picture, int width, int height);

// The short side to `side` (the long one to int(side * long / short)), then the middle square:
// prepare_dogvscat.py:41-60 of the released code.
Picture resize_and_centre(const Picture& picture, int side);

}  // namespace occam
