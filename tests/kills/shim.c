/* SPDX-License-Identifier: MIT */
/* Preloaded into a process that writes a store: notes what it does to the files below a folder, and spoils it.
 *
 * SHIM_ROOT     the folder; other files are left alone
 * SHIM_CONTROL  a file with a `struct control`, shared with the test
 * SHIM_LOG      where each operation is noted, in order; absent: nothing is noted
 *
 * A note is a `struct note`, the path relative to the folder, and the data (WRITE) or the new path (RENAME).
 */
#define _GNU_SOURCE
#undef _FORTIFY_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE = 1, SYNC = 2, RENAME = 4, UNLINK = 8, TRUNCATE = 16, SYNC_FAILED = 32, SYNCED_WRITE = 64 };
enum { NOTHING, KILL_BEFORE, KILL_AFTER, KILL_AMID, FAIL };

struct control {
    int32_t action;    /* what happens */
    int32_t on;        /* at which operations: a sum of the first enum */
    int32_t countdown; /* at the n-th of them; 0: nothing happens */
    int32_t times;     /* FAIL: so many fail; negative: all from then on */
    int32_t error;     /* FAIL: the errno */
    int32_t hits;      /* counts what was done */
    int32_t seen;      /* counts operations that match */
    char text[64];     /* the path has to contain this, or end with it if a $ follows */
};

struct note {
    uint32_t kind;
    uint32_t path;
    uint64_t offset;
    uint64_t size;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct control idle, *control = &idle;
static char root[4096];
static size_t root_size;
static int log_fd = -1;



__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("SHIM_ROOT"), *shared = getenv("SHIM_CONTROL"), *log = getenv("SHIM_LOG");
    if (!folder || !shared)
        return;
    root_size = strlen(folder);
    if (root_size >= sizeof root)
        abort();
    memcpy(root, folder, root_size + 1);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, shared, O_RDWR | O_CLOEXEC, 0);
    if (fd < 0)
        abort();
    void *at = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    if (at == MAP_FAILED)
        abort();
    control = at;
    if (log && *log) {
        log_fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        if (log_fd < 0)
            abort();
        int high = fcntl(log_fd, F_DUPFD_CLOEXEC, 700); /* out of the way of a program that closes all it knows */
        if (high >= 0) {
            syscall(SYS_close, log_fd);
            log_fd = high;
        }
    }
}

/* The path below the folder, or NULL. */
static const char *below(const char *path) {
    if (!root_size || strncmp(path, root, root_size) || path[root_size] != '/')
        return NULL;
    return path + root_size + 1;
}

static const char *of_fd(int fd, char *buffer, size_t size) {
    if (!root_size)
        return NULL;
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, buffer, size - 1);
    if (length <= 0)
        return NULL;
    buffer[length] = 0;
    return below(buffer);
}

static const char *of_path(int dir, const char *path, char *buffer, size_t size) {
    if (!root_size)
        return NULL;
    if (path[0] == '/')
        return below(path);
    char folder[4096];
    if (dir == AT_FDCWD) {
        if (!getcwd(folder, sizeof folder))
            return NULL;
    } else {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
        ssize_t length = readlink(link, folder, sizeof folder - 1);
        if (length <= 0)
            return NULL;
        folder[length] = 0;
    }
    if ((size_t)snprintf(buffer, size, "%s/%s", folder, path) >= size)
        return NULL;
    return below(buffer);
}

static void put(const void *data, size_t size) {
    const char *at = data;
    while (size) {
        ssize_t done = syscall(SYS_write, log_fd, at, size);
        if (done <= 0)
            abort();
        at += done;
        size -= (size_t)done;
    }
}

static void note(uint32_t kind, const char *path, uint64_t offset, const void *data, uint64_t size, int has_data) {
    if (log_fd < 0)
        return;
    char head[sizeof(struct note) + 4096];
    struct note one = {kind, (uint32_t)strlen(path), offset, size};
    memcpy(head, &one, sizeof one);
    memcpy(head + sizeof one, path, one.path);
    put(head, sizeof one + one.path);
    if (has_data)
        put(data, size);
}

static void die(void) {
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;)
        pause();
}

