#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "results/local_disk.h"

namespace SQLite {
class Database;
}

namespace occam {

// How long a connection waits for another program's lock: a reader may hold a rollback journal's.
inline constexpr std::chrono::milliseconds kPatience{10'000};

// Throws Error for "", which names no file.
void check_named(const std::string& path);
// Throws Error unless the file can be read (written, with its folder) and is a database, or may
// become one. Looks at the file only, so that nothing appears beside a file that is not ours.
void check_readable(const std::string& path);
void check_writable(const std::string& path);
// Throws Error for what is no file, or another program's or a newer occam's, as far as it says so.
void check_recoverable(const std::string& path);

// A connection that cannot write and leaves no file behind; sees what a running writer commits.
std::unique_ptr<SQLite::Database> open_for_reading(const std::string& path);

// Creates the schema in a new file and migrates an older one; the caller holds the StoreLock.
std::unique_ptr<SQLite::Database> open_for_writing(const std::string& path, Journal journal);

// All of the one, into the other, which is empty. Throws LockedError, naming the one by its path,
// where another program's lock on it stays for longer than the connection waits.
void copy_database(const std::string& path, SQLite::Database& from, SQLite::Database& to);

// With what lies beside it; for one that was made in vain.
void remove_database(const std::string& path);

}  // namespace occam
