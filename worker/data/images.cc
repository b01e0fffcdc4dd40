#include "worker/data/images.h"

#include <ATen/ATen.h>
#include <xxhash.h>

#include <algorithm>
#include <cstdlib>

#include "experiments/error.h"
#include "experiments/number.h"
#include "worker/data/idx.h"
#include "worker/data/order.h"
#include "worker/data/synthetic.h"

namespace occam {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> places(Dataset dataset, const fs::path& folder) {
  const std::string name = to_string(dataset);
  if (!folder.empty()) return {folder / name, folder};
  std::vector<fs::path> all;
  if (const char* data = std::getenv("OCCAM_DATA"))
    all.insert(all.end(), {fs::path(data) / name, data});
  if (const char* xdg = std::getenv("XDG_DATA_HOME"))
    all.push_back(fs::path(xdg) / "occam" / name);
  else if (const char* home = std::getenv("HOME"))
    all.push_back(fs::path(home) / ".local/share/occam" / name);
  all.push_back(fs::path("/usr/share/datasets") / name);
  return all;
}

// A place that may not be looked into holds nothing for us.
bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

fs::path with_or_without_gz(const fs::path& path) {
  const fs::path compressed = path.string() + ".gz";
  return is_there(compressed) ? compressed : path;
}

std::string digest(const ImageData& data) {
  XXH3_state_t* state = XXH3_createState();
  XXH3_64bits_reset(state);
  for (const LabelledImages* part : {&data.train, &data.test}) {
    XXH3_64bits_update(state, part->images.data_ptr(), part->images.nbytes());
    XXH3_64bits_update(state, part->labels.data(), part->labels.size() * sizeof(std::int64_t));
  }
  const std::uint64_t value = XXH3_64bits_digest(state);
  XXH3_freeState(state);
  return hex(value);
}

LabelledImages read_fashion_mnist_part(const fs::path& folder, const std::string& part) {
  const fs::path images_path = with_or_without_gz(folder / (part + "-images-idx3-ubyte"));
  const fs::path labels_path = with_or_without_gz(folder / (part + "-labels-idx1-ubyte"));
  const torch::Tensor images = read_idx(images_path);
  const torch::Tensor labels = read_idx(labels_path);
  if (images.dim() != 3 || images.size(1) != 28 || images.size(2) != 28)
    throw Error(images_path.string() + ": does not hold 28 x 28 images");
  if (labels.dim() != 1 || labels.size(0) != images.size(0))
    throw Error(labels_path.string() + ": does not hold one label an image of " +
                images_path.filename().string());
  LabelledImages read{at::constant_pad_nd(images.unsqueeze(1), {2, 2, 2, 2}, 0), {}};
  const auto* label = labels.const_data_ptr<std::uint8_t>();
  for (std::int64_t i = 0; i < labels.size(0); ++i) {
    if (label[i] > 9) throw Error(labels_path.string() + ": holds a label above 9");
    read.labels.push_back(label[i]);
  }
  return read;
}

ImageData read_fashion_mnist(const fs::path& folder) {
  return {read_fashion_mnist_part(folder, "train"), read_fashion_mnist_part(folder, "t10k"), ""};
}

torch::Tensor rows_at(const torch::Tensor& images, const std::vector<std::int64_t>& rows) {
  return images.index_select(0, torch::tensor(rows, torch::kInt64));
}

}  // namespace

fs::path find_images(Dataset dataset, const fs::path& folder) {
  switch (dataset) {
    case Dataset::synthetic:
      return {};
    case Dataset::fashion_mnist:
      for (const fs::path& place : places(dataset, folder))
        if (is_there(with_or_without_gz(place / "train-images-idx3-ubyte"))) return place;
      std::vector<std::string> looked;
      for (const fs::path& place : places(dataset, folder)) looked.push_back(place.string());
      throw Error(
          "fashion-mnist: no train-images-idx3-ubyte[.gz] in " + joined(looked, " or ") +
          "; install Debian's package dataset-fashion-mnist, or name the folder of its four "
          "files with --data");
  }
  throw std::logic_error("unknown dataset");
}

ImageData load_images(Dataset dataset, const fs::path& folder) {
  ImageData data;
  switch (dataset) {
    case Dataset::synthetic:
      data = synthetic_images();
      break;
    case Dataset::fashion_mnist:
      data = read_fashion_mnist(find_images(dataset, folder));
      break;
  }
  data.digest = digest(data);
  return data;
}

OneClassData one_class(const ImageData& images, const Trial& trial) {
  const std::int64_t inlier = class_index(trial.dataset, trial.inlier);
  std::vector<std::int64_t> train;
  for (std::size_t i = 0; i < images.train.labels.size(); ++i)
    if (images.train.labels[i] == inlier) train.push_back(static_cast<std::int64_t>(i));
  const std::int64_t wanted = train_rows(trial);
  if (wanted > static_cast<std::int64_t>(train.size()))
    throw Error(to_string(trial.dataset) + ": holds " + std::to_string(train.size()) +
                " train rows of class " + std::to_string(inlier) + ", not the expected " +
                std::to_string(wanted));
  if (wanted < static_cast<std::int64_t>(train.size())) {
    const auto order =
        permutation(static_cast<std::int64_t>(train.size()), trial.seed, Purpose::train_subset);
    std::vector<std::int64_t> some;
    for (std::int64_t i = 0; i < wanted; ++i) some.push_back(train[order[i]]);
    std::sort(some.begin(), some.end());
    train = some;
  }
  const auto test = permutation(static_cast<std::int64_t>(images.test.labels.size()), trial.seed,
                                Purpose::test_subset);
  OneClassData data{rows_at(images.train.images, train), rows_at(images.test.images, test), {}};
  for (std::int64_t row : test) data.is_outlier.push_back(images.test.labels[row] != inlier);
  return data;
}

torch::Tensor network_input(const torch::Tensor& images) {
  const torch::Tensor unit = images.to(torch::kFloat32).div_(255);
  return unit.expand({unit.size(0), 3, unit.size(2), unit.size(3)});
}

}  // namespace occam
