// What a driver answers to the program's requests.
#include "fake.h"

static uint64_t difference(uint64_t a, uint64_t b) { return a > b ? a - b : b - a; }

// The offered mode nearest to the requested one: the format counts first, then the size, then the rate.
static const struct mode *nearest(const struct handle *camera, struct mode asked) {
    const struct mode *best = camera->modes;
    uint64_t best_distance = UINT64_MAX;
    for (const struct mode *mode = camera->modes; mode < camera->modes + camera->mode_count; mode++) {
        uint64_t size = difference(mode->width, asked.width) + difference(mode->height, asked.height);
        uint64_t distance =
            ((uint64_t)(mode->fourcc != asked.fourcc) << 40) + (size << 16) + difference(mode->fps, asked.fps);
        if (distance < best_distance) best = mode, best_distance = distance;
    }
    return best;
}

static void describe(const struct mode *mode, struct v4l2_pix_format *format) {
    *format = (struct v4l2_pix_format){
        .width = mode->width,
        .height = mode->height,
        .pixelformat = mode->fourcc,
        .field = V4L2_FIELD_NONE,
        .bytesperline = mode->fourcc == V4L2_PIX_FMT_YUYV ? mode->width * BYTES_PER_PIXEL : 0,
        .sizeimage = mode->width * mode->height * BYTES_PER_PIXEL,
        .colorspace = V4L2_COLORSPACE_SRGB,
    };
}

static int set_format(struct handle *camera, struct v4l2_format *format, bool keep) {
    struct mode asked = {format->fmt.pix.pixelformat, format->fmt.pix.width, format->fmt.pix.height, camera->mode.fps, ""};
    const struct mode *granted = nearest(camera, asked);
    if (keep) {
        if (camera->buffer_count > 0 || !acquire(camera)) return fail(EBUSY);
        camera->mode = *granted;
    }
    describe(granted, &format->fmt.pix);
    return 0;
}

static int set_rate(struct handle *camera, struct v4l2_streamparm *parameters) {
    struct v4l2_fract *period = &parameters->parm.capture.timeperframe;
    struct mode asked = camera->mode;
    if (camera->streaming || !acquire(camera)) return fail(EBUSY);
    if (period->numerator > 0) asked.fps = period->denominator / period->numerator;
    camera->mode = *nearest(camera, asked);
    return 0;
}

static int request_buffers(struct handle *camera, struct v4l2_requestbuffers *request) {
    if (request->memory != V4L2_MEMORY_MMAP) return fail(EINVAL);
    if (camera->streaming || !acquire(camera)) return fail(EBUSY);
    if (camera->memory) munmap(camera->memory, camera->buffer_count * camera->buffer_size);
    if (camera->memory_fd >= 0) REAL(close)(camera->memory_fd);
    camera->memory = NULL;
    camera->memory_fd = -1;
    camera->empty = camera->filled = (struct queue){0};
    if (request->count > MAX_BUFFERS) request->count = MAX_BUFFERS;
    camera->buffer_count = request->count;
    if (request->count == 0) return 0;
    // Whole pages, because each buffer is mapped separately.
    size_t page = sysconf(_SC_PAGESIZE), pixels = (size_t)camera->mode.width * camera->mode.height;
    camera->buffer_size = (pixels * BYTES_PER_PIXEL + page - 1) / page * page;
    size_t size = request->count * camera->buffer_size;
    camera->memory_fd = memfd_create("v4l2_fake buffers", MFD_CLOEXEC);
    if (camera->memory_fd < 0 || ftruncate(camera->memory_fd, size) != 0) return fail(ENOMEM);
    camera->memory = REAL(mmap)(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, camera->memory_fd, 0);
    if (camera->memory == MAP_FAILED) abort();
    return 0;
}

int query_buffer(const struct handle *camera, struct v4l2_buffer *buffer) {
    if (buffer->index >= camera->buffer_count) return fail(EINVAL);
    buffer->length = camera->buffer_size;
    buffer->m.offset = buffer->index * camera->buffer_size;
    buffer->flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
    return 0;
}