/* What is to be done at this operation. */
static int due(int kind, const char *path) {
    if (control->action == NOTHING || !(control->on & kind) || control->countdown <= 0)
        return NOTHING;
    size_t size = strlen(control->text), all = strlen(path);
    if (size && control->text[size - 1] == '$') { /* the path ends with it */
        if (all < size - 1 || strncmp(path + all - (size - 1), control->text, size - 1))
            return NOTHING;
    } else if (size && !strstr(path, control->text)) {
        return NOTHING;
    }
    control->seen++;
    if (control->countdown > 1) {
        control->countdown--;
        return NOTHING;
    }
    control->hits++;
    if (control->action == FAIL) {
        if (control->times == 0) {
            control->hits--;
            return NOTHING;
        }
        if (control->times > 0)
            control->times--;
        return FAIL;
    }
    return control->action;
}

static int direct_sync(int fd) {
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_DSYNC);
}

static ssize_t written(int fd, const void *data, size_t size, off_t offset, int placed) {
    char buffer[4096];
    const char *path = of_fd(fd, buffer, sizeof buffer);
    if (!path)
        return placed ? syscall(SYS_pwrite64, fd, data, size, offset) : syscall(SYS_write, fd, data, size);
    pthread_mutex_lock(&mutex);
    int what = due(WRITE, path);
    if (what == FAIL) {
        pthread_mutex_unlock(&mutex);
        errno = control->error;
        return -1;
    }
    if (what == KILL_BEFORE)
        die();
    if (what == KILL_AMID && size > 1)
        size /= 2;
    off_t at = offset;
    if (!placed) {
        struct stat now;
        at = (fcntl(fd, F_GETFL) & O_APPEND) && !fstat(fd, &now) ? now.st_size : lseek(fd, 0, SEEK_CUR);
    }
    ssize_t done = placed ? syscall(SYS_pwrite64, fd, data, size, offset) : syscall(SYS_write, fd, data, size);
    int kept = errno;
    if (done > 0)
        note(direct_sync(fd) ? SYNCED_WRITE : WRITE, path, (uint64_t)at, data, (uint64_t)done, 1);
    if (what == KILL_AFTER || what == KILL_AMID)
        die();
    pthread_mutex_unlock(&mutex);
    errno = kept;
    return done;
}

ssize_t write(int fd, const void *data, size_t size) { return written(fd, data, size, 0, 0); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return written(fd, data, size, at, 1); }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) { return written(fd, data, size, at, 1); }

static ssize_t gathered(int fd, const struct iovec *parts, int count, off_t offset, int placed) {
    char buffer[4096];
    if (!of_fd(fd, buffer, sizeof buffer))
        return placed ? syscall(SYS_pwritev, fd, parts, count, offset, 0) : syscall(SYS_writev, fd, parts, count);
    size_t size = 0, at = 0;
    for (int i = 0; i < count; i++)
        size += parts[i].iov_len;
    char *all = malloc(size ? size : 1);
    if (!all)
        abort();
    for (int i = 0; i < count; i++) {
        memcpy(all + at, parts[i].iov_base, parts[i].iov_len);
        at += parts[i].iov_len;
    }
    ssize_t done = written(fd, all, size, offset, placed);
    int kept = errno;
    free(all);
    errno = kept;
    return done;
}

ssize_t writev(int fd, const struct iovec *parts, int count) { return gathered(fd, parts, count, 0, 0); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) { return gathered(fd, parts, count, at, 1); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) { return gathered(fd, parts, count, at, 1); }

static int synced(int fd, int call) {
    char buffer[4096];
    const char *path = of_fd(fd, buffer, sizeof buffer);
    if (!path)
        return (int)syscall(call, fd);
    pthread_mutex_lock(&mutex);
    int what = due(SYNC, path);
    if (what == FAIL) {
        note(SYNC_FAILED, path, 0, NULL, 0, 0);
        pthread_mutex_unlock(&mutex);
        errno = control->error;
        return -1;
    }
    if (what == KILL_BEFORE || what == KILL_AMID)
        die();
    int done = (int)syscall(call, fd), kept = errno;
    if (!done)
        note(SYNC, path, 0, NULL, 0, 0);
    if (what == KILL_AFTER)
        die();
    pthread_mutex_unlock(&mutex);
    errno = kept;
    return done;
}

int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

static int resized(int fd, off_t size) {
    char buffer[4096];
    const char *path = of_fd(fd, buffer, sizeof buffer);
    if (!path)
        return (int)syscall(SYS_ftruncate, fd, size);
    pthread_mutex_lock(&mutex);
    int what = due(TRUNCATE, path);
    if (what == FAIL) {
        pthread_mutex_unlock(&mutex);
        errno = control->error;
        return -1;
    }
    if (what == KILL_BEFORE || what == KILL_AMID)
        die();
    int done = (int)syscall(SYS_ftruncate, fd, size), kept = errno;
    if (!done)
        note(TRUNCATE, path, (uint64_t)size, NULL, 0, 0);
    if (what == KILL_AFTER)
        die();
    pthread_mutex_unlock(&mutex);
    errno = kept;
    return done;
}

