#include "images/prepare.h"

#include <chrono>
#include <future>
#include <map>

#include "images/load.h"
#include "images/places.h"
#include "tests/images/golden.h"
#include "tests/images/sample.h"

namespace occam {
namespace {

namespace fs = std::filesystem;

// A .npy of side x side pixels, all of one gray.
std::string gray_npy(int side, char gray) {
  std::string header = "{'descr': '|u1', 'fortran_order': False, 'shape': (" +
                       std::to_string(side) + ", " + std::to_string(side) + "), }";
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' + header +
         std::string(static_cast<std::size_t>(side * side), gray);
}

// train/good with 3 images, test/good with 2, test/bent with 1 and test/scratched with 2.
struct Screws {
  TemporaryFolder folder;
  fs::path path = folder.path() / "screws";
  Screws() {
    for (int i = 0; i < 3; ++i) write("train/good/" + std::to_string(i), 10 + i);
    for (int i = 0; i < 2; ++i) write("test/good/" + std::to_string(i), 20 + i);
    write("test/bent/0", 30);
    for (int i = 0; i < 2; ++i) write("test/scratched/" + std::to_string(i), 40 + i);
  }
  void write(const std::string& name, int gray) const {
    folder.write("screws/" + name + ".npy", gray_npy(20, static_cast<char>(gray)));
  }
  PreparedHeader prepare(int threads = 2) {
    calls = 0;
    return occam::prepare(path, folder_files(path, 16), threads,
                          [&](const PrepareProgress&) { ++calls; });
  }
  ImageSets read() const { return load(Dataset::folder, "screws", folder.path(), true); }
  int calls = 0;
};

void put(const fs::path& path, int place, char byte) {
  std::fstream(path, std::ios::in | std::ios::out | std::ios::binary).seekp(place).put(byte);
}

std::vector<int> grays(const ImageSet& set) {
  std::vector<int> found;
  for (std::int64_t row = 0; row < set.rows; ++row)
    found.push_back(set.bytes.get()[row * set.row_bytes()]);
  return found;
}

TEST(Prepare, DecodesAFolderOfOnesOwnImagesIntoOneFile) {
  Screws screws;
  const PreparedHeader header = screws.prepare();
  EXPECT_EQ(screws.calls, 8);
  EXPECT_EQ(header.labels, (std::vector<std::string>{"good", "bent", "scratched"}));
  const ImageSets sets = screws.read();
  EXPECT_EQ(sets.train.side, 16);
  EXPECT_EQ(grays(sets.train), (std::vector<int>{10, 11, 12}));
  EXPECT_EQ(grays(sets.test), (std::vector<int>{20, 21, 30, 40, 41}));
  EXPECT_EQ(sets.test.labels, (std::vector<std::int64_t>{0, 0, 1, 2, 2}));
  EXPECT_EQ(sets.digest, digest_of(sets.train, sets.test)) << "the digest of any data set";
}

TEST(Prepare, TakesTheSplitsOfATableOfFiles) {
  Screws screws;
  for (const char* folder : {"train", "test"})
    fs::rename(screws.path / folder, screws.path / ("my-" + std::string(folder)));
  screws.folder.write("screws/images.csv",
                      "label,path,split,comment\n"
                      "good,my-train/good/1.npy,train,\n"
                      "good,\"my-train/good/0.npy\",train,\"first, and quoted\"\n"
                      "good,my-test/good/0.npy,test,\n"
                      "scratched,my-test/scratched/1.npy,test,\r\n");
  const PreparedHeader header = screws.prepare();
  EXPECT_EQ(header.labels, (std::vector<std::string>{"good", "scratched"}));
  EXPECT_EQ(grays(screws.read().train), (std::vector<int>{11, 10})) << "in the table's order";
  EXPECT_EQ(grays(screws.read().test), (std::vector<int>{20, 41}));
}

TEST(Prepare, ReadsATableAsSpreadsheetsWriteIt) {
  Screws screws;
  screws.folder.write("screws/images.csv",
                      "\xEF\xBB\xBFpath,split,label\r\n"
                      "train/good/1.npy,train,good\r\n"
                      "test/good/0.npy,test,good\r\n"
                      "test/bent/0.npy,test,\"bent, \"\"badly\"\"\"\r\n");
  EXPECT_EQ(screws.prepare().labels, (std::vector<std::string>{"good", "bent, \"badly\""}));
  EXPECT_EQ(grays(screws.read().test), (std::vector<int>{20, 30}));
}

TEST(Prepare, RefusesATableThatSaysWhatItCannotMeanByLine) {
  Screws screws;
  const auto problem = [&](const std::string& text) {
    screws.folder.write("screws/images.csv", text);
    return message_of([&] { folder_files(screws.path, 16); });
  };
  const std::string start = "path,split,label\n";
  EXPECT_TRUE(has(problem("path,split\n"), "images.csv:1: has no column 'label'"));
  EXPECT_TRUE(has(problem(start + "a.png,train,good\nb.png,valid,good\n"),
                  "images.csv:3: split 'valid' is none of: train, test"));
  EXPECT_TRUE(
      has(problem(start + "a.png,train,bent\n"), "images.csv:2: a train image is labelled 'bent'"));
  EXPECT_TRUE(has(problem(start + "a.png,train,good\na.png,test,good\n"), "'a.png' stands twice"));
  EXPECT_TRUE(has(problem(start + "a/b.png,train,good\n./a/../a/b.png,test,good\n"),
                  "images.csv:3: 'a/b.png' stands twice"));
  EXPECT_TRUE(
      has(problem(start + "a.png,test, Good\n"), "images.csv:2: label 'Good' would be a fault"));
  EXPECT_TRUE(has(problem(start + "a.png,test,\n"), "images.csv:2: has no label"));
  EXPECT_TRUE(has(problem(start + ",test,good\n"), "images.csv:2: has no path"));
  EXPECT_TRUE(has(problem(start + "\"a.png,test,good\n"), "images.csv:2: has a quote that is not"));
  EXPECT_TRUE(has(problem("path,split,label,label\n"), "images.csv:1: has two columns 'label'"));
  EXPECT_TRUE(has(problem("path, splits,label\n"), "it has: path, splits, label"));
  EXPECT_TRUE(has(problem("path;split;label\na.png;train;good\n"),
                  "it has: path;split;label; columns are separated by commas"));
  EXPECT_TRUE(has(problem("path,split,label\ra.png,train,good\r"),
                  "images.csv:1: its lines end in CR alone; save it with LF or CR LF"));
  EXPECT_TRUE(
      has(problem(start + "a.png,test,ray\xe9\n"), "images.csv:2: label 'ray\xe9' is not UTF-8"));
  EXPECT_TRUE(has(problem(start + "a.png,train\n"), "has 2 fields where the first line has 3"));
  EXPECT_TRUE(has(problem(start + "a.png,train,good\nb.png,test,good\n"),
                  "test needs good images and others; it has 1 and 0"));
}

TEST(Prepare, NamesEveryFileThatIsBrokenAndGoesOnFromTheOthers) {
  Screws screws;
  screws.folder.write("screws/test/bent/0.npy", "broken");
  screws.folder.write("screws/train/good/1.npy", gray_npy(20, 1).substr(0, 90));
  const std::string problem = message_of([&] { screws.prepare(); });
  EXPECT_TRUE(has(problem, "2 of 8 images cannot be used")) << problem;
  EXPECT_TRUE(has(problem, (screws.path / "test/bent/0.npy").string() + ": is no JPEG")) << problem;
  EXPECT_TRUE(has(problem, (screws.path / "train/good/1.npy").string() + ": ")) << problem;
  EXPECT_TRUE(has(message_of([&] { screws.read(); }), "run: occam data prepare screws"));
  screws.write("test/bent/0", 30);
  fs::remove(screws.path / "train/good/1.npy");
  EXPECT_EQ(screws.prepare().train_rows, 2);
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(screws.path)) files += entry.is_regular_file();
  EXPECT_EQ(files, 1) << "no part of the files as they were is left behind";
}

// Stops a preparation of one thread by throwing after some images, then goes on.
TEST(Prepare, GoesOnWhereItWasStopped) {
  Screws screws, undisturbed;
  const std::string whole = undisturbed.prepare().digest;
  int calls = 0;
  const auto stopping = [&](const PrepareProgress&) {
    if (++calls == 3) throw Error("stopped");
  };
  EXPECT_EQ(message_of([&] { prepare(screws.path, folder_files(screws.path, 16), 1, stopping); }),
            "stopped");
  const PreparedHeader header = screws.prepare(1);
  EXPECT_EQ(screws.calls, 5) << "three were decoded before";
  EXPECT_EQ(header.digest, whole);
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(screws.path)) files += entry.is_regular_file();
  EXPECT_EQ(files, 1) << "no part is left behind";
}

