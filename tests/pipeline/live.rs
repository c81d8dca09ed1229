//! The live driver with fakes for camera, video, detector and network.

use std::time::Duration;

use mien::emotion::Emotion;
use mien::face::FaceId;
use mien::pipeline::{Command, Event, LiveSettings, NetworkChoice, SourceFactory};
use mien::source::SourceError;
use mien::source::VideoSource;

use crate::support::fakes::{self, Act, FakeCamera, FakeClassifier, FakeVideo, Gate, media_time, seeing};
use crate::support::watch::Watch;

fn happy() -> FakeClassifier {
    FakeClassifier::new(Emotion::Happy)
}

fn settings() -> LiveSettings {
    LiveSettings::default()
}

/// A video that is paused before its first frame; that frame is shown anyway.
fn paused_video(frames: u64, settings: LiveSettings) -> Watch {
    paused(FakeVideo::new(frames), settings)
}

/// The same with this video.
fn paused(video: FakeVideo, settings: LiveSettings) -> Watch {
    let gate = Gate::new();
    let (opens, mut video) = (gate.clone(), video.factory());
    let source = Box::new(move || {
        opens.wait_until_entered();
        video()
    });
    let watch = Watch::start(source, false, happy().factory(), LiveSettings { speed: 16.0, ..settings });
    watch.live.send(Command::Pause);
    gate.enter();
    watch
}

#[test]
fn every_frame_of_a_video_is_labelled_however_slow_the_network_is() {
    let gate = Gate::new();
    let mut watch = Watch::video(FakeVideo::new(40), happy().behind(&gate), settings());
    for _ in 0..40 {
        gate.wait_until_entered();
        gate.let_through(1);
    }
    watch.until_event(&Event::EndOfVideo);
    let statistics = watch.live.statistics();
    assert_eq!((statistics.frames, statistics.captured, statistics.dropped), (40, 40, 0));
    assert!(watch.scenes.is_sorted_by(|a, b| a.frame.index < b.frame.index));
    assert_eq!(watch.last_index(), Some(39), "the last frame stays");
}

#[test]
fn a_face_keeps_its_id_and_gets_its_label() {
    let mut watch = Watch::video(FakeVideo::new(30), happy(), settings());
    watch.until_event(&Event::EndOfVideo);
    let face = watch.scenes.last().unwrap().faces[0];
    assert_eq!((face.id, face.smoothed.top().0), (FaceId(1), Emotion::Happy.index()));
    let left = fakes::one_face(29)[0].0 as f32;
    assert!((face.rect.x - left).abs() < 10.0, "{:?} for {left}", face.rect);
}

#[test]
fn a_picture_comes_with_a_scene_only_if_asked_for() {
    for picture in [true, false] {
        let mut watch = Watch::video(FakeVideo::new(3), happy(), LiveSettings { picture, ..settings() });
        watch.until_event(&Event::EndOfVideo);
        assert!(watch.scenes.iter().all(|scene| scene.picture.is_some() == picture));
    }
}

#[test]
fn events_tell_the_story_in_its_order() {
    let mut watch = Watch::video(FakeVideo::new(5), happy(), settings());
    watch.until_event(&Event::EndOfVideo);
    let story: Vec<_> = watch.events.iter().filter(|event| **event != Event::ClassifierReady).collect();
    assert!(matches!(story[..], [Event::Opening, Event::Opened(_), Event::EndOfVideo]), "{story:?}");
}

#[test]
fn in_pause_a_video_goes_forward_and_back_by_single_frames() {
    let mut watch = paused_video(50, settings());
    watch.until_frame(0);
    watch.live.send(Command::Step(1));
    watch.until_frame(1);
    watch.live.send(Command::Step(10));
    watch.until_frame(11);
    watch.live.send(Command::Step(-1));
    watch.until_frame(10);
    watch.live.send(Command::Step(-4));
    watch.until_frame(6);
    watch.live.send(Command::Step(1));
    watch.until_frame(7);
    watch.live.send(Command::Step(-100));
    watch.until_frame(0);
}

#[test]
fn a_video_that_is_paused_before_its_first_frame_shows_it_all_the_same() {
    let mut watch = paused_video(50, settings());
    watch.until_frame(0);
    watch.live.send(Command::Resume);
    watch.until_event(&Event::EndOfVideo);
    assert_eq!(watch.live.statistics().frames, 50, "each frame once");
}

