#include "results/outcome_spool.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "experiments/error.h"
#include "experiments/number.h"

namespace occam {
namespace {

namespace fs = std::filesystem;

// Nothing or the error's number. A line that broke off before is ended first, so that it spoils
// only itself.
int append(const fs::path& path, const std::string& line) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) return errno;
  const std::string text = "\n" + line + "\n";
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

}  // namespace

OutcomeSpool::OutcomeSpool(const std::string& database) {
  const std::string absolute = fs::absolute(database).lexically_normal();
  std::error_code none;
  places_ = {absolute + ".spool"};
  const fs::path temporary = fs::temp_directory_path(none);
  if (!none)
    places_.push_back(temporary / ("occam-" + hex(XXH3_64bits(absolute.data(), absolute.size())) +
                                   "-" + std::to_string(getuid()) + ".spool"));
}

fs::path OutcomeSpool::keep(const Outcome& outcome) const {
  int problem = 0;
  for (const fs::path& place : places_) {
    problem = append(place, to_line(outcome));
    if (problem == 0) return place;
  }
  throw Error("the outcome of trial " + outcome.trial + " can be kept neither in " +
              places_.front().string() + " nor in " + places_.back().string() + ": " +
              std::strerror(problem));
}

std::vector<Outcome> OutcomeSpool::waiting() const {
  std::vector<Outcome> all;
  for (const fs::path& place : places_) {
    if (place != places_.front() && !is_ours(place)) continue;
    std::ifstream file(place);
    for (std::string line; std::getline(file, line);) try {
        UpMessage message = read_up(line);
        if (auto* outcome = std::get_if<Outcome>(&message)) all.push_back(std::move(*outcome));
      } catch (const Error&) {
        continue;  // an empty line, or one that broke off
      }
  }
  return all;
}

void OutcomeSpool::clear() const {
  std::error_code ignored;
  for (const fs::path& place : places_)
    if (place == places_.front() || is_ours(place)) fs::remove(place, ignored);
}

}  // namespace occam
