#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "experiments/names.h"

namespace occam {

enum class Dataset {
  fashion_mnist,
  synthetic,
  cifar10,
  cifar20,
  cifar100,
  cats_vs_dogs,
  celeba,
  folder,
};
template <>
std::span<const std::string_view> names_of<Dataset>();

// The inlier class of a one-class task: an index into DatasetFacts::classes, or (in a spec) its
// name.
using InlierClass = std::variant<std::int64_t, std::string>;

// What is known of a data set without reading it.
struct DatasetFacts {
  std::vector<std::string> classes;
  std::int64_t train_rows_per_class;  // 0: known when the files have been read, see SourceImages
  std::int64_t test_rows;             // over all classes
  std::int64_t side;                  // pixels, after padding; images are side x side x 3
};

const DatasetFacts& facts(Dataset dataset);

// Whether sizes and content are known only once the files have been read: celeba, whose class sizes
// depend on the attribute, and folder, the user's own images.
bool is_read_first(Dataset dataset);

// What was found of a trial's images in such a data set. The id holds `content` and none of the
// rest, so moving or renaming the folder keeps it.
struct SourceImages {
  std::string name;     // of the folder below --data: "screws"
  std::string content;  // digest of the prepared images; empty before they were looked up
  std::int64_t train_rows = 0, test_rows = 0;  // train: of the trial's class
  std::int64_t side = 0;
  bool operator==(const SourceImages& other) const {
    return content.empty() || other.content.empty() ? name == other.name : content == other.content;
  }
};

// Whether an image of such a label is an inlier. Labels are class indices; celeba's are its 40
// attributes as bits, and its inliers are those without the attribute.
bool is_inlier(Dataset dataset, std::int64_t label, std::int64_t inlier);

// A name becomes its index; none for a class that the data set does not have.
std::optional<std::int64_t> find_class(Dataset dataset, const InlierClass& inlier);
// The same; throws UsageError for a class that the data set does not have.
std::int64_t class_index(Dataset dataset, const InlierClass& inlier);

}  // namespace occam