#[test]
fn people_keep_their_ids_over_steps_and_seeks_and_get_them_again_where_they_were_before() {
    let mut watch = paused_video(100, settings());
    let face = |watch: &mut Watch, command: Command, index: u64| {
        watch.live.send(command);
        watch.until_event(&Event::Seeked(media_time(index)));
        watch.until_frame(index);
        watch.scenes.last().unwrap().faces[0].id
    };
    // The fake face looks the same on all frames, so it is recognised even in parts of the video that weren't played yet.
    assert_eq!(face(&mut watch, Command::Seek(media_time(50)), 50), FaceId(1));
    assert_eq!(face(&mut watch, Command::Step(-1), 49), FaceId(1));
    assert_eq!(face(&mut watch, Command::Seek(media_time(90)), 90), FaceId(1));
    assert_eq!(face(&mut watch, Command::Seek(media_time(10)), 10), FaceId(1));
}

#[test]
fn a_seek_in_pause_shows_exactly_the_frame_asked_for_with_its_faces() {
    let mut watch = paused_video(200, settings());
    for index in [120, 7, 199, 0, 1] {
        // In the middle of the time for which the frame is shown.
        watch.live.send(Command::Seek(media_time(index) + Duration::from_millis(20)));
        watch.until_event(&Event::Seeked(media_time(index)));
        assert_eq!(watch.last_index(), Some(index));
        // A face needs frames before it to be confirmed: the first frames of the file have none.
        let faces = &watch.scenes.last().unwrap().faces;
        assert_eq!(faces.len(), usize::from(index > 1), "frame {index}");
    }
}

#[test]
fn a_jump_shows_the_face_also_where_frames_lie_further_apart_than_on_average() {
    // 30 frames at the declared rate, 30 ten times as far apart, and one after a pause.
    let time = |index: u64| match index {
        0..30 => media_time(index),
        30..60 => media_time(30 + 10 * (index - 30)),
        _ => media_time(320) + Duration::from_secs(60),
    };
    let mut watch = paused(FakeVideo::new(61).timed(time), settings());
    let mut shown = |command: Command, index: u64| {
        watch.live.send(command);
        watch.until_event(&Event::Seeked(time(index)));
        watch.until_frame(index);
        watch.scenes.last().unwrap().faces.iter().map(|face| face.id).collect::<Vec<_>>()
    };
    // Frame 59 is shown until the pause is over.
    for index in [45, 59, 31, 20, 32, 2] {
        let late = (time(index) + 3 * time(index + 1)) / 4;
        assert_eq!(shown(Command::Seek(late), index), [FaceId(1)], "frame {index}");
    }
    shown(Command::Seek(time(50)), 50);
    assert_eq!(shown(Command::Step(-1), 49), [FaceId(1)]);
}

#[test]
fn a_paused_frame_that_is_analysed_again_is_the_one_that_is_shown_and_the_end_stays_the_end() {
    let mut watch = paused_video(50, settings());
    watch.live.send(Command::Seek(media_time(20)));
    watch.until_event(&Event::Seeked(media_time(20)));
    watch.live.send(Command::Step(1));
    watch.until_frame(21);
    watch.live.send(Command::AnalyseAgain);
    watch.until_event(&Event::Seeked(media_time(21)));
    assert_eq!(watch.scenes.last().unwrap().frame.index, 21);

    watch.live.send(Command::Resume);
    watch.until_event(&Event::EndOfVideo);
    watch.live.send(Command::AnalyseAgain);
    watch.until_event(&Event::Seeked(media_time(49)));
    assert_eq!(watch.last_index(), Some(49));
    // At the end, playing begins anew.
    watch.live.send(Command::Resume);
    watch.until_frame(1);
}

#[test]
fn what_lies_beyond_the_declared_length_can_be_reached_once_it_was_shown() {
    let video = FakeVideo::new(50).declaring(Duration::from_secs(1));
    let mut watch = Watch::video(video, happy(), settings());
    watch.until_event(&Event::EndOfVideo);
    watch.live.send(Command::Seek(media_time(40)));
    watch.until_event(&Event::Seeked(media_time(40)));
    watch.live.send(Command::Seek(Duration::from_secs(3600)));
    watch.until_event(&Event::Seeked(media_time(49)));
}

