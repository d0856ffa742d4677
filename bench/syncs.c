/* SPDX-License-Identifier: MIT */
/* syncs: counts how long a process waits for its disk, and its threads for Python's GIL.
 *
 * Build:  cc -O2 -shared -fPIC -o syncs.so syncs.c
 * Use:    LD_PRELOAD=syncs.so SYNCS=FILE python ...     one line of JSON in FILE when the process ends
 * Only CPython waits with pthread_cond_timedwait for the GIL; other libraries with threads of their own do so too, so
 * the figures of a store with such threads mean nothing.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define MOST 1000000
static uint32_t took[MOST]; /* nanoseconds of each wait for the disk, at most 4 s */
static long syncs;
static uint64_t synced, waited[2];
static long waits[2]; /* 0: the main thread, 1: all others */
static __thread int other = -1;

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static int counted(int (*real)(int), int fd) {
    uint64_t begun = now_ns();
    int result = real(fd);
    uint64_t spent = now_ns() - begun;
    long at = __atomic_fetch_add(&syncs, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&synced, spent, __ATOMIC_RELAXED);
    if (at < MOST) took[at] = spent > UINT32_MAX ? UINT32_MAX : spent;
    return result;
}

int fdatasync(int fd) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    return counted(real, fd);
}

int fsync(int fd) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    return counted(real, fd);
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until) {
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    if (!real)
        real = (int (*)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *))dlsym(RTLD_NEXT,
                                                                                          "pthread_cond_timedwait");
    if (other < 0) other = gettid() != getpid();
    uint64_t begun = now_ns();
    int result = real(cond, mutex, until);
    __atomic_fetch_add(&waited[other], now_ns() - begun, __ATOMIC_RELAXED);
    __atomic_fetch_add(&waits[other], 1, __ATOMIC_RELAXED);
    return result;
}

static int ordered(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

__attribute__((destructor)) static void report(void) {
    const char *name = getenv("SYNCS");
    FILE *file = name ? fopen(name, "w") : 0;
    if (!file) return;
    long kept = syncs < MOST ? syncs : MOST;
    qsort(took, kept, sizeof *took, ordered);
    double p50 = kept ? took[kept / 2] / 1e3 : 0, p99 = kept ? took[kept * 99 / 100] / 1e3 : 0;
    fprintf(file,
            "{\"syncs\":%ld,\"sync_s\":%.4f,\"sync_us\":{\"p50\":%.1f,\"p99\":%.1f},\"gil_main_s\":%.4f,"
            "\"gil_main_waits\":%ld,\"gil_writer_s\":%.4f,\"gil_writer_waits\":%ld}\n",
            syncs, synced / 1e9, p50, p99, waited[0] / 1e9, waits[0], waited[1] / 1e9, waits[1]);
    fclose(file);
}
