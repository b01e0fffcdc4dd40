#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "images/image_files.h"
#include "images/image_set.h"

namespace occam {

// The one file into which the images of a folder are decoded, <folder>/occam-images.bin: a line of
// JSON (sizes, label names, digests, padded to kHeaderBytes), then train images (planar, rows x 3 x
// side x side), train labels (int64, little-endian), test images and test labels. Every process
// maps the same pages.
std::filesystem::path prepared_path(const std::filesystem::path& folder);

struct PreparedHeader {
  std::int64_t train_rows, test_rows, side;
  std::vector<std::string> labels;
  std::string digest;   // as ImageSets'
  std::string sources;  // digest of the files' names, sizes, times and labels
};

struct PrepareProgress {
  std::int64_t done, of;  // images
};

// Decodes all files, `threads` at once, unless the prepared file is there and made of these very
// files. Of several processes at one folder one decodes; the others call `on_wait`, wait, and find
// the work done. A preparation that was stopped goes on where it stopped. Every file that cannot be
// used is named: Error lists up to 20 and says how many there are; the others stay decoded for the
// next call.
PreparedHeader prepare(
    const std::filesystem::path& folder, const ImageFiles& files, int threads,
    const std::function<void(const PrepareProgress&)>& on_progress,
    const std::function<void()>& on_wait = [] {});

// Reads the header. Throws Error that names the file and `command`, which prepares it, where the
// images have not been prepared or the file is damaged.
PreparedHeader read_prepared_header(const std::filesystem::path& folder,
                                    const std::string& command);

// What `occam data prepare` must be given for images of this side: " --side 32", or nothing.
std::string side_option(std::int64_t side);

// How the files differ from those that the prepared file was made of: "train/good/3.png is newer".
// "" where they do not.
std::string changes_since(const PreparedHeader& header, const std::filesystem::path& folder,
                          const ImageFiles& files);

// The images, mapped; the digest is the header's, and `verify` reads every byte to compare it.
ImageSets read_prepared(const std::filesystem::path& folder, const std::string& command,
                        bool verify);

}  // namespace occam
