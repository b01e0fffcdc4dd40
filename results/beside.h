#pragma once

#include <string>

namespace SQLite {
class Database;
}

namespace occam {

// What lies beside a database under its name: SQLite plays a write-ahead log or a rollback journal
// into whatever file has the name, also where that is another than the one it was written for.

// Throws Error where a log or a journal that a dead writer left there is not the file's.
void check_left_is_own(const std::string& path);
// Whether that is so, as far as it can be told.
bool left_is_own(const std::string& path);
// Throws Error where something of a file that was moved or removed lies beside the name of none, or
// its copy.
void check_nothing_left(const std::string& path);

// Whether the log that lies there holds more behind a place where it cannot be read: what SQLite
// takes of it ends there, without a word.
bool left_log_is_damaged(const std::string& path);
// A copy of it that SQLite does not take for one, beside earlier ones; returns its path. Throws
// Error where none can be made.
std::string keep_log(const std::string& path);

// Gives the file a mark that no other has, which goes into every log that is begun from now on. The
// caller writes it, and it has no log yet.
void mark(SQLite::Database& database);
// Has the transaction that is open, else one of its own, carry that mark into the log.
void carry_mark(SQLite::Database& database);

}  // namespace occam