TEST(Prepare, DoesNothingTwiceAndAllAgainWhenAFileChanges) {
  Screws screws;
  const std::string first = screws.prepare().digest;
  EXPECT_EQ(screws.prepare().digest, first);
  EXPECT_EQ(screws.calls, 0);
  screws.write("test/bent/1", 31);
  EXPECT_NE(screws.prepare().digest, first);
  EXPECT_EQ(screws.calls, 9);
}

TEST(Prepare, WaitsForAnotherAtTheSameFolderAndFindsItsWorkDone) {
  Screws screws;
  const ImageFiles files = folder_files(screws.path, 16);
  std::promise<void> waits;
  std::future<PreparedHeader> other;
  int calls = 0;
  const auto begin_other = [&](const PrepareProgress&) {
    if (other.valid()) return;
    other = std::async(std::launch::async, [&] {
      return prepare(
          screws.path, files, 1, [&](const PrepareProgress&) { ++calls; },
          [&] { waits.set_value(); });
    });
    waits.get_future().wait();
  };
  const std::string digest = prepare(screws.path, files, 1, begin_other).digest;
  EXPECT_EQ(other.get().digest, digest);
  EXPECT_EQ(calls, 0);
  EXPECT_FALSE(fs::exists(screws.path / "occam-images.bin.lock"));
}

