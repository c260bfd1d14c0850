/* Makes a disk fail and a clock lie, for one process tree, while it runs.
 *
 * Preloaded (LD_PRELOAD) by tests/rig. Behaviour comes from a page of memory shared with the test: the file named by
 * RIG_SHIM, laid out as `struct control` below; tests/rig/shim.py writes the same layout. A rule strikes a call whose
 * path (or whose descriptor's path, from /proc/self/fd) begins with the rule's prefix. Rules are read without a lock: the
 * writer clears `calls` first and sets it last.
 *
 * syncfs is reached here also when it is called through ctypes: dlsym looks in the global scope, where a preloaded
 * library comes before libc.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { CALL_OPEN = 1, CALL_WRITE = 2, CALL_WRITEV = 4, CALL_FSYNC = 8, CALL_SYNCFS = 16, CALL_RENAME = 32,
       CALL_UNLINK = 64, CALL_TRUNCATE = 128, CALL_FALLOCATE = 256, CALL_MKDIR = 512 };
enum { SHORT_WRITE = -1 };
#define MAX_RULES 16

struct rule {
    volatile uint32_t calls;      /* which calls it strikes; 0: the rule is empty */
    volatile int32_t error;       /* errno, 0 for none, SHORT_WRITE for half of the bytes */
    volatile uint32_t delay_ms;   /* before the call */
    volatile uint32_t percent;    /* share of the calls that are struck */
    volatile int32_t remaining;   /* how many more; negative: without end */
    volatile uint32_t hits;
    char prefix[232];
};

struct control {
    volatile int64_t clock_offset_ns;   /* added to CLOCK_REALTIME */
    volatile int64_t clock_drift_ppb;   /* and this many billionths of the monotonic time since drift_from_ns */
    volatile int64_t drift_from_ns;
    volatile uint32_t seed;
    volatile uint32_t unused;
    struct rule rules[MAX_RULES];
};

static struct control *control;

#define REAL(name) ({ static __typeof__(&name) real_; if (!real_) real_ = (__typeof__(&name))dlsym(RTLD_NEXT, #name); real_; })

__attribute__((constructor)) static void attach(void)
{
    const char *path = getenv("RIG_SHIM");
    if (!path) return;
    int fd = (int)REAL(open)(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    void *memory = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    REAL(close)(fd);
    if (memory != MAP_FAILED) control = memory;
}

static uint32_t roll(void)
{
    uint32_t x = __atomic_add_fetch(&control->seed, 0x9e3779b9u, __ATOMIC_RELAXED);
    x ^= x >> 16; x *= 0x85ebca6bu; x ^= x >> 13; x *= 0xc2b2ae35u; x ^= x >> 16;
    return x % 100;
}

/* What to do with a call: an errno, SHORT_WRITE or 0. Sleeps the delay. */
static int judge(uint32_t call, const char *path, int fd)
{
    char found[PATH_MAX];
    if (!control) return 0;
    for (int i = 0; i < MAX_RULES; i++) {
        struct rule *rule = &control->rules[i];
        if (!(rule->calls & call)) continue;
        if (!path) {
            char link[32];
            snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
            ssize_t length = readlink(link, found, sizeof found - 1);
            if (length <= 0) return 0;
            found[length] = 0;
            path = found;
        }
        if (strncmp(path, rule->prefix, strlen(rule->prefix))) continue;
        if (rule->percent < 100 && roll() >= rule->percent) continue;
        if (rule->remaining == 0) continue;
        if (rule->remaining > 0) __atomic_sub_fetch(&rule->remaining, 1, __ATOMIC_RELAXED);
        __atomic_add_fetch(&rule->hits, 1, __ATOMIC_RELAXED);
        if (rule->delay_ms) {
            /* In small steps: a rule that is lifted ends the wait. */
            for (uint32_t waited = 0; waited < rule->delay_ms && rule->calls; waited += 20) {
                struct timespec step = {0, 20000000};
                nanosleep(&step, NULL);
            }
        }
        if (rule->error) return rule->error;
    }
    return 0;
}

#define STRIKE(call, path, fd) do { int error_ = judge(call, path, fd); \
    if (error_ > 0) { errno = error_; return -1; } } while (0)

