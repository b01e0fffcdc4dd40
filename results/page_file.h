#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

namespace occam {

// A row as it lies in a page; the key of a table without rowids stands first in it.
struct StoredRow {
  std::int64_t rowid;  // 0 in a table without
  std::vector<nlohmann::json> values;
};

// One page of a tree: of a table with rowids the rows are in the leaves alone.
struct TreePage {
  bool has_rowids;
  std::vector<std::uint32_t> children;
  std::vector<StoredRow> rows;
  std::size_t unreadable_rows = 0;
};

// A SQLite file read page by page, after https://www.sqlite.org/fileformat2.html: SQLite itself
// finds nothing below a page that is damaged. Never throws for what is in the file, whatever that
// is; throws Error where the file cannot be opened.
class PageFile {
 public:
  explicit PageFile(const std::string& path);
  ~PageFile();
  PageFile(const PageFile&) = delete;

  std::uint32_t pages() const { return pages_; }  // counted from 1
  // Nothing for what is no page of a tree, by its looks, or cannot be read from the disk.
  std::optional<TreePage> tree_page(std::uint32_t number) const;
  // Those that the file calls free, as far as its list can be followed. What they hold is old.
  std::unordered_set<std::uint32_t> free_pages() const;

 private:
  std::string bytes_of(std::uint32_t number) const;
  std::optional<std::string> payload(const std::string& page, std::size_t at, std::uint64_t bytes,
                                     bool has_rowids) const;
  std::optional<StoredRow> row(const std::string& page, std::size_t at, bool has_rowids) const;

  int file_;
  std::uint32_t pages_ = 0;
  std::size_t page_bytes_ = 4096;  // SQLite's own choice, where the header says nothing
  std::size_t usable_ = 4096;      // without what is reserved at the end of every page
};

}  // namespace occam
