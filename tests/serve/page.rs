//! The page as visitors use it, in a real browser.

use std::fs;

use serde_json::json;

use super::api::face_jpeg;
use super::browser::{Browser, Cam, STATE, VERDICT};
use super::client::{Server, TOKEN};
use super::support::drawn_face::picture_with_face;
use super::support::emulated_cameras::{Bus, Mode};
use super::support::program::{binary, video_with_face, wait_until};

const BUTTON: &str = "document.getElementById('start').textContent";
const IS_DISABLED: &str = "document.getElementById('start').disabled";
const IS_RUNNING: &str = "Boolean(document.getElementById('video').srcObject)";
const HAS_LINK_FIELD: &str = "document.getElementById('link').offsetHeight > 0";
/// Pastes the first argument as the page's link.
const HAND_IN: &str =
    "document.getElementById('link').value = arguments[0]; document.getElementById('link-form').requestSubmit()";
/// The share of the overlay that is painted.
const PAINTED: &str = "(() => { const c = document.getElementById('boxes'); if (!c.width) return 0; const d = c.getContext('2d')\
    .getImageData(0, 0, c.width, c.height).data; let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n / (c.width * c.height); })()";
/// Holds requests for the browser's camera back until `window.give()` is called, and keeps their streams in `window.given`.
const ASK_FIRST: &str = "(() => { const media = navigator.mediaDevices; const real = media.getUserMedia.bind(media);\
    const asked = new Promise((give) => { window.give = give; }); window.given = [];\
    media.getUserMedia = async (wish) => { await asked; const stream = await real(wish); window.given.push(stream); return stream; }; })()";
/// How many camera streams were given, and how many of them are active.
const GIVEN_AND_ON: &str = "[window.given.length, window.given.filter((stream) => stream.active).length]";
/// Counts the locks that keep the screen on in `window.locks`, and keeps the text messages that are sent in `window.told`.
const COUNT_LOCKS_AND_WORDS: &str = "(() => { window.locks = 0; window.told = [];\
    const request = async () => { window.locks++; return { release: async () => { window.locks--; } }; };\
    Object.defineProperty(navigator, 'wakeLock', { value: { request } });\
    const real = WebSocket.prototype.send; WebSocket.prototype.send = function (data) {\
    if (typeof data === 'string') window.told.push(data); return real.call(this, data); }; })()";
/// Drags the smoothing slider from one end to the other and back, five times.
const DRAG_SMOOTHING: &str = "(() => { const slider = document.getElementById('smoothing');\
    for (let step = 0; step <= 200; step++) { slider.value = Math.abs((step % 40) - 20) / 10;\
    slider.dispatchEvent(new Event('input')); } })()";
/// Holds requests for `/about` back in `window.held`, until the test lets them go or fail.
const HOLD_QUESTIONS: &str = "(() => { const real = window.fetch.bind(window); window.held = [];\
    window.fetch = (where, how) => String(where).endsWith('/about') ? new Promise((give, refuse) => {\
    window.held.push({ go: () => give(real(where)), fail: () => refuse(new Error('as asked')) }); }) : real(where, how); })()";

/// Makes the server too busy for the first request for a session.
const BUSY_ONCE: &str = "(() => { const real = window.fetch.bind(window); let isBusy = true;\
    window.fetch = (where, how) => { if (!isBusy || !String(where).endsWith('/session')) return real(where, how);\
    isBusy = false; return Promise.resolve(new Response('{}', { status: 429 })); }; })()";
/// Keeps the states of the server's source that the page is told in `window.states`.
const KEEP_STATES: &str = "(() => { window.states = []; const Real = window.WebSocket;\
    window.WebSocket = class extends Real { constructor(...where) { super(...where);\
    this.addEventListener('message', ({ data }) => { if (typeof data === 'string') window.states.push(JSON.parse(data).state); }); } }; })()";
const FIGURES: &str = "document.getElementById('figures').textContent";

