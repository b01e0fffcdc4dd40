#include "results/store_error.h"

#include <sqlite3.h>

namespace occam {

std::string recover_command(const std::string& path) {
  return "occam recover " + shell_word(path) + " recovered.db";
}

Error damaged_error(const std::string& path, const std::string& how) {
  return Error(path + ": is damaged (" + how +
               "); restore a copy, or save what can be read: " + recover_command(path));
}

Error store_error(const std::string& path, int sqlite_code, const std::string& sqlite_message) {
  const std::string said = " (SQLite: " + sqlite_message + ")";
  switch (sqlite_code & 0xff) {
    case SQLITE_FULL:
      return Error(path +
                   ": the disk is full; nothing recorded is lost: free some space, then run " +
                   "the same command again" + said);
    case SQLITE_IOERR:
      return Error(path +
                   ": reading or writing failed; nothing recorded is lost: check the disk, " +
                   "its free space and your quota, then run the same command again" + said);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return damaged_error(path, "SQLite: " + sqlite_message);
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return Error(path + ": cannot be written; it needs write permission for the file and its " +
                   "folder (the journal lies beside it)" + said);
    case SQLITE_CANTOPEN:
      return Error(path +
                   ": cannot be opened; check that the file can be read and, after a crash, " +
                   "that its folder can be written (an unfinished journal lies beside it)" + said);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Error(path + ": another program keeps it locked; close it (an open sqlite3 shell " +
                   "with a transaction?), then try again" + said);
    default:
      return Error(path + ": " + sqlite_message);
  }
}

}  // namespace occam
