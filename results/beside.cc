#include "results/beside.h"

#include <SQLiteCpp/Database.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <random>

#include "experiments/error.h"
#include "results/file_header.h"
#include "results/schema.h"
#include "results/store_lock.h"
#include "results/write_ahead_log.h"

namespace occam {
namespace {

namespace fs = std::filesystem;

std::string bytes_of(std::ifstream& file, std::uint64_t at, std::size_t count) {
  std::string bytes(count, '\0');
  file.clear();
  file.seekg(static_cast<std::streamoff>(at));
  file.read(bytes.data(), static_cast<std::streamsize>(count));
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  return bytes;
}

std::string header_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return bytes_of(file, 0, kHeaderBytes);
}

// A log carries the mark that its file had when it began. Whoever makes a table, an index or a view
// of his own in the file meanwhile counts it up.
bool is_log_of(const WriteAheadLog& log, const std::string& header) {
  constexpr std::uint64_t kMostChanges = 1000;
  const std::uint64_t mark = number_at(header, kSchemaCookie, 4);
  return log.first_pages.empty() ||
         std::any_of(log.first_pages.begin(), log.first_pages.end(), [&](const std::string& first) {
           return number_at(first, kSchemaCookie, 4) - mark <= kMostChanges;
         });
}

// The header as it was before the change that a rollback journal undoes, if it is in there:
// https://www.sqlite.org/fileformat2.html#the_rollback_journal
std::optional<std::string> header_before(const std::string& journal) {
  const std::string magic("\xd9\xd5\x05\xf9\x20\xa1\x63\xd7", 8);
  std::ifstream file(journal, std::ios::binary);
  const std::string about = bytes_of(file, 0, 28);
  if (about.substr(0, magic.size()) != magic) return std::nullopt;
  const std::uint64_t records = number_at(about, 8, 4), begin = number_at(about, 20, 4),
                      page_bytes = number_at(about, 24, 4);
  for (std::uint64_t i = 0; i < records; ++i) {
    const std::string record = bytes_of(file, begin + i * (page_bytes + 8), 4 + kHeaderBytes);
    if (record.size() < 4 + kHeaderBytes || page_bytes == 0) return std::nullopt;
    if (number_at(record, 0, 4) == 1) return record.substr(4);
  }
  return std::nullopt;
}

// Each change counts the file's counter up by one, which is its first page's last write.
bool is_journal_of(const std::string& journal, const std::string& header) {
  const auto before = header_before(journal);
  return !before ||
         number_at(header, kChangeCounter, 4) - number_at(*before, kChangeCounter, 4) <= 1;
}

// The one that is not the file's; "" where there is none.
std::string foreign(const std::string& path) {
  const std::string log = path + "-wal", journal = path + "-journal";
  if ((!fs::exists(log) && !fs::exists(journal)) || is_written(path)) return "";
  const std::string header = header_of(path);
  if (header.size() < kHeaderBytes || header.substr(0, kMagic.size()) != kMagic) return "";
  const std::string found = !is_log_of(read_log(log), header) ? log
                            : !is_journal_of(journal, header) ? journal
                                                              : "";
  return is_written(path) ? "" : found;  // it has come meanwhile, and has looked itself
}

std::string aside(const std::string& file) {
  return "mv " + shell_word(file) + " " + shell_word(file + ".old");
}

}  // namespace

bool left_is_own(const std::string& path) { return foreign(path).empty(); }

void check_left_is_own(const std::string& path) {
  if (const std::string file = foreign(path); !file.empty())
    throw Error(file + ": is of another file, which had the name " + path +
                " before, and would ruin this one; put it beside that file, under its name, or " +
                "move it away: " + aside(file));
}

void check_nothing_left(const std::string& path) {
  if (const std::string copy = path + ".rescued"; fs::exists(copy))
    throw Error(path + ": there is no such file, but " + copy +
                ", the copy of one that was removed under a run; to go on with it: mv " +
                shell_word(copy) + " " + shell_word(path) + "; else move it away: " + aside(copy));
  for (const char* end : {"-wal", "-journal", ".spool"}) {
    const std::string file = path + end;
    std::error_code none;
    if (!fs::is_regular_file(file, none) || fs::file_size(file, none) == 0) continue;
    throw Error(path + ": there is no such file, but " + file +
                ", which holds the last results of one that was moved or removed; put it beside " +
                "that file, under its name, or move it away: " + aside(file));
  }
}

std::string keep_log(const std::string& path) {
  std::string kept = path + "-wal.damaged";
  for (int i = 2; fs::exists(kept); ++i) kept = path + "-wal.damaged." + std::to_string(i);
  std::error_code problem;
  fs::copy_file(path + "-wal", kept, problem);
  if (problem)
    throw Error(path + "-wal: is damaged, and no copy can be kept as " + kept + ": " +
                problem.message());
  return kept;
}

bool left_log_is_damaged(const std::string& path) { return read_log(path + "-wal").is_damaged; }

void mark(SQLite::Database& database) {
  // SQLite's count of changes to the schema: any number will do, and each log has a copy.
  const auto number = std::random_device()() >> 1;
  database.exec("PRAGMA schema_version = " + std::to_string(number));
}

void carry_mark(SQLite::Database& database) {
  // What it is already, and yet it writes the page with the header.
  database.exec("PRAGMA user_version = " + std::to_string(kSchemaVersion));
}

}  // namespace occam
