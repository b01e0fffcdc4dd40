#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "results/figure/gnuplot.h"

namespace occam {
namespace {

namespace fs = std::filesystem;

// Gone at the end of its life.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::error_code none;
    const fs::path place = fs::temp_directory_path(none);
    if (none)
      throw Error("no folder for temporary files (" + none.message() +
                  "); set TMPDIR to one that is there");
    std::string pattern = (place / "occam-plot-XXXXXX").string();
    if (!mkdtemp(pattern.data()))
      throw Error(pattern + ": cannot be created: " + std::strerror(errno) +
                  "; set TMPDIR to a folder that can be written");
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  std::string file(const char* name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
};

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// Waits for its end; what it says goes to the file `said`.
int run_gnuplot(const std::string& script, const std::string& said) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, said.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  // -d: nobody's own settings.
  std::string name = "gnuplot", plain = "-d", file = script;
  char* const words[] = {name.data(), plain.data(), file.data(), nullptr};
  pid_t child = 0;
  const int problem = posix_spawnp(&child, "gnuplot", &actions, nullptr, words, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (problem == ENOENT)
    throw Error(
        "pictures are drawn by gnuplot, which is not on the path; install it (on Debian: "
        "apt-get install gnuplot-nox), then run the same command again");
  if (problem != 0)
    throw Error(std::string("gnuplot cannot be started: ") + std::strerror(problem));
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

}  // namespace

std::string draw(const Figure& figure, FigureFormat format) {
  const TemporaryFolder folder;
  const std::string picture = folder.file("picture"), script = folder.file("script"),
                    said = folder.file("said");
  std::ofstream(script, std::ios::binary) << gnuplot_script(figure, format, picture);
  const int status = run_gnuplot(script, said);
  std::string bytes = content(picture);
  if (status != 0 || bytes.empty())
    throw Error("gnuplot could not draw the picture; it says: " + content(said).substr(0, 2000));
  return bytes;
}

}  // namespace occam
