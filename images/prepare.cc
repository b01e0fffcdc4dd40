#include "images/prepare.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "experiments/error.h"
#include "experiments/number.h"

namespace occam {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t kHeaderBytes = 65536;
constexpr int kFormat = 1;
constexpr std::size_t kMostNamed = 20;

[[noreturn]] void fail(const fs::path& path, const std::string& what) {
  throw Error(path.string() + ": " + what + ": " + std::strerror(errno));
}

class Descriptor {
 public:
  Descriptor(fs::path path, int flags)
      : path_(std::move(path)), descriptor_(open(path_.c_str(), flags, 0644)) {
    if (descriptor_ < 0) fail(path_, "cannot be opened");
  }
  ~Descriptor() { close(descriptor_); }
  Descriptor(const Descriptor&) = delete;
  int number() const { return descriptor_; }
  void write_at(std::size_t offset, const void* data, std::size_t bytes) const {
    const auto* from = static_cast<const char*>(data);
    while (bytes > 0) {
      const ssize_t written = pwrite(descriptor_, from, bytes, static_cast<off_t>(offset));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail(path_, "cannot be written");
      from += written;
      offset += static_cast<std::size_t>(written);
      bytes -= static_cast<std::size_t>(written);
    }
  }
  void resize(std::size_t bytes) const {
    if (ftruncate(descriptor_, static_cast<off_t>(bytes)) != 0) fail(path_, "cannot be written");
  }
  void sync() const {
    if (fsync(descriptor_) != 0) fail(path_, "cannot be written");
  }

 private:
  fs::path path_;
  int descriptor_;
};

// A whole file as read-only memory.
std::shared_ptr<const std::uint8_t> mapped(const fs::path& path, std::size_t bytes) {
  const Descriptor file(path, O_RDONLY | O_CLOEXEC);
  void* memory = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file.number(), 0);
  if (memory == MAP_FAILED) fail(path, "cannot be mapped");
  return {static_cast<const std::uint8_t*>(memory),
          [bytes](const std::uint8_t* at) { munmap(const_cast<std::uint8_t*>(at), bytes); }};
}

// Where the parts of a prepared file lie.
struct Layout {
  std::size_t image_bytes, train_images, train_labels, test_images, test_labels, end;
  Layout(std::int64_t train, std::int64_t test, std::int64_t side)
      : image_bytes(static_cast<std::size_t>(3 * side * side)),
        train_images(kHeaderBytes),
        train_labels(train_images + static_cast<std::size_t>(train) * image_bytes),
        test_images(train_labels + static_cast<std::size_t>(train) * sizeof(std::int64_t)),
        test_labels(test_images + static_cast<std::size_t>(test) * image_bytes),
        end(test_labels + static_cast<std::size_t>(test) * sizeof(std::int64_t)) {}
};

std::string xxh3(const void* data, std::size_t bytes) { return hex(XXH3_64bits(data, bytes)); }

std::string digest_of_sources(const fs::path& folder, const ImageFiles& files) {
  std::string text = std::to_string(files.side) + "\n";
  for (const auto* part : {&files.train, &files.test})
    for (const ImageFile& file : *part) {
      struct stat facts {};
      const bool is_there = stat((folder / file.path).c_str(), &facts) == 0;
      text +=
          file.path + " " + std::to_string(file.label) + " " +
          (is_there ? std::to_string(facts.st_size) + " " + std::to_string(facts.st_mtim.tv_sec) +
                          "." + std::to_string(facts.st_mtim.tv_nsec)
                    : "missing") +
          "\n";
    }
  return xxh3(text.data(), text.size());
}

std::vector<std::uint8_t> planes_of(const Picture& picture) {
  const std::size_t pixels = picture.rgb.size() / 3;
  std::vector<std::uint8_t> planes(picture.rgb.size());
  for (std::size_t pixel = 0; pixel < pixels; ++pixel)
    for (std::size_t c = 0; c < 3; ++c) planes[c * pixels + pixel] = picture.rgb[3 * pixel + c];
  return planes;
}

