#include "images/places.h"

#include <algorithm>
#include <cstdlib>

#include "experiments/error.h"
#include "images/prepare.h"

namespace occam {
namespace {

namespace fs = std::filesystem;

// A place that may not be looked into holds nothing for us.
bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

std::vector<ExpectedFile> cifar10_files() {
  std::vector<ExpectedFile> files;
  for (int batch = 1; batch <= 5; ++batch)
    files.push_back({"data_batch_" + std::to_string(batch) + ".bin", 30'730'000});
  files.push_back({"test_batch.bin", 30'730'000});
  return files;
}

Origin cifar100_origin() {
  return {
      "the binary version from https://www.cs.toronto.edu/~kriz/cifar.html "
      "(cifar-100-binary.tar.gz, MD5 03b5dce01913d631647c71ecec9e9cb8), unpacked",
      {{"train.bin", 153'700'000, "6172c7755cfe09b2fe270c85cebc1b15"},
       {"test.bin", 30'740'000, "4499cfba6c016c1be1438163640a0898"}},
      {"cifar-100-binary"}};
}

}  // namespace

std::vector<fs::path> places(const std::string& name, const fs::path& data) {
  if (!data.empty()) return {data / name, data};
  std::vector<fs::path> all;
  const char* own = std::getenv("OCCAM_DATA");
  if (own && *own) {
    std::error_code none;
    if (!fs::is_directory(own, none))
      throw UsageError("OCCAM_DATA: " + std::string(own) +
                       " is no folder; name the one that holds the data sets, or unset it");
    all.insert(all.end(), {fs::path(own) / name, own});
  }
  const char* xdg = std::getenv("XDG_DATA_HOME");
  const char* home = std::getenv("HOME");
  if (xdg && *xdg)
    all.push_back(fs::path(xdg) / "occam" / name);
  else if (home && *home)
    all.push_back(fs::path(home) / ".local/share/occam" / name);
  all.push_back(fs::path("/usr/share/datasets") / name);
  return all;
}

const Origin& origin(Dataset dataset) {
  static const Origin synthetic{"is drawn by occam itself", {}, {}};
  static const Origin fashion_mnist{
      "Debian's package dataset-fashion-mnist, or the four files of "
      "https://github.com/zalandoresearch/fashion-mnist",
      {{"train-images-idx3-ubyte", 47'040'016, "", true},
       {"train-labels-idx1-ubyte", 60'008, "", true},
       {"t10k-images-idx3-ubyte", 7'840'016, "", true},
       {"t10k-labels-idx1-ubyte", 10'008, "", true}},
      {}};
  static const Origin cifar10{
      "the binary version from https://www.cs.toronto.edu/~kriz/cifar.html "
      "(cifar-10-binary.tar.gz, "
      "MD5 c32a1d4ab5d03f1284b67883e8d87530), unpacked",
      cifar10_files(),
      {"cifar-10-batches-bin"}};
  static const Origin cifar100 = cifar100_origin();
  static const Origin cats_vs_dogs{
      "train.zip of https://www.kaggle.com/c/dogs-vs-cats (or its train/ folder: cat.0.jpg to "
      "cat.12499.jpg and dog.0.jpg to dog.12499.jpg), unpacked",
      {{"train/cat.0.jpg"}, {"train/dog.0.jpg"}},
      {"dogs-vs-cats"},
      true};
  static const Origin celeba{
      "img_align_celeba.zip, list_attr_celeba.txt and list_eval_partition.txt of "
      "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html, unpacked",
      {{"list_attr_celeba.txt", 0, "75e246fa4810816ffd6ee81facbd244c"},
       {"list_eval_partition.txt", 0, "d32c9cbf5e040fd4025c592c306e6668"},
       {"img_align_celeba/000001.jpg"}},
      {},
      true};
  static const Origin folder{
      "your own images: a folder with train/good, test/good and test/<kind of fault>, or with a "
      "file "
      "images.csv (path,split,label)",
      {},
      {},
      true};
  switch (dataset) {
    case Dataset::synthetic:
      return synthetic;
    case Dataset::fashion_mnist:
      return fashion_mnist;
    case Dataset::cifar10:
      return cifar10;
    case Dataset::cifar20:
    case Dataset::cifar100:
      return cifar100;
    case Dataset::cats_vs_dogs:
      return cats_vs_dogs;
    case Dataset::celeba:
      return celeba;
    case Dataset::folder:
      return folder;
  }
  throw std::logic_error("unknown dataset");
}

fs::path file_of(const fs::path& folder, const ExpectedFile& file) {
  const fs::path plain = folder / file.path;
  const fs::path zipped = plain.string() + ".gz";
  return file.may_be_zipped && is_there(zipped) ? zipped : plain;
}

std::string called(Dataset dataset, const std::string& source) {
  return dataset == Dataset::folder ? source : to_string(dataset);
}

std::string data_command(const std::string& verb, const std::string& name, const fs::path& data) {
  return "occam data " + verb + " " + shell_word(name) +
         (data.empty() ? "" : " --data " + shell_word(data.string()));
}

fs::path find_images(Dataset dataset, const std::string& source, const fs::path& data) {
  if (dataset == Dataset::synthetic) return {};
  const Origin& from = origin(dataset);
  const std::string name = called(dataset, source);
  if (dataset == Dataset::folder && fs::path(name) != fs::path(name).filename()) {
    fs::path path = fs::weakly_canonical(name);
    if (!path.has_filename()) path = path.parent_path();
    throw UsageError("'" + name +
                     "' is a path; give the folder's name, and its parent with --data: " +
                     shell_word(path.filename().string()) + " --data " +
                     shell_word(path.parent_path().string()));
  }
  std::vector<fs::path> all = places(name, data);
  if (dataset == Dataset::cifar20)  // the same files
    for (const fs::path& place : places(to_string(Dataset::cifar100), data))
      if (std::find(all.begin(), all.end(), place) == all.end()) all.push_back(place);
  std::vector<std::string> looked;
  for (const fs::path& place : all) {
    // Any folder of one's own images looks alike, so it must have the source's name.
    if (dataset == Dataset::folder && (place / "").parent_path().filename() != name) continue;
    std::vector<fs::path> candidates{place};
    for (const std::string& inner : from.subfolders) candidates.push_back(place / inner);
    for (const fs::path& candidate : candidates) {
      looked.push_back(candidate.string());
      const bool found =
          dataset == Dataset::folder
              ? is_there(candidate / "images.csv") || is_there(candidate / "train/good") ||
                    is_there(prepared_path(candidate))
              : std::any_of(from.files.begin(), from.files.end(), [&](const ExpectedFile& file) {
                  return is_there(file_of(candidate, file));
                });
      if (found) return candidate;
    }
  }
  const std::string wanted =
      dataset == Dataset::folder
          ? "train/good or images.csv"
          : from.files.front().path + (from.files.front().may_be_zipped ? "[.gz]" : "");
  throw Error(name + ": no " + wanted + " in " + joined(looked, " or ") + "; " +
              (dataset == Dataset::folder ? "wanted are " : "get ") + from.get_it +
              ", and name the folder that holds it with --data or OCCAM_DATA");
}

}  // namespace occam
