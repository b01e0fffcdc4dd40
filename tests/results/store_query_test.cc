#include <gmock/gmock.h>

#include "results/schema.h"
#include "results/store.h"
#include "tests/results/sample.h"

namespace occam {
namespace {

using testing::HasSubstr;

class Query : public StoreTest {
 protected:
  Query() : store_(path_, Store::Mode::write) {
    store_.record_sweep(spec(), expansion({trial(0)}));
  }
  std::string refusal(const std::string& sql) const {
    return message_of([&] { store_.query(sql); });
  }
  Store store_;
};

TEST_F(Query, GivesValuesInTheTypesThatSqliteHoldsThemIn) {
  const auto rows = store_.query(
      "SELECT 7 AS whole, 0.1 + 0.2 AS sum, 1.0 AS one, NULL AS none, '0012' AS digits, "
      "x'00ff' AS bytes, '' AS empty FROM sweep;");
  EXPECT_EQ(rows.columns,
            (std::vector<std::string>{"whole", "sum", "one", "none", "digits", "bytes", "empty"}));
  ASSERT_EQ(rows.values.size(), 1u);
  EXPECT_EQ(nlohmann::json(rows.values[0]).dump(),
            R"([7,0.30000000000000004,1.0,null,"0012","00ff",""])");
}

TEST_F(Query, OfAnEmptyAnswerHasItsColumnsStill) {
  const auto rows = store_.query("SELECT trial, auroc FROM results");
  EXPECT_EQ(rows.columns, (std::vector<std::string>{"trial", "auroc"}));
  EXPECT_TRUE(rows.values.empty());
}

TEST_F(Query, RefusesEverythingThatDoesMoreThanRead) {
  const std::string other = (folder_ / "other.db").string();
  for (const std::string& sql : std::vector<std::string>{
           "DELETE FROM sweep", "INSERT INTO trial VALUES ('a', '{}')", "DROP TABLE sweep",
           "UPDATE trial SET id = 'x'", "CREATE TEMP TABLE t(x)", "BEGIN", "COMMIT",
           "ATTACH '" + other + "' AS other", "VACUUM INTO '" + other + "'", "VACUUM", "REINDEX",
           "PRAGMA journal_mode = MEMORY", "PRAGMA wal_checkpoint", "PRAGMA user_version = 9",
           "PRAGMA writable_schema = 1", "WITH a AS (SELECT 1) DELETE FROM sweep"})
    EXPECT_THAT(refusal(sql), HasSubstr("only reading is allowed")) << sql;
  EXPECT_EQ(cell_of(store_, "SELECT count(*) FROM sweep"), "1");
  EXPECT_FALSE(std::filesystem::exists(other));
}

TEST_F(Query, LetsTheStoreWriteAfterwards) {
  EXPECT_THAT(refusal("DELETE FROM sweep"), HasSubstr("only reading"));
  store_.query("SELECT 1");
  EXPECT_NO_THROW(store_.record_sweep(spec("more"), expansion({trial(1)})));
}

TEST_F(Query, ReadsWithRecursionFunctionsAndTellingPragmas) {
  EXPECT_EQ(cell_of(store_,
                    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i "
                    "< 5) SELECT group_concat(i) FROM n"),
            "1,2,3,4,5");
  EXPECT_EQ(
      cell_of(store_, "SELECT count(*) FROM pragma_table_info('results') WHERE name = 'auroc'"),
      "1");
  EXPECT_EQ(cell_of(store_, "SELECT sum(value) FROM json_each('[1, 2]')"), "3");
  EXPECT_EQ(cell_of(store_, "PRAGMA user_version"), std::to_string(kSchemaVersion));
  EXPECT_NE(cell_of(store_, "EXPLAIN SELECT 1"), "no row");
}

TEST_F(Query, SaysWhatItDoesNotUnderstand) {
  EXPECT_THAT(refusal("SELECT 1; SELECT 2"), HasSubstr("several statements"));
  EXPECT_THAT(refusal("SELECT x FROM results"), HasSubstr("no such column: x"));
  EXPECT_THAT(refusal("SELECT x FROM result"), HasSubstr("results, trials and curves"));
  EXPECT_THAT(refusal("SELEC 1"), HasSubstr("syntax error"));
  EXPECT_THAT(refusal(" "), HasSubstr("empty"));
}

}  // namespace
}  // namespace occam
