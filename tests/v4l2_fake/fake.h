// Emulated V4L2 cameras for the tests, as a library for LD_PRELOAD. tests/support/emulated_cameras.rs builds it and writes its files.
//
// The folder that MIEN_TEST_CAMERAS names is the machine's bus: a folder `videoN` in it is a camera that is plugged in.
// The program then finds /dev/videoN and /sys/class/video4linux/videoN, and no real camera. In a camera's folder:
//
//   name, index    what sysfs says about it
//   modes          a line for each mode: FOURCC WIDTH HEIGHT FPS FRAMES; FRAMES is a file beside it, or `-` for a moving
//                  pattern (YUYV only). A frames file is a loop of frames, each a 32-bit little-endian length and as
//                  many bytes.
//   lock           held with flock while streaming; the camera is busy as long as another process holds it
//   silent         while it exists, the camera opens but sends nothing
//   unplug_after   a number of frames after which the camera is pulled out (its folder renamed to videoN.unplugged)
//   counts         written by the camera: frames sent, and frames lost because the program had left it no buffer
//
// Renaming or removing the folder pulls the camera out, putting it back plugs it in. As with a real driver a thread
// fills the program's buffers at the frame rate, whether or not the program keeps up.
#pragma once
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/videodev2.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// The C library's function behind one that preload.c replaces.
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

enum { MAX_HANDLES = 16, MAX_MODES = 32, MAX_BUFFERS = 8, BYTES_PER_PIXEL = 2 };

struct mode {
    uint32_t fourcc, width, height, fps;
    char frames[64];
};

// Buffer numbers, first in first out.
struct queue {
    uint32_t items[MAX_BUFFERS], head, length;
};

// One open descriptor of a camera. The descriptor is a semaphore eventfd that counts the filled buffers, so that
// select, poll and blocking reads work on it directly.
struct handle {
    bool used, gone, streaming;
    int fd, lock_fd, memory_fd;
    char folder[PATH_MAX - 64];
    struct mode modes[MAX_MODES], mode;
    uint32_t mode_count;
    uint8_t *memory; // the buffers, one after another
    size_t buffer_size;
    uint32_t buffer_count, sequence;
    struct v4l2_buffer filled_about[MAX_BUFFERS];
    struct queue empty, filled;
    uint8_t *frames;
    size_t frames_size, frames_at;
    uint64_t sent, lost;
    pthread_t driver;
};

// Guards all handles. The functions below are called with it locked unless they say otherwise.
extern pthread_mutex_t bus;

static inline int fail(int error) {
    errno = error;
    return -1;
}

static inline void push(struct queue *queue, uint32_t item) {
    queue->items[(queue->head + queue->length++) % MAX_BUFFERS] = item;
}

static inline uint32_t pop(struct queue *queue) {
    uint32_t item = queue->items[queue->head];
    queue->head = (queue->head + 1) % MAX_BUFFERS;
    queue->length--;
    return item;
}

// folder.c: what the files in a camera's folder say
bool exists(const char *folder, const char *name);
long number_in(const char *folder, const char *name, long otherwise);
void read_modes(struct handle *camera);
void read_name(const struct handle *camera, char *name, size_t size);
void write_counts(struct handle *camera);
bool acquire(struct handle *camera);
void pull_out(struct handle *camera);

// frames.c: the pictures
void open_frames(struct handle *camera);
uint32_t next_frame(struct handle *camera, uint8_t *buffer); // its size

// stream.c: the thread that fills buffers
int start_streaming(struct handle *camera);
void stop_streaming(struct handle *camera);
int dequeue_buffer(struct handle *camera, struct v4l2_buffer *buffer); // to be called unlocked, because it may block

// answers.c: a driver's answers to all ioctls except VIDIOC_DQBUF
int answer(struct handle *camera, unsigned request, void *argument);
int query_buffer(const struct handle *camera, struct v4l2_buffer *buffer);
