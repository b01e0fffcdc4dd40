#pragma once

#include <string>

#include "results/table.h"

namespace occam {

// One table in each format; see render().
std::string text_of(const Table& table, std::size_t width);
std::string markdown_of(const Table& table);
std::string latex_of(const Table& table);
std::string csv_of(const Table& table);
std::string json_of(const Table& table);

}  // namespace occam
