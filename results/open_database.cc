#include "results/open_database.h"

#include <SQLiteCpp/Backup.h>
#include <SQLiteCpp/Database.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "experiments/error.h"
#include "results/beside.h"
#include "results/file_header.h"
#include "results/schema.h"
#include "results/store_error.h"
#include "results/store_lock.h"

namespace occam {
namespace {

namespace fs = std::filesystem;

// Pages a reader may hold, in KiB: its queries go back and forth over all of a large file.
constexpr const char* kReaderCache = "PRAGMA cache_size = -65536";
constexpr std::uint64_t kWalVersion = 2;  // of a file with a write-ahead log
constexpr int kPatienceMs = static_cast<int>(kPatience.count());

fs::path folder_of(const std::string& path) {
  const fs::path folder = fs::path(path).parent_path();
  return folder.empty() ? "." : folder;
}

// The first bytes of the file, as far as it has them.
std::string header_of(const std::string& path) {
  std::string header(kHeaderBytes, '\0');
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(path + ": cannot be read: " + std::strerror(errno));
  file.read(header.data(), static_cast<std::streamsize>(header.size()));
  header.resize(static_cast<std::size_t>(file.gcount()));
  return header;
}

void check_is_file(const std::string& path) {
  // The lock, the log and what else is the file's lie beside the name that SQLite resolves.
  if (fs::is_symlink(path))
    throw Error(path + ": is a symbolic link; name the file itself, " +
                fs::weakly_canonical(folder_of(path) / fs::read_symlink(path)).string() +
                ", beside which its lock and its log lie");
  if (fs::is_directory(path))
    throw Error(path + ": is a folder; name a database file, such as " +
                (fs::path(path) / "occam.db").string());
  if (fs::exists(path) && !fs::is_regular_file(path))
    throw Error(path + ": is a device or a pipe; name a database file, such as occam.db");
  if (fs::exists(path) && fs::hard_link_count(path) > 1)
    throw Error(path + ": has a second name (a hard link), under which another process could " +
                "write it unseen; remove one of the names, or work on a copy");
}

Error of_another_program(const std::string& path) {
  return Error(path + ": is a database of another program; name another file for occam's results");
}

void check_is_database(const std::string& path, const std::string& header) {
  if (header.substr(0, kMagic.size()) != kMagic)
    throw Error(
        path + ": is not a database; name another file, which will be created" +
        "; if it was one of occam's, save what can be read of it: " + recover_command(path));
  if (header.size() < kApplication + 4) return;
  // Nothing may appear beside it. One of ours has no number either until its first page is whole.
  const bool unmarked =
      number_at(header, kApplication, 4) == 0 && number_at(header, kPages, 4) <= 1;
  if (!unmarked && number_at(header, kApplication, 4) != kApplicationId)
    throw of_another_program(path);
}

// SQLite reads what lacks of a file's last page as zeros. While a log lies beside, it is not the
// file alone that counts.
void check_whole(const std::string& path, const std::string& header) {
  if (fs::exists(path + "-wal") || fs::exists(path + "-journal")) return;
  const std::uintmax_t page = header.size() == kHeaderBytes ? page_bytes_of(header) : 0;
  const std::uintmax_t bytes = fs::file_size(path);
  if (page > 0 && bytes % page == 0 && bytes >= page * number_at(header, kPages, 4)) return;
  throw damaged_error(path, "it was cut off after " + std::to_string(bytes) + " bytes");
}

// A writer that dies within a transaction leaves a rollback journal. Nobody can read the file
// before that is played back, which SQLite does for the first one who may write.
void play_back_left_journal(const std::string& path) {
  if (!fs::exists(path + "-journal") || is_written(path)) return;
  if (access(path.c_str(), W_OK) != 0 || access(folder_of(path).c_str(), W_OK | X_OK) != 0)
    throw Error(path + ": its last writer died in the middle of a change, which has to be undone " +
                "from " + path + "-journal first; run this command once where you may write both");
  SQLite::Database(path, SQLite::OPEN_READWRITE, kPatienceMs)
      .execAndGet("SELECT count(*) FROM sqlite_master");
}

bool is_new(SQLite::Database& database) {
  return database.execAndGet("SELECT count(*) FROM sqlite_master").getInt() == 0 &&
         database.execAndGet("PRAGMA application_id").getInt() == 0;
}

void check_version(const std::string& path, std::int64_t version) {
  if (version > kSchemaVersion)
    throw Error(path + ": was written by a newer occam (schema " + std::to_string(version) +
                ", this one knows " + std::to_string(kSchemaVersion) +
                "); use that or a newer occam with it");
}

void check_ours(const std::string& path, SQLite::Database& database) {
  const int application = database.execAndGet("PRAGMA application_id").getInt();
  if (is_new(database))
    throw Error(path + ": is empty; `occam run SPEC --db " + path + "` fills it");
  if (application != kApplicationId) throw of_another_program(path);
  check_version(path, database.execAndGet("PRAGMA user_version").getInt());
}

void check_sound(const std::string& path, SQLite::Database& database) {
  const std::string verdict = database.execAndGet("PRAGMA quick_check(1)").getString();
  if (verdict == "ok") return;
  const std::string log = path + "-wal";
  if (!fs::exists(log)) throw damaged_error(path, verdict);
  throw Error(damaged_error(path, verdict).what() +
              ("; a copy that was made while a run wrote it is whole without the log beside it: "
               "mv " +
               shell_word(log) + " " + shell_word(log + ".old")));
}

// "file:" URI of a path, for options that only a URI can carry.
std::string uri_of(const std::string& path, const std::string& options) {
  std::string uri = "file:";
  for (const char one : fs::absolute(path).string()) {
    if (one == '?' || one == '#' || one == '%') {
      constexpr char digits[] = "0123456789abcdef";
      uri += {'%', digits[one >> 4], digits[one & 15]};
    } else {
      uri += one;
    }
  }
  return uri + "?" + options;
}

// Whether closing the last connection folds the log in.
void fold_at_end(SQLite::Database& database, bool wanted) {
  sqlite3_db_config(database.getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, wanted ? 0 : 1,
                    nullptr);
}

}  // namespace

void check_named(const std::string& path) {
  if (path.empty()) throw Error("the database has no name; name a file, such as occam.db");
}

void check_readable(const std::string& path) {
  check_named(path);
  check_is_file(path);
  if (!fs::exists(path))
    throw Error(path + ": no such file; `occam run SPEC --db " + path + "` creates it");
  const std::string header = header_of(path);
  if (header.empty()) throw Error(path + ": is empty; `occam run SPEC --db " + path + "` fills it");
  check_is_database(path, header);
  check_left_is_own(path);
  check_whole(path, header);
}

void check_writable(const std::string& path) {
  check_named(path);
  // Names that SQLite takes for no file: all would be trained, and nothing kept.
  if (path == ":memory:" || path.rfind("file:", 0) == 0)
    throw Error(path + ": is no file; name one, such as occam.db");
  // The longest that lie beside it end in .events.jsonl or in a job's number and part.
  constexpr std::size_t kMostBytes = NAME_MAX - 55;
  if (const std::size_t bytes = fs::path(path).filename().string().size(); bytes > kMostBytes)
    throw Error(path + ": its name has " + std::to_string(bytes) + " bytes, and with the endings " +
                "of the lock and the logs beside it no file could have it; it may have " +
                std::to_string(kMostBytes));
  check_is_file(path);
  const fs::path folder = folder_of(path);
  if (!fs::is_directory(folder))
    throw Error(path + ": its folder " + folder.string() + " does not exist; create it first");
  if (access(folder.c_str(), W_OK | X_OK) != 0)
    throw Error(path + ": its folder " + folder.string() + " cannot be written (" +
                std::strerror(errno) + "); the journal and the lock lie there, so name a file in " +
                "a folder of yours");
  if (!fs::exists(path)) return check_nothing_left(path);
  if (access(path.c_str(), W_OK) != 0)
    throw Error(path + ": cannot be written (" + std::strerror(errno) +
                "); give yourself write permission, or work on a copy");
  const std::string header = header_of(path);
  if (header.empty()) return;
  check_is_database(path, header);
  check_left_is_own(path);
  check_whole(path, header);
}

void check_recoverable(const std::string& path) {
  check_named(path);
  check_is_file(path);
  if (!fs::exists(path)) throw Error(path + ": no such file");
  const std::string header = header_of(path);
  if (header.substr(0, kMagic.size()) != kMagic || header.size() < kHeaderBytes) return;
  // What the sqlite3 shell wrote of one of ours has no number.
  const std::uint64_t application = number_at(header, kApplication, 4);
  if (application != 0 && application != kApplicationId) throw of_another_program(path);
  if (application != 0)
    check_version(path, static_cast<std::int64_t>(number_at(header, kUserVersion, 4)));
}

void remove_database(const std::string& path) {
  for (const char* part : {"", "-wal", "-shm", "-journal", ".lock"}) {
    std::error_code ignored;
    fs::remove(path + part, ignored);
  }
}

void copy_database(const std::string& path, SQLite::Database& from, SQLite::Database& to) {
  SQLite::Backup backup(to, from);
  // Throws for what fails, but not for a lock.
  if (const int code = backup.executeStep(); code != SQLITE_DONE)
    throw_store_error(path, code, sqlite3_errstr(code));
}

std::unique_ptr<SQLite::Database> open_for_reading(const std::string& path) {
  play_back_left_journal(path);
  // A writer's log exists as long as the writer does. Without one, the file is all there is, and
  // taken as immutable it can be read where nothing may be created beside it.
  const std::string header = header_of(path);
  const bool at_rest =
      number_at(header, kWriteVersion, 1) == kWalVersion && !fs::exists(path + "-wal");
  auto database =
      at_rest ? std::make_unique<SQLite::Database>(uri_of(path, "immutable=1"),
                                                   SQLite::OPEN_READONLY | SQLite::OPEN_URI)
              : std::make_unique<SQLite::Database>(path, SQLite::OPEN_READONLY, kPatienceMs);
  database->exec(kReaderCache);
  check_ours(path, *database);
  if (database->execAndGet("PRAGMA user_version").getInt() == kSchemaVersion) return database;
  // One of an older occam is read as it will be once a writer has migrated it.
  auto migrated =
      std::make_unique<SQLite::Database>(":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  copy_database(path, *database, *migrated);
  migrate(*migrated);
  return migrated;
}

std::unique_ptr<SQLite::Database> open_for_writing(const std::string& path, Journal journal) {
  auto database = std::make_unique<SQLite::Database>(
      path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, kPatienceMs);
  if (!is_new(*database)) {
    // A log that does not go with the file must not be folded into it by the refusal.
    fold_at_end(*database, false);
    check_ours(path, *database);
    check_sound(path, *database);
    fold_at_end(*database, true);
  }
  // Folds in what a dead writer left, unless somebody reads the file: then that log goes on.
  database->tryExec("PRAGMA journal_mode = DELETE");
  const bool is_at_rest = database->execAndGet("PRAGMA journal_mode").getString() == "delete";
  database->exec("PRAGMA synchronous = FULL");
  database->exec("PRAGMA foreign_keys = ON");
  migrate(*database);
  // Where shared memory does not work after all, SQLite answers with the mode that it kept.
  const bool wal =
      journal == Journal::automatic ? is_on_local_disk(folder_of(path)) : journal == Journal::wal;
  if (wal) {
    if (is_at_rest) mark(*database);
    database->execAndGet("PRAGMA journal_mode = WAL");
    carry_mark(*database);
  }
  return database;
}

}  // namespace occam