TEST(Prepare, SaysHowTheFilesHaveChangedSince) {
  Screws screws;
  const auto changed = [&] {
    return changed_since_prepared(Dataset::folder, "screws", screws.folder.path());
  };
  const std::string start = "screws: its files have changed since they were decoded (",
                    end =
                        "), and trials see them as they were; run: occam data prepare screws "
                        "--data " +
                        screws.folder.path().string() + " --side 16";
  screws.prepare();
  EXPECT_EQ(changed(), "");
  const fs::path image = screws.path / "train/good/1.npy";
  const auto later = fs::last_write_time(prepared_path(screws.path)) + std::chrono::hours(1);
  fs::last_write_time(image, later);
  EXPECT_EQ(changed(), start + "train/good/1.npy is newer" + end);
  fs::last_write_time(image, later - std::chrono::hours(3));
  EXPECT_EQ(changed(), start + "their names, sizes, times or labels are others" + end);
  screws.write("test/bent/1", 31);
  EXPECT_EQ(changed(),
            start + "it has 3 train and 6 test images, where 3 and 5 were decoded" + end);
  fs::remove_all(screws.path / "test");
  EXPECT_EQ(changed(),
            start + (screws.path / "test/good").string() + ": there is no such folder" + end);
}

TEST(Prepare, IsAdvisedWithTheFolderThatWasNamed) {
  const Screws screws;
  EXPECT_TRUE(
      message_of([&] {
        screws.read();
      }).ends_with("; run: occam data prepare screws --data " + screws.folder.path().string()));
  EXPECT_EQ(data_command("prepare", "my screws", ""), "occam data prepare 'my screws'");
  EXPECT_EQ(data_command("check", "cifar10", "my data"),
            "occam data check cifar10 --data 'my data'");
}

TEST(Prepare, MakesADamagedFileAnew) {
  Screws screws;
  const std::string digest = screws.prepare().digest;
  fs::resize_file(prepared_path(screws.path), 100);
  EXPECT_EQ(screws.prepare().digest, digest);
  EXPECT_EQ(screws.calls, 8);
  for (const int place : {60000, 65536 + 5}) {  // of the header, and of an image
    put(prepared_path(screws.path), place, '\xff');
    EXPECT_EQ(screws.prepare().digest, digest);
    EXPECT_EQ(screws.calls, 8) << place;
    EXPECT_EQ(screws.read().digest, digest);
  }
}

TEST(Prepare, DoesNotDependOnHowManyDecodeAtOnce) {
  Screws one, four;
  EXPECT_EQ(one.prepare(1).digest, four.prepare(4).digest);
}