// Decodes what is not decoded yet, and notes each image in the file of marks after its bytes.
class Decoding {
 public:
  Decoding(const fs::path& folder, const ImageFiles& files, const fs::path& partial,
           const fs::path& marks)
      : folder_(folder),
        files_(files),
        layout_(rows(files.train), rows(files.test), files.side),
        count_(files.train.size() + files.test.size()),
        images_(partial, O_RDWR | O_CREAT | O_CLOEXEC),
        marks_(marks, O_RDWR | O_CREAT | O_CLOEXEC),
        is_done_(count_, 0) {
    images_.resize(layout_.end);
    marks_.resize(count_);
    const ssize_t got = pread(marks_.number(), is_done_.data(), count_, 0);
    if (got != static_cast<ssize_t>(count_)) fail(marks, "cannot be read");
    done_ = std::count(is_done_.begin(), is_done_.end(), 1);
  }

  void run(int threads, const std::function<void(const PrepareProgress&)>& on_progress) {
    std::vector<std::thread> workers;
    for (int i = 0; i < std::max(1, threads); ++i)
      workers.emplace_back([this, &on_progress] { work(on_progress); });
    for (std::thread& worker : workers) worker.join();
    if (failure_) std::rethrow_exception(failure_);
    if (broken_.empty()) return;
    std::sort(broken_.begin(), broken_.end());
    std::string text = std::to_string(broken_.size()) + " of " + std::to_string(count_) +
                       " images cannot be used; mend or remove them, and prepare again:";
    for (std::size_t i = 0; i < std::min(kMostNamed, broken_.size()); ++i)
      text += "\n  " + broken_[i];
    if (broken_.size() > kMostNamed)
      text += "\n  and " + std::to_string(broken_.size() - kMostNamed) + " more";
    throw Error(text);
  }

  const Layout& layout() const { return layout_; }
  const Descriptor& images() const { return images_; }

 private:
  static std::int64_t rows(const std::vector<ImageFile>& part) {
    return static_cast<std::int64_t>(part.size());
  }

  void work(const std::function<void(const PrepareProgress&)>& on_progress) {
    try {
      while (!stop_) {
        const std::size_t at = next_++;
        if (at >= count_) return;
        if (is_done_[at]) continue;
        decode_one(at);
        const std::lock_guard lock(mutex_);
        on_progress({++done_, static_cast<std::int64_t>(count_)});
      }
    } catch (...) {
      const std::lock_guard lock(mutex_);
      stop_ = true;
      failure_ = std::current_exception();
    }
  }

  void decode_one(std::size_t at) {
    const bool is_train = at < files_.train.size();
    const std::size_t row = is_train ? at : at - files_.train.size();
    const fs::path path = folder_ / (is_train ? files_.train : files_.test)[row].path;
    std::vector<std::uint8_t> planes;
    try {
      const Picture picture = decode(path);
      try {
        planes = planes_of(files_.make(picture));
      } catch (const Error& problem) {
        throw Error(path.string() + ": " + problem.what());
      }
    } catch (const Error& problem) {
      const std::lock_guard lock(mutex_);
      broken_.emplace_back(problem.what());
      return;
    }
    images_.write_at(
        (is_train ? layout_.train_images : layout_.test_images) + row * layout_.image_bytes,
        planes.data(), planes.size());
    const char mark = 1;
    marks_.write_at(at, &mark, 1);
  }

  const fs::path& folder_;
  const ImageFiles& files_;
  Layout layout_;
  std::size_t count_;
  Descriptor images_, marks_;
  std::vector<char> is_done_;
  std::atomic<std::size_t> next_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::int64_t done_ = 0;
  std::vector<std::string> broken_;
  std::exception_ptr failure_;
};

std::vector<std::int64_t> labels_of(const std::vector<ImageFile>& files) {
  std::vector<std::int64_t> labels;
  for (const ImageFile& file : files) labels.push_back(file.label);
  return labels;
}

