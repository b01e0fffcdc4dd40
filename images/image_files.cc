#include "images/image_files.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <sstream>

#include "experiments/error.h"
#include "images/resize.h"

namespace occam {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kCatsVsDogsTrain = 10'000;  // of each class

// Every line of a text file, without its end.
std::vector<std::string> lines_of(const fs::path& path) {
  std::ifstream file(path);
  if (!file) throw Error(path.string() + ": cannot read this file");
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    lines.push_back(std::move(line));
  }
  // Spreadsheets begin a file of UTF-8 with a mark of it.
  if (!lines.empty() && lines[0].starts_with("\xEF\xBB\xBF")) lines[0].erase(0, 3);
  return lines;
}

[[noreturn]] void fail(const fs::path& path, std::size_t line, const std::string& why) {
  throw Error(path.string() + ":" + std::to_string(line + 1) + ": " + why);
}

bool is_utf8(const std::string& text) {
  try {
    return !nlohmann::json(text).dump().empty();
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

// What other programs keep for themselves.
bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

[[noreturn]] void fail_reading(const fs::path& path, const std::error_code& problem) {
  throw Error(path.string() + ": cannot be read: " + problem.message() +
              "; mend that, or move it elsewhere");
}

bool is_folder(const fs::directory_entry& entry) {
  std::error_code problem;
  const bool is_one = entry.is_directory(problem);
  if (problem && problem != std::errc::no_such_file_or_directory)
    fail_reading(entry.path(), problem);
  return is_one;
}

// What lies in a folder and is not hidden. A link has the name that it has there.
std::vector<fs::directory_entry> shown_in(const fs::path& folder) {
  std::vector<fs::directory_entry> shown;
  std::error_code problem;
  fs::directory_iterator entry(folder, problem);
  for (; !problem && entry != fs::directory_iterator(); entry.increment(problem))
    if (!is_hidden(entry->path())) shown.push_back(*entry);
  if (problem) fail_reading(folder, problem);
  return shown;
}

// `above`: the folders on the way to this one, itself included, by their real names.
void add_images_in(const fs::path& inner, std::vector<fs::path> above,
                   std::vector<fs::path>& found) {
  std::error_code problem;
  const fs::path real = fs::canonical(inner, problem);
  if (problem) fail_reading(inner, problem);
  if (std::find(above.begin(), above.end(), real) != above.end())
    throw Error(inner.string() + ": is a link to " + real.string() +
                ", which it lies in, and so on without end; remove it");
  above.push_back(real);
  for (const fs::directory_entry& entry : shown_in(inner)) {
    if (is_folder(entry))
      add_images_in(entry.path(), above, found);
    else if (is_image_name(entry.path()) && entry.is_regular_file())
      found.push_back(entry.path());
    else if (entry.is_symlink() && !entry.exists())
      throw Error(entry.path().string() + ": is a link to nothing; mend or remove it");
    else
      throw Error(entry.path().string() + ": is no JPEG, PNG or .npy; move it elsewhere");
  }
}

// The image files below `inner`, as paths below `folder`, sorted.
std::vector<std::string> images_below(const fs::path& folder, const fs::path& inner) {
  std::vector<fs::path> paths;
  add_images_in(folder / inner, {}, paths);
  std::vector<std::string> found;
  for (const fs::path& path : paths) found.push_back(path.lexically_relative(folder).string());
  std::sort(found.begin(), found.end());
  return found;
}

// Splits a line of CSV; a field may be quoted. Nothing when a quote is not closed.
std::vector<std::string> csv_fields(const std::string& line) {
  std::vector<std::string> fields{""};
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"') {
      if (quoted && i + 1 < line.size() && line[i + 1] == '"')
        fields.back() += line[i++];
      else
        quoted = !quoted;
    } else if (line[i] == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += line[i];
    }
  }
  if (quoted) return {};
  return fields;
}

std::string without_blanks(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t");
  return first == std::string::npos ? ""
                                    : text.substr(first, text.find_last_not_of(" \t") + 1 - first);
}

// In other letters, or with spaces.
bool is_good_misspelt(const std::string& label) {
  return plain(label) == "good" && label != "good";
}

