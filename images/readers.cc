#include "images/readers.h"

#include <algorithm>
#include <fstream>

#include "experiments/error.h"
#include "images/idx.h"
#include "images/places.h"

namespace occam {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

constexpr std::int64_t kSide = 32;

ImageSet fashion_mnist_part(const fs::path& folder, const std::string& part) {
  const fs::path images_path = file_of(folder, {part + "-images-idx3-ubyte", 0, "", true});
  const fs::path labels_path = file_of(folder, {part + "-labels-idx1-ubyte", 0, "", true});
  const IdxArray images = read_idx(images_path);
  const IdxArray labels = read_idx(labels_path);
  if (images.sizes.size() != 3 || images.sizes[1] != 28 || images.sizes[2] != 28)
    throw Error(images_path.string() + ": does not hold 28 x 28 images");
  if (images.sizes[0] == 0) throw Error(images_path.string() + ": holds no images");
  const std::int64_t rows = images.sizes[0];
  if (labels.sizes.size() != 1 || labels.sizes[0] != rows)
    throw Error(labels_path.string() + ": does not hold one label an image of " +
                images_path.filename().string());
  if (std::any_of(labels.bytes.begin(), labels.bytes.end(), [](auto label) { return label > 9; }))
    throw Error(labels_path.string() + ": holds a label above 9");
  Bytes padded(static_cast<std::size_t>(rows * kSide * kSide), 0);
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t y = 0; y < 28; ++y)
      std::copy_n(images.bytes.data() + (row * 28 + y) * 28, 28,
                  padded.data() + (row * kSide + y + 2) * kSide + 2);
  return {rows, 1, kSide, owned(std::move(padded)), {labels.bytes.begin(), labels.bytes.end()}};
}

// Records of `label_bytes` labels, of which one counts, and an image of three planes.
struct CifarFormat {
  std::size_t label_bytes, label_at;
  std::uint8_t most;
};

ImageSet cifar_part(const fs::path& folder, const std::vector<std::string>& names,
                    const CifarFormat& format) {
  constexpr std::size_t kImage = 3 * kSide * kSide;
  const std::size_t record = format.label_bytes + kImage;
  Bytes images;
  ImageSet part{0, 3, kSide, {}, {}};
  for (const std::string& name : names) {
    const fs::path path = folder / name;
    std::ifstream file(path, std::ios::binary);
    if (!file || fs::is_directory(path)) throw Error(path.string() + ": cannot read this file");
    const Bytes bytes{std::istreambuf_iterator<char>(file), {}};
    if (bytes.empty() || bytes.size() % record != 0)
      throw Error(path.string() + ": holds " + std::to_string(bytes.size()) +
                  " bytes, which are no " + std::to_string(record) +
                  " an image; is the download complete?");
    for (std::size_t at = 0; at < bytes.size(); at += record) {
      const std::uint8_t label = bytes[at + format.label_at];
      if (label > format.most)
        throw Error(path.string() + ": image " + std::to_string(at / record) + " has label " +
                    std::to_string(label) + ", above " + std::to_string(format.most));
      part.labels.push_back(label);
      images.insert(images.end(),
                    bytes.begin() + static_cast<std::ptrdiff_t>(at + format.label_bytes),
                    bytes.begin() + static_cast<std::ptrdiff_t>(at + record));
    }
  }
  part.rows = static_cast<std::int64_t>(part.labels.size());
  part.bytes = owned(std::move(images));
  return part;
}

}  // namespace

ImageSets read_fashion_mnist(const fs::path& folder) {
  return {fashion_mnist_part(folder, "train"), fashion_mnist_part(folder, "t10k"), ""};
}

ImageSets read_cifar10(const fs::path& folder) {
  std::vector<std::string> train;
  for (const ExpectedFile& file : origin(Dataset::cifar10).files) train.push_back(file.path);
  const std::string test = train.back();
  train.pop_back();
  const CifarFormat format{1, 0, 9};
  return {cifar_part(folder, train, format), cifar_part(folder, {test}, format), ""};
}

ImageSets read_cifar100(const fs::path& folder, Cifar100Labels labels) {
  const bool coarse = labels == Cifar100Labels::coarse;
  const CifarFormat format{2, coarse ? 0U : 1U, static_cast<std::uint8_t>(coarse ? 19 : 99)};
  return {cifar_part(folder, {"train.bin"}, format), cifar_part(folder, {"test.bin"}, format), ""};
}

}  // namespace occam