#[test]
fn a_real_video_is_positioned_to_the_frame() {
    let folder = tempfile::tempdir().unwrap();
    let path = fakes::write_video(&folder.path().join("written.mp4"), *b"mp4v", 100, fakes::one_face);
    let mut source = Some(VideoSource::open(&path).unwrap());
    let open: SourceFactory = Box::new(move || Ok(Box::new(source.take().unwrap())));
    let mut watch = Watch::start(open, false, happy().factory(), LiveSettings::default());
    watch.live.send(Command::Pause);
    for (command, index) in [
        (Command::Seek(media_time(60)), 60),
        (Command::Step(-1), 59),
        (Command::Step(1), 60),
        (Command::Seek(media_time(98) + Duration::from_millis(39)), 98),
        (Command::Step(1), 99),
        (Command::Step(-2), 97),
        (Command::Seek(media_time(2)), 2),
    ] {
        let what = format!("{command:?}");
        watch.live.send(command);
        watch.until_frame(index);
        let scene = watch.scenes.last().unwrap();
        let left = fakes::one_face(index)[0].0 as f32;
        let x = scene.faces.first().unwrap_or_else(|| panic!("no face after {what}")).rect.x;
        assert!((x - left).abs() < 3.0, "{what} shows a picture with the face at {x} instead of {left}");
    }
}

#[test]
fn a_seek_restarts_the_smoothing() {
    let for_ever = Some(Duration::from_secs(1000));
    let mut watch = paused_video(100, LiveSettings { smoothing: for_ever, ..settings() });
    watch.live.send(Command::Seek(media_time(50)));
    watch.until_event(&Event::Seeked(media_time(50)));
    watch.live.send(seeing("Sad"));
    watch.until("the other network", |watch| {
        watch.events.iter().filter(|event| **event == Event::ClassifierReady).count() == 2
    });
    watch.live.send(Command::Step(1));
    watch.until_frame(51);
    let emotion = |watch: &Watch| watch.scenes.last().unwrap().faces[0].smoothed.top().0;
    assert_eq!(emotion(&watch), Emotion::Happy.index(), "a step continues the smoothing");
    watch.live.send(Command::Seek(media_time(52)));
    watch.until_event(&Event::Seeked(media_time(52)));
    assert_eq!(emotion(&watch), Emotion::Sad.index());
}

#[test]
fn steps_past_the_end_end_at_the_last_frame() {
    let mut watch = paused_video(10, settings());
    watch.live.send(Command::Step(50));
    watch.until_event(&Event::EndOfVideo);
    assert_eq!(watch.last_index(), Some(9));
    watch.live.send(Command::Step(-1));
    watch.until_frame(8);
}

#[test]
fn a_seek_past_the_end_shows_the_last_frame() {
    let mut watch = paused_video(30, settings());
    watch.live.send(Command::Seek(Duration::from_secs(3600)));
    watch.until_event(&Event::Seeked(media_time(29)));
}

#[test]
fn no_scene_from_before_a_seek_is_given_out_after_it() {
    let gate = Gate::new();
    let mut watch = Watch::video(FakeVideo::new(1000), happy().behind(&gate), settings());
    gate.wait_until_entered();
    // Frame 0 is in the network, frame 1 or 2 waits behind it.
    watch.live.send(Command::Seek(media_time(500)));
    gate.let_through(10);
    watch.until("a scene", |watch| !watch.scenes.is_empty());
    // A newer scene replaces one that wasn't taken yet, so on a busy machine the first scene seen may be a later one.
    let first = watch.scenes[0].frame.index;
    assert!((500..510).contains(&first), "{first}");
}

#[test]
fn playing_goes_on_after_a_seek() {
    let gate = Gate::new();
    let mut watch = Watch::video(FakeVideo::new(1000), happy().behind(&gate), settings());
    gate.wait_until_entered();
    watch.live.send(Command::Seek(media_time(900)));
    gate.let_through(1000);
    watch.until_event(&Event::EndOfVideo);
    assert_eq!(watch.last_index(), Some(999));
}