/// The API's verdict on a picture of the browser's camera.
fn verdict_of(server: &Server) -> String {
    let (_, report) = server.json("POST", "/api/v1/analyze", &face_jpeg(0));
    report["faces"][0]["verdict"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_page_names_what_the_visitors_camera_shows() {
    let Some((browser, server)) = Browser::at_page(&[]).await else { return };
    let address = browser.page().current_url().await.unwrap().to_string();
    assert!(!address.contains(TOKEN), "{address}");
    assert_eq!(browser.ask("document.cookie").await, "", "no script reads the cookie");
    browser.press("start").await;
    // In the browser's own JPEGs, the moving drawn face may show another emotion for a moment.
    let expected = verdict_of(&server);
    let is_expected = |shown: &str| shown.to_lowercase().starts_with(&expected);
    browser.until(VERDICT, |verdict| verdict.as_str().is_some_and(is_expected)).await;
    let bars = browser.ask("[...document.querySelectorAll('.bar')].map((bar) => Number(bar.ariaValueNow))").await;
    let sum: f64 = bars.as_array().unwrap().iter().map(|bar| bar.as_f64().unwrap()).sum();
    assert!(bars.as_array().unwrap().len() == 7 && (95.0..=105.0).contains(&sum), "{bars}");
    browser
        .until(FIGURES, |words| {
            words.as_str().is_some_and(|words| {
                words.contains("mien-joint on CPU") && words.contains("age") && words.contains("fps")
            })
        })
        .await;
    browser.press("start").await;
    browser.until_state("Stopped").await;
    browser.close().await;
}

#[tokio::test]
async fn before_the_server_has_answered_no_camera_can_be_opened_and_where_it_does_not_start_asks_again() {
    let Some(browser) = Browser::open(Cam::Face).await else { return };
    let server = Server::start(&[]);
    browser.before_each_page(HOLD_QUESTIONS).await;
    browser.go(&server.link("")).await;
    for (asked, answer) in [(1_u64, "fail"), (2, "go")] {
        browser.until("window.held.length", |held| *held == asked).await;
        browser.until_state("Connecting").await;
        assert_eq!(browser.ask(IS_DISABLED).await, true);
        browser.press("start").await;
        assert_eq!(browser.ask("document.getElementById('video').srcObject").await, json!(null));
        assert_eq!(browser.ask("window.held.length").await, asked);
        browser.ask(&format!("window.held.at(-1).{answer}()")).await;
        if answer == "fail" {
            browser.until_state("press Start to try again").await;
            assert_eq!(browser.ask(IS_DISABLED).await, false);
            browser.press("start").await;
        }
    }
    browser.until_state("Press Start to open the camera").await;
    assert_eq!(browser.ask(IS_DISABLED).await, false);
    browser.press("start").await;
    browser.until("window.held.length", |held| *held == 3).await;
    browser.ask("window.held.at(-1).go()").await;
    browser.until_face().await;
    browser.close().await;
}

#[tokio::test]
async fn a_link_for_which_the_server_was_too_busy_is_handed_in_again_and_one_that_it_refused_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let video = folder.path().join("clip.mp4");
    video_with_face(&video, 60);
    let Some(browser) = Browser::open(Cam::Face).await else { return };
    let server = Server::start(&["--video", video.to_str().unwrap()]);
    browser.before_each_page(BUSY_ONCE).await;
    browser.go(&server.link("")).await;
    browser.until_state("The server is busy: press Start to try again").await;
    assert_eq!(browser.ask(IS_DISABLED).await, false);
    browser.press("start").await;
    browser.until_face().await;

    // The overlay, which has no button, tries again by itself.
    browser.page().delete_all_cookies().await.unwrap();
    browser.go(&server.link("overlay")).await;
    browser.until(PAINTED, |share| share.as_f64().is_some_and(|share| share > 0.0)).await;

    browser.page().delete_all_cookies().await.unwrap();
    browser.go(&format!("http://{}/#token={}", server.address, TOKEN.to_uppercase())).await;
    browser.until_state("The server is busy").await;
    browser.press("start").await;
    browser.until_state("The server refused the link").await;
    assert_eq!(browser.ask(IS_DISABLED).await, true);
    browser.close().await;
}

#[tokio::test]
async fn the_servers_video_is_shown_and_the_own_camera_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let video = folder.path().join("clip.mp4");
    video_with_face(&video, 60);
    let Some(browser) = Browser::open(Cam::Face).await else { return };
    let server = Server::start(&["--video", video.to_str().unwrap()]);
    browser.go(&server.link("")).await;
    browser.until_face().await;
    assert_eq!(browser.ask("document.getElementById('source-name').textContent").await, "clip.mp4");
    // The time that a picture takes to a browser isn't known, so no age is shown.
    let figures = browser.until(FIGURES, |words| words.as_str().is_some_and(|words| words.contains("fps"))).await;
    assert!(!figures.as_str().unwrap().contains("age"), "{figures}");
    browser.ask("document.querySelector('input[value=own]').click()").await;
    browser.until("document.getElementById('camera').length", |count| count.as_u64() >= Some(1)).await;
    browser.until_face().await;
    // Only boxes, on a transparent background, for OBS.
    browser.go(&server.link("overlay")).await;
    let share = browser.until(PAINTED, |share| share.as_f64().is_some_and(|share| share > 0.0)).await;
    assert!(share.as_f64().unwrap() < 0.5, "the overlay covers {share} of the picture");
    browser.close().await;
}

