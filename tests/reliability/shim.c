/* Preloaded, it makes the system fail as bad machines do; variables of the environment say how, asked at each call.

   SHIM_FULL=N    the N-th and every later write below SHIM_UNDER finds the disk full: write, fsync, rename, mkdir, a new file;
                  with SHIM_ERRNO it fails in another way, as EROFS or EACCES
   SHIM_COUNT=F   the file F gets a byte for each such call, so that all processes of a command count together
   SHIM_SYMLINK, SHIM_FLOCK   the errno of every symbolic link, of every lock
   SHIM_SHM       no file below /dev/shm can be made
   SHIM_BACK      each look at the clock sees an earlier time, a second a look */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(real))dlsym(RTLD_NEXT, #name)

static int fails(const char *name) {
    const char *wanted = getenv(name);
    if (!wanted) return 0;
    errno = atoi(wanted);
    return 1;
}

/* Say whether a write to PATH fails, and count it; a path that is not below SHIM_UNDER is none of ours. */
static int full(const char *path) {
    const char *under = getenv("SHIM_UNDER"), *count = getenv("SHIM_COUNT"), *limit = getenv("SHIM_FULL");
    char here[PATH_MAX];
    if (!under || !count) return 0;
    if (path[0] != '/' && getcwd(here, sizeof here)) path = here;
    if (strncmp(path, under, strlen(under))) return 0;
    int handle = syscall(SYS_openat, AT_FDCWD, count, O_WRONLY | O_CREAT | O_APPEND, 0666);
    syscall(SYS_write, handle, "x", 1);
    long done = syscall(SYS_lseek, handle, 0L, SEEK_END);
    syscall(SYS_close, handle);
    if (!limit || done < atol(limit)) return 0;
    if (!fails("SHIM_ERRNO")) errno = ENOSPC;
    return 1;
}

static int full_handle(int handle) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", handle);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return full(path);
}

ssize_t write(int h, const void *b, size_t n) { REAL(write); return full_handle(h) ? -1 : real(h, b, n); }
ssize_t pwrite64(int h, const void *b, size_t n, off64_t o) { REAL(pwrite64); return full_handle(h) ? -1 : real(h, b, n, o); }
ssize_t writev(int h, const struct iovec *v, int n) { REAL(writev); return full_handle(h) ? -1 : real(h, v, n); }
int fsync(int h) { REAL(fsync); return full_handle(h) ? -1 : real(h); }
int fdatasync(int h) { REAL(fdatasync); return full_handle(h) ? -1 : real(h); }
int rename(const char *a, const char *b) { REAL(rename); return full(b) ? -1 : real(a, b); }
int mkdir(const char *p, mode_t m) { REAL(mkdir); return full(p) ? -1 : real(p, m); }
int symlink(const char *a, const char *b) { REAL(symlink); return fails("SHIM_SYMLINK") || full(b) ? -1 : real(a, b); }
int flock(int h, int o) { REAL(flock); return fails("SHIM_FLOCK") ? -1 : real(h, o); }

static int lock(int h, int command, void *argument) {
    REAL(fcntl64);
    int setting = command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK;
    return setting && fails("SHIM_FLOCK") ? -1 : real(h, command, argument);
}
int fcntl64(int h, int command, ...) {
    va_list rest; va_start(rest, command); void *argument = va_arg(rest, void *); va_end(rest);
    return lock(h, command, argument);
}
int fcntl(int h, int command, ...) {
    va_list rest; va_start(rest, command); void *argument = va_arg(rest, void *); va_end(rest);
    return lock(h, command, argument);
}

static int refused(const char *path, int flags) {
    if (!(flags & O_CREAT)) return getenv("SHIM_ERRNO") && flags & O_ACCMODE ? full(path) : 0;
    if (getenv("SHIM_SHM") && !strncmp(path, "/dev/shm", 8)) { errno = ENOSPC; return 1; }
    return full(path);
}
int open64(const char *path, int flags, ...) {
    REAL(open64);
    va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest);
    return refused(path, flags) ? -1 : real(path, flags, mode);
}
int open(const char *path, int flags, ...) {
    REAL(open);
    va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest);
    return refused(path, flags) ? -1 : real(path, flags, mode);
}

int clock_gettime(clockid_t which, struct timespec *now) {
    static long looks;
    int done = syscall(SYS_clock_gettime, which, now);
    if (which == CLOCK_REALTIME && getenv("SHIM_BACK")) now->tv_sec -= __sync_add_and_fetch(&looks, 1);
    return done;
}
time_t time(time_t *into) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (into) *into = now.tv_sec;
    return now.tv_sec;
}