#[test]
fn a_video_that_ended_can_be_positioned_and_played_again() {
    let mut watch = Watch::video(FakeVideo::new(20), happy(), settings());
    watch.until_event(&Event::EndOfVideo);
    watch.live.send(Command::Seek(media_time(5)));
    watch.until_event(&Event::Seeked(media_time(5)));
    watch.live.send(Command::Resume);
    watch.until("a second end", |watch| watch.events.iter().filter(|event| **event == Event::EndOfVideo).count() == 2);
    watch.live.send(Command::Resume);
    watch.until_event(&Event::Seeked(Duration::ZERO));
    watch.until("a third end", |watch| watch.events.iter().filter(|event| **event == Event::EndOfVideo).count() == 3);
}

#[test]
fn a_repeated_video_starts_again_with_the_same_ids() {
    let mut watch = Watch::video(FakeVideo::new(10), happy(), LiveSettings { repeat: true, ..settings() });
    watch.until("a third round", |watch| watch.live.statistics().frames > 25);
    assert!(watch.scenes.iter().flat_map(|scene| &scene.faces).all(|face| face.id == FaceId(1)));
    watch.live.send(Command::SetRepeat(false));
    watch.until_event(&Event::EndOfVideo);
}

#[test]
fn a_cut_video_says_once_what_is_missing_however_often_it_is_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let whole = fakes::write_video(&folder.path().join("whole.avi"), *b"MJPG", 100, fakes::one_face);
    let (bytes, cut) = (std::fs::read(whole).unwrap(), folder.path().join("cut.avi"));
    std::fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let open: SourceFactory = Box::new(move || Ok(Box::new(VideoSource::open(&cut)?)));
    let repeated = LiveSettings { speed: 16.0, repeat: true, ..settings() };
    let mut watch = Watch::start(open, false, happy().factory(), repeated);
    let told = |watch: &Watch| -> Vec<u64> {
        let declared = |event: &Event| if let Event::CutShort(cut) = event { Some(cut.declared) } else { None };
        watch.events.iter().filter_map(declared).collect()
    };
    watch.until("the end", |watch| !told(watch).is_empty());
    let first_round = watch.live.statistics().captured;
    watch.until("a third round", |watch| watch.live.statistics().captured > 3 * first_round);
    watch.live.send(Command::SetRepeat(false));
    watch.until_event(&Event::EndOfVideo);
    assert_eq!(told(&watch), [100]);
}

#[test]
fn a_video_whose_frames_lie_seconds_apart_shows_its_face_on_each_of_them() {
    let video = FakeVideo::new(4).spaced(Duration::from_secs(4));
    let mut watch = Watch::video(video, happy(), settings());
    watch.until_event(&Event::EndOfVideo);
    for scene in &watch.scenes {
        assert_eq!(scene.faces.iter().map(|face| face.id).collect::<Vec<_>>(), [FaceId(1)], "{}", scene.frame.index);
    }
}

#[test]
fn a_video_of_one_or_two_frames_shows_its_face() {
    for frames in [1, 2] {
        let mut watch = Watch::video(FakeVideo::new(frames), happy(), settings());
        watch.until_event(&Event::EndOfVideo);
        assert_eq!(watch.scenes.last().unwrap().faces.len(), 1, "{frames}");
    }
}

#[test]
fn a_video_that_breaks_off_shows_what_came_before_and_says_why() {
    let mut watch = Watch::video(FakeVideo::new(50).failing_at(12), happy(), settings());
    assert!(watch.failure().contains("fake.mp4 looks like a fake video"));
    watch.until("the frames before", |watch| watch.live.statistics().frames == 12);
}

#[test]
fn a_network_that_fails_ends_the_run_with_the_reason() {
    let mut watch = Watch::video(FakeVideo::new(50), happy().failing_at(3), settings());
    assert!(watch.failure().contains("not a number"));
}

#[test]
fn a_network_that_cannot_be_loaded_ends_the_run_with_the_reason() {
    let refuse = Box::new(|_: &NetworkChoice| {
        Err(anyhow::anyhow!("cut off at byte 7").context("mien.safetensors can't be read"))
    });
    let mut watch = Watch::start(FakeVideo::new(50).factory(), false, refuse, settings());
    assert_eq!(watch.failure(), "mien.safetensors can't be read: cut off at byte 7");
}

#[test]
fn a_thread_that_panics_is_reported() {
    let camera = FakeCamera::new();
    let mut watch = Watch::camera(&camera, happy());
    camera.does(Act::Panic);
    assert!(watch.failure().contains("the fake camera was told to panic"));
}

