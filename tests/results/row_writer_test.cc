#include "results/row_writer.h"

#include <gmock/gmock.h>

#include <limits>
#include <sstream>

#include "tests/results/sample.h"

namespace occam {
namespace {

using testing::HasSubstr;

std::string written(RowFormat format, const std::vector<std::string>& columns,
                    const std::vector<Row>& rows) {
  std::ostringstream text;
  RowWriter writer(text, format, columns);
  for (const Row& row : rows) writer.write(row);
  writer.finish();
  return text.str();
}

const std::vector<std::string> kColumns{"trial", "batch_size", "auroc", "note"};
const std::vector<Row> kRows{{"0000000000000012", 32, 0.1 + 0.2, nullptr},
                             {"1e10", 8, 1.0, "a \"b\", c\nd|e"},
                             {"", -1, 1e-7, ""}};

TEST(RowWriter, WritesCsvInWhichNullIsNothingAndTextsAreQuotedWhereNeeded) {
  EXPECT_EQ(written(RowFormat::csv, kColumns, kRows),
            "trial,batch_size,auroc,note\n"
            "0000000000000012,32,0.30000000000000004,\n"
            "1e10,8,1,\"a \"\"b\"\", c\nd|e\"\n"
            "\"\",-1,1e-07,\"\"\n");
  EXPECT_EQ(written(RowFormat::csv, {"a,b", "c"}, {}), "\"a,b\",c\n");
}

TEST(RowWriter, WritesJsonWhoseNumbersAreNumbersAndWhoseTextsAreTexts) {
  const std::string lines = written(RowFormat::jsonl, kColumns, kRows);
  EXPECT_EQ(
      lines.substr(0, lines.find('\n')),
      R"({"trial":"0000000000000012","batch_size":32,"auroc":0.30000000000000004,"note":null})");
  std::istringstream stream(lines);
  for (const Row& row : kRows) {
    std::string line;
    ASSERT_TRUE(std::getline(stream, line));
    const auto read = nlohmann::json::parse(line);
    for (std::size_t i = 0; i < kColumns.size(); ++i) {
      EXPECT_EQ(read[kColumns[i]], row[i]);
      EXPECT_EQ(read[kColumns[i]].is_string(), row[i].is_string());
    }
  }
  EXPECT_EQ(nlohmann::json::parse(written(RowFormat::json, kColumns, kRows)).size(), 3u);
  EXPECT_EQ(nlohmann::json::parse(written(RowFormat::json, kColumns, {})).size(), 0u);
}

TEST(RowWriter, WritesJsonOfWhatJsonCannotHold) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(written(RowFormat::jsonl, {"a"}, {{infinity}}), "{\"a\":null}\n");
  EXPECT_NO_THROW(nlohmann::json::parse(written(RowFormat::jsonl, {"a"}, {{"\xff\xfe"}})));
  EXPECT_THAT(message_of([] {
                written(RowFormat::jsonl, {"a", "a"}, {});
              }),
              HasSubstr("a AS another_name"));
}

TEST(RowWriter, WritesTablesForPeople) {
  EXPECT_EQ(written(RowFormat::md, {"a|b", "c"}, {{"x|y\nz", nullptr}}),
            "| a\\|b | c |\n|---|---|\n| x\\|y z | – |\n");
  EXPECT_EQ(written(RowFormat::text, {"name", "n"}, {{"größer", 5}, {"b", 12}, {"", nullptr}}),
            "name     n\n"
            "größer   5\n"
            "b       12\n"
            "         –\n");
}

}  // namespace
}  // namespace occam