TEST(Prepare, SeesADamagedFileWhenAskedToVerify) {
  Screws screws;
  screws.prepare();
  const fs::path path = prepared_path(screws.path);
  put(path, 65536 + 5, 'x');
  EXPECT_TRUE(has(message_of([&] { screws.read(); }), "is damaged: its digest is not"));
  fs::resize_file(path, fs::file_size(path) - 1);
  EXPECT_TRUE(has(message_of([&] { screws.read(); }), "another size than its header says"));
  put(path, 60000, '\xff');
  EXPECT_TRUE(message_of([&] {
                screws.read();
              }).starts_with(path.string() + ": is damaged (its header cannot be read); run: "));
}

TEST(FolderFiles, AreRefusedWithAFileThatIsNoImage) {
  Screws screws;
  screws.folder.write("screws/train/good/notes.txt", "x");
  EXPECT_TRUE(has(message_of([&] { folder_files(screws.path, 16); }),
                  "notes.txt: is no JPEG, PNG or .npy"));
  fs::remove(screws.path / "train/good/notes.txt");
  screws.folder.write("screws/train/good/.DS_Store", "x");
  EXPECT_EQ(folder_files(screws.path, 16).train.size(), 3);
  screws.write("train/bent/0", 1);
  EXPECT_TRUE(
      has(message_of([&] { folder_files(screws.path, 16); }), "train holds good images alone"));
  fs::remove_all(screws.path / "train/bent");
  screws.write("test/9", 1);
  EXPECT_TRUE(has(message_of([&] { folder_files(screws.path, 16); }),
                  "9.npy: lies beside the folders of images, in none of them"));
}

TEST(FolderFiles, ThatCannotBeReadAreNamed) {
  Screws screws;
  const auto problem = [&] { return message_of([&] { folder_files(screws.path, 16); }); };
  const fs::path loop = screws.path / "train/good/loop", good = screws.path / "train/good";
  fs::create_directory_symlink(good, loop);
  EXPECT_EQ(problem(), loop.string() + ": is a link to " + fs::canonical(good).string() +
                           ", which it lies in, and so on without end; remove it");
  fs::remove(loop);
  fs::create_symlink("loop", loop);
  EXPECT_EQ(problem(), loop.string() +
                           ": cannot be read: Too many levels of symbolic links; mend that, or "
                           "move it elsewhere");
  fs::remove(loop);
  fs::create_symlink("nowhere", loop);
  EXPECT_EQ(problem(), loop.string() + ": is a link to nothing; mend or remove it");
  fs::remove(loop);
  const fs::path odd = screws.path / "test/ray\xe9";
  fs::create_directory(odd);
  EXPECT_EQ(problem(), odd.string() + ": its name is not UTF-8; rename it");
  fs::remove(odd);
  screws.write("train/good/ray\xe9", 7);
  EXPECT_EQ(screws.prepare().train_rows, 4) << "a file's name is no label";
}

TEST(FolderFiles, TellWhatTheyLeaveOut) {
  const Screws screws;
  const auto said = [&] { return left_out(screws.path, folder_files(screws.path, 16)); };
  EXPECT_EQ(said(), std::vector<std::string>{});
  fs::create_directory(screws.path / "test/loose");
  EXPECT_EQ(said(), std::vector<std::string>{"test/loose holds no image"});
  screws.folder.write("screws/images.csv",
                      "path,split,label\ntrain/good/1.npy,train,good\n"
                      "test/good/0.npy,test,good\ntest/bent/0.npy,test,bent\n");
  screws.write("test/.thumbs/0", 1);
  EXPECT_EQ(said(),
            std::vector<std::string>{"5 image files are in the folder but not in images.csv"});
  screws.folder.write("screws/images.csv",
                      "path, split, label\n" + (screws.path / "train/good/1.npy").string() +
                          ", train, good\n../screws/test/good/0.npy,test,good\n"
                          "test/bent/0.npy,test,bent\n");
  EXPECT_EQ(said(),
            std::vector<std::string>{"5 image files are in the folder but not in images.csv"});
}