#[test]
fn a_network_can_be_exchanged_while_it_runs() {
    let camera = FakeCamera::new();
    let mut watch = Watch::start(
        camera.factory(),
        true,
        happy().factory(),
        LiveSettings { smoothing: None, ..LiveSettings::default() },
    );
    let shows = |watch: &Watch, emotion: Emotion| {
        let face = watch.scenes.last().and_then(|scene| scene.faces.first());
        face.is_some_and(|face| face.smoothed.top().0 == emotion.index())
    };
    watch.until("a happy face", |watch| {
        camera.gives(1);
        shows(watch, Emotion::Happy)
    });

    watch.live.send(seeing("Nothing"));
    watch.until_event(&Event::ClassifierFailed("no such model".to_owned()));
    camera.gives(1);
    watch.until("another scene", |watch| {
        camera.gives(1);
        watch.scenes.len() > 1 && shows(watch, Emotion::Happy)
    });

    watch.live.send(seeing("Sad"));
    watch.until("a sad face", |watch| {
        camera.gives(1);
        shows(watch, Emotion::Sad)
    });
    assert_eq!(watch.events.iter().filter(|event| **event == Event::ClassifierReady).count(), 2);
}

#[test]
fn of_a_camera_that_is_too_fast_the_newest_frame_is_labelled_and_the_others_are_counted() {
    let camera = FakeCamera::new();
    let gate = Gate::new();
    let mut watch = Watch::camera(&camera, happy().behind(&gate));
    camera.gives(1);
    gate.wait_until_entered();
    // The network is busy with frame 0; of 1 to 9 only the last waits.
    camera.gives(9);
    watch.until("8 dropped frames", |watch| watch.live.statistics().dropped == 8);
    gate.let_through(2);
    watch.until_frame(9);
    let statistics = watch.live.statistics();
    assert_eq!((statistics.captured, statistics.frames, statistics.dropped), (10, 2, 8));
}