// Rows of images.csv, its labels still as text.
struct CsvRow {
  std::string path, split, label;
};
std::vector<CsvRow> csv_rows(const fs::path& path) {
  const std::vector<std::string> lines = lines_of(path);
  if (lines.empty()) throw Error(path.string() + ": is empty");
  if (lines[0].find('\r') != std::string::npos)
    fail(path, 0, "its lines end in CR alone; save it with LF or CR LF");
  std::vector<std::string> header = csv_fields(lines[0]);
  for (std::string& name : header) name = without_blanks(name);
  std::map<std::string, std::size_t> at;
  for (std::size_t i = 0; i < header.size(); ++i)
    if (!at.emplace(header[i], i).second) fail(path, 0, "has two columns '" + header[i] + "'");
  for (const char* wanted : {"path", "split", "label"})
    if (!at.count(wanted))
      fail(path, 0,
           "has no column '" + std::string(wanted) + "'; it has: " + joined(header) +
               (header.size() == 1 ? "; columns are separated by commas" : ""));
  std::vector<CsvRow> rows;
  std::set<std::string> seen;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    if (lines[i].empty()) continue;
    const std::vector<std::string> fields = csv_fields(lines[i]);
    if (fields.empty()) fail(path, i, "has a quote that is not closed");
    if (fields.size() != header.size())
      fail(path, i,
           "has " + std::to_string(fields.size()) + " fields where the first line has " +
               std::to_string(header.size()));
    const CsvRow row{fs::path(fields[at["path"]]).lexically_normal().string(),
                     without_blanks(fields[at["split"]]), without_blanks(fields[at["label"]])};
    if (row.split != "train" && row.split != "test")
      fail(path, i, "split '" + row.split + "' is none of: train, test");
    if (row.split == "train" && row.label != "good")
      fail(path, i, "a train image is labelled '" + row.label + "'; all must be 'good'");
    if (row.label.empty()) fail(path, i, "has no label");
    if (!is_utf8(row.label))
      fail(path, i, "label '" + row.label + "' is not UTF-8; save the table as that");
    if (is_good_misspelt(row.label))
      fail(path, i, "label '" + row.label + "' would be a fault; good images are labelled 'good'");
    if (row.path.empty()) fail(path, i, "has no path");
    if (!seen.insert(row.path).second) fail(path, i, "'" + row.path + "' stands twice");
    rows.push_back(row);
  }
  return rows;
}

// good first, then the others by name.
std::vector<std::string> kinds_of(const std::set<std::string>& names) {
  std::vector<std::string> kinds{"good"};
  for (const std::string& name : names)
    if (name != "good") kinds.push_back(name);
  return kinds;
}

std::int64_t label_of(const std::vector<std::string>& kinds, const std::string& kind) {
  return std::find(kinds.begin(), kinds.end(), kind) - kinds.begin();
}

void check_folder(const fs::path& folder, const ImageFiles& files) {
  const auto good = static_cast<std::size_t>(std::count_if(
      files.test.begin(), files.test.end(), [](const ImageFile& one) { return one.label == 0; }));
  if (files.train.empty()) throw Error(folder.string() + ": holds no train image");
  if (good == 0 || good == files.test.size())
    throw Error(folder.string() + ": test needs good images and others; it has " +
                std::to_string(good) + " and " + std::to_string(files.test.size() - good));
}

}  // namespace