TEST(FolderFiles, TakeNoFaultForGoodMisspelt) {
  const Screws screws;
  for (const char* name : {"Good", "good "}) {
    const fs::path path = screws.path / "test" / name;
    fs::create_directory(path);
    EXPECT_EQ(message_of([&] { folder_files(screws.path, 16); }),
              path.string() + ": would be a fault; good images lie in test/good");
    fs::remove(path);
  }
}

TEST(FolderFiles, LeaveOutWhatIsHidden) {
  Screws screws;
  for (const char* name : {"train/good/.thumbs/0", "train/.thumbs/0", "test/.thumbs/0"})
    screws.write(name, 1);
  const ImageFiles files = folder_files(screws.path, 16);
  EXPECT_EQ(files.train.size(), 3);
  EXPECT_EQ(files.labels, (std::vector<std::string>{"good", "bent", "scratched"}));
}

TEST(FolderFiles, HaveTheNamesOfLinksAndNotOfWhatTheseLinkTo) {
  Screws screws;
  const std::string digest = screws.prepare().digest;
  fs::create_directory(screws.folder.path() / "objects");
  for (int i = 0; i < 3; ++i) {
    const fs::path file = screws.path / "train/good" / (std::to_string(i) + ".npy");
    const fs::path object = screws.folder.path() / "objects" / std::to_string(9 - i);
    fs::rename(file, object);
    fs::create_symlink(object, file);
  }
  EXPECT_EQ(folder_files(screws.path, 16).train.at(0).path, "train/good/0.npy");
  EXPECT_EQ(screws.prepare().digest, digest);
}

TEST(FolderFiles, AreNoneOfAnotherSource) {
  Screws screws;
  screws.prepare();
  EXPECT_EQ(find_images(Dataset::folder, "screws", screws.path), screws.path);
  EXPECT_TRUE(has(message_of([&] { find_images(Dataset::folder, "bolts", screws.path); }),
                  "bolts: no train/good or images.csv in "));
  EXPECT_EQ(message_of([&] { find_images(Dataset::folder, screws.path.string(), ""); }),
            "'" + screws.path.string() +
                "' is a path; give the folder's name, and its parent with --data: screws --data " +
                screws.folder.path().string());
}

TEST(FolderFiles, NeedNotBeThereOnceTheyAreDecoded) {
  Screws screws;
  const std::string digest = screws.prepare().digest;
  for (const char* part : {"train", "test"}) fs::remove_all(screws.path / part);
  EXPECT_EQ(screws.read().digest, digest);
}

TEST(FindSource, TellsWhatATrialOfAFolderNeedsToKnow) {
  Screws screws;
  const std::string digest = screws.prepare().digest;
  Trial one;
  one.dataset = Dataset::folder;
  one.source.name = "screws";
  const SourceImages found = source_finder(screws.folder.path())(one);
  EXPECT_EQ(found.content, digest);
  EXPECT_EQ(found.train_rows, 3);
  EXPECT_EQ(found.test_rows, 5);
  EXPECT_EQ(found.side, 16);
  one.source.name = "";
  EXPECT_TRUE(
      has(message_of([&] { source_finder(screws.folder.path())(one); }), "needs \"source\""));
}

TEST(NumpyPermutations, AreThoseOfNumpyAfterSeed0) {
  const auto wanted = golden().at("permutations").get<std::vector<std::vector<std::int64_t>>>();
  std::vector<std::int64_t> counts;
  for (const auto& one : wanted) counts.push_back(static_cast<std::int64_t>(one.size()));
  EXPECT_EQ(numpy_permutations(counts), wanted);
}

