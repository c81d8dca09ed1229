//! A real browser: Debian's chromium, driven over WebDriver. Its camera plays a file that the test writes.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::api::face_jpeg;
use super::client::Server;

/// How long a browser on a busy machine may take; only a failing test waits that long.
const PATIENCE: Duration = Duration::from_secs(60);

/// The page's status text.
pub const STATE: &str = "document.getElementById('state').textContent";
/// The verdict on the face that is listed first.
pub const VERDICT: &str = "document.querySelector('.face button b')?.textContent ?? ''";

/// The browser's camera.
#[derive(Clone, Copy)]
pub enum Cam {
    /// Looks at a face that moves a little.
    Face,
    /// There is one, but the user refuses access to it.
    Refused,
    /// There is none.
    Missing,
}

/// A browser and its driver, which end with the test.
pub struct Browser {
    driver: Child,
    port: u16,
    client: Option<Client>,
    /// Contains the pictures of its camera.
    _folder: TempDir,
}

impl Browser {
    /// Opens a desktop browser. `None`, with a message, if none is installed.
    pub async fn open(cam: Cam) -> Option<Self> {
        Self::start(cam, false).await
    }

    /// Opens a browser that emulates a phone.
    pub async fn on_phone(cam: Cam) -> Option<Self> {
        Self::start(cam, true).await
    }

    /// Opens a desktop browser whose camera looks at a face, on the page of a new server with these arguments. The page waits for Start.
    pub async fn at_page(arguments: &[&str]) -> Option<(Self, Server)> {
        let browser = Self::open(Cam::Face).await?;
        let server = Server::start(arguments);
        browser.open_page(&server).await;
        Some((browser, server))
    }

    async fn start(cam: Cam, is_phone: bool) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut driver = Command::new("chromedriver");
        driver.arg(format!("--port={port}")).stdout(Stdio::null()).stderr(Stdio::null());
        let Ok(driver) = driver.spawn() else {
            eprintln!("skipped: this test needs chromium and chromium-driver; scripts/setup.sh --tests installs them");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let pictures = folder.path().join("camera.mjpeg");
        fs::write(&pictures, (0..40).map(|number| face_jpeg(number % 10)).collect::<Vec<_>>().concat()).unwrap();
        let mut browser = Self { driver, port, client: None, _folder: folder };
        let mut arguments: Vec<String> =
            ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,800"].map(str::to_owned).into();
        let mut prefs = json!({});
        match cam {
            Cam::Face => arguments.extend([
                "--use-fake-ui-for-media-stream".to_owned(),
                "--use-fake-device-for-media-stream".to_owned(),
                format!("--use-file-for-fake-video-capture={}", pictures.display()),
            ]),
            Cam::Refused => {
                arguments.push("--use-fake-device-for-media-stream".to_owned());
                prefs = json!({ "profile.default_content_setting_values.media_stream_camera": 2 });
            }
            Cam::Missing => arguments.push("--use-fake-ui-for-media-stream".to_owned()),
        }
        let mut options = json!({ "args": arguments, "prefs": prefs });
        if is_phone {
            options["mobileEmulation"] =
                json!({ "deviceMetrics": { "width": 390, "height": 844, "pixelRatio": 2.0, "touch": true } });
        }
        let capabilities = json!({ "goog:chromeOptions": options }).as_object().unwrap().clone();
        let start = Instant::now();
        browser.client = loop {
            let connected = ClientBuilder::new(HttpConnector::new())
                .capabilities(capabilities.clone())
                .connect(&format!("http://127.0.0.1:{port}"))
                .await;
            match connected {
                Ok(client) => break Some(client),
                Err(error) => assert!(start.elapsed() < PATIENCE, "no browser: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        Some(browser)
    }

    pub fn page(&self) -> &Client {
        self.client.as_ref().unwrap()
    }

    pub async fn go(&self, address: &str) {
        self.page().goto(address).await.unwrap();
    }

    /// Opens the server's link and waits until the page is ready for Start.
    pub async fn open_page(&self, server: &Server) {
        self.go(&server.link("")).await;
        self.until_state("Press Start").await;
    }

    /// Runs a script in each page that is opened from now on, before the page's own. Uses a Chromium command; WebDriver has none for this.
    pub async fn before_each_page(&self, script: &str) {
        let session = self.page().session_id().await.unwrap().unwrap();
        let params = json!({ "source": script });
        let order = json!({ "cmd": "Page.addScriptToEvaluateOnNewDocument", "params": params }).to_string();
        let request = format!(
            "POST /session/{session}/goog/cdp/execute HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{order}",
            self.port,
            order.len()
        );
        let mut driver = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        driver.set_read_timeout(Some(PATIENCE)).unwrap();
        driver.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        BufReader::new(driver).read_line(&mut answer).unwrap();
        assert!(answer.contains(" 200 "), "{answer}");
    }

    pub async fn ask(&self, script: &str) -> Value {
        self.page().execute(&format!("return {script}"), vec![]).await.unwrap()
    }

    /// Waits until the script's value satisfies `is_so`, and returns it.
    pub async fn until(&self, script: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let value = self.ask(script).await;
            if is_so(&value) {
                return value;
            }
            if start.elapsed() > PATIENCE {
                let state = self.ask(STATE).await;
                panic!("{script} stays {value}; the page says {state}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub async fn until_state(&self, words: &str) {
        self.until(STATE, |state| state.as_str().is_some_and(|state| state.contains(words))).await;
    }

    /// Waits until the page lists a face.
    pub async fn until_face(&self) {
        self.until(VERDICT, |verdict| verdict.as_str().is_some_and(|verdict| !verdict.is_empty())).await;
    }

    pub async fn press(&self, id: &str) {
        self.ask(&format!("document.getElementById('{id}').click()")).await;
    }

    /// Presses Start and waits for the camera's face.
    pub async fn start_camera(&self) {
        self.press("start").await;
        self.until_face().await;
    }

    /// Closes the session. Otherwise the browser would outlive its driver.
    pub async fn close(mut self) {
        self.client.take().unwrap().close().await.unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.driver.kill().ok();
        self.driver.wait().ok();
    }
}
