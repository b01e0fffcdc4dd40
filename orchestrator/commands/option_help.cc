#include "orchestrator/commands/option_help.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <limits>
#include <sstream>
#include <typeinfo>
#include <vector>

#include "results/printed_cell.h"

namespace occam {
namespace {

namespace po = boost::program_options;

constexpr std::size_t kWidth = 100;
constexpr std::size_t kWidestName = 26;  // a longer one has a line of its own

const std::type_info* type_of(const po::option_description& option) {
  const auto* value = dynamic_cast<const po::typed_value_base*>(option.semantic().get());
  return value ? &value->value_type() : nullptr;
}

bool is_number(const po::option_description& option) {
  const std::type_info* type = type_of(option);
  return type && (*type == typeid(int) || *type == typeid(std::int64_t) || *type == typeid(double));
}

// "-o, --output OUTPUT", "--workers N".
std::string name_of(const po::option_description& option) {
  const std::string& name = option.long_name();
  const std::string brief =
      option.canonical_display_name(po::command_line_style::allow_dash_for_short);
  std::string text = brief.size() == 2 && brief[0] == '-' ? brief + ", --" + name : "--" + name;
  if (option.semantic()->max_tokens() == 0) return text;
  std::string value = is_number(option) ? "N" : name;
  for (char& c : value) c = c == '-' ? '-' : static_cast<char>(std::toupper(c));
  return text + " " + value;
}

// What it does, and its default: the library gives that as "arg (=occam.db)" alone.
std::string text_of(const po::option_description& option) {
  std::string text = option.description();
  if (option.semantic()->max_tokens() == 0) return text;
  const std::string value = option.semantic()->name();
  if (const std::size_t begin = value.find("(="); begin != std::string::npos)
    text += " (default: " + value.substr(begin + 2);
  return text;
}

}  // namespace

std::string option_help(const po::options_description& options) {
  std::size_t widest = 0;
  for (const auto& option : options.options())
    widest = std::max(widest, display_width(name_of(*option)));
  const std::size_t indent = std::min(widest, kWidestName) + 4;
  std::string help;
  for (const auto& option : options.options()) {
    std::string line = "  " + name_of(*option);
    const auto to_second_column = [&] {
      if (display_width(line) + 2 > indent) {
        help += line + "\n";
        line.clear();
      }
      line.append(indent - display_width(line), ' ');
    };
    to_second_column();
    std::istringstream words(text_of(*option));
    bool first = true;
    for (std::string word; words >> word; first = false) {
      if (!first && display_width(line) + 1 + display_width(word) > kWidth) {
        help += line + "\n";
        line.assign(indent, ' ');
        first = true;
      }
      line += (first ? "" : " ") + word;
    }
    help += line + "\n";
  }
  return help.empty() ? "" : "Options:\n" + help;
}

std::string expected_number(const po::option_description& option) {
  const std::type_info* type = type_of(option);
  if (type && *type == typeid(int))
    return "a whole number up to " + std::to_string(std::numeric_limits<int>::max());
  return type && *type == typeid(std::int64_t) ? "a whole number" : "a number";
}

}  // namespace occam