#[tokio::test]
async fn a_camera_that_is_given_when_it_is_no_longer_wanted_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let video = folder.path().join("clip.mp4");
    video_with_face(&video, 60);
    // A second click while the browser asks for permission stops it.
    let Some((browser, _server)) = Browser::at_page(&[]).await else { return };
    browser.ask(ASK_FIRST).await;
    browser.press("start").await;
    browser.until_state("Opening camera").await;
    assert_eq!(browser.ask(BUTTON).await, "Stop");
    browser.press("start").await;
    assert_eq!(browser.ask(BUTTON).await, "Start");
    browser.ask("window.give()").await;
    browser.until(GIVEN_AND_ON, |given| *given == json!([1, 0])).await;
    assert_eq!(browser.ask(STATE).await, "Stopped");
    // And it can be started again.
    browser.start_camera().await;
    assert_eq!(browser.ask(GIVEN_AND_ON).await, json!([2, 1]));

    // Choosing another source stops it too.
    let server = Server::start(&["--video", video.to_str().unwrap()]);
    browser.go(&server.link("")).await;
    browser.until_face().await;
    browser.ask(ASK_FIRST).await;
    browser.ask("document.querySelector('input[value=own]').click()").await;
    browser.until_state("Opening camera").await;
    browser.ask("document.querySelector('input[value=server]').click()").await;
    browser.ask("window.give()").await;
    browser.until(GIVEN_AND_ON, |given| *given == json!([1, 0])).await;
    browser.until_face().await;
    browser.close().await;
}

#[tokio::test]
async fn a_camera_that_goes_away_ends_the_session_with_a_word() {
    let Some((browser, server)) = Browser::at_page(&[]).await else { return };
    browser.start_camera().await;
    // What the browser does when the camera is unplugged.
    let track = "document.getElementById('video').srcObject.getVideoTracks()[0]";
    browser.ask(&format!("{track}.dispatchEvent(new Event('ended'))")).await;
    browser.until_state("The camera was disconnected").await;
    assert_eq!(browser.ask(BUTTON).await, "Start");
    let metrics = || server.request("GET", "/metrics", &[("Authorization", &format!("Bearer {TOKEN}"))], b"").1;
    wait_until("the end of the session", || metrics().contains("mien_sessions 0\n"));
    browser.close().await;
}