// Two bits of Kaggle's folder would do, but the released split needs all 25,000 names.
TEST(CatsVsDogsFiles, AreTheReleasedSplitOfAllNames) {
  const TemporaryFolder folder;
  fs::create_directories(folder.path() / "train");
  for (const char* kind : {"cat", "dog"})
    for (int i = 0; i < 12'500; ++i)
      std::ofstream(folder.path() / "train" /
                    (std::string(kind) + "." + std::to_string(i) + ".jpg"));
  const ImageFiles files = cats_vs_dogs_files(folder.path());
  ASSERT_EQ(files.train.size(), 20'000);
  ASSERT_EQ(files.test.size(), 5'000);
  std::map<std::int64_t, int> train, test;
  for (const ImageFile& one : files.train) ++train[one.label];
  for (const ImageFile& one : files.test) ++test[one.label];
  EXPECT_EQ(train, (std::map<std::int64_t, int>{{0, 10'000}, {1, 10'000}}));
  EXPECT_EQ(test, (std::map<std::int64_t, int>{{0, 2'500}, {1, 2'500}}));
  // numpy.random.seed(0); sorted names of cats[numpy.random.permutation(12500)[0]], then dogs.
  EXPECT_EQ(files.train[0].path, golden().at("cats_vs_dogs")[0]);
  EXPECT_EQ(files.train[10'000].path, golden().at("cats_vs_dogs")[1]);
  EXPECT_EQ(files.test[4'999].path, golden().at("cats_vs_dogs")[2]);
  fs::remove(folder.path() / "train/cat.7.jpg");
  EXPECT_TRUE(
      has(message_of([&] { cats_vs_dogs_files(folder.path()); }), "holds 12499 cats, not 12500"));
}

struct CelebA {
  TemporaryFolder folder;
  CelebA() {
    std::string attributes = "4\n", names;
    for (const std::string& name : facts(Dataset::celeba).classes) names += name + " ";
    attributes += names + "\n";
    // Image i has attribute 15 (Eyeglasses) when i is even.
    for (int i = 1; i <= 4; ++i) {
      attributes += "00000" + std::to_string(i) + ".jpg ";
      for (int at = 0; at < 40; ++at) attributes += at == 15 && i % 2 == 0 ? "  1" : " -1";
      attributes += "\n";
      folder.write("celeba/img_align_celeba/00000" + std::to_string(i) + ".jpg",
                   from_base64(golden().at("celeba").at("file")));
    }
    folder.write("celeba/list_attr_celeba.txt", attributes);
    folder.write("celeba/list_eval_partition.txt",
                 "000001.jpg 0\n000002.jpg 0\n000003.jpg 1\n000004.jpg 2\n");
  }
};

TEST(CelebA, IsPreparedWithItsPartitionsAttributesAndCrop) {
  const CelebA celeba;
  const fs::path folder = find_images(Dataset::celeba, "", celeba.folder.path());
  prepare(folder, celeba_files(folder), 2, [](const PrepareProgress&) {});
  const ImageSets sets = load(Dataset::celeba, "", celeba.folder.path(), true);
  EXPECT_EQ(sets.train.labels, (std::vector<std::int64_t>{0, 1 << 15}));
  EXPECT_EQ(sets.test.labels, (std::vector<std::int64_t>{1 << 15})) << "image 3 is of validation";
  // Planes here, pixels there.
  const auto wanted = bytes_in(golden().at("celeba").at("made"));
  int most = 0;
  for (std::size_t pixel = 0; pixel < 64 * 64; ++pixel)
    for (std::size_t c = 0; c < 3; ++c)
      most = std::max(most, std::abs(int{sets.train.bytes.get()[c * 64 * 64 + pixel]} -
                                     int{wanted[3 * pixel + c]}));
  EXPECT_LE(most, 2);
  Trial one;
  one.dataset = Dataset::celeba;
  one.inlier = "Eyeglasses";
  const SourceImages found = source_finder(celeba.folder.path())(one);
  EXPECT_EQ(found.train_rows, 1) << "without the attribute";
  EXPECT_EQ(found.test_rows, 1);
}

TEST(CelebA, WithListsThatSayOtherwiseIsRefusedByLine) {
  const CelebA celeba;
  const fs::path folder = celeba.folder.path() / "celeba";
  const auto problem = [&] { return message_of([&] { celeba_files(folder); }); };
  celeba.folder.write("celeba/list_eval_partition.txt", "000001.jpg 0\n000009.jpg 2\n");
  EXPECT_TRUE(has(problem(), "list_eval_partition.txt:2: names 000009.jpg, which"));
  celeba.folder.write("celeba/list_eval_partition.txt", "000001.jpg 3\n");
  EXPECT_TRUE(has(problem(), "list_eval_partition.txt:1: is no image's name and 0, 1 or 2"));
  celeba.folder.write("celeba/list_attr_celeba.txt", "1\nBald\n000001.jpg 1\n");
  EXPECT_TRUE(has(problem(), "list_attr_celeba.txt:2: does not name the 40 attributes"));
}

}  // namespace
}  // namespace occam