std::vector<std::vector<std::int64_t>> numpy_permutations(const std::vector<std::int64_t>& counts) {
  std::mt19937 bits(0);
  // RandomState's bounded draw: the low bits of a word, thrown away while above the bound.
  const auto at_most = [&](std::uint32_t bound) {
    std::uint32_t mask = bound;
    for (const int shift : {1, 2, 4, 8, 16}) mask |= mask >> shift;
    while (true)
      if (const auto value = static_cast<std::uint32_t>(bits()) & mask; value <= bound)
        return value;
  };
  std::vector<std::vector<std::int64_t>> all;
  for (const std::int64_t count : counts) {
    std::vector<std::int64_t> order(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
    for (std::size_t i = order.size(); i-- > 1;)
      std::swap(order[i], order[at_most(static_cast<std::uint32_t>(i))]);
    all.push_back(std::move(order));
  }
  return all;
}

ImageFiles cats_vs_dogs_files(const fs::path& folder) {
  ImageFiles files{
      {}, {}, {}, 64, [](const Picture& picture) { return resize_and_centre(picture, 64); }};
  std::vector<std::vector<std::string>> of_class(2);
  for (const std::string& path : images_below(folder, "train")) {
    const std::string name = fs::path(path).filename().string();
    if (name.starts_with("cat"))
      of_class[0].push_back(path);
    else if (name.starts_with("dog"))
      of_class[1].push_back(path);
    else
      throw Error((folder / path).string() + ": is neither cat.<number>.jpg nor dog.<number>.jpg");
  }
  std::vector<std::int64_t> counts;
  for (const auto& paths : of_class) counts.push_back(static_cast<std::int64_t>(paths.size()));
  const std::int64_t wanted = kCatsVsDogsTrain + facts(Dataset::cats_vs_dogs).test_rows / 2;
  for (std::size_t label = 0; label < 2; ++label)
    if (counts[label] != wanted)
      throw Error((folder / "train").string() + ": holds " + std::to_string(counts[label]) + " " +
                  facts(Dataset::cats_vs_dogs).classes[label] + "s, not " + std::to_string(wanted));
  const auto orders = numpy_permutations(counts);
  for (std::size_t label = 0; label < 2; ++label)
    for (std::size_t i = 0; i < orders[label].size(); ++i)
      (static_cast<std::int64_t>(i) < kCatsVsDogsTrain ? files.train : files.test)
          .push_back({of_class[label][static_cast<std::size_t>(orders[label][i])],
                      static_cast<std::int64_t>(label)});
  return files;
}

ImageFiles celeba_files(const fs::path& folder) {
  ImageFiles files{{}, {}, {}, 64, [](const Picture& picture) {
                     if (picture.width != 178 || picture.height != 218)
                       throw Error("is " + std::to_string(picture.width) + " x " +
                                   std::to_string(picture.height) + " pixels, not 178 x 218");
                     return resize_bicubic(crop(picture, 40, 10, 158, 158), 64, 64);
                   }};
  const std::vector<std::string>& names = facts(Dataset::celeba).classes;
  const fs::path attributes_path = folder / "list_attr_celeba.txt";
  const std::vector<std::string> attribute_lines = lines_of(attributes_path);
  std::vector<std::string> header;
  if (attribute_lines.size() > 1) {
    std::istringstream words(attribute_lines[1]);
    header.assign(std::istream_iterator<std::string>(words), {});
  }
  if (header != names)
    fail(attributes_path, 1, "does not name the 40 attributes of CelebA in their order");
  std::map<std::string, std::int64_t> bits;
  for (std::size_t i = 2; i < attribute_lines.size(); ++i) {
    std::istringstream words(attribute_lines[i]);
    std::string name;
    if (!(words >> name)) continue;
    std::int64_t attributes = 0;
    for (std::size_t at = 0; at < names.size(); ++at) {
      int value = 0;
      if (!(words >> value) || (value != 1 && value != -1))
        fail(attributes_path, i, "does not hold 40 numbers 1 or -1 behind the name");
      if (value == 1) attributes |= std::int64_t{1} << at;
    }
    bits[name] = attributes;
  }
  const fs::path partition_path = folder / "list_eval_partition.txt";
  const std::vector<std::string> partition_lines = lines_of(partition_path);
  for (std::size_t i = 0; i < partition_lines.size(); ++i) {
    std::istringstream words(partition_lines[i]);
    std::string name;
    int part = -1;
    if (!(words >> name)) continue;
    if (!(words >> part) || part < 0 || part > 2)
      fail(partition_path, i, "is no image's name and 0, 1 or 2");
    const auto known = bits.find(name);
    if (known == bits.end())
      fail(partition_path, i, "names " + name + ", which list_attr_celeba.txt does not");
    if (part != 1)
      (part == 0 ? files.train : files.test).push_back({"img_align_celeba/" + name, known->second});
  }
  if (files.train.empty() || files.test.empty())
    throw Error(partition_path.string() + ": names no train or no test image");
  return files;
}

// The names of the folders in a folder. An image beside them would be in none.
std::vector<std::string> folders_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : shown_in(folder)) {
    if (is_folder(entry))
      names.push_back(entry.path().filename().string());
    else if (is_image_name(entry.path()))
      throw Error(entry.path().string() + ": lies beside the folders of images, in none of them");
  }
  return names;
}

