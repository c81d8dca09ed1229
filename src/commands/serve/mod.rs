//! `mien serve`: browsers, phones and other programs.

mod link_file;
mod recording;
mod source;
mod visitors;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use mien_serve::{About, ClassReport, ModelReport, Server, Setup, TlsChoice, Token, qr_code};

use self::link_file::LinkFile;
use self::source::Source;
use self::visitors::VisitorRecordings;
use super::headless::RecordingPlan;
use super::labels::LabelArgs;
use crate::blur::Blur;
use crate::console::{print, tell};
use crate::digits::{TIME_DIGITS, rounded};
use crate::export::annotate;
use crate::interrupt;
use crate::net::ModelSource;
use crate::network::NetworkInUse;
use crate::recording::check_folder;
use crate::source::CameraDevice;
use crate::stages::{LoadedNetwork, SharedNetwork, StageChoices};
use crate::version::Versions;

/// Number of libtorch threads for the network that all visitors share.
const NETWORK_THREADS: u16 = 1;

/// Show emotions in a browser, on a phone and to other programs
///
/// Serves a page that reads the browser's own camera; with --camera, --video or --recording it shows that too, to everybody who has
/// the link. Programs can have pictures analysed and get the live results as JSON. docs/serve.md describes both, and
/// what keeps strangers out.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  mien serve --open                                     the page, in the browser of this machine
  mien serve --camera 0                                 this machine's camera for the page, for OBS and for programs
  mien serve --bind 0.0.0.0:7878 --tls self-signed      for phones in the same network: scan the code
  curl -H \"Authorization: Bearer TOKEN\" --data-binary @face.jpg http://127.0.0.1:7878/api/v1/analyze")]
pub struct ServeArgs {
    /// Show this camera of the server to all visitors: its number, its device file, or the address of a network camera
    #[arg(long, value_name = "INDEX|PATH|URL", group = "source")]
    pub camera: Option<CameraDevice>,

    /// Show this video to all visitors, in a loop
    #[arg(long, value_name = "FILE", group = "source")]
    pub video: Option<PathBuf>,

    /// Show this recording to all visitors, with the results that were recorded
    #[arg(long, value_name = "FOLDER", group = "source")]
    pub recording: Option<PathBuf>,

    /// Record the server's camera and what each visitor's camera sends, into new folders in this one; the page says so. Without it
    /// nothing is stored
    #[arg(long, value_name = "FOLDER")]
    pub record: Option<PathBuf>,

    /// Make people unrecognisable in what is recorded: blur their faces, or everything else (docs/blur.md)
    #[arg(long, value_enum, value_name = "WHAT", requires = "record")]
    pub blur: Option<Blur>,

    /// Address and port to listen on; beyond this machine only with TLS and a token
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7878", value_parser = address)]
    pub bind: SocketAddr,

    /// Open the page in this machine's browser
    #[arg(long)]
    pub open: bool,

    /// Use TLS: with a certificate made for this run, which browsers warn about, or with your own files in PEM
    #[arg(long, value_name = "self-signed|CERT,KEY")]
    pub tls: Option<TlsChoice>,

    /// Keep the token in this file, so that the link stays the same; if the file doesn't exist, a new token is written to it
    #[arg(long, value_name = "FILE", conflicts_with = "no_token")]
    pub token_file: Option<PathBuf>,

    /// Let in everybody who can reach the server
    #[arg(long)]
    pub no_token: bool,

    /// Another name of the server, behind a proxy or in DNS; may be given several times
    #[arg(long = "host", value_name = "NAME[:PORT]", value_parser = host)]
    pub hosts: Vec<String>,

    /// Listen beyond this machine without TLS or without a token: anybody on the network path can watch
    #[arg(long)]
    pub i_know_this_is_open: bool,

    /// How faces are looked for and labelled
    #[command(flatten)]
    pub labels: LabelArgs,
}

fn address(word: &str) -> Result<SocketAddr, String> {
    let local = word.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    let address = local.as_deref().unwrap_or(word).parse().ok();
    address.ok_or_else(|| "must be an IP address and a port, such as 127.0.0.1:7878".to_owned())
}

fn host(word: &str) -> Result<String, String> {
    let is_host = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-._:[]".contains(c));
    let wanted = || "give the name alone, such as cam.example, or with a proxy's port: cam.example:8443".to_owned();
    is_host.then(|| word.to_owned()).ok_or_else(wanted)
}

