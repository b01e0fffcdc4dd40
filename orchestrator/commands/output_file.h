#pragma once

#include <fstream>
#include <string>

namespace occam {

// A file that a command writes. What had the name before stays until the new one is whole: that is
// written beside it and takes its place, with its permissions. A device, a pipe or a link is
// written itself, and so is a file beside which nothing can be made.
class OutputFile {
 public:
  // Throws Error for what is no file's name, and for a database, which nothing but occam may write.
  explicit OutputFile(const std::string& path);
  ~OutputFile();  // leaves nothing behind that was not finished
  OutputFile(const OutputFile&) = delete;

  std::ostream& stream() { return file_; }
  // Throws Error naming the file where not all of it could be written.
  void finish();

 private:
  std::string path_;
  std::string partial_;  // "" where the file itself is written
  std::ofstream file_;
};

}  // namespace occam
