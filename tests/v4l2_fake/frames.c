// The pictures that a camera sends.
#include "fake.h"

void open_frames(struct handle *camera) {
    if (camera->frames) munmap(camera->frames, camera->frames_size);
    camera->frames = NULL;
    camera->frames_at = 0;
    if (strcmp(camera->mode.frames, "-") == 0) return;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", camera->folder, camera->mode.frames);
    int fd = REAL(open)(path, O_RDONLY | O_CLOEXEC);
    struct stat about;
    if (fd < 0 || fstat(fd, &about) != 0 || about.st_size == 0) {
        fprintf(stderr, "v4l2_fake: no frames in %s\n", path);
        abort();
    }
    camera->frames_size = about.st_size;
    camera->frames = REAL(mmap)(NULL, camera->frames_size, PROT_READ, MAP_PRIVATE, fd, 0);
    REAL(close)(fd);
    if (camera->frames == MAP_FAILED) abort();
}

static void draw_pattern(const struct handle *camera, uint8_t *pixels) {
    for (uint32_t y = 0; y < camera->mode.height; y++)
        for (uint32_t x = 0; x < camera->mode.width; x++, pixels += BYTES_PER_PIXEL) {
            pixels[0] = (uint8_t)(x + y + camera->sequence * 3); // a grey wave that moves by three pixels a frame
            pixels[1] = 128;
        }
}

// Writes the next frame and returns its size.
uint32_t next_frame(struct handle *camera, uint8_t *buffer) {
    if (!camera->frames) {
        draw_pattern(camera, buffer);
        return camera->buffer_size;
    }
    uint32_t length;
    if (camera->frames_at + sizeof length >= camera->frames_size) camera->frames_at = 0;
    memcpy(&length, camera->frames + camera->frames_at, sizeof length);
    camera->frames_at += sizeof length;
    if (length > camera->buffer_size || camera->frames_at + length > camera->frames_size) {
        fprintf(stderr, "v4l2_fake: %s is not a frames file for this mode\n", camera->mode.frames);
        abort();
    }
    memcpy(buffer, camera->frames + camera->frames_at, length);
    camera->frames_at += length;
    return length;
}