static int queue_buffer(struct handle *camera, const struct v4l2_buffer *buffer) {
    if (buffer->index >= camera->buffer_count || camera->empty.length == MAX_BUFFERS) return fail(EINVAL);
    push(&camera->empty, buffer->index);
    return 0;
}

static int about_camera(const struct handle *camera, struct v4l2_capability *about) {
    *about = (struct v4l2_capability){.driver = "v4l2_fake", .version = 0x060000};
    read_name(camera, (char *)about->card, sizeof about->card);
    snprintf((char *)about->bus_info, sizeof about->bus_info, "platform:v4l2_fake");
    about->device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
    about->capabilities = about->device_caps | V4L2_CAP_DEVICE_CAPS;
    return 0;
}

// The formats offered, each once, in the order of the modes.
static int enumerate_formats(const struct handle *camera, struct v4l2_fmtdesc *description) {
    uint32_t seen = 0;
    for (uint32_t i = 0; i < camera->mode_count; i++) {
        bool repeated = false;
        for (uint32_t j = 0; j < i; j++) repeated |= camera->modes[j].fourcc == camera->modes[i].fourcc;
        if (repeated || seen++ < description->index) continue;
        description->pixelformat = camera->modes[i].fourcc;
        description->flags = description->pixelformat == V4L2_PIX_FMT_MJPEG ? V4L2_FMT_FLAG_COMPRESSED : 0;
        memcpy(description->description, &description->pixelformat, 4);
        return 0;
    }
    return fail(EINVAL);
}

int answer(struct handle *camera, unsigned request, void *argument) {
    if (camera->gone || !exists(camera->folder, "modes")) return fail(ENODEV);
    uint32_t capture = V4L2_BUF_TYPE_VIDEO_CAPTURE; // the first member of most arguments is the type
    switch (request) {
    case VIDIOC_QUERYCAP: return about_camera(camera, argument);
    case VIDIOC_G_INPUT: *(int *)argument = 0; return 0;
    case VIDIOC_S_INPUT: return *(int *)argument == 0 ? 0 : fail(EINVAL);
    case VIDIOC_ENUMINPUT: {
        struct v4l2_input *input = argument;
        if (input->index > 0) return fail(EINVAL);
        *input = (struct v4l2_input){.name = "Camera 1", .type = V4L2_INPUT_TYPE_CAMERA};
        return 0;
    }
    case VIDIOC_ENUM_FMT:
        if (((struct v4l2_fmtdesc *)argument)->type != capture) return fail(EINVAL);
        return enumerate_formats(camera, argument);
    case VIDIOC_G_FMT:
        if (*(uint32_t *)argument != capture) return fail(EINVAL);
        describe(&camera->mode, &((struct v4l2_format *)argument)->fmt.pix);
        return 0;
    case VIDIOC_TRY_FMT:
    case VIDIOC_S_FMT:
        if (*(uint32_t *)argument != capture) return fail(EINVAL);
        return set_format(camera, argument, request == VIDIOC_S_FMT);
    case VIDIOC_S_PARM:
        if (*(uint32_t *)argument != capture) return fail(EINVAL);
        if (set_rate(camera, argument) != 0) return -1;
        // The answer is the granted rate, as for:
        // fall through
    case VIDIOC_G_PARM: {
        if (*(uint32_t *)argument != capture) return fail(EINVAL);
        struct v4l2_captureparm *parameters = &((struct v4l2_streamparm *)argument)->parm.capture;
        *parameters = (struct v4l2_captureparm){.capability = V4L2_CAP_TIMEPERFRAME};
        parameters->timeperframe = (struct v4l2_fract){1, camera->mode.fps};
        return 0;
    }
    case VIDIOC_REQBUFS: return request_buffers(camera, argument);
    case VIDIOC_QUERYBUF: return query_buffer(camera, argument);
    case VIDIOC_QBUF: return queue_buffer(camera, argument);
    case VIDIOC_STREAMON: return start_streaming(camera);
    case VIDIOC_STREAMOFF: stop_streaming(camera); return 0;
    default: return fail(request == VIDIOC_QUERYCTRL || request == VIDIOC_G_CTRL || request == VIDIOC_S_CTRL ? EINVAL : ENOTTY);
    }
}