// What stopped preparations of files that have changed since left behind.
void remove_parts(const fs::path& path) {
  const std::string start = path.filename().string() + ".";
  for (const fs::directory_entry& entry : fs::directory_iterator(path.parent_path())) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(start) && (name.ends_with(".partial") || name.ends_with(".done")))
      fs::remove(entry.path());
  }
}

// Its header, where it was made of these files and is whole.
std::optional<PreparedHeader> prepared_of(const fs::path& folder, const std::string& sources) {
  if (!fs::exists(prepared_path(folder))) return std::nullopt;
  try {
    PreparedHeader known = read_prepared_header(folder, "");
    if (known.sources != sources) return std::nullopt;
    read_prepared(folder, "", true);
    return known;
  } catch (const Error&) {
    // One that is damaged is made anew.
  }
  return std::nullopt;
}

// The right to prepare a folder: a lock that the kernel drops with its holder, on a file that its
// holder removes. A file system without locks goes without.
class PrepareLock {
 public:
  PrepareLock(fs::path path, const std::function<void()>& on_wait) : path_(std::move(path)) {
    struct flock whole {};
    whole.l_type = F_WRLCK;
    do {
      file_ = std::make_unique<Descriptor>(path_, O_RDWR | O_CREAT | O_CLOEXEC);
      if (fcntl(file_->number(), F_OFD_SETLK, &whole) == 0 || (errno != EAGAIN && errno != EACCES))
        continue;
      on_wait();
      while (fcntl(file_->number(), F_OFD_SETLKW, &whole) != 0 && errno == EINTR) {
      }
    } while (!is_in_place());
  }
  ~PrepareLock() { unlink(path_.c_str()); }
  PrepareLock(const PrepareLock&) = delete;

 private:
  bool is_in_place() const {
    struct stat here {
    }, opened{};
    return stat(path_.c_str(), &here) == 0 && fstat(file_->number(), &opened) == 0 &&
           here.st_ino == opened.st_ino;
  }

  fs::path path_;
  std::unique_ptr<Descriptor> file_;
};

}  // namespace

fs::path prepared_path(const fs::path& folder) { return folder / "occam-images.bin"; }

std::string side_option(std::int64_t side) {
  return side == kUsualSide ? "" : " --side " + std::to_string(side);
}

std::string changes_since(const PreparedHeader& header, const fs::path& folder,
                          const ImageFiles& files) {
  if (header.sources == digest_of_sources(folder, files)) return "";
  const auto train = static_cast<std::int64_t>(files.train.size());
  const auto test = static_cast<std::int64_t>(files.test.size());
  if (train != header.train_rows || test != header.test_rows)
    return "it has " + std::to_string(train) + " train and " + std::to_string(test) +
           " test images, where " + std::to_string(header.train_rows) + " and " +
           std::to_string(header.test_rows) + " were decoded";
  const auto time_of = [](const struct stat& file) {
    return std::pair(file.st_mtim.tv_sec, file.st_mtim.tv_nsec);
  };
  struct stat decoded {};
  stat(prepared_path(folder).c_str(), &decoded);
  for (const auto* part : {&files.train, &files.test})
    for (const ImageFile& file : *part) {
      struct stat facts {};
      if (stat((folder / file.path).c_str(), &facts) != 0) return file.path + " is missing";
      if (time_of(facts) > time_of(decoded)) return file.path + " is newer";
    }
  return "their names, sizes, times or labels are others";
}

