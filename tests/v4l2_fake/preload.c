// What the program calls instead of the C library.
#include "fake.h"
#include <dirent.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

static struct handle handles[MAX_HANDLES];
pthread_mutex_t bus = PTHREAD_MUTEX_INITIALIZER;

static struct handle *handle_of(int fd) {
    for (int i = 0; fd >= 0 && i < MAX_HANDLES; i++)
        if (handles[i].used && handles[i].fd == fd) return &handles[i];
    return NULL;
}

// The rest of a path below a prefix, if it begins with it.
static const char *below(const char *path, const char *prefix) {
    size_t length = strlen(prefix);
    return path && strncmp(path, prefix, length) == 0 ? path + length : NULL;
}

static bool is_camera_path(const char *path) { return getenv("MIEN_TEST_CAMERAS") && below(path, "/dev/video"); }

static int open_camera(const char *node, int flags) {
    pthread_mutex_lock(&bus);
    int fd = fail(EMFILE);
    for (int i = 0; i < MAX_HANDLES; i++) {
        struct handle *camera = &handles[i];
        if (camera->used) continue;
        *camera = (struct handle){.lock_fd = -1, .memory_fd = -1};
        snprintf(camera->folder, sizeof camera->folder, "%s/%s", getenv("MIEN_TEST_CAMERAS"), node);
        read_modes(camera);
        if (camera->mode_count == 0) {
            fd = fail(ENOENT);
            break;
        }
        camera->mode = camera->modes[0];
        camera->sent = number_in(camera->folder, "counts", 0);
        fd = camera->fd = eventfd(0, EFD_SEMAPHORE | EFD_CLOEXEC | (flags & O_NONBLOCK ? EFD_NONBLOCK : 0));
        camera->used = fd >= 0;
        break;
    }
    pthread_mutex_unlock(&bus);
    return fd;
}

static int open_anything(__typeof__(&open) real, const char *path, int flags, mode_t permissions) {
    const char *bus_folder = getenv("MIEN_TEST_CAMERAS"), *rest;
    if (is_camera_path(path)) return open_camera(path + strlen("/dev/"), flags);
    if (bus_folder && (rest = below(path, "/sys/class/video4linux/"))) {
        char mapped[PATH_MAX];
        snprintf(mapped, sizeof mapped, "%s/%s", bus_folder, rest);
        return real(mapped, flags, permissions);
    }
    return real(path, flags, permissions);
}

#define OPEN(name)                                                                                                     \
    int name(const char *path, int flags, ...) {                                                                       \
        mode_t permissions = 0;                                                                                        \
        if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) {                                                     \
            va_list arguments;                                                                                         \
            va_start(arguments, flags);                                                                                \
            permissions = va_arg(arguments, mode_t);                                                                   \
            va_end(arguments);                                                                                         \
        }                                                                                                              \
        return open_anything(REAL(name), path, flags, permissions);                                                    \
    }
OPEN(open)
OPEN(open64)

// Lists the bus instead of /dev and /sys/class/video4linux.
DIR *opendir(const char *path) {
    const char *bus_folder = getenv("MIEN_TEST_CAMERAS");
    // The links there are to this machine's real cameras.
    if (bus_folder && below(path, "/dev/v4l")) {
        errno = ENOENT;
        return NULL;
    }
    bool listed = bus_folder && (strcmp(path, "/dev") == 0 || strcmp(path, "/sys/class/video4linux") == 0);
    return REAL(opendir)(listed ? bus_folder : path);
}

// statx under another name: <sys/stat.h> declares that the path is never NULL, but Rust's standard library passes NULL once,
// to find out whether the system has this call.
int fake_statx(int fd, const char *path, int flags, unsigned mask, struct statx *about) __asm__("statx");

// A camera is a character device.
int fake_statx(int fd, const char *path, int flags, unsigned mask, struct statx *about) {
    bool by_path = is_camera_path(path);
    if (!path || (!by_path && (*path || !handle_of(fd)))) return REAL(statx)(fd, path, flags, mask, about);
    if (by_path) {
        char folder[PATH_MAX - 64];
        snprintf(folder, sizeof folder, "%s/%s", getenv("MIEN_TEST_CAMERAS"), path + strlen("/dev/"));
        if (!exists(folder, "modes")) return fail(ENOENT);
    }
    return REAL(statx)(AT_FDCWD, "/dev/null", 0, mask, about);
}

int close(int fd) {
    pthread_mutex_lock(&bus);
    struct handle *camera = handle_of(fd);
    if (camera) {
        stop_streaming(camera);
        if (camera->memory) munmap(camera->memory, camera->buffer_count * camera->buffer_size);
        if (camera->frames) munmap(camera->frames, camera->frames_size);
        if (camera->memory_fd >= 0) REAL(close)(camera->memory_fd);
        if (camera->lock_fd >= 0) REAL(close)(camera->lock_fd);
        camera->used = false;
    }
    pthread_mutex_unlock(&bus);
    return REAL(close)(fd);
}

int ioctl(int fd, unsigned long request, ...) {
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    pthread_mutex_lock(&bus);
    struct handle *camera = handle_of(fd);
    bool waits = camera && (unsigned)request == VIDIOC_DQBUF;
    int result = camera && !waits ? answer(camera, (unsigned)request, argument) : 0;
    pthread_mutex_unlock(&bus);
    if (waits) return dequeue_buffer(camera, argument);
    return camera ? result : REAL(ioctl)(fd, request, argument);
}

#define MMAP(name)                                                                                                     \
    void *name(void *address, size_t length, int protection, int flags, int fd, off_t offset) {                        \
        struct handle *camera = fd >= 0 ? handle_of(fd) : NULL;                                                        \
        return REAL(name)(address, length, protection, flags, camera ? camera->memory_fd : fd, offset);                \
    }
MMAP(mmap)
MMAP(mmap64)
