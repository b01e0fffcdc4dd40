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
int append(const fs::path& path, const std::string& text) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) return errno;
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

std::optional<Change> change_in(const std::string& line) {
  try {
    return read_change(line);
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

Spool::Spool(const std::string& database) {
  const std::string absolute = fs::absolute(database).lexically_normal();
  std::error_code none;
  places_ = {absolute + ".spool"};
  const fs::path temporary = fs::temp_directory_path(none);
  if (!none)
    places_.push_back(temporary / ("occam-" + hex(XXH3_64bits(absolute.data(), absolute.size())) +
                                   "-" + std::to_string(getuid()) + ".spool"));
}

fs::path Spool::append_to(const std::string& end, const std::string& text,
                          const std::string& what) {
  int problem = 0;
  for (; place_ < places_.size(); ++place_) {
    const fs::path file = places_[place_].string() + end;
    problem = append(file, text);
    if (problem == 0) return file;
  }
  place_ = 0;  // perhaps the next time
  throw Error(what + " can be kept neither in " + places_.front().string() + end + " nor in " +
              places_.back().string() + end + ": " + std::strerror(problem));
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

std::vector<std::string> Spool::lines() const {
  std::vector<std::string> all;
  for (const fs::path& place : places_) {
    if (place != places_.front() && !is_ours(place)) continue;
    std::ifstream file(place);
    for (std::string line; std::getline(file, line);)
      if (!line.empty()) all.push_back(line);
  }
  return all;
}

std::vector<Change> Spool::waiting() const {
  std::vector<Change> all;
  for (const std::string& line : lines())
    if (auto change = change_in(line)) all.push_back(std::move(*change));
  return all;
}

std::vector<std::string> Spool::unreadable() const {
  std::vector<std::string> all = lines();
  all.erase(std::remove_if(all.begin(), all.end(),
                           [](const std::string& line) { return change_in(line).has_value(); }),
            all.end());
  return all;
}

void Spool::clear() {
  std::error_code ignored;
  for (const fs::path& place : places_)
    if (place == places_.front() || is_ours(place)) fs::remove(place, ignored);
  place_ = 0;
}

void check_nothing_waits(const std::string& database) {
  if (const std::size_t waiting = outcomes_in(Spool(database).waiting()); waiting > 0)
    throw Error(database + ": " + std::to_string(waiting) +
                " of its outcomes could not be written and wait beside it; run its sweep once "
                "more, which takes them in, and then the same command again");
}

std::string waiting_text(const std::string& database) {
  const std::size_t waiting = outcomes_in(Spool(database).waiting());
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