ImageFiles folder_files(const fs::path& folder, int side) {
  ImageFiles files{{}, {}, {}, side, [side](const Picture& picture) {
                     return resize_and_centre(picture, side);
                   }};
  std::set<std::string> names;
  std::error_code ignored;
  if (fs::is_regular_file(folder / "images.csv", ignored)) {
    const std::vector<CsvRow> rows = csv_rows(folder / "images.csv");
    for (const CsvRow& row : rows) names.insert(row.label);
    files.labels = kinds_of(names);
    for (const CsvRow& row : rows)
      (row.split == "train" ? files.train : files.test)
          .push_back({row.path, label_of(files.labels, row.label)});
  } else {
    for (const char* wanted : {"train/good", "test/good"})
      if (!is_folder(fs::directory_entry(folder / wanted, ignored)))
        throw Error((folder / wanted).string() + ": there is no such folder");
    for (const std::string& name : folders_in(folder / "train"))
      if (name != "good")
        throw Error((folder / "train" / name).string() + ": train holds good images alone");
    for (const std::string& name : folders_in(folder / "test")) {
      if (!is_utf8(name))
        throw Error((folder / "test" / name).string() + ": its name is not UTF-8; rename it");
      if (is_good_misspelt(name))
        throw Error((folder / "test" / name).string() +
                    ": would be a fault; good images lie in test/good");
      names.insert(name);
    }
    files.labels = kinds_of(names);
    for (const std::string& path : images_below(folder, "train/good"))
      files.train.push_back({path, 0});
    for (const std::string& kind : files.labels)
      for (const std::string& path : images_below(folder, fs::path("test") / kind))
        files.test.push_back({path, label_of(files.labels, kind)});
  }
  check_folder(folder, files);
  return files;
}

std::vector<std::string> left_out(const fs::path& folder, const ImageFiles& files) {
  std::vector<std::string> all;
  if (fs::is_regular_file(folder / "images.csv")) {
    std::error_code problem;
    const fs::path whole = fs::canonical(folder, problem);
    std::set<fs::path> listed;
    for (const auto* part : {&files.train, &files.test})
      for (const ImageFile& file : *part) listed.insert((whole / file.path).lexically_normal());
    std::size_t unlisted = 0;
    fs::recursive_directory_iterator entry(whole, problem), end;
    for (; !problem && entry != end; entry.increment(problem)) {
      if (is_hidden(entry->path()))
        entry.disable_recursion_pending();
      else
        unlisted += is_image_name(entry->path()) && entry->is_regular_file(problem) &&
                    !listed.count(entry->path());
    }
    if (unlisted > 0)
      all.push_back(std::to_string(unlisted) +
                    (unlisted == 1 ? " image file is" : " image files are") +
                    " in the folder but not in images.csv");
  } else {
    std::vector<std::size_t> of_kind(files.labels.size());
    for (const ImageFile& file : files.test) ++of_kind[static_cast<std::size_t>(file.label)];
    for (std::size_t kind = 0; kind < of_kind.size(); ++kind)
      if (of_kind[kind] == 0) all.push_back("test/" + files.labels[kind] + " holds no image");
  }
  return all;
}

ImageFiles image_files(Dataset dataset, const fs::path& folder, int side) {
  switch (dataset) {
    case Dataset::cats_vs_dogs:
      return cats_vs_dogs_files(folder);
    case Dataset::celeba:
      return celeba_files(folder);
    case Dataset::folder:
      return folder_files(folder, side);
    case Dataset::fashion_mnist:
    case Dataset::synthetic:
    case Dataset::cifar10:
    case Dataset::cifar20:
    case Dataset::cifar100:
      break;
  }
  throw std::logic_error(to_string(dataset) + " needs no preparing");
}

}  // namespace occam
