#include <fmt/format.h>
#include <unistd.h>

#include <boost/uuid/detail/md5.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <set>
#include <thread>

#include "experiments/error.h"
#include "images/image_files.h"
#include "images/load.h"
#include "images/places.h"
#include "images/prepare.h"
#include "orchestrator/commands/command.h"
#include "results/row_writer.h"

namespace occam {
namespace {

namespace po = boost::program_options;
namespace fs = std::filesystem;

constexpr const char* kDataUsage =
    R"(occam data list | check NAME | prepare NAME | rows NAME [OPTIONS]

The data sets: what they are and where they lie (list), whether every file is there and whole
(check), and for images of their own files, decoding them once into one file that all workers
share (prepare) and which file each row of it is (rows, as CSV: what scores.csv calls a row).
NAME is a data set, or a folder of your own images below --data:

  screws/train/good/*.png  screws/test/good/*.png  screws/test/bent/*.png  …    or
  screws/images.csv        with the columns path, split (train, test) and label ("good" or another)

JPEG, PNG (8 bits a channel, without its alpha) and .npy (bytes, height x width [x 3]). In a spec:
"dataset": "folder", "source": "screws", "class": "all". The trials' ids hold what the images are,
not where they lie.

Examples:
  occam data list
  occam data check cifar10 --data ~/data
  occam data prepare cats-vs-dogs --data ~/data
  occam data prepare screws --data ~/data --side 64
  occam data rows screws --data ~/data > rows.csv
)";

struct DataOptions {
  std::string data;
  int side = kUsualSide, threads = 0;
};

struct Named {
  Dataset dataset;
  std::string source;  // of Dataset::folder
};

// A data set's name, or that of a folder of one's own.
Named named_data(std::string name) {
  while (name.ends_with('/')) name.pop_back();  // as a shell completes a folder's
  const std::vector<std::string> known = all_names<Dataset>();
  for (const std::string& one : known)
    if (one == name && one != to_string(Dataset::folder)) return {from_name<Dataset>(name), ""};
  if (name.empty() || name == to_string(Dataset::folder))
    throw UsageError("name the folder of your images: occam data prepare screws");
  return {Dataset::folder, name};
}

// The folder of the images; one that is nowhere may have been meant as a data set's name.
fs::path folder_of(const Named& what, const std::string& data) {
  try {
    return find_images(what.dataset, what.source, data);
  } catch (const Error& problem) {
    if (what.dataset != Dataset::folder) throw;
    throw Error(problem.what() + did_you_mean(what.source, all_names<Dataset>()));
  }
}

std::string md5_of(const fs::path& path) {
  boost::uuids::detail::md5 hash;
  std::ifstream file(path, std::ios::binary);
  std::vector<char> buffer(1 << 20);
  while (file.read(buffer.data(), static_cast<std::streamsize>(buffer.size())), file.gcount() > 0)
    hash.process_bytes(buffer.data(), static_cast<std::size_t>(file.gcount()));
  boost::uuids::detail::md5::digest_type digest;
  hash.get_digest(digest);
  std::string text;
  const auto* bytes = reinterpret_cast<const unsigned char*>(&digest);
  // Boost holds the digest's words in the machine's order.
  for (std::size_t i = 0; i < sizeof digest; ++i) text += fmt::format("{:02x}", bytes[i]);
  return text;
}

// One line of the check's report; false when the file is not as it should be.
bool check_file(const fs::path& folder, const ExpectedFile& file) {
  const fs::path path = file_of(folder, file);
  std::error_code problem;
  const auto bytes = static_cast<std::int64_t>(fs::file_size(path, problem));
  if (problem) {
    fmt::print("  missing  {}{}\n", file.path,
               file.bytes > 0 ? fmt::format("  ({} bytes)", file.bytes) : "");
    return false;
  }
  const bool is_plain = path == folder / file.path;
  if (is_plain && file.bytes > 0 && bytes != file.bytes) {
    fmt::print("  wrong    {}  {} bytes, not {}\n", file.path, bytes, file.bytes);
    return false;
  }
  if (is_plain && !file.md5.empty()) {
    const std::string found = md5_of(path);
    if (found != file.md5) {
      fmt::print("  wrong    {}  MD5 {}, not {}\n", file.path, found, file.md5);
      return false;
    }
  }
  fmt::print("  ok       {}  {} bytes{}\n", path.filename().string(), bytes,
             is_plain && !file.md5.empty() ? ", MD5 as published" : "");
  return true;
}

void print_sets(const ImageSets& sets) {
  fmt::print("  train {} images, test {}, {} x {} pixels, {}\n  digest {}\n", sets.train.rows,
             sets.test.rows, sets.train.side, sets.train.side,
             sets.train.channels == 1 ? "gray" : "colour", sets.digest);
}

// Of a data set whose size is known: a part of it can be whole as a file.
void check_counts(const Named& what, const ImageSets& sets) {
  const DatasetFacts& known = facts(what.dataset);
  const std::int64_t train =
      known.train_rows_per_class * static_cast<std::int64_t>(known.classes.size());
  if ((train == 0 || sets.train.rows == train) &&
      (known.test_rows == 0 || sets.test.rows == known.test_rows))
    return;
  throw Error(to_string(what.dataset) + ": that is not the whole of it, which has " +
              (train > 0 ? std::to_string(train) + " train and " : "") +
              std::to_string(known.test_rows) + " test images; get " + origin(what.dataset).get_it);
}

void print_left_out(const fs::path& folder, const ImageFiles& files) {
  for (const std::string& one : left_out(folder, files)) fmt::print("  note: {}\n", one);
}

int list(const DataOptions& options) {
  fmt::print("{:<14} {:>7} {:>10} {:>10} {:>5}  {}\n", "data set", "classes", "train/class", "test",
             "side", "where");
  for (const std::string& name : all_names<Dataset>()) {
    const auto dataset = from_name<Dataset>(name);
    const DatasetFacts& known = facts(dataset);
    const auto number = [](std::int64_t value) {
      return value > 0 ? std::to_string(value) : std::string("–");
    };
    std::string where;
    if (dataset == Dataset::synthetic)
      where = "drawn by occam itself";
    else if (dataset == Dataset::folder)
      where = "your own images: see occam data --help";
    else
      try {
        const fs::path folder = find_images(dataset, "", options.data);
        where = folder.string();
        if (origin(dataset).is_prepared && !fs::exists(prepared_path(folder)))
          where += "  (" + data_command("prepare", name, options.data) + ")";
      } catch (const Error&) {
        where = "missing; " + data_command("check", name, options.data) + " says how to get it";
      }
    fmt::print("{:<14} {:>7} {:>11} {:>10} {:>5}  {}\n", name, known.classes.size(),
               number(known.train_rows_per_class), number(known.test_rows), number(known.side),
               where);
  }
  return 0;
}

int check(const std::string& name, const DataOptions& options) {
  const Named what = named_data(name);
  if (what.dataset == Dataset::synthetic) {
    fmt::print("synthetic: is drawn by occam itself\n");
    return 0;
  }
  const fs::path folder = folder_of(what, options.data);
  fmt::print("{}: {}\n", name, folder.string());
  const Origin& from = origin(what.dataset);
  bool whole = true;
  for (const ExpectedFile& file : from.files) whole = check_file(folder, file) && whole;
  if (!whole) throw Error(name + ": files are missing or wrong; get " + from.get_it);
  const ImageSets sets = load(what.dataset, what.source, options.data, true);
  if (from.is_prepared) {
    const std::string changed = changed_since_prepared(what.dataset, what.source, options.data);
    if (!changed.empty()) throw Error(changed);
    const PreparedHeader header = read_prepared_header(folder, "");
    for (std::size_t kind = 0; kind < header.labels.size(); ++kind)
      fmt::print("  {:<8} {} test images\n", header.labels[kind],
                 std::count(sets.test.labels.begin(), sets.test.labels.end(),
                            static_cast<std::int64_t>(kind)));
  }
  print_sets(sets);
  check_counts(what, sets);
  if (what.dataset == Dataset::folder)
    print_left_out(folder, folder_files(folder, static_cast<int>(sets.train.side)));
  return 0;
}

// A bar on a terminal, a line every tenth elsewhere.
class PrepareBar {
 public:
  explicit PrepareBar(std::string name)
      : name_(std::move(name)), terminal_(isatty(STDERR_FILENO)) {}
  void show(const PrepareProgress& progress) {
    const std::int64_t tenth = 10 * progress.done / std::max<std::int64_t>(1, progress.of);
    const auto now = std::chrono::steady_clock::now();
    const bool due = terminal_ ? now - shown_ > std::chrono::milliseconds(100) : tenth > tenth_;
    if (!due && progress.done != progress.of) return;
    shown_ = now;
    tenth_ = tenth;
    const std::string bar(static_cast<std::size_t>(3 * tenth), '#');
    fmt::print(stderr, "{}{}: {}{}/{} images{}", terminal_ ? "\r" : "", name_,
               terminal_ ? fmt::format("[{:<30}] ", bar) : "", progress.done, progress.of,
               terminal_ && progress.done != progress.of ? "" : "\n");
    std::fflush(stderr);
  }

 private:
  std::string name_;
  bool terminal_;
  std::int64_t tenth_ = 0;
  std::chrono::steady_clock::time_point shown_;
};

int prepare(const std::string& name, const DataOptions& options) {
  const Named what = named_data(name);
  if (!origin(what.dataset).is_prepared) {
    fmt::print("{}: is read as it is, and needs no preparing\n", name);
    return 0;
  }
  const fs::path folder = folder_of(what, options.data);
  const ImageFiles files = image_files(what.dataset, folder, options.side);
  const int threads =
      options.threads > 0 ? options.threads : static_cast<int>(std::thread::hardware_concurrency());
  PrepareBar bar(name);
  const PreparedHeader header = prepare(
      folder, files, threads, [&](const PrepareProgress& progress) { bar.show(progress); },
      [&] {
        fmt::print(stderr, "{}: another occam data prepare decodes it; waiting for that\n", name);
      });
  fmt::print("{}: {} train and {} test images of {} x {} pixels in {}\n", name, header.train_rows,
             header.test_rows, header.side, header.side, prepared_path(folder).string());
  if (what.dataset == Dataset::folder) print_left_out(folder, files);
  return 0;
}

int rows(const std::string& name, const DataOptions& options) {
  const Named what = named_data(name);
  if (!origin(what.dataset).is_prepared)
    throw UsageError(name + ": its rows are those of its own files, in their order");
  const fs::path folder = folder_of(what, options.data);
  const PreparedHeader header =
      read_prepared_header(folder, data_command("prepare", name, options.data));
  const std::string changed = changed_since_prepared(what.dataset, what.source, options.data);
  if (!changed.empty()) throw Error(changed);
  const ImageFiles files = image_files(what.dataset, folder, static_cast<int>(header.side));
  const auto& classes =
      what.dataset == Dataset::folder ? files.labels : facts(what.dataset).classes;
  RowWriter writer(std::cout, RowFormat::csv, {"split", "row", "label", "path"});
  for (const auto& [split, all] :
       {std::pair{"train", &files.train}, std::pair{"test", &files.test}})
    for (std::size_t row = 0; row < all->size(); ++row) {
      const ImageFile& file = (*all)[row];
      // celeba's are attributes, as bits.
      const bool is_class = what.dataset != Dataset::celeba;
      writer.write({split, row,
                    is_class ? nlohmann::json(classes[static_cast<std::size_t>(file.label)])
                             : nlohmann::json(file.label),
                    file.path});
    }
  writer.finish();
  return 0;
}

int run_data(const std::vector<std::string>& words) {
  DataOptions options;
  po::options_description described("Options");
  described.add_options()("data", po::value(&options.data)->default_value("", kDataFolders),
                          "folder of the data sets")(
      "side", po::value(&options.side)->default_value(kUsualSide),
      "prepare, your own images: pixels of a side")(
      "threads", po::value(&options.threads)->default_value(0, "one a core"), "prepare: at once");
  const Arguments arguments(words, described, 1, 2, kDataUsage);
  if (arguments.helped()) return 0;
  if (options.side < 16 || options.side > 256) throw UsageError("--side must be from 16 to 256");
  if (options.threads < 0) throw UsageError("--threads must be at least 1");
  const std::string& verb = arguments.positional().front();
  const std::vector<std::string> verbs{"list", "check", "prepare", "rows"};
  if (verb == "list") return list(options);
  if (std::find(verbs.begin(), verbs.end(), verb) == verbs.end())
    throw UsageError("'" + verb + "' is none of: " + joined(verbs) + did_you_mean(verb, verbs));
  if (arguments.positional().size() < 2)
    throw UsageError("occam data " + verb + " needs a data set's name; occam data list shows them");
  const std::string& name = arguments.positional()[1];
  if (verb == "rows") return rows(name, options);
  return verb == "check" ? check(name, options) : prepare(name, options);
}

}  // namespace

const Subcommand kDataCommand{"data", "list, check and prepare data sets and your own images",
                              run_data};

}  // namespace occam
