#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace occam {

// Something that the user can put right: says where, what, and what would have worked. Exit code 1.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The spec or the command line is wrong: nothing was started. Exit code 2.
class UsageError : public Error {
 public:
  using Error::Error;
};

// Whether an error's text, of whatever library, says that memory ran out.
bool is_out_of_memory(std::string_view error);

// In small letters, without blanks: "Bad Class" is "badclass".
std::string plain(std::string_view word);

// " (did you mean 'batch_size'?)" when one of `known` is close to `word`, both plain, else "".
std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);

// The word as a shell takes it: in single quotes where it needs them.
std::string shell_word(const std::string& word);

// "a, b, c"
std::string joined(const std::vector<std::string>& words, std::string_view separator = ", ");

}  // namespace occam
