#include "results/spool.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>

#include "experiments/error.h"
#include "experiments/number.h"
#include "results/store_lock.h"

namespace occam {
namespace {

namespace fs = std::filesystem;

// Nothing or the error's number.
int append(const fs::path& path, const std::string& text, mode_t mode) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) return errno;
  (void)fchmod(file, mode);  // may be another's file, and then stays as it is
  int problem = 0;
  for (std::size_t done = 0; done < text.size() && problem == 0;) {
    const ssize_t written = write(file, text.data() + done, text.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0)
      problem = errno;
    else
      done += static_cast<std::size_t>(written);
  }
  if (problem == 0 && fsync(file) != 0) problem = errno;
  close(file);
  return problem;
}

// In a folder that anybody may write, another's file is none of ours.
bool is_ours(const fs::path& path) {
  struct stat about {};
  return lstat(path.c_str(), &about) == 0 && S_ISREG(about.st_mode) && about.st_uid == getuid();
}

// Who may read the database may read what waits beside it.
mode_t mode_beside(const std::string& database) {
  struct stat about {};
  return stat(database.c_str(), &about) == 0 ? (about.st_mode & 0666) | 0600 : 0600;
}

// Without empty ones. Throws Error where the file cannot be read to its end.
std::vector<std::string> lines_of(const fs::path& path) {
  std::vector<std::string> all;
  errno = 0;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    if (!line.empty()) all.push_back(line);
  if (!file.is_open() || file.bad())
    throw Error(path.string() + ": outcomes wait in this file, which cannot be read (" +
                std::strerror(errno ? errno : EIO) +
                "); have its owner run the sweep once more, which takes them in, or make it "
                "readable, or move it away to go on without them");
  return all;
}

std::optional<Change> change_in(const std::string& line) {
  try {
    return read_change(line);
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

Spool::Spool(const std::string& database) {
  constexpr std::size_t kMostBytes = 120;  // of the path, for whoever looks into the folder
  database_ = fs::absolute(database).lexically_normal();
  std::string words = database_.substr(database_.size() - std::min(database_.size(), kMostBytes));
  std::replace(words.begin(), words.end(), '/', '-');
  const std::string name = "occam-" + std::to_string(getuid()) + words + "-" +
                           hex(XXH3_64bits(database_.data(), database_.size())) + ".spool";
  places_ = {database_ + ".spool", "/var/tmp/" + name, "/tmp/" + name};
}

fs::path Spool::append_to(const std::string& end, const std::string& text,
                          const std::string& what) {
  int problem = 0;
  for (; place_ < places_.size(); ++place_) {
    const fs::path file = places_[place_].string() + end;
    problem = append(file, text, place_ == 0 ? mode_beside(database_) : 0600);
    if (problem == 0) return file;
  }
  place_ = 0;  // perhaps the next time
  std::string places;
  for (const fs::path& place : places_)
    places += (places.empty() ? " can be kept neither in " : " nor in ") + place.string() + end;
  throw Error(what + places + ": " + std::strerror(problem));
}

fs::path Spool::keep(const std::vector<Change>& changes) {
  std::string text = "\n";  // ends a line that broke off before, so that it spoils only itself
  for (const Change& change : changes) text += to_line(change) + "\n";
  return append_to("", text, std::to_string(outcomes_in(changes)) + " outcomes");
}

fs::path Spool::put_away(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return append_to(".refused", text,
                   std::to_string(lines.size()) + " lines of " + places_.front().string());
}

std::vector<fs::path> Spool::files() const {
  std::vector<fs::path> all;
  for (const fs::path& place : places_)
    if (place == places_.front() ? fs::is_regular_file(place) : is_ours(place))
      all.push_back(place);
  return all;
}

std::vector<Change> Spool::waiting(const fs::path& file) const {
  std::vector<Change> all;
  for (const std::string& line : lines_of(file))
    if (auto change = change_in(line)) all.push_back(std::move(*change));
  return all;
}

std::vector<Change> Spool::waiting() const {
  std::vector<Change> all;
  for (const fs::path& file : files())
    for (Change& change : waiting(file)) all.push_back(std::move(change));
  return all;
}

std::vector<std::string> Spool::unreadable() const {
  std::vector<std::string> all;
  for (const fs::path& file : files())
    for (const std::string& line : lines_of(file))
      if (!change_in(line)) all.push_back(line);
  return all;
}

void Spool::clear() {
  std::error_code ignored;
  for (const fs::path& file : files()) fs::remove(file, ignored);
  place_ = 0;
}

void check_nothing_waits(const std::string& database) {
  if (const std::size_t waiting = outcomes_in(Spool(database).waiting()); waiting > 0)
    throw Error(database + ": " + std::to_string(waiting) +
                " of its outcomes could not be written and wait beside it; run its sweep once "
                "more, which takes them in, and then the same command again");
}

std::string waiting_text(const std::string& database) {
  std::size_t waiting = 0;
  try {
    waiting = outcomes_in(Spool(database).waiting());
  } catch (const Error& unreadable) {
    return unreadable.what() + std::string("\n");
  }
  if (waiting == 0) return "";
  return std::to_string(waiting) + " more " + (waiting == 1 ? "outcome waits" : "outcomes wait") +
         " beside " + database + ", which could not be written: " +
         (is_written(database) ? "the running sweep takes them in when it can\n"
                               : "the next occam run takes them in\n");
}

std::size_t outcomes_in(const std::vector<Change>& changes) {
  return static_cast<std::size_t>(
      std::count_if(changes.begin(), changes.end(), [](const Change& change) {
        const auto* outcome = std::get_if<Outcome>(&change.what);
        return outcome && outcome->status != OutcomeStatus::failed;
      }));
}

}  // namespace occam
