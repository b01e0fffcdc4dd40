#include "orchestrator/commands/row_output.h"

#include <fstream>
#include <iostream>
#include <optional>

#include "orchestrator/commands/command.h"

namespace occam {

void print_rows(const Store& store, const std::string& sql, RowFormat format,
                const std::string& path) {
  std::ofstream file;
  std::optional<RowWriter> writer;
  // The file appears with the first answer: a statement that is refused leaves an older one alone.
  store.query(
      sql,
      [&](const std::vector<std::string>& columns) {
        if (!path.empty()) file.open(path, std::ios::binary);
        writer.emplace(path.empty() ? std::cout : file, format, columns);
      },
      [&](const Row& row) { writer->write(row); });
  writer->finish();
  if (path.empty()) return;
  file.close();
  if (!file) throw Error(path + ": cannot write this file");
}

}  // namespace occam