impl ServeArgs {
    /// Serves until Ctrl-C.
    ///
    /// # Errors
    /// When model, device, source, certificate or address can't be used, or the server would be unprotected without --i-know-this-is-open.
    pub fn run(self) -> anyhow::Result<()> {
        interrupt::catch()?;
        if let Some(folder) = &self.record {
            // Before the page says that visitors are recorded.
            check_folder(folder)?;
        }
        let choices = StageChoices { threads: NETWORK_THREADS, ..self.labels.stages() };
        let token = match &self.token_file {
            _ if self.no_token => None,
            Some(path) => Some(kept_token(path)?),
            None => Some(Token::random()?),
        };
        let network = choices.load_network()?;
        let plan = |folder| RecordingPlan::new(folder, network.in_use.clone(), &choices, self.blur);
        let plan = self.record.clone().map(plan);
        let source = Source::of(&self, plan.as_ref(), &network)?;
        let about = self.about(&choices, &network, source.as_ref());
        let device = network.device;
        let shared = SharedNetwork::new(network.classifier, NETWORK_THREADS);
        let source = source.map(|source| source.started_with(&shared, &choices, device));
        let has_source = source.is_some();
        let recordings = plan.map(VisitorRecordings::new);
        let server = Server::bind(Setup {
            bind: self.bind,
            tls: self.tls.clone(),
            token,
            names: self.hosts.clone(),
            is_open_on_purpose: self.i_know_this_is_open,
            classifier: shared.classifier(),
            detection: choices.detection,
            device,
            smoothing: choices.smoothing,
            models: models(&about.model),
            about,
            source,
            annotate,
            record_visitor: recordings.as_ref().map(VisitorRecordings::starter),
        })?;
        // Kept until the server ends, because a browser may be slow to start.
        let _link_file = self.greet(&server, has_source)?;
        server.run(interrupt::requested)?;
        if let Some(recordings) = recordings {
            recordings.finish();
        }
        tell("The server has ended.");
        Ok(())
    }

    fn about(&self, choices: &StageChoices, network: &LoadedNetwork, source: Option<&Source>) -> About {
        let NetworkInUse { model, device, prior, classes, .. } = network.in_use.clone();
        About {
            version: Versions::here().mien,
            model,
            device,
            prior,
            classes: ClassReport::all(&classes),
            source: source.map(|source| source.name.clone()),
            // Not used: the server asks the source each time.
            is_source_recorded: false,
            are_visitors_recorded: self.record.is_some(),
            smoothing_s: choices.smoothing.map_or(0.0, |time| rounded(time.as_secs_f64(), TIME_DIGITS)),
        }
    }

    /// Prints where the page is, and opens it if asked to.
    fn greet(&self, server: &Server, has_source: bool) -> anyhow::Result<Option<LinkFile>> {
        let links = server.links();
        let Some(first) = links.first() else { anyhow::bail!("the server has no address that could be named") };
        let mut words = format!("Mien serves at {first}\n");
        for link in &links[1..] {
            words += &format!("            or {link}\n");
        }
        if has_source {
            let base = first.split('#').next().unwrap_or(first);
            words += &format!("For OBS:       {}\n", first.replacen(base, &format!("{base}overlay"), 1));
        }
        if let Some(link) = server.link_for_others() {
            words += &format!("\n{}", qr_code(link).context("no QR code can be drawn of the link")?);
        }
        if self.tls == Some(TlsChoice::SelfSigned) {
            words += "The browser will warn that it doesn't know who made the certificate: it was made here, for this run.\n";
        }
        if self.no_token {
            words += "No token is asked for: everybody who reaches this address is let in.\n";
        }
        words += "Ctrl-C ends the server.\n";
        print(&words)?;
        Ok(if self.open { self.open_page(first) } else { None })
    }

    /// Opens the page in this machine's browser. Returns the file with the link, which has to stay until the browser has read it.
    fn open_page(&self, link: &str) -> Option<LinkFile> {
        let opened = if self.no_token {
            // This link is no secret.
            open::that_detached(link).map(|()| None)
        } else {
            LinkFile::new(link).and_then(|file| {
                open::that_detached(file.path())?;
                Ok(Some(file))
            })
        };
        opened.unwrap_or_else(|error| {
            tell(&format!("warning: no browser could be started ({error}); open the link by hand"));
            None
        })
    }
}

/// The token that is kept in a file. Warns if the file doesn't keep it secret.
fn kept_token(path: &Path) -> anyhow::Result<Token> {
    let token = Token::kept_in(path)?;
    if Token::is_open_to_others(path) {
        let path = path.display();
        tell(&format!(
            "warning: other users of this machine can read or change the token in {path}; this prevents it: \
             chmod 600 '{path}'"
        ));
    }
    Ok(token)
}

/// What the server tells about the models that are part of the program.
fn models(in_use: &str) -> Vec<ModelReport> {
    let card = |model: ModelSource| match model.card() {
        Ok(card) => Some(card),
        Err(error) => {
            tracing::warn!("the card of {model} can't be read: {error}");
            None
        }
    };
    let report = |card: crate::net::Card| ModelReport {
        is_in_use: card.name == in_use,
        name: card.name,
        description: card.description,
        limits: card.limits,
        parameters: card.parameters,
    };
    ModelSource::shipped().filter_map(card).map(report).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_port_and_may_be_this_machine_by_name() {
        assert_eq!(address("localhost:7878"), address("127.0.0.1:7878"));
        assert!(address("[::1]:80").is_ok());
        for word in ["127.0.0.1", "localhost", "localhost:", "cam.example:80", "7878", ""] {
            assert!(address(word).is_err_and(|words| words.contains("such as 127.0.0.1:7878")), "{word}");
        }
    }
}
