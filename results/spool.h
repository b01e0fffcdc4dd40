#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "results/change.h"

namespace occam {

// Where waits what the database could not take (a full disk, a lost mount, another program's
// lock): one JSON line each, beside the database, or where that cannot be written either, under a
// name made of the database's in /var/tmp, which outlives a restart of the machine, or in /tmp. The
// next writing Store takes it in.
class Spool {
 public:
  explicit Spool(const std::string& database);

  // Written and synced, behind what is there. Returns the file; throws Error when no place takes
  // it.
  std::filesystem::path keep(const std::vector<Change>& changes);

  // Those that there are.
  std::vector<std::filesystem::path> files() const;
  // All changes in their order, of one of the files or of all. Throws Error, as `unreadable` does,
  // where a file cannot be read, which another user's may be.
  std::vector<Change> waiting(const std::filesystem::path& file) const;
  std::vector<Change> waiting() const;
  // The other lines, which broke off or were damaged.
  std::vector<std::string> unreadable() const;
  // Keeps lines that no database will take in a file ".refused" beside that place, behind what is
  // there. Returns the file; throws Error when no place takes them.
  std::filesystem::path put_away(const std::vector<std::string>& lines);
  void clear();

 private:
  std::filesystem::path append_to(const std::string& end, const std::string& text,
                                  const std::string& what);

  std::string database_;
  std::vector<std::filesystem::path> places_;
  std::size_t place_ = 0;  // those before it have failed: what follows stands behind
};

// Throws Error where outcomes wait beside the database, for who would go on without them.
void check_nothing_waits(const std::string& database);

// How many outcomes wait beside the database and who takes them in, as a line; "" of none.
std::string waiting_text(const std::string& database);

// How many of them are outcomes that count.
std::size_t outcomes_in(const std::vector<Change>& changes);

}  // namespace occam
