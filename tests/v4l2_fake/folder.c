// Reads and writes the files in a camera's folder, acquires a camera and pulls it out.
#include "fake.h"
#include <sys/file.h>

bool exists(const char *folder, const char *name) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

long number_in(const char *folder, const char *name, long otherwise) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "re");
    if (!file) return otherwise;
    if (fscanf(file, "%ld", &otherwise) != 1) fprintf(stderr, "v4l2_fake: no number in %s\n", path);
    fclose(file);
    return otherwise;
}

void read_modes(struct handle *camera) {
    char path[PATH_MAX], fourcc[5];
    snprintf(path, sizeof path, "%s/modes", camera->folder);
    FILE *file = fopen(path, "re");
    if (!file) return;
    struct mode *mode = camera->modes;
    while (camera->mode_count < MAX_MODES &&
           fscanf(file, "%4s %u %u %u %63s", fourcc, &mode->width, &mode->height, &mode->fps, mode->frames) == 5) {
        mode->fourcc = v4l2_fourcc(fourcc[0], fourcc[1], fourcc[2], fourcc[3]);
        camera->mode_count++, mode++;
    }
    fclose(file);
}

// The camera's name, without the end of the line.
void read_name(const struct handle *camera, char *name, size_t size) {
    char path[PATH_MAX];
    name[0] = 0;
    snprintf(path, sizeof path, "%s/name", camera->folder);
    FILE *file = fopen(path, "re");
    if (!file) return;
    if (fgets(name, size, file)) name[strcspn(name, "\n")] = 0;
    fclose(file);
}

void write_counts(struct handle *camera) {
    char path[PATH_MAX], text[64];
    snprintf(path, sizeof path, "%s/counts", camera->folder);
    int length = snprintf(text, sizeof text, "%12llu %12llu\n", (unsigned long long)camera->sent,
                          (unsigned long long)camera->lost);
    int fd = REAL(open)(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return;
    if (pwrite(fd, text, length, 0) != length) perror("v4l2_fake: counts");
    REAL(close)(fd);
}

// As with UVC cameras, anyone may open a camera and query it, but only one may change the mode or stream.
bool acquire(struct handle *camera) {
    if (camera->lock_fd >= 0) return true;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/lock", camera->folder);
    int fd = REAL(open)(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
        camera->lock_fd = fd;
        return true;
    }
    if (fd >= 0) REAL(close)(fd);
    return false;
}

void pull_out(struct handle *camera) {
    char unplugged[PATH_MAX];
    snprintf(unplugged, sizeof unplugged, "%s.unplugged", camera->folder);
    if (rename(camera->folder, unplugged) != 0) perror("v4l2_fake: unplug");
}
