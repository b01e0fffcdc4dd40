#include "results/store_error.h"

#include <sqlite3.h>

#include "results/lock_holder.h"
#include "results/store.h"

namespace occam {

std::string recover_command(const std::string& path) {
  return "occam recover " + shell_word(path) + " recovered.db";
}

Error damaged_error(const std::string& path, const std::string& how) {
  return Error(path + ": is damaged (" + how +
               "); restore a copy, or save what can be read: " + recover_command(path));
}

void throw_store_error(const std::string& path, int sqlite_code,
                       const std::string& sqlite_message) {
  const std::string said = " (SQLite: " + sqlite_message + ")";
  switch (sqlite_code & 0xff) {
    case SQLITE_FULL:
      throw Error(path +
                  ": the disk is full; nothing recorded is lost: free some space, then run " +
                  "the same command again" + said);
    case SQLITE_IOERR:
      throw Error(path + ": reading or writing failed; nothing recorded is lost: check the disk, " +
                  "its free space and your quota, then run the same command again" + said);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      throw damaged_error(path, "SQLite: " + sqlite_message);
    case SQLITE_READONLY:
    case SQLITE_PERM:
      throw Error(path + ": cannot be written; it needs write permission for the file and its " +
                  "folder (the journal lies beside it)" + said);
    case SQLITE_CANTOPEN:
      throw Error(path +
                  ": cannot be opened; check that the file can be read and, after a crash, " +
                  "that its folder can be written (an unfinished journal lies beside it)" + said);
    case SQLITE_BUSY:
      throw LockedError(path + ": " + lock_holder(path) + " keeps it locked: let it end what it " +
                        "does there (a query or a transaction), or close it" + said);
    default:
      throw Error(path + ": " + sqlite_message);
  }
}

}  // namespace occam
