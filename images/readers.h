#pragma once

#include <filesystem>

#include "images/image_set.h"

namespace occam {

// Each reads the files that the data set's own site distributes, from the folder that holds them,
// and leaves the digest empty. Throws Error naming the file that is missing, cut short, too long,
// or that holds a label out of range.

// IDX files; 28 x 28 padded by two zeros on every side (data/fmnist.py:36-41 of the released code).
ImageSets read_fashion_mnist(const std::filesystem::path& folder);

// data_batch_1.bin … data_batch_5.bin and test_batch.bin: records of a label and 3 x 32 x 32 bytes.
ImageSets read_cifar10(const std::filesystem::path& folder);

// train.bin and test.bin: records of a coarse label, a fine label and 3 x 32 x 32 bytes.
enum class Cifar100Labels { coarse, fine };
ImageSets read_cifar100(const std::filesystem::path& folder, Cifar100Labels labels);

}  // namespace occam
