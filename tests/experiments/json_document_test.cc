#include "experiments/json_document.h"

#include "tests/experiments/sample.h"

namespace occam {
namespace {

JsonNode document(const std::string& text) { return parse_document(text, "spec.json"); }
std::string what_is_wrong_with(const std::string& text) {
  return message_of([&] { document(text); });
}

TEST(JsonDocument, KnowsTheLineAndPathOfEveryValue) {
  const JsonNode root = document(
      "// a comment\n"
      "{ \"a\": 1,\n"
      "  \"b\": [2,\n"
      "    /* 3,\n"
      "    */ 4 // four\n"
      "  ,\n"
      "  {\"c\": 5.5\n"
      "  }],\n"
      "\n"
      "  \"d\":\n"
      "    true}\n");
  EXPECT_EQ(root.where(), "spec.json:2");
  EXPECT_EQ(root.find("a")->where(), "spec.json:2: a");
  const JsonNode& b = *root.find("b");
  EXPECT_EQ(b.where(), "spec.json:3: b");
  EXPECT_EQ(b.items.at(0).where(), "spec.json:3: b[0]");
  EXPECT_EQ(b.items.at(1).where(), "spec.json:5: b[1]");
  EXPECT_EQ(b.items.at(2).where(), "spec.json:7: b[2]");
  EXPECT_EQ(b.items.at(2).find("c")->where(), "spec.json:7: b[2].c");
  EXPECT_EQ(root.find("d")->where(), "spec.json:11: d");
  EXPECT_EQ(root.find("e"), nullptr);
}

TEST(JsonDocument, KnowsTheLineOfANumberThatEndsItsLine) {
  const JsonNode root = document("[1,\n2\n,3\n\n,\"4\"\n]");
  EXPECT_EQ(root.items.at(0).line, 1);
  EXPECT_EQ(root.items.at(1).line, 2);
  EXPECT_EQ(root.items.at(2).line, 3);
  EXPECT_EQ(root.items.at(3).line, 5);
}

TEST(JsonDocument, CountsTheLinesOfFilesFromWindows) {
  EXPECT_EQ(document("{\r\n\"a\": 1\r\n,\"b\": 2\r\n}").find("b")->line, 3);
}

TEST(JsonDocument, KeepsMembersInTheFilesOrder) {
  const JsonNode root = document(R"({"z": 1, "a": 2})");
  EXPECT_EQ(root.members.at(0).key, "z");
  EXPECT_EQ(root.members.at(1).key, "a");
}

TEST(JsonDocument, RefusesAKeyThatStandsTwice) {
  EXPECT_EQ(what_is_wrong_with("{\"a\": {\"b\": 1,\n \"b\": 1}}"),
            "spec.json:2: a.b: this key stands here twice");
}

TEST(JsonDocument, SaysWhereTheTextIsNoJson) {
  EXPECT_EQ(what_is_wrong_with("{\"a\": 1,\n\"b\" 2}"),
            "spec.json:2: not JSON, near the end of '\"b\" 2}': syntax error while parsing object "
            "separator - "
            "unexpected number literal; expected ':'");
  EXPECT_EQ(what_is_wrong_with("{\n  \"a\": yes\n}"),
            "spec.json:2: not JSON, near the end of '  \"a\": y': syntax error while parsing value "
            "- invalid literal");
  EXPECT_EQ(what_is_wrong_with("{}\n{}"),
            "spec.json:2: not JSON, near the end of '{': syntax error while parsing value - "
            "unexpected '{'; "
            "expected end of input");
  EXPECT_EQ(what_is_wrong_with("{\"a\": [1, 2\n"),
            "spec.json:1: not JSON, near the end of '{\"a\": [1, 2': syntax error while parsing "
            "array - unexpected end of "
            "input; expected ']'");
  EXPECT_EQ(
      what_is_wrong_with("{\"a\": 1e999}"),
      "spec.json:1: not JSON, near the end of '{\"a\": 1e999}': number overflow parsing '1e999'");
}

TEST(JsonDocument, RefusesAnEmptyFile) {
  for (const char* text : {"", "\n\n"})
    EXPECT_EQ(what_is_wrong_with(text),
              "spec.json:1: not JSON: syntax error while parsing value - unexpected end of input; "
              "expected '[', '{', or a literal");
  EXPECT_NE(what_is_wrong_with("// nothing\n"), "no error");
}

TEST(JsonDocument, RefusesTextThatIsNoUtf8) {
  EXPECT_EQ(what_is_wrong_with("{\"\xff\": 1}").rfind("spec.json:1: not JSON, near ", 0), 0U);
}

TEST(JsonDocument, RefusesNestingWithoutEnd) {
  EXPECT_NE(what_is_wrong_with(std::string(100'000, '[')).find("is nested too deeply"),
            std::string::npos);
  EXPECT_EQ(what_is_wrong_with(std::string(100, '[') + std::string(100, ']')), "no error");
}

}  // namespace
}  // namespace occam