#[test]
fn scenes_that_newer_ones_overtake_before_anybody_fetches_them_are_counted() {
    let watch = Watch::video(FakeVideo::new(10), happy(), settings());
    let deadline = std::time::Instant::now() + fakes::PATIENCE;
    while watch.live.statistics().overtaken < 9 {
        assert!(std::time::Instant::now() < deadline, "{:?}", watch.live.statistics());
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(watch.live.take_scene().unwrap().frame.index, 9);
    let statistics = watch.live.statistics();
    assert_eq!((statistics.frames, statistics.dropped, statistics.overtaken, statistics.missed()), (10, 0, 9, 9));
}

#[test]
fn frames_that_come_while_the_network_is_loaded_do_not_count_as_dropped() {
    let camera = FakeCamera::new();
    let loading = Gate::new();
    let loads = loading.clone();
    let factory = Box::new(move |choice: &NetworkChoice| {
        loads.wait_until_entered();
        happy().factory()(choice)
    });
    let mut watch = Watch::start(camera.factory(), true, factory, settings());
    camera.gives(10);
    watch.until("10 captured frames", |watch| watch.live.statistics().captured == 10 && camera.reads() == 10);
    loading.enter();
    watch.until("a scene", |watch| !watch.scenes.is_empty());
    assert_eq!(watch.live.statistics().dropped, 0);
}

#[test]
fn a_lost_camera_is_opened_again_and_time_goes_on() {
    let camera = FakeCamera::new();
    let mut watch = Watch::camera(&camera, happy());
    let mut seen = 0;
    watch.until("a face", |watch| {
        camera.gives(1);
        seen += 1;
        watch.scenes.last().is_some_and(|scene| !scene.faces.is_empty())
    });
    camera.does(Act::Unplug);
    let lost =
        |event: &Event| matches!(event, Event::CameraLost { retry_in, .. } if *retry_in == Duration::from_secs(1));
    watch.until("the loss", |watch| watch.events.iter().any(lost));
    watch.until("a second opening", |_| camera.opened() == 2);
    camera.gives(1);
    let before = watch.scenes.last().unwrap();
    let (index, time) = (before.frame.index, before.frame.media_time);
    watch.until("a frame after the loss", |watch| watch.last_index().is_some_and(|last| last >= seen));
    let after = watch.scenes.last().unwrap();
    assert!(after.frame.index > index && after.frame.media_time > time);

    // After a frame, the next loss counts as a new one, with a short wait again.
    camera.does(Act::Unplug);
    watch.until("the second loss", |watch| watch.events.iter().filter(|event| lost(event)).count() == 2);
}

#[test]
fn a_camera_that_cannot_be_opened_is_tried_again() {
    let camera = FakeCamera::new();
    camera.refuses_to_open_with(SourceError::NoCamera);
    let mut watch = Watch::camera(&camera, happy());
    let reason = SourceError::NoCamera.to_string();
    watch.until_event(&Event::CameraLost { reason, busy: false, retry_in: Duration::from_secs(1) });
    camera.gives(1);
    watch.until_frame(0);
}

#[test]
fn a_camera_that_another_program_uses_is_reported_as_busy() {
    let camera = FakeCamera::new();
    camera.refuses_to_open_with(SourceError::CameraBusy { device: "/dev/video0".to_owned(), by: None });
    let mut watch = Watch::camera(&camera, happy());
    let busy = |event: &Event| matches!(event, Event::CameraLost { busy: true, .. });
    watch.until("the loss", |watch| watch.events.iter().any(busy));
}

#[test]
fn a_source_that_is_not_tried_again_fails_with_its_reason() {
    let missing = Box::new(|| Err(SourceError::Missing("gone.mp4".into())));
    let mut watch = Watch::start(missing, false, happy().factory(), settings());
    assert!(watch.failure().starts_with("gone.mp4 does not exist"));
}

#[test]
fn a_paused_camera_is_read_but_shows_nothing_new() {
    let camera = FakeCamera::new();
    let mut watch = Watch::camera(&camera, happy());
    camera.gives(1);
    watch.until_frame(0);
    watch.live.send(Command::Pause);
    // The frame that is being read when the command comes may still be shown.
    camera.gives(20);
    watch.until("20 more frames", |_| camera.reads() == 21);
    let captured = watch.live.statistics().captured;
    assert!(captured <= 2, "{captured} frames were analysed");
    watch.live.send(Command::Resume);
    camera.gives(2);
    watch.until("the picture to move again", |watch| watch.live.statistics().captured > captured);
}

#[test]
fn a_seek_on_a_camera_changes_nothing() {
    let camera = FakeCamera::new();
    let mut watch = Watch::camera(&camera, happy());
    camera.gives(1);
    watch.until_frame(0);
    watch.live.send(Command::Seek(Duration::from_secs(9)));
    watch.live.send(Command::Step(0));
    watch.live.send(Command::Resume);
    camera.gives(3);
    watch.until_frame(3);
}

#[test]
fn dropping_ends_the_threads_of_a_video_that_plays_waits_or_is_at_its_end() {
    for prepare in [
        |watch: &mut Watch| watch.until_frame(0),
        |watch: &mut Watch| watch.live.send(Command::Pause),
        |watch: &mut Watch| {
            watch.live.send(Command::Seek(Duration::from_secs(3600)));
            watch.until_event(&Event::EndOfVideo);
        },
    ] {
        let video = FakeVideo::new(10_000);
        let held = video.reads();
        let mut watch = Watch::start(video.factory(), false, happy().factory(), settings());
        prepare(&mut watch);
        drop(watch);
        assert_eq!(std::sync::Arc::strong_count(&held), 1, "the capture thread still has the video");
    }
}

#[test]
fn dropping_ends_the_wait_for_a_lost_camera_at_once() {
    let camera = FakeCamera::new();
    camera.refuses_to_open_with(SourceError::NoCamera);
    let mut watch = Watch::camera(&camera, happy());
    watch.until("the loss", |watch| watch.events.iter().any(|event| matches!(event, Event::CameraLost { .. })));
    drop(watch);
    assert!(!camera.is_held() && camera.opened() == 0);
}

#[test]
fn dropping_does_not_wait_for_a_camera_that_gives_nothing() {
    let camera = FakeCamera::new();
    let mut watch = Watch::camera(&camera, happy());
    camera.gives(1);
    watch.until_frame(0);
    // The camera now blocks in `read`: nothing is sent until the drop is over.
    drop(watch);
    camera.gives(1);
    // The thread now sees its stop flag.
    let deadline = std::time::Instant::now() + fakes::PATIENCE;
    while camera.is_held() {
        assert!(std::time::Instant::now() < deadline, "the capture thread still runs after the drop");
        std::thread::yield_now();
    }
}