PreparedHeader prepare(const fs::path& folder, const ImageFiles& files, int threads,
                       const std::function<void(const PrepareProgress&)>& on_progress,
                       const std::function<void()>& on_wait) {
  const fs::path path = prepared_path(folder);
  const std::string sources = digest_of_sources(folder, files);
  if (const auto known = prepared_of(folder, sources)) return *known;
  const PrepareLock lock(path.string() + ".lock", on_wait);
  if (const auto known = prepared_of(folder, sources)) return *known;
  // Named by what they are made of, so that a part of other files is never taken for one of these.
  const fs::path partial = path.string() + "." + sources + ".partial";
  const fs::path marks = path.string() + "." + sources + ".done";
  Decoding decoding(folder, files, partial, marks);
  decoding.run(threads, on_progress);

  const Layout& layout = decoding.layout();
  for (const auto& [part, offset] :
       {std::pair{&files.train, layout.train_labels}, std::pair{&files.test, layout.test_labels}}) {
    const std::vector<std::int64_t> labels = labels_of(*part);
    decoding.images().write_at(offset, labels.data(), labels.size() * sizeof(std::int64_t));
  }
  PreparedHeader header{
      static_cast<std::int64_t>(files.train.size()),
      static_cast<std::int64_t>(files.test.size()),
      files.side,
      files.labels,
      xxh3(mapped(partial, layout.end).get() + kHeaderBytes, layout.end - kHeaderBytes),
      sources};
  std::string text = json{{"format", kFormat},
                          {"train_rows", header.train_rows},
                          {"test_rows", header.test_rows},
                          {"side", header.side},
                          {"labels", header.labels},
                          {"digest", header.digest},
                          {"sources", header.sources}}
                         .dump();
  if (text.size() >= kHeaderBytes)
    throw Error(folder.string() + ": has too many kinds of images for the header of " +
                path.string());
  text.resize(kHeaderBytes - 1, ' ');
  text += '\n';
  decoding.images().write_at(0, text.data(), text.size());
  decoding.images().sync();
  fs::rename(partial, path);
  remove_parts(path);
  return header;
}

PreparedHeader read_prepared_header(const fs::path& folder, const std::string& command) {
  const fs::path path = prepared_path(folder);
  std::ifstream file(path, std::ios::binary);
  std::string text(kHeaderBytes, '\0');
  if (!file)
    throw Error(folder.string() + ": its images have not been decoded yet; run: " + command);
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  try {
    const json header = json::parse(text.substr(0, static_cast<std::size_t>(file.gcount())));
    if (header.at("format") != kFormat) throw Error("another format");
    PreparedHeader read{header.at("train_rows"), header.at("test_rows"), header.at("side"),
                        header.at("labels"),     header.at("digest"),    header.at("sources")};
    if (fs::file_size(path) != Layout(read.train_rows, read.test_rows, read.side).end)
      throw Error("another size than its header says");
    return read;
  } catch (const json::exception&) {
    throw Error(path.string() + ": is damaged (its header cannot be read); run: " + command);
  } catch (const Error& problem) {
    throw Error(path.string() + ": is damaged (" + problem.what() + "); run: " + command);
  }
}

ImageSets read_prepared(const fs::path& folder, const std::string& command, bool verify) {
  const PreparedHeader header = read_prepared_header(folder, command);
  const Layout layout(header.train_rows, header.test_rows, header.side);
  const fs::path path = prepared_path(folder);
  const std::shared_ptr<const std::uint8_t> file = mapped(path, layout.end);
  if (verify && xxh3(file.get() + kHeaderBytes, layout.end - kHeaderBytes) != header.digest)
    throw Error(path.string() + ": is damaged: its digest is not " + header.digest +
                "; run: " + command + side_option(header.side));
  const auto part = [&](std::int64_t rows, std::size_t images, std::size_t labels) {
    ImageSet set{rows,
                 3,
                 header.side,
                 {file, file.get() + images},
                 std::vector<std::int64_t>(static_cast<std::size_t>(rows))};
    std::memcpy(set.labels.data(), file.get() + labels, set.labels.size() * sizeof(std::int64_t));
    return set;
  };
  return {part(header.train_rows, layout.train_images, layout.train_labels),
          part(header.test_rows, layout.test_images, layout.test_labels), header.digest};
}

}  // namespace occam
