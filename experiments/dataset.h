#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "experiments/names.h"

namespace occam {

enum class Dataset { fashion_mnist, synthetic };
template <>
std::span<const std::string_view> names_of<Dataset>();

// The inlier class of a one-class task: an index into DatasetFacts::classes, or (in a spec) its
// name.
using InlierClass = std::variant<std::int64_t, std::string>;

// What is known of a data set without reading it.
struct DatasetFacts {
  std::vector<std::string> classes;
  std::int64_t train_rows_per_class;
  std::int64_t test_rows;  // over all classes
  std::int64_t side;       // pixels, after padding; images are side x side x 3
};

const DatasetFacts& facts(Dataset dataset);

// A name becomes its index; none for a class that the data set does not have.
std::optional<std::int64_t> find_class(Dataset dataset, const InlierClass& inlier);
// The same; throws UsageError for a class that the data set does not have.
std::int64_t class_index(Dataset dataset, const InlierClass& inlier);

}  // namespace occam
