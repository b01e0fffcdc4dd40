#include "orchestrator/commands/row_output.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>

#include "experiments/error.h"
#include "orchestrator/commands/output_file.h"

namespace occam {
namespace {

// A file without a name, gone with its stream.
std::fstream temporary_file() {
  std::error_code none;
  const std::filesystem::path folder = std::filesystem::temp_directory_path(none);
  if (none)
    throw Error("so many rows need a folder for temporary files, and TMPDIR names none; " +
                std::string("name one there, or give rows a file with -o"));
  std::string path = (folder / "occam-rows-XXXXXX").string();
  const int made = mkstemp(path.data());
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  if (made < 0 || !file)
    throw Error(path +
                ": cannot be made; give rows a file with -o, or name a folder for temporary "
                "files in TMPDIR");
  close(made);
  unlink(path.c_str());
  return file;
}

}  // namespace

void print_rows(const Store& store, const std::string& sql, RowFormat format,
                const std::string& path) {
  constexpr std::streamoff kMostInMemory = 4 << 20;
  std::stringbuf memory;
  std::fstream file;
  std::optional<OutputFile> output;
  std::ostream stream(&memory);
  std::optional<RowWriter> writer;
  // A file appears with the first answer: a statement that is refused leaves an older one alone.
  // What is to be printed waits until all is read: a pipe may take it as slowly as somebody reads
  // in a pager, and meanwhile the database would be locked for its writer.
  store.query(
      sql,
      [&](const std::vector<std::string>& columns) {
        if (!path.empty()) output.emplace(path);
        writer.emplace(output ? output->stream() : stream, format, columns);
      },
      [&](const Row& row) {
        writer->write(row);
        if (output || file.is_open() || stream.tellp() < kMostInMemory) return;
        file = temporary_file();
        stream.rdbuf(file.rdbuf());
        stream << memory.view();
        memory.str("");
      });
  writer->finish();
  if (output) return output->finish();
  if (!file.is_open()) {
    std::cout << memory.view();
    return;
  }
  if (!stream.flush())
    throw Error(std::filesystem::temp_directory_path().string() +
                ": has no room for these rows; give them a file with -o, or name another folder "
                "for temporary files in TMPDIR");
  file.seekg(0);
  std::cout << file.rdbuf();
}

}  // namespace occam
