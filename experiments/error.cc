#include "experiments/error.h"

#include <algorithm>
#include <cctype>
#include <numeric>
#include <utility>

namespace occam {
namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row.back();
}

}  // namespace

bool is_out_of_memory(std::string_view error) {
  for (const char* words :
       {"out of memory", "can't allocate memory", "bad_alloc", "STATUS_ALLOC_FAILED"})
    if (error.find(words) != std::string_view::npos) return true;
  return false;
}

std::string plain(std::string_view word) {
  std::string letters;
  for (const unsigned char letter : word)
    if (!std::isspace(letter)) letters += static_cast<char>(std::tolower(letter));
  return letters;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known) {
  const std::string meant = plain(word);
  const std::string* best = nullptr;
  // As many changes as the word has letters would make any word of it.
  std::size_t best_distance =
      std::min(std::max<std::size_t>(2, meant.size() / 3) + 1, meant.size());
  for (const std::string& candidate : known) {
    const std::size_t distance = edit_distance(meant, plain(candidate));
    if (distance < best_distance) {
      best = &candidate;
      best_distance = distance;
    }
  }
  return best ? " (did you mean '" + *best + "'?)" : "";
}

std::string shell_word(const std::string& word) {
  constexpr const char* kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./@%";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char one : word) quoted += one == '\'' ? "'\\''" : std::string(1, one);
  return quoted + "'";
}

std::string joined(const std::vector<std::string>& words, std::string_view separator) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += separator;
    text += word;
  }
  return text;
}

}  // namespace occam