int ftruncate(int fd, off_t size) { return resized(fd, size); }
int ftruncate64(int fd, off64_t size) { return resized(fd, size); }

/* Room that is asked for without writing: it may be refused. */
static int allocated(int fd, int mode, off_t at, off_t size) {
    char buffer[4096];
    const char *path = of_fd(fd, buffer, sizeof buffer);
    if (path) {
        pthread_mutex_lock(&mutex);
        int what = due(TRUNCATE, path);
        pthread_mutex_unlock(&mutex);
        if (what == FAIL) {
            errno = control->error;
            return -1;
        }
        if (what != NOTHING)
            die();
    }
    return (int)syscall(SYS_fallocate, fd, mode, at, size);
}

int fallocate(int fd, int mode, off_t at, off_t size) { return allocated(fd, mode, at, size); }
int fallocate64(int fd, int mode, off64_t at, off64_t size) { return allocated(fd, mode, at, size); }
int posix_fallocate(int fd, off_t at, off_t size) { return allocated(fd, 0, at, size) ? errno : 0; }
int posix_fallocate64(int fd, off64_t at, off64_t size) { return allocated(fd, 0, at, size) ? errno : 0; }

int renameat(int from_dir, const char *from, int to_dir, const char *to) {
    char buffer[8192], other[8192];
    const char *path = of_path(from_dir, from, buffer, sizeof buffer);
    const char *target = of_path(to_dir, to, other, sizeof other);
    if (!path || !target)
        return (int)syscall(SYS_renameat, from_dir, from, to_dir, to);
    pthread_mutex_lock(&mutex);
    int what = due(RENAME, path);
    if (what == FAIL) {
        pthread_mutex_unlock(&mutex);
        errno = control->error;
        return -1;
    }
    if (what == KILL_BEFORE || what == KILL_AMID)
        die();
    int done = (int)syscall(SYS_renameat, from_dir, from, to_dir, to), kept = errno;
    if (!done)
        note(RENAME, path, 0, target, strlen(target), 1);
    if (what == KILL_AFTER)
        die();
    pthread_mutex_unlock(&mutex);
    errno = kept;
    return done;
}

int rename(const char *from, const char *to) { return renameat(AT_FDCWD, from, AT_FDCWD, to); }

int unlinkat(int dir, const char *name, int flags) {
    char buffer[8192];
    const char *path = of_path(dir, name, buffer, sizeof buffer);
    if (!path || (flags & AT_REMOVEDIR))
        return (int)syscall(SYS_unlinkat, dir, name, flags);
    pthread_mutex_lock(&mutex);
    int what = due(UNLINK, path);
    if (what == KILL_BEFORE || what == KILL_AMID)
        die();
    int done = (int)syscall(SYS_unlinkat, dir, name, flags), kept = errno;
    if (!done)
        note(UNLINK, path, 0, NULL, 0, 0);
    if (what == KILL_AFTER)
        die();
    pthread_mutex_unlock(&mutex);
    errno = kept;
    return done;
}

int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }

/* A file that is opened with O_TRUNC loses what it had. */
static int opened(int dir, const char *name, int flags, mode_t mode) {
    char buffer[8192];
    const char *path = flags & O_TRUNC ? of_path(dir, name, buffer, sizeof buffer) : NULL;
    if (!path)
        return (int)syscall(SYS_openat, dir, name, flags, mode);
    pthread_mutex_lock(&mutex);
    int fd = (int)syscall(SYS_openat, dir, name, flags, mode), kept = errno;
    if (fd >= 0)
        note(TRUNCATE, path, 0, NULL, 0, 0);
    pthread_mutex_unlock(&mutex);
    errno = kept;
    return fd;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list more; \
        va_start(more, flags); \
        mode = va_arg(more, mode_t); \
        va_end(more); \
    }

int open(const char *name, int flags, ...) { MODE(flags) return opened(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE(flags) return opened(AT_FDCWD, name, flags | O_LARGEFILE, mode); }
int openat(int dir, const char *name, int flags, ...) { MODE(flags) return opened(dir, name, flags, mode); }
int openat64(int dir, const char *name, int flags, ...) { MODE(flags) return opened(dir, name, flags | O_LARGEFILE, mode); }
