// The part of a driver that runs by itself: a thread for each stream fills the program's buffers.
#include "fake.h"
#include <poll.h>
#include <time.h>

static void wake(const struct handle *camera) {
    uint64_t one = 1;
    if (write(camera->fd, &one, sizeof one) != sizeof one) perror("v4l2_fake: eventfd");
}

static void fill_a_buffer(struct handle *camera) {
    if (camera->empty.length == 0) {
        camera->lost++;
    } else {
        uint32_t index = pop(&camera->empty);
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        camera->filled_about[index] = (struct v4l2_buffer){
            .bytesused = next_frame(camera, camera->memory + index * camera->buffer_size),
            .flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC,
            .timestamp = {.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000},
            .sequence = camera->sequence,
        };
        push(&camera->filled, index);
        camera->sent++;
        wake(camera);
    }
    camera->sequence++;
    write_counts(camera);
}

static void *drive(void *argument) {
    struct handle *camera = argument;
    long unplug_after = number_in(camera->folder, "unplug_after", LONG_MAX), frames = 0;
    const long second = 1000000000L;
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (;;) {
        next.tv_nsec += second / camera->mode.fps;
        if (next.tv_nsec >= second) next.tv_sec++, next.tv_nsec -= second;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
        pthread_mutex_lock(&bus);
        bool going_on = camera->streaming;
        bool pulled_out = !exists(camera->folder, "modes");
        if (going_on && !pulled_out && !exists(camera->folder, "silent")) {
            fill_a_buffer(camera);
            pulled_out = ++frames >= unplug_after;
            if (pulled_out) pull_out(camera);
        }
        if (going_on && pulled_out) {
            camera->gone = true; // for good: a camera that is plugged in again has to be opened again
            wake(camera);        // a program that waits for a frame learns that there will be none
            going_on = false;
        }
        pthread_mutex_unlock(&bus);
        if (!going_on) return NULL;
    }
}

static void drain(const struct handle *camera) {
    struct pollfd waiting = {.fd = camera->fd, .events = POLLIN};
    uint64_t count;
    while (poll(&waiting, 1, 0) == 1 && read(camera->fd, &count, sizeof count) == sizeof count) {}
}

void stop_streaming(struct handle *camera) {
    if (!camera->streaming) return;
    camera->streaming = false;
    pthread_mutex_unlock(&bus);
    pthread_join(camera->driver, NULL);
    pthread_mutex_lock(&bus);
    camera->empty = camera->filled = (struct queue){0};
    drain(camera);
}

int start_streaming(struct handle *camera) {
    if (camera->buffer_count == 0) return fail(EINVAL);
    if (camera->streaming) return 0;
    open_frames(camera);
    camera->streaming = true;
    camera->sequence = 0;
    return pthread_create(&camera->driver, NULL, drive, camera) == 0 ? 0 : fail(ENOMEM);
}

int dequeue_buffer(struct handle *camera, struct v4l2_buffer *buffer) {
    uint64_t count;
    if (read(camera->fd, &count, sizeof count) != sizeof count) return -1; // with EAGAIN if it is non-blocking
    pthread_mutex_lock(&bus);
    int result = 0;
    if (camera->gone) {
        wake(camera); // it stays readable, as a real camera stays in the error state
        result = fail(ENODEV);
    } else if (camera->filled.length == 0) {
        result = fail(EAGAIN);
    } else {
        uint32_t index = pop(&camera->filled);
        *buffer = camera->filled_about[index];
        buffer->index = index;
        buffer->type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
        buffer->memory = V4L2_MEMORY_MMAP;
        buffer->field = V4L2_FIELD_NONE;
        query_buffer(camera, buffer);
    }
    pthread_mutex_unlock(&bus);
    return result;
}
