//! A load test for a running `mien serve`: a number of visitors each send frames at a given rate, with one frame in flight at a time.
//! Prints the results as a row of a Markdown table.
#![allow(clippy::print_stdout, reason = "an example prints its result")]

use std::net::TcpStream;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clap::Parser;
use tungstenite::client::IntoClientRequest as _;
use tungstenite::{Message, WebSocket};

/// Load for a running `mien serve`
#[derive(Debug, Parser)]
struct Load {
    /// The link that the server printed
    link: String,
    /// JPEG pictures that each visitor sends in turn
    #[arg(required = true)]
    pictures: Vec<PathBuf>,
    /// Visitors
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=32))]
    visitors: u32,
    /// Frames a second of each
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=50))]
    fps: u32,
    /// For how long
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
}

fn main() -> anyhow::Result<()> {
    let load = Load::parse();
    let (base, token) = load.link.split_once("/#token=").context("the link has no token")?;
    let host = base.strip_prefix("http://").context("the load goes to http alone")?;
    let pictures =
        load.pictures.iter().map(std::fs::read).collect::<Result<Vec<_>, _>>().context("a picture can't be read")?;
    let mut runs = Vec::new();
    thread::scope(|scope| {
        let visitors: Vec<_> = (0..load.visitors)
            .map(|number| {
                scope.spawn({
                    let (load, pictures) = (&load, &pictures);
                    move || visit(host, token, load, pictures, number)
                })
            })
            .collect();
        for visitor in visitors {
            runs.push(visitor.join().unwrap_or_else(|_panic| bail!("a visitor failed"))?);
        }
        anyhow::Ok(())
    })?;
    let mut ages: Vec<f64> = runs.iter().flat_map(|run| run.ages.iter().copied()).collect();
    ages.sort_by(f64::total_cmp);
    ensure!(!ages.is_empty(), "nothing was answered");
    let rate = |run: &Run| run.ages.len() as f64 / load.seconds as f64;
    let rates: Vec<f64> = runs.iter().map(rate).collect();
    let (least, most) = (rates.iter().copied().fold(f64::MAX, f64::min), rates.iter().copied().fold(0.0, f64::max));
    let quantile = |share: f64| ages[((ages.len() - 1) as f64 * share) as usize];
    println!(
        "| {} | {:.1} | {least:.1}–{most:.1} | {:.0} | {:.0} | {} |",
        load.visitors,
        rates.iter().sum::<f64>(),
        quantile(0.5),
        quantile(0.95),
        runs.iter().map(|run| run.faces).sum::<usize>(),
    );
    Ok(())
}

/// The results of one visitor.
#[derive(Default)]
struct Run {
    /// Times from sending a frame to its answer, in milliseconds.
    ages: Vec<f64>,
    faces: usize,
}

fn visit(host: &str, token: &str, load: &Load, pictures: &[Vec<u8>], number: u32) -> anyhow::Result<Run> {
    let mut request = format!("ws://{host}/api/v1/visit").into_client_request()?;
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse()?);
    let stream = TcpStream::connect(host)?;
    stream.set_nodelay(true)?;
    let (mut socket, _) = tungstenite::client(request, stream).context("the server doesn't let the visitor in")?;
    let interval = Duration::from_secs(1) / load.fps;
    // Visitors start at different moments, as people do.
    thread::sleep(interval * number / load.visitors);
    let (mut run, began) = (Run::default(), Instant::now());
    let mut due = began;
    for id in 0_u32.. {
        if began.elapsed() >= Duration::from_secs(load.seconds) {
            break;
        }
        let picture = &pictures[id as usize % pictures.len()];
        let sent = Instant::now();
        let message = [&id.to_le_bytes(), f64::from(id).to_le_bytes().as_slice(), picture].concat();
        socket.send(Message::binary(message))?;
        run.faces += faces(&answer(&mut socket)?);
        run.ages.push(sent.elapsed().as_secs_f64() * 1e3);
        // Frames that fell due in the meantime are skipped, as the page does.
        due = (due + interval).max(Instant::now());
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    socket.close(None)?;
    Ok(run)
}

fn answer(socket: &mut WebSocket<TcpStream>) -> anyhow::Result<serde_json::Value> {
    loop {
        match socket.read()? {
            Message::Text(text) => return Ok(serde_json::from_str(&text)?),
            Message::Close(_) => bail!("the server has ended the session"),
            _ => {}
        }
    }
}

fn faces(answer: &serde_json::Value) -> usize {
    answer["faces"].as_array().map_or(0, Vec::len)
}
