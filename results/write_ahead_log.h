#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace occam {

// A write-ahead log as its writer left it, after
// https://www.sqlite.org/fileformat2.html#the_write_ahead_log
struct WriteAheadLog {
  std::vector<std::string> first_pages;  // each version of the file's header, the latest last
  // Behind what can be read lies more that was committed.
  bool is_damaged = false;
};

// Of no file, an empty one. Never throws for what is in the file, whatever that is.
WriteAheadLog read_log(const std::string& path);

}  // namespace occam
