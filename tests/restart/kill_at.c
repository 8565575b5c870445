// Ends the process with SIGKILL in the middle of writing a file; loaded by LD_PRELOAD into a program
// that knows nothing of it. PALIMPSEST_KILL_AT="POINT N": at the N-th file that is written under a
// temporary name (*.tmp), at one of the points create, half, close, fsync, rename.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char current[4096];  // the temporary file being written
static int files = 0;       // begun so far

static int is_temporary(const char* path) {
  const size_t length = strlen(path);
  return length > 4 && strcmp(path + length - 4, ".tmp") == 0;
}

// The N of "POINT N" when this is the point, else 0.
static int number_of(const char* point) {
  const char* at = getenv("PALIMPSEST_KILL_AT");
  const size_t length = strlen(point);
  if (!at || strncmp(at, point, length) != 0 || at[length] != ' ') return 0;
  return atoi(at + length);
}

static void reach(const char* point) {
  if (files > 0 && number_of(point) == files) kill(getpid(), SIGKILL);
}

// Counts a temporary file when its first byte is about to be written. 1 when `fd` is one.
static int note_write(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  if (!is_temporary(path)) return 0;
  pthread_mutex_lock(&mutex);
  if (strcmp(path, current) != 0) {
    strcpy(current, path);
    ++files;
    reach("create");
  }
  pthread_mutex_unlock(&mutex);
  return 1;
}

ssize_t write(int fd, const void* bytes, size_t count) {
  ssize_t (*real)(int, const void*, size_t) = dlsym(RTLD_NEXT, "write");
  if (!note_write(fd)) return real(fd, bytes, count);
  if (number_of("half") == files) (void)!real(fd, bytes, count / 2);
  reach("half");
  return real(fd, bytes, count);
}

ssize_t writev(int fd, const struct iovec* parts, int count) {
  ssize_t (*real)(int, const struct iovec*, int) = dlsym(RTLD_NEXT, "writev");
  if (note_write(fd)) reach("half");
  return real(fd, parts, count);
}

static ssize_t write_at(const char* name, int fd, const void* bytes, size_t count, off_t offset) {
  ssize_t (*real)(int, const void*, size_t, off_t) = dlsym(RTLD_NEXT, name);
  if (!note_write(fd)) return real(fd, bytes, count, offset);
  if (number_of("half") == files) (void)!real(fd, bytes, count / 2, offset);
  reach("half");
  return real(fd, bytes, count, offset);
}

ssize_t pwrite(int fd, const void* bytes, size_t count, off_t offset) {
  return write_at("pwrite", fd, bytes, count, offset);
}

ssize_t pwrite64(int fd, const void* bytes, size_t count, off_t offset) {
  return write_at("pwrite64", fd, bytes, count, offset);
}

// The program syncs a file only after it has closed it.
int fsync(int fd) {
  int (*real)(int) = dlsym(RTLD_NEXT, "fsync");
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  path[length > 0 ? length : 0] = 0;
  if (!is_temporary(path)) return real(fd);
  reach("close");
  const int result = real(fd);
  reach("fsync");
  return result;
}

int rename(const char* from, const char* to) {
  int (*real)(const char*, const char*) = dlsym(RTLD_NEXT, "rename");
  const int result = real(from, to);
  if (is_temporary(from)) reach("rename");
  return result;
}
