/* Moves the time of day of a process and slows down what it stores, as a file says; loaded before its other libraries.

   The file holds two signed 64-bit numbers, the seconds by which the clock is off and the milliseconds that each call to
   the storage takes more. It stays mapped, so that whoever writes to it is obeyed at once. The monotonic clock is left
   alone, as it is when somebody sets a machine's clock. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct told {
    int64_t offset; /* seconds */
    int64_t slow;   /* milliseconds */
};

static const struct told nothing;
static const volatile struct told *told = &nothing;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("CHAOS_TAMPER");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *mapped = mmap(NULL, sizeof *told, PROT_READ, MAP_SHARED, file, 0);
    if (mapped != MAP_FAILED)
        told = mapped;
    close(file);
}

int clock_gettime(clockid_t which, struct timespec *now)
{
    int failed = (int)syscall(SYS_clock_gettime, which, now);
    if (!failed && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE))
        now->tv_sec += told->offset;
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec found;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &found))
        return -1;
    now->tv_sec = found.tv_sec;
    now->tv_usec = found.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now)
{
    struct timespec found;
    if (clock_gettime(CLOCK_REALTIME, &found))
        return (time_t)-1;
    if (now)
        *now = found.tv_sec;
    return found.tv_sec;
}

static void dawdle(void)
{
    int64_t slow = told->slow;
    struct timespec left = {slow / 1000, slow % 1000 * 1000000};
    while (slow > 0 && nanosleep(&left, &left))
        ;
}

int fsync(int file)
{
    dawdle();
    return (int)syscall(SYS_fsync, file);
}

ssize_t pwrite(int file, const void *data, size_t size, off_t at)
{
    dawdle();
    return syscall(SYS_pwrite64, file, data, size, at);
}

ssize_t pwrite64(int file, const void *data, size_t size, off64_t at)
{
    dawdle();
    return syscall(SYS_pwrite64, file, data, size, at);
}

ssize_t copy_file_range(int from, off64_t *at, int to, off64_t *there, size_t size, unsigned int flags)
{
    dawdle();
    return syscall(SYS_copy_file_range, from, at, to, there, size, flags);
}
