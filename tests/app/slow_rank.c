// Loaded into the program: rank 0 waits before it hashes a large part of anything, as if it read that from a slow disk.
// PALIMPSEST_SLOW_MS: milliseconds a MiB; _BYTES: what is large (half a MiB); _AFTER: how many such parts go by first (0).
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

static int number(const char* name, int otherwise) {
  const char* text = getenv(name);
  return text ? atoi(text) : otherwise;
}

int EVP_DigestUpdate(void* context, const void* data, size_t size) {
  static int (*hash)(void*, const void*, size_t);
  static int parts;
  if (!hash) hash = (int (*)(void*, const void*, size_t))dlsym(RTLD_NEXT, "EVP_DigestUpdate");
  const int is_large = size >= (size_t)number("PALIMPSEST_SLOW_BYTES", 1 << 19);
  if (number("OMPI_COMM_WORLD_RANK", -1) == 0 && is_large && parts++ >= number("PALIMPSEST_SLOW_AFTER", 0))
    usleep((useconds_t)(1000.0 * number("PALIMPSEST_SLOW_MS", 0) * (double)size / (1 << 20)));
  return hash(context, data, size);
}
