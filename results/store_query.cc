// Statements of the user's own, on a connection that cannot write.
#include <SQLiteCpp/Database.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "results/store.h"
#include "results/store_error.h"

namespace occam {
namespace {

// Of the many pragmas, those that only tell; others change the connection or the file.
constexpr std::array<std::string_view, 10> kTellingPragmas{
    "table_info",     "table_xinfo",  "table_list",     "index_list",    "index_info",
    "application_id", "user_version", "schema_version", "database_list", "compile_options"};

// SQLite itself says whether a statement writes a database; these leave the file alone, and make
// another one or change the connection.
int only_reading(void*, int action, const char* name, const char* value, const char*, const char*) {
  switch (action) {
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
      return SQLITE_DENY;
    case SQLITE_PRAGMA: {
      const bool telling = std::find(kTellingPragmas.begin(), kTellingPragmas.end(),
                                     std::string_view(name)) != kTellingPragmas.end();
      const bool sets = value && (std::strstr(name, "_version") || std::strstr(name, "_id"));
      return telling && !sets ? SQLITE_OK : SQLITE_DENY;
    }
    default:
      return SQLITE_OK;
  }
}

// Sets the authorizer for its life.
class OnlyReading {
 public:
  explicit OnlyReading(sqlite3* handle) : handle_(handle) {
    sqlite3_set_authorizer(handle_, only_reading, nullptr);
  }
  ~OnlyReading() { sqlite3_set_authorizer(handle_, nullptr, nullptr); }
  OnlyReading(const OnlyReading&) = delete;

 private:
  sqlite3* handle_;
};

using OwnStatement = std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)>;

OwnStatement prepare(const std::string& path, sqlite3* handle, const std::string& sql) {
  const OnlyReading guard(handle);
  sqlite3_stmt* raw = nullptr;
  const char* rest = nullptr;
  const int code = sqlite3_prepare_v2(handle, sql.c_str(), -1, &raw, &rest);
  OwnStatement statement(raw, sqlite3_finalize);
  if (code == SQLITE_AUTH || (statement && !sqlite3_stmt_readonly(statement.get())))
    throw UsageError("only reading is allowed, a SELECT, and this would do more: " + sql +
                     "\n  to change results, work on a copy with the sqlite3 shell");
  if (code != SQLITE_OK) {
    const std::string said = sqlite3_errmsg(handle);
    const bool unknown = said.rfind("no such", 0) == 0;
    throw UsageError(path + ": " + said + "\n  in: " + sql +
                     (unknown ? "\n  the views are results, trials and curves; their columns: "
                                "SELECT name FROM pragma_table_info('results')"
                              : ""));
  }
  if (!statement) throw UsageError("the query is empty; try: SELECT * FROM results LIMIT 5");
  if (std::string(rest).find_first_not_of(" \t\r\n;") != std::string::npos)
    throw UsageError("the query has several statements; give one at a time");
  return statement;
}

std::string hex_digits(const void* bytes, int count) {
  std::string text;
  const auto* all = static_cast<const unsigned char*>(bytes);
  for (int i = 0; i < count; ++i) {
    text += "0123456789abcdef"[all[i] >> 4];
    text += "0123456789abcdef"[all[i] & 15];
  }
  return text;
}

nlohmann::json value_at(sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_NULL:
      return nullptr;
    case SQLITE_INTEGER:
      return static_cast<std::int64_t>(sqlite3_column_int64(statement, column));
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement, column);
    case SQLITE_BLOB: {
      const void* bytes = sqlite3_column_blob(statement, column);
      return hex_digits(bytes, sqlite3_column_bytes(statement, column));
    }
    default: {
      const unsigned char* text = sqlite3_column_text(statement, column);
      return std::string(reinterpret_cast<const char*>(text),
                         static_cast<std::size_t>(sqlite3_column_bytes(statement, column)));
    }
  }
}

}  // namespace

void Store::query(const std::string& sql,
                  const std::function<void(const std::vector<std::string>&)>& on_columns,
                  const std::function<void(const Row&)>& on_row) const {
  sqlite3* const handle = database_->getHandle();
  const OwnStatement statement = prepare(path_, handle, sql);
  std::vector<std::string> columns;
  const int count = sqlite3_column_count(statement.get());
  for (int i = 0; i < count; ++i) columns.emplace_back(sqlite3_column_name(statement.get(), i));
  on_columns(columns);

  Row row(static_cast<std::size_t>(count));
  int code = SQLITE_ROW;
  while ((code = sqlite3_step(statement.get())) == SQLITE_ROW) {
    for (int i = 0; i < count; ++i) row[static_cast<std::size_t>(i)] = value_at(statement.get(), i);
    on_row(row);
  }
  if (code != SQLITE_DONE) throw_store_error(path_, code, sqlite3_errmsg(handle));
}

Store::Rows Store::query(const std::string& sql) const {
  Rows rows;
  query(
      sql, [&](const std::vector<std::string>& columns) { rows.columns = columns; },
      [&](const Row& row) { rows.values.push_back(row); });
  return rows;
}

std::vector<Store::Texts> Store::texts(const std::string& sql) const {
  std::vector<Texts> rows;
  query(
      sql, [](const std::vector<std::string>&) {},
      [&](const Row& row) {
        Texts& texts = rows.emplace_back();
        for (const nlohmann::json& value : row) {
          if (value.is_null())
            texts.emplace_back(std::nullopt);
          else
            texts.emplace_back(value.is_string() ? value.get<std::string>() : value.dump());
        }
      });
  return rows;
}

std::vector<std::string> Store::column(const std::string& sql) const {
  std::vector<std::string> values;
  for (Texts& row : texts(sql)) values.push_back(std::move(row.front()).value_or(""));
  return values;
}

Trial Store::read_trial(const std::string& config) const {
  return explained(path_, [&] { return trial_from_json(nlohmann::json::parse(config)); });
}

}  // namespace occam