#[tokio::test]
async fn the_screen_stays_on_while_the_camera_runs_and_a_dragged_slider_is_told_once() {
    let Some(browser) = Browser::open(Cam::Face).await else { return };
    let server = Server::start(&[]);
    browser.before_each_page(COUNT_LOCKS_AND_WORDS).await;
    browser.open_page(&server).await;
    assert_eq!(browser.ask("window.locks").await, 0);
    browser.start_camera().await;
    browser.until("window.locks", |locks| *locks == 1).await;

    browser.ask("window.told = []").await;
    browser.ask(DRAG_SMOOTHING).await;
    browser.until("window.told", |told| *told == json!([r#"{"smoothing":2}"#])).await;
    browser.until_face().await;

    browser.press("start").await;
    browser.until_state("Stopped").await;
    browser.until("window.locks", |locks| *locks == 0).await;
    browser.close().await;
}

#[tokio::test]
async fn a_camera_that_gives_no_picture_leaves_no_face_and_says_so() {
    let Some((browser, _server)) = Browser::at_page(&[]).await else { return };
    browser.start_camera().await;
    // What the browser does when another program takes the camera. Here, pictures keep coming, and they clear the message.
    let muted = "(() => { document.getElementById('video').srcObject.getVideoTracks()[0].dispatchEvent(new Event('mute'));\
        return [document.getElementById('state').textContent, document.querySelectorAll('.face').length]; })()";
    let said = browser.ask(muted).await;
    assert!(said[0].as_str().unwrap().contains("gives no picture") && said[1] == 0, "{said}");
    browser.until_face().await;
    browser.until(STATE, |state| state == "").await;
    browser.close().await;
}

#[tokio::test]
async fn a_line_on_which_nothing_comes_is_opened_anew() {
    let Some((browser, _server)) = Browser::at_page(&[]).await else { return };
    // The server sends nothing to a visitor who sends nothing.
    let silent = "void import('/app/session.js').then(({ Line }) => { window.opened = 0; window.troubles = 0;\
        window.line = new Line('/api/v1/visit', { open: () => window.opened++, message() {}, trouble: () => window.troubles++ }, 100); })";
    browser.ask(silent).await;
    browser.until("window.opened ?? 0", |opened| opened.as_u64() >= Some(3)).await;
    assert_eq!(browser.ask("window.troubles").await, 0);
    browser.ask("window.line.close()").await;
    browser.close().await;
}

#[tokio::test]
async fn the_overlay_forgets_the_faces_of_a_camera_that_is_unplugged() {
    let Some(browser) = Browser::open(Cam::Face).await else { return };
    let bus = Bus::new();
    let picture = picture_with_face(640, 480, opencv::core::Rect::new(220, 140, 200, 200));
    bus.plug(0, "Test camera", &[Mode::jpeg(640, 480, 30, &[picture])]);
    let server = Server::start_by(bus.command(binary()), "127.0.0.1:0", &["--camera", "0"]);
    browser.before_each_page(KEEP_STATES).await;
    browser.go(&server.link("overlay")).await;
    browser.until(PAINTED, |share| share.as_f64().is_some_and(|share| share > 0.0)).await;
    bus.unplug(0);
    browser.until(PAINTED, |share| share.as_f64() == Some(0.0)).await;
    // The state is repeated while the camera is away, so the connection isn't taken for a dead one.
    browser.until("window.states.includes('lost')", |told| *told == true).await;
    browser.close().await;
}

#[tokio::test]
async fn a_camera_that_is_refused_or_missing_and_a_link_without_its_token_are_said_in_words() {
    let Some(browser) = Browser::open(Cam::Refused).await else { return };
    let server = Server::start(&[]);
    browser.go(&format!("http://{}/", server.address)).await;
    browser.until_state("This page needs its link").await;
    assert_eq!(browser.ask(IS_DISABLED).await, true);
    // Changing only the part after the # doesn't reload the page: the open page takes the token.
    browser.open_page(&server).await;
    browser.press("start").await;
    browser.until_state("No permission for the camera").await;
    browser.close().await;

    let Some(browser) = Browser::open(Cam::Missing).await else { return };
    browser.open_page(&server).await;
    browser.press("start").await;
    browser.until_state("No camera found").await;
    browser.close().await;
}

#[tokio::test]
async fn a_page_without_access_takes_the_link_in_a_field() {
    let Some(phone) = Browser::on_phone(Cam::Face).await else { return };
    let server = Server::start(&[]);
    phone.open_page(&server).await;
    phone.start_camera().await;
    // As after a restart with another token, or on an iPhone whose installed page doesn't get the cookie.
    phone.page().delete_all_cookies().await.unwrap();
    let address = server.address.to_string();
    drop(server);
    let server = Server::start_at(&address, &[]);
    phone.until_state("This page needs its link").await;
    assert_eq!(phone.ask(IS_RUNNING).await, false, "the camera is closed");
    let widths = phone.ask("[document.documentElement.scrollWidth, innerWidth]").await;
    assert_eq!(widths[0], widths[1]);
    for (link, told) in [
        (server.link("").replace(&address, "127.0.0.1:1"), format!("for 127.0.0.1:1, and this page is from {address}")),
        (format!("http://{address}/"), "incomplete".to_owned()),
        (format!("http://{address}/#token={}", TOKEN.to_uppercase()), "The server refused the link".to_owned()),
        (server.link(""), "Press Start".to_owned()),
    ] {
        assert_eq!(phone.ask(HAS_LINK_FIELD).await, true);
        phone.page().execute(HAND_IN, vec![json!(link)]).await.unwrap();
        phone.until_state(&told).await;
    }
    assert_eq!(phone.ask(HAS_LINK_FIELD).await, false);
    let kept = phone.ask("document.getElementById('link').value + location.href").await;
    assert!(!kept.as_str().unwrap().contains(TOKEN), "{kept}");
    phone.start_camera().await;
    phone.close().await;
}

#[tokio::test]
async fn before_a_camera_is_opened_the_page_says_whether_it_will_be_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let Some((browser, _server)) = Browser::at_page(&[]).await else { return };
    browser.until_state("not stored").await;
    let is_shown = "document.getElementById('recorded').offsetHeight > 0";
    assert_eq!(browser.ask(is_shown).await, false);
    browser.start_camera().await;
    assert_eq!(browser.ask(is_shown).await, false);

    let kept = folder.path().join("kept");
    let server = Server::start(&["--record", kept.to_str().unwrap()]);
    browser.open_page(&server).await;
    browser.until_state("recorded there").await;
    let told = browser.ask("document.getElementById('recorded').innerText").await;
    assert!(told.as_str().unwrap().contains("What your camera sends is recorded"), "{told}");
    assert_eq!(fs::read_dir(&kept).unwrap().count(), 0);
    browser.start_camera().await;
    assert_eq!(browser.ask(is_shown).await, true);
    assert_eq!(fs::read_dir(&kept).unwrap().count(), 1);
    browser.close().await;
}

#[tokio::test]
async fn where_a_server_begins_to_record_the_camera_goes_on_only_if_that_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept");
    let Some((browser, server)) = Browser::at_page(&[]).await else { return };
    browser.start_camera().await;
    let address = server.address.to_string();
    drop(server);
    browser.until_state("Connection lost, trying again").await;
    let server = Server::start_at(&address, &["--record", kept.to_str().unwrap()]);
    browser.until_state("press Start if you agree").await;
    assert_eq!(browser.ask(BUTTON).await, "Start");
    assert_eq!(browser.ask("document.getElementById('video').srcObject").await, json!(null));
    assert_eq!(fs::read_dir(&kept).unwrap().count(), 0);
    browser.start_camera().await;
    wait_until("the recording", || fs::read_dir(&kept).unwrap().count() > 0);
    drop(server);
    browser.close().await;
}

#[tokio::test]
async fn a_page_outlives_a_server_that_is_killed_and_started_again() {
    let Some((browser, server)) = Browser::at_page(&[]).await else { return };
    browser.start_camera().await;
    let address = server.address.to_string();
    drop(server);
    browser.until_state("Connection lost, trying again").await;
    let server = Server::start_at(&address, &[]);
    browser.until(STATE, |state| state == "").await;
    browser.until_face().await;
    drop(server);
    browser.close().await;
}

#[tokio::test]
async fn two_tabs_and_a_phone_work_side_by_side_and_nothing_is_wider_than_the_phone() {
    let Some(phone) = Browser::on_phone(Cam::Face).await else { return };
    let Some((desk, server)) = Browser::at_page(&[]).await else { return };
    phone.open_page(&server).await;
    for browser in [&phone, &desk] {
        browser.start_camera().await;
    }
    let first = desk.page().window().await.unwrap();
    let tab = desk.page().new_window(true).await.unwrap();
    desk.page().switch_to_window(tab.handle).await.unwrap();
    // The cookie gives access: no token is needed any more.
    desk.go(&format!("http://{}/", server.address)).await;
    desk.until_state("Press Start").await;
    desk.start_camera().await;
    desk.page().switch_to_window(first).await.unwrap();
    desk.until_face().await;

    let widths = phone.ask("[document.documentElement.scrollWidth, innerWidth]").await;
    assert_eq!(widths[0], widths[1]);
    let small = "[...document.querySelectorAll('button, select')].filter((it) => it.offsetHeight && it.offsetHeight < 28).length";
    assert_eq!(phone.ask(small).await, 0, "too small for a finger");
    desk.close().await;
    phone.close().await;
}

#[tokio::test]
async fn the_page_breaks_no_rule_of_its_own_policy_and_keeps_nothing_of_the_api() {
    let Some((browser, _server)) = Browser::at_page(&[]).await else { return };
    // An inline script does nothing.
    browser.ask("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.broken = 1\">')").await;
    // Nothing is loaded from another server.
    browser.ask("void fetch('http://127.0.0.1:1/').catch((error) => { window.refused = String(error); })").await;
    browser.until("window.refused ?? ''", |refused| refused.as_str().is_some_and(|refused| !refused.is_empty())).await;
    assert_eq!(browser.ask("window.broken ?? 0").await, 0);
    browser.start_camera().await;
    let kept = "(window.kept ??= null, caches.open('mien-page').then((cache) => cache.keys())\
        .then((keys) => { window.kept = keys.map((key) => new URL(key.url).pathname); }), window.kept)";
    let kept = browser.until(kept, |kept| kept.as_array().is_some_and(|kept| kept.len() > 10)).await;
    let kept: Vec<_> = kept.as_array().unwrap().iter().map(|path| path.as_str().unwrap()).collect();
    assert!(kept.contains(&"/app/page.js") && !kept.iter().any(|path| path.starts_with("/api")), "{kept:?}");
    browser.close().await;
}
