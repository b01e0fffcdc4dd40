#include "experiments/json_document.h"

#include <algorithm>

#include "experiments/error.h"

namespace occam {
namespace {

using nlohmann::json;

// Counts what the parser has read, since nlohmann's SAX events carry no position.
class CountingIterator {
 public:
  using iterator_category = std::forward_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, const char** furthest) : at_(at), furthest_(furthest) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    ++at_;
    *furthest_ = std::max(*furthest_, at_);
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  const char** furthest_;
};

class TreeBuilder : public nlohmann::json_sax<json> {
 public:
  TreeBuilder(const std::string& text, const std::string& file, const char** furthest)
      : text_(text),
        file_(std::make_shared<const std::string>(file)),
        furthest_(furthest),
        counted_(text.data()) {
    root_.file = file_;
    root_.line = 1;
  }
  JsonNode take() { return std::move(root_); }

  bool null() override { return scalar(nullptr); }
  bool boolean(bool value) override { return scalar(value); }
  bool number_integer(number_integer_t value) override { return scalar(value); }
  bool number_unsigned(number_unsigned_t value) override { return scalar(value); }
  bool number_float(number_float_t value, const string_t&) override { return scalar(value); }
  bool string(string_t& value) override { return scalar(value); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(JsonNode::Kind::object); }
  bool start_array(std::size_t) override { return open(JsonNode::Kind::array); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    JsonNode& object = *open_.back();
    JsonNode member;
    member.path = object.path.empty() ? name : object.path + "." + name;
    member.line = line();
    member.file = file_;
    if (object.find(name)) member.fail("this key stands here twice");
    object.members.push_back({name, std::move(member)});
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const json::exception& problem) override {
    std::string_view read(text_.data(), static_cast<std::size_t>(*furthest_ - text_.data()));
    read = read.substr(0, read.find_last_not_of(" \t\r\n") + 1);
    const auto line = 1 + std::count(read.begin(), read.end(), '\n');
    const std::string near(read.substr(read.rfind('\n') + 1));
    throw UsageError(*file_ + ":" + std::to_string(line) + ": not JSON" +
                     (near.empty() ? "" : ", near the end of '" + near + "'") + ": " +
                     reason(problem.what()));
  }

 private:
  // "[json.exception.parse_error.101] parse error at line 1, column 2: WHAT; last read: '…'": WHAT.
  static std::string reason(std::string text) {
    text.erase(0, text.find("] ") + 2);
    if (text.starts_with("parse error")) text.erase(0, text.find(": ") + 2);
    return text.substr(0, text.find("; last read: "));
  }

  // The parser may have read one character past a number: whatever cannot end a value is not it.
  int line() {
    const char* end = *furthest_;
    while (end > counted_ && std::string_view(" \t\r\n,]}/").find(end[-1]) != std::string::npos)
      --end;
    line_ += static_cast<int>(std::count(counted_, end, '\n'));
    counted_ = end;
    return line_;
  }

  JsonNode& place() {
    if (open_.empty()) return root_;
    JsonNode& parent = *open_.back();
    if (parent.kind == JsonNode::Kind::object) return parent.members.back().value;
    JsonNode item;
    item.path = parent.path + "[" + std::to_string(parent.items.size()) + "]";
    item.file = file_;
    parent.items.push_back(std::move(item));
    return parent.items.back();
  }

  bool scalar(json value) {
    JsonNode& node = place();
    node.scalar = std::move(value);
    node.line = line();
    return true;
  }
  bool open(JsonNode::Kind kind) {
    JsonNode& node = place();
    node.kind = kind;
    node.line = line();
    if (open_.size() == kDeepest) node.fail("is nested too deeply");
    open_.push_back(&node);
    return true;
  }
  // A parent's vector grows only while no child is open, so the pointers in open_ stay good.
  bool close() {
    open_.pop_back();
    return true;
  }

  const std::string& text_;
  static constexpr std::size_t kDeepest = 100;  // paths and destructors grow with it
  std::shared_ptr<const std::string> file_;
  const char** furthest_;
  const char* counted_;  // line_ is the line of this
  int line_ = 1;
  JsonNode root_;
  std::vector<JsonNode*> open_;
};

}  // namespace

const JsonNode* JsonNode::find(std::string_view key) const {
  for (const auto& [name, member] : members)
    if (name == key) return &member;
  return nullptr;
}

std::string JsonNode::where() const {
  return *file + ":" + std::to_string(line) + (path.empty() ? "" : ": " + path);
}

void JsonNode::fail(const std::string& message) const {
  throw UsageError(where() + ": " + message);
}

void JsonNode::require(Kind wanted, std::string_view what) const {
  if (kind != wanted) fail("must be " + std::string(what));
}

nlohmann::json JsonNode::json() const {
  switch (kind) {
    case Kind::scalar:
      return scalar;
    case Kind::array: {
      auto list = nlohmann::json::array();
      for (const JsonNode& item : items) list.push_back(item.json());
      return list;
    }
    case Kind::object: {
      auto object = nlohmann::json::object();
      for (const auto& [key, member] : members) object[key] = member.json();
      return object;
    }
  }
  throw std::logic_error("unknown kind of JSON");
}

const std::string& JsonNode::text(std::string_view what) const {
  if (kind != Kind::scalar || !scalar.is_string()) fail("must be " + std::string(what));
  return scalar.get_ref<const std::string&>();
}

void JsonNode::allow_only(const std::vector<std::string>& known) const {
  for (const auto& [key, member] : members)
    if (std::find(known.begin(), known.end(), key) == known.end())
      member.fail("unknown key" + did_you_mean(key, known) + "; known here: " + joined(known));
}

JsonNode parse_document(const std::string& text, const std::string& file) {
  const char* furthest = text.data();
  TreeBuilder builder(text, file, &furthest);
  json::sax_parse(CountingIterator(text.data(), &furthest),
                  CountingIterator(text.data() + text.size(), &furthest), &builder,
                  json::input_format_t::json, true, true);
  return builder.take();
}

}  // namespace occam
