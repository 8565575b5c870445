#pragma once
// Small records, temporary folders and ways to damage files, for the tests of this folder.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "../../src/format/h5.h"
#include "palimpsest/core/error.h"
#include "palimpsest/format/records.h"

namespace palimpsest {

// A separate folder for each test, removed afterwards.
class FolderTest : public testing::Test {
 protected:
  FolderTest();
  ~FolderTest() override;
  std::filesystem::path at(const std::string& name) const { return folder_ / name; }

  std::filesystem::path folder_;
};

// Where the sample states have S0 and S1.
inline const std::string kCurvatureName = "curvature/empirical:scale=secant";
// A flat adapted vector that the root keeps.
void put_flat(NamedTensors& memory, const std::string& name, std::vector<double> values);

TaskRecord sample_task(std::int64_t index);
StateRecord sample_state(std::int64_t tasks_done);
MergedRecord sample_merged();
CurvatureRecord sample_curvature();
StepRecord sample_step(std::int64_t task, std::int64_t steps_done);
// The same without adapter, merge and curvature.
TaskRecord frozen_task(std::int64_t index);
StateRecord frozen_state(std::int64_t tasks_done);

std::string read_bytes(const std::filesystem::path& path);
void write_bytes(const std::filesystem::path& path, const std::string& bytes);
// Flips one bit of the byte at the first occurrence of `pattern`, `offset` bytes into it.
void flip_bit_at(const std::filesystem::path& path, const std::string& pattern,
                 std::size_t offset = 0);

// Calls `check` with a random bit of the file flipped, kFlips times, and puts the file back. The
// same bits in every run.
inline constexpr int kFlips = 200;
void each_flip(const std::filesystem::path& path, const std::function<void()>& check);

// Opens an HDF5 file for changes that H5Writer would never make.
void change_hdf5(const std::filesystem::path& path, const std::function<void(hid_t)>& change);
void replace_text_attribute(hid_t file, const char* object, const char* name,
                            const std::string& value);
// Replaces a dataset by another of the given type and shape, zeros, with creation properties as
// given.
void replace_dataset(hid_t file, const char* path, hid_t type, const std::vector<hsize_t>& dims,
                     hid_t creation = H5P_DEFAULT);

template <typename Number>
std::string little_endian(std::initializer_list<Number> numbers) {
  return std::string(reinterpret_cast<const char*>(numbers.begin()),
                     numbers.size() * sizeof(Number));
}

// Runs `action` and returns the message of the Expected error it must throw.
template <typename Expected>
std::string error_message(const std::function<void()>& action) {
  try {
    action();
  } catch (const Expected& error) {
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "another class of error: " << error.what();
    return "";
  }
  ADD_FAILURE() << "no error";
  return "";
}

}  // namespace palimpsest
