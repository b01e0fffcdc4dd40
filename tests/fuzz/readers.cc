// Any files are images and labels that fit each other, or an Error that names one of them. The
// first byte of an input chooses the data set, the next two where its second file begins.
#include "images/readers.h"

#include <numeric>

#include "experiments/error.h"
#include "tests/fuzz/fuzz.h"
#include "tests/temporary_folder.h"

namespace occam {
namespace {

namespace fs = std::filesystem;

// The folder of a data set whose files are two, of which the first may go by several names.
class TwoFiles {
 public:
  TwoFiles(const std::vector<std::string>& first, const std::vector<std::string>& second) {
    for (const std::string& name : first) fs::create_symlink(first_.path(), folder() / name);
    for (const std::string& name : second) fs::create_symlink(second_.path(), folder() / name);
  }
  const fs::path& folder() const { return folder_.path(); }
  void hold(std::string_view first, std::string_view second) const {
    first_.hold(first);
    second_.hold(second);
  }

 private:
  MemoryFile first_, second_;
  TemporaryFolder folder_;
};

void check_part(const ImageSet& part, std::int64_t channels, std::int64_t most, std::size_t given) {
  require(part.rows > 0 && part.channels == channels && part.side == 32, "there are images");
  require(static_cast<std::int64_t>(part.labels.size()) == part.rows, "each with its label");
  const std::int64_t bytes = part.rows * part.row_bytes();
  // The address sanitizer looks at each.
  require(
      std::accumulate(part.bytes.get(), part.bytes.get() + bytes, std::int64_t{0}) <= 255 * bytes,
      "every pixel is there");
  for (const std::int64_t label : part.labels)
    require(label >= 0 && label <= most, "of a class that there is");
  // Zipped bytes may be many times as many.
  if (channels == 3) require(static_cast<std::size_t>(bytes) <= 5 * given, "and no others");
}

}  // namespace
}  // namespace occam

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace occam;
  static const TwoFiles fashion_mnist({"train-images-idx3-ubyte", "t10k-images-idx3-ubyte"},
                                      {"train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"});
  static const TwoFiles cifar10({"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                 "data_batch_4.bin", "data_batch_5.bin"},
                                {"test_batch.bin"});
  static const TwoFiles cifar100({"train.bin"}, {"test.bin"});
  if (size < 3) return 0;
  const int reader = data[0] % 4;
  const std::string bytes = text_of(data + 3, size - 3);
  const std::size_t cut = std::min<std::size_t>(data[1] + 256U * data[2], bytes.size());
  const TwoFiles& files = reader == 0 ? fashion_mnist : reader == 1 ? cifar10 : cifar100;
  files.hold(std::string_view(bytes).substr(0, cut), std::string_view(bytes).substr(cut));
  try {
    const ImageSets sets = reader == 0 ? read_fashion_mnist(files.folder())
                           : reader == 1
                               ? read_cifar10(files.folder())
                               : read_cifar100(files.folder(), reader == 2 ? Cifar100Labels::coarse
                                                                           : Cifar100Labels::fine);
    const std::int64_t most[] = {9, 9, 19, 99};
    for (const ImageSet* part : {&sets.train, &sets.test})
      check_part(*part, reader == 0 ? 1 : 3, most[reader], bytes.size());
  } catch (const Error& problem) {
    require(std::string_view(problem.what()).starts_with(files.folder().string()),
            "an error says where");
  }
  return 0;
}
