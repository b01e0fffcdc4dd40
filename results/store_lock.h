#pragma once

#include <optional>
#include <string>

#include "results/file_identity.h"

namespace occam {

// This machine's name, as a lock's file and an attempt have it.
std::string host_name();

// The right to write a database: an exclusive lock on "<database>.lock" that the kernel drops with
// its holder, however that ends. The file stays and says who holds it, for the other's message.
class StoreLock {
 public:
  // Throws Error naming the holder's host and process.
  explicit StoreLock(const std::string& database);
  ~StoreLock();
  StoreLock(const StoreLock&) = delete;

  // Marks the file as held until now. Takes the right anew where somebody has removed the file;
  // throws Error as the constructor does, when another was quicker.
  void hold();

  // Until when the holder before this one is known to have held it, as last_held() says.
  double held_before() const { return held_before_; }

 private:
  void take();

  std::string database_;
  double held_before_;
  std::optional<FileIdentity> identity_;
  int file_ = -1;
};

// Until when somebody is known to have held that right, in seconds since 1970: who held it and died
// lived until then. 0 where nothing is known, as of a database that was copied here without its
// lock.
double last_held(const std::string& database);

// Whether some process holds that right just now, this one too.
bool is_written(const std::string& database);

// "process 4711 on node-1", as far as the holder has said so; else "another process". Their number
// where it is one of this machine, else 0.
struct Writer {
  std::string name;
  long process;
};
Writer writer_of(const std::string& database);

// Throws Error naming the holder where somebody has the right to write the database; writes
// nothing.
void check_unlocked(const std::string& database);

}  // namespace occam