int open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    if (flags & (O_CREAT | O_TMPFILE)) { va_list list; va_start(list, flags); mode = va_arg(list, mode_t); va_end(list); }
    if (flags & (O_WRONLY | O_RDWR | O_CREAT)) STRIKE(CALL_OPEN, path, -1);
    return REAL(open)(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    mode_t mode = 0;
    if (flags & (O_CREAT | O_TMPFILE)) { va_list list; va_start(list, flags); mode = va_arg(list, mode_t); va_end(list); }
    if (flags & (O_WRONLY | O_RDWR | O_CREAT)) STRIKE(CALL_OPEN, path, -1);
    return REAL(open64)(path, flags, mode);
}

ssize_t write(int fd, const void *bytes, size_t count)
{
    int error = judge(CALL_WRITE, NULL, fd);
    if (error > 0) { errno = error; return -1; }
    return REAL(write)(fd, bytes, error == SHORT_WRITE && count > 1 ? count / 2 : count);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    int error = judge(CALL_WRITEV, NULL, fd);
    if (error > 0) { errno = error; return -1; }
    if (error == SHORT_WRITE) {
        if (count > 1) return REAL(writev)(fd, parts, count / 2);
        return REAL(write)(fd, parts[0].iov_base, parts[0].iov_len > 1 ? parts[0].iov_len / 2 : parts[0].iov_len);
    }
    return REAL(writev)(fd, parts, count);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at)
{
    STRIKE(CALL_WRITE, NULL, fd);
    return REAL(pwrite64)(fd, bytes, count, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at)
{
    STRIKE(CALL_WRITE, NULL, fd);
    return REAL(pwrite)(fd, bytes, count, at);
}

int fsync(int fd) { STRIKE(CALL_FSYNC, NULL, fd); return REAL(fsync)(fd); }
int fdatasync(int fd) { STRIKE(CALL_FSYNC, NULL, fd); return REAL(fdatasync)(fd); }
int syncfs(int fd) { STRIKE(CALL_SYNCFS, NULL, fd); return REAL(syncfs)(fd); }
int ftruncate(int fd, off_t length) { STRIKE(CALL_TRUNCATE, NULL, fd); return REAL(ftruncate)(fd, length); }
int ftruncate64(int fd, off64_t length) { STRIKE(CALL_TRUNCATE, NULL, fd); return REAL(ftruncate64)(fd, length); }
int unlink(const char *path) { STRIKE(CALL_UNLINK, path, -1); return REAL(unlink)(path); }
int mkdir(const char *path, mode_t mode) { STRIKE(CALL_MKDIR, path, -1); return REAL(mkdir)(path, mode); }

int rename(const char *from, const char *to)
{
    STRIKE(CALL_RENAME, from, -1);
    return REAL(rename)(from, to);
}

int posix_fallocate(int fd, off_t at, off_t length)
{
    int error = judge(CALL_FALLOCATE, NULL, fd);   /* returns the error instead of setting errno */
    return error > 0 ? error : REAL(posix_fallocate)(fd, at, length);
}

int posix_fallocate64(int fd, off64_t at, off64_t length)
{
    int error = judge(CALL_FALLOCATE, NULL, fd);
    return error > 0 ? error : REAL(posix_fallocate64)(fd, at, length);
}

/* The wall clock; the monotonic one stays true. */

static int64_t wall_offset_ns(void)
{
    int64_t offset = control->clock_offset_ns;
    int64_t ppb = control->clock_drift_ppb;
    if (ppb) {
        struct timespec now;
        REAL(clock_gettime)(CLOCK_MONOTONIC, &now);
        int64_t since = now.tv_sec * 1000000000LL + now.tv_nsec - control->drift_from_ns;
        offset += (int64_t)((__int128)since * ppb / 1000000000LL);
    }
    return offset;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int code = REAL(clock_gettime)(clock, now);
    if (code || !control || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)) return code;
    int64_t ns = now->tv_sec * 1000000000LL + now->tv_nsec + wall_offset_ns();
    now->tv_sec = ns / 1000000000LL;
    now->tv_nsec = ns % 1000000000LL;
    return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec exact;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &exact)) return -1;
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *seconds)
{
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (seconds) *seconds = exact.tv_sec;
    return exact.tv_sec;
}
