// Loaded into a program (LD_PRELOAD) to measure what its safety costs: nothing is synced.
#include <fcntl.h>
#include <unistd.h>

extern "C" {
int fsync(int) { return 0; }
int fdatasync(int) { return 0; }
int syncfs(int) noexcept { return 0; }
int sync_file_range(int, off64_t, off64_t, unsigned) { return 0; }
}
