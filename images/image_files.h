#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "experiments/dataset.h"
#include "images/picture.h"

namespace occam {

// One image file of a data set that is prepared.
struct ImageFile {
  std::string path;  // below the data set's folder
  std::int64_t label;
};

inline constexpr int kUsualSide = 64;  // pixels

// What `occam data prepare` decodes: the files in the order of their rows, and how an image becomes
// side x side.
struct ImageFiles {
  std::vector<ImageFile> train, test;
  std::vector<std::string>
      labels;  // names of the labels where those are no classes: folder's kinds
  int side;
  std::function<Picture(const Picture&)> make;  // throws Error for a picture that it cannot use
};

// cats-vs-dogs: <class>.<number>.jpg in train/, in the order of their names; of each class the
// first 10,000 of a permutation train and the rest test, drawn as NumPy does after
// numpy.random.seed(0) (data/dogvscat.py:39-58 of the released code); resize_and_centre to 64.
ImageFiles cats_vs_dogs_files(const std::filesystem::path& folder);

// celeba: the train and test images of list_eval_partition.txt (0 and 2), each with its 40
// attributes of list_attr_celeba.txt as bits; rows 40 to 198 and columns 10 to 168, then Pillow's
// resize to 64 (script/prepare_celeba.py:48-56).
ImageFiles celeba_files(const std::filesystem::path& folder);

// folder: every file of train/good and test/* with its kind, the folder's name, good being label 0
// and the others following in the order of their names; or images.csv, whose first line names the
// columns path, split (train or test) and label. resize_and_centre to `side`. Files whose name
// begins with a dot are left out; any other that is no image is an error.
ImageFiles folder_files(const std::filesystem::path& folder, int side);

// What lies in a folder of one's own images and is not among its files, for its owner to hear:
// "37 image files are in the folder but not in images.csv", "test/bent holds no image".
std::vector<std::string> left_out(const std::filesystem::path& folder, const ImageFiles& files);

ImageFiles image_files(Dataset dataset, const std::filesystem::path& folder, int side);

// numpy.random.seed(0), then numpy.random.permutation(count) for each count in turn.
std::vector<std::vector<std::int64_t>> numpy_permutations(const std::vector<std::int64_t>& counts);

}  // namespace occam
