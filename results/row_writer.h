#pragma once

#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "experiments/names.h"
#include "results/store.h"

namespace occam {

// csv: RFC 4180, reals so that they read back, null as nothing and an empty text as "".
// jsonl, json: objects whose numbers are numbers; a real that JSON cannot hold is null.
// md, text: for people.
enum class RowFormat { csv, jsonl, json, md, text };
template <>
std::span<const std::string_view> names_of<RowFormat>();

// Writes rows as they come; `text` holds them until finish(), to line them up.
class RowWriter {
 public:
  // Throws UsageError where an object would have the same name twice.
  RowWriter(std::ostream& stream, RowFormat format, const std::vector<std::string>& columns);
  void write(const Row& row);
  void finish();

 private:
  std::ostream& stream_;
  RowFormat format_;
  std::vector<std::string> columns_;
  bool first_ = true;
  std::vector<std::vector<std::string>> held_;  // of text
};

// In quotes where CSV needs them.
std::string csv_text(const std::string& text);
// One value as a cell of a CSV file; a text without a letter differs from null.
std::string csv_cell(const nlohmann::json& value);

}  // namespace occam
